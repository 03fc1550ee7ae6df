"""Notify staff: one email a person about new alerts, escalation, the daily digest."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import EscalationStep, StudyPlan
from pro.core.triage import escalation_steps
from pro.features.duty_roster import recipients
from pro.features.participants.treatment_dates import clock_time
from pro.messaging import message_rendering, outbox
from pro.models import Alert, Message, Participant, StaffMember

log = logging.getLogger(__name__)
# Templates of the messages about urgent and emergency alerts.
ALERT_TEMPLATES = ("alert", "alert_again", "alert_sms")


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
    """Queue one email a person about the alerts ``raised`` by one source.

    Nothing is queued if an email about an unacknowledged alert of that source of the same or a higher level exists.
    ``before``: the earlier alerts of the source. Without a plan (no longer installed) recipients are chosen by role.
    """
    first = max(raised, key=lambda alert: (alert.level, -alert.id))
    if _is_notified(work, first, [alert for alert in before if alert not in raised]):
        return
    participant = work.session.get_one(Participant, first.participant_id)
    level = Level(first.level)
    # The count is part of the key, so that an alert that is raised again is notified again.
    sent = select(func.count(Message.id)).join(Alert, Alert.id == Message.alert_id)
    times = work.session.scalar(sent.where(Alert.source == first.source, Message.template == "alert"))
    people = (
        recipients.recipients_at_step(work, plan, level, minutes=0)
        if plan
        else recipients.recipients_without_plan(work)
    )
    if not people:
        log.error("alert has no recipient alert=%s level=%s", first.id, level.word)
    params = {
        "study_number": participant.study_number,
        "level": level.word,
        "link": f"{work.config.base_url}/staff/alerts/{first.id}",
    }
    for person in people:
        key = f"alert:{first.id}:{level.word}:{times}:email:{person.id}"
        queue_staff_message(work, person, "alert", params, key, alert_id=first.id, assessment_id=first.assessment_id)


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
        queue_staff_message(work, person, "alert_digest", {"rows": rows}, key)
        for key, person in keys.items()
        if key not in done
    ]
    return sum(message is not None for message in new)


def escalate_alerts(work: UnitOfWork) -> EscalationResult:
    """Queue the due notifications of all unacknowledged urgent and emergency cases.

    Of several due steps for one person only the newest is sent. Each person is notified once per step, however often
    and on however many workers this runs. A case that fails does not stop the others.
    """
    groups: dict[str, list[Alert]] = {}
    for alert in work.session.scalars(select(Alert).where(*_unacknowledged_clauses()).order_by(Alert.id)):
        groups.setdefault(alert.source, []).append(alert)
    queued = broken = 0
    for source, alerts in groups.items():
        try:
            with work.session.begin_nested():
                queued += _escalate_case(work, alerts)
        except Exception as error:
            broken += 1
            log.error("alert escalation failed source=%s error=%s", source, type(error).__name__)
    return EscalationResult(queued, broken)


def next_escalation(
    work: UnitOfWork, plan: StudyPlan | None, alerts: Sequence[Alert], roster: recipients.DutyState | None = None
) -> NextEscalation | None:
    """Return the next escalation step of a case, or None.

    None after the last step, and if no urgent or emergency alert is unacknowledged. ``roster``: a duty state that was
    already read.
    """
    waiting = [alert for alert in alerts if _is_unacknowledged(alert)]
    if not waiting or plan is None:
        return None
    level, raised_at, _alert = _highest_level(waiting)
    due_step = escalation_steps.next_step(plan.ladder, level, raised_at, work.now, _working_hours(work, plan))
    if due_step is None:
        return None
    roster = roster or recipients.read_duty_state(work)
    return NextEscalation(
        due_step.at, tuple(person.name for person in roster.recipients_of(plan.id, [due_step.step], due_step.at))
    )


def drop_pending_notifications(work: UnitOfWork, sources: Collection[str]) -> None:
    """Drop unsent notifications of ``sources`` without unacknowledged alerts.

    Only urgent and emergency alerts count as unacknowledged here.
    """
    work.session.flush()
    unacknowledged = set(
        work.session.scalars(select(Alert.source).where(*_unacknowledged_clauses(), Alert.source.in_(sources)))
    )
    done = set(sources) - unacknowledged
    if done:
        outbox.drop_messages(work, Message.alert_id.in_(select(Alert.id).where(Alert.source.in_(done))), "taken_on")


def queue_staff_message(
    work: UnitOfWork,
    person: StaffMember,
    template: str,
    params: Mapping[str, Any],
    key: str,
    *,
    as_alert: bool = False,
    alert_id: int | None = None,
    assessment_id: int | None = None,
    drill_id: int | None = None,
    not_after: datetime | None = None,
) -> Message | None:
    """Queue one message to ``person`` in their language; None if ``key`` is queued already.

    ``as_alert``: rather sent twice than not at all, as messages about alerts are. ``not_after``: latest time of
    sending, in UTC.
    """
    # The language of an account may be no longer installed.
    language = person.language if person.language in work.catalogue.languages else work.catalogue.languages[0]
    channel = message_rendering.MESSAGE_KINDS[template].channel
    rendered = message_rendering.render_message(
        template, language, params, work.app_context.catalogs, not work.config.production
    )
    return outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=key,
            channel=channel,
            template=template,
            params=dict(params),
            language=language,
            address=work.vault.open(person.phone_sealed or "") if channel == "sms" else person.email,
            subject=rendered.subject,
            body=rendered.text,
            staff_id=person.id,
            alert_id=alert_id,
            assessment_id=assessment_id,
            drill_id=drill_id,
            not_after=not_after,
            repeat="prefer_duplicate" if as_alert or alert_id else "prefer_silence",
        ),
    )


def _unacknowledged_clauses() -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for unacknowledged urgent and emergency alerts."""
    return (
        Alert.level >= int(Level.URGENT),
        Alert.acknowledged_at.is_(None),
        Alert.resolved_at.is_(None),
        Alert.superseded_at.is_(None),
    )


def _is_unacknowledged(alert: Alert) -> bool:
    """Return True for an unacknowledged urgent or emergency alert."""
    is_urgent_or_higher = alert.level >= Level.URGENT
    return (
        is_urgent_or_higher
        and alert.acknowledged_at is None
        and alert.resolved_at is None
        and alert.superseded_at is None
    )


def _highest_level(alerts: Sequence[Alert]) -> tuple[Level, datetime, Alert]:
    """Return the level of a case, the time (UTC) of its first alert of that level, that alert."""
    level = max(alert.level for alert in alerts)
    highest = [alert for alert in alerts if alert.level == level]
    return Level(level), min(alert.raised_at for alert in highest), highest[0]


def _escalate_case(work: UnitOfWork, alerts: list[Alert]) -> int:
    """Queue the due steps of one case, the newest for each person; return their number."""
    level, raised_at, alert = _highest_level(alerts)
    participant = work.session.get_one(Participant, alert.participant_id)
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None:
        # Without a study plan there are no escalation steps: all recipients were notified when the alert was raised.
        return 0
    newest: dict[str, tuple[StaffMember, EscalationStep]] = {}
    people: dict[int, str] = {}
    for due_step in escalation_steps.due_steps(plan.ladder, level, raised_at, work.now, _working_hours(work, plan)):
        for person in recipients.recipients_of(work, plan, [due_step.step]):
            newest.pop(people.get(person.id, ""), None)
            key = f"again:{alert.source}:{raised_at:%Y%m%dT%H%M%S%f}:{level.word}:{due_step.step.name}:{person.id}"
            people[person.id] = key
            newest[key] = (person, due_step.step)
    known = select(Message.dedupe_key).where(Message.dedupe_key.in_(newest))
    done = set(work.session.scalars(known)) if newest else set()
    due = {key: found for key, found in newest.items() if key not in done}
    if not due or not _lock_case(work, alerts):
        return 0
    queued = 0
    for key, (person, step) in due.items():
        template, params = _escalation_message(work, plan, person, step, participant, alert, level)
        message = queue_staff_message(
            work, person, template, params, key, alert_id=alert.id, assessment_id=alert.assessment_id
        )
        queued += message is not None
    return queued


def _working_hours(work: UnitOfWork, plan: StudyPlan) -> escalation_steps.WorkingHours:
    """Return the study's working hours, with public holidays and make-up working days."""
    return escalation_steps.working_hours(plan.settings, work.catalogue.working_days(plan.id))


def _lock_case(work: UnitOfWork, alerts: Sequence[Alert]) -> bool:
    """Lock the case against acknowledgement. Return False if another transaction holds it.

    Return False as well if an alert of the case was acknowledged meanwhile.
    """
    ids = [alert.id for alert in alerts]
    # Rows that are locked are skipped: the other transaction acknowledges or evaluates them, and the worker runs again
    # within seconds.
    query = select(Alert.id).where(Alert.id.in_(ids), *_unacknowledged_clauses()).with_for_update(skip_locked=True)
    return len(list(work.session.scalars(query))) == len(ids)


def _escalation_message(
    work: UnitOfWork,
    plan: StudyPlan,
    person: StaffMember,
    step: EscalationStep,
    participant: Participant,
    alert: Alert,
    level: Level,
) -> tuple[str, dict[str, Any]]:
    """Return template and parameters for a step.

    A text message needs a phone number and a gateway that accepts it; otherwise the step is sent by email.
    """
    takes = work.config.sms != "none" and work.catalogue.gateway.accepts("alert_sms", person.language)
    if step.channel == "sms" and person.phone_sealed and takes:
        at = clock_time(work.now, plan.settings.time_zone)
        return "alert_sms", {"at": at, "level": level.word, "address": f"{work.config.base_url}/staff/"}
    link = f"{work.config.base_url}/staff/alerts/{alert.id}"
    return "alert_again", {"study_number": participant.study_number, "level": level.word, "link": link}


def _is_notified(work: UnitOfWork, first: Alert, others: Sequence[Alert]) -> bool:
    """Return True if staff were notified of this source at the level of ``first`` or higher.

    An alert of that level must still be unacknowledged, and its message neither failed nor dropped.
    """
    waiting = [alert.level for alert in others if alert.acknowledged_at is None and alert.resolved_at is None]
    if first.level > max(waiting, default=0):
        return False
    query = (
        select(Message.id)
        .join(Alert, Alert.id == Message.alert_id)
        .where(
            Alert.source == first.source,
            Message.failed_at.is_(None),
            Message.dropped_at.is_(None),
            Alert.level >= first.level,
        )
    )
    return work.session.scalar(query.limit(1)) is not None


def _watch_alert_rows(work: UnitOfWork, plan: StudyPlan) -> list[dict[str, str]]:
    """Return the participant numbers with open watch alerts, each with a link to the newest."""
    query = (
        select(Alert, Participant.study_number)
        .join(Participant, Participant.id == Alert.participant_id)
        .where(
            Participant.plan == plan.id,
            Alert.level == int(Level.WATCH),
            Alert.acknowledged_at.is_(None),
            Alert.resolved_at.is_(None),
            Alert.superseded_at.is_(None),
        )
        .order_by(Alert.id)
    )
    newest = {number: alert.id for alert, number in work.session.execute(query)}
    return [
        {"study_number": number, "link": f"{work.config.base_url}/staff/alerts/{alert_id}"}
        for number, alert_id in sorted(newest.items(), key=lambda pair: pair[1])
    ]
