"""Data of the participant’s tabs and call pages: forms, answers, scores, messages, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.accounts import staff_accounts
from pro.features.alerts import alert_list
from pro.features.alerts.alert_list import AlertCase
from pro.features.alerts.alert_page import AnswerRow, answer_table, phone_of
from pro.features.assessments import data_entry
from pro.features.forms import licensed_wording
from pro.features.forms.form_state import answer_rows_by_form, form_words
from pro.features.participants.pages import participant_list
from pro.features.participants.pages.participant_list import ParticipantRow
from pro.features.schedule import call_tasks
from pro.features.schedule.call_tasks import CallTaskRow
from pro.messaging import message_rendering
from pro.models import (
    Alert,
    Answer,
    Assessment,
    CallTask,
    ExpectedForm,
    Message,
    Participant,
    PhoneCall,
    Score,
    StaffMember,
)

# The page shows so many; the audit trail has all of them.
MOST_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Score of one scale.

    ``value``: in full precision, None if missing; computed from ``used`` of ``of`` items.
    """

    scale: str
    value: float | None
    used: int
    of: int


@dataclass(frozen=True, slots=True)
class FormRow:
    """One form of a participant, with its answers and scores.

    ``entered_by``, ``answered_at``: of a form entered by staff. ``to_check``: a paper form without verification;
    ``verified_by``: name of the verifier. ``not_scored``: saved without scores, because a proxy answered.
    """

    assessment_id: int
    instrument: str
    title: str
    wording_status: str
    status: str
    issued_at: datetime
    submitted_at: datetime | None
    level: Level
    answers: list[AnswerRow]
    scores: list[ScoreRow]
    mode: str
    identified_by: str
    answered_by: str
    answered_at: datetime | None
    entered_by: str
    verified_by: str
    to_check: bool
    not_scored: bool


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message to the participant, or to staff about one of the participant's alerts.

    ``at``: when it was sent, or queued while it is not. ``role``, ``name``: of the member of staff, "" for the
    participant. ``alert_id``: the alert that it is about. ``reason``: why it failed, in the language of the page.
    """

    at: datetime
    role: str
    name: str
    alert_id: int | None
    channel: str
    template: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstrumentChoice:
    """An instrument of the study plan. ``why_not``: why it cannot be issued, "" if it can."""

    id: str
    title: str
    may_issue: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class CallPage:
    """Data of a call page. ``task``: None for a call without a call task.

    ``last_form``, ``last_answers``: title and answers of the last answered form; "" and [] if there is none.
    """

    task: CallTaskRow | None
    row: ParticipantRow
    phone: str | None
    alerts: list[AlertCase]
    calls: list[tuple[PhoneCall, str]]
    last_form: str
    last_answers: list[AnswerRow]
    can_log: bool


def read_participant(work: UnitOfWork, participant_id: int) -> Participant:
    """Return the database row of a participant. Raise NotFound if there is none."""
    found = work.session.get(Participant, participant_id)
    if found is None:
        raise NotFound("participant")
    return found


def check_plan_id(work: UnitOfWork, name: str) -> str:
    """Return ``name`` if it is the id of a study. Raise NotFound if it is not."""
    if name not in work.catalogue.plans:
        raise NotFound("plan")
    return name


def read_form(work: UnitOfWork, participant: Participant, assessment_id: int, language: str) -> FormRow:
    """Return one form of ``participant`` with its answers and scores. Raise NotFound for another's form."""
    found = work.session.get(Assessment, assessment_id)
    if found is None or found.participant_id != participant.id:
        raise NotFound("assessment")
    return _form_rows(work, [found], language)[0]


def form_levels(work: UnitOfWork, participant: Participant) -> dict[int, tuple[Level, bool]]:
    """Return form -> highest level of its alerts, and whether one of them is open."""
    query = (
        select(Alert.assessment_id, func.max(Alert.level), func.count() - func.count(Alert.closed_at))
        .where(Alert.participant_id == participant.id, Alert.assessment_id.is_not(None), Alert.superseded_at.is_(None))
        .group_by(Alert.assessment_id)
    )
    found = work.session.execute(query)
    return {number: (Level(level), bool(is_open)) for number, level, is_open in found if number is not None}


def unscheduled_forms(work: UnitOfWork, participant: Participant) -> list[Assessment]:
    """Return the forms that were sent by hand and count for no visit, newest first."""
    of_visits = select(ExpectedForm.assessment_id).where(
        ExpectedForm.participant_id == participant.id, ExpectedForm.assessment_id.is_not(None)
    )
    query = select(Assessment).where(Assessment.participant_id == participant.id, Assessment.id.not_in(of_visits))
    return list(work.session.scalars(query.order_by(Assessment.id.desc())))


def instrument_choices(work: UnitOfWork, participant: Participant, language: str) -> list[InstrumentChoice]:
    """Return the instruments of the participant's study plan; none if it is no longer installed."""
    plan = work.catalogue.plan_or_none(participant.plan)
    return [_instrument_choice(work, name, language) for name in plan.instruments] if plan else []


def stand_in_language(work: UnitOfWork, participant: Participant) -> str:
    """Return the language of the study's words, if they are missing in the participant's own; else ""."""
    spoken = work.catalogue.plan_words[participant.plan, participant.language].language
    return spoken if spoken != participant.language else ""


def read_call_task_page(work: UnitOfWork, call_task_id: int, language: str) -> CallPage:
    """Return the data of an open or closed call task, and record the view in the audit trail.

    Raise NotFound for an unknown task.
    """
    task = work.session.get(CallTask, call_task_id)
    if task is None:
        raise NotFound("task")
    person = read_participant(work, task.participant_id)
    return _record_and_read_call_page(work, person, call_tasks.task_row(work, task, person, language), language)


def read_call_page(work: UnitOfWork, participant_id: int, language: str) -> CallPage:
    """Return the call page of a participant, and record the view in the audit trail.

    ``task`` is the open call task, if there is one. Raise NotFound for an unknown participant.
    """
    person = read_participant(work, participant_id)
    return _record_and_read_call_page(work, person, open_call_task(work, person, language), language)


def _record_and_read_call_page(
    work: UnitOfWork, person: Participant, task: CallTaskRow | None, language: str
) -> CallPage:
    work.record("participant.seen", person, participant_id=person.id)
    # A form entered by staff has its own time of answering.
    answered_at_or_last = func.coalesce(Assessment.answered_at, Assessment.last_answer_at)
    query = (
        select(Assessment)
        .where(Assessment.participant_id == person.id, answered_at_or_last.is_not(None))
        .order_by(answered_at_or_last.desc(), Assessment.id.desc())
    )
    last = work.session.scalar(query.limit(1))
    return CallPage(
        task=task,
        row=participant_list.participant_rows(work, [person], language)[0],
        phone=phone_of(work, person),
        alerts=alert_list.open_cases(work, language, person.id),
        calls=call_tasks.list_calls(work, person.id),
        last_form=work.catalogue.staff_title(last.instrument, language) if last else "",
        last_answers=answer_table(work, last, language) if last else [],
        can_log=staff_accounts.has_right(work.actor.role, "log_call"),
    )


def open_call_task(work: UnitOfWork, person: Participant, language: str) -> CallTaskRow | None:
    """Return the participant's open call task, or None."""
    task = call_tasks.open_task(work, person.id)
    return call_tasks.task_row(work, task, person, language) if task else None


def _form_rows(work: UnitOfWork, found: Sequence[Assessment], language: str) -> list[FormRow]:
    """Return the rows of ``found``; the number of queries does not depend on the forms."""
    numbers = [assessment.id for assessment in found]
    highest = select(Alert.assessment_id, func.max(Alert.level)).group_by(Alert.assessment_id)
    highest = highest.where(Alert.assessment_id.in_(numbers), Alert.superseded_at.is_(None))
    levels = {number: level for number, level in work.session.execute(highest) if number is not None}
    scores: dict[int, dict[str, Score]] = {number: {} for number in numbers}
    for score in work.session.scalars(select(Score).where(Score.assessment_id.in_(numbers)).order_by(Score.id)):
        scores[score.assessment_id][score.scale] = score
    names, rows = staff_accounts.staff_names(work), answer_rows_by_form(work, numbers)
    return [_form_row(work, one, rows[one.id], scores[one.id], levels.get(one.id, 0), names, language) for one in found]


def _form_row(
    work: UnitOfWork,
    assessment: Assessment,
    rows: Mapping[str, Answer],
    scores: Mapping[str, Score],
    level: int,
    names: Mapping[int, str],
    language: str,
) -> FormRow:
    words = form_words(work, assessment, language)
    instrument = work.catalogue.shown_instrument(assessment.instrument)
    order = [*instrument.scales, *([instrument.summary.id] if instrument.summary else [])]
    return FormRow(
        assessment_id=assessment.id,
        instrument=assessment.instrument,
        title=work.catalogue.staff_title(assessment.instrument, language),
        wording_status=words.status,
        status=assessment.status,
        issued_at=assessment.issued_at,
        submitted_at=assessment.submitted_at,
        level=Level(level),
        answers=answer_table(work, assessment, language, rows),
        scores=[
            ScoreRow(scale, scores[scale].value, scores[scale].used, scores[scale].of)
            for scale in order
            if scale in scores
        ],
        mode=assessment.completion_mode or "",
        identified_by=assessment.identified_by or "",
        answered_by=assessment.answered_by or "",
        answered_at=assessment.answered_at,
        entered_by=names.get(assessment.entered_by or 0, ""),
        verified_by=names.get(assessment.verified_by or 0, ""),
        to_check=data_entry.is_paper_form(assessment) and assessment.verified_at is None,
        not_scored=bool(order) and not scores and assessment.submitted_at is not None,
    )


def message_rows(work: UnitOfWork, person: Participant, language: str) -> list[MessageRow]:
    """Return the newest messages to the participant, and to staff about the participant's alerts."""
    translator = work.app_context.catalogs.translator(language)
    about = select(Alert.id).where(Alert.participant_id == person.id)
    query = (
        select(Message, StaffMember)
        .outerjoin(StaffMember, StaffMember.id == Message.staff_id)
        .where(or_(Message.participant_id == person.id, Message.alert_id.in_(about)))
        .order_by(Message.id.desc())
        .limit(MOST_MESSAGES)
    )
    return [
        MessageRow(
            row.sent_at or row.queued_at,
            staff.role if staff else "",
            staff.name if staff else "",
            row.alert_id,
            row.channel,
            row.template,
            row.status,
            message_rendering.failure_sentence(row.failure, translator),
        )
        for row, staff in work.session.execute(query)
    ]


def _instrument_choice(work: UnitOfWork, instrument: str, language: str) -> InstrumentChoice:
    title = work.catalogue.staff_title(instrument, language)
    licensed = all(
        licensed_wording.is_licensed(work, licensed_wording.current_words(work, instrument, spoken))
        for spoken in licensed_wording.spoken_languages(work, instrument)
    )
    may = licensed or not work.config.production
    return InstrumentChoice(instrument, title, may, "" if may else "wording_not_licensed")
