"""End and resume participation, and opt-out of messages.

Effective in the same transaction, for queued messages as well.
"""

from __future__ import annotations

from sqlalchemy import and_, select

from pro.app_context import UnitOfWork
from pro.features.forms import form_access
from pro.features.participants import consent_records
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, Message, Participant


def end_participation(work: UnitOfWork, participant: Participant, *, died: bool, reason: str) -> None:
    """End participation: cancel all open forms, revoke all access to forms and drop queued messages.

    ``died``: by death, else by withdrawal. Does nothing if that end is recorded already.
    """
    if (participant.died_at if died else participant.withdrawn_at) is not None:
        return
    if died:
        participant.died_at = work.now
    else:
        participant.withdrawn_at = work.now
        consent_records.mark_consents_withdrawn(work, participant, "", "")
    for assessment in work.session.scalars(select(Assessment).where(Assessment.participant_id == participant.id)):
        form_access.close_access(work, assessment)
        if assessment.submitted_at is None and assessment.cancelled_at is None:
            # Forms that were sent by hand as well: they belong to no visit, so the visit schedule does not end them.
            assessment.cancelled_at = work.now
            work.record("assessment.cancelled", assessment, participant_id=participant.id, reason="participation ended")
    drop_queued_messages(work, participant)
    action = "participant.died" if died else "participant.withdrawn"
    work.record(action, participant, participant_id=participant.id, reason=reason)


def resume_participation(work: UnitOfWork, participant: Participant, *, died: bool, reason: str) -> None:
    """Reverse a death or withdrawal that was recorded by mistake.

    Revoked access stays revoked; staff can give new access. Consents that ended with the withdrawal are restored.
    """
    if (participant.died_at if died else participant.withdrawn_at) is None:
        return
    if died:
        participant.died_at = None
    else:
        consent_records.restore_consents(work, participant, reason)
        participant.withdrawn_at = None
    work.record("participant.returned", participant, participant_id=participant.id, reason=reason)


def opt_out(work: UnitOfWork, participant: Participant, reason: str = "") -> None:
    """Stop messages to a participant and drop the queued ones.

    The participant may still answer. Does nothing if the opt-out is recorded already.
    """
    if participant.opted_out_at is not None:
        return
    participant.opted_out_at = work.now
    drop_queued_messages(work, participant)
    work.record("participant.opted_out", participant, participant_id=participant.id, reason=reason)


def opt_in(work: UnitOfWork, participant: Participant, reason: str = "") -> None:
    """Allow messages to a participant again, from the next one on."""
    if participant.opted_out_at is None:
        return
    participant.opted_out_at = None
    participant.next_due_at = work.now
    work.record("participant.opted_in", participant, participant_id=participant.id, reason=reason)


def drop_queued_messages(work: UnitOfWork, participant: Participant) -> int:
    """Drop queued messages to a participant, except emergency advice; return their number."""
    theirs = Message.participant_id == participant.id
    return outbox.drop_messages(
        work, and_(theirs, Message.template.not_in(message_rendering.URGENT_ADVICE)), "not_wanted"
    )
