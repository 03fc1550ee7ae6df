"""The outbox: a message is a row beside the fact that caused it; claimed, sent with no transaction open, stored.

``queue`` and ``deliver`` may both run twice. As many messages are claimed as there are free lines to the providers, and
each is handed over at once: a claim therefore means "may have been sent". A process that dies between a provider's yes
and our commit leaves claims behind; after ``LEASE`` an alert is sent again (a duplicate is better than silence), the
rest is shown to staff as lost. What still waited for a line was never claimed, and is sent by whoever comes next.
"""

from __future__ import annotations

import json
import logging
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from time import monotonic
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, defer

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.messaging import message_limit
from pro.messaging.provider_calls import CallPool, Claim, SentOutcome
from pro.messaging.retry_policy import RETRY_POLICIES, retry_pause
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, Sender
from pro.models.message import Message

log = logging.getLogger(__name__)

Repeat = Literal["prefer_duplicate", "prefer_silence"]
LEASE = timedelta(minutes=10)
CHANNELS = ("email", "sms")
# Rows of each kind that are tidied up in one go; after a long outage there may be very many.
CLEANUP_BATCH = 1000
# A call that takes longer, in seconds, is left on its line for the next time: other things are due too.
WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """One message to queue. ``dedupe_key`` is stored in clear: it names rows ("alert:42:email:7"), never an address.

    Times are aware; it goes out from ``not_before`` to ``not_after``.
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
    drill_id: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None


def queue(work: UnitOfWork, draft: MessageDraft) -> Message | None:
    """Put one message into the outbox, or return None if its ``dedupe_key`` is there already.

    What is over its number's budget is there as well, dropped.
    """
    row = _message_row(work, draft)
    message_limit.apply_limits(work, [row])
    message = work.session.scalars(_insert_statement(work).values(row).returning(Message)).one_or_none()
    if message is not None and message.dropped_at:
        _record(work, "message.dropped", message, message.failure)
    return message


def queue_all(work: UnitOfWork, drafts: Sequence[MessageDraft]) -> None:
    """Put many messages into the outbox at once, as ``queue``."""
    rows = [_message_row(work, draft) for draft in drafts]
    message_limit.apply_limits(work, rows)
    over = {row["dedupe_key"] for row in rows if row["dropped_at"]}
    if over:
        over -= set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(over))))
    if rows:
        work.session.execute(_insert_statement(work), rows)
    for message in work.session.scalars(select(Message).where(Message.dedupe_key.in_(over))) if over else ():
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
        "language": draft.language,
        "staff_id": draft.staff_id,
        "participant_id": draft.participant_id,
        "assessment_id": draft.assessment_id,
        "alert_id": draft.alert_id,
        "drill_id": draft.drill_id,
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
    """Take every message that meets ``which`` and was not sent out of the outbox; how many. ``reason``: as failures."""
    query = select(Message).where(is_unfinished(), which).order_by(Message.id).with_for_update()
    messages = list(work.session.scalars(query))
    for message in messages:
        message.dropped_at, message.failure = work.now, reason
        _record(work, "message.dropped", message, reason)
    return len(messages)


class ProviderCalls(CallPool[Claim, SentOutcome | ProviderUnreachable | ProviderRefused]):
    """What a worker keeps from one ``deliver`` to the next, so that a provider that hangs stops nothing else."""


def deliver(
    app_context: AppContext,
    senders: Mapping[str, Sender],
    worker: str,
    limit: int = 20,
    *,
    seconds: float = math.inf,
    calls: ProviderCalls | None = None,
) -> int:
    """Send what is due, alerts first: at most ``limit``, none begun after ``seconds``. Returns how many were tried.

    A message is claimed only when a line for it is free, so an alert that is queued meanwhile waits for one call of a
    provider at most. With ``lines`` a call that hangs is left there and stored by a later ``deliver`` or ``hang_up``
    with the same lines; without, every call is waited for.
    """
    held = calls or ProviderCalls()
    if not held.busy and not _has_work(app_context):
        return 0
    end, tried, flows = monotonic() + seconds, 0, True
    try:
        _release_lapsed_claims(app_context)
        while tried < limit and monotonic() < end and flows:
            tried += _store_and_claim(app_context, senders, worker, held, limit - tried)
            if not held.busy:
                break
            flows = held.wait(WAIT_SECONDS) or calls is None
        if flows and calls is not None:
            held.wait(WAIT_SECONDS, every=True)
            _store_and_claim(app_context, senders, worker, held, 0)
    finally:
        if calls is None:
            drain_calls(app_context, held)
    return tried


def drain_calls(app_context: AppContext, calls: ProviderCalls) -> None:
    """Wait for every call that is under way and keep what came of it."""
    calls.close()
    _store_and_claim(app_context, {}, "", calls, 0)


def is_unfinished() -> ColumnElement[bool]:
    """Neither sent nor given up nor dropped."""
    return and_(Message.sent_at.is_(None), Message.failed_at.is_(None), Message.dropped_at.is_(None))


def _has_work(app_context: AppContext) -> bool:
    """Whether there is work at all, asked as a reader: an idle worker must not take the writer's place every second."""
    now = app_context.clock()
    free = Message.claimed_at.is_(None)
    # Each the first row of its index: without an order PostgreSQL may read through all that was ever sent.
    first = [
        select(Message.id)
        .where(is_unfinished(), free, Message.channel == channel, Message.next_try_at <= now)
        .order_by(Message.next_try_at)
        for channel in CHANNELS
    ]
    first += [which.with_only_columns(Message.id) for which in (_lapsed_claims(now), _expired_messages(now))]
    with Session(app_context.reader) as session:
        found = session.execute(select(*(query.limit(1).scalar_subquery() for query in first))).one()
    return any(number is not None for number in found)


def _lapsed_claims(now: datetime) -> Select[Message]:
    """Claims that outlived their lease."""
    return select(Message).where(is_unfinished(), Message.claimed_at < now - LEASE).order_by(Message.claimed_at)


def _expired_messages(now: datetime) -> Select[Message]:
    """What is too late to be of use."""
    late = and_(Message.claimed_at.is_(None), Message.not_after < now)
    return select(Message).where(is_unfinished(), late).order_by(Message.not_after)


def _release_lapsed_claims(app_context: AppContext) -> None:
    """Give back or give up claims that outlived their lease; drop what is too late to be of use."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        for message in session.scalars(_lapsed_claims(work.now).limit(CLEANUP_BATCH).with_for_update(skip_locked=True)):
            _release(message)
            if message.repeat == "prefer_duplicate":
                message.next_try_at = work.now
                log.warning("message %s came back after a claim that lapsed", message.id)
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
    """In one transaction keep what ended and claim what free lines can take, at most ``room``; then hand that over.

    How many were claimed. What ended stays with the lines until it is committed.
    """
    ended = calls.ended()
    free = {name: calls.free(name, senders.get(name)) + sum(one.channel == name for one in ended) for name in CHANNELS}
    if not ended and not (room and any(free.values())):
        return 0
    with transaction(app_context.engine) as session:
        stored = _store_outcomes(app_context.unit_of_work(session), [(one.subject, one.outcome) for one in ended])
        claims = _claim(session, worker, app_context.clock(), free, room) if room else []
    calls.release(ended)
    for claim in claims:
        calls.start_call(claim.message.channel, claim, partial(_send, app_context, senders, claim))
    for message in stored:
        log.info("message %s by %s: %s", message.id, message.channel, message.failure or message.status)
    return len(claims)


def _claim(session: Session, worker: str, now: datetime, free: Mapping[str, int], room: int) -> list[Claim]:
    """Take due messages for the free lines: alerts and drills first, then what is due longest.

    Two workers never get the same.
    """
    claimed: list[Message] = []
    left = dict(free)
    # Written out, so that PostgreSQL sees that the index of the loud ones fits.
    loud = Message.repeat == literal_column("'prefer_duplicate'")
    for first, channel in product((loud, ~loud), CHANNELS):
        if number := min(left[channel], room - len(claimed)):
            due = (
                select(Message)
                .where(
                    is_unfinished(),
                    first,
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
        stamp = stamp.values(claimed_at=now, claimed_by=worker, tries=Message.tries + 1)
        session.execute(stamp.execution_options(synchronize_session=False))
    return [Claim(message, worker, now) for message in claimed]


def _send(
    app_context: AppContext, senders: Mapping[str, Sender], claim: Claim
) -> SentOutcome | ProviderUnreachable | ProviderRefused:
    """Call the provider, with no transaction open. Whatever it raises becomes one of the two failures."""
    message = claim.message
    sender = senders.get(message.channel)
    if sender is None:
        return ProviderRefused("no_sender")
    try:
        letter = _open_letter(app_context, message)
    except ValueError:
        return ProviderRefused("key_missing")
    try:
        # No text in PostgreSQL holds a NUL: one spoilt reference must not keep the others from being stored.
        return SentOutcome(sender.send(letter).replace("\0", "")[:128])
    except (ProviderUnreachable, ProviderRefused) as failure:
        return failure
    except Exception as error:
        # A sender's bug must not stop the outbox. The class only: the text of such a failure may hold the address.
        return ProviderUnreachable(f"unforeseen:{type(error).__name__}")


def _open_letter(app_context: AppContext, message: Message) -> Letter:
    """The row, opened. ValueError if it was sealed under a key that is gone."""
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


def _store_outcomes(
    work: UnitOfWork, outcomes: Sequence[tuple[Claim, SentOutcome | ProviderUnreachable | ProviderRefused]]
) -> list[Message]:
    """Keep what came of tries."""
    ids = [claim.message.id for claim, _outcome in outcomes]
    # What is sealed is not needed here.
    sealed = [defer(column) for column in (Message.address_sealed, Message.params_sealed, Message.body_sealed)]
    query = select(Message).where(Message.id.in_(ids)).order_by(Message.id).with_for_update().options(*sealed)
    messages = {message.id: message for message in work.session.scalars(query)} if ids else {}
    for claim, outcome in outcomes:
        message = messages[claim.message.id]
        # Someone else may hold the row now, because this try outlived its lease.
        ours = (message.claimed_by, message.claimed_at) == (claim.by, claim.at)
        if isinstance(outcome, SentOutcome):
            if message.sent_at is None:
                # True even if the row was given up or dropped meanwhile: it did go out.
                message.sent_at, message.failed_at, message.dropped_at = work.now, None, None
                message.reference, message.failure = outcome.reference, ""
                _release(message)
                _record(work, "message.sent", message)
        elif ours:
            _release(message)
            if message.dropped_at is None:
                _put_back(work, message, outcome)
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
    new = {"channel": message.channel, "template": message.template, "tries": message.tries}
    if message.reference:
        new["reference"] = message.reference
    work.record(action, message, participant_id=message.participant_id, new=new, reason=reason)
