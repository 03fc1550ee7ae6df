"""The timeline as a drawing: every lane's shapes with their places and words, ready to be put into SVG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.figures import plot_geometry
from pro.core.figures.plot_geometry import Axis
from pro.core.figures.timeline_span import TimelineSpan
from pro.core.rule_language.level import Level
from pro.features.reports import timeline
from pro.features.reports.timeline import Lane, Thing, Timeline
from pro.web import request_context
from pro.web.labels import word
from pro.web.refusals import N_

LANES = {
    "treatment": N_("Treatment"),
    "dates": N_("Key dates"),
    "messages": N_("Messages"),
    "alerts": N_("Alerts"),
}
SPANS = N_("Adverse events")
# Pixels: the first lane's middle, from lane to lane, and how high a letter of the drawing is.
FIRST, STEP, LETTER = 44.0, 38.0, 12.0
# How far two shapes must stand apart, in a short course and in a long one.
WIDE, NARROW = 15.0, 9.0
# Room for "×12".
COUNT = 22.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape. ``kind`` as ``Thing.kind``, the worst of what it stands for; ``words``: all of it, a line each.

    ``count``: how many things it stands for. ``label``: words beside it, "" without room;
    ``counted``: there is room for the count. ``width``: of a bar, else 0. ``grade``: of an adverse event.
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
class LaneRow:
    """One lane: its name, where its middle is, what stands on it. ``square``: its forms are squares, not circles."""

    title: str
    y: float
    shapes: tuple[Shape, ...]
    square: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole timeline. ``days``: the same facts as a table, the newest day first. ``radius``: of a shape."""

    axis: Axis
    rows: tuple[LaneRow, ...]
    height: float
    now: float
    radius: float
    days: tuple[tuple[date, tuple[str, ...]], ...]


def draw(found: Timeline) -> Drawing:
    """Everything in its place, in the language of the page."""
    axis = plot_geometry.axis(found.days, found.origin)
    apart = WIDE if axis.unit == "week" else NARROW
    rows: list[LaneRow] = []
    squares = [lane.id for lane in found.lanes if lane.id not in LANES][1:]
    for lane in found.lanes:
        title = request_context.translator().gettext(LANES[lane.id]) if lane.id in LANES else lane.title
        middle = FIRST + STEP * len(rows)
        rows.append(LaneRow(_short(title), middle, _shapes(lane, axis, apart), lane.id in squares))
    title = request_context.translator().gettext(SPANS)
    for place, shapes in enumerate(_spans(found, axis)):
        rows.append(LaneRow("" if place else title, FIRST + STEP * len(rows), shapes, False))
    height = FIRST + STEP * len(rows) + 4
    return Drawing(axis, tuple(rows), height, axis.x(found.today), 7 if apart == WIDE else 4, _days(found))


def thing_text(thing: Thing, lane: str) -> str:
    """One thing in words, as it stands in the table and in the drawing."""
    gettext = request_context.translator().gettext
    title = thing.title
    if thing.kind in (timeline.SENT, timeline.FAILED):
        title = word("template", thing.title)
    if thing.kind == timeline.FAILED:
        return gettext("%(what)s: not sent", what=title)
    if thing.kind == timeline.ALERT:
        return gettext("%(level)s alert: %(what)s", level=_level(thing.level), what=title or gettext("judging failed"))
    if thing.number:
        return gettext("%(what)s, no. %(number)s", what=title, number=thing.number)
    states = {
        timeline.RECEIVED: gettext("received"),
        timeline.PARTIAL: gettext("begun, never sent"),
        timeline.MISSED: gettext("missed"),
    }
    if thing.kind not in states:
        return title
    parts = [lane, *([title] if title else []), states[thing.kind]]
    if thing.detail == "out_of_window":
        parts.append(gettext("outside its window"))
    elif thing.detail:
        parts.append(word("missing", thing.detail))
    return gettext(", ").join(parts)


def _level(level: Level) -> str:
    names = {
        Level.EMERGENCY: N_("Emergency"),
        Level.URGENT: N_("Urgent"),
        Level.WATCH: N_("Watch"),
        Level.NONE: N_("None"),
    }
    return request_context.translator().gettext(names[level])


def _letters(text: str) -> float:
    """About how wide ``text`` is, in pixels."""
    return LETTER * sum(0.55 if letter.isascii() else 1 for letter in text)


def _short(title: str) -> str:
    """As much of a lane's name as fits before the axis; the whole stands in the table."""
    if _letters(title) <= plot_geometry.LEFT - WIDE:
        return title
    while _letters(title) > plot_geometry.LEFT - WIDE - LETTER:
        title = title[:-1]
    return f"{title}…"


def _shapes(lane: Lane, axis: Axis, apart: float) -> tuple[Shape, ...]:
    fractions = [thing for thing in lane.things if thing.kind == timeline.FRACTION]
    single = [thing for thing in lane.things if thing.kind != timeline.FRACTION]
    bars = _runs(fractions, axis) if fractions else []
    marks = plot_geometry.marks(axis, [thing.on for thing in single], apart)
    found: list[Shape] = []
    for place, mark in enumerate(marks):
        things = [single[index] for index in mark.of]
        loudest = max(things, key=lambda thing: (thing.level, thing.kind in (timeline.MISSED, timeline.FAILED)))
        words = tuple(thing_text(thing, lane.title) for thing in things)
        after = (marks[place + 1].x if place + 1 < len(marks) else axis.width) - mark.x
        before = mark.x - marks[place - 1].x if place else mark.x
        label = things[0].title if lane.id == "dates" and len(things) == 1 else ""
        fits = after > _letters(label) + 2 * apart
        # Said below the shape, half of it on either side.
        counted = len(things) > 1 and min(before, after) > COUNT
        found.append(Shape(loudest.kind, mark.x, words, len(things), loudest.level, label if fits else "", counted))
    return (*bars, *found)


def _runs(fractions: list[Thing], axis: Axis) -> list[Shape]:
    given = [(thing.number, thing.on) for thing in fractions]
    found = []
    for run in plot_geometry.weekly(plot_geometry.runs(given), axis, given):
        numbers = f"{run.first}–{run.last}" if run.first != run.last else str(run.first)
        bar = plot_geometry.bar(axis, run.starts, run.ends, len(numbers))
        words = request_context.translator().gettext(
            "%(what)s, no. %(number)s", what=fractions[0].title, number=numbers
        )
        count = run.last - run.first + 1
        label = numbers if bar.roomy else ""
        found.append(Shape(timeline.FRACTION, bar.x, (words,), count, label=label, width=bar.width))
    return found


def _spans(found: Timeline, axis: Axis) -> list[tuple[Shape, ...]]:
    """The bars of every span, in as few rows as they need to leave each other free."""
    rows: list[list[Shape]] = []
    for span in sorted(found.spans, key=lambda one: one.starts):
        shapes = _bars(span, found.today, axis)
        free = (row for row in rows if row[-1].x + row[-1].width < shapes[0].x)
        row = next(free, None)
        if row is None:
            rows.append(shapes)
        else:
            row.extend(shapes)
    return [tuple(row) for row in rows]


def _bars(span: TimelineSpan, today: date, axis: Axis) -> list[Shape]:
    """One bar for each grade, the name in the first one; one for a span without."""
    ends = span.ends or today
    steps = span.grades or ((span.starts, 0),)
    shapes = []
    for place, (starts, grade) in enumerate(steps):
        last = steps[place + 1][0] - timedelta(days=1) if place + 1 < len(steps) else ends
        words = graded_words(span.text, grade)
        bar = plot_geometry.bar(axis, starts, last, 2)
        whole = place == 0 and bar.width > _letters(words) + WIDE
        label = words if whole else str(grade or "") if bar.roomy else ""
        shapes.append(Shape("span", bar.x, (words,), label=label, width=bar.width, grade=grade))
    return shapes


def graded_words(text: str, grade: int) -> str:
    """What an event is called, with its grade where it has one."""
    return request_context.translator().gettext("%(what)s, grade %(grade)s", what=text, grade=grade) if grade else text


def _days(found: Timeline) -> tuple[tuple[date, tuple[str, ...]], ...]:
    days: dict[date, list[str]] = {}
    for lane in found.lanes:
        for thing in lane.things:
            days.setdefault(thing.on, []).append(thing_text(thing, lane.title))
    gettext = request_context.translator().gettext
    for span in found.spans:
        first = span.grades[0][1] if span.grades else 0
        days.setdefault(span.starts, []).append(gettext("%(what)s: begins", what=graded_words(span.text, first)))
        for on, grade in span.grades[1:]:
            days.setdefault(on, []).append(graded_words(span.text, grade))
        if span.ends:
            days.setdefault(span.ends, []).append(gettext("%(what)s: ends", what=span.text))
    return tuple((on, tuple(_counted(words))) for on, words in sorted(days.items(), reverse=True))


def _counted(words: list[str]) -> list[str]:
    """Each once, with how often where that is more than once."""
    numbered: Callable[[str], int] = words.count
    return [one if numbered(one) == 1 else f"{one} ×{numbered(one)}" for one in dict.fromkeys(words)]
