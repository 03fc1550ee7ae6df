"""The project's own files, each read and parsed once in a test process, for the tests that are rules about the code."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PRO = ROOT / "pro"


def module_name(path: Path) -> str:
    """Return the dotted name of a Python file: ``pro.db`` for ``pro/db.py``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


# Dotted name -> file, for the program itself: app.py and pro/.
MODULES = {module_name(path): path for path in [ROOT / "app.py", *sorted(PRO.rglob("*.py"))]}


def place(path: Path, line: int | None = None) -> str:
    """Return where a fault stands, as an editor opens it: ``pro/db.py:12``."""
    return str(path.relative_to(ROOT)) + ("" if line is None else f":{line}")


@cache
def text_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(text_of(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a Python file."""
    return tuple(ast.walk(tree_of(path)))


def report(faults: list[str]) -> str:
    """Return all faults of a rule, one a line, as the message of its test."""
    return f"{len(faults)} found:\n" + "\n".join(faults)
