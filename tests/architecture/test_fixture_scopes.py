"""Check the scopes of fixtures: a process may leave a test file for another one and come back to it."""

from __future__ import annotations

import ast

from tests.support.source_files import ROOT, nodes_of, place, report, text_of

# One of each for a test process, with its database.
SHARED = {"live_site", "study"}


def test_what_is_written_into_the_database_of_a_process_is_written_once() -> None:
    """A fixture of a module runs again when its process comes back to the module, and its rows already exist."""
    faults = [
        f"{place(path, node.lineno)} {node.name}: needs scope='session'"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if 'scope="module"' in text_of(path)
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef) and SHARED & {argument.arg for argument in node.args.args}
        if any("scope='module'" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    assert not faults, report(faults)
