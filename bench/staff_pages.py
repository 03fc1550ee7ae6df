"""Staff pages: PostgreSQL with 100,000 participants, SQLite with 23 participants.

The large study has 2,000,000 forms and 200,000 alerts. Pages are requested from the application without a server, so
that only the application is timed.
"""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, event, text

from app import create_app
from bench.figures import Measurement, percentile, report
from bench.rounds import number_table
from pro import db
from pro.app_context import AppContext
from pro.config import Config
from pro.db import transaction
from pro.features.reports import study_overview
from tests.support import factories, postgres_server
from tests.support.staff_browser import StaffBrowser, signed_in_browser

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
TIMES = 50
# Visits of a participant, with a check-in and a QLQ-C30 each.
VISITS = 10


@dataclass(frozen=True, slots=True)
class Size:
    """Size of a study.

    ``open``: number of open alerts, call tasks and failed messages, each. ``awaited``: participants with an open form
    and with missed forms that have no reason.
    """

    people: int
    alerts: int
    open: int
    awaited: int


LARGE, SMALL = Size(100_000, 200_000, 100, 5_000), Size(23, 46, 6, 6)

# Number of a form = 20 * (participant - 1) + 2 * (visit - 1) + (0 check-in, 1 QLQ-C30) + 1.
PEOPLE = """
INSERT INTO participant (id, plan, participant_number, language, time_zone, phone_sealed, enrolled_at)
SELECT n + 1000, 'npc_reirradiation', 'B' || n, 'zh_Hans', 'Asia/Shanghai', :phone, :long_ago FROM {people}
"""
FORMS = """
INSERT INTO assessment (id, ref, participant_id, instrument, instrument_version, wordings, visit, issued_at, opens_at,
                        due_at, closes_at, opened_at, first_answer_at, last_answer_at, submitted_at, context,
                        unresolved, standing, language, completion_mode, answered_by)
SELECT n + 100000, 'bench' || n, (n - 1) / 20 + 1001, CASE WHEN n % 2 = 1 THEN 'npc_checkin' ELSE 'qlq_c30' END, '1',
       CASE WHEN n % 2 = 1 THEN :checkin ELSE :qlq END, 'follow_up.' || ((n - 1) % 20 / 2 + 1), :long_ago, :long_ago,
       :past,
       CASE WHEN n <= 20 * :awaited AND n % 20 = 1 THEN :later ELSE :past END, :past,
       CASE WHEN n <= 20 * :awaited AND n % 20 = 1 THEN NULL ELSE :past END,
       CASE WHEN n <= 20 * :awaited AND n % 20 = 1 THEN NULL ELSE :past END,
       CASE WHEN (n <= 20 * :awaited AND n % 20 = 1) OR n % 17 = 0 THEN NULL ELSE :past END, '{{}}', '[]', '[]',
       'zh_Hans', 'web', 'self'
FROM {forms}
"""
LINES = """
INSERT INTO expected_form (participant_id, visit, kind, number, instrument, opens_at, due_at, closes_at, mandatory,
                      basis, rank, known_at, steps, assessment_id, received_at, nearest, partial, out_of_window,
                      missed_at, missing_reason, missing_note)
SELECT (n - 1) / 20 + 1001, 'follow_up.' || ((n - 1) % 20 / 2 + 1), 'follow_up', (n - 1) % 20 / 2 + 1,
       CASE WHEN n % 2 = 1 THEN 'npc_checkin' ELSE 'qlq_c30' END, :long_ago, :past, :past, true, 'recorded', 9,
       :long_ago, 3, n + 100000, CASE WHEN n % 17 = 0 THEN NULL ELSE :past END, n % 17 <> 0, false, n % 13 = 0,
       CASE WHEN n % 17 = 0 THEN :past END, CASE WHEN n % 17 = 0 AND n > 20 * :awaited THEN 'forgot' ELSE '' END, ''
FROM {forms}
"""
SCORES = """
INSERT INTO score (assessment_id, scale, value, raw, used, of, algorithm, at)
SELECT 2 * n + 100000, s.scale, CASE WHEN n % 29 = 0 THEN NULL ELSE (n * 7 + s.place * 13) % 13 * 100.0 / 12 END, NULL,
       1, 1, 'eortc-linear-1', :past
FROM {qlqs}, (VALUES {scales}) AS s (place, scale) WHERE (2 * n) % 17 <> 0
"""
ANSWERS = """
INSERT INTO answer (assessment_id, item, state, value, source, language, channel, answered_by, at)
SELECT n + 100000, i.item, 'given', '1', 'asked', 'zh_Hans', 'web', 'self', :past
FROM {answered}, (VALUES {items}) AS i (item) WHERE n % 17 <> 0
"""
ALERTS = """
INSERT INTO alert (participant_id, assessment_id, source, rule, occurrence, level, lowered, suspects, basis,
                   plan_version, inputs, unresolved, advice, raised_at, acknowledged_at, acknowledged_by, closed_at,
                   disposition)
SELECT (n * 10 - 1) / 20 + 1001, n * 10 + 100000, 'assessment:' || (n * 10 + 100000), 'U' || (10 + n % 9), 1, 1 + n % 3,
       false, '', 'E', '1', '{{}}', '[]', '', {raised}, CASE WHEN n > :open / 2 THEN :past END,
       CASE WHEN n > :open / 2 THEN 1 END, CASE WHEN n > :open THEN :past END, ''
FROM {alerts}
"""
TASKS = """
INSERT INTO call_task (dedupe_key, participant_id, kind, made_at, due_at, outcome)
SELECT 'bench:' || n, n + 1000, 'call_missed', :past, :past, '' FROM {tasks}
"""
FAILED = """
INSERT INTO message (dedupe_key, channel, template, params_sealed, address_sealed, subject, body_sealed, language,
                     participant_id, queued_at, next_try_at, tries, failed_at, failure, repeat, case_key)
SELECT 'bench:' || n, 'sms', 'reminder', '', '', '', '', 'zh_Hans', n + 1000, :past, :past, 3, :past, 'refused',
       'never', ''
FROM {tasks}
"""
# Messages sent long ago, which the to-do list must not read.
SENT = """
INSERT INTO message (dedupe_key, channel, template, params_sealed, address_sealed, subject, body_sealed, language,
                     participant_id, queued_at, next_try_at, tries, sent_at, failure, repeat, case_key)
SELECT 'sent:' || n, 'sms', 'reminder', '', '', '', '', 'zh_Hans', (n - 1) / 20 + 1001, :past, :past, 1, :past, '',
       CASE WHEN n % 10 = 0 THEN 'prefer_duplicate' ELSE 'prefer_silence' END, ''
FROM {sent}
"""


def time_from_now(**delta: float) -> str:
    """Return ``NOW`` plus ``delta`` as a text that both engines accept."""
    return (NOW + timedelta(**delta)).strftime("%Y-%m-%d %H:%M:%S.%f")


def fill(app_context: AppContext, size: Size) -> None:
    """Store a study of ``size`` in follow-up, with staff on duty."""
    engine, large = app_context.engine, size.people > 1000
    with transaction(engine) as session:
        work = app_context.unit_of_work(session)
        for role in ("coordinator", "nurse", "investigator"):
            person = factories.account(work, role)
            factories.duty(work, person, "on_call" if role == "nurse" else "backup") if role != "investigator" else None
    instruments = app_context.catalogue.instruments
    qlq = instruments["qlq_c30"]
    assert qlq.summary is not None
    scales = ", ".join(f"({place}, '{scale}')" for place, scale in enumerate((*qlq.scales, qlq.summary.id)))
    items = [item.id for item in instruments["npc_checkin"].items.values() if item.kind == "choice"][:30]
    forms = 2 * VISITS * size.people
    raised = (
        "CAST(:past AS timestamptz) - (n % 300) * interval '1 day'"
        if _is_pg(engine)
        else "datetime(:past, '-' || (n % 300) || ' days')"
    )
    spaces = {
        "people": number_table(engine, size.people),
        "forms": number_table(engine, forms),
        "qlqs": number_table(engine, forms // 2),
        # Answers of the first participants only, because a page reads the answers of one.
        "answered": number_table(engine, min(forms, 20_000)),
        "alerts": number_table(engine, size.alerts),
        "tasks": number_table(engine, size.open),
        "sent": number_table(engine, forms),
        "scales": scales,
        "items": ", ".join(f"('{item}')" for item in items),
        "raised": raised,
    }
    values: dict[str, object] = {
        "phone": app_context.vault.seal("+8613800138000"),
        "open": size.open,
        "awaited": size.awaited,
    }
    words = app_context.catalogue.words
    for name, instrument in (("checkin", "npc_checkin"), ("qlq", "qlq_c30")):
        values[name] = json.dumps({one: words[instrument, one].checksum for one in app_context.catalogue.languages})
    values |= {"long_ago": time_from_now(days=-400), "past": time_from_now(days=-2), "later": time_from_now(days=5)}
    with engine.begin() as connection:
        for statement in (PEOPLE, FORMS, LINES, SCORES, ANSWERS, ALERTS, TASKS, FAILED, SENT):
            sql = statement.format(**spaces)
            if not _is_pg(engine):
                sql = sql.replace("AS s (place, scale)", "AS s").replace("s.scale", "s.column2")
                sql = sql.replace("s.place", "s.column1").replace("AS i (item)", "AS i").replace("i.item", "i.column1")
            wanted = {name: value for name, value in values.items() if f":{name}" in sql}
            connection.execute(text(_typed(sql) if _is_pg(engine) else sql), wanted)
    if large and _is_pg(engine):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _is_pg(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def _typed(sql: str) -> str:
    """Add the types of parameters, which PostgreSQL requires."""
    for name in ("long_ago", "past", "later"):
        sql = sql.replace(f":{name}", f"CAST(:{name} AS timestamptz)").replace(
            f"CAST(CAST(:{name} AS timestamptz) AS timestamptz)", f"CAST(:{name} AS timestamptz)"
        )
    sql = sql.replace(":checkin", "CAST(:checkin AS jsonb)").replace(":qlq", "CAST(:qlq AS jsonb)")
    return sql.replace(":open", "CAST(:open AS integer)").replace(":awaited", "CAST(:awaited AS integer)")


@contextmanager
def queries(engine: Engine) -> Iterator[list[str]]:
    """Yield a list that collects the SQL statements of the block."""
    ran: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        ran.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield ran
    event.remove(engine, "before_cursor_execute", note)


def time_page(desk: StaffBrowser, path: str) -> tuple[float, int]:
    """Return the 95th percentile of a page in milliseconds, and its number of SQL statements."""
    desk.open(path)
    took = []
    for _ in range(TIMES):
        start = time.perf_counter()
        answer = desk.client.get(path)
        took.append(1000 * (time.perf_counter() - start))
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
    with queries(desk.app.extensions["app_context"].engine) as ran:
        desk.client.get(path)
    return percentile(took, 0.95), len(ran)


def measure_pages(name: str, size: Size, app: Flask, bound: float) -> list[Measurement]:
    """Measure to-do list, participant page and study overview of a study of ``size``."""
    app_context: AppContext = app.extensions["app_context"]
    fill(app_context, size)
    start = time.perf_counter()
    study_overview.renew_due(app_context)
    counting = time.perf_counter() - start
    account = factories.Account(1, "coordinator@example.org", factories.PASSWORD, "Coordinator", "coordinator", "en")
    desk = signed_in_browser(app, account)
    # As in deploy/gunicorn.conf.py.
    gc.collect()
    gc.freeze()
    found = []
    places = {"board": "/staff/", "a participant": "/staff/participants/1001", "whole study": "/staff/study-overview"}
    for place, path in places.items():
        took, statements = time_page(desk, path)
        found.append(Measurement(f"{name}: {place}, 95th percentile of {TIMES}", took, "ms", bound))
        found.append(Measurement(f"{name}: {place}, statements", statements, ""))
    found.append(Measurement(f"{name}: counting the figures of the study, by the worker", counting, "s"))
    return found


def measure() -> list[Measurement]:
    """Measure the large study on PostgreSQL and the small one on SQLite."""
    found = []
    with tempfile.TemporaryDirectory() as folder, postgres_server.server() as server:
        config = replace(Config(), database_url=server.new(), var_dir=Path(folder))
        app = create_app(config, lambda: NOW)
        found += measure_pages(f"PostgreSQL, {LARGE.people:,} participants", LARGE, app, 300)
        app.extensions["app_context"].engine.dispose()
    with tempfile.TemporaryDirectory() as folder:
        config = replace(Config(), database_url=f"sqlite:///{folder}/pro.sqlite3", var_dir=Path(folder))
        app = create_app(config, lambda: NOW)
        db.upgrade(app.extensions["app_context"].engine)
        found += measure_pages(f"SQLite, {SMALL.people} participants", SMALL, app, 60)
        app.extensions["app_context"].engine.dispose()
    return found


if __name__ == "__main__":
    report(measure())
