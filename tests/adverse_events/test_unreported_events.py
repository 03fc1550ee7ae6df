"""A serious adverse event stands on the board with its clock until somebody says that it has been reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pro.features.adverse_events import gradings, unreported_events
from pro.features.adverse_events.unreported_events import SeriousDue
from pro.features.dashboard import dashboard, dashboard_filter
from pro.features.dashboard.dashboard_filter import Narrow
from pro.features.schedule import enrolment
from pro.models import Participant
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import PLAN
from tests.support.query_count import counted


def judged(ward: Ward, **said: Any) -> int:
    event_id = factories.judged(ward.house, ward.investigator, ward.participant_id, **said).event_id
    assert event_id is not None
    return event_id


def grave(ward: Ward, hours: float, **said: Any) -> int:
    """A serious event that became known so many hours ago."""
    known = ward.house.clock() - timedelta(hours=hours)
    return judged(ward, serious=True, known_at=known, action="admitted", **said)


def due(ward: Ward) -> list[SeriousDue]:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        return dashboard.board(work, "en").serious


def test_it_waits_with_its_clock_until_it_was_reported(any_ward: Ward) -> None:
    judged(any_ward, term="epistaxis")
    assert due(any_ward) == []
    number = grave(any_ward, 5)
    (one,) = due(any_ward)
    now = any_ward.house.clock()
    assert (one.event_id, one.study_number, one.term, one.grade) == (number, "NPC-001", "Pharyngeal necrosis", 3)
    assert (one.known_at, one.report_by) == (now - timedelta(hours=5), now + timedelta(hours=19))
    with form_browser.working(any_ward.house, any_ward.investigator.actor) as work:
        assert gradings.report(work, number)
    assert due(any_ward) == []


def test_the_first_that_is_due_is_first_and_a_newer_grade_starts_no_new_clock(any_ward: Ward) -> None:
    late = grave(any_ward, 30, term="epistaxis")
    soon = grave(any_ward, 2)
    assert [one.event_id for one in due(any_ward)] == [late, soon]
    grave(any_ward, 1, event_id=late, grade=4)
    first = due(any_ward)[0]
    assert (first.event_id, first.grade) == (late, 4)
    assert first.report_by == any_ward.house.clock() - timedelta(hours=6)
    # Graded again as no longer serious: it was, and nobody has reported it.
    judged(any_ward, event_id=late, grade=2)
    assert [(one.event_id, one.grade) for one in due(any_ward)] == [(late, 2), (soon, 3)]


def test_the_hours_are_the_files(ward: Ward) -> None:
    catalogue = ward.house.catalogue
    assert catalogue.terms.report_hours == 24
    house = replace(ward.house, catalogue=replace(catalogue, terms=replace(catalogue.terms, report_hours=72)))
    grave(ward, 5)
    with form_browser.working(house) as work:
        (one,) = unreported_events.unreported(work, "en")
    assert one.report_by - one.known_at == timedelta(hours=72)


def test_whoever_withdrew_is_still_reported(ward: Ward) -> None:
    grave(ward, 5)
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        enrolment.withdraw_consent(work, person, scope="data", told="care goes on")
    assert len(due(ward)) == 1


@pytest.mark.parametrize(
    ("narrow", "left"), [(Narrow(study=PLAN), 1), (Narrow(study="other"), 0), (Narrow(owner="me"), 0)]
)
def test_a_filter_keeps_what_it_asks_for(ward: Ward, narrow: Narrow, left: int) -> None:
    grave(ward, 5)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        found = dashboard_filter.narrowed(work, dashboard.board(work, "en"), narrow, "en")
    assert len(found.serious) == left


def test_the_board_asks_as_often_for_six_as_for_none(any_ward: Ward) -> None:
    asked = []
    for _number in range(3):
        with counted(any_ward.house.engine) as statements:
            due(any_ward)
        asked.append(len(statements))
        for hours in (1, 2, 3):
            grave(any_ward, hours)
    assert len(set(asked)) == 1
