"""Test daily treatments as working weeks, and the phase of a kind of date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro.core.schedule.treatment_weeks import COMING, GIVEN, PASSED, TODAY, phase_of_kind, treatment_weeks
from tests.core.example_schedule import CALENDAR, day, fractions

# Wednesday 11 November 2026 to Friday 18 December.
DAYS = {one.number: one.on for one in fractions("2026-11-11")}
NOW = day("2026-11-26")


def test_a_course_of_radiotherapy() -> None:
    done = {number: on for number, on in DAYS.items() if number <= 11}
    weeks, width = treatment_weeks(done, DAYS, NOW)
    assert width == 5
    assert [week.number for week in weeks] == [1, 2, 3, 4, 5, 6]
    first = [cell[0].number if cell else 0 for cell in weeks[0].days]
    assert first == [0, 0, 1, 2, 3]
    assert [(cell[0].number, cell[0].state) for cell in weeks[2].days] == [
        (9, GIVEN),
        (10, GIVEN),
        (11, GIVEN),
        (12, TODAY),
        (13, COMING),
    ]


def test_a_day_that_passed_without_a_record_is_not_given() -> None:
    weeks, _width = treatment_weeks({1: day("2026-11-11")}, {2: day("2026-11-12"), 3: day("2026-11-30")}, NOW)
    assert [one.state for week in weeks for cell in week.days for one in cell] == [GIVEN, PASSED, COMING]
    # The week between has no treatment and is left out, but is counted.
    assert [week.number for week in weeks] == [1, 4]


def test_a_make_up_day_at_a_weekend_is_shown() -> None:
    weeks, width = treatment_weeks({1: day("2026-11-28")}, {}, NOW)
    assert width == 7
    assert weeks[0].days[5][0].number == 1


def test_nothing_known() -> None:
    assert treatment_weeks({}, {}, NOW) == ((), 5)


@settings(max_examples=100, deadline=None)
@given(
    done=st.dictionaries(st.integers(1, 28), st.integers(0, 60), max_size=28),
    coming=st.dictionaries(st.integers(1, 28), st.integers(0, 60), max_size=28),
)
def test_every_treatment_stands_once_on_its_day(done: dict[int, int], coming: dict[int, int]) -> None:
    start = date(2026, 11, 11)
    known = {number: start + timedelta(days=days) for number, days in done.items()}
    later = {number: start + timedelta(days=days) for number, days in coming.items()}
    weeks, width = treatment_weeks(known, later, NOW)
    shown = {}
    for week in weeks:
        assert len(week.days) == width
        for weekday, cell in enumerate(week.days):
            for one in cell:
                assert one.number not in shown
                assert one.on == week.monday + timedelta(days=weekday)
                shown[one.number] = one
    assert set(shown) == {*known, *later}
    assert {number for number, one in shown.items() if one.state == GIVEN} == set(known)


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("consent", ""),
        ("induction_day1", "induction"),
        ("pd1_dose", "induction"),
        ("rt_fraction", "radiotherapy"),
        ("cr_decision", "radiotherapy"),
        ("rt_end", "radiotherapy"),
        ("maintenance_cycle", "maintenance"),
        ("last_dose", "maintenance"),
    ],
)
def test_the_phase_of_a_kind(kind: str, phase: str) -> None:
    assert phase_of_kind(CALENDAR, kind) == phase
