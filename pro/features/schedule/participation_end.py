"""Who leaves the study, or wants no messages any more: effective in the same transaction, also for what is queued."""

from __future__ import annotations

from sqlalchemy import and_, select

from pro.app_context import UnitOfWork
from pro.features.forms import form_access
from pro.features.participants import consent_records
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, Message, Participant


def end_participation(work: UnitOfWork, participant: Participant, *, died: bool, reason: str) -> None:
    """End a participation: every way in closes, nothing that waits is sent. Twice is harmless."""
    if (participant.died_at if died else participant.withdrawn_at) is not None:
        return
    if died:
        participant.died_at = work.now
    else:
        participant.withdrawn_at = work.now
        consent_records.mark_consents_withdrawn(work, participant, "", "")
    for assessment in work.session.scalars(select(Assessment).where(Assessment.participant_id == participant.id)):
        form_access.close_access(work, assessment)
    drop_queued_messages(work, participant)
    action = "participant.died" if died else "participant.withdrawn"
    work.record(action, participant, participant_id=participant.id, reason=reason)


def resume_participation(work: UnitOfWork, participant: Participant, *, died: bool, reason: str) -> None:
    """A death or withdrawal was recorded by mistake. Ways in that were closed stay closed; new ones may be made. A
    consent that the withdrawal ended stands again.
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
    """No more messages. The right to answer stays. Twice is harmless."""
    if participant.opted_out_at is not None:
        return
    participant.opted_out_at = work.now
    drop_queued_messages(work, participant)
    work.record("participant.opted_out", participant, participant_id=participant.id, reason=reason)


def opt_in(work: UnitOfWork, participant: Participant, reason: str = "") -> None:
    """Messages may go out again, from the next one on."""
    if participant.opted_out_at is None:
        return
    participant.opted_out_at = None
    participant.next_due_at = work.now
    work.record("participant.opted_in", participant, participant_id=participant.id, reason=reason)


def drop_queued_messages(work: UnitOfWork, participant: Participant) -> int:
    """What waits to be sent to this person is not sent any more, but for advice in an emergency; how many that were."""
    theirs = Message.participant_id == participant.id
    return outbox.drop_messages(
        work, and_(theirs, Message.template.not_in(message_rendering.URGENT_ADVICE)), "not_wanted"
    )
