"""What the documents name exists: a file, a folder, and a function or class in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "deploy/README.md")
# `path/to/file.py` or `path/to/file.py:name`, as the documents write it; what has a gap (<name>, *) names a kind of
# file.
FOLDERS = "pro|tests|templates|docs|deploy|translations|bench"
REFERENCE = re.compile(rf"`((?:{FOLDERS})/[\w./-]+|app\.py|\.importlinter)(?::(\w+))?`")


def defined_names(path: Path) -> set[str]:
    """Return every name that the module in ``path`` defines at its top."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_what_a_document_names_exists() -> None:
    wrong = []
    found = 0
    for document in DOCUMENTS:
        for path, name in REFERENCE.findall((ROOT / document).read_text(encoding="utf-8")):
            found += 1
            file = ROOT / path.rstrip("/")
            if not file.exists():
                wrong.append(f"{document}: {path} does not exist")
            elif name and name not in defined_names(file):
                wrong.append(f"{document}: {path} defines no {name}")
    assert not wrong, "\n".join(wrong)
    assert found > 50, "the pattern of a reference no longer fits the documents"
