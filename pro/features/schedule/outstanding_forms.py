"""Forms not submitted: those still open, and those missed without a recorded reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select

from pro.app_context import UnitOfWork
from pro.models import Assessment, ExpectedForm, Participant

# Longest list shown: longer ones are not read and would slow down the page.
MAX_ROWS = 100
UNEXPLAINED_CLAUSES = (
    ExpectedForm.missed_at.is_not(None),
    ExpectedForm.received_at.is_(None),
    ExpectedForm.mandatory.is_(True),
    ExpectedForm.missing_reason == "",
)
# State of a form that needs an action: it closes today, or it was missed and no reason is recorded.
TODAY, UNEXPLAINED = "today", "unexplained"
# In every time zone the end of today is less than this away.
TWO_DAYS = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class OutstandingForm:
    """A form that was issued and not submitted yet.

    ``status``: "issued" or "started". ``today``: it closes today in the participant's time zone.
    """

    participant_id: int
    participant_number: str
    instrument: str
    instrument_title: str
    status: str
    issued_at: datetime
    closes_at: datetime
    today: bool


@dataclass(frozen=True, slots=True)
class UnexplainedForms:
    """A participant with ``count`` missed forms without a recorded reason."""

    participant_id: int
    participant_number: str
    count: int


@dataclass(frozen=True, slots=True)
class FormToDo:
    """An expected form that needs an action of staff. ``state``: TODAY or UNEXPLAINED."""

    expected_form_id: int
    participant_id: int
    participant_number: str
    time_zone: str
    kind: str
    number: int
    instrument: str
    closes_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class OutstandingForms:
    """The first MAX_ROWS outstanding and unexplained forms; the numbers count all of them.

    ``forms``: the one that closes first on top. ``today``: number of forms that close today.
    """

    forms: list[OutstandingForm]
    number: int
    today: int
    unexplained: list[UnexplainedForms]
    unexplained_number: int


NO_OUTSTANDING_FORMS = OutstandingForms([], 0, 0, [], 0)


def read_outstanding_forms(work: UnitOfWork, language: str, study: str = "") -> OutstandingForms:
    """Return the outstanding and unexplained forms of all studies, or of ``study`` (its id)."""
    forms, missed = list_outstanding_forms(work, language, study=study, most=MAX_ROWS), _list_unexplained(work, study)
    whole = len(forms) < MAX_ROWS
    return OutstandingForms(
        forms=forms,
        number=len(forms) if whole else _count_forms(work, study),
        today=sum(form.today for form in forms) if whole else _count_closing_today(work, study),
        unexplained=missed,
        unexplained_number=len(missed) if len(missed) < MAX_ROWS else _count_unexplained(work, study),
    )


def list_outstanding_forms(
    work: UnitOfWork, language: str, people: Sequence[int] | None = None, *, study: str = "", most: int | None = None
) -> list[OutstandingForm]:
    """Return open forms that were not submitted, the one that closes first on top.

    ``people``: ids of participants to restrict the list to. ``most``: longest list.
    """
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(*_outstanding_clauses(work), *_study_clauses(study))
        .order_by(Assessment.closes_at, Assessment.id)
        .limit(most)
    )
    if people is not None:
        query = query.where(Participant.id.in_(people))
    return [
        OutstandingForm(
            participant_id=participant.id,
            participant_number=participant.participant_number,
            instrument=assessment.instrument,
            instrument_title=work.catalogue.staff_title(assessment.instrument, language),
            status=assessment.status,
            issued_at=assessment.issued_at,
            closes_at=assessment.closes_at,
            today=closes_on_day_of(assessment.closes_at, work.now, participant.time_zone),
        )
        for assessment, participant in work.session.execute(query)
    ]


def forms_to_do(work: UnitOfWork, study: str) -> list[FormToDo]:
    """Return all mandatory forms of ``study`` that need an action, in two queries.

    First those that close today, the earliest on top; then those missed without a reason, the oldest on top.
    """
    columns = (
        ExpectedForm.id,
        ExpectedForm.participant_id,
        Participant.participant_number,
        Participant.time_zone,
        ExpectedForm.kind,
        ExpectedForm.number,
        ExpectedForm.instrument,
        ExpectedForm.closes_at,
    )
    query = select(*columns).join(Participant, Participant.id == ExpectedForm.participant_id)
    query = query.where(*_study_clauses(study)).order_by(
        ExpectedForm.closes_at, Participant.participant_number, ExpectedForm.id
    )
    closing = query.where(
        *awaited_clauses(work), ExpectedForm.mandatory.is_(True), ExpectedForm.closes_at < work.now + TWO_DAYS
    )
    found = [FormToDo(*row, state=TODAY) for row in work.session.execute(closing)]
    found = [one for one in found if closes_on_day_of(one.closes_at, work.now, one.time_zone)]
    return found + [
        FormToDo(*row, state=UNEXPLAINED) for row in work.session.execute(query.where(*UNEXPLAINED_CLAUSES))
    ]


def awaited_clauses(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for expected forms of active participants that are open and not received."""
    return (
        ExpectedForm.received_at.is_(None),
        ExpectedForm.missed_at.is_(None),
        ExpectedForm.opens_at <= work.now,
        ExpectedForm.closes_at >= work.now,
        Participant.withdrawn_at.is_(None),
        Participant.died_at.is_(None),
    )


def _outstanding_clauses(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for open forms of active participants."""
    return (
        Assessment.submitted_at.is_(None),
        Assessment.cancelled_at.is_(None),
        Assessment.closes_at > work.now,
        Participant.withdrawn_at.is_(None),
        Participant.died_at.is_(None),
    )


def _study_clauses(study: str) -> tuple[ColumnElement[bool], ...]:
    """Return the condition for one study; empty for all studies."""
    return (Participant.plan == study,) if study else ()


def _count_forms(work: UnitOfWork, study: str) -> int:
    """Return the number of outstanding forms."""
    query = select(func.count()).join_from(Assessment, Participant, Participant.id == Assessment.participant_id)
    return work.session.scalar(query.where(*_outstanding_clauses(work), *_study_clauses(study))) or 0


def _count_closing_today(work: UnitOfWork, study: str) -> int:
    """Return the number of forms that close today in the participant's time zone.

    Grouped by closing time, because few different times occur.
    """
    query = (
        select(Assessment.closes_at, Participant.time_zone, func.count())
        .join_from(Assessment, Participant, Participant.id == Assessment.participant_id)
        .where(*_outstanding_clauses(work), *_study_clauses(study), Assessment.closes_at < work.now + TWO_DAYS)
        .group_by(Assessment.closes_at, Participant.time_zone)
    )
    return sum(number for at, zone, number in work.session.execute(query) if closes_on_day_of(at, work.now, zone))


def closes_on_day_of(one: datetime, other: datetime, time_zone: str) -> bool:
    """Return True if a window that closes at ``one`` closes on the day of ``other``."""
    zone = ZoneInfo(time_zone)
    # A window that closes at midnight closes at the end of the previous day.
    return (one - timedelta(microseconds=1)).astimezone(zone).date() == other.astimezone(zone).date()


def _list_unexplained(work: UnitOfWork, study: str) -> list[UnexplainedForms]:
    """Return the first MAX_ROWS participants with unexplained missed forms, by number."""
    query = (
        select(Participant.id, Participant.participant_number, func.count())
        .join(ExpectedForm, ExpectedForm.participant_id == Participant.id)
        .where(*UNEXPLAINED_CLAUSES, *_study_clauses(study))
        .group_by(Participant.id, Participant.participant_number)
        .order_by(Participant.participant_number)
        .limit(MAX_ROWS)
    )
    return [UnexplainedForms(*row) for row in work.session.execute(query)]


def _count_unexplained(work: UnitOfWork, study: str) -> int:
    """Return the number of participants with unexplained missed forms."""
    query = select(func.count(ExpectedForm.participant_id.distinct())).join(
        Participant, Participant.id == ExpectedForm.participant_id
    )
    return work.session.scalar(query.where(*UNEXPLAINED_CLAUSES, *_study_clauses(study))) or 0
