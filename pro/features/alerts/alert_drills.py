"""The weekly synthetic alert: the proof that an emergency reaches the phone of whoever is on call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql, sqlite

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import Drilling, Plan
from pro.core.triage import drill_times as timing
from pro.core.triage.verdict import FormCase, judge
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.duty_roster import notifications, recipients
from pro.messaging import message_templates
from pro.models import Drill, Message, Staff

log = logging.getLogger(__name__)
# What tells the people on duty; the mail about a failure is another thing.
TOLD = ("drill", "drill_sms")
# Who hears that a drill failed.
ALARMED = ("investigator", "coordinator", "administrator")
# A week and a day: longer without a drill means that nothing raises it any more.
OVERDUE = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class DrillStatus:
    """A drill that somebody must look at. ``state``: "failed", "running", or "overdue" (no ``drill`` for too long)."""

    plan: str
    state: str
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a drill. ``reason``: a sentence where it did not leave."""

    name: str
    channel: str
    status: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class DrillPage:
    """One drill. ``confirm_by``: until when it was to be confirmed; ``can_confirm``: this person may, and it helps."""

    drill: Drill
    told: list[Told]
    confirm_by: datetime
    confirmed_by: str
    can_confirm: bool


def begin(work: UnitOfWork) -> int:
    """Begin the drill of every study whose turn has come; how many. Any number of workers begin each once."""
    begun = 0
    for plan in work.catalogue.plans.values():
        if plan.drilling is None:
            continue
        turn = timing.due(plan.drilling, plan.settings, work.now)
        if turn is None or _row(work, plan.id, turn.week, 0) is not None:
            continue
        installed = installed_at(work)
        if installed is None or turn.at < installed:
            continue  # the turn passed before there was anybody to tell
        begun += _begin(work, plan, plan.drilling, turn.week, 0) is not None
    return begun


def begin_now(work: UnitOfWork, plan_id: str) -> Drill:
    """Begin one by hand, beside the week's own. BadData("no_plan" | "no_drill" | "at_once": another just began)."""
    plan = work.catalogue.plans.get(plan_id)
    if plan is None:
        raise BadData("no_plan")
    if plan.drilling is None:
        raise BadData("no_drill")
    local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
    week = timing.week_of(local.date())
    query = select(func.max(Drill.number)).where(Drill.plan == plan.id, Drill.week == week)
    drill = _begin(work, plan, plan.drilling, week, (work.session.scalar(query) or 0) + 1)
    if drill is None:
        raise BadData("at_once")
    return drill


def check(work: UnitOfWork) -> int:
    """Find the drills that did not get through: not confirmed in time, or a message given up. How many failed now."""
    query = (
        select(Drill)
        .where(Drill.failed_at.is_(None), Drill.started_at > work.now - OVERDUE)
        .order_by(Drill.id)
        .with_for_update(skip_locked=True)
    )
    failed = 0
    for drill in work.session.scalars(query):
        drilling = _drilling(work, drill.plan)
        if drilling is None:
            continue
        messages = _messages(work, drill)
        late = drill.confirmed_at is None and work.now >= _confirm_by(drill, drilling)
        if any(message.failed_at or message.dropped_at for message in messages):
            _fail(work, drill, "not_delivered")
        elif late:
            left = any(message.sent_at for message in messages)
            _fail(work, drill, "not_confirmed" if left else "not_delivered")
        else:
            continue
        failed += 1
    return failed


def confirm(work: UnitOfWork, drill_id: int) -> bool:
    """The person who acts got it. False if it was confirmed before. NotFound, NotAllowed.

    One that failed is confirmed late, and stands no longer in red. One that told nobody proves nothing: BadData.
    """
    drill = work.session.get(Drill, drill_id)
    if drill is None:
        raise NotFound("drill")
    work.lock(drill)
    messages = _messages(work, drill)
    if not _may_confirm(work, messages):
        raise NotAllowed("right_missing", right="confirm_drill")
    if not messages:
        raise BadData("nobody_told")
    if drill.state == "passed":
        return False
    drill.confirmed_at, drill.confirmed_by = work.now, work.actor.id
    work.record("drill.confirmed", drill, new={"plan": drill.plan, "week": drill.week, "failed": drill.failure})
    return True


def drill_status(work: UnitOfWork) -> list[DrillStatus]:
    """What staff must look at: a drill that runs, one that failed since the last that passed, none for too long."""
    found: list[DrillStatus] = []
    for plan in work.catalogue.plans.values():
        if plan.drilling is None:
            continue
        states: dict[str, Drill] = {}
        for drill in work.session.scalars(_newest_first(plan.id)):
            if drill.state == "passed":
                break
            states.setdefault(drill.state, drill)
        found += [DrillStatus(plan.id, state, states[state]) for state in ("failed", "running") if state in states]
        if _is_overdue(work, plan):
            found.append(DrillStatus(plan.id, "overdue"))
    return found


def newest_drill(work: UnitOfWork, plan_id: str) -> Drill | None:
    """The drill of this study that began last."""
    return work.session.scalars(_newest_first(plan_id).limit(1)).one_or_none()


def drill_page(work: UnitOfWork, drill_id: int, language: str) -> DrillPage:
    """One drill with everybody whom it told. NotFound."""
    drill = work.session.get(Drill, drill_id)
    if drill is None:
        raise NotFound("drill")
    messages = _messages(work, drill)
    translator = work.house.catalogs.translator(language)
    names = {person.id: person.name for person in work.session.scalars(select(Staff))}
    drilling = _drilling(work, drill.plan)
    return DrillPage(
        drill=drill,
        told=[
            Told(
                name=names.get(message.staff_id or 0, ""),
                channel=message.channel,
                status=message.status,
                at=message.sent_at or message.failed_at or message.dropped_at or message.queued_at,
                reason=message_templates.failure_sentence(message.failure, translator)
                if message.sent_at is None
                else "",
            )
            for message in messages
        ],
        confirm_by=_confirm_by(drill, drilling) if drilling else drill.started_at,
        confirmed_by=names.get(drill.confirmed_by or 0, ""),
        can_confirm=bool(messages) and drill.state != "passed" and _may_confirm(work, messages),
    )


def installed_at(work: UnitOfWork) -> datetime | None:
    """Since when there has been anybody who could be told: the first account."""
    return work.session.scalar(select(func.min(Staff.made_at)))


def _begin(work: UnitOfWork, plan: Plan, drilling: Drilling, week: str, number: int) -> Drill | None:
    """The row, and its messages beside it; None if another worker was first."""
    engine = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        engine.insert(Drill)
        .values(plan=plan.id, week=week, number=number, started_at=work.now, failure="")
        .on_conflict_do_nothing(index_elements=["plan", "week", "number"])
        .returning(Drill)
    )
    drill: Drill | None = work.session.scalars(statement).one_or_none()
    if drill is None:
        return None
    work.record("drill.begun", drill, new={"plan": plan.id, "week": week, "number": number})
    if not _is_emergency(work, plan, drilling):
        _fail(work, drill, "not_an_emergency")
        return drill
    people = recipients.to_tell(work, plan, Level.EMERGENCY, minutes=0)
    for person in people:
        _tell(work, drill, drilling, person)
    first = [step for step in plan.ladder if step.level is Level.EMERGENCY and step.at_once]
    gap = any("on_call" in step.to for step in first) and not recipients.on_duty(work, plan, "on_call")
    if gap or not people:
        _fail(work, drill, "nobody_on_duty")
    return drill


def _is_emergency(work: UnitOfWork, plan: Plan, drilling: Drilling) -> bool:
    """Whether the rules still call the plan's answers an emergency. Judging that breaks is a no, not a crash."""
    try:
        instrument = work.catalogue.instruments[drilling.instrument]
        return judge(plan, instrument, FormCase(answers=drilling.answers)).level is Level.EMERGENCY
    except Exception as error:
        log.error("the drill's answers could not be judged: %s", type(error).__name__)
        return False


def _tell(work: UnitOfWork, drill: Drill, drilling: Drilling, person: Staff) -> None:
    """By e-mail, and by SMS as well where that is possible. Never later than it could be confirmed."""
    level, base = Level.EMERGENCY.word, work.config.base_url
    until = _confirm_by(drill, drilling)
    params = {"drill": {"level": level, "link": _link(work, drill)}, "drill_sms": {"address": f"{base}/staff/"}}
    for template, channel in (("drill", "email"), ("drill_sms", "sms")):
        if channel == "sms" and (not person.phone_sealed or work.config.sms == "none"):
            continue
        key = f"drill:{drill.id}:{channel}:{person.id}"
        notifications.send(work, person, template, params[template], key, loud=True, drill_id=drill.id, not_after=until)


def _fail(work: UnitOfWork, drill: Drill, failure: str) -> None:
    """Keep that it failed and tell everybody who can do something about it."""
    drill.failed_at, drill.failure = work.now, failure
    work.record("drill.failed", drill, new={"plan": drill.plan, "week": drill.week}, reason=failure)
    log.error("the drill %s of %s failed: %s", drill.id, drill.week, failure)
    for role in ALARMED:
        for person in recipients.with_role(work, role):
            params = {"failure": failure, "link": _link(work, drill)}
            key = f"drill_failed:{drill.id}:email:{person.id}"
            notifications.send(work, person, "drill_failed", params, key, loud=True, drill_id=drill.id)


def _link(work: UnitOfWork, drill: Drill) -> str:
    return f"{work.config.base_url}/staff/drills/{drill.id}"


def _row(work: UnitOfWork, plan_id: str, week: str, number: int) -> int | None:
    query = select(Drill.id).where(Drill.plan == plan_id, Drill.week == week, Drill.number == number)
    return work.session.scalar(query)


def _newest_first(plan_id: str) -> Select[Drill]:
    return select(Drill).where(Drill.plan == plan_id).order_by(Drill.id.desc())


def _messages(work: UnitOfWork, drill: Drill) -> list[Message]:
    query = select(Message).where(Message.drill_id == drill.id, Message.template.in_(TOLD)).order_by(Message.id)
    return list(work.session.scalars(query))


def _may_confirm(work: UnitOfWork, messages: Sequence[Message]) -> bool:
    told = work.actor.kind == "staff" and any(message.staff_id == work.actor.id for message in messages)
    return told or staff_accounts.may(work.actor.role, "confirm_drill")


def _drilling(work: UnitOfWork, plan_id: str) -> Drilling | None:
    plan = work.catalogue.plans.get(plan_id)
    return plan.drilling if plan else None


def _confirm_by(drill: Drill, drilling: Drilling) -> datetime:
    return drill.started_at + timedelta(minutes=drilling.confirm_minutes)


def _is_overdue(work: UnitOfWork, plan: Plan) -> bool:
    last = newest_drill(work, plan.id)
    since = last.started_at if last else installed_at(work)
    return since is not None and work.now - since > OVERDUE
