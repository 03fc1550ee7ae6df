"""Test ``flask plan``: the document to be signed, without database and settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

ROOT = Path(__file__).parents[2]
PLAN = "npc_reirradiation"
EXAMPLE = """
time_zone: Asia/Shanghai
anchors:
  consent: 2025-12-29
  induction_day1: 2026-01-05
  pd1_dose: [2026-01-05, 2026-01-26]
  rt_fraction: {1: 2026-02-02}
answered:
  - {instrument: qlq_c30, at: 2026-03-17 10:00}
"""


def run(app: Flask, *arguments: str | Path) -> Result:
    """Run ``flask plan ARGUMENTS`` in process."""
    return app.test_cli_runner().invoke(args=["plan", *map(str, arguments)])


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Write a filled-in anchors file."""
    path = tmp_path / "anchors.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def changed(path: Path, old: str, new: str) -> Path:
    """Return ``path`` with ``old`` replaced."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_it_needs_no_settings_and_no_database(example: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PRO_MODE": "production", "PRO_DATABASE_URL": "sqlite:////nowhere/pro.sqlite3"}
    for arguments in (["check"], ["anchors", PLAN], ["preview", PLAN, "--anchors", str(example), "--json"]):
        command = [sys.executable, "-m", "flask", "plan", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_check_counts_what_is_there(app: Flask) -> None:
    result = run(app, "check")
    assert result.exit_code == 0, result.output
    assert "npc_reirradiation 1.0.0-draft: 89 rules, 23 visits, 15 anchors." in result.output


def test_check_names_file_visit_and_reason(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "npc_reirradiation.yaml"
    shutil.copy(ROOT / "pro/data/plans/npc_reirradiation.yaml", path)
    changed(path, "qlq_c30: {opens: -14, closes: 0}", "qlq_c30: {opens: 1, closes: 0}")
    result = run(app, "check", "--plans", tmp_path)
    assert result.exit_code == 1
    assert str(path) in result.output
    assert "visit baseline" in result.output
    assert "before it opens" in result.output


def test_check_reads_the_site_s_days(app: Flask, tmp_path: Path) -> None:
    days = tmp_path / "days.yaml"
    days.write_text("off: [2027-13-01]", encoding="utf-8")
    result = run(app, "check", "--days", days)
    assert result.exit_code == 1
    assert "2027-13-01" in result.output


def test_an_empty_anchors_file_can_be_filled_in(app: Flask, tmp_path: Path) -> None:
    empty = run(app, "anchors", PLAN)
    assert empty.exit_code == 0
    path = tmp_path / "empty.yaml"
    path.write_text(empty.output, encoding="utf-8")
    nothing = run(app, "preview", PLAN, "--anchors", path)
    assert nothing.exit_code == 0, nothing.output
    assert "0 assessments, 0 messages" in nothing.output
    changed(path, "  consent:", "  consent: 2026-01-05")
    changed(path, "rt_fraction: {}", "rt_fraction: {1: 2026-02-02 planned}")
    filled = run(app, "preview", PLAN, "--anchors", path)
    assert "Baseline" not in filled.output
    assert "Before treatment (baseline)" in filled.output
    assert "Radiotherapy, fraction 5 (rt_week.5)  [projected]" in filled.output


def test_names_are_in_the_language_asked_for(app: Flask, example: Path) -> None:
    assert "放疗分次" in run(app, "anchors", PLAN, "--language", "zh_Hans").output
    assert "放疗第5次" in run(app, "preview", PLAN, "--anchors", example, "--language", "zh_Hans").output


def lines(app: Flask, *arguments: str | Path) -> dict[tuple[str, str], dict]:
    """Return the JSON lines of a preview by visit and instrument."""
    result = run(app, "preview", PLAN, "--json", *arguments)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.output.splitlines()]
    named = {(line["visit"], line["instrument"]): line for line in found}
    assert len(named) == len(found)
    return named


def test_json_has_one_object_a_line_with_local_times(app: Flask, example: Path) -> None:
    found = lines(app, "--anchors", example)
    # Fraction 11 is given on Saturday 14 February, a make-up day; then Spring Festival until the 23rd.
    line = found["rt_week.15", "qlq_c30"]
    assert {key: line[key] for key in ("opens", "due", "closes", "mandatory", "basis")} == {
        "opens": "2026-02-24T08:00+08:00",
        "due": "2026-02-27T20:00+08:00",
        "closes": "2026-03-02T23:59+08:00",
        "mandatory": True,
        "basis": "projected",
    }
    assert line["messages"][0] == {
        "step": 0,
        "not_before": "2026-02-24T08:00+08:00",
        "not_after": "2026-02-24T20:00+08:00",
    }
    assert "status" not in line


def test_an_answered_form_serves_and_is_not_asked_again(app: Flask, example: Path) -> None:
    found = lines(app, "--anchors", example)
    for visit in ("rt_week.28", "rt_end"):
        line = found[visit, "qlq_c30"]
        assert (line["served_by"], line["out_of_window"], line["status"]) == ("1", False, "received")
        assert line["messages"] == []


def test_at_moves_the_clock(app: Flask, example: Path) -> None:
    found = lines(app, "--anchors", example, "--at", "2026-02-06 10:00")
    assert found["baseline", "qlq_c30"]["status"] == "missed"
    assert found["baseline", "qlq_c30"]["messages"] == []
    assert found["rt_week.5", "npc_checkin"]["status"] == "due"
    assert [message["step"] for message in found["rt_week.5", "npc_checkin"]["messages"]] == [2]
    # The form of 17 March is not answered yet.
    assert found["rt_week.28", "qlq_c30"]["status"] == "not_open"


def test_a_site_s_days_move_the_fractions(app: Flask, example: Path, tmp_path: Path) -> None:
    days = tmp_path / "days.yaml"
    days.write_text("off: [2026-02-04]", encoding="utf-8")
    found = lines(app, "--anchors", example, "--days", days)
    assert found["rt_week.5", "npc_checkin"]["due"].startswith("2026-02-09")


def test_an_example_may_lie_ahead_but_it_is_said(app: Flask, example: Path) -> None:
    changed(example, "consent: 2025-12-29", "consent: 2099-12-29")
    for line in ("  induction_day1: 2026-01-05\n", "  pd1_dose: [2026-01-05, 2026-01-26]\n"):
        changed(example, line, "")
    changed(example, "rt_fraction: {1: 2026-02-02}", "rt_fraction: {1: 2100-02-01}")
    result = run(app, "preview", PLAN, "--anchors", example)
    assert result.exit_code == 0, result.output
    assert "Not yet taken place, used as an example: consent, rt_fraction 1." in result.output


@pytest.mark.parametrize(
    ("old", "new", "at", "part"),
    [
        ("{1: 2026-02-02}", "{29: 2026-02-02}", "", "rt_fraction 29: there are only numbers 1 to 28."),
        ("[2026-01-05, 2026-01-26]", "[2025-12-01]", "", "pd1_dose 1: 2025-12-01 is before consent (2025-12-29)."),
        ("{1: 2026-02-02}", "{1: 2026-02-02}\n  rt_end: 2026-02-01", "", "rt_end: 2026-02-01 is before rt_fraction 1"),
        ("{1: 2026-02-02}", "{1: 2026-02-02}\n  ulcer_cleared: 2026-02-05", "", "there is no ulcer_suspected by"),
        ("{1: 2026-02-02}", "{1: 2026-02-02, 2: 2026-02-01}", "", "higher numbers need later dates"),
        ("consent: 2025-12-29", "consent: 2025-12-29 planned", "", "consent: it cannot be planned"),
        (
            "{1: 2026-02-02}",
            "{1: 2026-02-02}\n  death: 2026-03-05",
            "2026-03-01",
            "death: 2026-03-05 lies in the future",
        ),
        ("{1: 2026-02-02}", "{1: 2026-02-02}\n  death: 2026-01-05", "", "rt_fraction 1: 2026-02-02 is after death"),
        ("consent: 2025-12-29", "consent: 29.12.2025", "", "“29.12.2025” is not a date"),
        ("consent: 2025-12-29", "consent: 2025-02-29", "", "“2025-02-29” is not a date"),
        ("consent: 2025-12-29", "consent: 0205-12-29", "", "“0205-12-29”: the year must be from 2000 to 2199"),
        ("consent: 2025-12-29", "consent: 205-12-29", "", "the year needs four digits"),
        ("consent: 2025-12-29", "consent: 20255-12-29", "", "the year needs four digits"),
        ("consent: 2025-12-29", "consent: 9999-12-29", "", "the year must be from 2000 to 2199"),
        ("consent: 2025-12-29", "consent: 46020", "", "is how a spreadsheet stores 2025-12-29"),
        ("consent: 2025-12-29", "consent: 46020.5 planned", "", "is how a spreadsheet stores 2025-12-29"),
        ("consent: 2025-12-29", "consent: ２０２５-12-29", "", "is not a date"),
        ("at: 2026-03-17 10:00", "at: 0205-03-17 10:00", "", "“0205-03-17 10:00” is not a time"),
        ("at: 2026-03-17 10:00", "at: 9999-12-31 23:59", "", "is not a time"),
        ("at: 2026-03-17 10:00", "at: 0001-01-01", "", "is not a time"),
        ("consent: 2025-12-29", "surgery: 2025-12-29", "", "There is no such anchor"),
        ("Asia/Shanghai", "Asia/Nanchang", "", "“Asia/Nanchang” is not a time zone"),
        ("instrument: qlq_c30", "instrument: sf_36", "", "“sf_36” is not an instrument"),
        ("at: 2026-03-17 10:00", "at: yesterday", "", "“yesterday” is not a time"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    app: Flask, example: Path, old: str, new: str, at: str, part: str
) -> None:
    changed(example, old, new)
    result = run(app, "preview", PLAN, "--anchors", example, *(["--at", at] if at else []))
    assert result.exit_code == 1
    assert part in result.output


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["anchors", "no_such_plan"], "npc_reirradiation"),
        (["anchors", PLAN, "--language", "fr"], "“fr”"),
    ],
)
def test_a_wrong_name_is_refused_with_what_there_is(app: Flask, arguments: list[str], part: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code == 2
    assert part in result.output


def test_a_time_that_is_none_is_refused(app: Flask, example: Path) -> None:
    for text in ("soon", "0001-01-01", "9999-12-31 23:59"):
        result = run(app, "preview", PLAN, "--anchors", example, "--at", text)
        assert result.exit_code == 2
        assert f"“{text}” is not a time" in result.output
