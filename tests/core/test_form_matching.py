"""Test that one form may serve several visits (docs/domain.md 6, rules 1, 2 and 4).

A QLQ-C30 is not asked twice within a week.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.core.schedule.expected_visits import list_expected_visits
from pro.core.schedule.form_matching import AnsweredForm, match_forms, missed_in_a_row
from tests.core.example_schedule import CALENDAR, CHECKIN, QLQ, SHANGHAI, anchor, local, treated

# Last fraction on Wednesday 2027-03-10; month 3 is Wednesday 2027-06-09.
ANCHORS = [*treated(), anchor("maintenance_cycle", "2027-03-17", 1)]
EXPECTED = list_expected_visits(CALENDAR, ANCHORS, SHANGHAI)


def form(at, instrument=QLQ, visit="", ref="f"):
    """Return an answered form."""
    return AnsweredForm(ref, instrument, local(at), visit)


def served(*forms, of=EXPECTED):
    """Return {form: [visits, the nearest first]}."""
    matches = match_forms(of, forms, CALENDAR.apart)
    found: dict[str, list[str]] = {}
    for one in sorted(matches.served, key=lambda one: not one.nearest):
        found.setdefault(one.form, []).append(one.one.visit + (" late" if one.out_of_window else ""))
    return found


def opening(visit, *forms):
    """Return when the QLQ-C30 of ``visit`` opens after ``forms`` were answered."""
    matches = match_forms(EXPECTED, forms, CALENDAR.apart)
    return next(one.opens for one in matches.waiting if one.name == (visit, QLQ))


@pytest.mark.parametrize(
    ("at", "visits"),
    [
        # Both windows contain it: fraction 28 and the end of radiotherapy.
        ("2027-03-11 10:00", {"f": ["rt_week.28", "rt_end", "maintenance.1"]}),
        # Less than 7 days old on the planned day of the end of radiotherapy, though before its window.
        ("2027-03-09 10:00", {"f": ["rt_week.28", "rt_end"]}),
        # On the day of cycle 1, which is still within a week of the last fraction.
        ("2027-03-17 09:00", {"f": ["maintenance.1", "rt_end"]}),
        # Between all windows, and nothing is planned within a week.
        ("2027-07-30 10:00", {}),
    ],
)
def test_what_a_form_serves(at, visits):
    assert served(form(at)) == visits


def test_nearest_planned_day_then_the_three_month_event_then_maintenance():
    """Check a form for two visits of the same day: cycle 5 and month 3.

    The form is assigned to month 3 and serves both.
    """
    close = [*treated(), anchor("maintenance_cycle", "2027-03-17", 1), anchor("maintenance_cycle", "2027-06-09", 5)]
    of = list_expected_visits(CALENDAR, close, SHANGHAI)
    assert served(form("2027-06-08 10:00"), of=of) == {"f": ["month_3", "maintenance.5"]}
    near = [*close[:-1], anchor("maintenance_cycle", "2027-06-05", 5)]
    of = list_expected_visits(CALENDAR, near, SHANGHAI)
    assert served(form("2027-06-04 10:00"), of=of) == {"f": ["maintenance.5", "month_3"]}


def test_a_form_serves_a_visit_once_and_a_visit_is_served_once():
    assert served(form("2027-03-11 10:00", ref="a"), form("2027-03-12 10:00", ref="b"))["a"][0] == "rt_week.28"
    assert served(form("2027-03-11 10:00", ref="a"), form("2027-03-12 10:00", ref="b")).get("b") is None


def test_an_older_answer_puts_the_opening_off_to_seven_days_after_it():
    """Check the window before radiotherapy, 25 January to 1 February.

    Day 22 was answered on 24 January, 8 days before it.
    """
    assert opening("before_rt") == local("2027-01-25 08:00")
    assert opening("before_rt", form("2027-01-24 09:30")) == local("2027-01-31 09:30")
    assert served(form("2027-01-26 09:30")) == {"f": ["before_rt"]}


@pytest.mark.parametrize("hours", range(0, 21 * 24, 13))
def test_two_qlq_are_never_asked_within_a_week(hours):
    given = form("2027-03-01 00:00").at + timedelta(hours=hours)
    matches = match_forms(EXPECTED, [AnsweredForm("f", QLQ, given)], CALENDAR.apart)
    taken = {one.one.name for one in matches.served}
    for one in EXPECTED:
        if one.instrument == QLQ and one.closes > given and one.name not in taken:
            waiting = next(other for other in matches.waiting if other.name == one.name)
            assert waiting.opens - given >= timedelta(days=7) or one.due < given
            assert waiting.opens <= waiting.due <= waiting.closes


def test_a_check_in_is_not_kept_apart():
    matches = match_forms(EXPECTED, [form("2027-03-15 10:00", CHECKIN)], CALENDAR.apart)
    assert {one.one.visit for one in matches.served} == {"rt_end", "maintenance.1", "after_rt_week.1"}


def test_outside_its_window_a_form_is_kept_for_its_visit_and_flagged():
    late = form("2027-03-25 10:00", QLQ, "rt_week.28")
    assert served(late) == {"f": ["rt_week.28 late"]}
    both = form("2027-04-07 10:00", QLQ, "rt_week.28")
    assert served(both) == {"f": ["maintenance.2", "rt_week.28 late", "month_1"]}


def test_an_unplanned_form_serves_no_visit():
    assert served(form("2026-06-01 10:00")) == {}


@pytest.mark.parametrize(
    ("answered", "now", "row"),
    [
        # Baseline, three of the induction, before RT, five of RT: the 50 Gy decision overlaps with fraction 25.
        ([], "2027-03-08 00:00", 10),
        (["2027-03-09 10:00"], "2027-03-17 23:58", 0),
        # The end of RT was served; cycle 1 and week 1 overlap: they count as one missed form.
        (["2027-03-13 10:00"], "2027-03-20 00:00", 1),
        (["2027-03-13 10:00"], "2027-03-26 23:58", 1),
        (["2027-03-13 10:00"], "2027-03-27 00:00", 2),
        (["2027-03-13 10:00", "2027-03-24 10:00"], "2027-04-01 00:00", 0),
        # An answer to an unplanned form ends the run of missed forms too.
        (["2027-03-13 10:00", "2027-03-21 10:00"], "2027-03-27 00:00", 1),
    ],
)
def test_forms_missed_one_after_the_other(answered, now, row):
    forms = [form(at, CHECKIN, ref=str(place)) for place, at in enumerate(answered)]
    waiting = match_forms(EXPECTED, forms, CALENDAR.apart).waiting
    last = forms[-1].at if forms else None
    assert missed_in_a_row(waiting, CHECKIN, last, local(now)) == row
