"""The duty roster: shifts and absences are added, handed over and cancelled; its days and gaps are read.

Nothing is ever deleted or moved: a change ends a row (``cancelled_at``) and adds others. What has passed stays as it
was. One change at a time: each locks the roster, so that two people never add shifts that exclude each other.
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
# Longer ones, and those further ahead, are slips of the finger.
SHIFT_AT_MOST = timedelta(days=31)
ABSENCE_AT_MOST = timedelta(days=366)
AHEAD_AT_MOST = timedelta(days=366)
DAYS_SHOWN = 28
# So far ahead every member of staff sees a gap: filling it takes that long.
GAP_DAYS_SHOWN = 7

Row = TypeVar("Row", Shift, Absence)


@dataclass(frozen=True, slots=True)
class RosterConflict:
    """A person's stretch that stands in the way, to be named in a refusal."""

    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class EditableShift:
    """A stretch of duty that can still be changed, and who holds it."""

    id: int
    plan: str
    place: str
    name: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class RosterGap:
    """A time without a person on call. ``ends``: None if the roster has no shift after it.

    ``names``: the stand-ins whom an emergency reaches at its beginning. ``plan``: the study.
    """

    plan: str
    starts: datetime
    ends: datetime | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RosterLine:
    """A part of a day and the shift in it. ``away``: its holder is absent, so it does not count.

    Without ``duty_id`` and name: a gap.
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
        """True if some hour of it that is still to come has no person on call."""
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


def add_shift(
    work: UnitOfWork, plan_id: str, person_id: int | None, place: str, starts: datetime | None, ends: datetime | None
) -> Shift:
    """A stretch of duty from and to local times of the study. BadData("duty", fields=..., whose=...).

    ``whose``: the stretch that stands in the way where a field's reason is "overlaps" or "absent".
    """
    _lock_roster(work)
    plan = work.catalogue.plans.get(plan_id)
    problems = _person_problems(work, person_id) | ({} if place in PLACES else {"place": "unknown"})
    if plan is None:
        raise BadData("duty", fields=problems | {"plan": "no_plan"})
    stretch = _parse_interval(work, plan.settings.time_zone, starts, ends, SHIFT_AT_MOST, problems)
    if problems or stretch is None or person_id is None:
        raise BadData("duty", fields=problems)
    _require_free(work, plan_id, place, person_id, stretch)
    return _store_shift(work, plan_id, person_id, place, stretch)


def cancel_shift(work: UnitOfWork, duty_id: int) -> Shift:
    """Take a stretch of duty back; what of it has passed stays. NotFound, NotAllowed("changed" | "past")."""
    duty = _lock_shift(work, duty_id)
    _end_shift(work, duty, "taken back")
    _keep_part(work, duty, Interval(duty.starts_at, _this_minute(work)))
    return duty


def hand_over_shift(
    work: UnitOfWork, duty_id: int, person_id: int | None, starts: datetime | None, ends: datetime | None
) -> list[Shift]:
    """Give ``starts`` to ``ends`` (local) of a shift to another person; the rest stays with its holder.

    What has passed is not given away. The old stretch ends and up to three are put. NotFound,
    NotAllowed("changed" | "past"), BadData("duty", fields=..., whose=...).
    """
    duty = _lock_shift(work, duty_id)
    problems = _person_problems(work, person_id)
    if person_id == duty.staff_id:
        problems["person"] = "same"
    zone = work.catalogue.plans[duty.plan].settings.time_zone
    wish = _parse_interval(work, zone, starts, ends, SHIFT_AT_MOST, problems)
    held = Interval(duty.starts_at, duty.ends_at)
    if wish is not None and wish.intersection(held) != wish:
        raise BadData(
            "duty",
            fields=problems | {"starts": "outside"},
            whose=RosterConflict(_staff_name(work, duty.staff_id), held),
        )
    if problems or wish is None or person_id is None:
        raise BadData("duty", fields=problems)
    part = Interval(max(wish.starts, _this_minute(work)), wish.ends)
    _require_free(work, duty.plan, duty.place, person_id, part, except_id=duty.id)
    _end_shift(work, duty, "handed over")
    rest = [_keep_part(work, duty, left) for left in subtract_intervals(held, [part])]
    return [kept for kept in rest if kept] + [_store_shift(work, duty.plan, person_id, duty.place, part)]


def add_absence(
    work: UnitOfWork, person_id: int | None, starts: datetime | None, ends: datetime | None
) -> tuple[Absence, list[Shift]]:
    """Add an absence, in local times of the first study; return it and the shifts that it overlaps.

    Those stand, but count for nothing while the person is away: show them. BadData("absence", fields=..., whose=...).
    """
    _lock_roster(work)
    problems = _person_problems(work, person_id)
    zone = next(iter(work.catalogue.plans.values())).settings.time_zone
    stretch = _parse_interval(work, zone, starts, ends, ABSENCE_AT_MOST, problems)
    if problems or stretch is None or person_id is None:
        raise BadData("absence", fields=problems)
    for known in absences_within(work, stretch):
        if known.staff_id == person_id:
            whose = RosterConflict(_staff_name(work, person_id), Interval(known.starts_at, known.ends_at))
            raise BadData("absence", fields={"starts": "away_already"}, whose=whose)
    absence = _store_absence(work, person_id, stretch)
    return absence, [duty for duty in shifts_within(work, stretch) if duty.staff_id == person_id]


def cancel_absence(work: UnitOfWork, absence_id: int) -> Absence:
    """Take an absence back; what of it has passed stays. NotFound, NotAllowed("changed" | "past")."""
    _lock_roster(work)
    absence = _require_changeable(work, work.session.get(Absence, absence_id, populate_existing=True))
    absence.cancelled_at = work.now
    work.record("absence.cancelled", absence, old=_audit_facts(absence), reason="taken back")
    passed = Interval(absence.starts_at, _this_minute(work))
    if passed.starts < passed.ends:
        _store_absence(work, absence.staff_id, passed)
    return absence


def read_shift(work: UnitOfWork, duty_id: int) -> EditableShift:
    """One stretch of duty that can still be changed. NotFound, NotAllowed("changed" | "past")."""
    duty = _require_changeable(work, work.session.get(Shift, duty_id))
    stretch = Interval(duty.starts_at, duty.ends_at)
    return EditableShift(duty.id, duty.plan, duty.place, _staff_name(work, duty.staff_id), stretch)


def eligible_staff(work: UnitOfWork) -> list[StaffMember]:
    """Who can be put on duty: open accounts whose role may act on alerts, by name."""
    query = select(StaffMember).where(StaffMember.disabled_at.is_(None)).order_by(StaffMember.name, StaffMember.id)
    return [person for person in work.session.scalars(query) if staff_accounts.has_right(person.role, "acknowledge")]


def shifts_within(work: UnitOfWork, span: Interval, plan_id: str = "") -> list[Shift]:
    """Stretches of duty of open accounts that meet ``span`` and were not taken back, the earliest first."""
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
    """Absences of open accounts that meet ``span`` and were not taken back, the earliest first."""
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
    """The parts of a stretch of duty in which its holder is there; ``away``: person -> absences."""
    return subtract_intervals(Interval(duty.starts_at, duty.ends_at), away.get(duty.staff_id, []))


def absences_by_person(work: UnitOfWork, span: Interval) -> dict[int, list[Interval]]:
    """person -> absences that meet ``span``."""
    found: dict[int, list[Interval]] = {}
    for row in absences_within(work, span):
        found.setdefault(row.staff_id, []).append(Interval(row.starts_at, row.ends_at))
    return found


def to_utc(local: datetime, zone: str) -> datetime:
    """A local time in UTC. One that a clock change leaves out is moved on by the change; of two, the first is meant."""
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def list_gaps(work: UnitOfWork, plan: StudyPlan, days: int = GAP_DAYS_SHOWN) -> list[RosterGap]:
    """The stretches that begin within ``days`` days from now and have no person on call, the next one first."""
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
    """Absences that are not over, the earliest first."""
    names = staff_accounts.staff_names(work)
    span = Interval(work.now, work.now + AHEAD_AT_MOST)
    rows: list[Absence] = absences_within(work, span)
    return [AbsenceRow(row.id, names[row.staff_id], Interval(row.starts_at, row.ends_at)) for row in rows]


def _lock_roster(work: UnitOfWork) -> None:
    """Keep everybody else from changing the roster until this work ends. SQLite has one writer anyway."""
    if work.app_context.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _this_minute(work: UnitOfWork) -> datetime:
    # Times are typed to the minute: a stretch cut between two would overlap the one that goes on from it.
    return work.now.replace(second=0, microsecond=0)


def _person_problems(work: UnitOfWork, person_id: int | None) -> dict[str, str]:
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
    """The typed local times in UTC. What is wrong with them goes into ``problems``; then there is no stretch."""
    typed = {"starts": starts, "ends": ends}
    wrong = {name: "day_and_time_needed" for name, at in typed.items() if at is None}
    # Compared as typed first: the years at either end of a calendar have no other zone.
    here = work.now.replace(tzinfo=None)
    wrong |= {name: "too_far" for name, at in typed.items() if at and abs(at - here) > AHEAD_AT_MOST * 2}
    if wrong or starts is None or ends is None:
        problems.update(wrong)
        return None
    stretch = Interval(to_utc(starts, zone), to_utc(ends, zone))
    if stretch.ends <= stretch.starts:
        problems["ends"] = "ends_first"
    elif stretch.ends <= work.now:
        problems["ends"] = "past"
    elif stretch.starts - work.now > AHEAD_AT_MOST:
        problems["starts"] = "too_far"
    elif stretch.ends - stretch.starts > at_most:
        problems["ends"] = "stretch_too_long"
    else:
        return stretch
    return None


def _require_free(
    work: UnitOfWork, plan_id: str, place: str, person_id: int, stretch: Interval, except_id: int | None = None
) -> None:
    away = absences_by_person(work, stretch)
    own = [other for other in away.get(person_id, []) if other.overlaps(stretch)]
    if own:
        raise BadData("duty", fields={"person": "absent"}, whose=RosterConflict(_staff_name(work, person_id), own[0]))
    for duty in shifts_within(work, stretch, plan_id):
        # A shift does not count while its holder is absent, so another person may have one then.
        if (
            duty.place == place
            and duty.id != except_id
            and any(part.overlaps(stretch) for part in covered_intervals(duty, away))
        ):
            whose = RosterConflict(_staff_name(work, duty.staff_id), Interval(duty.starts_at, duty.ends_at))
            raise BadData("duty", fields={"starts": "overlaps"}, whose=whose)


def _lock_shift(work: UnitOfWork, duty_id: int) -> Shift:
    _lock_roster(work)
    return _require_changeable(work, work.session.get(Shift, duty_id, populate_existing=True))


def _require_changeable(work: UnitOfWork, row: Row | None) -> Row:
    if row is None or (isinstance(row, Shift) and row.plan not in work.catalogue.plans):
        raise NotFound("roster")
    if row.cancelled_at is not None:
        _raise_changed(work, row)
    if row.ends_at <= work.now:
        raise NotAllowed("past")
    return row


def _raise_changed(work: UnitOfWork, row: Shift | Absence) -> NoReturn:
    kind = row.__tablename__
    query = select(AuditEntry).where(
        AuditEntry.subject == kind, AuditEntry.subject_id == row.id, AuditEntry.action == f"{kind}.cancelled"
    )
    change = work.session.scalars(query.order_by(AuditEntry.id.desc())).first()
    name = _staff_name(work, change.actor_id) if change and change.actor_id else ""
    raise NotAllowed("changed", name=name, at=row.cancelled_at)


def _staff_name(work: UnitOfWork, staff_id: int) -> str:
    return work.session.get_one(StaffMember, staff_id).name


def _audit_facts(row: Shift | Absence) -> dict[str, object]:
    facts = {"staff": row.staff_id, "starts": row.starts_at.isoformat(), "ends": row.ends_at.isoformat()}
    return {"place": row.place, **facts} if isinstance(row, Shift) else facts


def _store_shift(work: UnitOfWork, plan_id: str, person_id: int, place: str, stretch: Interval) -> Shift:
    duty = Shift(plan=plan_id, staff_id=person_id, place=place, starts_at=stretch.starts, ends_at=stretch.ends)
    work.session.add(duty)
    work.record("duty.put", duty, new=_audit_facts(duty))
    return duty


def _end_shift(work: UnitOfWork, duty: Shift, reason: str) -> None:
    duty.cancelled_at = work.now
    work.record("duty.cancelled", duty, old=_audit_facts(duty), reason=reason)


def _keep_part(work: UnitOfWork, duty: Shift, part: Interval) -> Shift | None:
    """``part`` of a stretch that has just ended stays with its holder."""
    return _store_shift(work, duty.plan, duty.staff_id, duty.place, part) if part.starts < part.ends else None


def _store_absence(work: UnitOfWork, person_id: int, stretch: Interval) -> Absence:
    absence = Absence(staff_id=person_id, starts_at=stretch.starts, ends_at=stretch.ends)
    work.session.add(absence)
    work.record("absence.put", absence, new=_audit_facts(absence))
    return absence


def _uncovered_intervals(work: UnitOfWork, plan: StudyPlan, span: Interval) -> list[Interval]:
    away = absences_by_person(work, span)
    on_call = [duty for duty in shifts_within(work, span, plan.id) if duty.place == "on_call"]
    return subtract_intervals(span, [part for duty in on_call for part in covered_intervals(duty, away)])


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
