"""Test anchors: impossible ones are named, and what follows from them is computed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.core.schedule.anchors import WorkingDays, find_anchor_problems, resolve_days
from tests.core.example_schedule import CALENDAR, anchor, day, treated

TODAY = day("2027-06-01")


@pytest.mark.parametrize(
    ("anchors", "keys"),
    [
        (treated(), []),
        ([anchor("consent", "2027-06-01")], []),
        ([anchor("consent", "2027-06-02")], ["future"]),
        ([anchor("consent", "2027-06-02", planned=True)], ["not_planned"]),
        ([anchor("induction_day1", "2027-06-02")], ["future"]),
        ([anchor("induction_day1", "2027-06-02", planned=True)], []),
        ([anchor("induction_day1", "2062-06-02", planned=True)], ["too_far"]),
        ([anchor("induction_day1", "2029-06-01", planned=True)], []),
        ([anchor("induction_day1", "2029-06-02", planned=True)], ["too_far"]),
        ([anchor("induction_day1", "2062-06-02")], ["future"]),
        ([anchor("consent", "0027-06-01")], ["long_ago"]),
        ([anchor("consent", "2017-05-30")], ["long_ago"]),
        ([anchor("consent", "2017-06-01")], []),
        ([anchor("rt_fraction", "2027-03-01", 29)], ["number"]),
        ([anchor("rt_fraction", "2027-03-01", 0)], ["number"]),
        ([anchor("consent", "2027-03-01", 1)], ["number"]),
        ([anchor("surgery", "2027-03-01")], ["unknown"]),
        ([anchor("consent", "2027-03-01"), anchor("consent", "2027-03-02")], ["twice"]),
        ([anchor("consent", "2027-03-02"), anchor("pd1_dose", "2027-03-01", 1)], ["before"]),
        ([anchor("rt_fraction", "2027-03-02", 1), anchor("rt_end", "2027-03-01")], ["before"]),
        ([anchor("rt_fraction", "2027-03-02", 1), anchor("rt_end", "2027-03-02")], []),
        ([anchor("rt_fraction", "2027-03-02", 1), anchor("rt_fraction", "2027-03-01", 2)], ["order"]),
        ([anchor("rt_fraction", "2027-03-02", 1), anchor("rt_fraction", "2027-03-02", 2)], []),
        ([anchor("ulcer_cleared", "2027-03-02", 1)], ["needs"]),
        ([anchor("ulcer_confirmed", "2027-03-01", 1), anchor("ulcer_cleared", "2027-03-01", 1)], []),
        ([anchor("ulcer_confirmed", "2027-03-02", 1), anchor("ulcer_cleared", "2027-03-01", 1)], ["needs"]),
        ([anchor("death", "2027-03-01"), anchor("progression", "2027-03-02")], ["after_last"]),
        ([anchor("death", "2027-03-01"), anchor("progression", "2027-03-01")], []),
        ([anchor("death", "2027-03-01"), anchor("maintenance_cycle", "2027-07-02", 1, True)], []),
    ],
)
def test_what_cannot_be(anchors, keys):
    assert [problem.key for problem in find_anchor_problems(CALENDAR, anchors, TODAY)] == keys


def test_a_problem_names_what_it_contradicts():
    (problem,) = find_anchor_problems(
        CALENDAR, [anchor("rt_fraction", "2027-03-02", 3), anchor("rt_end", "2027-03-01")]
    )
    assert (problem.anchor.kind, problem.other, problem.other_number) == ("rt_end", "rt_fraction", 3)
    assert problem.other_on == day("2027-03-02")


def test_the_end_of_radiotherapy_cannot_precede_its_last_fraction():
    assert [p.key for p in find_anchor_problems(CALENDAR, [*treated(), anchor("rt_end", "2027-03-09")])] == ["before"]


def test_without_a_today_nothing_lies_in_the_future():
    assert find_anchor_problems(CALENDAR, [anchor("consent", "2099-01-01")]) == ()


def test_the_last_fraction_ends_radiotherapy_and_is_a_fact_once_given():
    days = resolve_days(CALENDAR, treated(), WorkingDays())
    assert (str(days["rt_end"][0].on), days["rt_end"][0].basis) == ("2027-03-10", "actual")
    days = resolve_days(CALENDAR, treated()[:-1], WorkingDays())
    assert (str(days["rt_end"][0].on), days["rt_end"][0].basis) == ("2027-03-10", "projected")


def test_cycles_end_after_a_year():
    days = resolve_days(CALENDAR, [anchor("maintenance_cycle", "2027-03-22", 1)], WorkingDays())
    assert max(days["maintenance_cycle"]) == 18
    assert days["maintenance_cycle"][18].on - day("2027-03-22") <= timedelta(days=365)


def test_fractions_left_out_lie_between_those_that_are_known():
    given = [anchor("rt_fraction", "2027-02-01", 1), anchor("rt_fraction", "2027-02-03", 5)]
    days = resolve_days(CALENDAR, given, WorkingDays())["rt_fraction"]
    assert [str(days[number].on) for number in (2, 3, 4)] == ["2027-02-02", "2027-02-03", "2027-02-03"]
    assert days[6].on == day("2027-02-04")


def test_a_site_that_never_works_is_not_waited_for():
    every_day = frozenset(day("2027-01-01") + timedelta(days=ahead) for ahead in range(800))
    with pytest.raises(ValueError, match="no working day"):
        WorkingDays(off=every_day).after(day("2027-01-01"))
