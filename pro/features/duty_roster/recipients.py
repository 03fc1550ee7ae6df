"""Who is told: the people on duty now, the investigators, and nobody's turn falling to somebody all the same."""

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
# Where nobody holds a place on the ladder, these roles stand in, in this order.
STAND_INS = ("investigator", "nurse", "coordinator", "administrator")


@dataclass(frozen=True, slots=True)
class DutyState:
    """Open accounts, and the duties and absences that are not over: read once, asked for any later moment."""

    staff: tuple[StaffMember, ...]
    duties: tuple[Shift, ...]
    absences: tuple[Absence, ...]

    def on_duty(self, plan_id: str, place: str, at: datetime) -> list[StaffMember]:
        """The people who hold ``place`` (on_call, backup) then and are not away."""
        holding = {
            duty.staff_id
            for duty in self.duties
            if (duty.plan, duty.place) == (plan_id, place) and duty.starts_at <= at < duty.ends_at
        }
        return [person for person in self.staff if person.id in holding - self._absent_ids(at)]

    def staff_with_role(self, role: str, at: datetime) -> list[StaffMember]:
        """Everybody with ``role`` who is not away then; if all are, all."""
        people, away = [person for person in self.staff if person.role == role], self._absent_ids(at)
        return [person for person in people if person.id not in away] or people

    def recipients_of(self, plan_id: str, steps: Sequence[EscalationStep], at: datetime) -> list[StaffMember]:
        """As the function of this name."""
        found: dict[int, StaffMember] = {}
        for place in (place for step in steps for place in step.to):
            people = self.on_duty(plan_id, place, at) if place in PLACES else self.staff_with_role(place, at)
            found.update({person.id: person for person in people})
        for role in STAND_INS:
            if found.keys() - self._absent_ids(at):
                break
            found.update({person.id: person for person in self.staff_with_role(role, at)})
        return list(found.values())

    def _absent_ids(self, at: datetime) -> set[int]:
        return {absence.staff_id for absence in self.absences if absence.starts_at <= at < absence.ends_at}


def read_duty_state(work: UnitOfWork, since: datetime | None = None) -> DutyState:
    """Who may be told from ``since`` (now) on."""
    since = since or work.now
    people = select(StaffMember).where(StaffMember.disabled_at.is_(None)).order_by(StaffMember.id)
    duties = select(Shift).where(Shift.ends_at > since, Shift.cancelled_at.is_(None)).order_by(Shift.id)
    absences = select(Absence).where(Absence.ends_at > since, Absence.cancelled_at.is_(None)).order_by(Absence.id)
    found = (tuple(work.session.scalars(people)), tuple(work.session.scalars(duties)))
    return DutyState(*found, tuple(work.session.scalars(absences)))


def staff_on_duty(work: UnitOfWork, plan: StudyPlan, place: str, at: datetime | None = None) -> list[StaffMember]:
    """The people who hold ``place`` (on_call, backup) ``at`` a moment (now), are not away, and have an open account."""
    at = at or work.now
    return read_duty_state(work, at).on_duty(plan.id, place, at)


def staff_with_role(work: UnitOfWork, role: str, at: datetime | None = None) -> list[StaffMember]:
    """Everybody with ``role`` whose account is open and who is not away ``at`` a moment (now); if all are, all."""
    at = at or work.now
    return read_duty_state(work, at).staff_with_role(role, at)


def recipients_at_step(work: UnitOfWork, plan: StudyPlan, level: Level, *, minutes: int) -> list[StaffMember]:
    """The people whom the ladder's steps at ``minutes`` tell about ``level``, each once; see ``told_by``."""
    steps = [step for step in plan.ladder if step.level is level and step.minutes == minutes and not step.working_hours]
    return recipients_of(work, plan, steps)


def recipients_of(
    work: UnitOfWork, plan: StudyPlan, steps: Sequence[EscalationStep], at: datetime | None = None
) -> list[StaffMember]:
    """The people whom ``steps`` tell ``at`` a moment (now), each once.

    Never nobody while anyone is there: where the plan's people are missing or away, others stand in. A role whose
    people are all away is told all the same, beside whoever stands in: a letter too many rather than a silence.
    """
    at = at or work.now
    return read_duty_state(work, at).recipients_of(plan.id, steps, at)


def recipients_without_plan(work: UnitOfWork) -> list[StaffMember]:
    """Who is told about somebody whose plan is no longer there: it has no ladder and no duty, so by role."""
    roster = read_duty_state(work)
    people = [*roster.staff_with_role("administrator", work.now), *roster.staff_with_role("investigator", work.now)]
    for role in STAND_INS:
        people = people or roster.staff_with_role(role, work.now)
    return people
