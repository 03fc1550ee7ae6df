"""Notices: each that code says is there and each that is there is said; numbers, times and names fill them safely."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.web import notices, request_context
from pro.web.notices import NN_, NOTICES, notice_shown

ROOT = Path(__file__).parent.parent.parent
FEATURES = ROOT / "pro" / "features"


def trees() -> list[ast.Module]:
    """The modules of features, words aside."""
    return [ast.parse(path.read_text()) for path in FEATURES.rglob("*.py") if path.name != "labels.py"]


def said_keys() -> set[str]:
    """The keys that stand in a call of ``notify``, also as the two sides of a condition."""
    found = set()
    for tree in trees():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "notify":
                sides = [call.args[0]]
                if isinstance(sides[0], ast.IfExp):
                    sides = [sides[0].body, sides[0].orelse]
                found |= {str(side.value) for side in sides if isinstance(side, ast.Constant)}
    return found


def test_every_notice_that_is_said_is_there(app: Flask) -> None:
    assert said_keys() > {"closed", "call_died", "event_before"}
    assert said_keys() <= set(NOTICES)


def test_no_notice_is_left_over(app: Flask) -> None:
    written = {node.value for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    # The default of page_registry.UnsavedTextRule.
    assert set(NOTICES) <= written | {"not_saved_yet"}


def test_a_key_has_one_notice(app: Flask) -> None:
    with pytest.raises(ValueError, match="closed"):
        notices.add("closed", "Closed.")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"key": "closed"}, "The alert has been closed."),
        ({"key": "texts_read", "count": 1}, "1 text message marked as read."),
        ({"key": "texts_read", "count": 2}, "2 text messages marked as read."),
        (
            {"key": "somebody_first", "name": "<b>", "at": "2026-03-02T06:01:00+00:00"},
            "&lt;b&gt; already acknowledged this at 14:01. Nothing was changed.",
        ),
        (
            {"key": "withdrawn_first", "name": "", "at": "2026-03-02T06:01:00+00:00"},
            "The system already recorded the withdrawal at 14:01. Your entry was not saved; your text is below.",
        ),
        (
            {"key": "call_died", "participant_id": 7},
            "Call saved. The date of death has not been recorded yet; questionnaires and messages "
            'continue until it is. <a href="/staff/participants/7/dates">Record it now</a>',
        ),
        ({"key": "of_another_version"}, ""),
    ],
)
def test_a_notice_is_filled_in(app: Flask, app_context: AppContext, said: dict[str, Any], shown: str) -> None:
    with app.test_request_context("/staff/?lang=en"):
        app.preprocess_request()
        request_context.set_zone("Asia/Shanghai")
        assert notice_shown(said, app_context.clock().replace(year=2026, month=3, day=2, hour=8)) == shown


def test_what_went_well_is_told_apart(app: Flask) -> None:
    assert notices.is_good({"key": "closed"})
    assert not notices.is_good({"key": "closed_first"})
    assert not notices.is_good({"key": "of_another_version"})
    assert NN_("one", "many") == ("one", "many")
