"""Count the messages that the outbox has not sent, for the health page and the gauges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from pro.messaging.outbox import is_unfinished
from pro.models.message import Message


@dataclass(frozen=True, slots=True)
class Backlog:
    """Overdue messages: how many, since when, and how many of them have failed tries."""

    waiting: int
    oldest_at: datetime | None
    failed_tries: int


def failed_message_counts(session: Session) -> dict[str, int]:
    """Return channel -> how many messages have failed, in total."""
    query = select(Message.channel, func.count()).where(Message.sent_at.is_(None), Message.failed_at.is_not(None))
    return {row[0]: row[1] for row in session.execute(query.group_by(Message.channel))}


def read_backlog(session: Session, now: datetime, channel: str = "") -> Backlog:
    """Return the messages that are overdue at ``now``, by ``channel`` or all."""
    # Before the first try the time counts from when the message was due, afterwards from when it was queued.
    since = case((Message.tries == 0, Message.next_try_at), else_=Message.queued_at)
    overdue = and_(is_unfinished(), or_(Message.tries > 0, Message.next_try_at <= now))
    if channel:
        overdue = and_(overdue, Message.channel == channel)
    rows = session.execute(
        select(func.count(), func.min(since), func.count(case((Message.failure != "", 1)))).where(overdue)
    ).one()
    return Backlog(waiting=rows[0], oldest_at=rows[1], failed_tries=rows[2])
