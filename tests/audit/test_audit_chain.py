"""Test the hash chain: changed entries and missing seals are detected."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from pro.app_context import AppContext
from pro.features.audit import audit_chain
from pro.models import AuditEntry, Participant, Seal
from tests.support import form_browser


def write(app_context: AppContext, number: int = 5) -> None:
    """Write this many audit entries about a participant, with values of every kind."""
    with form_browser.unit_of_work(app_context) as work:
        person = work.session.scalar(select(Participant)) or Participant(
            plan="npc_reirradiation",
            participant_number="N-1",
            language="en",
            time_zone="Asia/Shanghai",
            enrolled_at=work.now,
        )
        work.session.add(person)
        for each in range(number):
            old = {"b": [1, None, True], "a": {"鼻": "血\n“…”"}, "z": 0.1}
            work.record("test.event", person, old=old, new=[each, "x", 2.5e-7], reason="why not")


def seal(app_context: AppContext) -> int:
    with form_browser.unit_of_work(app_context) as work:
        return audit_chain.seal_entries(work)


def check(app_context: AppContext) -> audit_chain.ChainVerification:
    with form_browser.unit_of_work(app_context) as work:
        return audit_chain.verify_chain(work)


def tamper(app_context: AppContext, sql: str) -> None:
    """Change rows as the database's owner could: disable the triggers first."""
    with app_context.engine.begin() as connection:
        for table in ("audit_entry", "seal"):
            if app_context.engine.dialect.name == "postgresql":
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_stays ON {table}"))
            else:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_stays_update"))
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_stays_delete"))
                connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        connection.execute(text(sql))


def test_an_empty_trail_is_unbroken(any_app_context):
    assert check(any_app_context) == audit_chain.ChainVerification(0, 0, audit_chain.FIRST_DIGEST, ())


def test_what_was_sealed_is_verified(any_app_context, clock):
    write(any_app_context)
    assert check(any_app_context).unsealed == 5
    assert seal(any_app_context) == 5
    assert seal(any_app_context) == 0
    write(any_app_context, 2)
    seal(any_app_context)
    found = check(any_app_context)
    assert (found.sealed, found.unsealed, found.problems) == (7, 0, [])
    with form_browser.unit_of_work(any_app_context) as work:
        assert work.session.scalar(select(Seal.digest).order_by(Seal.position.desc())) == found.head


def test_the_digest_is_sha_256_over_the_one_before_and_the_canonical_event(any_app_context):
    write(any_app_context, 1)
    seal(any_app_context)
    with form_browser.unit_of_work(any_app_context) as work:
        event = work.session.scalars(select(AuditEntry)).one()
        body = {
            "id": 1,
            "at": "2026-03-02T01:00:00+00:00",
            "actor": "system",
            "actor_id": None,
            "role": "system",
            "action": "test.event",
            "subject": "participant",
            "subject_id": event.subject_id,
            "participant_id": None,
            "old": {"b": [1, None, True], "a": {"鼻": "血\n“…”"}, "z": 0.1},
            "new": [0, "x", 2.5e-7],
            "reason": "why not",
        }
        canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        expected = hashlib.sha256(f"{'0' * 64}\n{canonical}".encode()).hexdigest()
        assert work.session.scalars(select(Seal.digest)).one() == expected


def test_more_events_than_a_batch_are_sealed_in_order(app_context):
    write(app_context, audit_chain.BATCH_SIZE + 3)
    assert [seal(app_context) for _ in range(3)] == [audit_chain.BATCH_SIZE, 3, 0]
    assert check(app_context).problems == []


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "UPDATE audit_entry SET action = 'other' WHERE id = 3",
            "Audit entry 3, sealed at position 3, differs from what was sealed.",
        ),
        (
            "UPDATE audit_entry SET reason = '' WHERE id = 1",
            "Audit entry 1, sealed at position 1, differs from what was sealed.",
        ),
        (
            "UPDATE audit_entry SET actor_id = 9 WHERE id = 5",
            "Audit entry 5, sealed at position 5, differs from what was sealed.",
        ),
        (
            "UPDATE audit_entry SET new = NULL WHERE id = 2",
            "Audit entry 2, sealed at position 2, differs from what was sealed.",
        ),
        (
            "UPDATE audit_entry SET at = '2026-03-02 01:00:01' WHERE id = 2",
            "Audit entry 2, sealed at position 2, differs from what was",
        ),
        ("DELETE FROM seal WHERE position = 1", "Position 1 of the chain is missing; position 2 follows."),
        ("DELETE FROM seal WHERE position = 3", "Position 3 of the chain is missing; position 4 follows."),
        (
            "UPDATE seal SET digest = 'x' WHERE position = 4",
            "Audit entry 4, sealed at position 4, differs from what was sealed.",
        ),
        (
            "UPDATE seal SET position = position + 10 WHERE position = 5",
            "Position 5 of the chain is missing; position 15",
        ),
    ],
)
def test_what_was_changed_afterwards_is_found(any_app_context, sql, sentence):
    write(any_app_context)
    seal(any_app_context)
    tamper(any_app_context, sql)
    assert any(problem.startswith(sentence) for problem in check(any_app_context).problems)


def test_an_event_that_is_gone_is_found(any_app_context):
    write(any_app_context)
    seal(any_app_context)
    if any_app_context.engine.dialect.name == "postgresql":
        tamper(any_app_context, "ALTER TABLE seal DROP CONSTRAINT fk_seal_audit_entry_id")
        tamper(any_app_context, "DELETE FROM audit_entry WHERE id = 3")
    else:
        raw = any_app_context.engine.raw_connection()
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("DROP TRIGGER audit_entry_stays_delete")
        raw.execute("DELETE FROM audit_entry WHERE id = 3")
        raw.close()
    assert "Audit entry 3, sealed at position 3, is missing." in check(any_app_context).problems


def test_two_events_that_changed_places_are_found(any_app_context):
    write(any_app_context)
    seal(any_app_context)
    for old, new in ((2, -1), (4, -2)):
        tamper(any_app_context, f"UPDATE seal SET position = {new} WHERE position = {old}")
    for old, new in ((-1, 4), (-2, 2)):
        tamper(any_app_context, f"UPDATE seal SET position = {new} WHERE position = {old}")
    problems = check(any_app_context).problems
    assert "Audit entry 4, sealed at position 2, differs from what was sealed." in problems
    assert "Audit entry 2, sealed at position 4, differs from what was sealed." in problems


def test_a_row_slipped_in_between_is_found_when_it_is_sealed_late(any_app_context, clock):
    write(any_app_context)
    seal(any_app_context)
    clock.move(hours=1)
    with form_browser.unit_of_work(any_app_context) as work:
        work.now = clock.now.replace(minute=0)
        work.session.add(
            AuditEntry(
                at=work.now, actor="staff", role="nurse", action="alert.acknowledged", subject="alert", reason=""
            )
        )
    clock.move(minutes=30)
    (problem,) = check(any_app_context).problems
    assert problem.startswith("1 audit entries are not sealed yet; the oldest is from 2026-03-02 02:00 UTC")


def test_waiting_for_the_seal_is_no_problem_for_ten_minutes(any_app_context, clock):
    write(any_app_context)
    clock.move(minutes=10)
    assert check(any_app_context).problems == []
    clock.move(seconds=1)
    assert len(check(any_app_context).problems) == 1
    seal(any_app_context)
    assert check(any_app_context).problems == []


def test_many_sealers_and_writers_at_once_make_one_chain(any_app_context):
    write(any_app_context, 50)
    form_browser.run_concurrently(*[lambda: seal(any_app_context)] * 3, *[lambda: write(any_app_context, 20)] * 3)
    seal(any_app_context)
    found = check(any_app_context)
    assert (found.sealed, found.unsealed, found.problems) == (110, 0, [])
    with form_browser.unit_of_work(any_app_context) as work:
        assert work.session.scalar(select(func.count(func.distinct(Seal.audit_entry_id)))) == 110


@pytest.mark.parametrize("table", ["audit_entry", "seal"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET {}", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_or_delete(any_app_context, table, sql):
    write(any_app_context, 1)
    seal(any_app_context)
    change = {"audit_entry": "reason = 'x'", "seal": "digest = 'x'"}[table]
    with any_app_context.engine.connect() as connection, pytest.raises(DBAPIError, match="never changed or deleted"):
        connection.execute(text(sql.format(table, change)))


def test_what_is_rolled_back_leaves_no_event(any_app_context):
    class Stop(Exception):
        pass

    with pytest.raises(Stop), form_browser.unit_of_work(any_app_context) as work:
        person = Participant(plan="p", participant_number="N", language="en", time_zone="UTC", enrolled_at=work.now)
        work.session.add(person)
        work.record("participant.enrolled", person)
        raise Stop
    assert check(any_app_context).unsealed == 0
