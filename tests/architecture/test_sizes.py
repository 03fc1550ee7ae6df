"""No file over 600 lines, no function over 60: what is longer is two things."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("pro", "templates", "tests", "bench", "deploy", "translations", ".ci")
ENDINGS = {".py", ".html", ".txt", ".css", ".js", ".sh", ".svg", ".conf"}
FILE_LINES, FUNCTION_LINES = 600, 60


def sources() -> list[Path]:
    """Everything that people write by hand; data files and migrations aside."""
    found = [ROOT / "app.py", ROOT / "Makefile", ROOT / ".ci" / "run"]
    for folder in FOLDERS:
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in ENDINGS]
    return [path for path in found if "versions" not in path.parts]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n") + 1
    assert lines <= FILE_LINES, f"{lines} lines; part it in two (at most {FILE_LINES})"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= FUNCTION_LINES, f"{node.name} has {length} lines; at most {FUNCTION_LINES}"
