"""Notify staff about alerts: at once, by the plan's steps until a case is acknowledged, and by the daily digest.

Source: docs/alerts.md 3. ``escalation`` decides what is due; this module reads the cases and queues the messages.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.triage import escalation_steps
from pro.features.duty_roster import escalation, recipients
from pro.features.duty_roster.escalation import WaitingCase
from pro.features.duty_roster.staff_messages import queue_staff_message
from pro.messaging import outbox
from pro.models import Alert, Message, Participant

log = logging.getLogger(__name__)
# Templates of messages about urgent and emergency alerts: the first, the later ones, about further texts, by SMS.
ALERT_TEMPLATES = ("alert", "alert_escalation", "alert_more", "alert_sms")
# Source of the alerts about texts that came by themselves: this and the id of the first text of the case.
TEXT_CASE_PREFIX = "inbound:"


@dataclass(frozen=True, slots=True)
class EscalationResult:
    """Number of messages queued, and number of cases that failed.

    A case is all alerts with the same source.
    """

    queued: int
    broken: int


@dataclass(frozen=True, slots=True)
class NextEscalation:
    """When an unacknowledged alert is escalated next (UTC), and the recipients' names."""

    at: datetime
    names: tuple[str, ...]


def notify_staff(
    work: UnitOfWork, plan: StudyPlan | None, raised: Sequence[Alert], before: Sequence[Alert] = ()
) -> None:
    """Queue what leaves at once about the alerts ``raised`` in one case. Never raises, and undoes no alert.

    ``before``: the earlier alerts of the case. A further urgent alert of a case that waits as urgent adds no message,
    nor does a further text of one sender: the worker announces these together. What fails here is announced by the
    worker.
    """
    try:
        with work.session.begin_nested():
            work.session.flush()
            earlier = [alert for alert in before if alert not in raised and _is_untaken(alert)]
            first = max(raised, key=lambda alert: (alert.level, -alert.id))
            if _is_covered(work, first, earlier):
                return
            waiting = [*earlier, *(alert for alert in raised if is_unacknowledged(alert))]
            notices = read_notices(work, [first.source]).get(first.source, [])
            case = _build_case(work, waiting, plan, notices, newest=first)
            duty = recipients.read_duty_state(work)
            due = escalation.first_notices(work, case, duty)
            if not due and not notices:
                log.error("alert has no recipient alert=%s level=%s", first.id, case.level.word)
            for one in due:
                escalation.queue_notice(work, case, one)
    except Exception as error:
        log.error("notification of an alert failed error=%s", type(error).__name__)


def queue_daily_digest(work: UnitOfWork, plan: StudyPlan, local_now: datetime) -> int:
    """Queue the daily digest of open watch alerts; return the number of emails queued.

    ``local_now``: now in the study's time zone. Its date is part of the key, so repeated calls on one day send one
    digest.
    """
    rows = _watch_alert_rows(work, plan)
    if not rows:
        return 0
    keys = {
        f"digest:{plan.id}:{local_now.date().isoformat()}:email:{person.id}": person
        for person in recipients.recipients_at_step(work, plan, Level.WATCH, minutes=0)
    }
    done = set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(keys))))
    new = [
        queue_staff_message(work, person, "daily_digest", {"rows": rows}, key)
        for key, person in keys.items()
        if key not in done
    ]
    return sum(message is not None for message in new)


def escalate_alerts(work: UnitOfWork) -> EscalationResult:
    """Queue what is due about every case that waits; a case that fails does not stop the others.

    Each message is queued once, however often and on however many workers this runs.
    """
    queued = broken = 0
    duty = None
    for case, alerts in waiting_cases(work):
        duty = duty or recipients.read_duty_state(work)
        try:
            with work.session.begin_nested():
                if lock_case(work, alerts):
                    queued += escalation.queue_due_notices(work, case, duty)
        except Exception as error:
            broken += 1
            log.error("alert escalation failed source=%s error=%s", case.key, type(error).__name__)
    return EscalationResult(queued, broken)


def waiting_cases(work: UnitOfWork) -> list[tuple[WaitingCase, list[Alert]]]:
    """Return every case with a urgent or emergency alert that waits, with these alerts, in two queries."""
    groups: dict[str, list[Alert]] = {}
    # Held here, so that the session does not ask for each participant again.
    people: dict[str, Participant] = {}
    query = select(Alert, Participant).join(Participant, Participant.id == Alert.participant_id)
    for alert, participant in work.session.execute(query.where(*_untaken_clauses()).order_by(Alert.id)):
        groups.setdefault(alert.source, []).append(alert)
        people[alert.source] = participant
    groups = {source: alerts for source, alerts in groups.items() if any(map(is_unacknowledged, alerts))}
    notices = read_notices(work, groups)
    return [
        (_build_case(work, alerts, work.catalogue.plans.get(people[source].plan), notices.get(source, [])), alerts)
        for source, alerts in groups.items()
    ]


def untold_sources(work: UnitOfWork) -> list[str]:
    """Return the sources of waiting cases of which no message has reached a person (docs/alerts.md 3)."""
    return [alerts[0].source for case, alerts in waiting_cases(work) if escalation.is_untold(case, work.now)]


def next_escalation(
    work: UnitOfWork, plan: StudyPlan | None, alerts: Sequence[Alert], roster: recipients.DutyState | None = None
) -> NextEscalation | None:
    """Return the next escalation step or repeat of a case, or None.

    None if no urgent or emergency alert is unacknowledged. ``roster``: a duty state that was already read.
    """
    waiting = [alert for alert in alerts if is_unacknowledged(alert)]
    if not waiting or plan is None:
        return None
    level, raised_at, _alert = _highest_level(waiting)
    hours = escalation_steps.working_hours(plan.settings, work.catalogue.working_days(plan.id))
    at, steps = escalation_steps.next_notice(
        plan.escalation_steps, level, raised_at, work.now, hours, plan.repeat_minutes[level]
    )
    roster = roster or recipients.read_duty_state(work)
    return NextEscalation(at, tuple(person.name for person in roster.recipients_of(plan.id, steps, at)))


def drop_pending_notifications(work: UnitOfWork, sources: Collection[str]) -> None:
    """Drop unsent notifications of ``sources`` without unacknowledged alerts.

    Only urgent and emergency alerts count as unacknowledged here. One statement asks and finds: a text that comes at
    this moment either keeps the case waiting, or its message is not seen.
    """
    work.session.flush()
    other = aliased(Alert)
    waits = (
        select(other.id)
        .where(
            other.source == Alert.source,
            other.level >= int(Level.URGENT),
            other.acknowledged_at.is_(None),
            other.closed_at.is_(None),
            other.superseded_at.is_(None),
        )
        .exists()
    )
    done = select(Alert.id).where(Alert.source.in_(sources), ~waits)
    outbox.drop_messages(work, Message.alert_id.in_(done), "taken_on")


def is_unacknowledged(alert: Alert) -> bool:
    """Return True for an unacknowledged urgent or emergency alert."""
    return _is_untaken(alert) and alert.superseded_at is None


def lock_case(work: UnitOfWork, alerts: Sequence[Alert]) -> bool:
    """Lock the case against acknowledgement. Return False if another transaction holds it.

    Return False as well if an alert of the case was acknowledged meanwhile.
    """
    ids = [alert.id for alert in alerts]
    # Rows that are locked are skipped: the other transaction acknowledges or evaluates them, and the worker runs again
    # within seconds.
    query = select(Alert.id).where(Alert.id.in_(ids), *_untaken_clauses()).with_for_update(skip_locked=True)
    return len(list(work.session.scalars(query))) == len(ids)


def _is_untaken(alert: Alert) -> bool:
    """Return True for an open urgent or emergency alert without acknowledgement, covered by another one or not."""
    return alert.level >= Level.URGENT and alert.acknowledged_at is None and alert.closed_at is None


def _untaken_clauses() -> tuple[ColumnElement[bool], ...]:
    """Return the same as conditions."""
    return (Alert.level >= int(Level.URGENT), Alert.acknowledged_at.is_(None), Alert.closed_at.is_(None))


def _highest_level(alerts: Sequence[Alert]) -> tuple[Level, datetime, Alert]:
    """Return the level of a case, the time (UTC) of its first alert of that level, and that alert."""
    level = max(alert.level for alert in alerts)
    highest = [alert for alert in alerts if alert.level == level]
    return Level(level), min(alert.raised_at for alert in highest), highest[0]


def _is_covered(work: UnitOfWork, first: Alert, earlier: Sequence[Alert]) -> bool:
    """Return True if a message about the case, at the level of ``first`` or higher, leads to it already.

    Not so for a further emergency in a form, of which each person is notified whose message was sent, nor while the
    earlier messages failed.
    """
    is_text = first.source.startswith(TEXT_CASE_PREFIX)
    if first.level > max((alert.level for alert in earlier), default=0):
        return False
    if first.level == Level.EMERGENCY and not is_text:
        return False
    notices = read_notices(work, [first.source]).get(first.source, [])
    return any(one.level >= first.level and (one.state == "told" or one.is_on_its_way) for one in notices)


def _build_case(
    work: UnitOfWork,
    waiting: Sequence[Alert],
    plan: StudyPlan | None,
    notices: Sequence[escalation.StaffNotice],
    newest: Alert | None = None,
) -> WaitingCase:
    """Return the case of the urgent and emergency alerts of one source that were not acknowledged.

    ``newest``: what is announced at once.
    One that another supersedes counts for the time from which the steps count: a change of answers delays no step.
    """
    level, since, first = _highest_level(waiting)
    highest = [alert for alert in waiting if alert.level == level and alert.superseded_at is None] or [first]
    first = highest[0]
    is_text = first.source.startswith(TEXT_CASE_PREFIX)
    # A further emergency is announced at once; a further urgent alert is found by the message about the first one.
    if newest is None:
        newest = highest[-1] if level is Level.EMERGENCY or is_text else first
        # The message about the first urgent alert leads to its later occurrences as well.
        newest_at = newest.raised_at if level is Level.EMERGENCY or is_text else since
    else:
        newest_at = newest.raised_at
    participant = work.session.get_one(Participant, first.participant_id)
    return WaitingCase(
        key=first.source,
        level=level,
        since=since,
        newest_at=newest_at,
        plans=[plan] if plan else [],
        templates=("alert", "alert_escalation", "alert_more"),
        params={
            "participant_number": participant.participant_number,
            "level": level.word,
            "link": f"{work.config.base_url}/staff/alerts/{newest.id}",
        },
        notices=notices,
        is_grouped=is_text,
        more=len(waiting) - 1 if is_text else 0,
        alert_id=newest.id,
        assessment_id=newest.assessment_id,
    )


def read_notices(work: UnitOfWork, sources: Collection[str]) -> dict[str, list[escalation.StaffNotice]]:
    """Return source -> the messages about its alerts, oldest first, in one query."""
    query = (
        select(
            Message, Alert.level, Alert.source, or_(Alert.acknowledged_at.is_not(None), Alert.closed_at.is_not(None))
        )
        .join(Alert, Alert.id == Message.alert_id)
        .where(Alert.source.in_(sources), Message.template.in_(ALERT_TEMPLATES))
        .order_by(Message.id)
    )
    found: dict[str, list[escalation.StaffNotice]] = {}
    for message, level, source, is_taken in work.session.execute(query) if sources else ():
        found.setdefault(source, []).append(escalation.notice_of(message, level, is_taken=bool(is_taken)))
    return found


def _watch_alert_rows(work: UnitOfWork, plan: StudyPlan) -> list[dict[str, str]]:
    """Return the participant numbers with open watch alerts, each with a link to the newest."""
    query = (
        select(Alert, Participant.participant_number)
        .join(Participant, Participant.id == Alert.participant_id)
        .where(
            Participant.plan == plan.id,
            Alert.level == int(Level.WATCH),
            Alert.acknowledged_at.is_(None),
            Alert.closed_at.is_(None),
            Alert.superseded_at.is_(None),
        )
        .order_by(Alert.id)
    )
    newest = {number: alert.id for alert, number in work.session.execute(query)}
    return [
        {"participant_number": number, "link": f"{work.config.base_url}/staff/alerts/{alert_id}"}
        for number, alert_id in sorted(newest.items(), key=lambda pair: pair[1])
    ]
