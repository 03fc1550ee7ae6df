"""Test the list of participants: pages, and search by participant number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pro.core.rule_language.level import Level
from pro.features.participants.pages import participant_list
from pro.features.participants.pages.participant_list import ParticipantListPage, ParticipantQuery
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.models import Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock


@pytest.fixture
def full(any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Return NPC-001 of the clinic and A-10 to A-14, two on a page."""
    monkeypatch.setattr(participant_list, "PAGE_SIZE", 2)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for number in range(10, 15):
            factories.participant(work, f"A-{number}", phone="")
    return any_clinic


def listed(clinic: Clinic, find: str = "", page: int = 1, **chosen: Any) -> ParticipantListPage:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        return participant_list.list_participants(work, "en", ParticipantQuery(find=find, **chosen), page)


def numbers(page: ParticipantListPage) -> list[str]:
    return [row.study_number for row in page.rows]


@pytest.mark.parametrize(
    ("find", "asked", "numbers", "found", "number", "pages"),
    [
        ("", 1, ["A-10", "A-11"], 6, 1, 3),
        ("", 3, ["A-14", "NPC-001"], 6, 3, 3),
        ("", 0, ["A-10", "A-11"], 6, 1, 3),
        ("", 999_999_999, ["A-14", "NPC-001"], 6, 3, 3),
        (" npc ", 1, ["NPC-001"], 1, 1, 1),
        ("14", 1, ["A-14"], 1, 1, 1),
        ("a-", 2, ["A-12", "A-13"], 5, 2, 3),
        ("_", 1, [], 0, 1, 1),
        ("%", 1, [], 0, 1, 1),
        ("'; --", 2, [], 0, 1, 1),
    ],
)
def test_pages_and_what_is_found(
    full: Clinic, find: str, asked: int, numbers: list[str], found: int, number: int, pages: int
) -> None:
    now = listed(full, find, asked)
    assert [row.study_number for row in now.rows] == numbers
    assert (now.number, now.page, now.pages) == (found, number, pages)


def test_a_line_tells_of_its_own_participant(full: Clinic) -> None:
    full.start().save(bleed=4)
    rows = {row.study_number: row for row in listed(full, page=3).rows}
    mine, other = rows["NPC-001"], rows["A-14"]
    assert (mine.open_level, other.open_level) == (Level.EMERGENCY, Level.NONE)
    assert (mine.last_answer_at, other.last_answer_at) == (full.app_context.clock(), None)
    assert ([form.instrument for form in mine.due], other.due) == (["npc_checkin", "qlq_c30"], [])
    assert mine.open_alert_id in {alert.id for alert in full.alerts().values()}


@pytest.fixture
def courses(any_clinic: Clinic, clock: Clock) -> Clinic:
    """Return NPC-001, who consented on 2 March, and A-10 to A-13 in other phases on 20 March.

    A-10 began induction, A-11 is in radiotherapy with fraction 2, A-12 with fraction 1, A-13 withdrew.
    """
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        people = {number: factories.participant(work, number, phone="") for number in ("A-10", "A-11", "A-12", "A-13")}
        people["A-10"].language = "en"
    clock.move(days=18)
    today = clock.now.date()
    begun = DateChange("induction_day1", 0, today - timedelta(days=9))
    given = [DateChange("rt_fraction", number, today - timedelta(days=2 - number)) for number in (1, 2)]
    changes = {
        "A-10": [begun],
        "A-11": [begun, *given],
        "A-12": [begun, given[0]],
        "A-13": [DateChange("withdrawal", 0, today)],
    }
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        for number, dates in changes.items():
            person = work.session.scalars(select(Participant).where(Participant.study_number == number)).one()
            schedule_service.set_anchors(work, person, dates, reason="so it is")
    return any_clinic


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["A-10", "A-11", "A-12", "A-13", "NPC-001"]),
        ({"sort": "number"}, ["A-10", "A-11", "A-12", "A-13", "NPC-001"]),
        ({"sort": "-number"}, ["NPC-001", "A-13", "A-12", "A-11", "A-10"]),
        ({"phase": "radiotherapy"}, ["A-11", "A-12"]),
        ({"phase": "before"}, ["NPC-001"]),
        ({"phase": "induction"}, ["A-10"]),
        ({"phase": "withdrawn"}, ["A-13"]),
        ({"phase": "maintenance"}, []),
        ({"sort": "phase"}, ["NPC-001", "A-10", "A-12", "A-11", "A-13"]),
        ({"sort": "-phase"}, ["A-13", "A-11", "A-12", "A-10", "NPC-001"]),
        ({"phase": "radiotherapy", "sort": "-phase"}, ["A-11", "A-12"]),
        ({"phase": "radiotherapy", "sort": "-number"}, ["A-12", "A-11"]),
        ({"state": "left"}, ["A-13"]),
        ({"state": "active"}, ["A-10", "A-11", "A-12", "NPC-001"]),
        ({"state": "frozen"}, []),
        ({"spoken": "en"}, ["A-10"]),
        ({"alert": "any"}, []),
        ({"alert": "none", "spoken": "en"}, ["A-10"]),
        ({"find": "a-1", "phase": "radiotherapy"}, ["A-11", "A-12"]),
    ],
)
def test_filters_and_order(courses: Clinic, chosen: dict[str, Any], expected: list[str]) -> None:
    page = listed(courses, **chosen)
    assert numbers(page) == expected
    assert page.number == len(expected), "the number is that of the filter"


def test_the_filter_by_phase_is_what_the_rows_say(courses: Clinic) -> None:
    rows = {row.study_number: row.phase for row in listed(courses).rows}
    assert {number: (phase.name or phase.state, phase.number) for number, phase in rows.items() if phase} == {
        "NPC-001": ("before", 0),
        "A-10": ("induction", 0),
        "A-11": ("radiotherapy", 2),
        "A-12": ("radiotherapy", 1),
        "A-13": ("withdrawn", 0),
    }


def test_alerts_and_last_answers_on_top(courses: Clinic) -> None:
    courses.start().save(bleed=4)
    assert numbers(listed(courses, alert="emergency")) == ["NPC-001"]
    assert numbers(listed(courses, alert="watch")) == []
    assert numbers(listed(courses, sort="alert"))[0] == "NPC-001"
    assert numbers(listed(courses, sort="-alert"))[-1] == "NPC-001"
    # Who was heard of least comes first: never, then the longest ago.
    assert numbers(listed(courses, sort="answer"))[-1] == "NPC-001"
    assert numbers(listed(courses, sort="-answer"))[0] == "NPC-001"
    assert numbers(listed(courses, way="web")) == ["NPC-001"]
    assert numbers(listed(courses, way="paper")) == []


def test_a_whole_number_is_found_in_upper_or_lower_case(courses: Clinic) -> None:
    with form_browser.unit_of_work(courses.app_context) as work:
        assert participant_list.find_number(work, " npc-001 ") == courses.participant_id
        assert participant_list.find_number(work, "A-1") is None
        assert participant_list.find_number(work, "%") is None
