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
# The messages to the staff on call; the email about a failed test alert is not one of them.
ON_CALL_TEMPLATES = ("test_alert", "test_alert_sms")
# Roles that are notified of a failed test alert.
FAILURE_ROLES = ("investigator", "coordinator", "administrator")
# A week and a day: a longer time without a test alert means that the worker raises none.
OVERDUE_AFTER = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertStatus:
    """A test alert that needs attention.

    ``state``: "failed", "running", or "overdue" (no ``test_alert`` for too long).
    """

    plan: str
    state: str
    test_alert: WeeklyTestAlert | None = None


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertMessage:
    """One message of a test alert. ``reason``: why it was not sent; "" if it was."""

    name: str
    channel: str
    status: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class WeeklyTestAlertPage:
    """One test alert with its messages.

    ``confirm_by``: until when it must be confirmed. ``can_confirm``: the acting person may confirm it, and that changes
    its state.
    """

    test_alert: WeeklyTestAlert
    told: list[WeeklyTestAlertMessage]
    confirm_by: datetime
    confirmed_by: str
    can_confirm: bool


def start_due_test_alerts(work: UnitOfWork) -> int:
    """Start the test alert of every study in which it is due. Return their number.

    Several workers start each test alert once.
    """
    begun = 0
    for plan in work.catalogue.plans.values():
        if plan.test_alert_settings is None:
            continue
        turn = timing.due_test_alert(plan.test_alert_settings, plan.settings, work.now)
        if turn is None or _existing_id(work, plan.id, turn.week, 0) is not None:
            continue
        installed = first_account_at(work)
        if installed is None or turn.at < installed:
            continue  # the turn passed before there was an account to notify
        begun += _start_test_alert(work, plan, plan.test_alert_settings, turn.week, 0) is not None
    return begun


def start_test_alert_now(work: UnitOfWork, plan_id: str) -> WeeklyTestAlert:
    """Start a test alert by hand, in addition to the weekly one.

    Raise BadData("no_plan" | "no_test_alert" | "at_once"), the last if another one was started at the same time.
    """
    plan = work.catalogue.plans.get(plan_id)
    if plan is None:
        raise BadData("no_plan")
    if plan.test_alert_settings is None:
        raise BadData("no_test_alert")
    local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
    week = timing.iso_week(local.date())
    query = select(func.max(WeeklyTestAlert.number)).where(
        WeeklyTestAlert.plan == plan.id, WeeklyTestAlert.week == week
    )
    test_alert = _start_test_alert(work, plan, plan.test_alert_settings, week, (work.session.scalar(query) or 0) + 1)
    if test_alert is None:
        raise BadData("at_once")
    return test_alert


def find_failed_test_alerts(work: UnitOfWork) -> int:
    """Mark the test alerts that failed. Return their number.

    One fails if it is not confirmed in time, or if one of its messages was given up.
    """
    query = (
        select(WeeklyTestAlert)
        .where(WeeklyTestAlert.failed_at.is_(None), WeeklyTestAlert.started_at > work.now - OVERDUE_AFTER)
        .order_by(WeeklyTestAlert.id)
        .with_for_update(skip_locked=True)
    )
    failed = 0
    for test_alert in work.session.scalars(query):
        alert_settings = _settings_of(work, test_alert.plan)
        if alert_settings is None:
            continue
        messages = _messages(work, test_alert)
        late = test_alert.confirmed_at is None and work.now >= _confirm_by(test_alert, alert_settings)
        if any(message.failed_at or message.dropped_at for message in messages):
            _mark_failed(work, test_alert, "not_delivered")
        elif late:
            left = any(message.sent_at for message in messages)
            _mark_failed(work, test_alert, "not_confirmed" if left else "not_delivered")
        else:
            continue
        failed += 1
    return failed


def confirm_test_alert(work: UnitOfWork, test_alert_id: int) -> bool:
    """Record that the acting person received the test alert. Return False if it was confirmed before.

    A failed test alert is confirmed late and counts as passed. Raise NotFound, NotAllowed, and BadData for a test alert
    that notified no person, because its confirmation proves nothing.
    """
    test_alert = work.session.get(WeeklyTestAlert, test_alert_id)
    if test_alert is None:
        raise NotFound("test_alert")
    work.lock(test_alert)
    messages = _messages(work, test_alert)
    if not _may_confirm(work, messages):
        raise NotAllowed("right_missing", right="confirm_test_alert")
    if not messages:
        raise BadData("nobody_told")
    if test_alert.state == "passed":
        return False
    test_alert.confirmed_at, test_alert.confirmed_by = work.now, work.actor.id
    work.record(
        "test_alert.confirmed",
        test_alert,
        new={"plan": test_alert.plan, "week": test_alert.week, "failed": test_alert.failure},
    )
    return True


def weekly_test_alert_status(work: UnitOfWork) -> list[WeeklyTestAlertStatus]:
    """Return the test alerts that staff must look at, by study.

    A running one, one that failed since the last that passed, and "overdue" if there was none for too long.
    """
    found: list[WeeklyTestAlertStatus] = []
    for plan in work.catalogue.plans.values():
        if plan.test_alert_settings is None:
            continue
        states: dict[str, WeeklyTestAlert] = {}
        for test_alert in work.session.scalars(_newest_first(plan.id)):
            if test_alert.state == "passed":
                break
            states.setdefault(test_alert.state, test_alert)
        found += [
            WeeklyTestAlertStatus(plan.id, state, states[state]) for state in ("failed", "running") if state in states
        ]
        if _is_overdue(work, plan):
            found.append(WeeklyTestAlertStatus(plan.id, "overdue"))
    return found


def newest_test_alert(work: UnitOfWork, plan_id: str) -> WeeklyTestAlert | None:
    """Return the test alert of a study that was started last."""
    return work.session.scalars(_newest_first(plan_id).limit(1)).one_or_none()


def weekly_test_alert_page(work: UnitOfWork, test_alert_id: int, language: str) -> WeeklyTestAlertPage:
    """Return a test alert with its messages to staff. Raise NotFound."""
    test_alert = work.session.get(WeeklyTestAlert, test_alert_id)
    if test_alert is None:
        raise NotFound("test_alert")
    messages = _messages(work, test_alert)
    translator = work.app_context.catalogs.translator(language)
    names = {person.id: person.name for person in work.session.scalars(select(StaffMember))}
    alert_settings = _settings_of(work, test_alert.plan)
    return WeeklyTestAlertPage(
        test_alert=test_alert,
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
        confirm_by=_confirm_by(test_alert, alert_settings) if alert_settings else test_alert.started_at,
        confirmed_by=names.get(test_alert.confirmed_by or 0, ""),
        can_confirm=bool(messages) and test_alert.state != "passed" and _may_confirm(work, messages),
    )


def first_account_at(work: UnitOfWork) -> datetime | None:
    """Return when the first account was made, None without accounts."""
    return work.session.scalar(select(func.min(StaffMember.made_at)))


def _start_test_alert(
    work: UnitOfWork, plan: StudyPlan, test_alert_settings: WeeklyTestAlertSettings, week: str, number: int
) -> WeeklyTestAlert | None:
    """Store a test alert and queue its messages. Return None if another worker was first."""
    engine = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        engine.insert(WeeklyTestAlert)
        .values(plan=plan.id, week=week, number=number, started_at=work.now, failure="")
        .on_conflict_do_nothing(index_elements=["plan", "week", "number"])
        .returning(WeeklyTestAlert)
    )
    test_alert: WeeklyTestAlert | None = work.session.scalars(statement).one_or_none()
    if test_alert is None:
        return None
    work.record("test_alert.started", test_alert, new={"plan": plan.id, "week": week, "number": number})
    if not _is_emergency(work, plan, test_alert_settings):
        _mark_failed(work, test_alert, "not_an_emergency")
        return test_alert
    people = recipients.recipients_at_step(work, plan, Level.EMERGENCY, minutes=0)
    for person in people:
        _notify_staff(work, test_alert, test_alert_settings, person)
    first = [step for step in plan.escalation_steps if step.level is Level.EMERGENCY and step.at_once]
    gap = any("on_call" in step.to for step in first) and not recipients.staff_on_duty(work, plan, "on_call")
    if gap or not people:
        _mark_failed(work, test_alert, "nobody_on_duty")
    return test_alert


def _is_emergency(work: UnitOfWork, plan: StudyPlan, test_alert_settings: WeeklyTestAlertSettings) -> bool:
    """Return True if the rules evaluate the plan's answers as an emergency; False too if the evaluation fails."""
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
    """Queue the email, and the text message if possible, to one person. Neither is sent after the confirmation time."""
    level, base = Level.EMERGENCY.word, work.config.base_url
    until = _confirm_by(test_alert, test_alert_settings)
    params = {
        "test_alert": {"level": level, "link": _page_link(work, test_alert)},
        "test_alert_sms": {"address": f"{base}/staff/"},
    }
    for template, channel in (("test_alert", "email"), ("test_alert_sms", "sms")):
        if channel == "sms" and (not person.phone_sealed or work.config.sms == "none"):
            continue
        key = f"test_alert:{test_alert.id}:{channel}:{person.id}"
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
    """Mark a test alert as failed and notify the staff with FAILURE_ROLES."""
    test_alert.failed_at, test_alert.failure = work.now, failure
    work.record("test_alert.failed", test_alert, new={"plan": test_alert.plan, "week": test_alert.week}, reason=failure)
    log.error("test alert failed test_alert=%s week=%s reason=%s", test_alert.id, test_alert.week, failure)
    for role in FAILURE_ROLES:
        for person in recipients.staff_with_role(work, role):
            params = {"failure": failure, "link": _page_link(work, test_alert)}
            key = f"test_alert_failed:{test_alert.id}:email:{person.id}"
            staff_messages.queue_staff_message(
                work,
                person,
                "test_alert_failed",
                params,
                key,
                as_alert=True,
                about=MessageSubject(test_alert_id=test_alert.id),
            )


def _page_link(work: UnitOfWork, test_alert: WeeklyTestAlert) -> str:
    return f"{work.config.base_url}/staff/test-alerts/{test_alert.id}"


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
    return told or staff_accounts.has_right(work.actor.role, "confirm_test_alert")


def _settings_of(work: UnitOfWork, plan_id: str) -> WeeklyTestAlertSettings | None:
    plan = work.catalogue.plans.get(plan_id)
    return plan.test_alert_settings if plan else None


def _confirm_by(test_alert: WeeklyTestAlert, test_alert_settings: WeeklyTestAlertSettings) -> datetime:
    return test_alert.started_at + timedelta(minutes=test_alert_settings.confirm_minutes)


def _is_overdue(work: UnitOfWork, plan: StudyPlan) -> bool:
    last = newest_test_alert(work, plan.id)
    since = last.started_at if last else first_account_at(work)
    return since is not None and work.now - since > OVERDUE_AFTER
