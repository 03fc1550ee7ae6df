"""Send several open forms, or record the reason of several missed forms, each with its own outcome."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, NotFound, RecordFrozen
from pro.features.forms import form_issuing
from pro.features.participants import death_reports
from pro.features.schedule import expected_forms
from pro.features.schedule.outstanding_forms import UNEXPLAINED_CLAUSES, awaited_clauses
from pro.models import MISSING_REASONS, Assessment, ExpectedForm, Participant

PAGE_SIZE = 50
# The two lists: forms that were missed and have no reason, and forms that are open.
MISSED, OPEN = "missed", "open"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A form that can be sent or explained.

    ``status`` of an open form: issued, started, or "" if it was not issued yet. ``why_not``: why no text message about
    it can be sent, "" if one can.
    """

    expected_form_id: int
    participant_id: int
    participant_number: str
    time_zone: str
    kind: str
    number: int
    instrument: str
    closes_at: datetime
    status: str
    why_not: str


@dataclass(frozen=True, slots=True)
class ActionList:
    """One page of a list; ``counts``: list -> number of its forms."""

    rows: tuple[ActionRow, ...]
    page: int
    pages: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What became of one chosen form. ``why``: why nothing was done, "" if it was done.

    ``same``: its text message is that of another chosen form, because both visits are served by one form. ``goes_at``:
    when the quiet hours end that its text message waits for, None if it does not wait.
    """

    row: ExpectedForm
    participant_number: str
    why: str = ""
    same: bool = False
    goes_at: datetime | None = None


def read_action_list(work: UnitOfWork, study: str, which: str, page: int = 1) -> ActionList:
    """Return one page of the list ``which`` (MISSED or OPEN), in three queries; the earliest closing time first."""
    counts = {name: _count(work, study, name) for name in (MISSED, OPEN)}
    pages = max(1, -(-counts[which] // PAGE_SIZE))
    page = min(max(1, page), pages)
    query = (
        select(ExpectedForm, Participant, Assessment)
        .join(Participant, Participant.id == ExpectedForm.participant_id)
        .outerjoin(Assessment, Assessment.id == ExpectedForm.assessment_id)
        .where(Participant.plan == study, *_clauses(work, which))
        .order_by(ExpectedForm.closes_at, Participant.participant_number, ExpectedForm.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    found = list(work.session.execute(query))
    dead = death_reports.reported_deaths(work, [person.id for _row, person, _form in found]) if which == OPEN else set()
    rows = tuple(
        ActionRow(
            expected_form_id=row.id,
            participant_id=person.id,
            participant_number=person.participant_number,
            time_zone=person.time_zone,
            kind=row.kind,
            number=row.number,
            instrument=row.instrument,
            closes_at=row.closes_at,
            status=form.status if form is not None else "",
            why_not=_why_not_sent(work, person, row.instrument, dead) if which == OPEN else "",
        )
        for row, person, form in found
    )
    return ActionList(rows, page, pages, counts)


def send_forms(work: UnitOfWork, expected_ids: Collection[int]) -> list[ActionOutcome]:
    """Send a text message for each of these open forms, by the rules of a single one; return every outcome.

    In quiet hours the messages wait until these end: many participants must not be woken by one button. Two visits that
    the same form serves get one message. Raise BadData("unknown_line") for an unknown form, before
    anything is sent.
    """
    chosen = _read_chosen(work, expected_ids)
    dead = death_reports.reported_deaths(work, [person.id for _row, person in chosen])
    outcomes: dict[tuple[int, str], tuple[str, datetime | None]] = {}
    found = []
    for row, person in chosen:
        key = (person.id, row.instrument)
        # A form that is received in this moment holds this lock.
        work.lock(person)
        work.session.refresh(row)
        why = _why_not_open(work, row) or _why_not_sent(work, person, row.instrument, dead)
        same, goes_at = not why and key in outcomes, None
        if not why:
            if not same:
                outcomes[key] = _send_one(work, person, row.instrument)
            why, goes_at = outcomes[key]
        found.append(ActionOutcome(row, person.participant_number, why, same and not why, goes_at))
    return found


def give_reasons(work: UnitOfWork, expected_ids: Collection[int], reason: str, note: str = "") -> list[ActionOutcome]:
    """Record ``reason`` for each of these missed forms, each with its audit entry; return every outcome.

    A reason that is recorded already is kept; the same one of the same person is a button pressed twice. Before
    anything is recorded, raise BadData("unknown_line") for an unknown form, and BadData("reason", fields=...) for an
    unknown reason or a long note.
    """
    fields = {
        "reason": "" if reason in MISSING_REASONS else "unknown",
        "note": "too_long" if len(note) > expected_forms.NOTE_LENGTH else "",
    }
    if any(fields.values()):
        raise BadData("reason", fields={field: why for field, why in fields.items() if why})
    found = []
    for row, person in _read_chosen(work, expected_ids, lock=True):
        why = "form_received" if row.received_at else "reason_before" if row.missing_reason else ""
        if why == "reason_before" and _is_repeated(work, row, reason, note):
            why = ""
        elif not why:
            try:
                expected_forms.set_missing_reason(work, row.id, reason, note)
            except RecordFrozen:
                why = "record_frozen"
            except BadData:
                why = "not_missing"
        found.append(ActionOutcome(row, person.participant_number, why))
    return found


def _count(work: UnitOfWork, study: str, which: str) -> int:
    query = select(func.count()).join_from(ExpectedForm, Participant, Participant.id == ExpectedForm.participant_id)
    return work.session.scalar(query.where(Participant.plan == study, *_clauses(work, which))) or 0


def _clauses(work: UnitOfWork, which: str) -> tuple[ColumnElement[bool], ...]:
    return UNEXPLAINED_CLAUSES if which == MISSED else awaited_clauses(work)


def _read_chosen(
    work: UnitOfWork, expected_ids: Collection[int], *, lock: bool = False
) -> Sequence[tuple[ExpectedForm, Participant]]:
    """Return the chosen forms with their participants, by number of the participant and closing time."""
    wanted = set(expected_ids)
    query = (
        select(ExpectedForm, Participant)
        .join(Participant, Participant.id == ExpectedForm.participant_id)
        .where(ExpectedForm.id.in_(wanted))
        .order_by(Participant.participant_number, ExpectedForm.closes_at, ExpectedForm.id)
    )
    if lock:
        work.session.execute(
            select(ExpectedForm.id).where(ExpectedForm.id.in_(wanted)).order_by(ExpectedForm.id).with_for_update()
        )
        query = query.execution_options(populate_existing=True)
    found = list(work.session.execute(query))
    if len(found) != len(wanted) or not found:
        raise BadData("unknown_line")
    return found


def _is_repeated(work: UnitOfWork, row: ExpectedForm, reason: str, note: str) -> bool:
    """Return True if the acting staff member recorded the same reason already."""
    return (row.missing_reason, row.missing_note, row.reason_by) == (reason, note.strip(), work.actor.id)


def _why_not_open(work: UnitOfWork, row: ExpectedForm) -> str:
    """Return why a form cannot be answered now, "" if it can."""
    if row.received_at is not None:
        return "form_received"
    return "" if row.opens_at <= work.now <= row.closes_at else "form_closed"


def _why_not_sent(work: UnitOfWork, person: Participant, instrument: str, dead: Collection[int]) -> str:
    """Return why no text message about a form may go to a participant, "" if one may."""
    if not person.is_active:
        return "withdrawn"
    if person.id in dead:
        return "death_reported"
    if person.phone_sealed is None:
        return "no_phone"
    if person.opted_out_at is not None:
        return "opted_out"
    plan = work.catalogue.plan_or_none(person.plan)
    return "not_in_plan" if plan is not None and instrument not in plan.instruments else ""


def _send_one(work: UnitOfWork, person: Participant, instrument: str) -> tuple[str, datetime | None]:
    """Send one form as the study plan says, by link or code, but not in quiet hours.

    Return why it was refused, "" if it was sent, and when the quiet hours end that its text message waits for.
    """
    by = "link" if form_issuing.is_sent_by_link(work, person) else "code"
    try:
        return "", form_issuing.send_form(work, person, instrument, by=by, in_quiet_hours=False).goes_at
    except NotAllowed as refusal:
        return refusal.why, None
    except NotFound:
        # A form that was expected under an earlier version of the study plan must not stop the others.
        return "not_in_plan", None
