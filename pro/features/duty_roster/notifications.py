"""Notify staff: one email a person about new alerts, escalation while unacknowledged, the daily digest."""

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
# The messages that tell a person of a loud alert.
ALERT_TEMPLATES = ("alert", "alert_again", "alert_sms")


@dataclass(frozen=True, slots=True)
class EscalationResult:
    """How many messages were queued, and for how many cases that broke."""

    queued: int
    broken: int


@dataclass(frozen=True, slots=True)
class NextEscalation:
    """When an unacknowledged alert is escalated next, and who is notified then."""

    at: datetime
    names: tuple[str, ...]


def notify_staff(
    work: UnitOfWork, plan: StudyPlan | None, raised: Sequence[Alert], before: Sequence[Alert] = ()
) -> None:
    """One mail a person for what was ``raised`` by one source, unless a mail about that source that is as loud waits.

    ``before``: the alerts that the source had already. Without a plan (it left the catalogue) people are told by role.
    """
    first = max(raised, key=lambda alert: (alert.level, -alert.id))
    if _is_notified(work, first, [alert for alert in before if alert not in raised]):
        return
    participant = work.session.get_one(Participant, first.participant_id)
    level = Level(first.level)
    # Counted, so that an alert that is raised again is told again.
    sent = select(func.count(Message.id)).join(Alert, Alert.id == Message.alert_id)
    times = work.session.scalar(sent.where(Alert.source == first.source, Message.template == "alert"))
    people = (
        recipients.recipients_at_step(work, plan, level, minutes=0)
        if plan
        else recipients.recipients_without_plan(work)
    )
    if not people:
        log.error("an alert of level %s has nobody to go to: there is no open account", level.word)
    params = {
        "study_number": participant.study_number,
        "level": level.word,
        "link": f"{work.config.base_url}/staff/alerts/{first.id}",
    }
    for person in people:
        key = f"alert:{first.id}:{level.word}:{times}:email:{person.id}"
        queue_staff_message(work, person, "alert", params, key, alert_id=first.id, assessment_id=first.assessment_id)


def queue_daily_digest(work: UnitOfWork, plan: StudyPlan, local_now: datetime) -> int:
    """Queue the day's digest of open WATCH alerts, one mail a person; the number of mails queued.

    ``local_now``: now in the study's zone; the date makes the key, so any number of calls a day sends one.
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
    """Escalate: queue the notifications that are due for every unacknowledged urgent or emergency case.

    Of several steps that are due for one person only the newest is told. Any number of rounds and workers tell each
    person once; a case that breaks keeps no other from being told.
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
            log.error("the case %s could not be told again: %s", source, type(error).__name__)
    return EscalationResult(queued, broken)


def next_escalation(
    work: UnitOfWork, plan: StudyPlan | None, alerts: Sequence[Alert], roster: recipients.DutyState | None = None
) -> NextEscalation | None:
    """The ladder's next step for a case; None at its top, and where nothing loud among ``alerts`` waits.

    ``roster``: as it was read for other cases too.
    """
    waiting = [alert for alert in alerts if _is_unacknowledged(alert)]
    if not waiting or plan is None:
        return None
    level, raised_at, _alert = _highest_level(waiting)
    rung = escalation_steps.next_step(plan.ladder, level, raised_at, work.now, _working_hours(work, plan))
    if rung is None:
        return None
    roster = roster or recipients.read_duty_state(work)
    return NextEscalation(rung.at, tuple(person.name for person in roster.recipients_of(plan.id, [rung.step], rung.at)))


def drop_pending_notifications(work: UnitOfWork, sources: Collection[str]) -> None:
    """Drop what was not sent yet about the cases of ``sources``, unless something loud in them still waits."""
    work.session.flush()
    loud = set(work.session.scalars(select(Alert.source).where(*_unacknowledged_clauses(), Alert.source.in_(sources))))
    done = set(sources) - loud
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
    """Queue one message of kind ``template`` to ``person`` in their language; None if ``key`` is queued already.

    ``loud``: like an alert, before everything else, and rather twice than not at all.
    """
    # An account in a language that the system no longer speaks gets its mail all the same.
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
    return (
        Alert.level >= int(Level.URGENT),
        Alert.acknowledged_at.is_(None),
        Alert.resolved_at.is_(None),
        Alert.superseded_at.is_(None),
    )


def _is_unacknowledged(alert: Alert) -> bool:
    loud = alert.level >= Level.URGENT
    return loud and alert.acknowledged_at is None and alert.resolved_at is None and alert.superseded_at is None


def _highest_level(alerts: Sequence[Alert]) -> tuple[Level, datetime, Alert]:
    """The level of a case, since when it waits at this level, and the alert that its messages lead to."""
    level = max(alert.level for alert in alerts)
    loud = [alert for alert in alerts if alert.level == level]
    return Level(level), min(alert.raised_at for alert in loud), loud[0]


def _escalate_case(work: UnitOfWork, alerts: list[Alert]) -> int:
    """One case: the steps that are due, each person's newest, unless it was told."""
    level, raised_at, alert = _highest_level(alerts)
    participant = work.session.get_one(Participant, alert.participant_id)
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None:
        # No plan, no ladder: everybody whom it may concern was told at once.
        return 0
    newest: dict[str, tuple[StaffMember, EscalationStep]] = {}
    people: dict[int, str] = {}
    for rung in escalation_steps.due_steps(plan.ladder, level, raised_at, work.now, _working_hours(work, plan)):
        for person in recipients.recipients_of(work, plan, [rung.step]):
            newest.pop(people.get(person.id, ""), None)
            key = f"again:{alert.source}:{raised_at:%Y%m%dT%H%M%S%f}:{level.word}:{rung.step.name}:{person.id}"
            people[person.id] = key
            newest[key] = (person, rung.step)
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
    """The study's working hours: none on a public holiday, and some on its make-up day at a weekend."""
    return escalation_steps.working_hours(plan.settings, work.catalogue.working_days(plan.id))


def _lock_case(work: UnitOfWork, alerts: Sequence[Alert]) -> bool:
    """Keep the case from being taken on until this work ends. False if it is being acknowledged or was meanwhile."""
    ids = [alert.id for alert in alerts]
    # Never wait: a transaction that holds one of them acknowledges or evaluates it, and the next round comes in
    # seconds.
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
    """Template and parameters of a step. A text needs a phone and a provider that takes it; else it is a mail."""
    takes = work.config.sms != "none" and work.catalogue.gateway.accepts("alert_sms", person.language)
    if step.channel == "sms" and person.phone_sealed and takes:
        at = clock_time(work.now, plan.settings.time_zone)
        return "alert_sms", {"at": at, "level": level.word, "address": f"{work.config.base_url}/staff/"}
    link = f"{work.config.base_url}/staff/alerts/{alert.id}"
    return "alert_again", {"study_number": participant.study_number, "level": level.word, "link": link}


def _is_notified(work: UnitOfWork, first: Alert, others: Sequence[Alert]) -> bool:
    """True if an alert of this source that is as loud waits to be taken on, and its mail got or may get through."""
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
    """The study numbers with an unacknowledged WATCH alert, each with the link to the newest one."""
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
