"""What became of messages that left: receipts of the provider, and what staff must do where a phone is not reached."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.features.schedule import missed_forms, participation_end
from pro.models import AuditEntry, Message, Participant

# Said of the phone itself: the next message would fail as well.
PHONE_FAILURES = ("phone_invalid", "phone_unknown", "phone_not_mobile", "phone_unreachable", "phone_blocked")
UNSUBSCRIBED = "unsubscribed"
# Failures are looked at for so long; the worker comes by every few seconds.
FAILURE_WINDOW = timedelta(days=1)
# A receipt may come before the reference of its message is stored; it is kept for so long.
EARLY_WINDOW = timedelta(hours=1)
EARLY_ACTION = "receipt.early"
DELIVERED = ("delivered", "read")
FAILED = ("failed", "undelivered")


def record_receipt(work: UnitOfWork, reference: str, state: str, failure: str) -> Message | None:
    """The provider says what became of the message ``reference``; None for one that is not ours, or not yet known.

    ``state``: the provider's word; ``failure``: as ``Message.failure``. Receipts come twice and in any order: a
    message that arrived stays so, and only a receipt that it arrived takes a failure back.
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
    """Do what the failure of ``message`` asks for: a task for staff, and no more messages to who wants none.

    May run twice. True if anything was done.
    """
    reason = message.failure.partition(":")[0]
    if message.participant_id is None or message.failed_at is None or reason not in (*PHONE_FAILURES, UNSUBSCRIBED):
        return False
    participant = work.session.get_one(Participant, message.participant_id)
    if not participant.is_active:
        return False
    if reason == UNSUBSCRIBED:
        # A participant who sent STOP is told so already; our last word failing says nothing new, and no phone is
        # broken.
        if _has_opted_in_since(work, message) or participant.opted_out_at is not None:
            return False
        participation_end.opt_out(work, participant, "the provider says so")
    return (
        missed_forms.make_call_task(work, participant, missed_forms.UNREACHABLE_PHONE_TASK, f"phone:{message.id}")
        is not None
    )


def act_on_failures(work: UnitOfWork) -> int:
    """Act on the failures that the provider told at once, when a message was handed over, and on receipts that came
    before their message was known; how many were new.
    """
    early = _apply_early_receipts(work)
    reasons = or_(*(Message.failure.like(f"{reason}%") for reason in (*PHONE_FAILURES, UNSUBSCRIBED)))
    query = select(Message).where(
        Message.channel == "sms",
        Message.failed_at > work.now - FAILURE_WINDOW,
        Message.participant_id.is_not(None),
        reasons,
    )
    return early + sum(act_on_failure(work, message) for message in work.session.scalars(query.order_by(Message.id)))


def _keep_early_receipt(work: UnitOfWork, reference: str, state: str, failure: str) -> None:
    """A receipt of an unknown message: it may be on its way into the outbox."""
    new = {"reference": reference, "state": state, "failure": failure[:255]}
    # Of a message, but of no row yet.
    work.record(EARLY_ACTION, Message(), new=new)


def _apply_early_receipts(work: UnitOfWork) -> int:
    """Give kept receipts to their messages; how many changed one."""
    mine = (
        AuditEntry.subject == Message.__tablename__,
        AuditEntry.subject_id.is_(None),
        AuditEntry.action == EARLY_ACTION,
    )
    query = select(AuditEntry).where(*mine, AuditEntry.at > work.now - EARLY_WINDOW).order_by(AuditEntry.id)
    changed = 0
    for said in [event.new or {} for event in work.session.scalars(query)]:
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
    """True if the participant asked for messages again after this one was refused."""
    query = select(AuditEntry.id).where(
        AuditEntry.participant_id == message.participant_id,
        AuditEntry.action == "participant.opted_in",
        AuditEntry.at > (message.failed_at or message.queued_at),
    )
    return work.session.scalar(query.limit(1)) is not None
