"""Findings become alerts, alerts become messages to whoever must act, and people acknowledge them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from pro.core.instrument import Answers
from pro.core.level import Level
from pro.core.plan import Plan
from pro.core.triage import Case, Finding, Verdict, judge
from pro.errors import BadData, NotFound
from pro.messaging import compose, outbox
from pro.models import Alert, AlertNote, Assessment, Message, Participant, Staff
from pro.services import circumstances, duties
from pro.services.stored import store_value
from pro.work import Work

log = logging.getLogger(__name__)
# The rule id of the alert that says: the answers are kept, but judging them broke.
JUDGING_FAILED = "JUDGE"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Which alerts this person took on now, and which somebody had taken on before: (alert id, name, when)."""

    new: list[int]
    already: list[tuple[int, str, datetime]]


def plan_of(work: Work, assessment: Assessment) -> Plan:
    """The plan of the study that the assessment's participant is in."""
    participant = work.session.get_one(Participant, assessment.participant_id)
    return work.catalogue.plans[participant.plan]


def minutes_after(at: datetime, minutes: int) -> datetime:
    """``minutes`` later."""
    return at + timedelta(minutes=minutes)


def source_of(assessment: Assessment) -> str:
    """What the alerts of an assessment are filed under."""
    return f"assessment:{assessment.id}"


def alerts_of(work: Work, assessment: Assessment) -> list[Alert]:
    """Every alert that the assessment raised, oldest first."""
    query = select(Alert).where(Alert.source == source_of(assessment)).order_by(Alert.id)
    return list(work.session.scalars(query))


def watch(
    work: Work,
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

    If judging itself breaks, the answers stay and that becomes an urgent alert. ``idle`` in minutes; ``alerts``: those
    that the assessment has, if they were just read; ``earlier``: the answers before this change, to tell what stayed
    from what came back. Returns all that it has now.
    """
    plan = plan_of(work, assessment)
    before = alerts_of(work, assessment) if alerts is None else list(alerts)
    try:
        instrument = work.catalogue.instruments[assessment.instrument]
        case = _case(work, assessment, answers, submitted, idle, scores or {}, plan)
        verdict = judge(plan, instrument, case)
        handled = _handled(verdict, before)
        if handled and earlier is not None:
            handled -= set(judge(plan, instrument, replace(case, answers=earlier)).fired)
        back = handled if earlier is not None else set()
        assessment.unresolved = list(verdict.unresolved)
    except Exception as error:
        log.error("judging an assessment failed: %s", type(error).__name__)
        verdict = Verdict(Level.URGENT, (Finding(JUDGING_FAILED, Level.URGENT),), ())
        # Whoever looked at the answers has not seen these; a form that merely lies idle has no new ones.
        back = set() if idle else _handled(verdict, before)
    return before + _keep(work, assessment, plan, verdict, answers, before, back)


def acknowledge(work: Work, alert_ids: list[int]) -> Acknowledged:
    """Take on the open alerts among ``alert_ids``; what somebody took on before stays theirs. NotFound for none."""
    query = select(Alert).where(Alert.id.in_(alert_ids)).order_by(Alert.id).with_for_update()
    alerts = list(work.session.scalars(query))
    if not alerts or work.actor.id is None:
        raise NotFound("alert")
    done = Acknowledged([], [])
    names = {person.id: person.name for person in work.session.scalars(select(Staff))}
    for alert in alerts:
        if alert.acknowledged_at and alert.acknowledged_by:
            done.already.append((alert.id, names.get(alert.acknowledged_by, ""), alert.acknowledged_at))
            continue
        alert.acknowledged_at = work.now
        alert.acknowledged_by = work.actor.id
        done.new.append(alert.id)
        work.record("alert.acknowledged", alert, participant_id=alert.participant_id, new={"rule": alert.rule})
    return done


def note(work: Work, source: str, text: str) -> AlertNote:
    """Keep what a member of staff wrote about the alerts of ``source``. BadData for an empty or endless text."""
    text = text.strip()
    if not text or len(text) > 4000:
        raise BadData("note", fields={"text": "empty" if not text else "too_long"})
    participant_id = work.session.scalar(select(Alert.participant_id).where(Alert.source == source).limit(1))
    if participant_id is None or work.actor.id is None:
        raise NotFound("alert")
    row = AlertNote(source=source, participant_id=participant_id, staff_id=work.actor.id, text=text, at=work.now)
    work.session.add(row)
    work.record("alert.noted", row, participant_id=participant_id)
    return row


def _case(
    work: Work,
    assessment: Assessment,
    answers: Answers,
    submitted: bool,
    idle: int,
    scores: dict[str, float | None],
    plan: Plan,
) -> Case:
    kept = assessment.context
    instrument = work.catalogue.instruments[assessment.instrument]
    recent = {}
    if submitted and assessment.instrument in plan.submitted_only:
        recent = circumstances.recent_answers(work, assessment, plan.recent_hours)
    asked = None
    if assessment.page_set:
        pages = set(instrument.page_sets[assessment.page_set])
        asked = frozenset(name for page in instrument.pages if page.id in pages for name in page.items)
    return Case(
        answers=answers,
        baseline=circumstances.earlier_values(work, instrument.id, kept.get("baseline", {})),
        previous=circumstances.earlier_values(work, instrument.id, kept.get("previous", {})),
        context=circumstances.context_of(kept),
        submitted=submitted,
        idle=idle,
        scores=scores,
        baseline_scores=kept.get("baseline_scores", {}),
        recent=recent,
        asked=asked,
    )


def _handled(verdict: Verdict, before: list[Alert]) -> set[str]:
    """The loud rules of ``verdict`` that somebody took on, or whose advice was read, when they fired before."""
    loud = {finding.rule_id for finding in verdict.findings if finding.level >= Level.URGENT}
    done = (alert for alert in before if alert.acknowledged_at or alert.advised_at or alert.resolved_at)
    return {alert.rule for alert in done} & loud


def _keep(
    work: Work,
    assessment: Assessment,
    plan: Plan,
    verdict: Verdict,
    answers: Answers,
    before: list[Alert],
    back: set[str],
) -> list[Alert]:
    """Keep what is new, follow what changed, tell whoever must know; the alerts that are new.

    ``back``: rules that did not hold for a while and hold again, after somebody had dealt with them.
    """
    existing = {alert.rule: alert for alert in before}
    ulcer_signs = {rule.id for rule in plan.rules if rule.marks_ulcer}
    new, louder = [], []
    for finding in verdict.findings:
        alert = existing.get(finding.rule_id)
        if alert is None:
            new.append(_raise(work, assessment, plan, verdict, finding, answers))
        elif _changed(work, alert, finding, finding.rule_id in back):
            alert.raised_at, alert.plan_version = work.now, plan.version
            alert.inputs, alert.unresolved = _inputs(assessment, answers), list(verdict.unresolved)
            louder.append(alert)
        if finding.rule_id in ulcer_signs and not finding.lowered and (alert is None or alert in louder):
            circumstances.suspect_ulcer(work, assessment.participant_id, finding.rule_id)
    _settle(work, plan, verdict, existing)
    if any(alert.level >= Level.URGENT for alert in new + louder):
        work.session.flush()
        _notify(work, assessment, plan, new + louder, before)
    return new


def _raise(
    work: Work, assessment: Assessment, plan: Plan, verdict: Verdict, finding: Finding, answers: Answers
) -> Alert:
    broken = finding.rule_id == JUDGING_FAILED
    rule = None if broken else plan.rule(finding.rule_id)
    alert = Alert(
        participant_id=assessment.participant_id,
        assessment_id=assessment.id,
        source=source_of(assessment),
        rule=finding.rule_id,
        level=int(finding.level),
        lowered=finding.lowered,
        suspects=rule.suspects if rule else "judging_failed",
        basis="+".join(rule.basis) if rule else "",
        plan_version=plan.version,
        inputs=_inputs(assessment, answers),
        unresolved=list(verdict.unresolved),
        advice=rule.advice if rule and finding.level is Level.EMERGENCY else "",
        raised_at=work.now,
    )
    work.session.add(alert)
    new = {"rule": finding.rule_id, "level": finding.level.word, "plan_version": plan.version}
    work.record("alert.raised", alert, participant_id=alert.participant_id, new=new)
    return alert


def _inputs(assessment: Assessment, answers: Answers) -> dict[str, Any]:
    """What the rules saw, beside the versions of what they were read with."""
    return {
        "answers": {item: store_value(value) for item, value in answers.items()},
        "context": assessment.context,
        "instrument": assessment.instrument,
        "instrument_version": assessment.instrument_version,
    }


def _changed(work: Work, alert: Alert, finding: Finding, back: bool) -> bool:
    """Follow a finding that came back, became louder or, being known and stable, quieter.

    True if people must be told again.
    """
    reopened = back or alert.disposition == "closed_itself"
    same = alert.level == int(finding.level) and alert.superseded_at is None
    if not reopened and (same or alert.resolved_at is not None):
        return False
    # One that nobody has taken on yet is waited for already.
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


def _settle(work: Work, plan: Plan, verdict: Verdict, existing: dict[str, Alert]) -> None:
    """Rules that no longer hold: one may close itself, a W under its U is marked; the rest stays for a person."""
    fired = set(verdict.fired)
    if JUDGING_FAILED in fired:
        return  # nobody knows what still holds
    known = {rule.id: rule for rule in plan.rules}
    for alert in existing.values():
        # A rule that a newer version of the plan has dropped stays for a person as well.
        rule = known.get(alert.rule)
        if alert.rule in fired or rule is None or alert.resolved_at is not None:
            continue
        if rule.closes_itself:
            alert.resolved_at, alert.disposition = work.now, "closed_itself"
            work.record("alert.closed_itself", alert, participant_id=alert.participant_id)
        elif alert.superseded_at is None and rule.is_hidden_by(fired):
            alert.superseded_at = work.now
            work.record("alert.superseded", alert, participant_id=alert.participant_id)


def _notify(work: Work, assessment: Assessment, plan: Plan, raised: list[Alert], before: list[Alert]) -> None:
    """One mail a person for what is new, unless an alert of this form that is as loud still waits to be taken on."""
    first = max(raised, key=lambda alert: (alert.level, -alert.id))
    open_before = (alert for alert in before if alert not in raised and alert.resolved_at is None)
    waiting = [alert.level for alert in open_before if alert.acknowledged_at is None]
    if first.level <= max(waiting, default=0):
        return
    participant = work.session.get_one(Participant, assessment.participant_id)
    level = Level(first.level)
    sent = select(func.count()).select_from(Message)
    # Counted, so that an alert that is raised again is told again.
    told = work.session.scalar(sent.where(Message.assessment_id == assessment.id, Message.template == "alert"))
    for person in duties.to_tell(work, plan, level, minutes=0):
        params = {
            "study_number": participant.study_number,
            "level": level.word,
            "link": f"{work.config.base_url}/staff/alerts/{first.id}",
        }
        rendered = compose.render(
            "alert", person.language, params, work.house.catalogs, env_banner=not work.config.production
        )
        outbox.queue(
            work,
            dedupe_key=f"alert:{first.id}:{level.word}:{told}:email:{person.id}",
            channel="email",
            template="alert",
            params=params,
            language=person.language,
            address=person.email,
            subject=rendered.subject,
            body=rendered.text,
            staff_id=person.id,
            alert_id=first.id,
            assessment_id=assessment.id,
            repeat="prefer_duplicate",
        )


def _digest_key(plan: Plan, day: datetime, person: Staff) -> str:
    return f"digest:{plan.id}:{day.date().isoformat()}:email:{person.id}"


def digest(work: Work, plan: Plan, local_now: datetime) -> int:
    """Queue the day's digest of open WATCH alerts, one mail a person; the number of mails queued.

    ``local_now``: now in the study's zone; the date makes the key, so any number of calls a day sends one.
    """
    since = work.now - timedelta(days=14)
    query = (
        select(Alert, Participant.study_number)
        .join(Participant, Participant.id == Alert.participant_id)
        .where(
            Participant.plan == plan.id,
            Alert.level == int(Level.WATCH),
            Alert.raised_at > since,
            Alert.acknowledged_at.is_(None),
            Alert.resolved_at.is_(None),
            Alert.superseded_at.is_(None),
        )
    )
    newest = {number: alert.id for alert, number in work.session.execute(query.order_by(Alert.id))}
    if not newest:
        return 0
    rows = [
        {"study_number": number, "link": f"{work.config.base_url}/staff/alerts/{alert_id}"}
        for number, alert_id in sorted(newest.items(), key=lambda pair: pair[1])
    ]
    queued = 0
    for person in duties.to_tell(work, plan, Level.WATCH, minutes=0):
        params = {"rows": rows}
        rendered = compose.render(
            "alert_digest", person.language, params, work.house.catalogs, env_banner=not work.config.production
        )
        message = outbox.queue(
            work,
            dedupe_key=_digest_key(plan, local_now, person),
            channel="email",
            template="alert_digest",
            params=params,
            language=person.language,
            address=person.email,
            subject=rendered.subject,
            body=rendered.text,
            staff_id=person.id,
            repeat="prefer_silence",
        )
        queued += message is not None
    return queued
