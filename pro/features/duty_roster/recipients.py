"""Choose recipients: staff on duty now, roles, and stand-ins where a shift is vacant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import EscalationStep, StudyPlan
from pro.models import Absence, Shift, StaffMember

PLACES = ("on_call", "backup")
# Roles that stand in, in this order, if no recipient is present.
STAND_INS = ("investigator", "nurse", "coordinator", "administrator")


@dataclass(frozen=True, slots=True)
class DutyState:
    """Active accounts, and the shifts and absences that have not ended.

    Read once from the database; its methods answer for any later time ``at`` (UTC).
    """

    staff: tuple[StaffMember, ...]
    duties: tuple[Shift, ...]
    absences: tuple[Absence, ...]

    def on_duty(self, plan_id: str, place: str, at: datetime) -> list[StaffMember]:
        """Return the staff members who hold ``place`` ("on_call", "backup") and are not absent."""
        holding = {
            duty.staff_id
            for duty in self.duties
            if (duty.plan, duty.kind) == (plan_id, place) and duty.starts_at <= at < duty.ends_at
        }
        return [person for person in self.staff if person.id in holding - self._absent_ids(at)]

    def on_duty_until(self, plan_id: str, place: str, at: datetime) -> datetime | None:
        """Return when the staff on duty in ``place`` at ``at`` change next; None if no shift or absence ends it."""
        people = {person.id for person in self.on_duty(plan_id, place, at)}
        moments = {edge for duty in self.duties for edge in (duty.starts_at, duty.ends_at)}
        moments |= {edge for absence in self.absences for edge in (absence.starts_at, absence.ends_at)}
        for edge in sorted(edge for edge in moments if edge > at):
            if {person.id for person in self.on_duty(plan_id, place, edge)} != people:
                return edge
        return None

    def staff_with_role(self, role: str, at: datetime) -> list[StaffMember]:
        """Return the staff members with ``role`` who are not absent; all of them if all are."""
        people, away = [person for person in self.staff if person.role == role], self._absent_ids(at)
        return [person for person in people if person.id not in away] or people

    def recipients_of(self, plan_id: str, steps: Sequence[EscalationStep], at: datetime) -> list[StaffMember]:
        """Return the recipients of ``steps``; see the function of this name."""
        found: dict[int, StaffMember] = {}
        for place in (place for step in steps for place in step.to):
            people = self.on_duty(plan_id, place, at) if place in PLACES else self.staff_with_role(place, at)
            found.update({person.id: person for person in people})
        for role in STAND_INS:
            if found.keys() - self._absent_ids(at):
                break
            found.update({person.id: person for person in self.staff_with_role(role, at)})
        return list(found.values())

    def recipients_without_plan(self, at: datetime) -> list[StaffMember]:
        """Return the recipients for a study plan that is no longer installed: without steps and roster, by role."""
        people = [*self.staff_with_role("administrator", at), *self.staff_with_role("investigator", at)]
        for role in STAND_INS:
            people = people or self.staff_with_role(role, at)
        return people

    def _absent_ids(self, at: datetime) -> set[int]:
        """Return the ids of absent staff members."""
        return {absence.staff_id for absence in self.absences if absence.starts_at <= at < absence.ends_at}


def read_duty_state(work: UnitOfWork, since: datetime | None = None) -> DutyState:
    """Read accounts, shifts and absences for choosing recipients from ``since`` (now) on."""
    since = since or work.now
    people = select(StaffMember).where(StaffMember.disabled_at.is_(None)).order_by(StaffMember.id)
    duties = select(Shift).where(Shift.ends_at > since, Shift.cancelled_at.is_(None)).order_by(Shift.id)
    absences = select(Absence).where(Absence.ends_at > since, Absence.cancelled_at.is_(None)).order_by(Absence.id)
    found = (tuple(work.session.scalars(people)), tuple(work.session.scalars(duties)))
    return DutyState(*found, tuple(work.session.scalars(absences)))


def staff_on_duty(work: UnitOfWork, plan: StudyPlan, place: str, at: datetime | None = None) -> list[StaffMember]:
    """Return the staff members who hold ``place`` ("on_call", "backup") at ``at`` (now).

    Absent staff and deactivated accounts are left out.
    """
    at = at or work.now
    return read_duty_state(work, at).on_duty(plan.id, place, at)


def staff_with_role(work: UnitOfWork, role: str, at: datetime | None = None) -> list[StaffMember]:
    """Return the active staff members with ``role`` who are not absent at ``at`` (now).

    If all are absent, all are returned.
    """
    at = at or work.now
    return read_duty_state(work, at).staff_with_role(role, at)


def recipients_at_step(work: UnitOfWork, plan: StudyPlan, level: Level, *, minutes: int) -> list[StaffMember]:
    """Return the recipients of the escalation steps for ``level`` at ``minutes``, each once.

    Steps counted in working hours are left out; see ``recipients_of``.
    """
    steps = [
        step
        for step in plan.escalation_steps
        if step.level is level and step.minutes == minutes and not step.working_hours
    ]
    return recipients_of(work, plan, steps)


def recipients_of(
    work: UnitOfWork, plan: StudyPlan, steps: Sequence[EscalationStep], at: datetime | None = None
) -> list[StaffMember]:
    """Return the recipients of ``steps`` at ``at`` (now), each once.

    Never empty while an account is active: if the plan's recipients are missing or absent, the roles of STAND_INS stand
    in. A role whose members are all absent is notified as well, beside the stand-ins: a superfluous message is better
    than none.
    """
    at = at or work.now
    return read_duty_state(work, at).recipients_of(plan.id, steps, at)
