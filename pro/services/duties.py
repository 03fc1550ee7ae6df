"""Who is told: the people on duty now, the investigators, and nobody's turn falling to somebody all the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from pro.core.level import Level
from pro.core.plan import Plan, Step
from pro.models import Absence, Duty, Staff
from pro.work import Work

PLACES = ("on_call", "backup")
# Where nobody holds a place on the ladder, these roles stand in, in this order.
STAND_INS = ("investigator", "nurse", "coordinator", "administrator")


def on_duty(work: Work, plan: Plan, place: str, at: datetime | None = None) -> list[Staff]:
    """The people who hold ``place`` (on_call, backup) ``at`` a moment (now), are not away, and have an open account."""
    at = at or work.now
    query = (
        select(Staff)
        .join(Duty, Duty.staff_id == Staff.id)
        .where(
            Duty.plan == plan.id,
            Duty.place == place,
            Duty.starts_at <= at,
            Duty.ends_at > at,
            Duty.cancelled_at.is_(None),
            Staff.disabled_at.is_(None),
        )
        .order_by(Staff.id)
    )
    away = _away(work, at)
    return [person for person in work.session.scalars(query) if person.id not in away]


def with_role(work: Work, role: str, at: datetime | None = None) -> list[Staff]:
    """Everybody with ``role`` whose account is open and who is not away ``at`` a moment (now); if all are, all."""
    query = select(Staff).where(Staff.role == role, Staff.disabled_at.is_(None)).order_by(Staff.id)
    people = list(work.session.scalars(query))
    away = _away(work, at or work.now)
    return [person for person in people if person.id not in away] or people


def to_tell(work: Work, plan: Plan, level: Level, *, minutes: int) -> list[Staff]:
    """The people whom the ladder's steps at ``minutes`` tell about ``level``, each once; see ``told_by``."""
    steps = [step for step in plan.ladder if step.level is level and step.minutes == minutes and not step.working_hours]
    return told_by(work, plan, steps)


def told_by(work: Work, plan: Plan, steps: Sequence[Step], at: datetime | None = None) -> list[Staff]:
    """The people whom ``steps`` tell ``at`` a moment (now), each once.

    Never nobody while anyone is there: where the plan's people are missing or away, others stand in. A role whose
    people are all away is told all the same, beside whoever stands in: a letter too many rather than a silence.
    """
    at = at or work.now
    found: dict[int, Staff] = {}
    for place in (place for step in steps for place in step.to):
        people = on_duty(work, plan, place, at) if place in PLACES else with_role(work, place, at)
        found.update({person.id: person for person in people})
    away = _away(work, at)
    for role in STAND_INS:
        if found.keys() - away:
            break
        found.update({person.id: person for person in with_role(work, role, at)})
    return list(found.values())


def without_plan(work: Work) -> list[Staff]:
    """Who is told about somebody whose plan is no longer there: it has no ladder and no duty, so by role."""
    people = [*with_role(work, "administrator"), *with_role(work, "investigator")]
    for role in STAND_INS:
        people = people or with_role(work, role)
    return people


def _away(work: Work, at: datetime) -> set[int]:
    """Who is away ``at`` a moment, by number."""
    query = select(Absence.staff_id).where(
        Absence.starts_at <= at, Absence.ends_at > at, Absence.cancelled_at.is_(None)
    )
    return set(work.session.scalars(query))
