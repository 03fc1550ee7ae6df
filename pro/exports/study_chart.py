"""Geometry of the charts of the study overview: alerts a week, median scores over visits, response times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pro.core.figures.study_figures import Quartiles

# In units of the drawing.
BAR_STEP, BAR_WIDTH, CHART_LEFT, BASELINE_Y, BAR_MAX_HEIGHT = 62, 40, 40, 180, 150
PLOT_WIDE, PLOT_TALL, PLOT_LEFT, PLOT_TOP, PLOT_RIGHT = 300, 100, 26, 8, 28
# A median of fewer values is not drawn.
LEAST_DRAWN = 3
# The response times from 1 minute on the left to 10 days on the right, on a logarithmic axis.
DOTS_LEFT, DOTS_WIDE, DOTS_LONGEST = 8, 400, 14_400
# Heights of the dots, in turn, so that equal times do not cover one another.
DOT_ROWS = (13, 8, 18, 10, 16)


@dataclass(frozen=True, slots=True)
class BarPart:
    """The alerts of one level in one week, a part of a bar."""

    level: int
    y: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class WeekBar:
    """The bar of one week; ``y``: its top. ``parts``: from the foot up, the highest level first.

    So the planned maximum of urgent and emergency alerts is compared with the lower parts.
    """

    x: float
    y: float
    count: int
    monday: date
    parts: tuple[BarPart, ...]


@dataclass(frozen=True, slots=True)
class WeekChart:
    """The bars of all weeks. ``line``: y of the planned maximum; None without one."""

    bars: tuple[WeekBar, ...]
    line: float | None
    width: int


@dataclass(frozen=True, slots=True)
class MedianMark:
    """One visit of a plot: median at ``y``; the quartiles span ``height`` from ``top`` down."""

    x: float
    y: float
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class MedianPlot:
    """Medians over visits.

    ``lines``: points of adjacent visits with a median, for one polyline each. ``places``: x of every visit. ``zone``:
    (y, height) of the clinically important side, None without a threshold.
    """

    marks: tuple[MedianMark, ...]
    lines: tuple[str, ...]
    places: tuple[float, ...]
    zone: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ResponsePlot:
    """Response times as dots. ``limit``: x of the limit; None if it differs from alert to alert."""

    dots: tuple[tuple[float, int], ...]
    limit: float | None


def week_chart(mondays: Sequence[date], levels: Sequence[tuple[int, Sequence[int]]], alert_limit: int) -> WeekChart:
    """Compute one bar a week, with a part for each of ``levels`` (level, counts), the highest level at the foot.

    ``alert_limit``: planned maximum of alerts a week (0: none). The highest bar or the limit has the full height.
    """
    totals = [sum(counts[place] for _level, counts in levels) for place in range(len(mondays))]
    most = max(*totals, alert_limit, 1)
    bars = []
    for place, (monday, total) in enumerate(zip(mondays, totals, strict=True)):
        parts: list[BarPart] = []
        y = float(BASELINE_Y)
        for level, counts in sorted(levels, reverse=True):
            if counts[place]:
                height = round(BAR_MAX_HEIGHT * counts[place] / most, 1)
                y = round(y - height, 1)
                parts.append(BarPart(level, y, height, counts[place]))
        bars.append(WeekBar(CHART_LEFT + BAR_STEP * place, y, total, monday, tuple(parts)))
    line = round(BASELINE_Y - BAR_MAX_HEIGHT * alert_limit / most, 1) if alert_limit else None
    return WeekChart(tuple(bars), line, CHART_LEFT + BAR_STEP * len(bars))


def median_plot(
    spreads: Sequence[Quartiles | None], threshold: int | None = None, *, higher_is_better: bool = True
) -> MedianPlot:
    """Compute the plot of scores from 0 (bottom) to 100 (top), visits from left to right.

    A visit with fewer than LEAST_DRAWN scores, or without any, interrupts the line.
    """
    step = (PLOT_WIDE - PLOT_LEFT - PLOT_RIGHT - 12) / max(1, len(spreads) - 1)
    marks, lines, places = [], [[]], []  # type: tuple[list[MedianMark], list[list[str]], list[float]]
    for place, spread in enumerate(spreads):
        x = round(PLOT_LEFT + 10 + step * place, 1)
        places.append(x)
        if spread is None or spread.n < LEAST_DRAWN:
            lines.append([])
            continue
        y, top, foot = _score_y(spread.median), _score_y(spread.high), _score_y(spread.low)
        marks.append(MedianMark(x, y, top, round(foot - top, 1)))
        lines[-1].append(f"{x},{y}")
    zone = None
    if threshold is not None:
        at = _score_y(threshold)
        zone = (at, _score_y(0) - at) if higher_is_better else (_score_y(100), at - _score_y(100))
    return MedianPlot(tuple(marks), tuple(" ".join(line) for line in lines if len(line) > 1), tuple(places), zone)


def response_plot(minutes: Sequence[int], limit: int) -> ResponsePlot:
    """Compute a dot for each response time; ``limit``: minutes, 0 for none."""
    dots = tuple((minutes_x(took), DOT_ROWS[place % len(DOT_ROWS)]) for place, took in enumerate(minutes))
    return ResponsePlot(dots, minutes_x(limit) if limit else None)


def minutes_x(minutes: float) -> float:
    """Return the x of a time on the logarithmic axis; times beyond its ends lie on its ends."""
    inside = min(max(minutes, 1), DOTS_LONGEST)
    return round(DOTS_LEFT + DOTS_WIDE * math.log(inside) / math.log(DOTS_LONGEST), 1)


def _score_y(score: float) -> float:
    return round(PLOT_TOP + PLOT_TALL * (100 - score) / 100, 1)
