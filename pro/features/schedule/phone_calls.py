"""Phone tasks and calls as staff read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.features.participants.clinical_facts import SILENCE
from pro.features.schedule import missed_forms
from pro.models import Alert, Call, Expected, Participant, Staff, Task


@dataclass(frozen=True, slots=True)
class MissedForm:
    """A form that closed without an answer; ``title`` and ``visit`` in the reader's language."""

    title: str
    visit: str
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A participant to phone. ``kind``: one of TASK_KINDS.

    ``missed``: check-ins in a row; ``forms``: all that was missed, the oldest first.

    ``tries``: calls in vain; ``ask_relative``: there were enough of them. ``overdue``: it was due on an earlier day.
    ``outcome``: how it ended, one of CALL_OUTCOMES or "answered"; empty while it is open.
    """

    id: int
    kind: str
    participant_id: int
    study_number: str
    missed: int
    forms: list[MissedForm]
    last_answer_at: datetime | None
    made_at: datetime
    due_at: datetime
    overdue: bool
    tries: int
    ask_relative: bool
    done_at: datetime | None
    done_by: str
    outcome: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it was logged by ``name``. ``at``: when it was made."""

    at: datetime
    logged_at: datetime
    name: str
    outcome: str
    text: str


def due_tasks(work: UnitOfWork, language: str) -> list[TaskRow]:
    """Every open phone task whose time has come, the one that waits longest on top."""
    query = (
        select(Task, Participant)
        .join(Participant, Participant.id == Task.participant_id)
        .where(
            Task.done_at.is_(None),
            Task.due_at <= work.now,
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
        .order_by(Task.due_at, Task.id)
    )
    return _rows(work, [(task, person) for task, person in work.session.execute(query)], language)


def open_task(work: UnitOfWork, participant_id: int) -> Task | None:
    """The open phone task about a participant, if there is one."""
    mine = select(Task).where(Task.participant_id == participant_id, Task.done_at.is_(None))
    query = mine.order_by(Task.kind != missed_forms.CALL, Task.id)
    return work.session.scalar(query.limit(1))


def task_row(work: UnitOfWork, task: Task, person: Participant, language: str) -> TaskRow:
    """One task. What was missed stands as it is now; of a task that ended only the form that it was made for."""
    return _rows(work, [(task, person)], language)[0]


def _rows(work: UnitOfWork, found: Sequence[tuple[Task, Participant]], language: str) -> list[TaskRow]:
    """Many tasks in as many queries as one."""
    if not found:
        return []
    people = list({person.id: person for _task, person in found}.values())
    silences = missed_forms.silences(work, people)
    tries = missed_forms.tries(work, [task.id for task, _person in found])
    lines = select(Expected).where(Expected.id.in_([task.expected_id for task, _person in found]))
    own = {row.id: row for row in work.session.scalars(lines)}
    enders = select(Staff).where(Staff.id.in_([task.done_by for task, _person in found]))
    ended_by = {person.id: person.name for person in work.session.scalars(enders)}
    return [
        _row(
            work,
            task,
            person,
            silences[person.id],
            own.get(task.expected_id or 0),
            tries.get(task.id, 0),
            ended_by.get(task.done_by or 0, ""),
            language,
        )
        for task, person in found
    ]


def _row(
    work: UnitOfWork,
    task: Task,
    person: Participant,
    now: missed_forms.Silence,
    own: Expected | None,
    tries: int,
    done_by: str,
    language: str,
) -> TaskRow:
    rows = {row.id: row for row in (now.rows if task.done_at is None else ())}
    if own is not None:
        rows[own.id] = own
    plan = work.catalogue.plans.get(person.plan)
    zone = ZoneInfo(plan.settings.time_zone if plan else person.time_zone)
    return TaskRow(
        id=task.id,
        kind=task.kind,
        participant_id=person.id,
        study_number=person.study_number,
        missed=now.missed if task.done_at is None else 0,
        forms=[_form(work, row, person, language) for row in sorted(rows.values(), key=lambda row: row.closes_at)],
        last_answer_at=now.last_answer_at,
        made_at=task.made_at,
        due_at=task.due_at,
        overdue=task.done_at is None and task.due_at.astimezone(zone).date() < work.now.astimezone(zone).date(),
        tries=tries,
        ask_relative=task.done_at is None and tries >= missed_forms.TRIES,
        done_at=task.done_at,
        done_by=done_by,
        outcome=task.outcome,
    )


def calls_of(work: UnitOfWork, participant_id: int, source: str = "") -> list[CallRow]:
    """Every call to a participant, or those about the alerts of ``source``, the newest first."""
    query = (
        select(Call, Staff.name)
        .join(Staff, Staff.id == Call.staff_id)
        .where(Call.participant_id == participant_id, *([Call.source == source] if source else []))
        .order_by(Call.at.desc(), Call.id.desc())
    )
    return [
        CallRow(call.at, call.logged_at, name, call.outcome, call.text) for call, name in work.session.execute(query)
    ]


def missed_form(work: UnitOfWork, alert: Alert, person: Participant, language: str) -> MissedForm | None:
    """The form whose silence raised ``alert``; None for an alert that answers raised."""
    if not alert.source.startswith(SILENCE):
        return None
    row = work.session.get(Expected, int(alert.source.removeprefix(SILENCE)))
    return _form(work, row, person, language) if row is not None else None


def _form(work: UnitOfWork, row: Expected, person: Participant, language: str) -> MissedForm:
    words = work.catalogue.plan_words.get((person.plan, language))
    title = work.catalogue.words[row.instrument, language].title
    visit = words.visit(row.kind, row.number) if words and row.kind in words.visits else row.visit
    return MissedForm(title, visit, row.closes_at)
