"""What happened to a participant and when: checked, and carried on into the days that are not known yet.

Dates are the participant's local dates. Nothing here reads a clock: whoever asks says what today is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.study_plan import AnchorKind, AnchorPoint, Exposure, Period, VisitSchedule

ONE_DAY = timedelta(days=1)
# Our defaults: a plan further ahead than two years, or a day more than ten years back, is a slip of the finger.
AHEAD_AT_MOST, BACK_AT_MOST = timedelta(days=731), timedelta(days=3653)
SATURDAY, SUNDAY = 5, 6
# What a day rests on: it happened; staff planned it; or it was worked out from other days.
ACTUAL, PLANNED, PROJECTED = "actual", "planned", "projected"


@dataclass(frozen=True, slots=True)
class DatedAnchor:
    """One dated event of a participant. ``number``: 0 for a kind that happens once, else counted from 1."""

    kind: str
    number: int
    on: date
    planned: bool = False


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Monday to Friday, without the days in ``off``, with those in ``on`` (make-up days at a weekend).

    ``weekend``: numbers of the days of the week, Monday = 0.
    """

    off: frozenset[date] = frozenset()
    on: frozenset[date] = frozenset()
    weekend: frozenset[int] = frozenset({SATURDAY, SUNDAY})

    def has(self, day: date) -> bool:
        """True if ``day`` is a working day."""
        return day in self.on or (day.weekday() not in self.weekend and day not in self.off)

    def after(self, day: date) -> date:
        """The first working day after ``day``."""
        # Nobody closes for a year; without an end, a file that says so would never return.
        for ahead in range(1, 367):
            if self.has(day + ahead * ONE_DAY):
                return day + ahead * ONE_DAY
        raise ValueError(f"There is no working day in the year after {day}.")


@dataclass(frozen=True, slots=True)
class ResolvedDay:
    """A day and what it rests on: actual, planned or projected."""

    on: date
    basis: str


Days = Mapping[str, Mapping[int, ResolvedDay]]


@dataclass(frozen=True, slots=True)
class AnchorProblem:
    """Why a list of anchors cannot be true; ``key`` names the sentence that tells a person.

    unknown · number (``most`` is the highest) · twice · future · too_far (planned) · long_ago · not_planned (it cannot
    be planned, only happen) · before (``other`` comes first) · order (``other`` is of the same kind with a lower
    number) · needs (``other`` must be recorded by then) · after_last (``other`` ends everything).
    """

    key: str
    anchor: DatedAnchor
    other: str = ""
    other_number: int = 0
    other_on: date | None = None
    most: int = 0


def find_anchor_problems(
    calendar: VisitSchedule, anchors: Sequence[DatedAnchor], today: date | None = None
) -> tuple[AnchorProblem, ...]:
    """Everything in ``anchors`` that cannot be true. ``today``: the participant's date; None asks nothing of it."""
    return tuple(_problems(calendar, anchors, today))


def _problems(calendar: VisitSchedule, anchors: Sequence[DatedAnchor], today: date | None) -> Iterator[AnchorProblem]:
    seen: set[tuple[str, int]] = set()
    for anchor in anchors:
        kind = calendar.anchors.get(anchor.kind)
        if kind is None:
            yield AnchorProblem("unknown", anchor)
            continue
        if not (1 <= anchor.number <= kind.most if kind.most else anchor.number == 0):
            yield AnchorProblem("number", anchor, most=kind.most)
        if (anchor.kind, anchor.number) in seen:
            yield AnchorProblem("twice", anchor)
        seen.add((anchor.kind, anchor.number))
        if anchor.planned and not kind.plannable:
            yield AnchorProblem("not_planned", anchor)
        elif not anchor.planned and today is not None and anchor.on > today:
            yield AnchorProblem("future", anchor)
        elif today is not None and anchor.on - today > AHEAD_AT_MOST:
            yield AnchorProblem("too_far", anchor)
        if today is not None and today - anchor.on > BACK_AT_MOST:
            yield AnchorProblem("long_ago", anchor)
        yield from _order_problems(calendar, kind, anchor, anchors)


def _order_problems(
    calendar: VisitSchedule, kind: AnchorKind, anchor: DatedAnchor, anchors: Sequence[DatedAnchor]
) -> Iterator[AnchorProblem]:
    for name in kind.after:
        first = min((other for other in anchors if other.kind == name), key=lambda other: other.on, default=None)
        if first is not None and anchor.on < first.on:
            yield AnchorProblem("before", anchor, first.kind, first.number, first.on)
    for name in kind.after_all:
        mine = sorted((other for other in anchors if other.kind == name), key=lambda other: other.on)
        happened = [other for other in mine if not other.planned]
        # What is planned may be given up, but what has no beginning has no end.
        final = happened[-1] if happened else next(iter(mine), None)
        if final is not None and anchor.on < final.on:
            yield AnchorProblem("before", anchor, final.kind, final.number, final.on)
    lower = [other for other in anchors if other.kind == anchor.kind and other.number < anchor.number]
    late = max(lower, key=lambda other: (other.on, other.number), default=None)
    if late is not None and late.on > anchor.on:
        yield AnchorProblem("order", anchor, late.kind, late.number, late.on)
    if kind.needs and not any(other.kind in kind.needs and other.on <= anchor.on for other in anchors):
        yield AnchorProblem("needs", anchor, kind.needs[0])
    for other in anchors:
        of = calendar.anchors.get(other.kind)
        if of is not None and of.last and not anchor.planned and anchor.on > other.on:
            yield AnchorProblem("after_last", anchor, other.kind, other.number, other.on)


def resolve_days(calendar: VisitSchedule, anchors: Sequence[DatedAnchor], working: WorkingDays) -> Days:
    """Every day that is known or follows: recorded, projected (docs/domain.md 6: fractions on working days, cycles
    every
    three weeks) and taken by default (end of RT = last fraction). Kind -> number -> day; of two records the last holds.
    """
    days: dict[str, dict[int, ResolvedDay]] = {name: {} for name in calendar.anchors}
    for anchor in anchors:
        if anchor.kind in days:
            days[anchor.kind][anchor.number] = ResolvedDay(anchor.on, PLANNED if anchor.planned else ACTUAL)
    recorded: Days = {name: dict(numbers) for name, numbers in days.items()}
    for name, kind in calendar.anchors.items():
        for number, point in kind.defaults:
            day = day_of(days, point)
            if number not in days[name] and day is not None:
                days[name][number] = day
        days[name].update(_projected_days(kind, days[name], recorded, working))
    return days


def day_of(days: Days, point: AnchorPoint) -> ResolvedDay | None:
    """The day of ``point``; None while its anchor is not known. A day counted from another is projected."""
    found = days.get(point.anchor, {}).get(point.number)
    if found is None or not point.days:
        return found
    return ResolvedDay(found.on + point.days * ONE_DAY, PROJECTED)


def first_day(days: Days, kind: str) -> ResolvedDay | None:
    """The earliest day of ``kind``, whatever its number."""
    return min(days.get(kind, {}).values(), key=lambda day: day.on, default=None)


def is_exposed(exposure: Exposure, days: Days, today: date) -> bool | None:
    """Whether ``exposure`` holds ``today``: None while nobody can say, because a dose may have gone unrecorded.

    ``days``: as ``resolve`` gives them. False only before a planned first dose, or long enough after the last one.
    """
    doses = [day for kind in exposure.doses for day in days.get(kind, {}).values()]
    given = [day.on for day in doses if day.basis == ACTUAL and day.on <= today]
    if given:
        last = days.get(exposure.last, {}).get(0)
        ended = last is not None and last.basis == ACTUAL and today > max(last.on, *given) + exposure.days * ONE_DAY
        return not ended
    coming = min((day.on for day in doses), default=None)
    return False if coming is not None and coming > today else None


def facts_from_anchors(calendar: VisitSchedule, anchors: Sequence[DatedAnchor]) -> dict[str, str]:
    """Every fact that a kind of anchor sets, by the latest record; of one day's, the kind that stands last holds."""
    place = {name: number for number, name in enumerate(calendar.anchors)}
    found: dict[str, str] = {}
    for anchor in sorted(anchors, key=lambda anchor: (anchor.on, place.get(anchor.kind, 0), anchor.number)):
        kind = calendar.anchors.get(anchor.kind)
        if kind is not None and not anchor.planned:
            found.update(kind.sets)
    return found


def _projected_days(
    kind: AnchorKind, known: Mapping[int, ResolvedDay], recorded: Days, working: WorkingDays
) -> dict[int, ResolvedDay]:
    rule = kind.projection
    if rule is None or not known:
        return {}
    start = known[min(known)].on
    ends = [day.on for name in rule.until for day in recorded.get(name, {}).values()]
    if rule.within_days:
        ends.append(start + rule.within_days * ONE_DAY)
    found: dict[int, ResolvedDay] = {}
    on = start
    for number in range(min(known) + 1, kind.most + 1):
        if number in known:
            on = known[number].on
            continue
        for _ in range(rule.every if rule.working_days else 1):
            on = working.after(on) if rule.working_days else on + rule.every * ONE_DAY
        # A number that was left out lies before the next one that is known.
        later = [day.on for other, day in known.items() if other > number]
        if later:
            on = min([on, *later])
        elif any(on > end for end in ends):
            break
        found[number] = ResolvedDay(on, PROJECTED)
    return found


@dataclass(frozen=True, slots=True)
class PeriodPart:
    """A piece of a period: begun by the anchor ``kind`` ``number``, up to the day before ``end`` (None: still on)."""

    kind: str
    number: int
    start: date
    end: date | None

    def has(self, day: date) -> bool:
        """True if ``day`` lies in it."""
        return self.start <= day and (self.end is None or day < self.end)


def period_parts(days: Days, period: Period) -> tuple[PeriodPart, ...]:
    """``period`` as its starts part it. A new start begins a new stretch, so an ulcer confirmed after it was suspected
    begins its daily schedule anew (docs/domain.md 6, rule 8).

    Of several starts on one day the first in ``starts`` counts. A start and an end on one day: outside the period the
    end comes last, inside it the start does, since asking too much is the safer reading.
    """
    starts = {
        dated.on: (kind, number)
        for kind in reversed(period.starts)
        for number, dated in sorted(days.get(kind, {}).items(), reverse=True)
    }
    ends = {dated.on for kind in period.ends for dated in days.get(kind, {}).values()}
    found: list[PeriodPart] = []
    current: tuple[date, tuple[str, int]] | None = None
    for day in sorted(starts.keys() | ends):
        begun = starts.get(day)
        if current is not None:
            found.append(PeriodPart(*current[1], current[0], day))
            current = (day, begun) if begun else None
        elif begun is not None and day not in ends:
            current = (day, begun)
    if current is not None:
        found.append(PeriodPart(*current[1], current[0], None))
    return tuple(found)
