"""The drawings of the cohort page as numbers: bars of the weeks, medians of a score over the visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pro.core.figures.cohort_figures import Spread

# In units of the drawing.
STEP, BAR, LEFT, FLOOR, TALL = 62, 40, 40, 120, 90
PLOT_WIDE, PLOT_TALL, PLOT_LEFT, PLOT_TOP = 240, 100, 26, 8


@dataclass(frozen=True, slots=True)
class WeekBar:
    """One week. ``over``: more than the budget."""

    x: float
    y: float
    height: float
    count: int
    monday: date
    over: bool


@dataclass(frozen=True, slots=True)
class Weeks:
    """The weeks as bars; ``line``: the height of the budget, None without one. ``width``: of the whole drawing."""

    bars: tuple[WeekBar, ...]
    line: float | None
    width: int


@dataclass(frozen=True, slots=True)
class MedianMark:
    """One visit of a plot: the median at ``y``, the quartiles from ``top`` over ``height``."""

    x: float
    y: float
    top: float
    height: float
    place: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Medians over visits. ``lines``: points of unbroken stretches, for a polyline. ``gaps``: x of visits without."""

    marks: tuple[MedianMark, ...]
    lines: tuple[str, ...]
    gaps: tuple[float, ...]


def weeks(mondays: Sequence[date], counts: Sequence[int], budget: int) -> Weeks:
    """A bar a week; the tallest, or the budget if that is more, fills the drawing."""
    most = max(*counts, budget, 1)
    bars = tuple(
        WeekBar(
            x=LEFT + STEP * place,
            y=round(FLOOR - TALL * count / most, 1),
            height=round(TALL * count / most, 1),
            count=count,
            monday=monday,
            over=bool(budget) and count > budget,
        )
        for place, (monday, count) in enumerate(zip(mondays, counts, strict=True))
    )
    line = round(FLOOR - TALL * budget / most, 1) if budget else None
    return Weeks(bars, line, LEFT + STEP * len(bars))


def plot(spreads: Sequence[Spread | None]) -> Plot:
    """Scores from 0 (below) to 100 (on top), the visits from left to right. A visit without a score breaks the line."""
    step = (PLOT_WIDE - PLOT_LEFT - 16) / max(1, len(spreads) - 1)
    marks, lines, gaps = [], [[]], []  # type: tuple[list[MedianMark], list[list[str]], list[float]]
    for place, spread in enumerate(spreads):
        x = round(PLOT_LEFT + 6 + step * place, 1)
        if spread is None:
            gaps.append(x)
            lines.append([])
            continue
        y, top, foot = _y(spread.median), _y(spread.high), _y(spread.low)
        marks.append(MedianMark(x, y, top, round(foot - top, 1), place + 1))
        lines[-1].append(f"{x},{y}")
    return Plot(tuple(marks), tuple(" ".join(line) for line in lines if len(line) > 1), tuple(gaps))


def _y(score: float) -> float:
    return round(PLOT_TOP + PLOT_TALL * (100 - score) / 100, 1)
