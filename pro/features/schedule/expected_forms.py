"""The ledger: what was expected of a participant, what came, what did not, and why (docs/domain.md 6, rules 1 to 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select

from pro.app_context import UnitOfWork
from pro.core.schedule.expected_visits import visit_status
from pro.errors import BadData, NotFound
from pro.features.participants import record_freezes
from pro.features.schedule import schedule_service
from pro.messaging import message_rendering, outbox
from pro.models import MISSING_REASONS, Assessment, ExpectedForm, Message, Participant

NOTE_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class ExpectedFormLine:
    """One line: a visit and an instrument. ``assessment``: the form that serves it, or that was issued for it.

    ``status``: not_open, open, due, late (still open, after its day), received, partial (begun, never sent),
    served_elsewhere (another visit's form counts for it), missed, or expired (closed, but it was not mandatory).
    ``title`` names the visit in the reader's language.
    """

    expected: ExpectedForm
    status: str
    title: str
    instrument_title: str
    assessment: Assessment | None


@dataclass(frozen=True, slots=True)
class ComplianceCounts:
    """What became of the visits that are over or answered (rule 5). ``unexplained``: missed without a reason."""

    expected: int
    received: int
    in_window: int
    late: int
    missed: int
    unexplained: int


def read_expected_forms(work: UnitOfWork, participant: Participant, language: str) -> list[ExpectedFormLine]:
    """Every line of the participant's ledger, in order of opening."""
    query = (
        select(ExpectedForm, Assessment)
        .outerjoin(Assessment, Assessment.id == ExpectedForm.assessment_id)
        .where(ExpectedForm.participant_id == participant.id)
        .order_by(ExpectedForm.opens_at, ExpectedForm.due_at, ExpectedForm.rank, ExpectedForm.id)
    )
    words = work.catalogue.plan_words[participant.plan, language]
    found = []
    for row, assessment in work.session.execute(query):
        # A visit that a newer plan file has dropped keeps its line under its own name.
        title = words.visit(row.kind, row.number) if row.kind in words.visits else row.visit
        instrument = work.catalogue.words[row.instrument, language].title
        found.append(
            ExpectedFormLine(row, form_status(work, row, participant.time_zone), title, instrument, assessment)
        )
    return found


def form_status(work: UnitOfWork, row: ExpectedForm, zone: str) -> str:
    """Where a line stands now, in the words of ``ExpectedFormLine``."""
    if row.served_at is not None:
        if row.partial:
            return "partial"
        return "received" if row.nearest else "served_elsewhere"
    return visit_status(schedule_service.expected_visit_of(row, zone), work.now).value


def count_compliance(found: Sequence[ExpectedFormLine]) -> ComplianceCounts:
    """The ledger in figures; a form that may be left out counts only if it came."""
    over = [line for line in found if line.status in ("received", "partial", "served_elsewhere", "missed")]
    received = [line for line in over if line.status != "missed"]
    late = sum(line.expected.out_of_window for line in received)
    missed = [line for line in over if line.status == "missed"]
    return ComplianceCounts(
        expected=len(over),
        received=len(received),
        in_window=len(received) - late,
        late=late,
        missed=len(missed),
        unexplained=sum(not line.expected.missing_reason for line in missed),
    )


def receive_form(work: UnitOfWork, assessment: Assessment) -> None:
    """An answered form: note which visits it serves and drop the messages about it that were not sent yet."""
    schedule_service.record_served_visits(work, assessment)
    # After the rows of the ledger were taken: a reminder that is being queued at this moment is seen, or never written.
    work.session.flush()
    about = (
        Message.assessment_id == assessment.id,
        Message.participant_id == assessment.participant_id,
        Message.template.not_in(message_rendering.URGENT_ADVICE),
    )
    outbox.drop_messages(work, and_(*about), "answered")


def set_missing_reason(work: UnitOfWork, expected_id: int, reason: str, note: str = "") -> ExpectedForm:
    """Why a form is missing. BadData("reason", fields=...) for no known reason or a form that is not missing."""
    row = work.session.get(ExpectedForm, expected_id)
    if row is None:
        raise NotFound("expected")
    person = work.session.get_one(Participant, row.participant_id)
    record_freezes.require_unfrozen(work, person.plan, person.id)
    fields = {
        "reason": "" if reason in MISSING_REASONS else "unknown",
        "note": "too_long" if len(note) > NOTE_LENGTH else "",
    }
    if row.served_at is not None or row.missed_at is None:
        fields["reason"] = "not_missing"
    wrong = {field: why for field, why in fields.items() if why}
    if wrong:
        raise BadData("reason", fields=wrong)
    old = row.missing_reason
    row.missing_reason, row.missing_note = reason, note.strip()
    row.reason_by, row.reason_at = work.actor.id, work.now
    work.record("expected.reason", row, participant_id=row.participant_id, old=old or None, new=reason)
    return row
