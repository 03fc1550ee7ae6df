"""Store and evaluate answers as they arrive; score and close submitted forms."""

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
    """The result of saving a page.

    ``level``: the highest level of the form's current alerts. ``changed``: an answer changed. ``form``: the form after
    saving.
    """

    level: Level
    changed: bool
    form: FormState


@dataclass(frozen=True, slots=True)
class SubmissionOutcome:
    """What the last page shows after submission.

    ``level``: the highest level after lowering for known and stable symptoms. ``answered`` and ``skipped``: numbers of
    items. ``crisis``: an alert's advice names the crisis line. ``advice``: the blocks of advice that were shown, to be
    repeated.
    """

    level: Level
    answered: int
    skipped: int
    submitted_at: datetime | None
    crisis: bool
    advice: tuple[str, ...]


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
    """Store the answers of one page, and evaluate the form so far.

    ``given``: item -> value, or None for a skipped item. Saving equal answers again changes nothing. ``form``: the form
    as read in the same unit of work, to save a second read. ``channel``: web, sms or chat. Raises AlreadySubmitted
    after submission; BadData for a form that was not opened, an unknown page, a page that is not asked now, or a value
    that the item does not accept.
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
    """Withdraw the answer to item ``name``, so that the item is asked again.

    Alerts that the answer raised stay. Raises AlreadySubmitted after submission.
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
    """Store changed answers with their audit entry, and evaluate the form."""
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
    """Withdraw outdated answers when a participant continues a form after a long time.

    The items are asked again. The old answers stay as rows and their alerts stay; the clinical facts are read again.
    ``channel``: the channel by which the participant continues.
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
    """Record that the participant confirmed the advice that is shown, and continued.

    ``form``: the form as read in the same unit of work. ``corrected``: the participant continued to correct the answer.
    Confirms all advice blocks that name the same number; a block that names the crisis line is shown on its own.
    """
    form = form or form_state.read_form(work, form_session, form_session.participant.language)
    if form.advice is None:
        return
    blocks = work.catalogue.plan_words[form_session.participant.plan, form_session.participant.language].advice
    crisis = blocks[form.advice].crisis
    for alert in form.alerts:
        if alert.advice and alert.advised_at is None and blocks[alert.advice].crisis == crisis:
            alert.advised_at = work.now
            action = "alert.corrected" if corrected else "alert.advised"
            work.record(action, alert, participant_id=alert.participant_id)


def submit_form(work: UnitOfWork, form_session: FormSession, language: str) -> None:
    """Submit a form: score it and evaluate the whole. A second call changes nothing.

    Raises BadData("not_started") for a form that was not opened, CodeExpired("instrument_gone").
    """
    assessment = form_session.assessment
    if assessment.submitted_at is not None:
        return
    if assessment.opened_at is None:
        raise BadData("not_started")
    instrument = form_state.require_instrument(work, assessment.instrument)
    answers = form_state.current_answers(instrument, form_state.answer_rows(work, assessment.id))
    close_form(work, assessment, answers, language)


def close_form(
    work: UnitOfWork, assessment: Assessment, answers: Answers, language: str, *, earlier: Answers | None = None
) -> list[Alert]:
    """Close a form that was submitted or entered: score it and evaluate the whole.

    ``earlier``: the answers before this call, if closing changes answers. Returns the form's alerts.
    """
    assessment.submitted_at = work.now
    assessment.evaluate_next_at = None
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
    """Return what the last page shows.

    Answers that a list or a parent item implied, and empty optional items, are not counted.
    """
    items = work.catalogue.shown_instrument(form_session.assessment.instrument).items
    rows = form_state.answer_rows(work, form_session.assessment.id)
    asked = [row for name, row in rows.items() if row.source == "asked" and name in items]
    alerts = alert_service.alerts_of(work, form_session.assessment)
    blocks = work.catalogue.plan_words[form_session.participant.plan, form_session.participant.language].advice
    return SubmissionOutcome(
        level=_highest_level(alerts),
        answered=sum(row.state == "given" for row in asked),
        skipped=sum(row.state == "skipped" and not items[row.item].optional for row in asked),
        submitted_at=form_session.assessment.submitted_at,
        crisis=any(alert.advice and blocks[alert.advice].crisis for alert in alerts),
        advice=tuple(sorted({alert.advice for alert in alerts if alert.advice})),
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
    """Return an answer row for ``change``, dated now.

    ``by``: one of ``form_access.ANSWERED_BY_VALUES``.
    """
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
    """Return an answer row for ``change`` by the person who uses the form session."""
    by = form_session.access.answered_by
    return answer_row(work, form_session.assessment, change, page_id, language=language, channel=channel, by=by)


def _highest_level(alerts: Sequence[Alert]) -> Level:
    """Return the highest level of alerts that are not superseded and not closed by the system."""
    standing = (alert.level for alert in alerts if alert.superseded_at is None and alert.disposition != "closed_itself")
    return Level(max(standing, default=0))


def note_answer_time(work: UnitOfWork, assessment: Assessment, language: str) -> None:
    """Store the time of the newest answer, and schedule the evaluation of an idle form."""
    plan = alert_service.plan_of(work, assessment)
    if assessment.first_answer_at is None:
        assessment.first_answer_at = work.now
        missed_forms.record_answer_received(work, assessment.participant_id)
    assessment.last_answer_at = work.now
    assessment.language = language
    # A form whose plan is gone was not evaluated: the worker tries again.
    pause = timedelta(minutes=min(plan.idle_minutes)) if plan else alert_service.RETRY_AFTER
    assessment.evaluate_next_at = work.now + pause


def record_changes(
    work: UnitOfWork, assessment: Assessment, rows: Mapping[str, Answer], changes: Sequence[page_flow.AnswerChange]
) -> None:
    """Write the audit entry of changed answers. ``rows``: the answers before the change."""
    old = {change.item: rows[change.item].value for change in changes if change.item in rows}
    new = {change.item: [change.state, store_value(change.value)] for change in changes}
    work.record("answers.saved", assessment, participant_id=assessment.participant_id, old=old or None, new=new)


def score_form(work: UnitOfWork, assessment: Assessment, answers: Answers) -> dict[str, float | None]:
    """Score ``answers`` and store each scale as a new row.

    Returns the scores by scale; {} for an instrument without scales. Proxy answers are not scored unless the study plan
    says so, because proxies and participants rate differently.
    """
    instrument = work.catalogue.shown_instrument(assessment.instrument)
    if not instrument.scales:
        return {}
    values = alert_service.rule_scores(work, assessment, answers)
    if not values:
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
    return values
