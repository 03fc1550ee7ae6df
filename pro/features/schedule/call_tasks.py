"""Call tasks and calls as staff read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.features.participants.clinical_facts import MISSED_FORM_PREFIX
from pro.features.schedule import missed_forms
from pro.models import Alert, CallTask, ExpectedForm, Participant, PhoneCall, StaffMember


@dataclass(frozen=True, slots=True)
class MissedForm:
    """A form that closed without an answer; ``title`` and ``visit`` in the user's language."""

    title: str
    visit: str
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class CallTaskRow:
    """A call task. ``kind``: one of TASK_KINDS.

    ``missed``: check-ins missed in a row. ``forms``: all missed forms, oldest first. ``tries``: unanswered calls.
    ``ask_relative``: there were enough of them to call a family member. ``overdue``: it was due on an earlier day.
    ``outcome``: one of CALL_OUTCOMES or "answered"; "" while the task is open.
    """

    id: int
    kind: str
    participant_id: int
    participant_number: str
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


def due_tasks(work: UnitOfWork, language: str) -> list[CallTaskRow]:
    """Return the open call tasks that are due, longest overdue first."""
    query = (
        select(CallTask, Participant)
        .join(Participant, Participant.id == CallTask.participant_id)
        .where(
            CallTask.done_at.is_(None),
            CallTask.due_at <= work.now,
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
        .order_by(CallTask.due_at, CallTask.id)
    )
    return _task_rows(work, [(task, person) for task, person in work.session.execute(query)], language)


def open_task(work: UnitOfWork, participant_id: int) -> CallTask | None:
    """Return the participant's open call task, or None; one about missed forms first."""
    mine = select(CallTask).where(CallTask.participant_id == participant_id, CallTask.done_at.is_(None))
    query = mine.order_by(CallTask.kind != missed_forms.MISSED_FORM_TASK, CallTask.id)
    return work.session.scalar(query.limit(1))


def task_row(work: UnitOfWork, task: CallTask, person: Participant, language: str) -> CallTaskRow:
    """Return one task as a row.

    An open task shows all forms missed so far, a closed one only the form that it was created for.
    """
    return _task_rows(work, [(task, person)], language)[0]


def _task_rows(work: UnitOfWork, found: Sequence[tuple[CallTask, Participant]], language: str) -> list[CallTaskRow]:
    """Return rows of many tasks, with as many queries as for one."""
    if not found:
        return []
    people = list({person.id: person for _task, person in found}.values())
    missed_by_participant = missed_forms.read_missed_forms_by_participant(work, people)
    tries = missed_forms.count_unanswered_calls(work, [task.id for task, _person in found])
    lines = select(ExpectedForm).where(ExpectedForm.id.in_([task.expected_form_id for task, _person in found]))
    own = {row.id: row for row in work.session.scalars(lines)}
    enders = select(StaffMember).where(StaffMember.id.in_([task.done_by for task, _person in found]))
    ended_by = {person.id: person.name for person in work.session.scalars(enders)}
    return [
        _task_row(
            work,
            task,
            person,
            missed_by_participant[person.id],
            own.get(task.expected_form_id or 0),
            tries.get(task.id, 0),
            ended_by.get(task.done_by or 0, ""),
            language,
        )
        for task, person in found
    ]


def _task_row(
    work: UnitOfWork,
    task: CallTask,
    person: Participant,
    now: missed_forms.MissedForms,
    own: ExpectedForm | None,
    tries: int,
    done_by: str,
    language: str,
) -> CallTaskRow:
    """Return one task as a row, from data that was read for all rows."""
    rows = {row.id: row for row in (now.rows if task.done_at is None else ())}
    if own is not None:
        rows[own.id] = own
    plan = work.catalogue.plans.get(person.plan)
    zone = ZoneInfo(plan.settings.time_zone if plan else person.time_zone)
    return CallTaskRow(
        id=task.id,
        kind=task.kind,
        participant_id=person.id,
        participant_number=person.participant_number,
        missed=now.missed if task.done_at is None else 0,
        forms=[
            _missed_form_row(work, row, person, language)
            for row in sorted(rows.values(), key=lambda row: row.closes_at)
        ],
        last_answer_at=now.last_answer_at,
        made_at=task.made_at,
        due_at=task.due_at,
        overdue=task.done_at is None and task.due_at.astimezone(zone).date() < work.now.astimezone(zone).date(),
        tries=tries,
        ask_relative=task.done_at is None and tries >= missed_forms.TRIES_BEFORE_RELATIVE,
        done_at=task.done_at,
        done_by=done_by,
        outcome=task.outcome,
    )


def list_calls(work: UnitOfWork, participant_id: int) -> list[tuple[PhoneCall, str]]:
    """Return the calls to a participant and who logged them, newest first."""
    query = (
        select(PhoneCall, StaffMember.name)
        .join(StaffMember, StaffMember.id == PhoneCall.staff_id)
        .where(PhoneCall.participant_id == participant_id)
        .order_by(PhoneCall.at.desc(), PhoneCall.id.desc())
    )
    return [(call, name) for call, name in work.session.execute(query)]


def missed_form(work: UnitOfWork, alert: Alert, person: Participant, language: str) -> MissedForm | None:
    """Return the missed form that raised ``alert``, or None if answers raised it."""
    if not alert.source.startswith(MISSED_FORM_PREFIX):
        return None
    row = work.session.get(ExpectedForm, int(alert.source.removeprefix(MISSED_FORM_PREFIX)))
    return _missed_form_row(work, row, person, language) if row is not None else None


def _missed_form_row(work: UnitOfWork, row: ExpectedForm, person: Participant, language: str) -> MissedForm:
    """Return an expected form as a missed form, in the user's language."""
    words = work.catalogue.plan_words.get((person.plan, language))
    title = work.catalogue.staff_title(row.instrument, language)
    visit = words.visit(row.kind, row.number) if words and row.kind in words.visits else row.visit
    return MissedForm(title, visit, row.closes_at)
