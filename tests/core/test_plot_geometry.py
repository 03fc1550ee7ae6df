"""Test the positions in a drawing, for known days and scores."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.figures import plot_geometry
from pro.core.figures.plot_geometry import DayRun

START = date(2026, 12, 21)
DAYS = st.integers(0, 1200).map(lambda number: START + timedelta(days=number))


def later(number: int) -> date:
    """Return the day this many days after the start."""
    return START + timedelta(days=number)


def test_a_short_course_fills_the_screen_and_counts_weeks():
    axis = plot_geometry.make_axis([later(-7), later(70)], START)
    assert (axis.unit, axis.width) == ("week", 1000.0)
    assert [axis.x(later(number)) for number in (-7, 0, 70)] == [104.0, 180.4, 944.0]
    assert axis.x(later(500)) == 944.0
    assert [tick.number for tick in axis.ticks] == list(range(-1, 11))
    assert all(tick.named for tick in axis.ticks)


def test_three_years_count_months_and_stay_printable():
    axis = plot_geometry.make_axis([later(-7), later(1095)], START)
    assert (axis.unit, axis.width) == ("month", 1576.9)
    months = axis.ticks
    assert [tick.number for tick in months] == list(range(36))
    named = [tick.x for tick in months if tick.named]
    assert min(after - before for before, after in pairwise(named)) >= plot_geometry.TICK_ROOM


def test_a_month_after_the_thirty_first_is_the_last_day_of_the_next():
    axis = plot_geometry.make_axis([date(2027, 1, 31), date(2027, 12, 31)], date(2027, 1, 31))
    assert axis.ticks[1].x == axis.x(date(2027, 2, 28))
    assert axis.ticks[11].x == axis.x(date(2027, 12, 31))


@given(st.lists(DAYS, min_size=1, max_size=60), DAYS)
def test_every_day_has_its_place_and_order(days, origin):
    axis = plot_geometry.make_axis(days, origin)
    places = [axis.x(on) for on in sorted(days)]
    assert places == sorted(places)
    assert places[0] >= plot_geometry.LEFT
    assert places[-1] <= axis.width - plot_geometry.RIGHT + 0.1


@given(st.lists(DAYS, max_size=60).map(sorted))
def test_every_thing_is_in_one_mark_and_marks_do_not_touch(days):
    axis = plot_geometry.make_axis([*days, later(1200)], START)
    marks = plot_geometry.plot_marks(axis, days, 9)
    assert [index for mark in marks for index in mark.of] == list(range(len(days)))
    assert all(after.x - before.x >= 9 for before, after in pairwise(marks))


def test_fractions_run_over_a_weekend_and_break_at_a_pause_or_a_number_left_out():
    days = [(1, later(0)), (2, later(1)), (3, later(4)), (4, later(9)), (6, later(10))]
    assert plot_geometry.day_runs(days) == (
        DayRun(1, 3, later(0), later(4)),
        DayRun(4, 4, later(9), later(9)),
        DayRun(6, 6, later(10), later(10)),
    )


@pytest.mark.parametrize(("score", "y"), [(0, 88.0), (50, 48.0), (100, 8.0), (83, 21.6), (66.667, 34.7)])
def test_a_score_stands_where_it_should(score, y):
    assert plot_geometry.score_y(score) == y


def test_a_missing_score_breaks_the_line_and_is_said():
    values = [(later(0), 94.0), (later(20), None), (later(25), 81.0), (later(40), 66.0)]
    trend = plot_geometry.trend_plot(values, 94.0, None, True)
    assert [(point.x, point.y) for point in trend.points] == [(32.0, 12.8), (124.0, None), (147.0, 23.2), (216.0, 35.2)]
    assert trend.lines == ("147.0,23.2 216.0,35.2",)
    assert trend.points[1].label
    assert (trend.base, trend.zone, trend.threshold) == (12.8, None, None)
    assert trend.last == trend.points[-1]


def test_the_shaded_side_is_below_for_a_function_and_above_for_a_symptom():
    values = [(later(0), 50.0)]
    assert plot_geometry.trend_plot(values, None, 83, True).zone == (21.6, 66.4)
    assert plot_geometry.trend_plot(values, None, 25, False).zone == (8.0, 60.0)


def test_nothing_known_draws_nothing():
    empty = plot_geometry.trend_plot([], None, 50, True)
    assert (empty.points, empty.lines, empty.last, empty.base) == ((), (), None, None)
    missing = plot_geometry.trend_plot([(later(0), None), (later(1), None)], None, None, True)
    assert (missing.lines, missing.last) == ((), None)


@given(
    st.lists(st.tuples(DAYS, st.none() | st.floats(0, 100)), max_size=40).map(
        lambda rows: sorted(rows, key=lambda row: row[0])
    )
)
def test_every_known_score_is_drawn_once_inside(values):
    trend = plot_geometry.trend_plot(values, None, None, True)
    known = [point for point in trend.points if point.y is not None]
    assert len(known) == sum(value is not None for _on, value in values)
    assert all(plot_geometry.X0 <= point.x <= plot_geometry.X1 for point in trend.points)
    assert all(plot_geometry.TOP <= (point.y or plot_geometry.TOP) <= plot_geometry.BOTTOM for point in known)
