"""Test ``flask simulate``: its output and exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from pro.app_context import AppContext
from tests.support import form_browser
from tests.support.factories import PLAN, Study

FILE = Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml"
FAINT = 'advice: general, when: "faint == 2"'


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return a plan file in which hardly any fainting is an emergency."""
    path = tmp_path / "mine.yaml"
    text = FILE.read_text(encoding="utf-8")
    path.write_text(text.replace(FAINT, FAINT.replace("2", "2 and chest == 3")), encoding="utf-8")
    return path


def test_what_would_be_lost_is_a_warning_and_status_3(
    app: Flask, app_context: AppContext, seeded: Study, changed: Path
) -> None:
    form_browser.press_start(app_context, seeded.chinese.checkin).finish(faint=2)
    done = app.test_cli_runner().invoke(args=["simulate", str(changed)])
    assert done.exit_code == 3
    assert "WARNING: 1 emergencies would be lost." in done.output
    assert "NPC-001 | 2026-03-02 | emergency | " in done.output
    found = json.loads(app.test_cli_runner().invoke(args=["simulate", str(changed), "--json"]).output)
    assert (found["forms"], found["lost_emergencies"]) == (1, 1)
    late = app.test_cli_runner().invoke(args=["simulate", str(changed), "--since", "2026-03-03"])
    assert (late.exit_code, "0 forms evaluated" in late.output) == (0, True)


def test_invented_answers_and_the_rules_in_use(app: Flask, seeded: Study) -> None:
    done = app.test_cli_runner().invoke(args=["simulate", str(FILE), "--generated", "50"])
    assert done.exit_code == 0
    assert "50 forms evaluated, 0 differently." in done.output


def test_no_plan_and_no_such_study(app: Flask, seeded: Study, tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    path.write_text("a: 1", encoding="utf-8")
    assert app.test_cli_runner().invoke(args=["simulate", str(path)]).exit_code == 1
    assert app.test_cli_runner().invoke(args=["simulate", str(path), "--plan", "other"]).exit_code == 2
