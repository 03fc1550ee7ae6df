"""Participants as staff read them: who they are, what is due, what they answered and how it scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pro.core.level import Level
from pro.errors import NotFound
from pro.messaging import compose
from pro.models import Alert, Answer, Assessment, Message, Participant, Score, Task
from pro.services import calls, cases, entering, sheets, silence, staffing, wording
from pro.services.awaited import DueForm, due_forms
from pro.services.calls import CallRow, TaskRow
from pro.services.cases import Case
from pro.services.forms import rows_of_many
from pro.services.reading import AnswerRow, answer_table, phone_of
from pro.work import Work


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """One line of the list. ``status``: active, withdrawn or died. ``open_level``: the highest open alert."""

    id: int
    study_number: str
    language: str
    status: str
    last_answer_at: datetime | None
    due: list[DueForm]
    open_level: Level
    open_alert_id: int | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One scale. ``value`` in full precision, None where it is missing; ``used`` of ``of`` items."""

    scale: str
    value: float | None
    used: int
    of: int


@dataclass(frozen=True, slots=True)
class FormRow:
    """One form of a participant, with its answers and scores.

    ``entered_by``, ``answered_at``: of a form that staff typed in. ``to_check``: paper that waits for its second
    reader; ``checked_by``: who that was. ``not_scored``: kept without scores, because somebody else answered.
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
    checked_by: str
    to_check: bool
    not_scored: bool


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message to the participant. ``reason``: why it failed, a sentence in the reader's language."""

    at: datetime
    channel: str
    template: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstrumentChoice:
    """An instrument of the plan, and why it cannot be issued ("" if it can)."""

    id: str
    title: str
    may_issue: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class ParticipantPage:
    """One participant. ``can_enter``: instruments whose answers the reader may type in now."""

    row: ParticipantRow
    phone: str | None
    enrolled_at: datetime
    forms: list[FormRow]
    messages: list[MessageRow]
    instruments: list[InstrumentChoice]
    can_send: bool
    can_enter: tuple[str, ...]
    calls: list[CallRow]
    call_task: TaskRow | None


@dataclass(frozen=True, slots=True)
class CallPage:
    """What a phone call needs. ``task``: None where somebody calls without one.

    ``last_form``: its title, and ``last_answers``: what was answered in it, "" and [] if nothing ever was.
    """

    task: TaskRow | None
    row: ParticipantRow
    phone: str | None
    alerts: list[Case]
    calls: list[CallRow]
    last_form: str
    last_answers: list[AnswerRow]
    can_log: bool


def participant(work: Work, participant_id: int) -> Participant:
    """The row itself, for a service that changes it. NotFound."""
    found = work.session.get(Participant, participant_id)
    if found is None:
        raise NotFound("participant")
    return found


def plan_named(work: Work, name: str) -> str:
    """``name`` if a study is called so. NotFound."""
    if name not in work.catalogue.plans:
        raise NotFound("plan")
    return name


def participants(work: Work, language: str = "zh_Hans") -> list[ParticipantRow]:
    """Everybody, by study number."""
    query = select(Participant).order_by(Participant.plan, Participant.study_number)
    return [_row(work, person, language) for person in work.session.scalars(query)]


def participant_page(work: Work, participant_id: int, language: str) -> ParticipantPage:
    """One participant's page. NotFound. That it was seen is recorded."""
    person = participant(work, participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    query = select(Assessment).where(Assessment.participant_id == person.id).order_by(Assessment.id.desc())
    plan = work.catalogue.plans.get(person.plan)
    return ParticipantPage(
        row=_row(work, person, language),
        phone=phone_of(work, person),
        enrolled_at=person.enrolled_at,
        forms=_forms(work, list(work.session.scalars(query)), language),
        messages=_messages(work, person, language),
        instruments=[_choice(work, name, language) for name in plan.instruments] if plan else [],
        can_send=staffing.may(work.actor.role, "send_form") and person.is_active,
        can_enter=sheets.may_enter(work, person) if staffing.may(work.actor.role, "enter_answers") else (),
        calls=calls.calls_of(work, person.id),
        call_task=_open_task(work, person, language),
    )


def task_page(work: Work, task_id: int, language: str) -> CallPage:
    """The page of one phone task, open or ended. NotFound. That it was seen is recorded."""
    task = work.session.get(Task, task_id)
    if task is None:
        raise NotFound("task")
    person = participant(work, task.participant_id)
    return _call_page(work, person, calls.task_row(work, task, person, language), language)


def call_page(work: Work, participant_id: int, language: str) -> CallPage:
    """The same for a participant who is called without a task, or for the task that is open. NotFound. Recorded."""
    person = participant(work, participant_id)
    return _call_page(work, person, _open_task(work, person, language), language)


def _call_page(work: Work, person: Participant, task: TaskRow | None, language: str) -> CallPage:
    work.record("participant.seen", person, participant_id=person.id)
    # What staff typed in was answered when it says.
    given = func.coalesce(Assessment.answered_at, Assessment.last_answer_at)
    query = (
        select(Assessment)
        .where(Assessment.participant_id == person.id, given.is_not(None))
        .order_by(given.desc(), Assessment.id.desc())
    )
    last = work.session.scalar(query.limit(1))
    return CallPage(
        task=task,
        row=_row(work, person, language),
        phone=phone_of(work, person),
        alerts=[case for case in cases.open_cases(work, language) if case.participant_id == person.id],
        calls=calls.calls_of(work, person.id),
        last_form=work.catalogue.words[last.instrument, language].title if last else "",
        last_answers=answer_table(work, last, language) if last else [],
        can_log=staffing.may(work.actor.role, "log_call"),
    )


def _open_task(work: Work, person: Participant, language: str) -> TaskRow | None:
    task = calls.open_task(work, person.id)
    return calls.task_row(work, task, person, language) if task else None


def _row(work: Work, person: Participant, language: str) -> ParticipantRow:
    query = (
        select(Alert)
        .where(Alert.participant_id == person.id, Alert.resolved_at.is_(None), Alert.superseded_at.is_(None))
        .order_by(Alert.level.desc(), Alert.id)
        .limit(1)
    )
    worst = work.session.scalar(query)
    status = "died" if person.died_at else "withdrawn" if person.withdrawn_at else "active"
    return ParticipantRow(
        id=person.id,
        study_number=person.study_number,
        language=person.language,
        status=status,
        last_answer_at=silence.last_answer_at(work, person.id),
        due=due_forms(work, language, person.id),
        open_level=Level(worst.level) if worst else Level.NONE,
        open_alert_id=worst.id if worst else None,
    )


def _forms(work: Work, found: Sequence[Assessment], language: str) -> list[FormRow]:
    """All forms of a participant in as many queries as one."""
    numbers = [assessment.id for assessment in found]
    loudest = select(Alert.assessment_id, func.max(Alert.level)).group_by(Alert.assessment_id)
    loudest = loudest.where(Alert.assessment_id.in_(numbers), Alert.superseded_at.is_(None))
    levels = {number: level for number, level in work.session.execute(loudest) if number is not None}
    scores: dict[int, dict[str, Score]] = {number: {} for number in numbers}
    for score in work.session.scalars(select(Score).where(Score.assessment_id.in_(numbers)).order_by(Score.id)):
        scores[score.assessment_id][score.scale] = score
    names, rows = cases.staff_names(work), rows_of_many(work, numbers)
    return [_form(work, one, rows[one.id], scores[one.id], levels.get(one.id, 0), names, language) for one in found]


def _form(
    work: Work,
    assessment: Assessment,
    rows: Mapping[str, Answer],
    scores: Mapping[str, Score],
    level: int,
    names: Mapping[int, str],
    language: str,
) -> FormRow:
    words = wording.by_checksum(work, assessment.instrument, language, assessment.wordings.get(language, ""))
    instrument = work.catalogue.instruments[assessment.instrument]
    order = [*instrument.scales, *([instrument.summary.id] if instrument.summary else [])]
    return FormRow(
        assessment_id=assessment.id,
        instrument=assessment.instrument,
        title=words.title,
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
        mode=assessment.mode or "",
        identified_by=assessment.identified_by or "",
        answered_by=assessment.answered_by or "",
        answered_at=assessment.answered_at,
        entered_by=names.get(assessment.entered_by or 0, ""),
        checked_by=names.get(assessment.checked_by or 0, ""),
        to_check=entering.is_paper(assessment) and assessment.checked_at is None,
        not_scored=bool(order) and not scores and assessment.submitted_at is not None,
    )


def _messages(work: Work, person: Participant, language: str) -> list[MessageRow]:
    translator = work.house.catalogs.translator(language)
    query = select(Message).where(Message.participant_id == person.id).order_by(Message.id.desc()).limit(50)
    return [
        MessageRow(
            row.queued_at, row.channel, row.template, row.status, compose.failure_sentence(row.failure, translator)
        )
        for row in work.session.scalars(query)
    ]


def _choice(work: Work, instrument: str, language: str) -> InstrumentChoice:
    title = work.catalogue.words[instrument, language].title
    licensed = all(
        wording.is_licensed(work, wording.current(work, instrument, spoken)) for spoken in work.catalogue.languages
    )
    may = licensed or not work.config.production
    return InstrumentChoice(instrument, title, may, "" if may else "wording_not_licensed")
