"""Test that the questions of every round of the worker are answered from an index, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from pro.app_context import UnitOfWork
from pro.features.alerts import message_reading
from pro.features.text_messages import delivery_receipts, incoming_messages, unknown_senders
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.stored_texts import store_emergency_text


@contextmanager
def explained(engine: Engine) -> Iterator[list[str]]:
    """Collect how the engine would answer each question that is asked in the block."""
    plans: list[str] = []
    is_sqlite = engine.dialect.name == "sqlite"

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith("SELECT"):
            return
        own = cursor.connection.cursor()
        if not is_sqlite:
            # So small a table would be read as a whole.
            own.execute("SET LOCAL enable_seqscan = off")
            own.execute("SET LOCAL enable_bitmapscan = off")
        own.execute(("EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN ") + statement, parameters)
        plans.append("\n".join(str(row[-1]) for row in own.fetchall()))
        own.close()

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def unread_of_strangers(work: UnitOfWork) -> None:
    unknown_senders.quarantine_cases(work)


def number_of_unread(work: UnitOfWork) -> None:
    message_reading.unread_count(work)


def advice_to_one_number(work: UnitOfWork) -> None:
    incoming_messages._earlier_advice(work, "number")


def failures(work: UnitOfWork) -> None:
    delivery_receipts.act_on_failures(work)


@pytest.mark.parametrize(
    ("ask", "index", "by"),
    [
        (unread_of_strangers, "ix_message_case", ("(case_key=?", "Index Cond: ((case_key)")),
        (
            unread_of_strangers,
            "ix_incoming_message_unread",
            ("(participant_id=?", "Index Cond: (participant_id IS NULL"),
        ),
        # All of the index, which holds nothing else.
        (number_of_unread, "ix_incoming_message_unread", ("SCAN incoming_message", "Index Only Scan", "Index Scan")),
        (advice_to_one_number, "ix_message_number", ("(address_fingerprint=?", "Index Cond: ((address_fingerprint)")),
        (failures, "ix_message_failed", ("(failed_at>?", "Index Cond: (failed_at")),
        (failures, "ix_audit_entry_action_at", ("(action=? AND at>?", "Index Cond: (((action)")),
    ],
)
def test_an_index_answers(
    any_clinic: Clinic, ask: Callable[[UnitOfWork], None], index: str, by: tuple[str, ...]
) -> None:
    store_emergency_text(any_clinic)
    with (
        form_browser.unit_of_work(any_clinic.app_context) as work,
        explained(any_clinic.app_context.engine) as plans,
    ):
        ask(work)
    found = [plan for plan in plans if index in plan]
    assert any(how in plan for plan in found for how in by), "\n\n".join(plans)
