"""Test queries: a monitor asks about an answer or a form, staff answer, a monitor closes or asks again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from pro.app_context import Actor
from pro.db import Base
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import signatures
from pro.features.participants import record_freezes
from pro.features.queries import query_service
from pro.features.to_do_list import to_do_entries, to_do_list
from pro.models import Assessment, Query, QueryStep, StaffMember
from pro.web import labels
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock

QUERY_TABLES = {"query", "query_step", "audit_entry"}


def monitor(clinic: Clinic) -> Actor:
    """Return the monitor of the clinic, who gets an account with the first query."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        row = work.session.scalar(select(StaffMember).where(StaffMember.role == "monitor"))
        if row is None:
            return factories.account(work, "monitor").actor
        return Actor("staff", row.id, row.role, row.name)


def ask(clinic: Clinic, item: str = "bleed", text: str = "Does this fit the call of that day?") -> int:
    """Ask a query as the monitor; return its id."""
    with form_browser.unit_of_work(clinic.app_context, monitor(clinic)) as work:
        form = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        return query_service.ask_query(work, form, item, text).id


def step(clinic: Clinic, number: int, kind: str, text: str = "", seen: int | None = None) -> None:
    """Take a step as the role whose turn it is, having read the newest one."""
    who = clinic.coordinator.actor if kind == "answered" else monitor(clinic)
    with form_browser.unit_of_work(clinic.app_context, who) as work:
        newest = work.session.scalar(select(func.max(QueryStep.id)).where(QueryStep.query_id == number)) or 0
        query_service.take_step(work, number, kind, text, newest if seen is None else seen)


def state(clinic: Clinic, number: int) -> str:
    return next(row.state for row in clinic.rows(Query) if row.id == number)


def data(clinic: Clinic) -> dict[str, list[Any]]:
    """Return all rows of all tables that a query must not change."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        return {
            table.name: [tuple(row) for row in work.session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in Base.metadata.sorted_tables
            if table.name not in QUERY_TABLES
        }


def test_it_is_asked_answered_asked_again_and_closed_and_changes_no_data(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    monitor(any_clinic)
    before = data(any_clinic)
    number = ask(any_clinic)
    assert state(any_clinic, number) == "open"
    step(any_clinic, number, "answered", "Yes: the nurse noted the same.")
    assert state(any_clinic, number) == "answered"
    step(any_clinic, number, "asked_again", "Which day was that?")
    assert state(any_clinic, number) == "open"
    step(any_clinic, number, "answered", "2 March.")
    step(any_clinic, number, "closed")
    assert state(any_clinic, number) == "closed"
    assert data(any_clinic) == before
    with form_browser.unit_of_work(any_clinic.app_context, monitor(any_clinic)) as work:
        row = query_service.read_query(work, number, "en")
    kinds = ["asked", "answered", "asked_again", "answered", "closed"]
    assert [one.kind for one in row.steps] == kinds
    assert [one.role for one in row.steps] == ["monitor", "coordinator", "monitor", "coordinator", "monitor"]
    assert [one.text for one in row.steps][1:] == [
        "Yes: the nurse noted the same.",
        "Which day was that?",
        "2 March.",
        "",
    ]
    assert row.answer, "the current answer stands beside the question"


def test_every_step_is_in_the_audit_trail_with_its_text(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    number = ask(any_clinic, text="Why so late?")
    step(any_clinic, number, "answered", "The phone was off.")
    step(any_clinic, number, "asked_again", "All day?")
    step(any_clinic, number, "closed", "Clear now.")
    for action, said, role in (
        ("query.asked", "Why so late?", "monitor"),
        ("query.answered", "The phone was off.", "coordinator"),
        ("query.asked_again", "All day?", "monitor"),
        ("query.closed", "Clear now.", "monitor"),
    ):
        (event,) = any_clinic.events(action)
        assert (event.reason, event.role, event.subject, event.subject_id) == (said, role, "query", number)
        assert event.participant_id == any_clinic.rows(Query)[0].participant_id


def test_a_query_may_be_about_the_whole_form(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    number = ask(any_clinic, item="")
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        row = query_service.read_query(work, number, "en")
    assert (row.item, row.question, row.answer) == ("", "", "")


@pytest.mark.parametrize(("text", "why"), [("  ", "text_needed"), ("x" * 1001, "too_long")])
def test_a_text_is_needed_and_has_an_end(clinic: Clinic, text: str, why: str) -> None:
    clinic.start().finish(bleed=0)
    with pytest.raises(BadData) as caught:
        ask(clinic, text=text)
    assert caught.value.details["fields"] == {"text": why}
    number = ask(clinic)
    with pytest.raises(BadData) as caught:
        step(clinic, number, "answered", text)
    assert caught.value.details["fields"] == {"text": why}
    assert state(clinic, number) == "open"
    assert len(clinic.rows(QueryStep)) == 1


def test_an_item_that_the_form_does_not_have_is_not_found(clinic: Clinic) -> None:
    clinic.start().finish(bleed=0)
    with pytest.raises(NotFound):
        ask(clinic, item="nothing")
    assert clinic.rows(Query) == []


def test_a_step_on_a_page_that_is_out_of_date_is_refused(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    number = ask(any_clinic)
    first = any_clinic.rows(QueryStep)[0].id
    step(any_clinic, number, "answered", "Yes.", seen=first)
    for kind, seen in (("closed", first), ("answered", first), ("answered", None)):
        with pytest.raises(NotAllowed, match="query_moved_on"):
            step(any_clinic, number, kind, "text", seen)
    step(any_clinic, number, "closed")
    for kind in ("answered", "asked_again", "closed"):
        with pytest.raises(NotAllowed, match="query_moved_on"):
            step(any_clinic, number, kind, "text")
    assert len(any_clinic.rows(QueryStep)) == 3


def test_a_monitor_may_close_an_open_query_that_was_a_mistake(clinic: Clinic) -> None:
    clinic.start().finish(bleed=0)
    number = ask(clinic)
    step(clinic, number, "closed", "Asked about the wrong form.")
    assert state(clinic, number) == "closed"


def test_a_frozen_record_may_be_asked_about(clinic: Clinic) -> None:
    clinic.start().finish(bleed=0)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, signatures.PasswordProof)
        record_freezes.freeze_records(work, proof, factories.PLAN, None, "Interim analysis")
    number = ask(clinic)
    step(clinic, number, "answered", "As typed.")
    assert state(clinic, number) == "answered"


@pytest.mark.parametrize(("kind", "said"), [("answered", "Yes."), ("closed", "")])
def test_a_step_that_is_sent_twice_is_taken_once(clinic: Clinic, kind: str, said: str) -> None:
    clinic.start().finish(bleed=0)
    number = ask(clinic)
    (asked,) = clinic.rows(QueryStep)
    for text in (said, f" {said} "):
        step(clinic, number, kind, text, seen=asked.id)
    assert [row.kind for row in clinic.rows(QueryStep)] == ["asked", kind]
    assert state(clinic, number) == kind
    with pytest.raises(NotAllowed):
        step(clinic, number, kind, "Something else.", seen=asked.id)


def test_the_list_has_open_ones_first_the_one_that_waits_longest_on_top(clinic: Clinic, clock: Clock) -> None:
    clinic.start().finish(bleed=0)
    numbers = []
    for one in range(4):
        numbers.append(ask(clinic, text=f"Question {one}?"))
        clock.move(minutes=1)
    step(clinic, numbers[0], "closed")
    step(clinic, numbers[1], "answered", "Yes.")
    with form_browser.unit_of_work(clinic.app_context, monitor(clinic)) as work:
        page = query_service.list_queries(work, "en")
        assert [row.id for row in page.rows] == [numbers[2], numbers[3], numbers[1], numbers[0]]
        assert page.counts == {"open": 2, "answered": 1, "closed": 1}
        only = query_service.list_queries(work, "en", "answered")
        assert [row.id for row in only.rows] == [numbers[1]]
        assert only.number == 1
        assert query_service.count_by_form(work, page.rows[0].participant_id) == {clinic.checkin.assessment_id: (3, 4)}


def entries(clinic: Clinic, who: Actor) -> list[to_do_entries.ToDoEntry]:
    """Return the entries about queries on the to-do list of a staff member."""
    with form_browser.unit_of_work(clinic.app_context, who) as work:
        found = to_do_entries.list_entries(work, to_do_list.read_to_do_list(work, "en"), labels.act_by)
    return [entry for entry in found if entry.kind == "queries"]


def test_it_is_an_entry_for_whose_turn_it_is_when_there_is_time(clinic: Clinic) -> None:
    clinic.start().finish(bleed=0)
    number = ask(clinic)
    (entry,) = entries(clinic, clinic.coordinator.actor)
    assert (entry.group, entry.urgency, entry.mine) == (to_do_entries.LATER, 0, True)
    assert entries(clinic, monitor(clinic)) == []
    assert entries(clinic, clinic.nurse.actor) == []
    step(clinic, number, "answered", "Yes.")
    assert entries(clinic, clinic.coordinator.actor) == []
    assert len(entries(clinic, monitor(clinic))) == 1
    step(clinic, number, "closed")
    assert entries(clinic, monitor(clinic)) == []
