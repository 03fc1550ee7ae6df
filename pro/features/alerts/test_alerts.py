"""The weekly synthetic alert: the proof that an emergency reaches the phone of the person on call."""

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
from pro.core.study_plan import StudyPlan, WeeklyTestAlertSettings
from pro.core.triage import test_alert_times as timing
from pro.core.triage.verdict import FormCase, evaluate_rules
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.duty_roster import recipients, staff_messages
from pro.features.duty_roster.staff_messages import MessageSubject
from pro.messaging import message_rendering
from pro.models import Message, StaffMember, WeeklyTestAlert

log = logging.getLogger(__name__)
# What tells the people on duty; the mail about a failure is another thing.
ON_CALL_TEMPLATES = ("drill", "drill_sms")
# Who hears that a drill failed.
FAILURE_ROLES = ("investigator", "coordinator", "administrator")
# A week and a day: longer without a drill means that nothing raises it any more.
OVERDUE_AFTER = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertStatus:
    """A test alert that needs attention. ``state``: "failed", "running", or "overdue" (no ``drill`` for too long)."""

    plan: str
    state: str
    drill: WeeklyTestAlert | None = None


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertMessage:
    """One message of a drill. ``reason``: a sentence where it did not leave."""

    name: str
    channel: str
    status: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertPage:
    """One drill. ``confirm_by``: until when it was to be confirmed; ``can_confirm``: this person may, and it helps."""

    drill: WeeklyTestAlert
    told: list[WeeklyTestAlertMessage]
    confirm_by: datetime
    confirmed_by: str
    can_confirm: bool


def start_due_test_alerts(work: UnitOfWork) -> int:
    """Begin the drill of every study whose turn has come; how many. Any number of workers begin each once."""
    begun = 0
    for plan in work.catalogue.plans.values():
        if plan.test_alert_settings is None:
            continue
        turn = timing.due_test_alert(plan.test_alert_settings, plan.settings, work.now)
        if turn is None or _existing_id(work, plan.id, turn.week, 0) is not None:
            continue
        installed = first_account_at(work)
        if installed is None or turn.at < installed:
            continue  # the turn passed before there was anybody to tell
        begun += _start_test_alert(work, plan, plan.test_alert_settings, turn.week, 0) is not None
    return begun


def start_test_alert_now(work: UnitOfWork, plan_id: str) -> WeeklyTestAlert:
    """Begin one by hand, beside the week's own. BadData("no_plan" | "no_drill" | "at_once": another just began)."""
    plan = work.catalogue.plans.get(plan_id)
    if plan is None:
        raise BadData("no_plan")
    if plan.test_alert_settings is None:
        raise BadData("no_drill")
    local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
    week = timing.iso_week(local.date())
    query = select(func.max(WeeklyTestAlert.number)).where(
        WeeklyTestAlert.plan == plan.id, WeeklyTestAlert.week == week
    )
    drill = _start_test_alert(work, plan, plan.test_alert_settings, week, (work.session.scalar(query) or 0) + 1)
    if drill is None:
        raise BadData("at_once")
    return drill


def find_failed_test_alerts(work: UnitOfWork) -> int:
    """Find the drills that did not get through: not confirmed in time, or a message given up. How many failed now."""
    query = (
        select(WeeklyTestAlert)
        .where(WeeklyTestAlert.failed_at.is_(None), WeeklyTestAlert.started_at > work.now - OVERDUE_AFTER)
        .order_by(WeeklyTestAlert.id)
        .with_for_update(skip_locked=True)
    )
    failed = 0
    for drill in work.session.scalars(query):
        drilling = _settings_of(work, drill.plan)
        if drilling is None:
            continue
        messages = _messages(work, drill)
        late = drill.confirmed_at is None and work.now >= _confirm_by(drill, drilling)
        if any(message.failed_at or message.dropped_at for message in messages):
            _mark_failed(work, drill, "not_delivered")
        elif late:
            left = any(message.sent_at for message in messages)
            _mark_failed(work, drill, "not_confirmed" if left else "not_delivered")
        else:
            continue
        failed += 1
    return failed


def confirm_test_alert(work: UnitOfWork, test_alert_id: int) -> bool:
    """The person who acts got it. False if it was confirmed before. NotFound, NotAllowed.

    One that failed is confirmed late, and stands no longer in red. One that notified no person proves nothing: BadData.
    """
    drill = work.session.get(WeeklyTestAlert, test_alert_id)
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
    work.record("test_alert.confirmed", drill, new={"plan": drill.plan, "week": drill.week, "failed": drill.failure})
    return True


def weekly_test_alert_status(work: UnitOfWork) -> list[WeeklyTestAlertStatus]:
    """What staff must look at: a drill that runs, one that failed since the last that passed, none for too long."""
    found: list[WeeklyTestAlertStatus] = []
    for plan in work.catalogue.plans.values():
        if plan.test_alert_settings is None:
            continue
        states: dict[str, WeeklyTestAlert] = {}
        for drill in work.session.scalars(_newest_first(plan.id)):
            if drill.state == "passed":
                break
            states.setdefault(drill.state, drill)
        found += [
            WeeklyTestAlertStatus(plan.id, state, states[state]) for state in ("failed", "running") if state in states
        ]
        if _is_overdue(work, plan):
            found.append(WeeklyTestAlertStatus(plan.id, "overdue"))
    return found


def newest_test_alert(work: UnitOfWork, plan_id: str) -> WeeklyTestAlert | None:
    """The drill of this study that began last."""
    return work.session.scalars(_newest_first(plan_id).limit(1)).one_or_none()


def weekly_test_alert_page(work: UnitOfWork, test_alert_id: int, language: str) -> WeeklyTestAlertPage:
    """One drill with everybody whom it told. NotFound."""
    drill = work.session.get(WeeklyTestAlert, test_alert_id)
    if drill is None:
        raise NotFound("drill")
    messages = _messages(work, drill)
    translator = work.app_context.catalogs.translator(language)
    names = {person.id: person.name for person in work.session.scalars(select(StaffMember))}
    drilling = _settings_of(work, drill.plan)
    return WeeklyTestAlertPage(
        drill=drill,
        told=[
            WeeklyTestAlertMessage(
                name=names.get(message.staff_id or 0, ""),
                channel=message.channel,
                status=message.status,
                at=message.sent_at or message.failed_at or message.dropped_at or message.queued_at,
                reason=message_rendering.failure_sentence(message.failure, translator)
                if message.sent_at is None
                else "",
            )
            for message in messages
        ],
        confirm_by=_confirm_by(drill, drilling) if drilling else drill.started_at,
        confirmed_by=names.get(drill.confirmed_by or 0, ""),
        can_confirm=bool(messages) and drill.state != "passed" and _may_confirm(work, messages),
    )


def first_account_at(work: UnitOfWork) -> datetime | None:
    """Since when there has been anybody who could be told: the first account."""
    return work.session.scalar(select(func.min(StaffMember.made_at)))


def _start_test_alert(
    work: UnitOfWork, plan: StudyPlan, test_alert_settings: WeeklyTestAlertSettings, week: str, number: int
) -> WeeklyTestAlert | None:
    """The row, and its messages beside it; None if another worker was first."""
    engine = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        engine.insert(WeeklyTestAlert)
        .values(plan=plan.id, week=week, number=number, started_at=work.now, failure="")
        .on_conflict_do_nothing(index_elements=["plan", "week", "number"])
        .returning(WeeklyTestAlert)
    )
    drill: WeeklyTestAlert | None = work.session.scalars(statement).one_or_none()
    if drill is None:
        return None
    work.record("test_alert.begun", drill, new={"plan": plan.id, "week": week, "number": number})
    if not _is_emergency(work, plan, test_alert_settings):
        _mark_failed(work, drill, "not_an_emergency")
        return drill
    people = recipients.recipients_at_step(work, plan, Level.EMERGENCY, minutes=0)
    for person in people:
        _notify_staff(work, drill, test_alert_settings, person)
    first = [step for step in plan.escalation_steps if step.level is Level.EMERGENCY and step.at_once]
    gap = any("on_call" in step.to for step in first) and not recipients.staff_on_duty(work, plan, "on_call")
    if gap or not people:
        _mark_failed(work, drill, "nobody_on_duty")
    return drill


def _is_emergency(work: UnitOfWork, plan: StudyPlan, test_alert_settings: WeeklyTestAlertSettings) -> bool:
    """Whether the rules still call the plan's answers an emergency. Judging that breaks is a no, not a crash."""
    try:
        instrument = work.catalogue.instrument_or_none(test_alert_settings.instrument)
        if instrument is None:
            return False
        verdict = evaluate_rules(plan, instrument, FormCase(answers=test_alert_settings.answers))
        if verdict.failed:
            log.error("rules of the test alert failed rules=%s", ",".join(verdict.failed))
        return verdict.level is Level.EMERGENCY and not verdict.failed
    except Exception as error:
        log.error("test alert evaluation failed error=%s", type(error).__name__)
        return False


def _notify_staff(
    work: UnitOfWork, test_alert: WeeklyTestAlert, test_alert_settings: WeeklyTestAlertSettings, person: StaffMember
) -> None:
    """By e-mail, and by SMS as well where that is possible. Never later than it could be confirmed."""
    level, base = Level.EMERGENCY.word, work.config.base_url
    until = _confirm_by(test_alert, test_alert_settings)
    params = {
        "drill": {"level": level, "link": _page_link(work, test_alert)},
        "drill_sms": {"address": f"{base}/staff/"},
    }
    for template, channel in (("drill", "email"), ("drill_sms", "sms")):
        if channel == "sms" and (not person.phone_sealed or work.config.sms == "none"):
            continue
        key = f"drill:{test_alert.id}:{channel}:{person.id}"
        staff_messages.queue_staff_message(
            work,
            person,
            template,
            params[template],
            key,
            as_alert=True,
            about=MessageSubject(test_alert_id=test_alert.id),
            not_after=until,
        )


def _mark_failed(work: UnitOfWork, test_alert: WeeklyTestAlert, failure: str) -> None:
    """Keep that it failed and tell everybody who can do something about it."""
    test_alert.failed_at, test_alert.failure = work.now, failure
    work.record("test_alert.failed", test_alert, new={"plan": test_alert.plan, "week": test_alert.week}, reason=failure)
    log.error("test alert failed test_alert=%s week=%s reason=%s", test_alert.id, test_alert.week, failure)
    for role in FAILURE_ROLES:
        for person in recipients.staff_with_role(work, role):
            params = {"failure": failure, "link": _page_link(work, test_alert)}
            key = f"drill_failed:{test_alert.id}:email:{person.id}"
            staff_messages.queue_staff_message(
                work,
                person,
                "drill_failed",
                params,
                key,
                as_alert=True,
                about=MessageSubject(test_alert_id=test_alert.id),
            )


def _page_link(work: UnitOfWork, test_alert: WeeklyTestAlert) -> str:
    return f"{work.config.base_url}/staff/drills/{test_alert.id}"


def _existing_id(work: UnitOfWork, plan_id: str, week: str, number: int) -> int | None:
    query = select(WeeklyTestAlert.id).where(
        WeeklyTestAlert.plan == plan_id, WeeklyTestAlert.week == week, WeeklyTestAlert.number == number
    )
    return work.session.scalar(query)


def _newest_first(plan_id: str) -> Select[WeeklyTestAlert]:
    return select(WeeklyTestAlert).where(WeeklyTestAlert.plan == plan_id).order_by(WeeklyTestAlert.id.desc())


def _messages(work: UnitOfWork, test_alert: WeeklyTestAlert) -> list[Message]:
    query = (
        select(Message)
        .where(Message.test_alert_id == test_alert.id, Message.template.in_(ON_CALL_TEMPLATES))
        .order_by(Message.id)
    )
    return list(work.session.scalars(query))


def _may_confirm(work: UnitOfWork, messages: Sequence[Message]) -> bool:
    told = work.actor.kind == "staff" and any(message.staff_id == work.actor.id for message in messages)
    return told or staff_accounts.has_right(work.actor.role, "confirm_drill")


def _settings_of(work: UnitOfWork, plan_id: str) -> WeeklyTestAlertSettings | None:
    plan = work.catalogue.plans.get(plan_id)
    return plan.test_alert_settings if plan else None


def _confirm_by(test_alert: WeeklyTestAlert, test_alert_settings: WeeklyTestAlertSettings) -> datetime:
    return test_alert.started_at + timedelta(minutes=test_alert_settings.confirm_minutes)


def _is_overdue(work: UnitOfWork, plan: StudyPlan) -> bool:
    last = newest_test_alert(work, plan.id)
    since = last.started_at if last else first_account_at(work)
    return since is not None and work.now - since > OVERDUE_AFTER
