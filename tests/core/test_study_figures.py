"""Test figures from counts: quartiles, weeks, compliance, and their drawings."""

from __future__ import annotations

import statistics
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.figures.study_figures import (
    ExpectedFormCount,
    Figures,
    Quartiles,
    ScorePoint,
    alert_handling,
    figures_from_json,
    figures_to_json,
    last_mondays,
    most_frequent_rule,
    quartiles,
    rule_rows,
    score_points,
    visit_rows,
)
from pro.exports import study_chart

VALUES = st.lists(st.integers(0, 100), min_size=2, max_size=60)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({}, None),
        ({50.0: 0}, None),
        ({50.0: 1}, Quartiles(1, 50, 50, 50)),
        ({0.0: 1, 100.0: 1}, Quartiles(2, 25, 50, 75)),
        ({10.0: 1, 20.0: 1, 40.0: 1}, Quartiles(3, 15, 20, 30)),
        ({0.0: 3, 100.0: 1}, Quartiles(4, 0, 0, 25)),
    ],
)
def test_quartiles(counts: dict[float, int], found: Quartiles | None) -> None:
    assert quartiles(counts) == found


@given(VALUES)
def test_quartiles_of_counts_are_those_of_the_values(values: list[int]) -> None:
    counts: dict[float, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    found = quartiles(counts)
    assert found is not None
    wanted = statistics.quantiles(values, n=4, method="inclusive")
    assert (found.low, found.median, found.high) == pytest.approx(wanted)
    assert found.n == len(values)


def test_weeks_begin_on_monday_by_local_time() -> None:
    # Sunday evening in Greenwich is Monday in Shanghai.
    at = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
    assert last_mondays(at, "Asia/Shanghai", 2) == (date(2026, 11, 16), date(2026, 11, 23))
    assert last_mondays(at, "UTC", 2) == (date(2026, 11, 9), date(2026, 11, 16))


def test_visits_stand_as_in_the_plan_and_what_it_does_not_know_stands_last() -> None:
    def one(instrument: str, kind: str, number: int = 0) -> ExpectedFormCount:
        return ExpectedFormCount(
            instrument, kind, number, received=False, late=False, partial=False, reason="", count=1
        )

    lines = [one("q", "b"), one("c", "z"), one("c", "b", 10), one("c", "b", 9), one("c", "a")]
    found = visit_rows(lines, ("c", "q", "a", "b"))
    assert [(row.instrument, row.kind, row.number) for row in found] == [
        ("c", "a", 0),
        ("c", "b", 9),
        ("c", "b", 10),
        ("c", "z", 0),
        ("q", "b", 0),
    ]


def test_a_reason_counts_for_missed_forms_only() -> None:
    came = ExpectedFormCount("c", "a", 0, received=True, late=True, partial=False, reason="forgot", count=2)
    missed = ExpectedFormCount("c", "a", 0, received=False, late=False, partial=False, reason="forgot", count=3)
    (row,) = visit_rows([came, missed], ())
    assert (row.late, row.missed, row.reasons, row.compliance) == (2, 3, (("forgot", 3),), 0.0)


def test_a_missing_score_is_counted_and_never_zero() -> None:
    (point,) = score_points([("q", "a", 0, "PF", None, 4), ("q", "a", 0, "PF", 80.0, 1)], ())
    assert point == ScorePoint("q", "a", 0, "PF", Quartiles(1, 80, 80, 80), 4)
    (none,) = score_points([("q", "a", 0, "PF", None, 4)], ())
    assert (none.spread, none.missing) == (None, 4)


def test_rules_by_week_and_the_one_that_brings_most() -> None:
    rows, loud = rule_rows([("U09", 2, 1, 4), ("E01", 3, 1, 1), ("W02", 1, 1, 9), ("U09", 1, 0, 2)], 2)
    assert [(row.rule, row.level, row.weeks) for row in rows] == [
        ("W02", 1, (0, 9)),
        ("U09", 2, (2, 4)),
        ("E01", 3, (0, 1)),
    ]
    assert loud == (0, 5)
    found = Figures(1, 1, (), (), (), loud, rows, ())
    most = most_frequent_rule(found, [1])
    assert most is not None
    assert most.rule == "U09"
    assert most_frequent_rule(Figures(1, 1, (), (), (), (), (), ()), []) is None


def test_what_is_kept_is_read_as_it_was() -> None:
    figures = Figures(
        enrolled=3,
        active=2,
        visits=visit_rows([ExpectedFormCount("c", "a", 1, False, False, False, "forgot", 2)], ()),
        handling=alert_handling([(3, 5, 1)], [], {2: (1, 2)}),
        weeks=(date(2026, 11, 16),),
        loud=(4,),
        rules=rule_rows([("U09", 2, 0, 4)], 1)[0],
        points=score_points([("q", "a", 0, "PF", 80.0, 1), ("q", "b", 0, "PF", None, 1)], ()),
        left_out=1,
    )
    assert figures_from_json(figures_to_json(figures)) == figures


def test_bars_start_at_the_axis_and_the_planned_maximum_is_a_line() -> None:
    drawn = study_chart.week_chart([date(2026, 11, 9), date(2026, 11, 16)], [0, 9], 5)
    assert [(bar.y, bar.height, bar.over) for bar in drawn.bars] == [(120, 0, False), (30, 90, True)]
    assert drawn.line == 70
    assert study_chart.week_chart([date(2026, 11, 9)], [3], 0).line is None


def test_a_visit_without_a_score_breaks_the_line() -> None:
    low, high = Quartiles(1, 0, 0, 0), Quartiles(4, 50, 75, 100)
    drawn = study_chart.median_plot([low, high, None, low])
    assert [mark.place for mark in drawn.marks] == [1, 2, 4]
    assert [(mark.y, mark.top, mark.height) for mark in drawn.marks[:2]] == [(108, 108, 0), (33, 8, 50)]
    assert len(drawn.lines) == 1
    assert len(drawn.gaps) == 1
