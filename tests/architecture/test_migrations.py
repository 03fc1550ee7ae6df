"""Migrations go up and down on both engines and end at the models; what must stay cannot be changed or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from pro import db
from pro.models import (
    AlertClosure,
    Answer,
    Assessment,
    AuditEntry,
    Grading,
    Handover,
    Participant,
    Score,
    Seal,
    Signature,
    SignedDecision,
    StaffMember,
)

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SCRIPTS = ScriptDirectory(str(db.MIGRATIONS))
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database without tables, of each kind in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        url = request.getfixturevalue("postgresql").empty()
    engine = db.make_engine(url)
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        request.getfixturevalue("postgresql").drop(url)


def differences(engine: Engine) -> list[Any]:
    """What alembic would still have to change to come from the tables to the models."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        return list(compare_metadata(context, db.Base.metadata))


def test_there_is_one_head() -> None:
    assert len(SCRIPTS.get_heads()) == 1
    assert len(SCRIPTS.get_bases()) == 1


def test_migrations_end_at_the_models(empty_engine: Engine) -> None:
    assert not db.is_current(empty_engine)
    db.upgrade(empty_engine)
    assert db.is_current(empty_engine)
    assert differences(empty_engine) == []


def test_every_step_goes_up_and_down_and_up(empty_engine: Engine) -> None:
    for before, revision in zip(["base", *REVISIONS], REVISIONS, strict=False):
        db.upgrade(empty_engine, revision)
        db.downgrade(empty_engine, before)
        db.upgrade(empty_engine, revision)
    assert differences(empty_engine) == []
    db.downgrade(empty_engine)
    assert set(inspect(empty_engine).get_table_names()) <= {"alembic_version"}
    db.upgrade(empty_engine)
    assert differences(empty_engine) == []


def _handled(participant: Participant, staff: StaffMember) -> list[db.Base]:
    """How an alert was handled."""
    return [
        Grading(participant_id=participant.id, attribution=[], none_reason="other", at=NOW, staff_id=staff.id),
        Handover(source="a:1", participant_id=participant.id, from_id=staff.id, staff_id=staff.id, at=NOW),
        AlertClosure(
            source="a:1",
            participant_id=participant.id,
            staff_id=staff.id,
            alerts=[],
            disposition="admitted",
            at=NOW,
        ),
    ]


@pytest.fixture
def with_rows(any_engine: Engine) -> Engine:
    """A database with one row in each table whose rows stay."""
    with db.transaction(any_engine) as session:
        participant = Participant(
            plan="p", participant_number="001", language="en", time_zone="Asia/Shanghai", enrolled_at=NOW
        )
        session.add(participant)
        session.flush()
        assessment = Assessment(
            ref="abc",
            participant_id=participant.id,
            instrument="qlq_c30",
            instrument_version="3.0",
            wordings={},
            issued_at=NOW,
            opens_at=NOW,
            due_at=NOW,
            closes_at=NOW,
        )
        event = AuditEntry(at=NOW, actor="system", role="system", action="made", subject="assessment", reason="")
        staff = StaffMember(email="a@b", name="A", role="investigator", language="en", password_hash="", made_at=NOW)
        session.add_all([assessment, event, staff])
        session.flush()
        session.add_all(
            [
                Seal(position=1, audit_entry_id=event.id, digest="0" * 64),
                Answer(
                    assessment_id=assessment.id,
                    item="Q1",
                    state="given",
                    value=1,
                    source="asked",
                    language="en",
                    channel="web",
                    answered_by="self",
                    at=NOW,
                ),
                Score(
                    assessment_id=assessment.id, scale="QL", value=50.0, raw=4.0, used=2, of=2, algorithm="a", at=NOW
                ),
                SignedDecision(
                    plan="p", about="study", choice="pause", reason="r", seen={}, made_at=NOW, made_by=staff.id
                ),
                Signature(
                    staff_id=staff.id,
                    name="A",
                    role="investigator",
                    meaning="assessed",
                    subject="alert",
                    subject_id=1,
                    at=NOW,
                    digest="0" * 64,
                ),
                *_handled(participant, staff),
            ]
        )
    return any_engine


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(
            ("audit_entry", "reason"),
            ("seal", "digest"),
            ("answer", "state"),
            ("score", "scale"),
            ("signature", "meaning"),
        ),
        *(("grading", "none_reason"), ("handover", "source"), ("alert_closure", "disposition")),
        ("signed_decision", "choice"),
    ],
)
def test_what_must_stay_stays(with_rows: Engine, table: str, column: str) -> None:
    commands = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]
    if with_rows.dialect.name == "postgresql":
        commands.append(f"TRUNCATE {table} CASCADE")
    for command in commands:
        with with_rows.connect() as connection, pytest.raises(DBAPIError, match="never changed or deleted"):
            connection.execute(text(command))
    with with_rows.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {table} WHERE {column} <> 'x'")).scalar() == 1
