"""Alerts as staff read them: gathered by the form that raised them, worst first, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.alerts import alert_handling
from pro.features.alerts.alert_handling import AlertOwner
from pro.features.alerts.alert_service import EVALUATION_FAILED
from pro.features.alerts.evaluation import FREE_TEXT, text_holding
from pro.features.duty_roster import notifications, recipients
from pro.features.duty_roster.notifications import TEXT_CASE_PREFIX, NextEscalation
from pro.features.duty_roster.recipients import DutyState
from pro.features.participants.clinical_facts import MISSED_FORM_PREFIX
from pro.models import Alert, Assessment, Participant, PhoneCall

ULCER = "mucosal_ulcer"
# A bleeding of a participant with an ulcer: its reader needs the ulcer's case.
SENTINEL_BLEED = "sentinel_bleed"
# What came of a call after which the participant need not be called again.
REACHED = ("reached", "reached_relative", "refused", "died")


@dataclass(frozen=True, slots=True)
class AlertCase:
    """The open alerts of one form. ``alert_id`` is the worst one's, which the page is addressed by.

    ``rules``: ids, worst first, superseded ones left out. ``sentence``: the worst findings in the reader's
    language; empty if the evaluation failed. ``acknowledged_by`` is None while any of them waits. ``next_step``:
    of the escalation, while an urgent or emergency alert is unacknowledged. ``holder_id``: who holds it.
    ``missed``: no answer raised them, but a form that stayed empty;
    ``written``: a text that came by itself.
    ``phoned``: what came of the last call since the alert that reached a person (one of REACHED), made ``phoned_at``.
    """

    alert_id: int
    source: str
    participant_number: str
    participant_id: int
    level: Level
    rules: list[str]
    sentence: str
    raised_at: datetime
    answered_at: datetime | None
    acknowledged_by: str | None
    owner_id: int | None
    acknowledged_at: datetime | None
    lowered: bool
    evaluation_failed: bool
    next_step: NextEscalation | None
    missed: bool
    is_text_message: bool
    called_at: datetime | None
    call_outcome: str


def open_cases(work: UnitOfWork, language: str, participant_id: int | None = None) -> list[AlertCase]:
    """Return the cases with an open alert: unacknowledged first, then by level, then by waiting time.

    ``participant_id``: only those of one participant.
    """
    query = _alert_query().where(Alert.closed_at.is_(None), Alert.superseded_at.is_(None))
    if participant_id is not None:
        query = query.where(Alert.participant_id == participant_id)
    return _read_cases(work, query, language)


def case_of(work: UnitOfWork, case_key: str, language: str) -> AlertCase | None:
    """Return all alerts of one form, open or not, as one case."""
    found = _read_cases(work, _alert_query().where(Alert.source == case_key), language)
    return found[0] if found else None


def rule_sentence(work: UnitOfWork, plan_id: str, rule: str, language: str, level: int = Level.WATCH) -> str:
    """Return the sentence of a rule; "" if the evaluation failed, the id if the plan has no such rule."""
    gettext = work.app_context.catalogs.translator(language).gettext
    if rule == EVALUATION_FAILED:
        return ""
    if rule == FREE_TEXT and level == Level.EMERGENCY:
        return gettext("The text suggests an emergency: please read it now")
    if rule == FREE_TEXT and level == Level.URGENT:
        return gettext("Possible red flag in the text: please read it")
    if rule == FREE_TEXT:
        return gettext("Free text: please read it")
    words = work.catalogue.plan_words.get((plan_id, language))
    return words.rules.get(rule, rule) if words else rule


def finding_holds(alert: Alert, assessment: Assessment | None) -> bool:
    """Return False once the answer or text that the alert came from was changed."""
    if assessment is None or alert.rule == EVALUATION_FAILED or alert.incoming_message_id is not None:
        return True
    if alert.rule == FREE_TEXT:
        return text_holding(str(alert.inputs.get("text"))) in assessment.standing
    return alert.rule in assessment.standing


def _alert_query() -> Select[Alert, Participant, Assessment]:
    return (
        select(Alert, Participant, Assessment)
        .join(Participant, Participant.id == Alert.participant_id)
        .outerjoin(Assessment, Assessment.id == Alert.assessment_id)
        .order_by(Alert.id)
    )


def _read_cases(work: UnitOfWork, query: Select[Alert, Participant, Assessment], language: str) -> list[AlertCase]:
    groups: dict[str, list[tuple[Alert, Participant, Assessment]]] = {}
    for alert, participant, assessment in work.session.execute(query):
        groups.setdefault(alert.source, []).append((alert, participant, assessment))
    held = alert_handling.alert_owners(work, (alert for rows in groups.values() for alert, _p, _a in rows))
    # Read once: a query for each case would make a long board slow.
    roster = recipients.read_duty_state(work) if groups else None
    calls = _successful_calls(work, [rows[0][0] for rows in groups.values()])
    cases = [_build_case(work, rows, held.get(source), roster, calls, language) for source, rows in groups.items()]
    return sorted(cases, key=lambda case: (case.acknowledged_by is not None, -case.level, case.raised_at))


def _build_case(
    work: UnitOfWork,
    rows: list[tuple[Alert, Participant, Assessment]],
    holder: AlertOwner | None,
    roster: DutyState | None,
    calls: Sequence[PhoneCall],
    language: str,
) -> AlertCase:
    participant, assessment = rows[0][1], rows[0][2]
    standing = [alert for alert, _p, _a in rows if alert.superseded_at is None] or [alert for alert, _p, _a in rows]
    waiting = [alert for alert in standing if alert.acknowledged_at is None and alert.closed_at is None]
    # What is new comes first: a page that begins with what was dealt with looks like what was dealt with.
    alerts = sorted(
        standing,
        key=lambda alert: (alert not in waiting, not finding_holds(alert, assessment), -alert.level, -alert.id),
    )
    # An acknowledged case keeps its level; a new urgent or emergency alert puts the case back among those that wait,
    # and so does every text, because a person must read it.
    level = max(alert.level for alert in [one for one in standing if one.closed_at is None] or alerts)
    is_news = any(alert.level >= Level.URGENT or alert.rule == FREE_TEXT for alert in waiting)
    is_new = is_news or (bool(waiting) and holder is None)
    holder = None if is_new else holder
    raised_at = min(alert.raised_at for alert in waiting or alerts)
    since = [call for call in calls if call.participant_id == participant.id and call.at >= minute_of(raised_at)]
    return AlertCase(
        alert_id=alerts[0].id,
        source=alerts[0].source,
        participant_number=participant.participant_number,
        participant_id=participant.id,
        level=Level(level),
        rules=[alert.rule for alert in alerts],
        sentence=_case_sentence(work, participant.plan, alerts, assessment, language),
        raised_at=raised_at,
        answered_at=_answered_at(assessment) if assessment else None,
        acknowledged_by=holder.name if holder else None,
        owner_id=holder.staff_id if holder else None,
        acknowledged_at=holder.since if holder else None,
        lowered=all(alert.lowered for alert in alerts if alert.level == level),
        evaluation_failed=any(alert.rule == EVALUATION_FAILED for alert in alerts),
        next_step=notifications.next_escalation(work, work.catalogue.plans.get(participant.plan), waiting, roster),
        missed=alerts[0].source.startswith(MISSED_FORM_PREFIX),
        is_text_message=alerts[0].source.startswith(TEXT_CASE_PREFIX),
        called_at=since[-1].at if since else None,
        call_outcome=since[-1].outcome if since else "",
    )


def _successful_calls(work: UnitOfWork, alerts: Sequence[Alert]) -> list[PhoneCall]:
    """Return the calls since the first of ``alerts`` that reached a person, oldest first, by participant."""
    if not alerts:
        return []
    theirs = PhoneCall.participant_id.in_({alert.participant_id for alert in alerts})
    query = select(PhoneCall).where(
        theirs, PhoneCall.outcome.in_(REACHED), PhoneCall.at >= minute_of(min(alert.raised_at for alert in alerts))
    )
    return list(work.session.scalars(query.order_by(PhoneCall.at, PhoneCall.id)))


def minute_of(at: datetime) -> datetime:
    """Return the beginning of the minute: the time of a call is typed without seconds."""
    return at.replace(second=0, microsecond=0)


def _answered_at(assessment: Assessment) -> datetime | None:
    """Return when the participant answered, also of forms that staff entered later."""
    return assessment.answered_at or assessment.submitted_at or assessment.last_answer_at


def _case_sentence(
    work: UnitOfWork, plan_id: str, alerts: Sequence[Alert], assessment: Assessment | None, language: str
) -> str:
    """Return the sentence of the first finding, of every other emergency, and of the suspected ulcer."""
    translator = work.app_context.catalogs.translator(language)
    shown = [alert for alert in alerts if alert.rule != EVALUATION_FAILED]
    held = [alert for alert in shown if finding_holds(alert, assessment)]
    if not held:
        first = rule_sentence(work, plan_id, shown[0].rule, language, shown[0].level) if shown else ""
        return translator.gettext("%(sentence)s (answer changed later)", sentence=first) if first else ""
    loud = [alert for alert in held[1:] if alert.level == Level.EMERGENCY]
    ulcer = [alert for alert in held if alert.suspects == ULCER and alert.level >= Level.URGENT]
    named = [held[0], *loud, *([] if held[0] in ulcer else ulcer[:1])]
    parts = [rule_sentence(work, plan_id, alert.rule, language, alert.level) for alert in named]
    return translator.gettext("; ").join(dict.fromkeys(parts))
