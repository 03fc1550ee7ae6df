"""Refusals: each feature adds its own, and a key has one sentence in all of them."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask

from pro.web import labels, refusals

ROOT = Path(__file__).parent.parent.parent


def added_keys() -> list[str]:
    """The keys of every ``refusals.add({...})`` and of the shared table, as they stand in the code."""
    found: list[str] = []
    for path in [*(ROOT / "pro" / "features").glob("*/pages/labels.py"), ROOT / "pro" / "web" / "refusals.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            table: ast.expr | None = None
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "refusals.add":
                table = node.args[0]
            elif isinstance(node, ast.AnnAssign) and path.name == "refusals.py":
                table = node.value
            if isinstance(table, ast.Dict):
                found += [str(key.value) for key in table.keys if isinstance(key, ast.Constant)]
    return found


def test_a_key_stands_in_one_feature(app: Flask) -> None:
    assert [key for key, number in Counter(added_keys()).items() if number > 1] == []
    assert set(added_keys()) == set(refusals.REFUSALS)
    assert labels.TABLES["refusal"] is refusals.REFUSALS


def test_a_second_sentence_for_a_key_is_refused(app: Flask) -> None:
    before = dict(refusals.REFUSALS)
    with pytest.raises(ValueError, match="unknown"):
        refusals.add({"unknown": "Not known.", "quite_new": "New."})
    assert before == refusals.REFUSALS
