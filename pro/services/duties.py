"""Who is told: the people on duty now, the investigators, and nobody's turn falling to somebody all the same."""

from __future__ import annotations

from sqlalchemy import select

from pro.core.level import Level
from pro.core.plan import Plan
from pro.models import Duty, Staff
from pro.work import Work

# Where nobody holds a place on the ladder, these roles stand in, in this order.
STAND_INS = ("investigator", "nurse", "coordinator", "administrator")


def on_duty(work: Work, plan: Plan, place: str) -> list[Staff]:
    """The people who hold ``place`` (on_call, backup) now and whose accounts are open."""
    query = (
        select(Staff)
        .join(Duty, Duty.staff_id == Staff.id)
        .where(
            Duty.plan == plan.id,
            Duty.place == place,
            Duty.starts_at <= work.now,
            Duty.ends_at > work.now,
            Staff.disabled_at.is_(None),
        )
        .order_by(Staff.id)
    )
    return list(work.session.scalars(query))


def with_role(work: Work, role: str) -> list[Staff]:
    """Everybody with ``role`` whose account is open."""
    query = select(Staff).where(Staff.role == role, Staff.disabled_at.is_(None)).order_by(Staff.id)
    return list(work.session.scalars(query))


def to_tell(work: Work, plan: Plan, level: Level, *, minutes: int) -> list[Staff]:
    """The people whom the ladder's step at ``minutes`` tells about ``level``, each once.

    Never nobody while anyone is there: where the plan's people are missing, others stand in.
    """
    found: dict[int, Staff] = {}
    for step in plan.ladder:
        if step.level is level and step.minutes == minutes:
            for place in step.to:
                people = on_duty(work, plan, place) if place in ("on_call", "backup") else with_role(work, place)
                found.update({person.id: person for person in people})
    for role in STAND_INS:
        if found:
            break
        found.update({person.id: person for person in with_role(work, role)})
    return list(found.values())
