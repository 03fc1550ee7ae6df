"""Queries: a monitor asks about an answer or a form, staff answer, a monitor closes or asks again.

A query never changes data: an answer is corrected by a data correction. So queries are possible on frozen records too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, null, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.json_values import read_value
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import privacy, staff_accounts
from pro.features.assessments import paper_forms
from pro.features.forms import form_state
from pro.models import QUERY_STATES, Answer, Assessment, Participant, Query, QueryStep, StaffMember

TEXT_LENGTH = 1000
PAGE_SIZE = 50
# Kind of a step -> the states that it is possible in, and the state after it.
_STEPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "answered": (("open",), "answered"),
    "asked_again": (("answered",), "open"),
    "closed": (("open", "answered"), "closed"),
}


@dataclass(frozen=True, slots=True)
class QueryStepRow:
    """One step as staff read it; ``name`` and ``role``: of the staff member."""

    id: int
    kind: str
    text: str
    at: datetime
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One query as staff read it.

    ``question``: the short text of the item, "" for a query about the whole form. ``answer``: its current answer in
    words, "" for none. ``steps``: oldest first.
    """

    id: int
    participant_id: int
    participant_number: str
    assessment_id: int
    title: str
    item: str
    question: str
    answer: str
    state: str
    opened_at: datetime
    changed_at: datetime
    steps: tuple[QueryStepRow, ...]

    @property
    def last_step(self) -> QueryStepRow:
        """The newest step; a page sends its id back, so that no step is answered unread."""
        return self.steps[-1]


@dataclass(frozen=True, slots=True)
class QueryPage:
    """One page of the list; ``counts``: state -> number of queries of the whole system. ``number``: rows in all."""

    rows: Sequence[QueryRow]
    counts: Mapping[str, int]
    number: int


@dataclass(frozen=True, slots=True)
class WaitingQuery:
    """A query that waits for the acting staff member: for an answer, or (``answered``) to be closed."""

    query_id: int
    participant_id: int
    participant_number: str
    title: str
    answered: bool
    changed_at: datetime


def ask_query(work: UnitOfWork, assessment: Assessment, item: str, text: str) -> Query:
    """Store a query about ``item`` of a submitted form, or about the whole form for "".

    The acting person's own open query with the same text is returned instead of a second one. Raises BadData("query",
    fields={"text": why}) and NotFound("item").
    """
    shape = work.catalogue.shown_instrument(assessment.instrument)
    if item and item not in shape.items and item not in form_state.answer_rows(work, assessment.id):
        raise NotFound("item")
    said = _checked_text(text)
    # A query cannot be withdrawn, so a button that was pressed twice must not ask twice. The lock makes simultaneous
    # submissions wait for each other.
    work.lock(assessment)
    same = _open_query(work, assessment, item, said)
    if same is not None:
        return same
    row = Query(
        participant_id=assessment.participant_id,
        assessment_id=assessment.id,
        item=item,
        state="open",
        opened_at=work.now,
        changed_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    _add_step(work, row, "asked", said)
    return row


def take_step(work: UnitOfWork, query_id: int, kind: str, text: str, seen: int) -> Query:
    """Answer, ask again or close (``kind``) a query. ``seen``: id of the newest step that the page showed.

    A button that was pressed twice takes one step. Raises NotFound, NotAllowed("query_moved_on") if a step was added
    since or the state does not allow the step, and BadData("query", fields={"text": why}). Closing needs no text.
    """
    row = work.session.get(Query, query_id)
    if row is None:
        raise NotFound("query")
    work.lock(row)
    possible, after = _STEPS[kind]
    newest = work.session.scalar(select(func.max(QueryStep.id)).where(QueryStep.query_id == row.id))
    if _is_repeated(work, row, kind, text, seen):
        return row
    if newest != seen or row.state not in possible:
        raise NotAllowed("query_moved_on")
    said = _checked_text(text, needed=kind != "closed")
    row.state, row.changed_at = after, work.now
    _add_step(work, row, kind, said)
    return row


def list_queries(work: UnitOfWork, language: str, state: str = "", page: int = 1) -> QueryPage:
    """Return one page of the queries in ``state`` ("" for all): open first, then answered, then closed.

    Open and answered ones begin with the one that waits longest, closed ones with the newest.
    """
    counted = work.session.execute(select(Query.state, func.count()).group_by(Query.state))
    found = {name: int(number) for name, number in counted}
    counts = {name: found.get(name, 0) for name in QUERY_STATES}
    rank = case({name: place for place, name in enumerate(QUERY_STATES)}, value=Query.state)
    is_closed = Query.state == "closed"
    order = (rank, case((is_closed, null()), else_=Query.changed_at), Query.changed_at.desc(), Query.id.desc())
    query = select(Query, Assessment, Participant.participant_number).join(
        Assessment, Assessment.id == Query.assessment_id
    )
    query = query.join(Participant, Participant.id == Query.participant_id).order_by(*order)
    if state:
        query = query.where(Query.state == state)
    rows = work.session.execute(query.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)).all()
    return QueryPage(_build_rows(work, rows, language), counts, counts[state] if state else sum(counts.values()))


def queries_of_form(work: UnitOfWork, assessment_id: int, language: str) -> Sequence[QueryRow]:
    """Return the queries of one form, open ones first."""
    return sorted(
        _select_rows(work, Query.assessment_id == assessment_id, language),
        key=lambda row: (QUERY_STATES.index(row.state), row.id),
    )


def read_query(work: UnitOfWork, query_id: int, language: str) -> QueryRow:
    """Return one query, and record that the participant's data were seen. Raises NotFound."""
    found = _select_rows(work, Query.id == query_id, language)
    if not found:
        raise NotFound("query")
    person = work.session.get_one(Participant, found[0].participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    return found[0]


def count_by_form(work: UnitOfWork, participant_id: int) -> Mapping[int, tuple[int, int]]:
    """Return form id -> (queries that are not closed, all queries) of one participant."""
    waiting = func.sum(case((Query.state == "closed", 0), else_=1))
    query = select(Query.assessment_id, waiting, func.count()).where(Query.participant_id == participant_id)
    return {form: (int(open_), all_) for form, open_, all_ in work.session.execute(query.group_by(Query.assessment_id))}


def waiting_queries(work: UnitOfWork, language: str) -> list[WaitingQuery]:
    """Return the queries that wait for the acting staff member's role, the one that waits longest first."""
    states = [
        state
        for state, right in (("open", "answer_query"), ("answered", "ask_query"))
        if staff_accounts.has_right(work.actor.role, right)
    ]
    if not states:
        return []
    query = (
        select(Query, Assessment.instrument, Participant.participant_number)
        .join(Assessment, Assessment.id == Query.assessment_id)
        .join(Participant, Participant.id == Query.participant_id)
        .where(Query.state.in_(states))
        .order_by(Query.changed_at, Query.id)
    )
    return [
        WaitingQuery(
            row.id,
            row.participant_id,
            number,
            work.catalogue.staff_title(instrument, language),
            row.state == "answered",
            row.changed_at,
        )
        for row, instrument, number in work.session.execute(query)
    ]


def _checked_text(text: str, *, needed: bool = True) -> str:
    said = text.strip()
    why = "too_long" if len(said) > TEXT_LENGTH else "text_needed" if needed and not said else ""
    if why:
        raise BadData("query", fields={"text": why})
    return said


def _open_query(work: UnitOfWork, assessment: Assessment, item: str, text: str) -> Query | None:
    """Return the open query that the acting staff member asked about ``item`` with the same text, or None."""
    query = select(Query).join(QueryStep, QueryStep.query_id == Query.id)
    query = query.where(Query.assessment_id == assessment.id, Query.item == item, Query.state == "open")
    query = query.where(QueryStep.kind == "asked", QueryStep.staff_id == work.actor.id, QueryStep.text == text)
    return work.session.scalar(query.order_by(Query.id).limit(1))


def _is_repeated(work: UnitOfWork, row: Query, kind: str, text: str, seen: int) -> bool:
    """Return True if the only step after ``seen`` is this one, taken by the acting staff member."""
    query = select(QueryStep).where(QueryStep.query_id == row.id, QueryStep.id > seen).order_by(QueryStep.id)
    later = [(step.kind, step.text, step.staff_id) for step in work.session.scalars(query)]
    return later == [(kind, text.strip(), work.actor.id)]


def _add_step(work: UnitOfWork, row: Query, kind: str, text: str) -> None:
    """Add one step and its audit entry."""
    action = {
        "asked": "query.asked",
        "answered": "query.answered",
        "asked_again": "query.asked_again",
        "closed": "query.closed",
    }[kind]
    work.session.add(QueryStep(query_id=row.id, kind=kind, text=text, at=work.now, staff_id=work.actor.id))
    new = {"items": [row.item]} if row.item else None
    work.record(action, row, participant_id=row.participant_id, new=new, reason=text)


def _select_rows(work: UnitOfWork, which: ColumnElement[bool], language: str) -> list[QueryRow]:
    query = select(Query, Assessment, Participant.participant_number).join(
        Assessment, Assessment.id == Query.assessment_id
    )
    query = query.join(Participant, Participant.id == Query.participant_id).where(which)
    return _build_rows(work, work.session.execute(query.order_by(Query.id)).all(), language)


def _build_rows(work: UnitOfWork, found: Sequence[tuple[Query, Assessment, str]], language: str) -> list[QueryRow]:
    steps = _steps_by_query(work, [row.id for row, _form, _number in found])
    answers = form_state.answer_rows_by_form(work, [form.id for _row, form, _number in found])
    return [
        QueryRow(
            id=row.id,
            participant_id=row.participant_id,
            participant_number=number,
            assessment_id=form.id,
            title=work.catalogue.staff_title(form.instrument, language),
            item=row.item,
            question=_question(work, form, row.item, language),
            answer=_answer(work, form, row.item, answers[form.id], language),
            state=row.state,
            opened_at=row.opened_at,
            changed_at=row.changed_at,
            steps=steps[row.id],
        )
        for row, form, number in found
    ]


def _steps_by_query(work: UnitOfWork, ids: Sequence[int]) -> Mapping[int, tuple[QueryStepRow, ...]]:
    found: dict[int, list[QueryStepRow]] = {number: [] for number in ids}
    query = select(QueryStep, StaffMember.name, StaffMember.role).join(
        StaffMember, StaffMember.id == QueryStep.staff_id
    )
    for step, name, role in work.session.execute(query.where(QueryStep.query_id.in_(ids)).order_by(QueryStep.id)):
        found[step.query_id].append(QueryStepRow(step.id, step.kind, step.text, step.at, name, role))
    return {number: tuple(rows) for number, rows in found.items()}


def _question(work: UnitOfWork, form: Assessment, item: str, language: str) -> str:
    """Return the short text of an item; the item itself if the wording no longer has it, "" for the whole form."""
    words = form_state.form_words(work, form, language).items.get(item) if item else None
    return (words.short or words.plain) if words else item


def _answer(work: UnitOfWork, form: Assessment, item: str, rows: Mapping[str, Answer], language: str) -> str:
    """Return the current answer of an item in words, as far as the acting person may see it; "" for none."""
    row, shape = rows.get(item), work.catalogue.shown_instrument(form.instrument).items.get(item)
    if row is None or row.state != "given":
        return ""
    if shape is None:
        return privacy.visible_text(work, str(row.value), language)
    return paper_forms.answer_shown(work, form, shape, read_value(shape, row.value), language)
