"""Words that name no subject (voice.md, rule 1) become fewer in pro/; docstrings' first lines are reported."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_files import MODULES, nodes_of, place, report, text_of

WORD = re.compile(r"(?<![A-Za-z])(?:nobody|somebody|whoever)(?![A-Za-z])", re.IGNORECASE)
FIRST_LINE = 88
# The most that a package may hold, in names, docstrings and comments. Lower it, never raise it: a package that holds
# fewer is printed as it should stand here (`pytest -rP tests/architecture/test_prose.py`); without a line, none.
AT_MOST = {"features.to_do_list": 1, "messaging": 1}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of the file's name, and of every name, docstring and comment in it."""
    yield 1, path.stem
    for token in tokenize.generate_tokens(io.StringIO(text_of(path)).readline):
        if token.type in (tokenize.NAME, tokenize.COMMENT):
            yield token.start[0], token.string
    yield from docstrings_of(path)


def docstrings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of every docstring."""
    for node in nodes_of(path):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def package_of(module: str) -> str:
    """Return the package or feature that a module is counted to: ``core``, ``features.alerts``."""
    parts = module.split(".")[1:]
    return ".".join(parts[: 2 if parts[:1] == ["features"] else 1])


def test_words_without_a_subject_become_fewer() -> None:
    found: dict[str, list[str]] = {}
    long = 0
    for module, path in MODULES.items():
        if module != "app":
            for line, text in prose_of(path):
                found.setdefault(package_of(module), []).extend(
                    f"{place(path, line)}: {word}" for word in WORD.findall(text)
                )
            long += sum(len(text.splitlines()[0]) > FIRST_LINE for _line, text in docstrings_of(path))
    counts = Counter({package: len(places) for package, places in found.items()})
    print(f"{counts.total()} words without a subject; AT_MOST = {dict(sorted((+counts).items()))}")
    print(f"{long} docstrings with a first line over {FIRST_LINE} characters")
    grown = [package for package in counts if counts[package] > AT_MOST.get(package, 0)]
    faults = [f"{package}: {counts[package]}, at most {AT_MOST.get(package, 0)}; name the subject" for package in grown]
    assert not faults, report(faults + [where for package in grown for where in found[package]])
