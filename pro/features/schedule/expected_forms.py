"""Expected forms: their status, compliance and missing reasons (docs/domain.md 6)."""

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
    """One expected form: a visit and an instrument.

    ``assessment``: the form that serves it, or that was issued for it. ``title``: name of the visit in the user's
    language.

    ``status``: "not_open", "open", "due", "late" (open after its day), "received", "partial" (begun, never submitted),
    "served_elsewhere" (another visit's form counts), "missed", or "expired" (closed, but not mandatory).
    """

    expected: ExpectedForm
    status: str
    title: str
    instrument_title: str
    assessment: Assessment | None


@dataclass(frozen=True, slots=True)
class ComplianceCounts:
    """Numbers of forms that are over or received (docs/domain.md 6, rule 5).

    ``unexplained``: missed without a recorded reason.
    """

    expected: int
    received: int
    in_window: int
    late: int
    missed: int
    unexplained: int


def read_expected_forms(work: UnitOfWork, participant: Participant, language: str) -> list[ExpectedFormLine]:
    """Return the participant's expected forms, in order of opening."""
    query = (
        select(ExpectedForm, Assessment)
        .outerjoin(Assessment, Assessment.id == ExpectedForm.assessment_id)
        .where(ExpectedForm.participant_id == participant.id)
        .order_by(ExpectedForm.opens_at, ExpectedForm.due_at, ExpectedForm.rank, ExpectedForm.id)
    )
    words = work.catalogue.plan_words[participant.plan, language]
    found = []
    for row, assessment in work.session.execute(query):
        # A visit that the current plan file no longer contains is shown by its id.
        title = words.visit(row.kind, row.number) if row.kind in words.visits else row.visit
        instrument = work.catalogue.staff_title(row.instrument, language)
        found.append(
            ExpectedFormLine(row, form_status(work, row, participant.time_zone), title, instrument, assessment)
        )
    return found


def form_status(work: UnitOfWork, row: ExpectedForm, zone: str) -> str:
    """Return the current status of an expected form, as in ``ExpectedFormLine``.

    ``zone``: the participant's time zone.
    """
    if row.received_at is not None:
        if row.partial:
            return "partial"
        return "received" if row.nearest else "served_elsewhere"
    return visit_status(schedule_service.expected_visit_of(row, zone), work.now).value


def count_compliance(found: Sequence[ExpectedFormLine]) -> ComplianceCounts:
    """Return compliance counts; forms that are not mandatory count only if received."""
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
    """Record the visits that an answered form serves and drop unsent messages about it."""
    schedule_service.record_served_visits(work, assessment)
    # After locking the expected forms, so that a reminder queued at the same time is either seen or not written.
    work.session.flush()
    about = (
        Message.assessment_id == assessment.id,
        Message.participant_id == assessment.participant_id,
        Message.template.not_in(message_rendering.URGENT_ADVICE),
    )
    outbox.drop_messages(work, and_(*about), "answered")


def set_missing_reason(work: UnitOfWork, expected_form_id: int, reason: str, note: str = "") -> ExpectedForm:
    """Store why a form is missing, and return the expected form.

    Raise NotFound("expected"), RecordFrozen, and BadData("reason", fields=...) for an unknown reason, a long note, or a
    form that is not missing.
    """
    row = work.session.get(ExpectedForm, expected_form_id)
    if row is None:
        raise NotFound("expected")
    person = work.session.get_one(Participant, row.participant_id)
    record_freezes.require_unfrozen(work, person.plan, person.id)
    fields = {
        "reason": "" if reason in MISSING_REASONS else "unknown",
        "note": "too_long" if len(note) > NOTE_LENGTH else "",
    }
    if row.received_at is not None or row.missed_at is None:
        fields["reason"] = "not_missing"
    wrong = {field: why for field, why in fields.items() if why}
    if wrong:
        raise BadData("reason", fields=wrong)
    old = row.missing_reason
    row.missing_reason, row.missing_note = reason, note.strip()
    row.reason_by, row.reason_at = work.actor.id, work.now
    work.record("expected_form.reason", row, participant_id=row.participant_id, old=old or None, new=reason)
    return row
