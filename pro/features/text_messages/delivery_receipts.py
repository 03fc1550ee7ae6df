"""Record delivery receipts, and act on text messages that failed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.features.schedule import missed_forms, participation_end
from pro.models import AuditEntry, Message, Participant

# Failures of the phone itself: the next message would fail as well.
PHONE_FAILURES = ("phone_invalid", "phone_unknown", "phone_not_mobile", "phone_unreachable", "phone_blocked")
UNSUBSCRIBED = "unsubscribed"
# Age up to which the worker, which runs every few seconds, acts on a failure.
FAILURE_WINDOW = timedelta(days=1)
# Time for which a receipt is kept that comes before the reference of its message is stored.
EARLY_WINDOW = timedelta(hours=1)
EARLY_ACTION = "receipt.early"
DELIVERED = ("delivered", "read")
FAILED = ("failed", "undelivered")


def record_receipt(work: UnitOfWork, reference: str, state: str, failure: str) -> Message | None:
    """Store the delivery status of the message ``reference``.

    ``state``: the provider's word. ``failure``: as ``Message.failure``. Returns the message, or None if the reference
    is unknown or not known yet. Receipts come twice and in any order: a delivered message stays delivered, and only a
    receipt of delivery clears a failure.
    """
    query = select(Message).where(Message.reference == reference, Message.channel == "sms").with_for_update()
    message = work.session.scalar(query.limit(1)) if reference else None
    if message is None and reference and state in (*DELIVERED, *FAILED):
        _keep_early_receipt(work, reference, state, failure)
    if message is None or message.delivered_at is not None:
        return message
    about = {"channel": message.channel, "template": message.template, "reference": reference}
    if state in DELIVERED:
        message.delivered_at, message.failed_at, message.failure = work.now, None, ""
        work.record("message.delivered", message, participant_id=message.participant_id, new=about)
    elif state in FAILED and message.failed_at is None:
        message.failed_at, message.failure = work.now, failure[:255]
        work.record("message.failed", message, participant_id=message.participant_id, new=about, reason=failure)
        act_on_failure(work, message)
    return message


def act_on_failure(work: UnitOfWork, message: Message) -> bool:
    """Do what the failure of ``message`` requires: create a call task, or opt out.

    A second call changes nothing. Returns True if anything was done.
    """
    reason = message.failure.partition(":")[0]
    if message.participant_id is None or message.failed_at is None or reason not in (*PHONE_FAILURES, UNSUBSCRIBED):
        return False
    participant = work.session.get_one(Participant, message.participant_id)
    if not participant.is_active:
        return False
    if reason == UNSUBSCRIBED:
        # A participant who sent STOP has a confirmation already, and the failure says nothing about the phone.
        if _has_opted_in_since(work, message) or participant.opted_out_at is not None:
            return False
        participation_end.opt_out(work, participant, "the provider says so")
    return (
        missed_forms.make_call_task(work, participant, missed_forms.UNREACHABLE_PHONE_TASK, f"phone:{message.id}")
        is not None
    )


def act_on_failures(work: UnitOfWork) -> int:
    """Act on recent failures and early receipts; return how many were new.

    Failures come from the provider's answer when a message is sent; early receipts came before their message was known.
    """
    early = _apply_early_receipts(work)
    reasons = or_(*(Message.failure.like(f"{reason}%") for reason in (*PHONE_FAILURES, UNSUBSCRIBED)))
    query = select(Message).where(
        Message.channel == "sms",
        Message.failed_at > work.now - FAILURE_WINDOW,
        Message.participant_id.is_not(None),
        reasons,
    )
    in_order = query.order_by(Message.failed_at, Message.id)
    return early + sum(act_on_failure(work, message) for message in work.session.scalars(in_order))


def _keep_early_receipt(work: UnitOfWork, reference: str, state: str, failure: str) -> None:
    """Store a receipt of an unknown message, which may not be in the outbox yet."""
    new = {"reference": reference, "state": state, "failure": failure[:255]}
    # The subject is a message that has no row yet.
    work.record(EARLY_ACTION, Message(), new=new)


def _apply_early_receipts(work: UnitOfWork) -> int:
    """Apply stored receipts to their messages; return how many messages changed."""
    mine = (
        AuditEntry.subject == Message.__tablename__,
        AuditEntry.subject_id.is_(None),
        AuditEntry.action == EARLY_ACTION,
    )
    query = select(AuditEntry).where(*mine, AuditEntry.at > work.now - EARLY_WINDOW)
    changed = 0
    for said in [event.new or {} for event in work.session.scalars(query.order_by(AuditEntry.at, AuditEntry.id))]:
        known = select(Message).where(
            Message.reference == said["reference"], Message.channel == "sms", Message.delivered_at.is_(None)
        )
        message = work.session.scalar(known.limit(1))
        if message is not None:
            before = message.status
            record_receipt(work, said["reference"], said["state"], said["failure"])
            changed += message.status != before
    return changed


def _has_opted_in_since(work: UnitOfWork, message: Message) -> bool:
    """Return True if the participant opted in again after this message failed."""
    query = select(AuditEntry.id).where(
        AuditEntry.participant_id == message.participant_id,
        AuditEntry.action == "participant.opted_in",
        AuditEntry.at > (message.failed_at or message.queued_at),
    )
    return work.session.scalar(query.limit(1)) is not None
