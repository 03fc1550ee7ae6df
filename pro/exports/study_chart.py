"""Geometry of the charts of the study overview: alerts a week, median scores over visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pro.core.figures.study_figures import Quartiles

# In units of the drawing.
BAR_STEP, BAR_WIDTH, CHART_LEFT, BASELINE_Y, BAR_MAX_HEIGHT = 62, 40, 40, 120, 90
PLOT_WIDE, PLOT_TALL, PLOT_LEFT, PLOT_TOP = 240, 100, 26, 8


@dataclass(frozen=True, slots=True)
class WeekBar:
    """The bar of one week. ``over``: more alerts than the planned maximum."""

    x: float
    y: float
    height: float
    count: int
    monday: date
    over: bool


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
    place: int


@dataclass(frozen=True, slots=True)
class MedianPlot:
    """Medians over visits.

    ``lines``: points of adjacent visits with a median, for one polyline each. ``gaps``: x of visits without a median.
    """

    marks: tuple[MedianMark, ...]
    lines: tuple[str, ...]
    gaps: tuple[float, ...]


def week_chart(mondays: Sequence[date], counts: Sequence[int], alert_limit: int) -> WeekChart:
    """Compute one bar a week.

    ``alert_limit``: planned maximum of alerts a week (0: none). The highest bar or the limit has the full height.
    """
    most = max(*counts, alert_limit, 1)
    bars = tuple(
        WeekBar(
            x=CHART_LEFT + BAR_STEP * place,
            y=round(BASELINE_Y - BAR_MAX_HEIGHT * count / most, 1),
            height=round(BAR_MAX_HEIGHT * count / most, 1),
            count=count,
            monday=monday,
            over=bool(alert_limit) and count > alert_limit,
        )
        for place, (monday, count) in enumerate(zip(mondays, counts, strict=True))
    )
    line = round(BASELINE_Y - BAR_MAX_HEIGHT * alert_limit / most, 1) if alert_limit else None
    return WeekChart(bars, line, CHART_LEFT + BAR_STEP * len(bars))


def median_plot(spreads: Sequence[Quartiles | None]) -> MedianPlot:
    """Compute the plot of scores from 0 (bottom) to 100 (top), visits from left to right.

    A visit without scores (None) interrupts the line.
    """
    step = (PLOT_WIDE - PLOT_LEFT - 16) / max(1, len(spreads) - 1)
    marks, lines, gaps = [], [[]], []  # type: tuple[list[MedianMark], list[list[str]], list[float]]
    for place, spread in enumerate(spreads):
        x = round(PLOT_LEFT + 6 + step * place, 1)
        if spread is None:
            gaps.append(x)
            lines.append([])
            continue
        y, top, foot = _score_y(spread.median), _score_y(spread.high), _score_y(spread.low)
        marks.append(MedianMark(x, y, top, round(foot - top, 1), place + 1))
        lines[-1].append(f"{x},{y}")
    return MedianPlot(tuple(marks), tuple(" ".join(line) for line in lines if len(line) > 1), tuple(gaps))


def _score_y(score: float) -> float:
    return round(PLOT_TOP + PLOT_TALL * (100 - score) / 100, 1)
