"""The sizes of files, functions and folders of pro/. Ruff holds complexity, branches, statements and arguments."""

from __future__ import annotations

import ast
from collections import Counter

from tests.support.source_files import MODULES, PRO, nodes_of, place, report, text_of

FILE_LINES, FUNCTION_LINES, FOLDER_MODULES = 600, 60, 12
# Tables are one schema and migrations one history: neither can be parted into folders.
WIDE_FOLDERS = {PRO / "models", PRO / "migrations" / "versions"}


def test_sizes() -> None:
    faults = []
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    for path in MODULES.values():
        # A migration is a list of tables.
        migration = "migrations" in path.parts
        if (lines := len(text_of(path).splitlines())) > FILE_LINES and not migration:
            faults.append(f"{place(path)}: {lines} lines, at most {FILE_LINES}")
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not migration:
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    faults.append(f"{place(path, node.lineno)}: {node.name}: {lines} lines, at most {FUNCTION_LINES}")
    for folder, modules in folders.items():
        if modules > FOLDER_MODULES and folder not in WIDE_FOLDERS:
            faults.append(f"{place(folder)}: {modules} modules, at most {FOLDER_MODULES}")
    assert not faults, report(faults)
