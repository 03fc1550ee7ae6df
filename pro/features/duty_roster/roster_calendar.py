"""The duty roster as it is read: who holds a place on each day to come, and when nobody does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.schedule.intervals import Interval, subtract_intervals
from pro.core.study_plan import StudyPlan
from pro.features.accounts import staff_accounts
from pro.features.duty_roster import recipients, roster_service
from pro.models import Absence, Shift

DAYS_SHOWN = 28
# So far ahead a gap must be seen by everybody, because it takes that long to find somebody.
GAP_DAYS_SHOWN = 7


@dataclass(frozen=True, slots=True)
class RosterGap:
    """A stretch in which nobody is on call. ``ends`` is None if nobody is down after it, as far as the roster goes.

    ``names``: whom an emergency reaches at its beginning, because they stand in. ``plan``: the study.
    """

    plan: str
    starts: datetime
    ends: datetime | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A part of a day in which somebody holds a place. ``away``: they are away, so it counts for nothing.

    Without ``duty_id`` and name: nobody holds it.
    """

    duty_id: int | None
    place: str
    name: str
    part: Interval
    away: bool


@dataclass(frozen=True, slots=True)
class RosterDay:
    """One local day: who holds which place, the gaps among them, the earliest first; and who is away."""

    whole: Interval
    lines: list[RosterLine]
    away: list[str]

    @property
    def has_gap(self) -> bool:
        """True if at some hour that is still to come nobody is on call."""
        return any(line.duty_id is None for line in self.lines)


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """An absence that is not over."""

    id: int
    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class RosterPage:
    """The coming days of one study, and its gaps within the next days."""

    plan: str
    days: list[RosterDay]
    gaps: list[RosterGap]


def list_gaps(work: UnitOfWork, plan: StudyPlan, days: int = GAP_DAYS_SHOWN) -> list[RosterGap]:
    """The stretches that begin within ``days`` days from now and in which nobody is on call, the next one first."""
    span = Interval(work.now, work.now + timedelta(days=max(days, DAYS_SHOWN)))
    emergency = [step for step in plan.ladder if step.level is Level.EMERGENCY and step.at_once]
    return [
        RosterGap(
            plan=plan.id,
            starts=gap.starts,
            ends=gap.ends if gap.ends < span.ends else None,
            names=tuple(person.name for person in recipients.recipients_of(work, plan, emergency, gap.starts)),
        )
        for gap in _uncovered_intervals(work, plan, span)
        if gap.starts - work.now < timedelta(days=days)
    ]


def list_all_gaps(work: UnitOfWork) -> list[RosterGap]:
    """The gaps of every study, the next one first."""
    return sorted(
        (gap for plan in work.catalogue.plans.values() for gap in list_gaps(work, plan)), key=lambda gap: gap.starts
    )


def read_roster_page(work: UnitOfWork, plan: StudyPlan, days: int = DAYS_SHOWN) -> RosterPage:
    """The days from today on in the study's zone."""
    zone = ZoneInfo(plan.settings.time_zone)
    today = datetime.combine(work.now.astimezone(zone).date(), time.min)
    midnights = [roster_service.to_utc(today + timedelta(days=day), zone.key) for day in range(days + 1)]
    span = Interval(midnights[0], midnights[-1])
    held = roster_service.shifts_within(work, span, plan.id)
    away = roster_service.absences_by_person(work, span)
    names = staff_accounts.staff_names(work)
    lines = [line for duty in held for line in _roster_lines(duty, names[duty.staff_id], away.get(duty.staff_id, []))]
    to_come = Interval(max(span.starts, work.now), span.ends)
    nobody = [RosterLine(None, "on_call", "", gap, away=False) for gap in _uncovered_intervals(work, plan, to_come)]
    return RosterPage(
        plan=plan.id,
        days=[
            _roster_day(Interval(start, end), lines + nobody, {names[who]: parts for who, parts in away.items()})
            for start, end in pairwise(midnights)
        ],
        gaps=list_gaps(work, plan),
    )


def list_absences(work: UnitOfWork) -> list[AbsenceRow]:
    """Absences that are not over, the earliest first."""
    names = staff_accounts.staff_names(work)
    span = Interval(work.now, work.now + roster_service.AHEAD_AT_MOST)
    rows: list[Absence] = roster_service.absences_within(work, span)
    return [AbsenceRow(row.id, names[row.staff_id], Interval(row.starts_at, row.ends_at)) for row in rows]


def _uncovered_intervals(work: UnitOfWork, plan: StudyPlan, span: Interval) -> list[Interval]:
    away = roster_service.absences_by_person(work, span)
    on_call = [duty for duty in roster_service.shifts_within(work, span, plan.id) if duty.place == "on_call"]
    return subtract_intervals(span, [part for duty in on_call for part in roster_service.covered_intervals(duty, away)])


def _roster_day(whole: Interval, lines: list[RosterLine], away: dict[str, list[Interval]]) -> RosterDay:
    parts = [replace(line, part=part) for line in lines if (part := line.part.intersection(whole))]
    return RosterDay(
        whole=whole,
        lines=sorted(parts, key=lambda line: line.part),
        away=sorted(name for name, times in away.items() if any(part.overlaps(whole) for part in times)),
    )


def _roster_lines(duty: Shift, name: str, away: list[Interval]) -> list[RosterLine]:
    whole = Interval(duty.starts_at, duty.ends_at)
    there = subtract_intervals(whole, away)
    parts = [(part, False) for part in there] + [(part, True) for part in subtract_intervals(whole, there)]
    return [RosterLine(duty.id, duty.place, name, part, is_away) for part, is_away in parts]
