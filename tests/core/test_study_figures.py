"""Test figures from counts: quartiles, weeks, compliance, and their drawings."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.figures.response_times import ResponseTimes
from pro.core.figures.study_figures import (
    ExpectedFormCount,
    Figures,
    Quartiles,
    ScorePoint,
    UlcerFigures,
    alert_handling,
    figures_from_json,
    figures_to_json,
    last_mondays,
    level_rows,
    most_frequent_rule,
    quartiles,
    rule_rows,
    score_points,
    visit_rows,
)
from pro.core.figures.symptom_shares import SymptomCell, SymptomPeriod, SymptomShareRow
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
        levels=level_rows([("U09", 2, 0, 4)], 1),
        responses=(ResponseTimes(2, "contact", 1440, 1, 25.0, 1, 1, (25,)),),
        periods=(SymptomPeriod("radiotherapy", 1, 1, 3),),
        symptoms=(SymptomShareRow("sores", (SymptomCell(1, 3),)),),
        ulcers=UlcerFigures(1, 2, 3),
    )
    assert figures_from_json(json.loads(json.dumps(figures_to_json(figures)))) == figures
    assert figures_from_json(figures_to_json(figures)) == figures


def test_bars_start_at_the_axis_and_the_planned_maximum_is_a_line() -> None:
    drawn = study_chart.week_chart([date(2026, 11, 9), date(2026, 11, 16)], [(3, (0, 1)), (2, (0, 4)), (1, (0, 10))], 5)
    empty, full = drawn.bars
    assert (empty.y, empty.count, empty.parts) == (180, 0, ())
    # Emergencies at the foot, then urgent ones: these two are what the planned maximum counts.
    assert [(part.level, part.y, part.height, part.count) for part in full.parts] == [
        (3, 170, 10, 1),
        (2, 130, 40, 4),
        (1, 30, 100, 10),
    ]
    assert (full.y, full.count) == (30, 15)
    assert drawn.line == 130
    assert study_chart.week_chart([date(2026, 11, 9)], [(2, (3,))], 0).line is None


def test_a_visit_without_a_score_or_with_two_scores_breaks_the_line() -> None:
    low, high, two = Quartiles(3, 0, 0, 0), Quartiles(4, 50, 75, 100), Quartiles(2, 0, 50, 100)
    drawn = study_chart.median_plot([low, high, None, low, two, high])
    assert [(mark.y, mark.top, mark.height) for mark in drawn.marks] == [
        (108, 108, 0),
        (33, 8, 50),
        (108, 108, 0),
        (33, 8, 50),
    ]
    assert len(drawn.lines) == 1
    assert len(drawn.places) == 6
    assert [mark.x for mark in drawn.marks] == [drawn.places[place] for place in (0, 1, 3, 5)]


def test_the_important_side_of_a_threshold_is_shaded() -> None:
    known = Quartiles(3, 0, 0, 0)
    assert study_chart.median_plot([known], 83).zone == (25, 83)
    assert study_chart.median_plot([known], 39, higher_is_better=False).zone == (8, 61)
    assert study_chart.median_plot([known]).zone is None


def test_alerts_a_week_by_level_leave_no_alert_out() -> None:
    rows = level_rows([("W02", 1, 0, 3), ("W02", 1, 1, 9), ("U09", 2, 0, 2), ("E01", 3, 1, 1), ("U01", 2, 0, 1)], 2)
    assert [(row.level, row.weeks) for row in rows] == [(3, (0, 1)), (2, (3, 0)), (1, (3, 9))]
