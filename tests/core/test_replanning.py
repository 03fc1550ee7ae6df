"""Test that a moved anchor moves its visits, except opened or past ones.

See docs/domain.md 6, rule 6.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pro.core.schedule.anchors import DatedAnchor
from pro.core.schedule.expected_visits import list_expected_visits
from pro.core.schedule.replanning import replan
from tests.core.example_schedule import CALENDAR, SHANGHAI, anchor, day, local, treated

KINDS = sorted(CALENDAR.anchors)


def of(anchors):
    """Return the expected visits."""
    return list_expected_visits(CALENDAR, anchors, SHANGHAI)


@st.composite
def anchors(draw):
    """Generate any anchors, sensible or not."""
    found = {}
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=10)):
        most = CALENDAR.anchors[kind].most
        number = draw(st.integers(1, most)) if most else 0
        on = day("2027-01-01") + timedelta(days=draw(st.integers(0, 700)))
        found[kind, number] = DatedAnchor(kind, number, on, draw(st.booleans()))
    return list(found.values())


MOMENTS = st.integers(-10, 900).map(lambda days: local("2027-01-01 12:00") + timedelta(days=days))


def test_moving_the_start_of_radiotherapy_moves_what_depends_on_it_and_nothing_else():
    planned = [anchor("consent", "2027-01-01"), anchor("induction_day1", "2027-01-04")]
    before = of([*planned, anchor("rt_fraction", "2027-02-01", 1, planned=True)])
    after = of([*planned, anchor("rt_fraction", "2027-02-04", 1, planned=True)])
    change = replan(before, after, set(), local("2027-01-25 12:00"))
    assert not change.dropped
    # The start comes three days later, so one more weekly form of the induction finds room.
    assert [one.visit for one in change.added] == ["induction_week.4"]
    of_induction = {"baseline", "induction_week", "induction_day22"}
    assert {one.kind for one in change.kept} == of_induction
    assert {one.kind for one, _ in change.moved}.isdisjoint(of_induction)
    by_name = {old.name: (old, new) for old, new in change.moved}
    old, new = by_name["rt_end", "npc_checkin"]
    assert new.due - old.due == timedelta(days=5)  # three working days, over a weekend
    assert change.result == tuple(sorted(after, key=lambda one: (one.opens, one.due, one.rank, one.visit)))


def test_what_was_opened_or_is_past_stays():
    before = of([*treated(), anchor("rt_end", "2027-03-10")])
    after = of([*treated()[:-3], anchor("rt_end", "2027-03-05")])
    now = local("2027-03-06 12:00")
    opened = {("rt_week.25", "npc_checkin"), ("rt_week.28", "qlq_c30")}
    change = replan(before, after, opened, now)
    result = {one.name: one for one in change.result}
    assert {("rt_week.28", "npc_checkin")} == {one.name for one in change.dropped}
    for one in before:
        if one.name in opened or one.closes < now:
            assert result[one.name] == one
    assert replan(before, before, opened, now).is_empty


def test_a_fraction_that_was_given_as_projected_changes_nothing_to_confirm():
    ahead = of(treated()[:-1])
    given_ = of(treated())
    change = replan(ahead, given_, set(), local("2027-03-10 18:00"))
    assert change.is_empty
    assert next(one for one in change.result if one.visit == "rt_end").basis == "actual"


@given(anchors(), anchors(), st.data(), MOMENTS)
def test_re_planning_twice_is_re_planning_once(old, new, data, now):
    before, after = of(old), of(new)
    names = sorted(one.name for one in before)
    opened = set(data.draw(st.lists(st.sampled_from(names), max_size=8))) if names else set()
    once = replan(before, after, opened, now)
    twice = replan(once.result, after, opened, now)
    assert twice.is_empty
    assert twice.result == once.result


@given(anchors(), anchors(), st.data(), MOMENTS)
def test_no_visit_is_lost_or_doubled(old, new, data, now):
    before, after = of(old), of(new)
    names = sorted(one.name for one in before)
    opened = set(data.draw(st.lists(st.sampled_from(names), max_size=8))) if names else set()
    change = replan(before, after, opened, now)
    result = [one.name for one in change.result]
    fixed = {one.name: one for one in before if one.name in opened or one.closes < now}
    assert len(result) == len(set(result))
    assert set(result) == {one.name for one in after} | fixed.keys()
    assert all(one == fixed[one.name] for one in change.result if one.name in fixed)
    parts = [*change.kept, *(one for one, _ in change.moved), *change.dropped]
    assert sorted(one.name for one in parts) == names


@given(anchors())
def test_no_window_is_inverted_and_no_name_is_there_twice(any_anchors):
    found = of(any_anchors)
    assert len({one.name for one in found}) == len(found)
    assert all(one.opens <= one.due <= one.closes and one.opens < one.closes for one in found)
    assert all(len(one.visit) <= 64 for one in found)
