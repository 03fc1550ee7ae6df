"""Test that a serious adverse event stays on the to-do list until it is reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pro.features.adverse_events import adverse_event_log, gradings
from pro.features.adverse_events.adverse_event_log import UnreportedEvent
from pro.features.schedule import enrolment
from pro.features.to_do_list import to_do_filter, to_do_list
from pro.features.to_do_list.to_do_filter import ToDoFilter
from pro.models import Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN
from tests.support.query_count import record_queries


def judged(clinic: Clinic, **said: Any) -> int:
    event_id = factories.sign_grading(clinic.app_context, clinic.investigator, clinic.participant_id, **said).event_id
    assert event_id is not None
    return event_id


def grave(clinic: Clinic, hours: float, **said: Any) -> int:
    """Record a serious event that became known this many hours ago."""
    known = clinic.app_context.clock() - timedelta(hours=hours)
    return judged(clinic, serious=True, awareness_time=known, action="admitted", **said)


def due(clinic: Clinic) -> list[UnreportedEvent]:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return to_do_list.read_to_do_list(work, "en").serious


def test_it_waits_with_its_clock_until_it_was_reported(any_clinic: Clinic) -> None:
    judged(any_clinic, term="epistaxis")
    assert due(any_clinic) == []
    number = grave(any_clinic, 5)
    (one,) = due(any_clinic)
    now = any_clinic.app_context.clock()
    assert (one.event_id, one.participant_number, one.term, one.grade) == (number, "NPC-001", "Pharyngeal necrosis", 3)
    assert (one.awareness_time, one.report_by) == (now - timedelta(hours=5), now + timedelta(hours=19))
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        assert gradings.record_sae_report(work, number)
    assert due(any_clinic) == []


def test_the_first_that_is_due_is_first_and_a_newer_grade_starts_no_new_clock(any_clinic: Clinic) -> None:
    late = grave(any_clinic, 30, term="epistaxis")
    soon = grave(any_clinic, 2)
    assert [one.event_id for one in due(any_clinic)] == [late, soon]
    grave(any_clinic, 1, event_id=late, grade=4)
    first = due(any_clinic)[0]
    assert (first.event_id, first.grade) == (late, 4)
    assert first.report_by == any_clinic.app_context.clock() - timedelta(hours=6)
    # Graded again as no longer serious: it was serious and has not been reported.
    judged(any_clinic, event_id=late, grade=2)
    assert [(one.event_id, one.grade) for one in due(any_clinic)] == [(late, 2), (soon, 3)]


def test_the_hours_are_the_files(clinic: Clinic) -> None:
    catalogue = clinic.app_context.catalogue
    assert catalogue.terms.report_hours == 24
    app_context = replace(
        clinic.app_context, catalogue=replace(catalogue, terms=replace(catalogue.terms, report_hours=72))
    )
    grave(clinic, 5)
    with form_browser.unit_of_work(app_context) as work:
        (one,) = adverse_event_log.read_unreported_events(work, "en")
    assert one.report_by - one.awareness_time == timedelta(hours=72)


def test_an_event_of_a_withdrawn_participant_is_still_reported(clinic: Clinic) -> None:
    grave(clinic, 5)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        enrolment.withdraw_consent(work, person, scope="data", told="care goes on")
    assert len(due(clinic)) == 1


@pytest.mark.parametrize(
    ("narrow", "left"), [(ToDoFilter(study=PLAN), 1), (ToDoFilter(study="other"), 0), (ToDoFilter(owner="me"), 0)]
)
def test_a_filter_keeps_what_it_asks_for(clinic: Clinic, narrow: ToDoFilter, left: int) -> None:
    grave(clinic, 5)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        found = to_do_filter.filter_to_do_list(work, to_do_list.read_to_do_list(work, "en"), narrow, "en")
    assert len(found.serious) == left


def test_the_to_do_list_needs_as_many_queries_for_six_as_for_none(any_clinic: Clinic) -> None:
    asked = []
    for _number in range(3):
        with record_queries(any_clinic.app_context.engine) as statements:
            due(any_clinic)
        asked.append(len(statements))
        for hours in (1, 2, 3):
            grave(any_clinic, hours)
    assert len(set(asked)) == 1
