"""The outbox: a message is a row beside the fact that caused it; claimed, sent with no transaction open, stored.

``queue`` and ``deliver`` may both run twice. A process that dies between a provider's yes and our commit leaves a claim
behind; after ``LEASE`` an alert is sent again (a duplicate is better than silence), the rest is shown to staff as lost.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pro.db import transaction
from pro.messaging.sender import Letter, Refused, Sender, Unreachable
from pro.models.message import Message
from pro.work import House, Work

log = logging.getLogger(__name__)

Repeat = Literal["prefer_duplicate", "prefer_silence"]
LEASE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on trying: first pause, longest pause, and how many tries in all."""

    first: timedelta
    longest: timedelta
    tries: int


# An alert is tried for about a day, never more than five minutes apart; anything else for about three hours.
PATIENCE: Mapping[str, Patience] = {
    "prefer_duplicate": Patience(timedelta(seconds=5), timedelta(minutes=5), 300),
    "prefer_silence": Patience(timedelta(seconds=30), timedelta(hours=1), 10),
}
LONGEST_RETRY_AFTER = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What should have left by now and has not: how many, since when, how many of them were tried in vain."""

    waiting: int
    oldest_at: datetime | None
    tried_in_vain: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
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
    not_before: datetime | None = None
    not_after: datetime | None = None


def queue(work: Work, draft: Draft) -> Message | None:
    """Put one message into the outbox, or return None if its ``dedupe_key`` is there already."""
    return work.session.scalars(_insert(work).values(_row(work, draft)).returning(Message)).one_or_none()


def queue_all(work: Work, drafts: Sequence[Draft]) -> None:
    """Put many messages into the outbox at once; those whose ``dedupe_key`` is there already are left out."""
    if drafts:
        work.session.execute(_insert(work), [_row(work, draft) for draft in drafts])


def _insert(work: Work) -> Any:
    engine = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    return engine.insert(Message).on_conflict_do_nothing(index_elements=["dedupe_key"])


def _row(work: Work, draft: Draft) -> dict[str, Any]:
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
    }


def drop(work: Work, which: ColumnElement[bool], reason: str) -> int:
    """Take every message that meets ``which`` and was not sent out of the outbox; how many. ``reason``: as failures."""
    query = select(Message).where(_unfinished(), which).order_by(Message.id).with_for_update()
    messages = list(work.session.scalars(query))
    for message in messages:
        message.dropped_at, message.failure = work.now, reason
        _record(work, "message.dropped", message, reason)
    return len(messages)


def deliver(house: House, senders: Mapping[str, Sender], worker: str, limit: int = 20) -> int:
    """Send up to ``limit`` messages that are due, alerts first, and return how many were tried.

    One message is claimed at a time, so an alert that is queued meanwhile waits for one call of a provider at most.
    """
    if not _anything(house):
        return 0
    _tidy(house)
    tried = 0
    while tried < limit and (claim := _claim(house, worker)) is not None:
        tried += 1
        _store(house, claim, _send(house, senders, claim))
    return tried


def backlog(session: Session, now: datetime) -> Backlog:
    """How many messages are overdue at ``now``, for the health page."""
    # Before the first try the wait counts from the time it was due, afterwards from when it was written.
    since = case((Message.tries == 0, Message.next_try_at), else_=Message.queued_at)
    overdue = and_(_unfinished(), or_(Message.tries > 0, Message.next_try_at <= now))
    rows = session.execute(
        select(func.count(), func.min(since), func.count(case((Message.failure != "", 1)))).where(overdue)
    ).one()
    return Backlog(waiting=rows[0], oldest_at=rows[1], tried_in_vain=rows[2])


def pause(tries: int, repeat: str, chance: float, retry_after: float | None = None) -> timedelta:
    """How long to wait after try number ``tries`` (from 1) that failed.

    Doubles from try to try up to the longest pause, then spread by ``chance`` (0 to 1) over 75 to 125 %, so that what
    failed together does not come back together. Never shorter than the provider's ``retry_after`` in seconds.
    """
    patience = PATIENCE[repeat]
    # Twenty doublings reach any longest pause; more would only overflow.
    plain = min(patience.first * (1 << min(tries - 1, 20)), patience.longest)
    spread = plain * (0.75 + chance / 2)
    if retry_after is None:
        return spread
    return max(spread, min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER))


@dataclass(frozen=True, slots=True)
class _Claim:
    """A row that is ours for the length of the lease, and its columns as they were then."""

    message: Message
    at: datetime


@dataclass(frozen=True, slots=True)
class _Sent:
    reference: str


def _unfinished() -> ColumnElement[bool]:
    return and_(Message.sent_at.is_(None), Message.failed_at.is_(None), Message.dropped_at.is_(None))


def _anything(house: House) -> bool:
    """Whether there is work at all, asked as a reader: an idle worker must not take the writer's place every second."""
    now = house.clock()
    touched = or_(
        and_(Message.claimed_at.is_(None), Message.next_try_at <= now),
        Message.claimed_at < now - LEASE,
        Message.not_after < now,
    )
    with Session(house.engine.execution_options(read_only=True)) as session:
        return session.scalar(select(Message.id).where(_unfinished(), touched).limit(1)) is not None


def _tidy(house: House) -> None:
    """Give back or give up claims that outlived their lease; drop what is too late to be of use."""
    with transaction(house.engine) as session:
        work = house.work(session)
        lapsed = select(Message).where(_unfinished(), Message.claimed_at < work.now - LEASE)
        for message in session.scalars(lapsed.with_for_update(skip_locked=True)):
            _release(message)
            if message.repeat == "prefer_duplicate":
                message.next_try_at = work.now
                log.warning("message %s came back after a claim that lapsed", message.id)
            else:
                _fail(work, message, "lost")
        late = select(Message).where(_unfinished(), Message.claimed_at.is_(None), Message.not_after < work.now)
        for message in session.scalars(late.with_for_update(skip_locked=True)):
            if message.failed_at is None:
                message.dropped_at = work.now
                message.failure = "too_late"
                _record(work, "message.dropped", message, message.failure)


def _claim(house: House, worker: str) -> _Claim | None:
    """Take the next due message: alerts first, then the oldest. Two workers never get the same one."""
    with transaction(house.engine) as session:
        now = house.clock()
        due = (
            select(Message)
            .where(
                _unfinished(),
                Message.claimed_at.is_(None),
                Message.next_try_at <= now,
                or_(Message.not_after.is_(None), Message.not_after >= now),
            )
            .order_by(case((Message.alert_id.is_not(None), 0), else_=1), Message.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        message = session.scalars(due).one_or_none()
        if message is None:
            return None
        message.claimed_at = now
        message.claimed_by = worker
        message.tries += 1
    return _Claim(message, now)


def _send(house: House, senders: Mapping[str, Sender], claim: _Claim) -> _Sent | Unreachable | Refused:
    """Call the provider, with no transaction open. Whatever it raises becomes one of the two failures."""
    message = claim.message
    sender = senders.get(message.channel)
    if sender is None:
        return Refused("no_sender")
    try:
        letter = _letter(house, message)
    except ValueError:
        return Refused("key_missing")
    try:
        return _Sent(sender.send(letter)[:128])
    except (Unreachable, Refused) as failure:
        return failure
    except Exception as error:
        # A sender's bug must not stop the outbox. The class only: the text of such a failure may hold the address.
        return Unreachable(f"unforeseen:{type(error).__name__}")


def _letter(house: House, message: Message) -> Letter:
    """The row, opened. ValueError if it was sealed under a key that is gone."""
    return Letter(
        channel=message.channel,
        address=house.vault.open(message.address_sealed),
        subject=message.subject,
        text=house.vault.open(message.body_sealed),
        template=message.template,
        params=json.loads(house.vault.open(message.params_sealed)),
        language=message.language,
        message_id=house.vault.fingerprint(f"message:{message.dedupe_key}")[:32],
        written_at=message.queued_at,
    )


def _store(house: House, claim: _Claim, outcome: _Sent | Unreachable | Refused) -> None:
    """Keep what came of a try, in a short transaction."""
    with transaction(house.engine) as session:
        work = house.work(session)
        message = session.scalars(select(Message).where(Message.id == claim.message.id).with_for_update()).one()
        # Someone else may hold the row now, because this try outlived its lease.
        ours = message.claimed_by == claim.message.claimed_by and message.claimed_at == claim.at
        if isinstance(outcome, _Sent):
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
    log.info("message %s by %s: %s", message.id, message.channel, message.failure or message.status)


def _put_back(work: Work, message: Message, failure: Unreachable | Refused) -> None:
    if isinstance(failure, Refused) or (failure.maybe_sent and message.repeat == "prefer_silence"):
        _fail(work, message, failure.reason if isinstance(failure, Refused) else f"unsure:{failure.reason}")
    elif message.tries >= PATIENCE[message.repeat].tries:
        _fail(work, message, failure.reason)
    else:
        # Jitter needs no secrecy.
        chance = random.random()  # noqa: S311  # nosec B311
        message.next_try_at = work.now + pause(message.tries, message.repeat, chance, failure.retry_after)
        message.failure = failure.reason[:255]


def _fail(work: Work, message: Message, reason: str) -> None:
    message.failed_at = work.now
    message.failure = reason[:255]
    _record(work, "message.failed", message, message.failure)


def _release(message: Message) -> None:
    message.claimed_at = None
    message.claimed_by = None


def _record(work: Work, action: str, message: Message, reason: str = "") -> None:
    new = {"channel": message.channel, "template": message.template, "tries": message.tries}
    if message.reference:
        new["reference"] = message.reference
    work.record(action, message, participant_id=message.participant_id, new=new, reason=reason)
