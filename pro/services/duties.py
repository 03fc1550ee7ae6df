"""Who is told: the people on duty now, the investigators, and nobody's turn falling to somebody all the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.core.level import Level
from pro.core.plan import Plan, Step
from pro.errors import BadData
from pro.models import Duty, Staff
from pro.work import Work

PLACES = ("on_call", "backup")
# Where nobody holds a place on the ladder, these roles stand in, in this order.
STAND_INS = ("investigator", "nurse", "coordinator", "administrator")


def put(work: Work, plan_id: str, email: str, place: str, starts: datetime, ends: datetime) -> Duty:
    """A stretch of duty, from and to local times of the study. BadData("no_plan" | "no_account" | "ends_first")."""
    plan = work.catalogue.plans.get(plan_id)
    if plan is None:
        raise BadData("no_plan")
    query = select(Staff).where(Staff.email == email.strip().lower(), Staff.disabled_at.is_(None))
    person = work.session.scalar(query)
    if person is None:
        raise BadData("no_account")
    if ends <= starts:
        raise BadData("ends_first")
    zone = ZoneInfo(plan.settings.time_zone)
    duty = Duty(
        plan=plan.id,
        staff_id=person.id,
        place=place,
        starts_at=starts.replace(tzinfo=zone),
        ends_at=ends.replace(tzinfo=zone),
    )
    work.session.add(duty)
    new = {"place": place, "staff": person.id, "starts": duty.starts_at.isoformat(), "ends": duty.ends_at.isoformat()}
    work.record("duty.put", duty, new=new)
    return duty


def on_duty(work: Work, plan: Plan, place: str, at: datetime | None = None) -> list[Staff]:
    """The people who hold ``place`` (on_call, backup) ``at`` a moment (now) and whose accounts are open."""
    at = at or work.now
    query = (
        select(Staff)
        .join(Duty, Duty.staff_id == Staff.id)
        .where(
            Duty.plan == plan.id,
            Duty.place == place,
            Duty.starts_at <= at,
            Duty.ends_at > at,
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
    """The people whom the ladder's steps at ``minutes`` tell about ``level``, each once; see ``told_by``."""
    steps = [step for step in plan.ladder if step.level is level and step.minutes == minutes and not step.working_hours]
    return told_by(work, plan, steps)


def told_by(work: Work, plan: Plan, steps: Sequence[Step], at: datetime | None = None) -> list[Staff]:
    """The people whom ``steps`` tell ``at`` a moment (now), each once.

    Never nobody while anyone is there: where the plan's people are missing, others stand in.
    """
    found: dict[int, Staff] = {}
    for place in (place for step in steps for place in step.to):
        people = on_duty(work, plan, place, at) if place in PLACES else with_role(work, place)
        found.update({person.id: person for person in people})
    for role in STAND_INS:
        if found:
            break
        found.update({person.id: person for person in with_role(work, role)})
    return list(found.values())
