"""Test the stopping rule: which ulcers count, which limits are reached, and monotonicity."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.clinical.stopping_rule import (
    Counts,
    StoppingRule,
    StoppingStep,
    endoscopy_overdue_from,
    stopping_state,
    ulcer_counts,
)

RULE = StoppingRule(
    of=23,
    treated="induction_day1",
    ctcae_grade=3,
    steps=(StoppingStep("pause", 3, 10), StoppingStep("stop", 6, 23)),
    decision="cr_decision",
    decision_days=7,
    endoscopy_days=3,
    demonstration=True,
)
NO: Counts = "no"
ASK: Counts = "unknown"
YES: Counts = "yes"


@pytest.mark.parametrize(
    ("confirmed", "grades", "said"),
    [
        (False, [], NO),
        (False, [4], NO),
        (True, [], ASK),
        (True, [None], ASK),
        (True, [2], NO),
        (True, [2, None], ASK),
        (True, [3], YES),
        (True, [None, 2, 4], YES),
        (True, [5], YES),
    ],
)
def test_a_confirmed_ulcer_counts_by_its_grade_and_is_unknown_without_one(confirmed, grades, said):
    assert ulcer_counts(confirmed=confirmed, grades=grades, least=3) == said


@pytest.mark.parametrize(
    ("confirmed", "grades", "judged", "said"),
    [
        # Graded by a clinician without a recorded ulcer: it may count.
        (False, [], [3], ASK),
        (False, [], [2], NO),
        (True, [], [3], YES),
        (True, [None], [4], YES),
        (True, [2], [3], YES),
        (True, [], [2], NO),
        # The endoscopic finding has no grade yet.
        (True, [None], [2], ASK),
    ],
)
def test_a_signed_grading_counts_beside_endoscopies(confirmed, grades, judged, said):
    assert ulcer_counts(confirmed=confirmed, grades=grades, judged=judged, least=3) == said


@pytest.mark.parametrize(
    ("treated", "unplaced", "reached", "upcoming", "left", "possible"),
    [
        ([], [], None, "pause", 3, False),
        ([NO] * 10, [], None, "pause", 3, False),
        ([YES, YES, *[NO] * 8], [], None, "pause", 1, False),
        ([YES, YES, ASK], [], None, "pause", 1, True),
        ([YES, YES, NO], [YES], None, "pause", 1, True),
        ([YES] * 3, [], "pause", "stop", 3, False),
        # The eleventh is not one of the first ten.
        ([*[NO] * 8, YES, YES, YES], [], None, "pause", 1, False),
        ([*[NO] * 17, *[YES] * 6], [], "stop", "pause", 3, False),
        ([YES] * 6, [], "stop", None, 0, False),
    ],
)
def test_which_step_is_reached_and_how_far_the_next_one_is(treated, unplaced, reached, upcoming, left, possible):
    found = stopping_state(RULE, treated, unplaced)
    assert (found.reached.step.id if found.reached else None) == reached
    assert (found.next.step.id if found.next else None) == upcoming
    if found.next:
        assert (found.next.left, found.next.possibly_reached) == (left, possible)


def test_numbers_of_a_reading():
    found = stopping_state(RULE, [YES, NO, ASK], [NO, ASK])
    assert (found.treated, found.counted, found.unknown, found.unplaced) == (3, 1, 2, 1)
    assert [(one.counted, one.unknown, one.treated) for one in found.steps] == [(1, 2, 3), (1, 2, 3)]
    assert [one.treated for one in stopping_state(RULE, [NO] * 12).steps] == [10, 12]


people = st.lists(st.sampled_from([NO, ASK, YES]), max_size=30)
AT_LEAST: dict[Counts, list[Counts]] = {NO: [NO, ASK, YES], ASK: [ASK, YES], YES: [YES]}


@given(people, st.data())
def test_worse_news_never_takes_a_step_back(treated, data):
    worse = [data.draw(st.sampled_from(AT_LEAST[one])) for one in treated] + data.draw(people)
    before, after = stopping_state(RULE, treated), stopping_state(RULE, worse)
    for old, new in zip(before.steps, after.steps, strict=True):
        assert new.counted >= old.counted
        assert new.left <= old.left
        assert new.reached >= old.reached
        assert new.reached or new.possibly_reached or not (old.reached or old.possibly_reached)


def test_an_endoscopy_is_late_after_its_days():
    assert endoscopy_overdue_from(RULE, date(2026, 3, 2)) == date(2026, 3, 6)
