"""Read the symptoms of a study by week of treatment, and how staff responded to its alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import aliased

from pro.app_context import UnitOfWork
from pro.core.figures import response_times, symptom_shares
from pro.core.figures.response_times import ResponseTimes
from pro.core.figures.study_figures import UlcerFigures
from pro.core.figures.symptom_shares import Period, SymptomPeriod, SymptomShareRow
from pro.core.rule_language.level import Level
from pro.core.schedule import visit_columns
from pro.core.study_plan import StudyPlan
from pro.core.triage import escalation_steps
from pro.features.alerts import alert_list
from pro.features.participants import treatment_phases
from pro.features.participants.treatment_dates import local_date
from pro.models import Alert, Anchor, Answer, Assessment, ClinicalFact, Participant, PhoneCall

# Time limits for staff (docs/domain.md 3.3): acknowledge an emergency, contact the participant of an urgent alert.
ACKNOWLEDGE_EMERGENCY, CONTACT_URGENT = timedelta(minutes=30), timedelta(hours=24)
# Alerts that the system closed, because the answer came, say nothing about the time that staff need.
CLOSED_AUTOMATICALLY = "closed_itself"


def read_symptoms(
    work: UnitOfWork, plan: StudyPlan, excluded: Sequence[int]
) -> tuple[tuple[SymptomPeriod, ...], tuple[SymptomShareRow, ...]]:
    """Return the shares of the check-in's symptoms by period, in three queries."""
    calendar = plan.visit_schedule
    if calendar is None or not plan.checkin:
        return (), ()
    columns = visit_columns.list_columns(calendar)
    groups = dict.fromkeys(column.group for column in columns if column.fixed)
    phases = [phase for phase in calendar.phases if phase in groups]
    items = symptom_shares.symptom_items(work.catalogue.shown_instrument(plan.checkin))
    starts = treatment_phases.read_phase_starts(work, plan)
    forms = _form_periods(work, plan, excluded, starts, phases)
    newer = aliased(Answer)
    newer_answers = select(newer.id).where(
        newer.assessment_id == Answer.assessment_id, newer.item == Answer.item, newer.id > Answer.id
    )
    # One text a form instead of one row an answer: a large study has millions of answers.
    given = func.aggregate_strings(Answer.item.concat(":").concat(cast(Answer.value, String)), ",")
    answers = (
        select(Answer.assessment_id, given)
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Participant.plan == plan.id, Assessment.instrument == plan.checkin, Answer.state == "given")
        .where(Answer.item.in_([item.id for item in items]), ~newer_answers.exists())
        .group_by(Answer.assessment_id)
    )
    found = (
        (*forms[form], item, int(code) if code.isdecimal() else None)
        for form, text in work.session.execute(answers)
        if form in forms
        for item, _colon, code in (one.partition(":") for one in text.split(","))
    )
    return symptom_shares.symptom_rows(items, found, phases)


def _form_periods(
    work: UnitOfWork,
    plan: StudyPlan,
    excluded: Sequence[int],
    starts: Mapping[int, Mapping[str, date]],
    phases: Sequence[str],
) -> dict[int, tuple[int, Period]]:
    """Return answered check-in -> (participant, period); forms after the last period are left out."""
    when = func.coalesce(Assessment.answered_at, Assessment.submitted_at, Assessment.last_answer_at)
    query = (
        select(Assessment.id, Participant.id, Participant.time_zone, when)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Participant.plan == plan.id, Participant.id.not_in(excluded))
        .where(Assessment.instrument == plan.checkin, Assessment.last_answer_at.is_not(None))
    )
    found = {}
    for form, participant_id, zone, at in work.session.execute(query):
        period = symptom_shares.period_of(local_date(at, zone), starts.get(participant_id, {}), phases)
        if period is not None:
            found[form] = (participant_id, period)
    return found


@dataclass(frozen=True, slots=True)
class _Case:
    """One alert with the first acknowledgement and the first call that reached a person.

    ``closed_itself``: the answer came, so that a response that was not made is no late one.
    """

    level: int
    raised_at: datetime
    acknowledged_at: datetime | None
    called_at: datetime | None
    closed_itself: bool


def read_response_times(work: UnitOfWork, plan: StudyPlan) -> tuple[ResponseTimes, ...]:
    """Return the response times of emergencies and urgent alerts, in two queries; a case counts once for each level.

    All alerts of one source are one case. Unanswered calls and wrong numbers are no contact. An alert that closed
    itself before staff responded is left out.
    """
    calls = _calls_by_participant(work, plan)
    query = (
        select(Alert.participant_id, Alert.source, Alert.level, Alert.raised_at, Alert.acknowledged_at)
        .add_columns(Alert.closed_at, Alert.disposition)
        .join(Participant, Participant.id == Alert.participant_id)
        .where(Participant.plan == plan.id, Alert.superseded_at.is_(None), Alert.level >= Level.URGENT)
        .order_by(Alert.raised_at, Alert.id)
    )
    cases: dict[tuple[str, int], _Case] = {}
    for participant_id, source, level, raised_at, acknowledged_at, closed_at, disposition in work.session.execute(
        query
    ):
        closed_itself = disposition == CLOSED_AUTOMATICALLY
        until = closed_at if closed_itself or closed_at is None else max(closed_at, raised_at + CONTACT_URGENT)
        called_at = _first_contact(calls.get(participant_id, ()), source, raised_at, until)
        if not closed_itself or acknowledged_at or called_at:
            case = _Case(level, raised_at, acknowledged_at, called_at, closed_itself)
            cases.setdefault((source, level), case)
    return _response_rows(work, plan, list(cases.values()))


def _response_rows(work: UnitOfWork, plan: StudyPlan, cases: Sequence[_Case]) -> tuple[ResponseTimes, ...]:
    """Return the response times of ``cases``, the oldest first, for each level and step that has any."""
    hours = escalation_steps.working_hours(plan.settings, work.catalogue.working[plan.id])

    def row(level: Level, step: str, limit: timedelta) -> ResponseTimes:
        responses = []
        for case in cases:
            at = case.called_at if step == "contact" else case.acknowledged_at
            if case.level == level and (at is not None or not case.closed_itself):
                due = case.raised_at + limit if limit else _acknowledge_by(plan, case.raised_at, hours)
                responses.append((case.raised_at, due, at))
        return response_times.response_times(level, step, limit // timedelta(minutes=1), responses, work.now)

    rows = [
        row(Level.EMERGENCY, "acknowledge", ACKNOWLEDGE_EMERGENCY),
        # The limit differs from alert to alert: it follows the working hours.
        row(Level.URGENT, "acknowledge", timedelta()),
        row(Level.URGENT, "contact", CONTACT_URGENT),
    ]
    return tuple(one for one in rows if one.n or one.due)


def _calls_by_participant(work: UnitOfWork, plan: StudyPlan) -> dict[int, list[tuple[datetime, str]]]:
    """Return participant -> (time, source) of the calls that reached a person, oldest first."""
    query = (
        select(PhoneCall.participant_id, PhoneCall.at, PhoneCall.source)
        .join(Participant, Participant.id == PhoneCall.participant_id)
        .where(Participant.plan == plan.id, PhoneCall.outcome.in_(alert_list.REACHED))
        .order_by(PhoneCall.at, PhoneCall.id)
    )
    found: defaultdict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for participant_id, at, source in work.session.execute(query):
        found[participant_id].append((at, source))
    return found


def _first_contact(
    calls: Sequence[tuple[datetime, str]], source: str, raised_at: datetime, until: datetime | None
) -> datetime | None:
    """Return the first of ``calls`` since an alert, wherever staff logged it: most calls name no alert.

    After ``until``, only a call about the alert counts.
    """
    since = alert_list.minute_of(raised_at)
    found = (at for at, about in calls if at >= since and (until is None or at <= until or about == source))
    return next(found, None)


def _acknowledge_by(plan: StudyPlan, raised_at: datetime, hours: escalation_steps.WorkingHours) -> datetime:
    """Return until when an urgent alert must be acknowledged: the first escalation step after the alert."""
    steps = escalation_steps.timed_steps(plan.escalation_steps, Level.URGENT, raised_at, hours)
    return steps[0].at if steps else raised_at + CONTACT_URGENT


def count_ulcers(work: UnitOfWork, plan: StudyPlan) -> UlcerFigures:
    """Return the numbers of ulcers and of treated participants, in two queries."""
    theirs = select(Participant.id).where(Participant.plan == plan.id)
    facts = select(ClinicalFact.participant_id, ClinicalFact.value).where(
        ClinicalFact.participant_id.in_(theirs), ClinicalFact.name == "ulcer_status"
    )
    statuses: defaultdict[int, list[str]] = defaultdict(list)
    for participant_id, value in work.session.execute(facts.order_by(ClinicalFact.id)):
        statuses[participant_id].append(value)
    treated = select(func.count(Anchor.participant_id.distinct())).where(
        Anchor.participant_id.in_(theirs),
        Anchor.kind == (plan.stopping_rule.treated if plan.stopping_rule else ""),
        Anchor.superseded_at.is_(None),
        Anchor.planned.is_(False),
    )
    confirmed = sum("confirmed" in known for known in statuses.values())
    suspected = sum("confirmed" not in known and known[-1] == "suspected" for known in statuses.values())
    return UlcerFigures(confirmed, suspected, work.session.scalar(treated) or 0)
