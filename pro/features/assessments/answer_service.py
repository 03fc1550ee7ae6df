"""Answers as they come: kept at once, judged at once, scored when sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pro.app_context import UnitOfWork
from pro.core.questionnaire import page_flow, scoring
from pro.core.questionnaire.instrument import Answers, Value
from pro.core.questionnaire.json_values import store_value
from pro.core.rule_language.level import Level
from pro.errors import AlreadySubmitted, BadData
from pro.features.alerts import alert_service
from pro.features.forms import form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.features.participants import clinical_facts
from pro.features.schedule import expected_forms, missed_forms
from pro.models import Alert, Answer, Assessment, Score


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What came of saving a page: the loudest level that stands, whether anything changed, and the form after it."""

    level: Level
    changed: bool
    form: FormState


@dataclass(frozen=True, slots=True)
class SubmissionOutcome:
    """What the last page says: the level after known-and-stable, how much was answered, and if a crisis line helps."""

    level: Level
    answered: int
    skipped: int
    submitted_at: datetime | None
    crisis: bool


def save_answers(
    work: UnitOfWork,
    form_session: FormSession,
    page_id: str,
    given: Mapping[str, Value | None],
    language: str,
    form: FormState | None = None,
    *,
    channel: str = "web",
) -> SaveResult:
    """Keep what was answered on one page and judge everything so far.

    ``given``: item -> value, or None for a deliberate skip. Saving the same again changes nothing. ``form``: as it was
    just read in the same work, to spare reading it again. AlreadySubmitted after sending; BadData for an unknown page,
    a page that is not asked now, or a value that the item does not accept. ``channel``: web, sms or chat.
    """
    assessment = form_session.assessment
    if assessment.submitted_at is not None:
        raise AlreadySubmitted("submitted")
    if assessment.opened_at is None:
        raise BadData("not_started")
    form = form or form_state.read_form(work, form_session, language)
    page = next((page for page in form.path if page.id == page_id), None)
    if page is None:
        raise BadData("page_not_asked")
    try:
        changes = page_flow.answer_changes(form.instrument, form.answers, form.facts, page, given)
    except ValueError as error:
        raise BadData("answer_not_accepted") from error
    if not changes:
        return SaveResult(_highest_level(form.alerts), False, form)
    return _store_changes(work, form_session, form, changes, page_id, language, channel)


def withdraw_answer(
    work: UnitOfWork, form_session: FormSession, form: FormState, name: str, language: str, *, channel: str
) -> SaveResult:
    """The answer to ``name`` is taken back, so that it is asked again; what it raised stays.

    AlreadySubmitted after sending.
    """
    if form_session.assessment.submitted_at is not None:
        raise AlreadySubmitted("submitted")
    changes = page_flow.withdrawal_changes(form.instrument, form.answers, form.facts, name)
    if not changes:
        return SaveResult(_highest_level(form.alerts), False, form)
    return _store_changes(work, form_session, form, changes, "", language, channel)


def _store_changes(
    work: UnitOfWork,
    form_session: FormSession,
    form: FormState,
    changes: Sequence[page_flow.AnswerChange],
    page_id: str,
    language: str,
    channel: str,
) -> SaveResult:
    assessment = form_session.assessment
    added = [_session_answer_row(work, form_session, change, page_id, language, channel) for change in changes]
    work.session.add_all(added)
    note_answer_time(work, assessment, language)
    record_changes(work, assessment, form.rows, changes)
    earlier = form.answers
    form = form.with_rows(added)
    alerts = alert_service.evaluate_form(
        work, assessment, form.answers, submitted=False, idle=0, alerts=form.alerts, earlier=earlier
    )
    return SaveResult(_highest_level(alerts), True, replace(form, alerts=alerts))


def renew_form(work: UnitOfWork, form_session: FormSession, *, channel: str = "web") -> None:
    """Go on with a form after a long time: what was asked about another day is asked again.

    The old answers stay as rows and what they raised stays an alert; the clinical facts are taken anew. ``channel``:
    by which it is gone on with.
    """
    form = form_state.read_form(work, form_session, form_session.participant.language)
    stale = form.stale(work.now)
    if not stale:
        return
    language = form_session.assessment.language or form_session.participant.language
    for name in stale:
        work.session.add(
            _session_answer_row(work, form_session, page_flow.AnswerChange(name, "withdrawn"), "", language, channel)
        )
    form_session.assessment.context = clinical_facts.context_snapshot(work, form_session.assessment)
    work.record(
        "assessment.renewed", form_session.assessment, participant_id=form_session.participant.id, old=sorted(stale)
    )


def acknowledge_advice(
    work: UnitOfWork, form_session: FormSession, form: FormState | None = None, *, corrected: bool = False
) -> None:
    """The participant pressed on past the advice that is shown; ``corrected``: to take the answer back.

    ``form``: as it was just read in the same work. All blocks that say to call the same place are done with it; one
    that names the crisis line is shown on its own.
    """
    form = form or form_state.read_form(work, form_session, form_session.participant.language)
    blocks = work.catalogue.plan_words[form_session.participant.plan, work.catalogue.languages[0]].advice
    if form.advice is None:
        return
    crisis = blocks[form.advice].crisis
    for alert in form.alerts:
        if alert.advice and alert.advised_at is None and blocks[alert.advice].crisis == crisis:
            alert.advised_at = work.now
            action = "alert.corrected" if corrected else "alert.advised"
            work.record(action, alert, participant_id=alert.participant_id)


def submit_form(work: UnitOfWork, form_session: FormSession, language: str) -> None:
    """Close the form: score it, judge the whole. Twice is harmless."""
    assessment = form_session.assessment
    if assessment.submitted_at is not None:
        return
    if assessment.opened_at is None:
        raise BadData("not_started")
    instrument = work.catalogue.instruments[assessment.instrument]
    answers = form_state.current_answers(instrument, form_state.answer_rows(work, assessment.id))
    close_form(work, assessment, answers, language)


def close_form(
    work: UnitOfWork, assessment: Assessment, answers: Answers, language: str, *, earlier: Answers | None = None
) -> list[Alert]:
    """Close a form that the participant or staff sent: score it, evaluate the whole. Returns the alerts that it has.

    ``earlier``: what stood before, where closing it changed answers.
    """
    assessment.submitted_at = work.now
    assessment.judge_next_at = None
    assessment.language = language
    scores = score_form(work, assessment, answers)
    work.record("assessment.submitted", assessment, participant_id=assessment.participant_id, new=len(answers))
    alerts = alert_service.evaluate_form(
        work, assessment, answers, submitted=True, idle=0, scores=scores, earlier=earlier
    )
    expected_forms.receive_form(work, assessment)
    missed_forms.record_answer_received(work, assessment.participant_id)
    return alerts


def submission_outcome(work: UnitOfWork, form_session: FormSession) -> SubmissionOutcome:
    """For the last page. What a list or a parent settled, and optional fields left empty, are not counted."""
    items = work.catalogue.instruments[form_session.assessment.instrument].items
    rows = form_state.answer_rows(work, form_session.assessment.id)
    asked = [row for name, row in rows.items() if row.source == "asked" and name in items]
    alerts = alert_service.alerts_of(work, form_session.assessment)
    blocks = work.catalogue.plan_words[form_session.participant.plan, work.catalogue.languages[0]].advice
    return SubmissionOutcome(
        level=_highest_level(alerts),
        answered=sum(row.state == "given" for row in asked),
        skipped=sum(row.state == "skipped" and not items[row.item].optional for row in asked),
        submitted_at=form_session.assessment.submitted_at,
        crisis=any(alert.advice and blocks[alert.advice].crisis for alert in alerts),
    )


def answer_row(
    work: UnitOfWork,
    assessment: Assessment,
    change: page_flow.AnswerChange,
    page_id: str,
    *,
    language: str,
    channel: str,
    by: str,
) -> Answer:
    """A row that says ``change``, dated now. ``by``: one of ``form_access.ANSWERED_BY_VALUES``."""
    return Answer(
        assessment_id=assessment.id,
        item=change.item,
        state=change.state,
        value=store_value(change.value),
        source=page_id if change.from_list else "asked",
        language=language,
        channel=channel,
        answered_by=by,
        at=work.now,
    )


def _session_answer_row(
    work: UnitOfWork,
    form_session: FormSession,
    change: page_flow.AnswerChange,
    page_id: str,
    language: str,
    channel: str,
) -> Answer:
    by = form_session.access.answered_by
    return answer_row(work, form_session.assessment, change, page_id, language=language, channel=channel, by=by)


def _highest_level(alerts: Sequence[Alert]) -> Level:
    standing = (alert.level for alert in alerts if alert.superseded_at is None and alert.disposition != "closed_itself")
    return Level(max(standing, default=0))


def note_answer_time(work: UnitOfWork, assessment: Assessment, language: str) -> None:
    """Note that answers came now, and when the worker judges the form if nothing more comes."""
    plan = alert_service.plan_of(work, assessment)
    if assessment.first_answer_at is None:
        assessment.first_answer_at = work.now
        missed_forms.record_answer_received(work, assessment.participant_id)
    assessment.last_answer_at = work.now
    assessment.language = language
    assessment.judge_next_at = work.now + timedelta(minutes=min(plan.idle_minutes))


def record_changes(
    work: UnitOfWork, assessment: Assessment, rows: Mapping[str, Answer], changes: Sequence[page_flow.AnswerChange]
) -> None:
    """Write the audit event of changed answers. ``rows``: what stood before."""
    old = {change.item: rows[change.item].value for change in changes if change.item in rows}
    new = {change.item: [change.state, store_value(change.value)] for change in changes}
    work.record("answers.saved", assessment, participant_id=assessment.participant_id, old=old or None, new=new)


def score_form(work: UnitOfWork, assessment: Assessment, answers: Answers) -> dict[str, float | None]:
    """Score ``answers`` and keep each scale as a new row; {} for an instrument without scales.

    What a proxy answered is kept, but not scored unless the plan says so: the two disagree.
    """
    instrument = work.catalogue.instruments[assessment.instrument]
    if not instrument.scales:
        return {}
    if assessment.answered_by == "proxy" and not alert_service.plan_of(work, assessment).score_proxy:
        work.record("assessment.not_scored", assessment, participant_id=assessment.participant_id, reason="proxy")
        return {}
    scores = scoring.score(instrument, answers)
    for scale, found in scores.items():
        work.session.add(
            Score(
                assessment_id=assessment.id,
                scale=scale,
                value=found.value,
                raw=found.raw,
                used=found.used,
                of=found.of,
                algorithm=scoring.ALGORITHM,
                at=work.now,
            )
        )
    work.record("assessment.scored", assessment, participant_id=assessment.participant_id, new=scoring.ALGORITHM)
    return {scale: found.value for scale, found in scores.items()}
