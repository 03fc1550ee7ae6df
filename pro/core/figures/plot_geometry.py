"""Where things stand in a drawing: days and scores become numbers of pixels. Templates put them into SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

# A timeline: pixels to the left for the lanes' names, to the right for "now"; never narrower than a desk's screen.
LEFT, RIGHT = 104.0, 56.0
LEAST_WIDTH = 1000.0
# Pixels of a week: enough to tell fractions apart in a short course, few enough to print three years on one sheet.
WIDEST_WEEK, NARROWEST_WEEK = 110.0, 9.0
# Up to so many weeks the axis counts weeks, beyond it months.
WEEKS_SHOWN = 20
TICK_ROOM = 60.0
# A break in radiotherapy begins after so many days without a fraction: a weekend is none.
PAUSE_DAYS = 3


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A line of the axis. ``number``: of the week (0 = baseline) or month since the origin. ``named``: has room."""

    x: float
    number: int
    named: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """A time axis from ``first`` to ``last``, ``origin`` being its day 0. ``unit``: what its ticks count."""

    first: date
    last: date
    origin: date
    unit: Literal["week", "month"]
    per_day: float

    @property
    def width(self) -> float:
        """Of the whole drawing."""
        return round(max(LEAST_WIDTH, LEFT + RIGHT + self.per_day * (self.last - self.first).days), 1)

    def x(self, on: date) -> float:
        """Where a day stands; days off the axis stand at its end."""
        on = min(max(on, self.first), self.last)
        return round(LEFT + self.per_day * (on - self.first).days, 1)

    @property
    def ticks(self) -> tuple[AxisTick, ...]:
        """The lines, each named where the name before it leaves room."""
        found: list[AxisTick] = []
        free = 0.0
        for number in range(-12, 2000):
            on = (self.origin.toordinal() + 7 * number) if self.unit == "week" else _month(self.origin, number)
            if on < self.first.toordinal():
                continue
            if on > self.last.toordinal():
                break
            x = self.x(date.fromordinal(on))
            found.append(AxisTick(x, number, x >= free))
            free = x + TICK_ROOM if x >= free else free
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PlotMark:
    """One shape for the things (their indexes in ``of``) that stand closer together than a shape is wide."""

    x: float
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DayRun:
    """Something given on days that follow each other: numbers ``first`` to ``last``."""

    first: int
    last: int
    starts: date
    ends: date


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A stretch of the axis. ``roomy``: words fit into it."""

    x: float
    width: float
    fits_label: bool


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """One score of a trend; ``y`` None where it is missing. ``label``: there is room to say so."""

    x: float
    y: float | None
    label: bool = False


@dataclass(frozen=True, slots=True)
class TrendPlot:
    """A small plot of 0 to 100. ``lines``: polylines, broken where a score is missing. ``zone``: (y, height)."""

    points: tuple[PlotPoint, ...]
    lines: tuple[str, ...]
    base: float | None
    threshold: float | None
    zone: tuple[float, float] | None
    last: PlotPoint | None


# A small plot: its inside from X0 to X1; 100 stands at TOP, 0 at BOTTOM.
X0, X1, INSET = 26.0, 222.0, 6.0
TOP, BOTTOM = 8.0, 88.0
LABEL_ROOM = 16.0


def make_axis(days: Iterable[date], origin: date) -> Axis:
    """The axis that holds all ``days``."""
    known = sorted({*days, origin})
    first, last = known[0], known[-1]
    span = max((last - first).days, 1)
    room = (LEAST_WIDTH - LEFT - RIGHT) / span
    per_day = min(max(room, NARROWEST_WEEK / 7), WIDEST_WEEK / 7)
    return Axis(first, last, origin, "week" if span <= WEEKS_SHOWN * 7 else "month", per_day)


def plot_marks(axis_: Axis, days: Sequence[date], width: float) -> tuple[PlotMark, ...]:
    """The shapes of ``days`` (in order): those that would cover each other become one, where the first of them is."""
    found: list[tuple[float, list[int]]] = []
    for index, on in enumerate(days):
        x = axis_.x(on)
        if found and x - found[-1][0] < width:
            found[-1][1].append(index)
        else:
            found.append((x, [index]))
    return tuple(PlotMark(x, tuple(of)) for x, of in found)


def day_runs(given: Iterable[tuple[int, date]]) -> tuple[DayRun, ...]:
    """(number, day) of a treatment as runs: a new one begins after a pause or where a number was left out."""
    found: list[DayRun] = []
    for number, on in sorted(given, key=lambda one: (one[1], one[0])):
        before = found[-1] if found else None
        if before and (on - before.ends).days <= PAUSE_DAYS and number == before.last + 1:
            found[-1] = DayRun(before.first, number, before.starts, on)
        else:
            found.append(DayRun(number, number, on, on))
    return tuple(found)


def weekly_runs(found: Iterable[DayRun], axis_: Axis, given: Iterable[tuple[int, date]]) -> tuple[DayRun, ...]:
    """Runs by calendar week where a week has room for a name, else as they are."""
    if axis_.per_day * 7 < TICK_ROOM:
        return tuple(found)
    weeks: dict[tuple[int, int], list[tuple[int, date]]] = {}
    for number, on in given:
        weeks.setdefault(on.isocalendar()[:2], []).append((number, on))
    return tuple(run for _week, part in sorted(weeks.items()) for run in day_runs(part))


def timeline_bar(axis_: Axis, starts: date, ends: date, letters: int = 6) -> TimelineBar:
    """From the beginning of one day to the end of another. ``letters``: how many stand in it, if they fit."""
    x = axis_.x(starts)
    width = max(axis_.x(ends) - x + axis_.per_day * 0.8, 5.0)
    return TimelineBar(x, round(width, 1), width >= letters * 9)


def score_y(value: float) -> float:
    """Where a score of 0 to 100 stands."""
    return round(BOTTOM - (BOTTOM - TOP) * value / 100, 1)


def trend_plot(
    values: Sequence[tuple[date, float | None]],
    baseline: float | None,
    threshold: float | None,
    important_below: bool,
) -> TrendPlot:
    """A small plot of scores by day (in order), from the first day to the last.

    ``important_below``: the important side of ``threshold`` is below it; else above.
    """
    days = [on.toordinal() for on, _value in values]
    span = max(days[-1] - days[0], 1) if days else 1
    left, right = X0 + INSET, X1 - INSET
    points: list[PlotPoint] = []
    free = 0.0
    for number, (_on, value) in zip(days, values, strict=True):
        x = round(left + (right - left) * (number - days[0]) / span, 1)
        room = value is None and x >= free
        free = x + LABEL_ROOM if room else free
        points.append(PlotPoint(x, None if value is None else score_y(value), room))
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
    parts: list[list[str]] = [[]]
    for point in points:
        if point.y is None:
            parts.append([])
        else:
            parts[-1].append(f"{point.x},{point.y}")
    return tuple(" ".join(part) for part in parts if len(part) > 1)


def _month(origin: date, number: int) -> int:
    """The day that lies ``number`` months after ``origin``, as an ordinal; the 31st becomes the month's last day."""
    year, month = divmod(origin.month - 1 + number, 12)
    first = date(origin.year + year, month + 1, 1)
    following = date(first.year + month // 11, (month + 1) % 12 + 1, 1)
    return min(first.toordinal() + origin.day - 1, following.toordinal() - 1)
