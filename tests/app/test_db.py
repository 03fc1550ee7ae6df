"""Test the database on both engines: times, keys, constraints, and locks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from pro import db
from pro.config import DEMONSTRATION_DATA_KEY
from pro.models import Answer, Heartbeat, Message, Score
from tests.support import factories, form_browser

# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 2, 1, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_a_time_comes_back_as_the_same_moment_in_utc(any_engine, at):
    with db.transaction(any_engine) as session:
        session.add(Heartbeat(name="x", at=at))
    with db.transaction(any_engine) as session:
        back = session.get_one(Heartbeat, "x").at
    assert back == at
    assert back.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(any_engine):
    with pytest.raises(StatementError, match="without a zone"), db.transaction(any_engine) as session:
        session.add(Heartbeat(name="x", at=datetime(2026, 3, 2)))  # noqa: DTZ001


# --- keys ------------------------------------------------------------------------------------------------------------


def test_what_was_sealed_opens_under_any_known_key():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = db.Vault((old,), "lookup").seal("+8613800138000")
    assert "138" not in sealed
    assert db.Vault((new, old), "lookup").open(sealed) == "+8613800138000"
    for other in (db.Vault((new,), "lookup"), db.Vault((DEMONSTRATION_DATA_KEY,), "lookup")):
        with pytest.raises(ValueError, match="none of the data keys"):
            other.open(sealed)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "+8613800138000"])
def test_what_was_never_sealed_does_not_open(sealed):
    with pytest.raises(ValueError, match="none of the data keys"):
        db.Vault((DEMONSTRATION_DATA_KEY,), "lookup").open(sealed)


def test_sealing_hides_that_two_texts_are_equal_and_a_fingerprint_shows_it():
    vault = db.Vault((DEMONSTRATION_DATA_KEY,), "lookup")
    assert vault.seal("a") != vault.seal("a")
    assert vault.fingerprint("a") == vault.fingerprint("a") != vault.fingerprint("b")
    assert vault.fingerprint("a") != db.Vault((DEMONSTRATION_DATA_KEY,), "other").fingerprint("a")
    assert len(vault.fingerprint("鼻")) == 64


# --- append-only tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["UPDATE {} SET item = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["answer", "score"])
def test_answers_and_scores_are_never_changed_or_deleted(any_app_context, table, verb):
    with form_browser.unit_of_work(any_app_context) as work:
        way = factories.form(work, factories.participant(work))
        work.session.add(
            Answer(
                assessment_id=way.assessment_id,
                item="bleed",
                state="given",
                value=4,
                language="en",
                channel="web",
                answered_by="self",
                at=work.now,
            )
        )
        for value in (1.0, 2.0):
            work.session.add(
                Score(
                    assessment_id=way.assessment_id, scale="FA", value=value, used=1, of=1, algorithm="a", at=work.now
                )
            )
    sql = verb.format(table).replace("item = 'x'", "item = 'x'" if table == "answer" else "value = 0")
    with any_app_context.engine.connect() as connection, pytest.raises(DBAPIError, match="never changed or deleted"):
        connection.execute(text(sql))
    with form_browser.unit_of_work(any_app_context) as work:
        assert [row.value for row in work.session.query(Score).order_by(Score.id)] == [1.0, 2.0]


def test_postgresql_refuses_to_empty_them_too(postgresql_url):
    engine = db.make_engine(postgresql_url)
    for table in ("answer", "score", "audit_entry", "seal"):
        with engine.connect() as connection, pytest.raises(DBAPIError, match="never changed or deleted"):
            connection.execute(text(f"TRUNCATE {table} CASCADE"))
    engine.dispose()


def test_a_row_cannot_belong_to_a_form_that_is_not_there(any_engine):
    with pytest.raises(IntegrityError), db.transaction(any_engine) as session:
        session.add(
            Answer(
                assessment_id=999,
                item="bleed",
                state="given",
                value=4,
                language="en",
                channel="web",
                answered_by="self",
                at=datetime(2026, 3, 2, tzinfo=UTC),
            )
        )


# --- transactions ----------------------------------------------------------------------------------------------------


def test_a_transaction_that_raises_leaves_nothing(any_engine):
    with pytest.raises(ZeroDivisionError), db.transaction(any_engine) as session:
        session.add(Heartbeat(name="x", at=datetime(2026, 3, 2, tzinfo=UTC)))
        session.flush()
        raise ZeroDivisionError
    with db.transaction(any_engine) as session:
        assert session.get(Heartbeat, "x") is None


def test_sqlite_is_durable_checks_its_keys_and_waits(sqlite_url):
    engine = db.make_engine(sqlite_url)
    with engine.connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in asked]
    assert found == ["wal", 2, 1, 10000]
    engine.dispose()


def test_a_reader_does_not_wait_for_the_writer_of_sqlite(sqlite_url):
    engine = db.make_engine(sqlite_url)
    with Session(engine) as writer, Session(engine.execution_options(read_only=True)) as reader:
        writer.add(Heartbeat(name="x", at=datetime(2026, 3, 2, tzinfo=UTC)))
        writer.flush()
        assert reader.get(Heartbeat, "x") is None
        assert reader.query(Message).all() == []
        writer.rollback()
    engine.dispose()


def test_the_tables_know_whether_they_are_current(any_engine):
    assert db.is_current(any_engine)
    db.downgrade(any_engine)
    assert not db.is_current(any_engine)
    db.upgrade(any_engine)
    assert db.is_current(any_engine)
    with any_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert not db.is_current(any_engine)
