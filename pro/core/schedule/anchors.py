"""Anchor dates of a participant: validation, projected dates, default dates, periods.

Dates are the participant's local dates. No function reads a clock; the caller passes today's date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.study_plan import AnchorKind, AnchorPoint, Exposure, Period, VisitSchedule

ONE_DAY = timedelta(days=1)
# Defaults of the product: a date planned more than two years ahead or recorded more than ten years back is a typing
# error.
AHEAD_AT_MOST, BACK_AT_MOST = timedelta(days=731), timedelta(days=3653)
SATURDAY, SUNDAY = 5, 6
# Basis of a day: it took place, staff planned it, or it was computed from other days.
ACTUAL, PLANNED, PROJECTED = "actual", "planned", "projected"


@dataclass(frozen=True, slots=True)
class DatedAnchor:
    """One dated event of a participant; ``number``: 0 if the kind occurs once, else from 1."""

    kind: str
    number: int
    on: date
    planned: bool = False


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Working days: Monday to Friday without holidays, with make-up days.

    ``off``: days that are not working days. ``on``: working days in spite of ``off`` and ``weekend`` (make-up days at a
    weekend). ``weekend``: numbers of the days of the week, Monday = 0.
    """

    off: frozenset[date] = frozenset()
    on: frozenset[date] = frozenset()
    weekend: frozenset[int] = frozenset({SATURDAY, SUNDAY})

    def has(self, day: date) -> bool:
        """Return True if ``day`` is a working day."""
        return day in self.on or (day.weekday() not in self.weekend and day not in self.off)

    def after(self, day: date) -> date:
        """Return the first working day after ``day``; raise ValueError if a year has none."""
        # No site is closed for a year. Without this limit a calendar without working days would loop for ever.
        for ahead in range(1, 367):
            if self.has(day + ahead * ONE_DAY):
                return day + ahead * ONE_DAY
        raise ValueError(f"There is no working day in the year after {day}.")


@dataclass(frozen=True, slots=True)
class ResolvedDay:
    """A day and its basis: actual, planned or projected."""

    on: date
    basis: str


Days = Mapping[str, Mapping[int, ResolvedDay]]


@dataclass(frozen=True, slots=True)
class AnchorProblem:
    """One contradiction in a list of anchors; ``key`` names the sentence that explains it.

    - unknown: the schedule has no such kind
    - number: out of range; ``most`` is the highest number
    - twice: the same kind and number occurs twice
    - future: recorded as taken place on a day that is still to come
    - too_far: planned too far ahead
    - long_ago: too far back
    - not_planned: the kind cannot be planned
    - before: ``other`` must come first
    - order: ``other`` is of the same kind with a lower number
    - needs: ``other`` must be recorded by then
    - after_last: ``other`` is the last event of all
    """

    key: str
    anchor: DatedAnchor
    other: str = ""
    other_number: int = 0
    other_on: date | None = None
    most: int = 0


def find_anchor_problems(
    visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor], today: date | None = None
) -> tuple[AnchorProblem, ...]:
    """Return every contradiction in ``anchors``.

    ``today``: the participant's date; None skips the checks that need it.
    """
    return tuple(_problems(visit_schedule, anchors, today))


def _problems(
    visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor], today: date | None
) -> Iterator[AnchorProblem]:
    """Yield every contradiction, anchor by anchor."""
    seen: set[tuple[str, int]] = set()
    for anchor in anchors:
        kind = visit_schedule.anchors.get(anchor.kind)
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
        yield from _order_problems(visit_schedule, kind, anchor, anchors)


def _order_problems(
    visit_schedule: VisitSchedule, kind: AnchorKind, anchor: DatedAnchor, anchors: Sequence[DatedAnchor]
) -> Iterator[AnchorProblem]:
    """Yield the contradictions between ``anchor`` and the dates other_kind other anchors."""
    for name in kind.after:
        first = min((other for other in anchors if other.kind == name), key=lambda other: other.on, default=None)
        if first is not None and anchor.on < first.on:
            yield AnchorProblem("before", anchor, first.kind, first.number, first.on)
    for name in kind.after_all:
        same_kind = sorted((other for other in anchors if other.kind == name), key=lambda other: other.on)
        happened = [other for other in same_kind if not other.planned]
        # A planned date may be cancelled, so dates that took place count first; without one, the first planned date
        # counts, because an end needs a beginning.
        final = happened[-1] if happened else next(iter(same_kind), None)
        if final is not None and anchor.on < final.on:
            yield AnchorProblem("before", anchor, final.kind, final.number, final.on)
    lower = [other for other in anchors if other.kind == anchor.kind and other.number < anchor.number]
    latest = max(lower, key=lambda other: (other.on, other.number), default=None)
    if latest is not None and latest.on > anchor.on:
        yield AnchorProblem("order", anchor, latest.kind, latest.number, latest.on)
    if kind.needs and not any(other.kind in kind.needs and other.on <= anchor.on for other in anchors):
        yield AnchorProblem("needs", anchor, kind.needs[0])
    for other in anchors:
        other_kind = visit_schedule.anchors.get(other.kind)
        if other_kind is not None and other_kind.last and not anchor.planned and anchor.on > other.on:
            yield AnchorProblem("after_last", anchor, other.kind, other.number, other.on)


def resolve_days(visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor], working: WorkingDays) -> Days:
    """Return every known or derivable day as kind -> number -> day.

    Days are recorded, projected (docs/domain.md 6: fractions on working days, cycles every three weeks) or assumed by
    default (end of radiotherapy = last fraction). Of two records for one kind and number the later in ``anchors``
    counts.
    """
    days: dict[str, dict[int, ResolvedDay]] = {name: {} for name in visit_schedule.anchors}
    for anchor in anchors:
        if anchor.kind in days:
            days[anchor.kind][anchor.number] = ResolvedDay(anchor.on, PLANNED if anchor.planned else ACTUAL)
    recorded: Days = {name: dict(numbers) for name, numbers in days.items()}
    for name, kind in visit_schedule.anchors.items():
        for number, point in kind.defaults:
            day = day_of(days, point)
            if number not in days[name] and day is not None:
                days[name][number] = day
        days[name].update(_projected_days(kind, days[name], recorded, working))
    return days


def day_of(days: Days, point: AnchorPoint) -> ResolvedDay | None:
    """Return the day of ``point``; None while its anchor is unknown.

    A day counted from another day is projected.
    """
    found = days.get(point.anchor, {}).get(point.number)
    if found is None or not point.days:
        return found
    return ResolvedDay(found.on + point.days * ONE_DAY, PROJECTED)


def first_day(days: Days, kind: str) -> ResolvedDay | None:
    """Return the earliest day of ``kind``, whatever its number; None if none is known."""
    return min(days.get(kind, {}).values(), key=lambda day: day.on, default=None)


def is_exposed(exposure: Exposure, days: Days, today: date) -> bool | None:
    """Return whether ``exposure`` holds on ``today``; None if unknown (docs/domain.md 3.4.4).

    It is unknown when no dose is recorded as given and none is planned after ``today``, because a dose may be
    unrecorded. It is false only before a planned first dose, or more than ``exposure.days`` days after the last one.
    ``days``: as returned by ``resolve_days``.
    """
    doses = [day for kind in exposure.doses for day in days.get(kind, {}).values()]
    given = [day.on for day in doses if day.basis == ACTUAL and day.on <= today]
    if given:
        last = days.get(exposure.last, {}).get(0)
        ended = last is not None and last.basis == ACTUAL and today > max(last.on, *given) + exposure.days * ONE_DAY
        return not ended
    coming = min((day.on for day in doses), default=None)
    return False if coming is not None and coming > today else None


def facts_from_anchors(visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor]) -> dict[str, str]:
    """Return the facts that anchors set, each by its latest record.

    Of records on one day, the kind that is listed last in the schedule counts.
    """
    position = {name: number for number, name in enumerate(visit_schedule.anchors)}
    found: dict[str, str] = {}
    for anchor in sorted(anchors, key=lambda anchor: (anchor.on, position.get(anchor.kind, 0), anchor.number)):
        kind = visit_schedule.anchors.get(anchor.kind)
        if kind is not None and not anchor.planned:
            found.update(kind.sets)
    return found


def _projected_days(
    kind: AnchorKind, known: Mapping[int, ResolvedDay], recorded: Days, working: WorkingDays
) -> dict[int, ResolvedDay]:
    """Return the projected days of ``kind`` for the numbers that ``known`` does not have."""
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
        # A skipped number cannot be later than the next known one.
        later = [day.on for other, day in known.items() if other > number]
        if later:
            on = min([on, *later])
        elif any(on > end for end in ends):
            break
        found[number] = ResolvedDay(on, PROJECTED)
    return found


@dataclass(frozen=True, slots=True)
class PeriodPart:
    """One part of a period, from ``start`` to the day before ``end`` (None: ongoing).

    It was started by ``number`` of the anchor ``kind``.
    """

    kind: str
    number: int
    start: date
    end: date | None

    def has(self, day: date) -> bool:
        """Return True if ``day`` lies in this part."""
        return self.start <= day and (self.end is None or day < self.end)


def period_parts(days: Days, period: Period) -> tuple[PeriodPart, ...]:
    """Return the parts of ``period``; each new start begins a new part.

    So an ulcer that is confirmed after it was suspected starts its daily schedule again (docs/domain.md 6, rule 8).

    Of several starts on one day, the first in ``starts`` counts. A start and an end on one day: outside the period the
    end counts, inside it the start does, because asking too often is safer than asking too rarely.
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
