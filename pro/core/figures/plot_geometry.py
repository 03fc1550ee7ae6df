"""Plot geometry: pixel positions of days and scores for SVG templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

# Timeline, in pixels: room on the left for the names of the lanes, on the right for "now"; minimum width of a desktop
# screen.
LEFT, RIGHT = 104.0, 56.0
LEAST_WIDTH = 1000.0
# Pixels a week: wide enough to separate fractions in a short course, narrow enough to print three years on one page.
WIDEST_WEEK, NARROWEST_WEEK = 110.0, 9.0
# The axis counts weeks up to this number of weeks, months beyond it.
WEEKS_SHOWN = 20
TICK_ROOM = 60.0
# Days without a fraction after which a break in radiotherapy begins; a weekend is no break.
PAUSE_DAYS = 3


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A tick of the axis; ``named``: there is room for its name.

    ``number``: the week (0 = baseline) or month since the origin.
    """

    x: float
    number: int
    named: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """A time axis from ``first`` to ``last``; ``origin`` is day 0.

    ``unit``: what the ticks count. ``per_day``: pixels a day.
    """

    first: date
    last: date
    origin: date
    unit: Literal["week", "month"]
    per_day: float

    @property
    def width(self) -> float:
        """The width of the whole drawing, in pixels."""
        return round(max(LEAST_WIDTH, LEFT + RIGHT + self.per_day * (self.last - self.first).days), 1)

    def x(self, on: date) -> float:
        """Return the x of a day, in pixels; a day outside the axis is placed at its end."""
        on = min(max(on, self.first), self.last)
        return round(LEFT + self.per_day * (on - self.first).days, 1)

    @property
    def ticks(self) -> tuple[AxisTick, ...]:
        """The ticks, each named where the name before it leaves room."""
        found: list[AxisTick] = []
        next_free = 0.0
        for number in range(-12, 2000):
            on = (self.origin.toordinal() + 7 * number) if self.unit == "week" else _month(self.origin, number)
            if on < self.first.toordinal():
                continue
            if on > self.last.toordinal():
                break
            x = self.x(date.fromordinal(on))
            found.append(AxisTick(x, number, x >= next_free))
            next_free = x + TICK_ROOM if x >= next_free else next_free
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PlotMark:
    """One shape for all events (indexes in ``of``) that are closer together than its width."""

    x: float
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayRun:
    """Doses given on consecutive days: numbers ``first`` to ``last``."""

    first: int
    last: int
    starts: date
    ends: date


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A bar on the timeline, in pixels; ``fits_label``: its label fits into it."""

    x: float
    width: float
    fits_label: bool


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """One score of a trend; ``y`` None: missing; ``label``: there is room to say so."""

    x: float
    y: float | None
    label: bool = False


@dataclass(frozen=True, slots=True)
class TrendPlot:
    """A small plot of scores of 0 to 100, in pixels.

    ``lines``: polylines, interrupted where a score is missing. ``zone``: (y, height) of the clinically important side.
    """

    points: tuple[PlotPoint, ...]
    lines: tuple[str, ...]
    base: float | None
    threshold: float | None
    zone: tuple[float, float] | None
    last: PlotPoint | None


# A small plot, in pixels: its area from X0 to X1; a score of 100 is at TOP, 0 at BOTTOM.
X0, X1, INSET = 26.0, 222.0, 6.0
TOP, BOTTOM = 8.0, 88.0
LABEL_ROOM = 16.0


def make_axis(days: Iterable[date], origin: date) -> Axis:
    """Return the axis that contains all ``days`` and ``origin``."""
    known = sorted({*days, origin})
    first, last = known[0], known[-1]
    span = max((last - first).days, 1)
    room = (LEAST_WIDTH - LEFT - RIGHT) / span
    per_day = min(max(room, NARROWEST_WEEK / 7), WIDEST_WEEK / 7)
    return Axis(first, last, origin, "week" if span <= WEEKS_SHOWN * 7 else "month", per_day)


def plot_marks(axis_: Axis, days: Sequence[date], width: float) -> tuple[PlotMark, ...]:
    """Return the shapes of ``days`` (in order); shapes that would overlap become one.

    The combined shape is at the first of its days. ``width``: of a shape, in pixels.
    """
    found: list[tuple[float, list[int]]] = []
    for index, on in enumerate(days):
        x = axis_.x(on)
        if found and x - found[-1][0] < width:
            found[-1][1].append(index)
        else:
            found.append((x, [index]))
    return tuple(PlotMark(x, tuple(of)) for x, of in found)


def day_runs(given: Iterable[tuple[int, date]]) -> tuple[DayRun, ...]:
    """Return (number, day) of a treatment as runs.

    A run ends before a break of more than ``PAUSE_DAYS`` days, and before a skipped number.
    """
    found: list[DayRun] = []
    for number, on in sorted(given, key=lambda one: (one[1], one[0])):
        before = found[-1] if found else None
        if before and (on - before.ends).days <= PAUSE_DAYS and number == before.last + 1:
            found[-1] = DayRun(before.first, number, before.starts, on)
        else:
            found.append(DayRun(number, number, on, on))
    return tuple(found)


def weekly_runs(found: Iterable[DayRun], axis_: Axis, given: Iterable[tuple[int, date]]) -> tuple[DayRun, ...]:
    """Return the runs by calendar week if a week has room for a name, else unchanged."""
    if axis_.per_day * 7 < TICK_ROOM:
        return tuple(found)
    weeks: dict[tuple[int, int], list[tuple[int, date]]] = {}
    for number, on in given:
        weeks.setdefault(on.isocalendar()[:2], []).append((number, on))
    return tuple(run for _week, part in sorted(weeks.items()) for run in day_runs(part))


def timeline_bar(axis_: Axis, starts: date, ends: date, letters: int = 6) -> TimelineBar:
    """Return the bar from the start of one day to the end of another.

    ``letters``: length of its label, at most.
    """
    x = axis_.x(starts)
    width = max(axis_.x(ends) - x + axis_.per_day * 0.8, 5.0)
    return TimelineBar(x, round(width, 1), width >= letters * 9)


def score_y(value: float) -> float:
    """Return the y of a score of 0 to 100, in pixels."""
    return round(BOTTOM - (BOTTOM - TOP) * value / 100, 1)


def trend_plot(
    values: Sequence[tuple[date, float | None]],
    baseline: float | None,
    threshold: float | None,
    important_below: bool,
) -> TrendPlot:
    """Return a small plot of scores by day (in order), from the first day to the last.

    ``important_below``: the clinically important side of ``threshold`` is below it; else above.
    """
    days = [on.toordinal() for on, _value in values]
    span = max(days[-1] - days[0], 1) if days else 1
    left, right = X0 + INSET, X1 - INSET
    points: list[PlotPoint] = []
    next_free = 0.0
    for number, (_on, value) in zip(days, values, strict=True):
        x = round(left + (right - left) * (number - days[0]) / span, 1)
        label = value is None and x >= next_free
        next_free = x + LABEL_ROOM if label else next_free
        points.append(PlotPoint(x, None if value is None else score_y(value), label))
    edge = score_y(threshold) if threshold is not None else None
    zone = None
    if edge is not None:
        zone = (edge, round(BOTTOM - edge, 1)) if important_below else (TOP, round(edge - TOP, 1))
    known = [point for point in points if point.y is not None]
    return TrendPlot(
        points=tuple(points),
        lines=_lines(points),
        base=score_y(baseline) if baseline is not None else None,
        threshold=edge,
        zone=zone,
        last=known[-1] if known else None,
    )


def _lines(points: Sequence[PlotPoint]) -> tuple[str, ...]:
    """Return the polylines of the points, interrupted where a score is missing."""
    parts: list[list[str]] = [[]]
    for point in points:
        if point.y is None:
            parts.append([])
        else:
            parts[-1].append(f"{point.x},{point.y}")
    return tuple(" ".join(part) for part in parts if len(part) > 1)


def _month(origin: date, number: int) -> int:
    """Return the day ``number`` months after ``origin``, as an ordinal.

    The 31st becomes the last day of a shorter month.
    """
    year, month = divmod(origin.month - 1 + number, 12)
    first = date(origin.year + year, month + 1, 1)
    following = date(first.year + month // 11, (month + 1) % 12 + 1, 1)
    return min(first.toordinal() + origin.day - 1, following.toordinal() - 1)
