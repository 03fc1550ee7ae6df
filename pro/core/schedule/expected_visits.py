"""Who is asked what and when: the plan's visits around one participant's anchors (docs/domain.md 6).

Everything is computed from its arguments, so the same anchors always give the same assessments under the same names.
Moments are UTC; days and times of the plan are the participant's own.
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
    """One assessment that a participant is expected to answer.

    ``visit`` names it for ever, with the instrument, among the participant's (``rt_week.15``); ``kind`` is the plan's
    visit and ``number`` the fraction, cycle or turn of it (0: there is one). ``opens`` <= ``due`` <= ``closes``, UTC.
    ``basis``: what its day rests on: actual, planned or projected. ``rank``, ``reminders``: as in the plan's visit.
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
        """(visit, instrument): unique among one participant's (docs/domain.md 6, rule 1)."""
        return self.visit, self.instrument

    def holds(self, moment: datetime) -> bool:
        """True if ``moment`` lies in its window."""
        return self.opens <= moment <= self.closes


class VisitStatus(StrEnum):
    """Where an assessment stands. ``EXPIRED``: closed without an answer, but it was not mandatory."""

    NOT_OPEN = "not_open"
    OPEN = "open"
    DUE = "due"
    LATE = "late"
    MISSED = "missed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """A visit on one day."""

    name: str
    number: int
    on: date
    basis: str
    windows: tuple[VisitWindow, ...]


def local_hour_in_utc(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The local ``hour`` of ``day`` as UTC. One that a clock change leaves out is the same distance after the gap."""
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


def list_expected_visits(
    calendar: VisitSchedule, anchors: Sequence[DatedAnchor], time_zone: str, working: WorkingDays = NO_DAYS_OFF
) -> tuple[ExpectedVisit, ...]:
    """Every assessment of the participant's whole time in the study, in order of opening.

    ``anchors`` should have passed ``anchors.find_anchor_problems``; of contradictory ones this makes the best it can,
    and no window
    ever closes before it opens. Which of them an answered form has already served: ``form_matching.match_forms``.
    """
    days = resolve_days(calendar, anchors, working)
    periods = {name: period_parts(days, period) for name, period in calendar.periods.items()}
    found = [
        one
        for visit in calendar.visits
        for turn in _occurrences(visit, days, periods)
        for one in _visits_of_occurrence(calendar, visit, turn, days, periods, ZoneInfo(time_zone))
    ]
    return tuple(sorted(found, key=lambda one: (one.opens, one.due, one.rank)))


def visit_status(one: ExpectedVisit, now: datetime) -> VisitStatus:
    """Where an assessment that nobody answered stands at ``now``: due on its day up to the hour, late after that."""
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
    calendar: VisitSchedule, anchors: Sequence[DatedAnchor], on: date, working: WorkingDays = NO_DAYS_OFF
) -> bool:
    """True on the days in which one missed check-in is enough for a phone call (week 3 of RT to 8 weeks after it)."""
    if calendar.risk is None:
        return False
    days = resolve_days(calendar, anchors, working)
    start, end = day_of(days, calendar.risk.start), day_of(days, calendar.risk.end)
    return start is not None and start.on <= on and (end is None or on <= end.on)


def _occurrences(visit: Visit, days: Days, periods: Mapping[str, Sequence[PeriodPart]]) -> Iterator[_Occurrence]:
    roots = list(_start_days(visit, days, periods))
    if not roots and visit.otherwise is not None:
        dated = first_day(days, visit.otherwise.anchor)
        if dated is not None:
            yield _Occurrence(visit.id, 0, dated.on, dated.basis, visit.otherwise.windows)
        return
    for name, number, dated, end in roots:
        if visit.series is None:
            yield _Occurrence(name, number, dated.on, dated.basis, visit.windows)
            continue
        for index, on in _recurrences(visit.series, dated.on, end, days):
            once = visit.series.first == visit.series.last
            yield _Occurrence(name if once else f"{name}.{index}", 0 if once else index, on, dated.basis, visit.windows)


def _start_days(
    visit: Visit, days: Days, periods: Mapping[str, Sequence[PeriodPart]]
) -> Iterator[tuple[str, int, ResolvedDay, date | None]]:
    """(name, number, day, end) of every day from which the visit counts."""
    if visit.anchor in periods:
        for stretch in periods[visit.anchor]:
            name = ".".join([visit.id, stretch.kind] + [str(stretch.number)] * bool(stretch.number))
            yield name, stretch.number, days[stretch.kind][stretch.number], stretch.end
        return
    for number, dated in sorted(days.get(visit.anchor, {}).items()):
        if not visit.numbers or number in visit.numbers:
            once = not number or len(visit.numbers) == 1
            yield (visit.id if once else f"{visit.id}.{number}"), (0 if once else number), dated, None


def _recurrences(series: VisitSeries, start: date, end: date | None, days: Days) -> Iterator[tuple[int, date]]:
    """(turn, day). The turn counts every step of the series, also those left out, so that names never shift."""
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
    calendar: VisitSchedule,
    visit: Visit,
    turn: _Occurrence,
    days: Days,
    periods: Mapping[str, Sequence[PeriodPart]],
    zone: ZoneInfo,
) -> Iterator[ExpectedVisit]:
    earliest = first_day(days, visit.not_before) if visit.not_before else None
    stops = [day.on for kind in calendar.stops if kind not in visit.outlives and (day := first_day(days, kind))]
    for window in turn.windows:
        due = turn.on + timedelta(days=window.due)
        if window.numbers and turn.number not in window.numbers:
            continue
        if any(due >= stop for stop in stops):
            continue
        if any(stretch.has(due) for name in visit.not_during for stretch in periods[name]):
            continue
        opens = turn.on + timedelta(days=window.opens)
        if earliest is not None:
            opens = min(max(opens, earliest.on), due)
        opens_at = local_hour_in_utc(opens, calendar.times.opens, zone)
        # A clock change may fold two times of the plan over each other.
        due_at = max(opens_at, local_hour_in_utc(due, calendar.times.due, zone))
        closes_at = max(due_at, local_hour_in_utc(turn.on + timedelta(days=window.closes), calendar.times.closes, zone))
        for stop in stops:
            closes_at = max(due_at, min(closes_at, local_hour_in_utc(stop, time.min, zone)))
        yield ExpectedVisit(
            visit=turn.name,
            kind=visit.id,
            number=turn.number,
            instrument=window.instrument,
            opens=opens_at,
            due=due_at,
            closes=closes_at,
            mandatory=window.mandatory,
            basis=turn.basis,
            time_zone=zone.key,
            rank=visit.rank,
            reminders=visit.reminders,
        )
