"""Raise alerts from findings, notify staff, and acknowledge alerts (docs/alerts.md)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import scoring
from pro.core.questionnaire.instrument import Answers
from pro.core.rule_language.level import Level
from pro.core.study_plan import AlertRule, StudyPlan
from pro.core.triage.verdict import Finding, Verdict, inputs_of
from pro.errors import BadData, NotFound
from pro.features.alerts import message_reading
from pro.features.alerts.evaluation import (
    FREE_TEXT,
    Evaluation,
    ScreenedText,
    build_form_case,
    evaluate,
    is_waiting,
    newest_alerts,
)
from pro.features.duty_roster import notifications
from pro.features.participants import clinical_facts
from pro.features.schedule import missed_forms
from pro.models import Alert, AlertNote, Assessment, Participant, StaffMember

log = logging.getLogger(__name__)
# Rule id of the alert that says: the answers are stored, but they could not be evaluated.
EVALUATION_FAILED = "JUDGE"
# The same note by the same person within this time was sent twice.
DOUBLE_PRESS = timedelta(minutes=1)
# When an evaluation that failed is tried again.
RETRY_AFTER = timedelta(minutes=15)
SYSTEM_RULE_SUSPECTS = {EVALUATION_FAILED: "judging_failed", FREE_TEXT: "free_text"}


@dataclass(frozen=True, slots=True)
class AcknowledgementResult:
    """Which alerts were acknowledged now, and which another person had acknowledged before: (alert id, name, when)."""

    new: list[int]
    already: list[tuple[int, str, datetime]]


def plan_of(work: UnitOfWork, assessment: Assessment) -> StudyPlan | None:
    """Return the plan of the assessment's participant; None if it is no longer installed."""
    participant = work.session.get_one(Participant, assessment.participant_id)
    return work.catalogue.plans.get(participant.plan)


def minutes_after(at: datetime, minutes: int) -> datetime:
    """Return ``at`` plus ``minutes``."""
    return at + timedelta(minutes=minutes)


def case_key_of(assessment: Assessment) -> str:
    """Return the source of the alerts of an assessment."""
    return f"assessment:{assessment.id}"


def alerts_of(work: UnitOfWork, assessment: Assessment) -> list[Alert]:
    """Return every alert of the assessment, oldest first, those of texts written in its chat included."""
    query = select(Alert).where(Alert.assessment_id == assessment.id).order_by(Alert.id)
    return list(work.session.scalars(query))


def rule_scores(work: UnitOfWork, assessment: Assessment, answers: Answers) -> dict[str, float | None]:
    """Return the scores that the rules see, at every evaluation: none of a proxy unless the plan scores proxies."""
    instrument = work.catalogue.instruments[assessment.instrument]
    plan = plan_of(work, assessment)
    if not instrument.scales or (assessment.answered_by == "proxy" and not (plan and plan.score_proxy)):
        return {}
    return {scale: found.value for scale, found in scoring.score(instrument, answers).items()}


def evaluate_form(
    work: UnitOfWork,
    assessment: Assessment,
    answers: Answers,
    *,
    submitted: bool,
    idle: int,
    scores: Mapping[str, float | None] | None = None,
    alerts: Sequence[Alert] | None = None,
    earlier: Answers | None = None,
    is_retry: bool = False,
) -> list[Alert]:
    """Evaluate ``answers``, store each new finding as an alert, and notify staff; return all alerts of the form.

    Whatever breaks, the answers stay, and what was raised stays: an evaluation that fails becomes an urgent alert and
    is tried again; a notification that fails undoes no alert. ``idle`` in minutes; ``alerts``: those that the form
    has, if they were just read; ``earlier``: the answers before this change, None if no answer changed; ``is_retry``:
    the answers are not new, their evaluation failed before.
    """
    shown = alerts_of(work, assessment) if alerts is None else list(alerts)
    # Before the try: answers that cannot be written are no failure of the evaluation, and must not look saved.
    work.session.flush()
    # Texts that were written in the chat of the form are cases of their own.
    before = _lock_alerts(work, assessment) if shown else []
    plan = plan_of(work, assessment)
    raised: list[Alert] = []
    failure = "plan_gone" if plan is None else ""
    found: Evaluation | None = None
    if plan is not None:
        try:
            # Only a form that is submitted asks the database for more (what was answered elsewhere).
            with work.session.begin_nested() if submitted else nullcontext():
                case = build_form_case(work, assessment, answers, submitted, idle, scores or {}, plan)
                found = evaluate(work, assessment, plan, case, before, earlier)
            if before or found.verdict.findings or found.texts:
                with work.session.begin_nested():
                    raised = _store_findings(work, assessment, plan, found, before)
            assessment.standing = list(found.holding)
            failure = "rule_failed" if found.verdict.failed else ""
        except Exception as error:
            failure, raised, found = type(error).__name__, [], None
    if found is not None and any(text.is_death for text in found.texts):
        _report_death(work, assessment)
    if failure:
        log.error("evaluation of a form failed assessment=%s error=%s", assessment.id, failure)
        raised += _raise_unjudged(work, assessment, plan, before, is_new=not idle and not is_retry)
    loud = [alert for alert in raised if alert.level >= Level.URGENT]
    if loud:
        notifications.notify_staff(work, plan, loud, before)
    return shown + [alert for alert in raised if alert not in before]


def _report_death(work: UnitOfWork, assessment: Assessment) -> None:
    """Have the family called after a text in the form that reports a death. Never raises, and undoes no alert.

    The alert about the text is stored already, so a person reads it whatever becomes of the call task.
    """
    try:
        with work.session.begin_nested():
            participant = work.session.get_one(Participant, assessment.participant_id)
            missed_forms.report_death(work, participant, f"form:{assessment.id}")
    except Exception as error:
        log.error("call task for a death not made assessment=%s error=%s", assessment.id, type(error).__name__)


def report_unjudged(work: UnitOfWork, assessment: Assessment) -> list[Alert]:
    """Raise the alert that says: this form could not even be read for its evaluation; notify staff."""
    before = _lock_alerts(work, assessment)
    raised = _raise_unjudged(work, assessment, plan_of(work, assessment), before, is_new=False)
    if raised:
        notifications.notify_staff(work, plan_of(work, assessment), raised, before)
    return raised


def acknowledge(work: UnitOfWork, alert_ids: Collection[int]) -> AcknowledgementResult:
    """Acknowledge the open alerts ``alert_ids``, those that a page showed, and no others. NotFound for none.

    Earlier acknowledgements stand. Messages about the case that were not sent yet are dropped once no urgent or
    emergency alert of it is left unacknowledged.
    """
    query = select(Alert).where(Alert.id.in_(alert_ids)).order_by(Alert.id).with_for_update()
    alerts = list(work.session.scalars(query.execution_options(populate_existing=True)))
    if not alerts or work.actor.id is None:
        raise NotFound("alert")
    done = AcknowledgementResult([], [])
    names = {person.id: person.name for person in work.session.scalars(select(StaffMember))}
    for alert in alerts:
        if alert.acknowledged_at and alert.acknowledged_by:
            done.already.append((alert.id, names.get(alert.acknowledged_by, ""), alert.acknowledged_at))
            continue
        alert.acknowledged_at = work.now
        alert.acknowledged_by = work.actor.id
        done.new.append(alert.id)
        work.record("alert.acknowledged", alert, participant_id=alert.participant_id, new={"rule": alert.rule})
    notifications.drop_pending_notifications(work, {alert.source for alert in alerts})
    message_reading.mark_alert_texts_read(work, [alert for alert in alerts if alert.id in done.new])
    return done


def unseen_alerts(work: UnitOfWork, case_key: str, shown: Collection[int]) -> list[Alert]:
    """Return the open alerts of a case, covered ones aside, that the page ``shown`` to a person did not hold."""
    query = select(Alert).where(Alert.source == case_key, Alert.closed_at.is_(None), Alert.superseded_at.is_(None))
    return [alert for alert in work.session.scalars(query.order_by(Alert.id)) if alert.id not in shown]


def add_note(work: UnitOfWork, case_key: str, text: str) -> AlertNote:
    """Store a note on the alerts of a case. BadData for an empty or too long text.

    The same text by the same person within DOUBLE_PRESS was sent twice: the stored note is returned.
    """
    text = text.strip()
    if not text or len(text) > 4000:
        raise BadData("note", fields={"text": "empty" if not text else "too_long"})
    alert = work.session.scalar(select(Alert).where(Alert.source == case_key).order_by(Alert.id).limit(1))
    if alert is None or work.actor.id is None:
        raise NotFound("alert")
    work.lock(alert)
    said = {"source": case_key, "participant_id": alert.participant_id, "staff_id": work.actor.id, "text": text}
    just_now = select(AlertNote).filter_by(**said).where(AlertNote.at > work.now - DOUBLE_PRESS)
    same = work.session.scalar(just_now.order_by(AlertNote.id).limit(1))
    if same is not None:
        return same
    row = AlertNote(**said, at=work.now)
    work.session.add(row)
    work.record("alert.noted", row, participant_id=alert.participant_id)
    return row


def _lock_alerts(work: UnitOfWork, assessment: Assessment) -> list[Alert]:
    """Lock and return the alerts of the form's case, oldest first: an acknowledgement waits, or is seen here."""
    query = select(Alert).where(Alert.source == case_key_of(assessment)).order_by(Alert.id).with_for_update()
    return list(work.session.scalars(query.execution_options(populate_existing=True)))


def _store_findings(
    work: UnitOfWork, assessment: Assessment, plan: StudyPlan, found: Evaluation, before: list[Alert]
) -> list[Alert]:
    """Store what is new; return the new alerts, and those that are no longer superseded by one of a higher level.

    The level of an alert is never lowered: a finding of a higher level than its alerts, or one that fires again, gets
    an alert of its own.
    """
    newest = newest_alerts(before)
    raised: list[Alert] = []
    for finding in found.verdict.findings:
        if finding.rule_id == EVALUATION_FAILED:
            continue
        same = [alert for alert in before if alert.rule == finding.rule_id]
        last = newest.get(finding.rule_id)
        if last is None or _needs_new_alert(finding, same, last, found):
            alert = _raise_alert(work, assessment, plan, found, finding, occurrence=last.occurrence + 1 if last else 1)
            raised.append(alert)
            _cover(work, (old for old in same if is_waiting(old) and old.level <= alert.level))
            rule = _plan_rule(plan, finding.rule_id)
            if rule and rule.marks_ulcer and not finding.lowered:
                clinical_facts.suspect_ulcer(work, assessment.participant_id, finding.rule_id)
        elif last.superseded_at is not None and last.closed_at is None:
            last.superseded_at = None
            work.record("alert.uncovered", last, participant_id=last.participant_id, new={"rule": last.rule})
            if is_waiting(last):
                raised.append(last)
    for text in found.texts:
        raised.append(_raise_text(work, assessment, plan, found, text, [*before, *raised]))
    _close_or_cover(work, plan, found, [*before, *raised])
    work.session.flush()
    return raised


def _needs_new_alert(finding: Finding, same: Sequence[Alert], last: Alert, found: Evaluation) -> bool:
    is_louder = int(finding.level) > max(alert.level for alert in same)
    return is_louder or finding.rule_id in found.again or last.disposition == "closed_itself"


def _raise_alert(
    work: UnitOfWork,
    assessment: Assessment,
    plan: StudyPlan | None,
    found: Evaluation,
    finding: Finding,
    *,
    occurrence: int,
    text: ScreenedText | None = None,
) -> Alert:
    rule = _plan_rule(plan, finding.rule_id)
    inputs: dict[str, Any] = {
        "saw": list(text.saw) if text else inputs_of(rule, found.verdict.facts) if rule else [],
        "instrument": assessment.instrument,
        "instrument_version": assessment.instrument_version,
    }
    is_emergency = finding.level is Level.EMERGENCY
    alert = Alert(
        participant_id=assessment.participant_id,
        assessment_id=assessment.id,
        source=case_key_of(assessment),
        rule=finding.rule_id,
        occurrence=occurrence,
        level=int(finding.level),
        lowered=finding.lowered,
        suspects=rule.suspects if rule else SYSTEM_RULE_SUSPECTS.get(finding.rule_id, ""),
        basis="+".join(rule.basis) if rule else "",
        plan_version=plan.version if plan else "",
        inputs=inputs | ({"text": text.mark} if text else {}),
        unresolved=list(found.verdict.unresolved),
        advice=text.advice if text else rule.advice if rule and is_emergency else "",
        raised_at=work.now,
    )
    work.session.add(alert)
    new = {"rule": finding.rule_id, "level": finding.level.word, "plan_version": alert.plan_version}
    work.record("alert.raised", alert, participant_id=alert.participant_id, new=new)
    return alert


def _raise_text(
    work: UnitOfWork,
    assessment: Assessment,
    plan: StudyPlan,
    found: Evaluation,
    text: ScreenedText,
    alerts: Sequence[Alert],
) -> Alert:
    """Raise an alert about one text of a form; each text that is written differently has its own."""
    last = newest_alerts(alerts).get(FREE_TEXT)
    occurrence = last.occurrence + 1 if last else 1
    return _raise_alert(work, assessment, plan, found, Finding(FREE_TEXT, text.level), occurrence=occurrence, text=text)


def _raise_unjudged(
    work: UnitOfWork, assessment: Assessment, plan: StudyPlan | None, before: Sequence[Alert], *, is_new: bool
) -> list[Alert]:
    """Raise the urgent alert that says: these answers could not be evaluated; plan the next try.

    New answers (``is_new``, or given since the last such alert) get an alert of their own, which covers one that waits:
    a page that showed the earlier answers must not acknowledge these.
    """
    again = work.now + RETRY_AFTER
    assessment.evaluate_next_at = min(assessment.evaluate_next_at or again, again)
    last = newest_alerts(before).get(EVALUATION_FAILED)
    answered_at = assessment.submitted_at or assessment.last_answer_at
    if last is not None and not is_new and (answered_at is None or answered_at <= last.raised_at):
        return []
    try:
        with work.session.begin_nested():
            broken = Evaluation(Verdict(Level.URGENT, (), ()), frozenset(), None)
            finding = Finding(EVALUATION_FAILED, Level.URGENT)
            occurrence = last.occurrence + 1 if last else 1
            alert = _raise_alert(work, assessment, plan, broken, finding, occurrence=occurrence)
            _cover(work, (old for old in before if old.rule == EVALUATION_FAILED and is_waiting(old)))
            work.session.flush()
            return [alert]
    except Exception as error:
        log.critical("no alert could say that a form was not evaluated error=%s", type(error).__name__)
        assessment.evaluate_next_at = work.now
        return []


def _plan_rule(plan: StudyPlan | None, rule_id: str) -> AlertRule | None:
    """Return the plan's rule; None for a rule of the system, and for one that the plan no longer has."""
    return next((rule for rule in plan.rules if rule.id == rule_id), None) if plan else None


def _cover(work: UnitOfWork, alerts: Iterable[Alert]) -> None:
    """Mark alerts as superseded by one of a higher level of their case, which keeps the level of the case."""
    for alert in alerts:
        alert.superseded_at = work.now
        work.record("alert.superseded", alert, participant_id=alert.participant_id)


def _close_or_cover(work: UnitOfWork, plan: StudyPlan, found: Evaluation, alerts: Sequence[Alert]) -> None:
    """Close alerts of rules that close themselves; supersede those that a rule of a higher level hides.

    A person closes the rest.
    """
    if found.verdict.failed:
        return  # what still holds is unknown
    fired = set(found.verdict.fired)
    for alert in alerts:
        rule = _plan_rule(plan, alert.rule)
        if alert.rule in fired or rule is None or alert.closed_at is not None:
            continue
        if rule.closes_itself:
            if found.standing is not None and alert.rule not in found.standing:
                alert.closed_at, alert.disposition = work.now, "closed_itself"
                work.record("alert.closed_itself", alert, participant_id=alert.participant_id)
        elif alert.superseded_at is None and rule.is_hidden_by(_open_rules(alerts, alert.level) & fired):
            _cover(work, [alert])


def _open_rules(alerts: Sequence[Alert], level: int) -> set[str]:
    """Return the rules with an open alert of ``level`` or higher."""
    return {alert.rule for alert in alerts if alert.closed_at is None and alert.level >= level}
