"""The duty roster: add, hand over and cancel shifts and absences, list days and gaps.

Rows are never deleted or moved: a change cancels a row (``cancelled_at``) and adds others. Past parts of a shift stay
unchanged. Each change locks the roster, so that two users never add conflicting shifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import NoReturn, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.schedule.intervals import Interval, subtract_intervals
from pro.core.study_plan import StudyPlan
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.duty_roster import recipients
from pro.features.duty_roster.recipients import PLACES
from pro.models import Absence, AuditEntry, Shift, StaffMember

LOCK_KEY = 7_310_002
# Longer periods, and those further ahead, are taken for typing errors.
SHIFT_AT_MOST = timedelta(days=31)
ABSENCE_AT_MOST = timedelta(days=366)
AHEAD_AT_MOST = timedelta(days=366)
DAYS_SHOWN = 28
# All staff see the gaps of this many days, so that there is time to fill them.
GAP_DAYS_SHOWN = 7

Row = TypeVar("Row", Shift, Absence)


@dataclass(frozen=True, slots=True)
class RosterConflict:
    """A shift or absence that conflicts with a requested one, and its staff member's name."""

    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class EditableShift:
    """A shift that can still be changed, and its holder's name."""

    id: int
    plan: str
    place: str
    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class RosterGap:
    """A period without a person on call; times in UTC.

    ``ends``: None if no shift follows. ``names``: the recipients of an emergency at its start. ``plan``: id of the
    study.
    """

    plan: str
    starts: datetime
    ends: datetime | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RosterLine:
    """Part of a day and the shift in it.

    ``away``: its holder is absent, so the shift does not count. Without ``shift_id`` and name the line is a gap.
    """

    shift_id: int | None
    place: str
    name: str
    part: Interval
    away: bool


@dataclass(frozen=True, slots=True)
class RosterDay:
    """One local day: shifts and gaps in order of time, and the names of absent staff."""

    whole: Interval
    lines: list[RosterLine]
    away: list[str]

    @property
    def has_gap(self) -> bool:
        """True if no person is on call during some future part of the day."""
        return any(line.shift_id is None for line in self.lines)


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """An absence that has not ended."""

    id: int
    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class RosterPage:
    """The coming days of one study, and the gaps of the next GAP_DAYS_SHOWN days."""

    plan: str
    days: list[RosterDay]
    gaps: list[RosterGap]


def add_shift(
    work: UnitOfWork,
    plan_id: str,
    person_id: int | None,
    place: str,
    starts: datetime | None,
    ends: datetime | None,
    *,
    both_places: bool = False,
) -> Shift:
    """Add a shift between two local times of the study.

    ``both_places``: the person may hold the other place at the same time. Raise BadData("duty", fields=..., whose=...).
    ``whose``: the conflicting shift or absence if a field's problem is "overlaps", "absent", or "holds_other_place"
    (without ``both_places``).
    """
    _lock_roster(work)
    plan = work.catalogue.plans.get(plan_id)
    problems = _person_problems(work, person_id) | ({} if place in PLACES else {"place": "unknown"})
    if plan is None:
        raise BadData("duty", fields=problems | {"plan": "no_plan"})
    interval = _parse_interval(work, plan.settings.time_zone, starts, ends, SHIFT_AT_MOST, problems)
    if problems or interval is None or person_id is None:
        raise BadData("duty", fields=problems)
    _require_free(work, plan_id, place, person_id, interval)
    if not both_places:
        _require_one_place(work, plan_id, place, person_id, interval)
    return _store_shift(work, plan_id, person_id, place, interval)


def cancel_shift(work: UnitOfWork, shift_id: int) -> Shift:
    """Cancel a shift; its past part stays. Raise NotFound, NotAllowed("changed" | "past")."""
    duty = _lock_shift(work, shift_id)
    _end_shift(work, duty, "taken back")
    _keep_part(work, duty, Interval(duty.starts_at, _this_minute(work)))
    return duty


def hand_over_shift(
    work: UnitOfWork,
    shift_id: int,
    person_id: int | None,
    starts: datetime | None,
    ends: datetime | None,
    *,
    both_places: bool = False,
) -> list[Shift]:
    """Give the part of a shift from ``starts`` to ``ends`` (local times) to another person.

    The rest stays with its holder, and so does what has passed. The shift is cancelled, and up to three shifts are
    added and returned. ``both_places``: as for ``add_shift``. Raise NotFound, NotAllowed("changed" | "past"),
    BadData("duty", fields=..., whose=...).
    """
    duty = _lock_shift(work, shift_id)
    problems = _person_problems(work, person_id)
    if person_id == duty.staff_id:
        problems["person"] = "same"
    zone = work.catalogue.shown_plan(duty.plan).settings.time_zone
    requested = _parse_interval(work, zone, starts, ends, SHIFT_AT_MOST, problems)
    held = Interval(duty.starts_at, duty.ends_at)
    if requested is not None and requested.intersection(held) != requested:
        raise BadData(
            "duty",
            fields=problems | {"starts": "outside"},
            whose=RosterConflict(_staff_name(work, duty.staff_id), held),
        )
    if problems or requested is None or person_id is None:
        raise BadData("duty", fields=problems)
    part = Interval(max(requested.starts, _this_minute(work)), requested.ends)
    _require_free(work, duty.plan, duty.kind, person_id, part, except_id=duty.id)
    if not both_places:
        _require_one_place(work, duty.plan, duty.kind, person_id, part)
    _end_shift(work, duty, "handed over")
    rest = [_keep_part(work, duty, left) for left in subtract_intervals(held, [part])]
    return [kept for kept in rest if kept] + [_store_shift(work, duty.plan, person_id, duty.kind, part)]


def add_absence(
    work: UnitOfWork, person_id: int | None, starts: datetime | None, ends: datetime | None
) -> tuple[Absence, list[Shift]]:
    """Add an absence, in local times of the first study; return it and overlapping shifts.

    Those shifts stay in the roster but do not count during the absence: show them to the user. Raise BadData("absence",
    fields=..., whose=...).
    """
    _lock_roster(work)
    problems = _person_problems(work, person_id)
    zone = next(iter(work.catalogue.plans.values())).settings.time_zone
    interval = _parse_interval(work, zone, starts, ends, ABSENCE_AT_MOST, problems)
    if problems or interval is None or person_id is None:
        raise BadData("absence", fields=problems)
    for known in absences_within(work, interval):
        if known.staff_id == person_id:
            whose = RosterConflict(_staff_name(work, person_id), Interval(known.starts_at, known.ends_at))
            raise BadData("absence", fields={"starts": "away_already"}, whose=whose)
    absence = _store_absence(work, person_id, interval)
    return absence, [duty for duty in shifts_within(work, interval) if duty.staff_id == person_id]


def cancel_absence(work: UnitOfWork, absence_id: int) -> Absence:
    """Cancel an absence; its past part stays. Raise NotFound, NotAllowed("changed" | "past")."""
    _lock_roster(work)
    absence = _require_changeable(work, work.session.get(Absence, absence_id, populate_existing=True))
    absence.cancelled_at = work.now
    work.record("absence.cancelled", absence, old=_audit_facts(absence), reason="taken back")
    passed = Interval(absence.starts_at, _this_minute(work))
    if passed.starts < passed.ends:
        _store_absence(work, absence.staff_id, passed)
    return absence


def read_shift(work: UnitOfWork, shift_id: int) -> EditableShift:
    """Return a shift that can still be changed; NotFound, NotAllowed("changed" | "past")."""
    duty = _require_changeable(work, work.session.get(Shift, shift_id))
    interval = Interval(duty.starts_at, duty.ends_at)
    return EditableShift(duty.id, duty.plan, duty.kind, _staff_name(work, duty.staff_id), interval)


def eligible_staff(work: UnitOfWork) -> list[StaffMember]:
    """Return the active staff members whose role may acknowledge alerts, by name."""
    query = select(StaffMember).where(StaffMember.disabled_at.is_(None)).order_by(StaffMember.name, StaffMember.id)
    return [person for person in work.session.scalars(query) if staff_accounts.has_right(person.role, "acknowledge")]


def shifts_within(work: UnitOfWork, span: Interval, plan_id: str = "") -> list[Shift]:
    """Return the shifts of active accounts that overlap ``span``, earliest first.

    Cancelled shifts are left out. ``plan_id``: only those of one study.
    """
    query = (
        select(Shift)
        .join(StaffMember, StaffMember.id == Shift.staff_id)
        .where(
            Shift.starts_at < span.ends,
            Shift.ends_at > span.starts,
            Shift.cancelled_at.is_(None),
            StaffMember.disabled_at.is_(None),
        )
        .order_by(Shift.starts_at, Shift.id)
    )
    return list(work.session.scalars(query.where(Shift.plan == plan_id) if plan_id else query))


def absences_within(work: UnitOfWork, span: Interval) -> list[Absence]:
    """Return the absences of active accounts that overlap ``span``, earliest first.

    Cancelled absences are left out.
    """
    query = (
        select(Absence)
        .join(StaffMember, StaffMember.id == Absence.staff_id)
        .where(
            Absence.starts_at < span.ends,
            Absence.ends_at > span.starts,
            Absence.cancelled_at.is_(None),
            StaffMember.disabled_at.is_(None),
        )
        .order_by(Absence.starts_at, Absence.id)
    )
    return list(work.session.scalars(query))


def covered_intervals(duty: Shift, away: Mapping[int, list[Interval]]) -> list[Interval]:
    """Return the parts of a shift in which its holder is present.

    ``away``: staff id -> absences.
    """
    return subtract_intervals(Interval(duty.starts_at, duty.ends_at), away.get(duty.staff_id, []))


def absences_by_person(work: UnitOfWork, span: Interval) -> dict[int, list[Interval]]:
    """Return staff id -> absences that overlap ``span``."""
    found: dict[int, list[Interval]] = {}
    for row in absences_within(work, span):
        found.setdefault(row.staff_id, []).append(Interval(row.starts_at, row.ends_at))
    return found


def to_utc(local: datetime, zone: str) -> datetime:
    """Return a local time in UTC.

    A time skipped by a clock change moves forward by the change; of an ambiguous time the first occurrence is taken.
    """
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def list_gaps(work: UnitOfWork, plan: StudyPlan, days: int = GAP_DAYS_SHOWN) -> list[RosterGap]:
    """Return the roster gaps that begin within ``days`` days from now, earliest first."""
    span = Interval(work.now, work.now + timedelta(days=max(days, DAYS_SHOWN)))
    emergency = [step for step in plan.escalation_steps if step.level is Level.EMERGENCY and step.at_once]
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
    """Return the roster gaps of all studies, earliest first."""
    return sorted(
        (gap for plan in work.catalogue.plans.values() for gap in list_gaps(work, plan)), key=lambda gap: gap.starts
    )


def read_roster_page(work: UnitOfWork, plan: StudyPlan, days: int = DAYS_SHOWN) -> RosterPage:
    """Return the roster of ``days`` days from today on, in the study's time zone."""
    zone = ZoneInfo(plan.settings.time_zone)
    today = datetime.combine(work.now.astimezone(zone).date(), time.min)
    midnights = [to_utc(today + timedelta(days=day), zone.key) for day in range(days + 1)]
    span = Interval(midnights[0], midnights[-1])
    held = shifts_within(work, span, plan.id)
    away = absences_by_person(work, span)
    names = staff_accounts.staff_names(work)
    lines = [line for duty in held for line in _roster_lines(duty, names[duty.staff_id], away.get(duty.staff_id, []))]
    to_come = Interval(max(span.starts, work.now), span.ends)
    uncovered = [RosterLine(None, "on_call", "", gap, away=False) for gap in _uncovered_intervals(work, plan, to_come)]
    return RosterPage(
        plan=plan.id,
        days=[
            _roster_day(Interval(start, end), lines + uncovered, {names[who]: parts for who, parts in away.items()})
            for start, end in pairwise(midnights)
        ],
        gaps=list_gaps(work, plan),
    )


def list_absences(work: UnitOfWork) -> list[AbsenceRow]:
    """Return the absences that have not ended, earliest first."""
    names = staff_accounts.staff_names(work)
    span = Interval(work.now, work.now + AHEAD_AT_MOST)
    rows: list[Absence] = absences_within(work, span)
    return [AbsenceRow(row.id, names[row.staff_id], Interval(row.starts_at, row.ends_at)) for row in rows]


def _lock_roster(work: UnitOfWork) -> None:
    """Lock the roster against other changes until this work ends.

    Only on PostgreSQL: SQLite has a single writer.
    """
    if work.app_context.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _this_minute(work: UnitOfWork) -> datetime:
    """Return the start of the current minute, in UTC."""
    # Times are typed to the minute: a shift cut within a minute would overlap the shift that follows it.
    return work.now.replace(second=0, microsecond=0)


def _person_problems(work: UnitOfWork, person_id: int | None) -> dict[str, str]:
    """Return {"person": problem} if the staff member cannot hold a shift, else {}."""
    if person_id is None:
        return {"person": "person_missing"}
    person = work.session.get(StaffMember, person_id)
    if person is None or person.disabled_at is not None:
        return {"person": "no_account"}
    return {} if staff_accounts.has_right(person.role, "acknowledge") else {"person": "cannot_act"}


def _parse_interval(
    work: UnitOfWork,
    zone: str,
    starts: datetime | None,
    ends: datetime | None,
    at_most: timedelta,
    problems: dict[str, str],
) -> Interval | None:
    """Return the typed local times as an interval in UTC, or None if they are invalid.

    Adds what is wrong to ``problems``. ``at_most``: the longest interval allowed.
    """
    typed = {"starts": starts, "ends": ends}
    wrong = {name: "day_and_time_needed" for name, at in typed.items() if at is None}
    # Compared before conversion: conversion fails in the first and last year that a datetime can hold.
    here = work.now.replace(tzinfo=None)
    wrong |= {name: "too_far" for name, at in typed.items() if at and abs(at - here) > AHEAD_AT_MOST * 2}
    if wrong or starts is None or ends is None:
        problems.update(wrong)
        return None
    interval = Interval(to_utc(starts, zone), to_utc(ends, zone))
    if interval.ends <= interval.starts:
        problems["ends"] = "ends_first"
    elif interval.ends <= work.now:
        problems["ends"] = "past"
    elif interval.starts - work.now > AHEAD_AT_MOST:
        problems["starts"] = "too_far"
    elif interval.ends - interval.starts > at_most:
        problems["ends"] = "stretch_too_long"
    else:
        return interval
    return None


def _require_free(
    work: UnitOfWork, plan_id: str, place: str, person_id: int, interval: Interval, except_id: int | None = None
) -> None:
    """Raise BadData("duty") if the person is absent or the place is taken in the interval.

    ``except_id``: id of a shift to ignore.
    """
    away = absences_by_person(work, interval)
    own = [other for other in away.get(person_id, []) if other.overlaps(interval)]
    if own:
        raise BadData("duty", fields={"person": "absent"}, whose=RosterConflict(_staff_name(work, person_id), own[0]))
    for duty in shifts_within(work, interval, plan_id):
        # A shift does not count while its holder is absent, so another person may take the place then.
        if (
            duty.kind == place
            and duty.id != except_id
            and any(part.overlaps(interval) for part in covered_intervals(duty, away))
        ):
            whose = RosterConflict(_staff_name(work, duty.staff_id), Interval(duty.starts_at, duty.ends_at))
            raise BadData("duty", fields={"starts": "overlaps"}, whose=whose)


def _require_one_place(work: UnitOfWork, plan_id: str, place: str, person_id: int, interval: Interval) -> None:
    """Raise BadData("duty") if the person holds the other place in the interval.

    Otherwise the next escalation step would reach the same phone again.
    """
    for duty in shifts_within(work, interval, plan_id):
        if duty.staff_id == person_id and duty.kind != place:
            whose = RosterConflict(_staff_name(work, person_id), Interval(duty.starts_at, duty.ends_at))
            raise BadData("duty", fields={"person": "holds_other_place"}, whose=whose)


def _lock_shift(work: UnitOfWork, shift_id: int) -> Shift:
    """Lock the roster and return a shift. Raise as ``_require_changeable``."""
    _lock_roster(work)
    return _require_changeable(work, work.session.get(Shift, shift_id, populate_existing=True))


def _require_changeable(work: UnitOfWork, row: Row | None) -> Row:
    """Return ``row``. Raise NotFound, NotAllowed("changed" | "past") if it cannot be changed."""
    if row is None or (isinstance(row, Shift) and row.plan not in work.catalogue.plans):
        raise NotFound("roster")
    if row.cancelled_at is not None:
        _raise_changed(work, row)
    if row.ends_at <= work.now:
        raise NotAllowed("past")
    return row


def _raise_changed(work: UnitOfWork, row: Shift | Absence) -> NoReturn:
    """Raise NotAllowed("changed", name, at) with the person who cancelled ``row``."""
    kind = row.__tablename__
    query = select(AuditEntry).where(
        AuditEntry.subject == kind, AuditEntry.subject_id == row.id, AuditEntry.action == f"{kind}.cancelled"
    )
    change = work.session.scalars(query.order_by(AuditEntry.id.desc())).first()
    name = _staff_name(work, change.actor_id) if change and change.actor_id else ""
    raise NotAllowed("changed", name=name, at=row.cancelled_at)


def _staff_name(work: UnitOfWork, staff_id: int) -> str:
    """Return the name of a staff member."""
    return work.session.get_one(StaffMember, staff_id).name


def _audit_facts(row: Shift | Absence) -> dict[str, object]:
    """Return the content of a shift or absence for the audit trail."""
    facts = {"staff": row.staff_id, "starts": row.starts_at.isoformat(), "ends": row.ends_at.isoformat()}
    return {"shift": row.kind, **facts} if isinstance(row, Shift) else facts


def _store_shift(work: UnitOfWork, plan_id: str, person_id: int, place: str, interval: Interval) -> Shift:
    """Store and return a shift."""
    duty = Shift(plan=plan_id, staff_id=person_id, kind=place, starts_at=interval.starts, ends_at=interval.ends)
    work.session.add(duty)
    work.record("shift.put", duty, new=_audit_facts(duty))
    return duty


def _end_shift(work: UnitOfWork, duty: Shift, reason: str) -> None:
    """Mark a shift as cancelled."""
    duty.cancelled_at = work.now
    work.record("shift.cancelled", duty, old=_audit_facts(duty), reason=reason)


def _keep_part(work: UnitOfWork, duty: Shift, part: Interval) -> Shift | None:
    """Store ``part`` of a cancelled shift for its holder; None if the part is empty."""
    return _store_shift(work, duty.plan, duty.staff_id, duty.kind, part) if part.starts < part.ends else None


def _store_absence(work: UnitOfWork, person_id: int, interval: Interval) -> Absence:
    """Store and return an absence."""
    absence = Absence(staff_id=person_id, starts_at=interval.starts, ends_at=interval.ends)
    work.session.add(absence)
    work.record("absence.put", absence, new=_audit_facts(absence))
    return absence


def _uncovered_intervals(work: UnitOfWork, plan: StudyPlan, span: Interval) -> list[Interval]:
    """Return the parts of ``span`` without a present person on call."""
    away = absences_by_person(work, span)
    on_call = [duty for duty in shifts_within(work, span, plan.id) if duty.kind == "on_call"]
    return subtract_intervals(span, [part for duty in on_call for part in covered_intervals(duty, away)])


def _roster_day(whole: Interval, lines: list[RosterLine], away: dict[str, list[Interval]]) -> RosterDay:
    """Return one day with the parts of ``lines`` and absences that fall into it."""
    parts = [replace(line, part=part) for line in lines if (part := line.part.intersection(whole))]
    return RosterDay(
        whole=whole,
        lines=sorted(parts, key=lambda line: line.part),
        away=sorted(name for name, times in away.items() if any(part.overlaps(whole) for part in times)),
    )


def _roster_lines(duty: Shift, name: str, away: list[Interval]) -> list[RosterLine]:
    """Return a shift as lines, split where its holder's absences begin and end."""
    whole = Interval(duty.starts_at, duty.ends_at)
    present = subtract_intervals(whole, away)
    parts = [(part, False) for part in present] + [(part, True) for part in subtract_intervals(whole, present)]
    return [RosterLine(duty.id, duty.kind, name, part, is_away) for part, is_away in parts]
