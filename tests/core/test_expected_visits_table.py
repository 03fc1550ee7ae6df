"""Test the complete table of docs/domain.md 6 for one participant over three years.

Written out by hand. The last fraction is on Wednesday 2027-03-10 (radiotherapy from Monday 2027-02-01, no holidays);
maintenance starts on 2027-03-22.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from tests.core.example_schedule import CHECKIN, QLQ, anchor, day, plan_of, treated, window

RT_END = day("2027-03-10")
THREE_YEARS = [
    *treated("2027-02-01"),
    anchor("rt_end", RT_END),
    anchor("maintenance_cycle", "2027-03-22", 1),
    anchor("last_dose", "2028-03-13"),
]
FOUND = plan_of(THREE_YEARS)
TABLE: dict[str, tuple[str, ...]] = {
    f"baseline {CHECKIN}": ("2026-12-28", "2027-01-04", "2027-01-04"),
    f"baseline {QLQ}": ("2026-12-27", "2027-01-04", "2027-01-04"),  # 14 days before day 1 is before consent
    f"induction_week.1 {CHECKIN}": ("2027-01-09", "2027-01-11", "2027-01-13"),
    f"induction_week.2 {CHECKIN}": ("2027-01-16", "2027-01-18", "2027-01-20"),
    f"induction_week.3 {CHECKIN}": ("2027-01-23", "2027-01-25", "2027-01-27"),
    f"induction_day22 {QLQ}": ("2027-01-22", "2027-01-25", "2027-01-25"),
    f"before_rt {CHECKIN}": ("2027-01-29", "2027-02-01", "2027-02-01"),
    f"before_rt {QLQ}": ("2027-01-25", "2027-02-01", "2027-02-01"),
    f"rt_week.5 {CHECKIN}": ("2027-02-03", "2027-02-05", "2027-02-07"),
    f"rt_week.10 {CHECKIN}": ("2027-02-10", "2027-02-12", "2027-02-14"),
    f"rt_week.15 {CHECKIN}": ("2027-02-17", "2027-02-19", "2027-02-21"),
    f"rt_week.15 {QLQ}": ("2027-02-16", "2027-02-19", "2027-02-22"),
    f"rt_week.20 {CHECKIN}": ("2027-02-24", "2027-02-26", "2027-02-28"),
    f"rt_week.25 {CHECKIN}": ("2027-03-03", "2027-03-05", "2027-03-07"),
    f"rt_week.28 {CHECKIN}": ("2027-03-08", "2027-03-10", "2027-03-12"),
    f"rt_week.28 {QLQ}": ("2027-03-07", "2027-03-10", "2027-03-13"),
    f"rt_midweek.18 {CHECKIN}": ("2027-02-24", "2027-02-24", "2027-02-24"),
    f"rt_midweek.23 {CHECKIN}": ("2027-03-03", "2027-03-03", "2027-03-03"),
    f"decision_50gy {CHECKIN}": ("2027-03-03", "2027-03-04", "2027-03-05"),
    f"rt_end {CHECKIN}": ("2027-03-10", "2027-03-10", "2027-03-17"),
    f"rt_end {QLQ}": ("2027-03-10", "2027-03-10", "2027-03-17"),
    f"after_rt_fortnight.1 {CHECKIN}": ("2027-05-17", "2027-05-19", "2027-05-21"),
    f"after_rt_fortnight.2 {CHECKIN}": ("2027-05-31", "2027-06-02", "2027-06-04"),
    f"month_1 {QLQ}": ("2027-04-02", "2027-04-09", "2027-04-16"),
    f"month_3 {CHECKIN}": ("2027-06-02", "2027-06-09", "2027-06-16"),
    f"month_3 {QLQ}": ("2027-05-26", "2027-06-09", "2027-06-23"),
    f"end_of_treatment {CHECKIN}": ("2028-03-13", "2028-03-13", "2028-03-27"),
    f"end_of_treatment {QLQ}": ("2028-03-13", "2028-03-13", "2028-03-27"),
    f"safety.1 {CHECKIN}": ("2028-04-03", "2028-04-10", "2028-04-17"),
    f"safety.2 {CHECKIN}": ("2028-05-01", "2028-05-08", "2028-05-15"),
    f"safety.3 {CHECKIN}": ("2028-05-29", "2028-06-05", "2028-06-12"),
    **{
        f"late_follow_up.{turn} {name}": dates
        for name in (CHECKIN, QLQ)
        for turn, dates in (
            (1, ("2029-08-08", "2029-09-05", "2029-10-03")),
            (2, ("2030-02-06", "2030-03-06", "2030-04-03")),
        )
    },
}
for _turn in range(1, 9):
    _due = RT_END + timedelta(weeks=_turn)
    TABLE[f"after_rt_week.{_turn} {CHECKIN}"] = tuple(str(_due + timedelta(days=off)) for off in (-2, 0, 2))
for _turn in range(1, 8):
    _due = RT_END + timedelta(weeks=13 + 13 * _turn)
    for _name in (CHECKIN, QLQ):
        TABLE[f"follow_up.{_turn} {_name}"] = tuple(str(_due + timedelta(days=off)) for off in (-14, 0, 14))
for _cycle in range(1, 19):
    _due = day("2027-03-22") + timedelta(weeks=3 * (_cycle - 1))
    for _name in (CHECKIN, QLQ):
        TABLE[f"maintenance.{_cycle} {_name}"] = tuple(str(_due + timedelta(days=off)) for off in (-3, 0, 0))
# Weekly to month 6 (week 26): weeks 9, 11 and 13 to 25, in addition to weeks 10 and 12 after radiotherapy.
for _week in (9, 11, *range(13, 26)):
    _due = RT_END + timedelta(weeks=_week)
    TABLE[f"maintenance_week.{_week - 8} {CHECKIN}"] = tuple(str(_due + timedelta(days=off)) for off in (-2, 0, 2))


def test_nothing_is_missing_and_nothing_is_too_much():
    assert set(FOUND) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_window(name):
    assert window(FOUND[name]) == TABLE[name]


def test_what_is_optional():
    optional = {name for name, one in FOUND.items() if not one.mandatory}
    assert optional == {f"month_1 {QLQ}", f"rt_midweek.18 {CHECKIN}", f"rt_midweek.23 {CHECKIN}"}


def test_what_happened_is_no_projection():
    projected = {one.kind for one in FOUND.values() if one.basis == "projected"}
    assert projected == {"maintenance"}
    assert FOUND[f"maintenance.1 {QLQ}"].basis == "actual"


def test_a_qlq_of_any_visit_is_planned_a_week_from_the_next_of_the_same_visit():
    by_kind: dict[str, list] = {}
    for one in FOUND.values():
        if one.instrument == QLQ:
            by_kind.setdefault(one.kind, []).append(one.due)
    for dues in by_kind.values():
        assert all(later - sooner >= timedelta(days=7) for sooner, later in pairwise(dues))


@pytest.mark.parametrize("kind", ["progression", "early_stop"])
def test_an_event_asks_for_both_within_two_weeks(kind):
    found = plan_of([*THREE_YEARS, anchor(kind, "2027-08-02")])
    for name in (CHECKIN, QLQ):
        assert window(found[f"{kind} {name}"]) == ("2027-08-02", "2027-08-02", "2027-08-16")
    assert f"month_3 {QLQ}" in found
    assert f"late_follow_up.2 {QLQ}" in found
