"""The worker's jobs: PostgreSQL with 1,000,000 participants (1,000 due), SQLite with 100."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from app import make_app_context
from bench.figures import Measurement, report
from pro import db
from pro.config import Config
from pro.features.operations import worker_steps
from tests.support import postgres_server

ROOT = Path(__file__).parent.parent
MANY, DUE, FEW, FEW_DUE = 1_000_000, 1_000, 100, 10
# 9:30 in Shanghai on a working day, outside quiet hours.
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
# Future visits of each participant, with a check-in and a QLQ-C30 each.
VISITS = 2
SHARES = {"opens": 0.4, "reminded": 0.3, "closes": 0.3}

PARTICIPANTS = """
INSERT INTO participant (id, plan, participant_number, language, time_zone, phone_sealed, enrolled_at, next_due_at)
SELECT n, 'npc_reirradiation', 'B' || n, 'zh_Hans', 'Asia/Shanghai', :phone, :long_ago, :later
FROM {numbers}
"""
LINES = """
INSERT INTO expected_form (participant_id, visit, kind, number, instrument, opens_at, due_at, closes_at, mandatory,
                      basis, rank, known_at, steps, nearest, partial, out_of_window, missing_reason, missing_note)
SELECT n, 'follow_up.{turn}', 'follow_up', {turn}, :instrument, :opens, :due, :closes, true, 'projected',
       9, :long_ago, 0, false, false, false, '', ''
FROM {numbers}
"""
FORMS = """
INSERT INTO assessment (id, ref, participant_id, instrument, instrument_version, wordings, visit, issued_at, opens_at,
                        due_at, closes_at, context, unresolved, standing)
SELECT n, 'bench' || n, n, 'npc_checkin', '1', '{{}}', 'follow_up.1', :opens, :opens, :due, :closes, '{{}}', '[]', '[]'
FROM {numbers}
"""
# Changes the first visit of a participant, so that it opens, had a reminder, or has closed.
UPDATE_WINDOWS = (
    "UPDATE expected_form SET opens_at = :opens, due_at = :due, closes_at = :closes, assessment_id = {form}, "
    "steps = :steps"
)
FOLLOW_UP_FILTER = " WHERE visit = 'follow_up.1' AND participant_id BETWEEN :first AND :last"


def number_table(engine: Engine, many: int, first: int = 1) -> str:
    """Return SQL for a table with one column ``n`` from ``first`` to ``many``."""
    if engine.dialect.name == "postgresql":
        return f"generate_series({first}, {many}) AS n"
    return f"(WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c WHERE n < {many}) SELECT n FROM c)"


def time_from_now(**delta: float) -> str:
    """Return ``NOW`` plus ``delta`` as a text that both engines accept."""
    return (NOW + timedelta(**delta)).strftime("%Y-%m-%d %H:%M:%S.%f")


def fill(config: Config, many: int, due: int) -> None:
    """Store ``many`` participants in follow-up; ``due`` of them have a due form, by SHARES."""
    app_context = make_app_context(config)
    db.upgrade(app_context.engine)
    phone = app_context.vault.seal("+8613800138000")
    all_numbers = number_table(app_context.engine, many)
    with app_context.engine.begin() as connection:
        always = {"long_ago": time_from_now(days=-300)}
        connection.execute(
            text(PARTICIPANTS.format(numbers=all_numbers)), always | {"phone": phone, "later": time_from_now(days=30)}
        )
        for turn in range(1, VISITS + 1):
            for instrument in ("npc_checkin", "qlq_c30"):
                day = 30 + 91 * (turn - 1)
                window = {
                    "opens": time_from_now(days=day),
                    "due": time_from_now(days=day + 14),
                    "closes": time_from_now(days=day + 28),
                }
                row = always | window | {"instrument": instrument}
                connection.execute(text(LINES.format(numbers=all_numbers, turn=turn)), row)
        first = 1
        for state, share in SHARES.items():
            last = first + round(due * share) - 1
            if last < first:
                continue
            make_due(connection, app_context.engine, state, first, last)
            first = last + 1
    if app_context.engine.dialect.name == "postgresql":
        with app_context.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    app_context.engine.dispose()


def make_due(connection: Connection, engine: Engine, state: str, first: int, last: int) -> None:
    """Give participants ``first`` to ``last`` a check-in that is due by ``state``.

    "opens": opens now. "reminded": opened yesterday, a reminder is due. "closes": has closed without answers.
    """
    windows = {
        "opens": {"opens": time_from_now(minutes=-1), "due": time_from_now(days=14), "closes": time_from_now(days=28)},
        "reminded": {
            "opens": time_from_now(hours=-24, minutes=-1),
            "due": time_from_now(days=13),
            "closes": time_from_now(days=27),
        },
        "closes": {
            "opens": time_from_now(days=-28),
            "due": time_from_now(days=-14),
            "closes": time_from_now(minutes=-1),
        },
    }
    steps = {"opens": 0, "reminded": 1, "closes": 3}
    people = {"first": first, "last": last}
    if state != "opens":
        connection.execute(text(FORMS.format(numbers=number_table(engine, last, first))), windows[state])
    form = "NULL" if state == "opens" else "participant_id"
    narrow = FOLLOW_UP_FILTER + " AND instrument = 'npc_checkin'"
    connection.execute(
        text(UPDATE_WINDOWS.format(form=form) + narrow), people | windows[state] | {"steps": steps[state]}
    )
    connection.execute(
        text("UPDATE participant SET next_due_at = :now WHERE id BETWEEN :first AND :last"),
        people | {"now": time_from_now()},
    )


def run_child_worker() -> None:
    """Run all jobs four times in this process and print seconds and megabytes as JSON.

    The first run is before forms are due. Measured are the second, with due forms, and the last, with nothing to do.
    """
    clock = [NOW - timedelta(minutes=10)]
    app_context = make_app_context(Config.from_env(), lambda: clock[0])
    times = []
    for moment in (clock[0], NOW, NOW, NOW):
        clock[0] = moment
        start = time.perf_counter()
        worker_steps.run_jobs(app_context, {}, "bench")
        times.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"round": times[1], "idle": times[3], "memory": memory}))


def time_child_worker(config: Config) -> dict[str, float]:
    """Run ``run_child_worker`` in a new process on the database of ``config``."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PRO_")}
    env |= {"PRO_DATABASE_URL": config.database_url, "PRO_VAR_DIR": str(config.var_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "bench.rounds", "child"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def check_round(config: Config, due: int) -> None:
    """Raise RuntimeError unless all form messages, reminders and missed forms are stored."""
    engine = db.make_engine(config.database_url)
    with engine.connect() as connection:
        messages = connection.execute(text("SELECT count(*) FROM message")).scalar()
        missed = connection.execute(text("SELECT count(*) FROM expected_form WHERE missed_at IS NOT NULL")).scalar()
    engine.dispose()
    wanted = round(due * SHARES["opens"]) + round(due * SHARES["reminded"]), round(due * SHARES["closes"])
    if (messages, missed) != wanted:
        raise RuntimeError(f"{wanted} messages and missed forms were due, {messages, missed} were found")


def measure() -> list[Measurement]:
    """Measure the jobs when 1,000 participants are due and when none is, in a warm process."""
    found = []
    with tempfile.TemporaryDirectory() as name, postgres_server.server(durable=True) as server:
        config = Config(database_url=server.new(), var_dir=Path(name))
        fill(config, MANY, DUE)
        took = time_child_worker(config)
        check_round(config, DUE)
        found += [
            Measurement(f"PostgreSQL: a round, {MANY:,} in follow-up, {DUE:,} due", took["round"], "s", 2),
            Measurement("PostgreSQL: the same with nothing due", 1000 * took["idle"], "ms"),
            Measurement("PostgreSQL: largest memory of that worker", took["memory"], "MB", 300),
        ]
    with tempfile.TemporaryDirectory() as name:
        config = Config(database_url=f"sqlite:///{name}/pro.sqlite3", var_dir=Path(name))
        fill(config, FEW, 0)
        took = time_child_worker(config)
        found.append(Measurement(f"SQLite: a round, {FEW} in follow-up, nothing due", 1000 * took["idle"], "ms", 50))
    with tempfile.TemporaryDirectory() as name:
        config = Config(database_url=f"sqlite:///{name}/pro.sqlite3", var_dir=Path(name))
        fill(config, FEW, FEW_DUE)
        took = time_child_worker(config)
        check_round(config, FEW_DUE)
        found.append(Measurement(f"SQLite: a round, {FEW} in follow-up, {FEW_DUE} due", 1000 * took["round"], "ms", 50))
    return found


def main() -> None:
    """Run the benchmark; with the argument ``child``, run the jobs in this process."""
    if sys.argv[1:] == ["child"]:
        run_child_worker()
    else:
        report(measure())


if __name__ == "__main__":
    main()
