"""Queue and deliver messages: claim a row, send it, store the outcome.

A message is a row that is written in the same transaction as the fact that caused it. ``queue`` and ``deliver`` may
both run twice. No transaction is open while a message is sent. Only as many messages are claimed as there are free
calls to the providers, and each is sent at once: a claim therefore means "may have been sent". A process that dies
between the provider's answer and the commit leaves claims behind, which nothing renews (``messaging.claims``). A minute
later an alert is sent again (a duplicate is better than no alert); any other message is shown to staff as lost. A call
that takes too long is abandoned in the same way: it may have been sent. A message that was not claimed yet is sent by
the next worker.
"""

from __future__ import annotations

import json
import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import product
from time import monotonic
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, defer

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.i18n import LANGUAGES, choose_language
from pro.messaging import message_limit
from pro.messaging.claims import ClaimTimes, ProviderCalls, StoredClaim, new_claim_name, read_claims
from pro.messaging.provider_calls import CallOutcome, Claim, SentOutcome
from pro.messaging.retry_policy import RETRY_POLICIES, retry_pause
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, Sender
from pro.models import Alert, StaffMember
from pro.models.message import Message

log = logging.getLogger(__name__)

Repeat = Literal["prefer_duplicate", "prefer_silence"]
CHANNELS = ("email", "sms")
# Rows of each kind that are cleaned up at once; after a long outage there may be very many.
CLEANUP_BATCH = 1000
__all__ = [
    "ClaimTimes",
    "MessageDraft",
    "ProviderCalls",
    "deliver",
    "deliver_in_transaction",
    "drain_calls",
    "drop_messages",
    "is_blocked",
    "is_unfinished",
    "queue",
    "queue_all",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """One message to queue.

    ``dedupe_key`` is stored in clear: it names rows ("alert:42:email:7"), never an address. Times are aware. The
    message is sent from ``not_before`` to ``not_after``.
    """

    dedupe_key: str
    channel: str
    template: str
    params: Mapping[str, Any]
    language: str
    address: str
    body: str
    repeat: Repeat
    subject: str = ""
    staff_id: int | None = None
    participant_id: int | None = None
    assessment_id: int | None = None
    alert_id: int | None = None
    case_key: str = ""
    test_alert_id: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None


def queue(work: UnitOfWork, draft: MessageDraft) -> Message | None:
    """Put one message into the outbox; return None if its ``dedupe_key`` exists already.

    A message over the limit of its number is stored as dropped.
    """
    row = _message_row(work, draft)
    message_limit.apply_limits(work, [row])
    message = work.session.scalars(_insert_statement(work).values(row).returning(Message)).one_or_none()
    if message is not None and message.dropped_at:
        _record(work, "message.dropped", message, message.failure)
    return message


def queue_all(work: UnitOfWork, drafts: Sequence[MessageDraft]) -> None:
    """Put many messages into the outbox at once, as ``queue`` does."""
    rows = [_message_row(work, draft) for draft in drafts]
    message_limit.apply_limits(work, rows)
    dropped = {row["dedupe_key"] for row in rows if row["dropped_at"]}
    if dropped:
        dropped -= set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(dropped))))
    if rows:
        work.session.execute(_insert_statement(work), rows)
    for message in work.session.scalars(select(Message).where(Message.dedupe_key.in_(dropped))) if dropped else ():
        _record(work, "message.dropped", message, message.failure)


def _insert_statement(work: UnitOfWork) -> Any:
    engine = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    return engine.insert(Message).on_conflict_do_nothing(index_elements=["dedupe_key"])


def _message_row(work: UnitOfWork, draft: MessageDraft) -> dict[str, Any]:
    seal = work.vault.seal
    return {
        "dedupe_key": draft.dedupe_key,
        "channel": draft.channel,
        "template": draft.template,
        "language": choose_language(draft.language, LANGUAGES),
        "staff_id": draft.staff_id,
        "participant_id": draft.participant_id,
        "assessment_id": draft.assessment_id,
        "alert_id": draft.alert_id,
        "case_key": draft.case_key,
        "test_alert_id": draft.test_alert_id,
        "address_sealed": seal(draft.address),
        "params_sealed": seal(json.dumps(dict(draft.params), ensure_ascii=False)),
        "subject": draft.subject,
        "body_sealed": seal(draft.body),
        "repeat": draft.repeat,
        "queued_at": work.now,
        "next_try_at": max(work.now, draft.not_before) if draft.not_before else work.now,
        "not_after": draft.not_after,
        "tries": 0,
        "failure": "",
        "dropped_at": None,
        **message_limit.limit_fingerprints(work, draft.channel, draft.address, draft.body),
    }


def drop_messages(work: UnitOfWork, which: ColumnElement[bool], reason: str) -> int:
    """Drop the unsent messages that meet ``which`` and return how many.

    ``reason`` is a key as in ``failure_sentence``.
    """
    query = select(Message).where(is_unfinished(), which).order_by(Message.id).with_for_update()
    messages = list(work.session.scalars(query))
    for message in messages:
        message.dropped_at, message.failure = work.now, reason
        _record(work, "message.dropped", message, reason)
    return len(messages)


def deliver(
    app_context: AppContext,
    senders: Mapping[str, Sender],
    worker: str,
    limit: int = 20,
    *,
    seconds: float = math.inf,
    calls: ProviderCalls | None = None,
) -> int:
    """Send due messages, alerts first, and return how many were tried.

    ``limit``: the most messages; ``seconds``: none is claimed later than this.

    A message is claimed only when a call is free, so an alert that is queued meanwhile waits for one call at most. With
    ``calls``, a call that hangs is left there and stored by a later ``deliver`` or ``drain_calls`` with the same
    ``calls``; without, every call is waited for.
    """
    held = calls or ProviderCalls()
    found = _find_work(app_context, held, by_clock_alone=calls is None)
    if not held.busy and not found.due and not found.needs_cleanup:
        return 0
    end, tried, call_ended = monotonic() + seconds, 0, True
    wait_seconds = held.times.wait
    try:
        if found.needs_cleanup:
            _clean_up(app_context, found)
        while tried < limit and monotonic() < end and call_ended:
            tried += _store_and_claim(app_context, senders, worker, held, limit - tried)
            if not held.busy:
                break
            call_ended = held.wait(wait_seconds) or calls is None
        if call_ended and calls is not None:
            held.wait(wait_seconds, every=True)
            _store_and_claim(app_context, senders, worker, held, 0)
    finally:
        if calls is None:
            drain_calls(app_context, held)
    return tried


def deliver_in_transaction(work: UnitOfWork, senders: Mapping[str, Sender]) -> int:
    """Send what is due at ``work.now`` one after the other within the open transaction; return how many were sent.

    Only for senders that call no provider, such as the demonstration's, whose past is written in one transaction.
    """
    claims = _claim(work.session, "in transaction", work.now, dict.fromkeys(CHANNELS, CLEANUP_BATCH), CLEANUP_BATCH)
    outcomes = [(claim, _send(work.app_context, senders, claim)) for claim in claims]
    for claim in claims:
        # The claim was stamped by a statement that the session does not know of.
        work.session.refresh(claim.message)
    _store_outcomes(work, outcomes)
    return len(claims)


def drain_calls(app_context: AppContext, calls: ProviderCalls) -> None:
    """Wait for every call that is under way, until its limit at most, and store its outcome."""
    try:
        calls.close()
        _store_and_claim(app_context, {}, "", calls, 0)
    finally:
        calls.stop_renewing()


def is_blocked(senders: Mapping[str, Sender], calls: ProviderCalls) -> bool:
    """Return True if a channel sends nothing any more, because its calls never end."""
    return any(calls.is_blocked(channel, sender) for channel, sender in senders.items())


def is_unfinished() -> ColumnElement[bool]:
    """Select messages that are neither sent nor failed nor dropped."""
    return and_(Message.sent_at.is_(None), Message.failed_at.is_(None), Message.dropped_at.is_(None))


@dataclass(frozen=True, slots=True)
class _Work:
    """What a delivery finds: whether messages are due, the claims that lapsed, whether messages are too late."""

    due: bool
    lapsed: Sequence[StoredClaim]
    expired: bool

    @property
    def needs_cleanup(self) -> bool:
        return bool(self.lapsed) or self.expired


def _find_work(app_context: AppContext, calls: ProviderCalls, *, by_clock_alone: bool) -> _Work:
    """Find what there is to do.

    Only reads: an idle worker must not take the write lock every second.
    """
    now = app_context.clock()
    free = Message.claimed_at.is_(None)
    # One index row per query: without an order PostgreSQL may read through all sent messages.
    first = [
        select(Message.id)
        .where(is_unfinished(), free, Message.channel == channel, Message.next_try_at <= now)
        .order_by(Message.next_try_at)
        for channel in CHANNELS
    ]
    first.append(_expired_messages(now).with_only_columns(Message.id))
    with Session(app_context.reader) as session:
        lapsed = calls.find_lapsed(read_claims(session), now, by_clock_alone=by_clock_alone)
        *due, expired = session.execute(select(*(query.limit(1).scalar_subquery() for query in first))).one()
    return _Work(any(number is not None for number in due), lapsed, expired is not None)


def _expired_messages(now: datetime) -> Select[Message]:
    """Select messages whose ``not_after`` has passed."""
    late = and_(Message.claimed_at.is_(None), Message.not_after < now)
    return select(Message).where(is_unfinished(), late).order_by(Message.not_after)


def _clean_up(app_context: AppContext, found: _Work) -> None:
    """Release or fail messages whose claims lapsed; drop messages that are too late."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        lapsed = {claim.message_id: (claim.by, claim.at) for claim in found.lapsed}
        claimed = select(Message).where(Message.id.in_(lapsed)).order_by(Message.id)
        for message in session.scalars(claimed.with_for_update(skip_locked=True)):
            if (message.claimed_by, message.claimed_at) != lapsed[message.id]:
                continue  # renewed, or released by another worker, since it was read
            _release(message)
            if message.status != "waiting":
                continue
            if message.repeat == "prefer_duplicate":
                message.next_try_at = work.now
                log.warning("message claim lapsed message=%s", message.id)
            else:
                _fail(work, message, "lost")
        for message in session.scalars(
            _expired_messages(work.now).limit(CLEANUP_BATCH).with_for_update(skip_locked=True)
        ):
            if message.failed_at is None:
                message.dropped_at = work.now
                message.failure = "too_late"
                _record(work, "message.dropped", message, message.failure)


def _store_and_claim(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, calls: ProviderCalls, room: int
) -> int:
    """Store ended calls and claim at most ``room`` messages in one transaction; then send.

    Returns how many were claimed. Ended calls stay in ``calls`` until the transaction is committed.
    """
    ended = calls.ended()
    free = {name: calls.free(name, senders.get(name), ended) for name in CHANNELS}
    if not ended and not (room and any(free.values())):
        return 0
    with transaction(app_context.engine) as session:
        stored = _store_outcomes(app_context.unit_of_work(session), [(one.subject, one.outcome) for one in ended])
        claims = _claim(session, worker, app_context.clock(), free, room) if room else []
    calls.release(ended)
    for claim in claims:
        calls.start_call(claim.message.channel, claim, partial(_send, app_context, senders, claim))
    if claims:
        calls.start_renewing(app_context)
    for message in stored:
        log.info(
            "message call ended message=%s channel=%s status=%s",
            message.id,
            message.channel,
            message.failure or message.status,
        )
    return len(claims)


def _claim(session: Session, worker: str, now: datetime, free: Mapping[str, int], room: int) -> list[Claim]:
    """Claim due messages for the free calls: alerts first, then the longest due.

    Test alerts count as alerts. Two workers never get the same message.
    """
    by = new_claim_name(worker)
    claimed: list[Message] = []
    left = dict(free)
    # Written as a literal, so that PostgreSQL can use the index of the alert messages.
    is_alert = Message.repeat == literal_column("'prefer_duplicate'")
    for wanted, channel in product((is_alert, ~is_alert), CHANNELS):
        if number := min(left[channel], room - len(claimed)):
            due = (
                select(Message)
                .where(
                    is_unfinished(),
                    wanted,
                    Message.channel == channel,
                    Message.claimed_at.is_(None),
                    Message.next_try_at <= now,
                    or_(Message.not_after.is_(None), Message.not_after >= now),
                )
                .order_by(Message.next_try_at, Message.id)
                .limit(number)
                .with_for_update(skip_locked=True)
            )
            found = session.scalars(due).all()
            left[channel] -= len(found)
            claimed += found
    if claimed:
        stamp = update(Message).where(Message.id.in_([message.id for message in claimed]))
        stamp = stamp.values(claimed_at=now, claimed_by=by, tries=Message.tries + 1)
        session.execute(stamp.execution_options(synchronize_session=False))
    return [Claim(message, by) for message in claimed]


def _send(app_context: AppContext, senders: Mapping[str, Sender], claim: Claim) -> CallOutcome:
    """Call the provider, with no transaction open; return any exception as a failure."""
    message = claim.message
    sender = senders.get(message.channel)
    if sender is None:
        return ProviderRefused("no_sender")
    try:
        letter = _open_letter(app_context, message)
    except ValueError:
        return ProviderRefused("key_missing")
    try:
        # A PostgreSQL text holds no NUL: one bad reference must not prevent storing the others.
        return SentOutcome(sender.send(letter).replace("\0", "")[:128])
    except (ProviderUnreachable, ProviderRefused) as failure:
        return failure
    except Exception as error:
        # A sender's bug must not stop the outbox. The class only: the message of such an exception may hold the
        # address.
        return ProviderUnreachable(f"unforeseen:{type(error).__name__}")


def _open_letter(app_context: AppContext, message: Message) -> Letter:
    """Return the row with its content opened.

    Raises ValueError if it was sealed under a key that is missing.
    """
    return Letter(
        channel=message.channel,
        address=app_context.vault.open(message.address_sealed),
        subject=message.subject,
        text=app_context.vault.open(message.body_sealed),
        template=message.template,
        params=json.loads(app_context.vault.open(message.params_sealed)),
        language=message.language,
        message_id=app_context.vault.fingerprint(f"message:{message.dedupe_key}")[:32],
        written_at=message.queued_at,
    )


def _store_outcomes(work: UnitOfWork, outcomes: Sequence[tuple[Claim, CallOutcome | None]]) -> list[Message]:
    """Store the outcomes of calls and return their messages. No outcome: the call is over its limit."""
    ids = [claim.message.id for claim, _outcome in outcomes]
    # The sealed columns are not needed here.
    sealed = [defer(column) for column in (Message.address_sealed, Message.params_sealed, Message.body_sealed)]
    query = select(Message).where(Message.id.in_(ids)).order_by(Message.id).with_for_update().options(*sealed)
    messages = {message.id: message for message in work.session.scalars(query)} if ids else {}
    for claim, outcome in outcomes:
        message = messages[claim.message.id]
        # The row may be free or claimed again: this call is over its limit, or its claim was not renewed in time.
        ours = message.claimed_by == claim.by
        if isinstance(outcome, SentOutcome):
            if message.sent_at is None:
                # Also if the row was failed or dropped meanwhile: the message was sent.
                message.sent_at, message.failed_at, message.dropped_at = work.now, None, None
                message.reference, message.failure = outcome.reference, ""
                _release(message)
                _record(work, "message.sent", message)
        elif ours:
            _release(message)
            if message.dropped_at is None:
                _put_back(work, message, outcome or ProviderUnreachable("time_out:call", maybe_sent=True))
    return list(messages.values())


def _put_back(work: UnitOfWork, message: Message, failure: ProviderUnreachable | ProviderRefused) -> None:
    if isinstance(failure, ProviderRefused) or (failure.maybe_sent and message.repeat == "prefer_silence"):
        _fail(work, message, failure.reason if isinstance(failure, ProviderRefused) else f"unsure:{failure.reason}")
    elif message.tries >= RETRY_POLICIES[message.repeat].tries:
        _fail(work, message, failure.reason)
    else:
        # Jitter needs no secrecy.
        chance = random.random()  # noqa: S311  # nosec B311
        message.next_try_at = work.now + retry_pause(message.tries, message.repeat, chance, failure.retry_after)
        message.failure = failure.reason[:255]


def _fail(work: UnitOfWork, message: Message, reason: str) -> None:
    message.failed_at = work.now
    message.failure = reason[:255]
    _record(work, "message.failed", message, message.failure)


def _release(message: Message) -> None:
    message.claimed_at = None
    message.claimed_by = None


def _record(work: UnitOfWork, action: str, message: Message, reason: str = "") -> None:
    new: dict[str, object] = {"channel": message.channel, "template": message.template, "tries": message.tries}
    if message.reference:
        new["reference"] = message.reference
    work.record(action, message, participant_id=_about(work, message, new), new=new, reason=reason)


def _about(work: UnitOfWork, message: Message, new: dict[str, object]) -> int | None:
    """Return the participant whom ``message`` is about; add alert and recipient (role, account) to ``new``."""
    alert = work.session.get(Alert, message.alert_id) if message.alert_id else None
    staff = work.session.get(StaffMember, message.staff_id) if message.staff_id else None
    if alert is not None:
        new["alert"] = alert.id
    if staff is not None:
        new |= {"role": staff.role, "staff": staff.id}
    elif message.participant_id is not None:
        new["role"] = "participant"
    return alert.participant_id if alert is not None else message.participant_id
