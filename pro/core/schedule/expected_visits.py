"""Expected forms: the visit schedule applied to one participant's anchors.

Source: docs/domain.md 6. All functions depend on their arguments only, so the same anchors always give the same
expected visits with the same names. Points in time are UTC; days and times of the schedule are local to the
participant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pro.core.schedule.anchors import (
    DatedAnchor,
    Days,
    PeriodPart,
    ResolvedDay,
    WorkingDays,
    day_of,
    first_day,
    period_parts,
    resolve_days,
)
from pro.core.study_plan import Visit, VisitSchedule, VisitSeries, VisitWindow

NO_DAYS_OFF = WorkingDays()


@dataclass(frozen=True, slots=True)
class ExpectedVisit:
    """One form that a participant is expected to answer.

    ``visit`` and ``instrument`` identify it permanently among the participant's forms (``rt_week.15``). ``kind``: the
    visit of the schedule. ``number``: fraction, cycle or occurrence (0: it takes place once). ``opens`` <= ``due`` <=
    ``closes``, UTC. ``basis`` of its day: actual, planned or projected. ``rank``, ``reminders``: as in the schedule's
    visit.
    """

    visit: str
    kind: str
    number: int
    instrument: str
    opens: datetime
    due: datetime
    closes: datetime
    mandatory: bool
    basis: str
    time_zone: str
    rank: int = 9
    reminders: tuple[int, ...] | None = None

    @property
    def name(self) -> tuple[str, str]:
        """(visit, instrument): unique among one participant's forms (docs/domain.md 6, rule 1)."""
        return self.visit, self.instrument

    def holds(self, moment: datetime) -> bool:
        """Return True if ``moment`` lies in the visit window."""
        return self.opens <= moment <= self.closes


class VisitStatus(StrEnum):
    """Status of an expected form; ``EXPIRED``: closed without an answer, but not mandatory."""

    NOT_OPEN = "not_open"
    OPEN = "open"
    DUE = "due"
    LATE = "late"
    MISSED = "missed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """One visit on one day."""

    name: str
    number: int
    on: date
    basis: str
    windows: tuple[VisitWindow, ...]


def local_hour_in_utc(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """Return the local time ``hour`` of ``day`` as UTC.

    A time that a clock change skips becomes the time as far after the gap.
    """
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


def list_expected_visits(
    visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor], time_zone: str, working: WorkingDays = NO_DAYS_OFF
) -> tuple[ExpectedVisit, ...]:
    """Return all expected forms of a participant, in order of opening.

    ``anchors`` should have passed ``anchors.find_anchor_problems``; with contradictory anchors the result is a best
    effort, and no window closes before it opens. ``form_matching.match_forms`` decides which of them an answered form
    serves.
    """
    days = resolve_days(visit_schedule, anchors, working)
    periods = {name: period_parts(days, period) for name, period in visit_schedule.periods.items()}
    found = [
        one
        for visit in visit_schedule.visits
        for occurrence in _occurrences(visit, days, periods)
        for one in _visits_of_occurrence(visit_schedule, visit, occurrence, days, periods, ZoneInfo(time_zone))
    ]
    return tuple(sorted(found, key=lambda one: (one.opens, one.due, one.rank)))


def visit_status(one: ExpectedVisit, now: datetime) -> VisitStatus:
    """Return the status at ``now`` of an expected form without an answer.

    It is due from the start of its due day to the due time, and overdue (``LATE``) after that.
    """
    if now < one.opens:
        return VisitStatus.NOT_OPEN
    if now > one.closes:
        return VisitStatus.MISSED if one.mandatory else VisitStatus.EXPIRED
    if now > one.due:
        return VisitStatus.LATE
    zone = ZoneInfo(one.time_zone)
    return (
        VisitStatus.DUE
        if now >= local_hour_in_utc(one.due.astimezone(zone).date(), time.min, zone)
        else VisitStatus.OPEN
    )


def is_in_risk_period(
    visit_schedule: VisitSchedule, anchors: Sequence[DatedAnchor], on: date, working: WorkingDays = NO_DAYS_OFF
) -> bool:
    """Return True on days on which one missed check-in is enough for a call task.

    In the shipped plan: from fraction 11 to 8 weeks after the last fraction (docs/domain.md 6, rule 4).
    """
    if visit_schedule.risk is None:
        return False
    days = resolve_days(visit_schedule, anchors, working)
    start, end = day_of(days, visit_schedule.risk.start), day_of(days, visit_schedule.risk.end)
    return start is not None and start.on <= on and (end is None or on <= end.on)


def _occurrences(visit: Visit, days: Days, periods: Mapping[str, Sequence[PeriodPart]]) -> Iterator[_Occurrence]:
    """Yield every occurrence of ``visit``; those of its alternative if it has no start day."""
    starts = list(_start_days(visit, days, periods))
    if not starts and visit.alternative is not None:
        dated = first_day(days, visit.alternative.anchor)
        if dated is not None:
            yield _Occurrence(visit.id, 0, dated.on, dated.basis, visit.alternative.windows)
        return
    for name, number, dated, end in starts:
        if visit.series is None:
            yield _Occurrence(name, number, dated.on, dated.basis, visit.windows)
            continue
        for index, on in _recurrences(visit.series, dated.on, end, days):
            once = visit.series.first == visit.series.last
            yield _Occurrence(name if once else f"{name}.{index}", 0 if once else index, on, dated.basis, visit.windows)


def _start_days(
    visit: Visit, days: Days, periods: Mapping[str, Sequence[PeriodPart]]
) -> Iterator[tuple[str, int, ResolvedDay, date | None]]:
    """Yield (name, number, day, end) of every day from which the visit counts."""
    if visit.anchor in periods:
        for part in periods[visit.anchor]:
            name = ".".join([visit.id, part.kind] + [str(part.number)] * bool(part.number))
            yield name, part.number, days[part.kind][part.number], part.end
        return
    for number, dated in sorted(days.get(visit.anchor, {}).items()):
        if not visit.numbers or number in visit.numbers:
            once = not number or len(visit.numbers) == 1
            yield (visit.id if once else f"{visit.id}.{number}"), (0 if once else number), dated, None


def _recurrences(series: VisitSeries, start: date, end: date | None, days: Days) -> Iterator[tuple[int, date]]:
    """Yield (index, day) of each recurrence.

    The index also counts the steps that are left out, so that names of visits never change.
    """
    until = day_of(days, series.until) if series.until else None
    since = first_day(days, series.since) if series.since else None
    if series.since and since is None:
        return
    for index, offset in enumerate(range(series.first, series.last + 1, series.every), 1):
        day = start + timedelta(days=offset)
        if (end is not None and day >= end) or (until is not None and day >= until.on):
            return
        if offset not in series.but_not and (since is None or day >= since.on):
            yield index, day


def _visits_of_occurrence(
    visit_schedule: VisitSchedule,
    visit: Visit,
    occurrence: _Occurrence,
    days: Days,
    periods: Mapping[str, Sequence[PeriodPart]],
    zone: ZoneInfo,
) -> Iterator[ExpectedVisit]:
    """Yield the expected forms of one occurrence, with windows cut at stops and periods."""
    earliest = first_day(days, visit.not_before) if visit.not_before else None
    stops = [
        day.on
        for kind in visit_schedule.participation_end
        if kind not in visit.continues_after and (day := first_day(days, kind))
    ]
    for window in occurrence.windows:
        due = occurrence.on + timedelta(days=window.due)
        if window.numbers and occurrence.number not in window.numbers:
            continue
        if any(due >= stop for stop in stops):
            continue
        if any(part.has(due) for name in visit.not_during for part in periods[name]):
            continue
        opens = occurrence.on + timedelta(days=window.opens)
        if earliest is not None:
            opens = min(max(opens, earliest.on), due)
        opens_at = local_hour_in_utc(opens, visit_schedule.times.opens, zone)
        # A clock change may put two times of the schedule in reverse order.
        due_at = max(opens_at, local_hour_in_utc(due, visit_schedule.times.due, zone))
        closes_at = max(
            due_at, local_hour_in_utc(occurrence.on + timedelta(days=window.closes), visit_schedule.times.closes, zone)
        )
        for stop in stops:
            closes_at = max(due_at, min(closes_at, local_hour_in_utc(stop, time.min, zone)))
        yield ExpectedVisit(
            visit=occurrence.name,
            kind=visit.id,
            number=occurrence.number,
            instrument=window.instrument,
            opens=opens_at,
            due=due_at,
            closes=closes_at,
            mandatory=window.mandatory,
            basis=occurrence.basis,
            time_zone=zone.key,
            rank=visit.rank,
            reminders=visit.reminders,
        )
