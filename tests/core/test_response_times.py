"""Test response times and their drawing against figures counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pro.core.figures.response_times import MOST_DOTS, response_times
from pro.exports import study_chart

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_late_and_missing_responses_are_not_in_time() -> None:
    raised = NOW - timedelta(days=2)
    limit = 30 * MINUTE
    found = response_times(
        3,
        "acknowledge",
        30,
        [
            (raised, raised + limit, raised + 30 * MINUTE),
            (raised, raised + limit, raised + 31 * MINUTE),
            (raised, raised + limit, raised + 5 * MINUTE + timedelta(seconds=59)),
            # Never acknowledged, and its limit is over.
            (raised, raised + limit, None),
            # Not acknowledged yet: it may still be in time, so it counts for nothing.
            (NOW - MINUTE, NOW + 29 * MINUTE, None),
        ],
        NOW,
    )
    assert (found.n, found.median, found.in_time, found.due) == (3, 30.0, 2, 4)
    assert found.dots == (30, 31, 5)


def test_no_response_has_no_median() -> None:
    found = response_times(2, "contact", 1440, [], NOW)
    assert (found.n, found.median, found.in_time, found.due, found.dots) == (0, None, 0, 0, ())


def test_only_the_newest_dots_are_drawn_and_all_are_counted() -> None:
    alerts = [(NOW, NOW + MINUTE, NOW + number * MINUTE) for number in range(MOST_DOTS + 10)]
    found = response_times(2, "contact", 1440, alerts, NOW)
    assert found.n == MOST_DOTS + 10
    assert (len(found.dots), found.dots[0]) == (MOST_DOTS, 10)


def test_the_axis_is_logarithmic_and_holds_every_time() -> None:
    drawn = study_chart.response_plot([0, 1, 120, 14_400, 99_999], 1440)
    places = [x for x, _y in drawn.dots]
    assert places[0] == places[1] == study_chart.DOTS_LEFT
    assert places[3] == places[4] == study_chart.DOTS_LEFT + study_chart.DOTS_WIDE
    # 120 is the square root of 14,400: the middle of the axis.
    assert places[2] == study_chart.DOTS_LEFT + study_chart.DOTS_WIDE / 2
    assert drawn.limit is not None
    assert places[2] < drawn.limit < places[3]
    assert study_chart.response_plot([5], 0).limit is None
