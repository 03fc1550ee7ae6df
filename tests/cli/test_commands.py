"""Test the commands: exit status, messages, and requirements."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from pro.app_context import AppContext
from pro.cli import COMMANDS, DeferredCommand
from pro.db import transaction
from pro.features.audit import audit_chain
from pro.features.duty_roster import recipients
from pro.features.forms import licensed_wording
from pro.models import AuditEntry, LicensedWording, Shift
from tests.support.factories import Clock, Study

ROOT = Path(__file__).parents[2]


def run(app: Flask, *arguments: str) -> Result:
    """Run ``flask ARGUMENTS`` in process."""
    return app.test_cli_runner().invoke(args=list(arguments))


def filled(text: str) -> str:
    """Return the empty wording table filled in with invented texts."""
    rows = list(csv.reader(io.StringIO(text)))
    answers = {
        ("licence", "expires"): "2099-12-31",
        ("form", "minutes"): "10",
        ("licence", "languages"): "en",
    }
    for row in rows[1:]:
        if not row[2]:
            row[2] = answers.get((row[0], row[1]), f"words {row[0]} {row[1]}")
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def test_help_says_one_sentence_for_every_command(app: Flask) -> None:
    text = run(app, "--help").output
    listed = text.partition("Commands:")[2].strip().splitlines()
    assert len(listed) >= 10
    assert all(line.rstrip().endswith(".") and not line.rstrip().endswith("...") for line in listed), text


def test_the_list_of_commands_says_what_each_command_says() -> None:
    """The list imports no command, so each line stands there a second time."""
    said = {name: DeferredCommand(name, *given).load().get_short_help_str(99) for name, given in COMMANDS.items()}
    assert {name: line for name, (_where, line) in COMMANDS.items()} == said


@pytest.mark.parametrize("arguments", [("--help",), ("score", "--help"), ("screen", "--help"), ("plan", "--help")])
def test_a_command_that_reads_a_file_loads_neither_database_nor_pages(arguments: tuple[str, ...]) -> None:
    """So it starts at once."""
    code = (
        "import sys; from flask.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'flask_wtf', 'holidays', 'pro.pages', 'pro.features.alerts'}))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "Usage: " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_score_and_triage_run_in_broken_production_where_others_name_the_problems() -> None:
    env = {"PATH": os.environ["PATH"], "PRO_MODE": "production", "PRO_DATABASE_URL": "sqlite:////nowhere/pro.sqlite3"}
    line = b'{"id": "a", "answers": {"bleed": 4}, "submitted": false}\n'
    judged = subprocess.run(
        [sys.executable, "-m", "flask", "triage", "npc_reirradiation"],
        cwd=ROOT,
        env=env,
        input=line,
        capture_output=True,
    )
    assert judged.returncode == 0, judged.stderr
    assert b'"emergency"' in judged.stdout
    refused = subprocess.run([sys.executable, "-m", "flask", "db", "upgrade"], cwd=ROOT, env=env, capture_output=True)
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n- PRO_") >= 5


def test_production_does_not_start_and_says_why() -> None:
    env = {"PATH": os.environ["PATH"], "PRO_MODE": "production"}
    command = [sys.executable, "-c", "import app; app.create_app()"]
    started = subprocess.run(command, cwd=ROOT, env=env, capture_output=True)
    assert started.returncode == 3
    for name in (b"PRO_SECRET_KEY", b"PRO_DATA_KEYS", b"PRO_BASE_URL", b"PRO_EMAIL", b"PRO_SMS"):
        assert name in started.stderr


def test_licensed_wording_is_checked_kept_and_listed(app: Flask, app_context: AppContext, tmp_path: Path) -> None:
    empty = run(app, "wording", "template", "qlq_c30", "en")
    assert empty.exit_code == 0
    path = tmp_path / "wording.csv"
    path.write_text(empty.output, encoding="utf-8-sig")
    refused = run(app, "wording", "load", "qlq_c30", "en", str(path))
    assert refused.exit_code == 1
    assert "Q17" in refused.output
    path.write_text(filled(empty.output), encoding="utf-8-sig")
    loaded = run(app, "wording", "load", "qlq_c30", "en", str(path), "--note", "agreement signed")
    assert loaded.exit_code == 0, loaded.output
    assert "licensed until 2099-12-31" in run(app, "wording", "list").output
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        words = licensed_wording.current_words(work, "qlq_c30", "en")
        assert words.items["Q17"].question == "words Q17"
        assert licensed_wording.is_licensed(work, words)
        assert session.query(LicensedWording).one().checksum == words.checksum
        assert session.query(AuditEntry).filter_by(action="licensed_wording.loaded").one().reason == "agreement signed"


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("wording", "template", "sf_36", "en"), 2, "sf_36"),
        (("wording", "template", "qlq_c30", "fr"), 2, "fr"),
        (("score", "npc_checkin"), 2, "qlq_c30"),
        (("triage", "no_such_plan"), 2, "npc_reirradiation"),
        (("staff", "add", "nobody", "N", "nurse", "--password", "short"), 1, "at least 12"),
    ],
)
def test_a_refusal_is_a_sentence(app: Flask, arguments: tuple[str, ...], status: int, word: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code == status
    assert word in result.output


def test_a_database_of_an_unknown_version_is_left_as_it_is_and_a_demonstration_starts_over(
    app: Flask, app_context: AppContext
) -> None:
    with app_context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0013'")
        connection.exec_driver_sql("CREATE TABLE of_another_version (id INTEGER PRIMARY KEY)")
    refused = run(app, "db", "upgrade")
    assert (refused.exit_code, "0013" in refused.output, "flask demo reset" in refused.output) == (2, True, True)
    assert run(app, "demo", "reset").exit_code == 0
    assert run(app, "db", "upgrade").exit_code == 0
    assert run(app, "demo", "links").output.count("/a/") == 2


def test_a_command_on_old_tables_says_what_to_do(app: Flask, app_context: AppContext) -> None:
    from_empty = app_context.engine
    with from_empty.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    result = run(app, "demo", "fill")
    assert result.exit_code == 2
    assert "flask db upgrade" in result.output


def test_a_round_of_the_worker_and_an_audit(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    assert run(app, "worker").exit_code == 0
    verified = run(app, "audit", "verify")
    assert verified.exit_code == 0, verified.output
    with transaction(app_context.engine) as session:
        assert audit_chain.verify_chain(app_context.unit_of_work(session)).unsealed == 0


def test_the_demonstration_fills_once_and_gives_links(app: Flask) -> None:
    assert run(app, "demo", "fill").exit_code == 0
    assert run(app, "demo", "fill").exit_code == 0
    shown = run(app, "demo", "links").output
    assert shown.count("/a/") == 2
    assert "/staff/" in shown
    assert "/staff/try" in shown


def test_a_shift_is_added(app: Flask, app_context: AppContext, seeded: Study) -> None:
    email = seeded.staff["investigator"].email
    put = run(app, "staff", "shift", email, "backup", "2026-03-02T08:00", "2026-03-03T08:00")
    assert put.exit_code == 0, put.output
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        plan = work.catalogue.plans["npc_reirradiation"]
        assert email in [person.email for person in recipients.staff_on_duty(work, plan, "backup")]


@pytest.mark.parametrize(
    ("who", "place", "day", "until", "words"),
    [
        ("investigator@example.org", "backup", "02", "01", "The end time is not after the start time"),
        ("nobody@example.org", "backup", "02", "03", "No active account with this email address."),
        ("monitor@example.org", "backup", "02", "03", "This person’s role may not handle alerts"),
        ("investigator@example.org", "backup", "01", "02", "in the past"),
        ("investigator@example.org", "on_call", "02", "03", "Another person already has this shift."),
    ],
)
def test_a_duty_that_cannot_be_is_refused_in_a_sentence(
    app: Flask, seeded: Study, who: str, place: str, day: str, until: str, words: str
) -> None:
    refused = run(app, "staff", "shift", who, place, f"2026-03-{day}T08:00", f"2026-03-{until}T08:00")
    assert refused.exit_code == 1
    assert words in refused.output
    assert ("Nurse: 2026-03-02 00:00 to" in refused.output) == (place == "on_call")


def test_a_header_that_is_refused_in_a_file_is_a_sentence_too(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "forms.csv"
    path.write_text("Q1,Q2\n1,2\n")
    result = run(app, "score", "qlq_c30", str(path))
    assert result.exit_code == 2
    assert "Q3" in result.output


def test_a_test_alert_started_by_hand_says_where_to_confirm_it(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    done = run(app, "test-alert")
    assert done.exit_code == 0, done.output
    assert "2 messages are queued." in done.output
    assert "/staff/test-alerts/1" in done.output
    refused = run(app, "test-alert", "--plan", "no_such_plan")
    assert refused.exit_code == 1
    assert "Unknown study" in refused.output


def test_a_test_alert_started_by_hand_without_recipients_says_so(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    with transaction(app_context.engine) as session:
        session.query(Shift).one().ends_at = app_context.clock()
    done = run(app, "test-alert")
    assert done.exit_code == 1
    assert "nobody is on call" in done.output
