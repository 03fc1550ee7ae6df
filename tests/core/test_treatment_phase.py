"""Test the phase of the treatment: a table of courses, and properties over random dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro.core.schedule.anchors import DatedAnchor
from pro.core.schedule.treatment_phase import (
    BEFORE,
    DIED,
    DISCONTINUED,
    UNDER,
    WITHDRAWN,
    TreatmentPhase,
    current_phase,
    phase_names,
    phase_starts,
)
from tests.core.example_schedule import CALENDAR, anchor, day, fractions, treated

CONSENT, INDUCTION = anchor("consent", "2027-01-01"), anchor("induction_day1", "2027-01-04")
DOSES = [anchor("pd1_dose", "2027-01-04", 1), anchor("pd1_dose", "2027-01-25", 2)]
BEGUN = [CONSENT, INDUCTION, *DOSES]
# The complete radiotherapy of ``treated``: Monday 1 February to Wednesday 10 March 2027.
LAST = "2027-03-10"


def short(phase: TreatmentPhase) -> tuple[str, str, str, int]:
    """Return state, name, count and day of a phase."""
    count = f"{phase.number}/{phase.most}{' stopped' if phase.stopped else ''}" if phase.most else ""
    return phase.state, phase.name, count, phase.day


@pytest.mark.parametrize(
    ("anchors", "today", "expected"),
    [
        ([], "2027-01-01", (BEFORE, "", "", 0)),
        ([CONSENT], "2027-01-03", (BEFORE, "", "", 0)),
        ([CONSENT, replace(INDUCTION, planned=True)], "2027-01-09", (BEFORE, "", "", 0)),
        # Recorded for a day that is still to come: it has not happened.
        ([CONSENT, INDUCTION], "2027-01-03", (BEFORE, "", "", 0)),
        ([CONSENT, INDUCTION], "2027-01-04", (UNDER, "induction", "", 1)),
        (BEGUN, "2027-01-13", (UNDER, "induction", "", 10)),
        ([*BEGUN, anchor("rt_fraction", "2027-02-01", 1, planned=True)], "2027-02-03", (UNDER, "induction", "", 31)),
        ([*BEGUN, *fractions("2027-02-01", 1)], "2027-02-01", (UNDER, "radiotherapy", "1/28", 1)),
        ([*BEGUN, *fractions("2027-02-01", 12)], "2027-02-16", (UNDER, "radiotherapy", "12/28", 16)),
        # A fraction that was not recorded does not lower the count: fraction 12 was given.
        ([*BEGUN, *fractions("2027-02-01", 12)[6:]], "2027-02-16", (UNDER, "radiotherapy", "12/28", 8)),
        # The last fraction on its own day, then the days after it, although no end is recorded.
        (treated(), LAST, (UNDER, "radiotherapy", "28/28", 38)),
        (treated(), "2027-03-11", (UNDER, "after_radiotherapy", "", 1)),
        (treated(), "2027-03-24", (UNDER, "after_radiotherapy", "", 14)),
        ([*treated(), anchor("rt_end", LAST)], LAST, (UNDER, "after_radiotherapy", "", 0)),
        # Ended before the last fraction: what was given stays visible.
        (
            [*BEGUN, *fractions("2027-02-01", 22), anchor("rt_end", "2027-03-02")],
            "2027-03-09",
            (UNDER, "radiotherapy", "22/28 stopped", 7),
        ),
        (
            [*BEGUN, *fractions("2027-02-01", 10), anchor("early_stop", "2027-02-15")],
            "2027-02-15",
            (UNDER, "radiotherapy", "10/28 stopped", 0),
        ),
        # Ended before radiotherapy: “after radiotherapy” would not be true.
        ([*BEGUN, anchor("early_stop", "2027-01-28")], "2027-02-02", (DISCONTINUED, "", "", 5)),
        # Treatment went on after an end that was recorded before radiotherapy.
        ([*treated(), anchor("early_stop", "2027-01-28")], "2027-03-24", (UNDER, "after_radiotherapy", "", 14)),
        (
            [*treated(), *(anchor("maintenance_cycle", f"2027-0{n}-05", n - 3) for n in range(4, 8))],
            "2027-07-06",
            (UNDER, "maintenance", "4/18", 93),
        ),
        (
            [*treated(), anchor("maintenance_cycle", "2027-04-05", 1), anchor("early_stop", "2027-04-20")],
            "2027-04-30",
            (UNDER, "maintenance", "1/18 stopped", 10),
        ),
        (
            [*treated(), anchor("maintenance_cycle", "2027-04-05", 1), anchor("last_dose", "2027-04-05")],
            "2027-04-30",
            (UNDER, "after_treatment", "", 25),
        ),
        # The last dose was one of induction, and radiotherapy goes on.
        (
            [*BEGUN, anchor("last_dose", "2027-01-25"), *fractions("2027-02-01", 3)],
            "2027-02-03",
            (UNDER, "radiotherapy", "3/28", 3),
        ),
        ([*BEGUN, anchor("last_dose", "2027-01-25")], "2027-02-03", (UNDER, "after_treatment", "", 9)),
        ([*BEGUN, anchor("withdrawal", "2027-01-20")], "2027-01-25", (WITHDRAWN, "", "", 0)),
        ([*BEGUN, anchor("withdrawal", "2027-01-20"), anchor("death", "2027-01-24")], "2027-01-25", (DIED, "", "", 0)),
        ([*BEGUN, anchor("death", "2027-01-24")], "2027-01-23", (UNDER, "induction", "", 20)),
    ],
)
def test_courses(anchors: list[DatedAnchor], today: str, expected: tuple[str, str, str, int]) -> None:
    assert short(current_phase(CALENDAR, anchors, day(today))) == expected


@pytest.mark.parametrize(
    ("anchors", "expected"),
    [
        ([], {}),
        ([CONSENT, replace(INDUCTION, planned=True)], {}),
        (BEGUN, {"induction": "2027-01-04"}),
        (
            treated(),
            {"induction": "2027-01-04", "radiotherapy": "2027-02-01", "after_radiotherapy": "2027-03-11"},
        ),
        (
            [*BEGUN, anchor("early_stop", "2027-01-28"), *fractions("2027-02-01", 12)],
            {"induction": "2027-01-04", "radiotherapy": "2027-02-01"},
        ),
        (
            [*treated(), anchor("early_stop", "2027-01-28"), anchor("maintenance_cycle", "2027-04-05", 1)],
            {
                "induction": "2027-01-04",
                "radiotherapy": "2027-02-01",
                "after_radiotherapy": "2027-03-11",
                "maintenance": "2027-04-05",
            },
        ),
        ([*BEGUN, anchor("early_stop", "2027-01-28")], {"induction": "2027-01-04", DISCONTINUED: "2027-01-29"}),
        ([*BEGUN, anchor("last_dose", "2027-01-25")], {"induction": "2027-01-04", "after_treatment": "2027-01-26"}),
    ],
)
def test_first_days_of_the_phases(anchors: list[DatedAnchor], expected: dict[str, str]) -> None:
    found = phase_starts(CALENDAR, anchors)
    assert list(found.items()) == [(name, day(on)) for name, on in expected.items()]


def test_an_end_without_a_date_of_its_own_has_the_day_it_was_recorded_on() -> None:
    left = current_phase(CALENDAR, BEGUN, day("2027-02-01"), left_on=day("2027-01-20"))
    assert (left.state, left.since) == (WITHDRAWN, day("2027-01-20"))
    dead = current_phase(CALENDAR, BEGUN, day("2027-02-01"), left_on=day("2027-01-22"), died=True)
    assert (dead.state, dead.since) == (DIED, day("2027-01-22"))
    # The recorded date says more than the day of recording.
    dated = [*BEGUN, anchor("withdrawal", "2027-01-19")]
    assert current_phase(CALENDAR, dated, day("2027-02-01"), left_on=day("2027-01-20")).since == day("2027-01-19")


@pytest.mark.parametrize(
    ("anchors", "today", "watch"),
    [
        ([], "2027-02-10", ""),
        ([anchor("ulcer_suspected", "2027-02-09", 1)], "2027-02-10", "ulcer_suspected"),
        ([anchor("ulcer_suspected", "2027-02-11", 1)], "2027-02-10", ""),
        (
            [anchor("ulcer_suspected", "2027-02-09", 1), anchor("ulcer_confirmed", "2027-02-10", 1)],
            "2027-02-10",
            "ulcer_confirmed",
        ),
        (
            [anchor("ulcer_suspected", "2027-02-05", 1), anchor("ulcer_cleared", "2027-02-09", 1)],
            "2027-02-10",
            "",
        ),
    ],
)
def test_a_period_with_its_own_schedule_is_named(anchors: list[DatedAnchor], today: str, watch: str) -> None:
    found = current_phase(CALENDAR, [*BEGUN, *fractions("2027-02-01", 8), *anchors], day(today))
    assert (found.watch, short(found)[:3]) == (watch, (UNDER, "radiotherapy", "8/28"))


KINDS = dict(CALENDAR.anchors)
ANCHORS = st.builds(
    lambda name, number, days, planned: DatedAnchor(
        name,
        1 + number % KINDS[name].most if KINDS[name].most else 0,
        date(2027, 1, 1) + timedelta(days=days),
        planned and KINDS[name].plannable,
    ),
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 60),
    st.integers(0, 200),
    st.booleans(),
)
DAYS = st.integers(0, 400).map(lambda number: date(2027, 1, 1) + timedelta(days=number))


@settings(max_examples=300, deadline=None)
@given(anchors=st.lists(ANCHORS, max_size=12, unique_by=lambda one: (one.kind, one.number)), today=DAYS)
def test_whatever_is_recorded(anchors: list[DatedAnchor], today: date) -> None:
    found = current_phase(CALENDAR, anchors, today)
    happened = [one for one in anchors if not one.planned and one.on <= today]
    # Only what has happened counts, in whatever order it was recorded.
    assert current_phase(CALENDAR, happened, today) == found
    assert current_phase(CALENDAR, list(reversed(anchors)), today) == found
    assert found.state in (BEFORE, UNDER, DISCONTINUED, WITHDRAWN, DIED)
    assert (found.name or found.state) in phase_names(CALENDAR)
    assert (found.name != "") == (found.state == UNDER)
    assert found.since is None or found.since <= today
    assert found.day >= 0
    if found.has_count:
        given_numbers = {one.number for one in happened if one.kind in CALENDAR.phases[found.name]}
        assert found.number == max(given_numbers), "the count is of what was recorded, never of what is projected"
        assert 1 <= found.number <= found.most
    if any(one.kind == "death" for one in happened):
        assert found.state == DIED
    elif any(one.kind == "withdrawal" for one in happened):
        assert found.state == WITHDRAWN
    else:
        assert found.state not in (DIED, WITHDRAWN)


@settings(max_examples=60, deadline=None)
@given(given_fractions=st.integers(1, 28), later=st.integers(0, 90))
def test_the_count_never_falls_and_the_day_never_goes_back(given_fractions: int, later: int) -> None:
    anchors = [*BEGUN, *fractions("2027-02-01", given_fractions)]
    last = anchors[-1].on
    now, then = (current_phase(CALENDAR, anchors, last + timedelta(days=days)) for days in (0, later))
    assert now.number == given_fractions
    if given_fractions < 28:
        assert (then.name, then.number, then.day) == ("radiotherapy", given_fractions, now.day + later)
    elif later:
        assert (then.name, then.day) == ("after_radiotherapy", later)


def test_a_plan_without_phases_says_only_what_is_known() -> None:
    bare = replace(CALENDAR, phases={})
    assert current_phase(bare, treated(), day(LAST)).state == BEFORE
    assert current_phase(bare, [*treated(), anchor("death", LAST)], day(LAST)).state == DIED
