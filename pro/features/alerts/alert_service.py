"""Raise alerts from findings, notify staff, and acknowledge alerts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Answers
from pro.core.rule_language.level import Level
from pro.core.study_plan import AlertRule, StudyPlan
from pro.core.triage.verdict import Finding, Verdict, inputs_of
from pro.errors import BadData, NotFound
from pro.features.alerts import message_reading
from pro.features.alerts.evaluation import FREE_TEXT, Evaluation, build_form_case, evaluate, handled_rules
from pro.features.duty_roster import notifications
from pro.features.participants import clinical_facts
from pro.models import Alert, AlertNote, Assessment, Participant, StaffMember

log = logging.getLogger(__name__)
# The rule id of the alert that says: the answers are kept, but judging them broke.
EVALUATION_FAILED = "JUDGE"
# The same note of the same person within this is one that was sent twice.
DOUBLE_PRESS = timedelta(minutes=1)
SYSTEM_RULE_SUSPECTS = {EVALUATION_FAILED: "judging_failed", FREE_TEXT: "free_text"}


@dataclass(frozen=True, slots=True)
class AcknowledgementResult:
    """Which alerts were acknowledged now, and which another person had acknowledged before: (alert id, name, when)."""

    new: list[int]
    already: list[tuple[int, str, datetime]]


def plan_of(work: UnitOfWork, assessment: Assessment) -> StudyPlan:
    """The plan of the study that the assessment's participant is in; its stand-in without rules if it is gone."""
    participant = work.session.get_one(Participant, assessment.participant_id)
    return work.catalogue.shown_plan(participant.plan)


def minutes_after(at: datetime, minutes: int) -> datetime:
    """``minutes`` later."""
    return at + timedelta(minutes=minutes)


def case_key_of(assessment: Assessment) -> str:
    """What the alerts of an assessment are filed under."""
    return f"assessment:{assessment.id}"


def alerts_of(work: UnitOfWork, assessment: Assessment) -> list[Alert]:
    """Every alert that the assessment raised, oldest first."""
    query = select(Alert).where(Alert.source == case_key_of(assessment)).order_by(Alert.id)
    return list(work.session.scalars(query))


def evaluate_form(
    work: UnitOfWork,
    assessment: Assessment,
    answers: Answers,
    *,
    submitted: bool,
    idle: int,
    scores: dict[str, float | None] | None = None,
    alerts: Sequence[Alert] | None = None,
    earlier: Answers | None = None,
) -> list[Alert]:
    """Judge ``answers`` and keep every new finding as an alert, with a message to each person on duty.

    Whatever breaks on the way, the answers stay: it becomes an urgent alert, and if even that cannot be kept, the
    worker tries again. ``idle`` in minutes; ``alerts``: those that the assessment has, if they were just read;
    ``earlier``: the answers before this change, to tell what stayed from what came back. Returns all that it has now.
    """
    plan = plan_of(work, assessment)
    before = alerts_of(work, assessment) if alerts is None else list(alerts)
    # Before the try: answers that cannot be written are no fault of judging, and must not look saved.
    work.session.flush()
    try:
        if work.catalogue.plan_or_none(plan.id) is None:
            raise LookupError("the plan is no longer installed")
        # Only a form that is sent asks the database for more (what was answered elsewhere).
        with work.session.begin_nested() if submitted else nullcontext():
            case = build_form_case(work, assessment, answers, submitted, idle, scores or {}, plan)
            found = evaluate(work, assessment, plan, case, before, earlier)
        if not before and not found.verdict.findings:
            return []
        with work.session.begin_nested():
            return before + _store_findings(work, assessment, plan, found, before)
    except Exception as error:
        log.error("judging an assessment failed: %s", type(error).__name__)
    try:
        with work.session.begin_nested():
            broken = Verdict(Level.URGENT, (Finding(EVALUATION_FAILED, Level.URGENT),), ())
            # The person who looked at the answers has not seen these; a form that merely lies idle has no new ones.
            back = set() if idle else handled_rules(broken, before)
            return before + _store_findings(work, assessment, plan, Evaluation(broken, frozenset(back), None), before)
    except Exception as error:
        log.critical("an assessment could not be judged, and no alert could say so: %s", type(error).__name__)
        assessment.judge_next_at = work.now
        return alerts_of(work, assessment)


def acknowledge(work: UnitOfWork, alert_ids: list[int]) -> AcknowledgementResult:
    """Acknowledge the open alerts among ``alert_ids``; earlier acknowledgements stand. NotFound for none.

    Their ladder ends here: messages that were not sent yet are dropped.
    """
    query = select(Alert).where(Alert.id.in_(alert_ids)).order_by(Alert.id).with_for_update()
    alerts = list(work.session.scalars(query))
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


def add_note(work: UnitOfWork, case_key: str, text: str) -> AlertNote:
    """Keep what a member of staff wrote about the alerts of ``source``. BadData for an empty or endless text.

    The same words again within SAME_PRESS are the button pressed twice: what was kept is given.
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


def _store_findings(
    work: UnitOfWork, assessment: Assessment, plan: StudyPlan, found: Evaluation, before: list[Alert]
) -> list[Alert]:
    """Keep what is new, follow what changed, notify staff; the alerts that are new."""
    existing = {alert.rule: alert for alert in before}
    ulcer_signs = {rule.id for rule in plan.rules if rule.marks_ulcer}
    new, louder = [], []
    for finding in found.verdict.findings:
        alert = existing.get(finding.rule_id)
        if alert is None:
            new.append(_raise_alert(work, assessment, plan, found, finding))
        elif _update_alert(work, alert, finding, finding.rule_id in found.back):
            alert.raised_at, alert.plan_version = work.now, plan.version
            alert.unresolved = list(found.verdict.unresolved)
            alert.inputs = _rule_inputs(assessment, _plan_rule(plan, finding.rule_id), found)
            alert.advice = _advice_block(plan, finding, found) or alert.advice
            louder.append(alert)
        if finding.rule_id in ulcer_signs and not finding.lowered and (alert is None or alert in louder):
            clinical_facts.suspect_ulcer(work, assessment.participant_id, finding.rule_id)
    _close_ended_alerts(work, plan, found, existing)
    if any(alert.level >= Level.URGENT for alert in new + louder):
        work.session.flush()
        # Without a plan there is no ladder: told by role.
        notifications.notify_staff(work, work.catalogue.plan_or_none(plan.id), new + louder, before)
    return new


def _raise_alert(
    work: UnitOfWork, assessment: Assessment, plan: StudyPlan, found: Evaluation, finding: Finding
) -> Alert:
    rule = _plan_rule(plan, finding.rule_id)
    alert = Alert(
        participant_id=assessment.participant_id,
        assessment_id=assessment.id,
        source=case_key_of(assessment),
        rule=finding.rule_id,
        level=int(finding.level),
        lowered=finding.lowered,
        suspects=rule.suspects if rule else SYSTEM_RULE_SUSPECTS.get(finding.rule_id, ""),
        basis="+".join(rule.basis) if rule else "",
        plan_version=plan.version,
        inputs=_rule_inputs(assessment, rule, found),
        unresolved=list(found.verdict.unresolved),
        advice=_advice_block(plan, finding, found),
        raised_at=work.now,
    )
    work.session.add(alert)
    new = {"rule": finding.rule_id, "level": finding.level.word, "plan_version": plan.version}
    work.record("alert.raised", alert, participant_id=alert.participant_id, new=new)
    return alert


def _plan_rule(plan: StudyPlan, rule_id: str) -> AlertRule | None:
    """The plan's rule; None for our own two, and for one that a newer version of the plan has dropped."""
    return next((rule for rule in plan.rules if rule.id == rule_id), None)


def _advice_block(plan: StudyPlan, finding: Finding, found: Evaluation) -> str:
    """The block that the participant sees at once; "" below an emergency."""
    if finding.level is not Level.EMERGENCY:
        return ""
    if finding.rule_id == FREE_TEXT:
        return found.text.advice if found.text else ""
    rule = _plan_rule(plan, finding.rule_id)
    return rule.advice if rule else ""


def _rule_inputs(assessment: Assessment, rule: AlertRule | None, found: Evaluation) -> dict[str, Any]:
    """What the rule saw, implied values and earlier answers included (of a text: the red flags), and read with what."""
    flags = list(found.text.saw) if found.text else []
    return {
        "saw": inputs_of(rule, found.verdict.facts) if rule else flags,
        "instrument": assessment.instrument,
        "instrument_version": assessment.instrument_version,
    }


def _update_alert(work: UnitOfWork, alert: Alert, finding: Finding, back: bool) -> bool:
    """Follow a finding that came back, became louder or, being known and stable, quieter.

    True if people must be told again.
    """
    reopened = back or alert.disposition == "closed_itself"
    same = alert.level == int(finding.level) and alert.superseded_at is None
    if not reopened and (same or alert.resolved_at is not None):
        return False
    # One that is unacknowledged is escalated already.
    dealt_with = alert.acknowledged_at is not None or alert.resolved_at is not None
    louder = (reopened and dealt_with) or int(finding.level) > alert.level
    old = {"level": Level(alert.level).word}
    alert.level, alert.lowered, alert.superseded_at = int(finding.level), finding.lowered, None
    if reopened:
        alert.resolved_at, alert.resolved_by, alert.disposition = None, None, ""
    if back:
        alert.advised_at = None
    if louder:
        alert.acknowledged_at = alert.acknowledged_by = None
    work.record("alert.changed", alert, participant_id=alert.participant_id, old=old, new={"level": finding.level.word})
    return louder


def _close_ended_alerts(work: UnitOfWork, plan: StudyPlan, found: Evaluation, existing: dict[str, Alert]) -> None:
    """Rules that no longer hold: one may close itself, a W under its U is marked; the rest stays for a person."""
    fired = set(found.verdict.fired)
    if EVALUATION_FAILED in fired:
        return  # what still holds is unknown
    for alert in existing.values():
        rule = _plan_rule(plan, alert.rule)
        if alert.rule in fired or rule is None or alert.resolved_at is not None:
            continue
        if rule.closes_itself:
            if found.standing is not None and alert.rule not in found.standing:
                alert.resolved_at, alert.disposition = work.now, "closed_itself"
                work.record("alert.closed_itself", alert, participant_id=alert.participant_id)
        elif alert.superseded_at is None and rule.is_hidden_by(fired):
            alert.superseded_at = work.now
            work.record("alert.superseded", alert, participant_id=alert.participant_id)
