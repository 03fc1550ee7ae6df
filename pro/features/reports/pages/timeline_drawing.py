"""Lay out the timeline for SVG: the shapes of every lane with positions and words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.figures import plot_geometry
from pro.core.figures.plot_geometry import Axis
from pro.core.figures.timeline_span import TimelineSpan
from pro.core.rule_language.level import Level
from pro.features.reports import participant_timeline
from pro.features.reports.participant_timeline import ParticipantTimeline, TimelineEntry, TimelineLane
from pro.web import request_context
from pro.web.labels import word
from pro.web.refusals import N_

LANES = {
    "treatment": N_("Treatment"),
    "dates": N_("Key dates"),
    "messages": N_("Messages"),
    "alerts": N_("Alerts"),
}
SPANS_TITLE = N_("Adverse events")
# Pixels: middle of the first lane, distance of lanes, width of a letter.
FIRST_LANE_Y, LANE_STEP, LETTER_WIDTH = 44.0, 38.0, 12.0
# Least distance of two shapes in pixels, on a short and on a long timeline.
WIDE_SPACING, NARROW_SPACING = 15.0, 9.0
# Width of “×12” in pixels.
COUNT_WIDTH = 22.0


@dataclass(frozen=True, slots=True)
class TimelineShape:
    """One shape of the timeline; it may stand for several entries.

    ``kind``: as ``TimelineEntry.kind``, of the worst entry; ``words``: all entries, a line each; ``count``: their
    number. ``label``: words beside the shape, "" without room; ``counted``: True if there is room for the count.
    ``width``: of a bar, else 0. ``grade``: of an adverse event.
    """

    kind: str
    x: float
    words: tuple[str, ...]
    count: int = 1
    level: Level = Level.NONE
    label: str = ""
    counted: bool = False
    width: float = 0
    grade: int = 0


@dataclass(frozen=True, slots=True)
class DrawnLane:
    """One lane: title, y of the middle, shapes. ``square``: its forms are squares."""

    title: str
    y: float
    shapes: tuple[TimelineShape, ...]
    square: bool


@dataclass(frozen=True, slots=True)
class TimelineDrawing:
    """The whole timeline.

    ``days``: the same facts as a table, newest day first. ``now``: x of today. ``radius``: of a shape.
    """

    axis: Axis
    rows: tuple[DrawnLane, ...]
    height: float
    now: float
    radius: float
    days: tuple[tuple[date, tuple[str, ...]], ...]


def draw_timeline(found: ParticipantTimeline) -> TimelineDrawing:
    """Return the timeline with all positions, in the language of the page."""
    axis = plot_geometry.make_axis(found.days, found.origin)
    apart = WIDE_SPACING if axis.unit == "week" else NARROW_SPACING
    rows: list[DrawnLane] = []
    squares = [lane.id for lane in found.lanes if lane.id not in LANES][1:]
    for lane in found.lanes:
        title = request_context.translator().gettext(LANES[lane.id]) if lane.id in LANES else lane.title
        middle = FIRST_LANE_Y + LANE_STEP * len(rows)
        rows.append(DrawnLane(_shorten(title), middle, _shapes(lane, axis, apart), lane.id in squares))
    title = request_context.translator().gettext(SPANS_TITLE)
    for place, shapes in enumerate(_span_rows(found, axis)):
        rows.append(DrawnLane("" if place else title, FIRST_LANE_Y + LANE_STEP * len(rows), shapes, False))
    height = FIRST_LANE_Y + LANE_STEP * len(rows) + 4
    return TimelineDrawing(
        axis, tuple(rows), height, axis.x(found.today), 7 if apart == WIDE_SPACING else 4, _days_table(found)
    )


def entry_text(thing: TimelineEntry, lane: str) -> str:
    """Return one entry in words, for the table and the drawing."""
    gettext = request_context.translator().gettext
    title = thing.title
    if thing.kind in (participant_timeline.SENT, participant_timeline.FAILED):
        title = word("template", thing.title)
    if thing.kind == participant_timeline.FAILED:
        return gettext("%(what)s: not sent", what=title)
    if thing.kind == participant_timeline.ALERT:
        return gettext(
            "%(level)s alert: %(what)s", level=_level_name(thing.level), what=title or gettext("evaluation failed")
        )
    if thing.number:
        return gettext("%(what)s, no. %(number)s", what=title, number=thing.number)
    states = {
        participant_timeline.RECEIVED: gettext("received"),
        participant_timeline.PARTIAL: gettext("started, not submitted"),
        participant_timeline.MISSED: gettext("missed"),
    }
    if thing.kind not in states:
        return title
    parts = [lane, *([title] if title else []), states[thing.kind]]
    if thing.detail == "out_of_window":
        parts.append(gettext("out of window"))
    elif thing.detail:
        parts.append(word("missing", thing.detail))
    return gettext(", ").join(parts)


def _level_name(level: Level) -> str:
    names = {
        Level.EMERGENCY: N_("Emergency"),
        Level.URGENT: N_("Urgent"),
        Level.WATCH: N_("Watch"),
        Level.NONE: N_("None"),
    }
    return request_context.translator().gettext(names[level])


def _text_width(text: str) -> float:
    """Return about how wide ``text`` is, in pixels."""
    return LETTER_WIDTH * sum(0.55 if letter.isascii() else 1 for letter in text)


def _shorten(title: str) -> str:
    """Return as much of a lane's title as fits before the axis; the table has the whole title."""
    if _text_width(title) <= plot_geometry.LEFT - WIDE_SPACING:
        return title
    while _text_width(title) > plot_geometry.LEFT - WIDE_SPACING - LETTER_WIDTH:
        title = title[:-1]
    return f"{title}…"


def _shapes(lane: TimelineLane, axis: Axis, apart: float) -> tuple[TimelineShape, ...]:
    fractions = [thing for thing in lane.entries if thing.kind == participant_timeline.FRACTION]
    single = [thing for thing in lane.entries if thing.kind != participant_timeline.FRACTION]
    bars = _fraction_bars(fractions, axis) if fractions else []
    marks = plot_geometry.plot_marks(axis, [thing.on for thing in single], apart)
    found: list[TimelineShape] = []
    for place, mark in enumerate(marks):
        things = [single[index] for index in mark.of]
        loudest = max(
            things,
            key=lambda thing: (thing.level, thing.kind in (participant_timeline.MISSED, participant_timeline.FAILED)),
        )
        words = tuple(entry_text(thing, lane.title) for thing in things)
        after = (marks[place + 1].x if place + 1 < len(marks) else axis.width) - mark.x
        before = mark.x - marks[place - 1].x if place else mark.x
        label = things[0].title if lane.id == "dates" and len(things) == 1 else ""
        fits = after > _text_width(label) + 2 * apart
        # The count stands below the shape, half of it on either side.
        counted = len(things) > 1 and min(before, after) > COUNT_WIDTH
        found.append(
            TimelineShape(loudest.kind, mark.x, words, len(things), loudest.level, label if fits else "", counted)
        )
    return (*bars, *found)


def _fraction_bars(fractions: list[TimelineEntry], axis: Axis) -> list[TimelineShape]:
    given = [(thing.number, thing.on) for thing in fractions]
    found = []
    for run in plot_geometry.weekly_runs(plot_geometry.day_runs(given), axis, given):
        numbers = f"{run.first}–{run.last}" if run.first != run.last else str(run.first)
        bar = plot_geometry.timeline_bar(axis, run.starts, run.ends, len(numbers))
        words = request_context.translator().gettext(
            "%(what)s, no. %(number)s", what=fractions[0].title, number=numbers
        )
        count = run.last - run.first + 1
        label = numbers if bar.fits_label else ""
        found.append(TimelineShape(participant_timeline.FRACTION, bar.x, (words,), count, label=label, width=bar.width))
    return found


def _span_rows(found: ParticipantTimeline, axis: Axis) -> list[tuple[TimelineShape, ...]]:
    """Return the bars of every span, in as few rows as possible without overlap."""
    rows: list[list[TimelineShape]] = []
    for span in sorted(found.spans, key=lambda one: one.starts):
        shapes = _span_bars(span, found.today, axis)
        free = (row for row in rows if row[-1].x + row[-1].width < shapes[0].x)
        row = next(free, None)
        if row is None:
            rows.append(shapes)
        else:
            row.extend(shapes)
    return [tuple(row) for row in rows]


def _span_bars(span: TimelineSpan, today: date, axis: Axis) -> list[TimelineShape]:
    """Return one bar for each grade of a span, its name in the first; one bar without grades."""
    ends = span.ends or today
    steps = span.grades or ((span.starts, 0),)
    shapes = []
    for place, (starts, grade) in enumerate(steps):
        last = steps[place + 1][0] - timedelta(days=1) if place + 1 < len(steps) else ends
        words = graded_words(span.text, grade)
        bar = plot_geometry.timeline_bar(axis, starts, last, 2)
        whole = place == 0 and bar.width > _text_width(words) + WIDE_SPACING
        label = words if whole else str(grade or "") if bar.fits_label else ""
        shapes.append(TimelineShape("span", bar.x, (words,), label=label, width=bar.width, grade=grade))
    return shapes


def graded_words(text: str, grade: int) -> str:
    """Return the name of an event, with its grade if it has one."""
    return request_context.translator().gettext("%(what)s, grade %(grade)s", what=text, grade=grade) if grade else text


def _days_table(found: ParticipantTimeline) -> tuple[tuple[date, tuple[str, ...]], ...]:
    days: dict[date, list[str]] = {}
    for lane in found.lanes:
        for thing in lane.entries:
            days.setdefault(thing.on, []).append(entry_text(thing, lane.title))
    gettext = request_context.translator().gettext
    for span in found.spans:
        first = span.grades[0][1] if span.grades else 0
        days.setdefault(span.starts, []).append(gettext("%(what)s: begins", what=graded_words(span.text, first)))
        for on, grade in span.grades[1:]:
            days.setdefault(on, []).append(graded_words(span.text, grade))
        if span.ends:
            days.setdefault(span.ends, []).append(gettext("%(what)s: ends", what=span.text))
    return tuple((on, tuple(_count_repeats(words))) for on, words in sorted(days.items(), reverse=True))


def _count_repeats(words: list[str]) -> list[str]:
    """Return each text once, with its number of occurrences if it occurs more than once."""
    numbered: Callable[[str], int] = words.count
    return [one if numbered(one) == 1 else f"{one} ×{numbered(one)}" for one in dict.fromkeys(words)]
