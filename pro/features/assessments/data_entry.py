"""Data entry of phone interviews and paper forms, and verification of paper forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Answers, Instrument, Value
from pro.core.questionnaire.json_values import store_value
from pro.core.study_plan import StudyPlan
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import alert_service
from pro.features.assessments import answer_service
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.participants import clinical_facts, record_freezes, treatment_dates
from pro.models import Answer, Assessment, ExpectedForm, Participant

MODES = ("phone", "paper")
MAX_ANSWER_AGE = timedelta(days=60)
# The anchor after which only visits that outlive it may be entered.
WITHDRAWAL = "withdrawal"
CONSENT = "consent"
REASON_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class EntryState:
    """The state of an instrument before staff enter a form.

    ``form``: the open form, if any. ``answers``: the participant's answers in it that are recent enough to keep;
    ``stale``: the items whose answers are too old. ``facts``: decide which items are asked. ``state``: changes with
    every new answer or form, so that a change during data entry is detected.
    """

    form: Assessment | None
    rows: Mapping[str, Answer]
    answers: Answers
    stale: tuple[str, ...]
    facts: Mapping[str, object]
    page_set: str | None
    state: str


def entry_state(work: UnitOfWork, participant: Participant, instrument: str) -> EntryState:
    """Return the current state of ``instrument`` for a participant. Changes nothing."""
    form = form_issuing.open_form(work, participant, instrument)
    shape = work.catalogue.shown_instrument(instrument)
    rows = form_state.answer_rows(work, form.id) if form else {}
    standing = form_state.current_answers(shape, rows)
    stale = form_state.find_stale_items(shape, standing, rows, work.now)
    taken_up = form is not None and bool(standing) and not stale
    facts = clinical_facts.current_form_facts(work, participant.id, instrument)
    if form is not None and taken_up:
        facts = clinical_facts.form_facts(form.context)
    last = select(func.max(Assessment.id)).where(
        Assessment.participant_id == participant.id,
        Assessment.instrument == instrument,
        Assessment.submitted_at.is_not(None),
    )
    newest = max((row.id for row in rows.values()), default=0)
    return EntryState(
        form=form,
        rows=rows,
        answers={name: value for name, value in standing.items() if name not in stale},
        stale=stale,
        facts=facts,
        page_set=form.page_set if form else None,
        state=f"{work.session.scalar(last) or 0}.{newest}",
    )


def find_expected_form(
    work: UnitOfWork, participant: Participant, instrument: str, expected_form_id: int | None = None
) -> ExpectedForm | None:
    """Return the expected form that a form entered now counts for, or None.

    ``expected_form_id``: the expected form that staff chose. Raises NotFound for an instrument outside the study plan
    or an expected form of another participant, RecordFrozen, NotAllowed("died" | "plan_gone"), and
    NotAllowed("withdrawn") unless it is a form at the withdrawal, which only staff may enter.
    """
    plan = work.catalogue.plan_or_none(participant.plan)
    if plan is None:
        raise NotAllowed("plan_gone")
    if instrument not in plan.instruments:
        raise NotFound("instrument")
    record_freezes.require_unfrozen(work, participant.plan, participant.id)
    if participant.died_at is not None:
        raise NotAllowed("died")
    expected = work.session.get(ExpectedForm, expected_form_id) if expected_form_id is not None else None
    ours = expected is not None and (expected.participant_id, expected.instrument) == (participant.id, instrument)
    if expected_form_id is not None and not ours:
        raise NotFound("expected")
    if participant.withdrawn_at is None:
        return expected
    last = _withdrawal_visits(plan)
    if expected is None:
        query = select(ExpectedForm).where(
            ExpectedForm.participant_id == participant.id,
            ExpectedForm.instrument == instrument,
            ExpectedForm.kind.in_(last),
            ExpectedForm.received_at.is_(None),
        )
        expected = work.session.scalar(query.order_by(ExpectedForm.due_at).limit(1))
    if expected is None or expected.kind not in last or expected.received_at is not None:
        raise NotAllowed("withdrawn")
    return expected


def enter_form(
    work: UnitOfWork,
    participant: Participant,
    instrument: str,
    *,
    mode: str,
    answered_by: str,
    answered_at: datetime,
    given: Mapping[str, Value | None],
    language: str,
    expected_form_id: int | None = None,
    seen: str | None = None,
) -> Assessment:
    """Store a phone interview or a paper form: answers, scores and alerts.

    The result equals a form that was submitted on a phone. ``mode``: phone or paper. ``answered_by``: one of
    ``form_access.ANSWERED_BY_VALUES``. ``answered_at``: when the participant answered. ``given``: item -> value, None
    for an item left blank on purpose; unknown items are absent. ``seen``: the ``EntryState.state`` that staff saw
    (None: there was none).

    Raises BadData("entry", fields={field or item: why}) with all problems at once, NotAllowed("begun") if the
    participant answered meanwhile, and as ``find_expected_form``. Nothing is stored then.
    """
    work.lock(participant)
    expected = find_expected_form(work, participant, instrument, expected_form_id)
    now = entry_state(work, participant, instrument)
    if now.form is not None:
        work.lock(now.form)
        now = entry_state(work, participant, instrument)
    if now.state != seen and (seen is not None or now.answers):
        raise NotAllowed("begun")
    wrong = _head_problems(work, participant, mode, answered_by, answered_at, language)
    shape = work.catalogue.shown_instrument(instrument)
    wrong |= _answer_problems(shape, given)
    filled = None
    if not wrong:
        filled = page_flow.fill_form(shape, now.answers, now.facts, given, now.page_set)
        wrong = dict.fromkeys(filled.not_asked, "not_asked")
    if wrong or filled is None:
        raise BadData("entry", fields=wrong)
    assessment = form_issuing.issue_form(work, participant, instrument, expected=expected)
    _open_form(work, assessment, mode, answered_by, answered_at, now)
    stale = [("", page_flow.AnswerChange(name, "withdrawn")) for name in now.stale]
    _add_and_record(work, assessment, [*stale, *filled.changes], now.rows, language, mode, answered_by)
    assessment.first_answer_at = assessment.first_answer_at or work.now
    assessment.last_answer_at = work.now
    new = {"completion_mode": mode, "answered_by": answered_by, "answered_at": answered_at.isoformat()}
    work.record("assessment.entered", assessment, participant_id=participant.id, new=new)
    answer_service.close_form(work, assessment, filled.answers, language, earlier=now.answers or None)
    return assessment


def verify_paper_form(
    work: UnitOfWork, assessment: Assessment, corrections: Mapping[str, Value | None], *, reason: str = ""
) -> bool:
    """Record that a second person verified a paper form; return True if answers changed.

    ``corrections``: the answers on paper that differ from the typed ones (None: left blank). Old answers stay as rows;
    changed answers are scored and evaluated again. ``reason``: required for changes. Raises NotFound for a form that is
    not on paper, NotAllowed("own_entry") for the person who typed it, NotAllowed("checked") if it was verified before,
    BadData("check", fields=...) for invalid values or a missing reason, and RecordFrozen.
    """
    work.lock(assessment)
    if not is_paper_form(assessment) or work.actor.id is None:
        raise NotFound("paper")
    person = work.session.get_one(Participant, assessment.participant_id)
    record_freezes.require_unfrozen(work, person.plan, person.id)
    if assessment.verified_at is not None:
        raise NotAllowed("checked")
    if assessment.entered_by == work.actor.id:
        raise NotAllowed("own_entry")
    shape = work.catalogue.shown_instrument(assessment.instrument)
    rows = form_state.answer_rows(work, assessment.id)
    earlier = form_state.current_answers(shape, rows)
    wrong = _values_problems(shape, corrections)
    if wrong:
        raise BadData("check", fields=wrong)
    facts = clinical_facts.form_facts(assessment.context)
    filled = page_flow.fill_form(shape, earlier, facts, corrections, assessment.page_set)
    wrong = dict.fromkeys(filled.not_asked, "not_asked")
    reason = reason.strip()
    if filled.changes and not 0 < len(reason) <= REASON_LENGTH:
        wrong["reason"] = "too_long" if reason else "reason_empty"
    if wrong:
        raise BadData("check", fields=wrong)
    assessment.verified_at, assessment.verified_by = work.now, work.actor.id
    changes = [change for _page, change in filled.changes]
    old = {change.item: rows[change.item].value for change in changes if change.item in rows}
    new = {change.item: [change.state, store_value(change.value)] for change in changes}
    work.record(
        "assessment.checked",
        assessment,
        participant_id=assessment.participant_id,
        old=old or None,
        new=new or None,
        reason=reason if changes else "",
    )
    if changes:
        apply_correction(work, assessment, filled, earlier, "paper")
    return bool(changes)


def apply_correction(
    work: UnitOfWork, assessment: Assessment, filled: page_flow.FilledForm, earlier: Answers, channel: str
) -> None:
    """Store changed answers of a submitted form; score and evaluate it again.

    ``earlier``: the answers before the change, which stay as rows.
    """
    _add_answers(work, assessment, filled.changes, assessment.language or "", channel, assessment.answered_by or "self")
    scores = answer_service.score_form(work, assessment, filled.answers)
    alert_service.evaluate_form(
        work, assessment, filled.answers, submitted=True, idle=0, scores=scores, earlier=earlier
    )


def is_paper_form(assessment: Assessment) -> bool:
    """Return True for a submitted form that was entered from paper."""
    return assessment.completion_mode == "paper" and assessment.submitted_at is not None


def _withdrawal_visits(plan: StudyPlan) -> list[str]:
    """Return the visits that take place after, or because of, a withdrawal."""
    return (
        [visit.id for visit in plan.visit_schedule.visits if WITHDRAWAL in visit.continues_after]
        if plan.visit_schedule
        else []
    )


def _head_problems(
    work: UnitOfWork, participant: Participant, mode: str, answered_by: str, answered_at: datetime, language: str
) -> dict[str, str]:
    """Return the problems of mode, answering person, language and time."""
    fields = {
        "mode": "" if mode in MODES else "unknown",
        "answered_by": "" if answered_by in form_access.ANSWERED_BY_VALUES else "unknown",
        "language": "" if language in work.catalogue.shown_plan(participant.plan).languages else "unknown",
        "answered_at": _moment_problem(work, participant, answered_at),
    }
    return {field: why for field, why in fields.items() if why}


def _moment_problem(work: UnitOfWork, participant: Participant, answered_at: datetime) -> str:
    """Return why the time of answering is not valid, or ""."""
    if answered_at > work.now:
        return "answered_in_future"
    if answered_at < work.now - MAX_ANSWER_AGE:
        return "answered_too_long_ago"
    consented_on = next(
        (row.on for row in treatment_dates.read_anchors(work, participant) if row.kind == CONSENT), None
    )
    day = treatment_dates.local_date(answered_at, participant.time_zone)
    return "answered_before_consent" if consented_on is not None and day < consented_on else ""


def _answer_problems(shape: Instrument, given: Mapping[str, Value | None]) -> dict[str, str]:
    """Return the problems of the answers; "nothing_answered" if all are None."""
    if all(value is None for value in given.values()):
        return {"given": "nothing_answered"}
    return _values_problems(shape, given)


def _values_problems(shape: Instrument, given: Mapping[str, Value | None]) -> dict[str, str]:
    """Return a problem key for each unknown item or value that the item does not accept."""
    wrong = {}
    for name, value in given.items():
        item = shape.items.get(name)
        if item is None:
            wrong[name] = "no_such_question"
        elif value is not None and not item.accepts(value):
            wrong[name] = "not_accepted"
    return wrong


def _open_form(
    work: UnitOfWork, assessment: Assessment, mode: str, answered_by: str, answered_at: datetime, now: EntryState
) -> None:
    """Set mode, person and time on a form that staff enter, and open it."""
    assessment.completion_mode = mode
    assessment.answered_by = form_access.most_assisted(assessment.answered_by if now.answers else None, answered_by)
    assessment.answered_at = answered_at
    assessment.entered_by = work.actor.id
    assessment.identified_by = "staff"
    if not now.answers or now.stale:
        assessment.context = clinical_facts.context_snapshot(work, assessment)
    if assessment.opened_at is None:
        assessment.opened_at = work.now
        work.record("assessment.opened", assessment, participant_id=assessment.participant_id, new=answered_by)


def _add_and_record(
    work: UnitOfWork,
    assessment: Assessment,
    changes: Sequence[tuple[str, page_flow.AnswerChange]],
    rows: Mapping[str, Answer],
    language: str,
    mode: str,
    by: str,
) -> None:
    """Store changed answers with their audit entry."""
    _add_answers(work, assessment, changes, language, mode, by)
    answer_service.record_changes(work, assessment, rows, [change for _page, change in changes])


def _add_answers(
    work: UnitOfWork,
    assessment: Assessment,
    changes: Sequence[tuple[str, page_flow.AnswerChange]],
    language: str,
    channel: str,
    by: str,
) -> None:
    for page_id, change in changes:
        row = answer_service.answer_row(work, assessment, change, page_id, language=language, channel=channel, by=by)
        work.session.add(row)
    work.session.flush()
