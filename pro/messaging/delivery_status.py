"""Read what became of the messages about alerts: which staff member was told of which alert, and by which channel.

Told (docs/alerts.md 1): a provider accepted a message, and it was not reported as failed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from pro.messaging.outbox import is_unfinished
from pro.models import Alert
from pro.models.message import Message

# A failure that begins so may have been sent; it is never sent again by itself.
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The messages about one alert to one staff member by one channel; dropped ones do not count.

    ``source`` and ``level``: of the alert. ``notified_at``: when the last one that counts as told was accepted.
    ``pending_since``: when the oldest one that is neither accepted nor given up was queued, and ``tries``: how often
    the most tried of these was tried, or is being tried. ``refused_at``: when the last one was refused for good, tried
    as often as allowed, or reported as failed. ``unsure_at``: when the last one was given up that may have been sent.
    """

    alert_id: int
    source: str
    level: int
    staff_id: int | None
    channel: str
    notified_at: datetime | None
    pending_since: datetime | None
    tries: int
    refused_at: datetime | None
    unsure_at: datetime | None

    @property
    def is_notified(self) -> bool:
        """Return True if at least one message was accepted and not reported as failed since."""
        return self.notified_at is not None

    @property
    def has_failed(self) -> bool:
        """Return True if nothing was accepted and nothing will be tried again."""
        failed = self.refused_at is not None or self.unsure_at is not None
        return failed and self.notified_at is None and self.pending_since is None


def read_delivery_status(session: Session, which: ColumnElement[bool]) -> Sequence[DeliveryStatus]:
    """Return the delivery status of the messages about alerts that meet ``which``, by alert, person and channel.

    ``which`` is a condition on Message or Alert that an index serves, such as ``Message.alert_id.in_(...)`` or
    ``Alert.source == ...``.
    """
    told = and_(Message.sent_at.is_not(None), Message.failed_at.is_(None))
    pending = is_unfinished()
    unsure = and_(Message.failed_at.is_not(None), Message.failure.like(f"{UNSURE}%"))
    refused = and_(Message.failed_at.is_not(None), Message.failure.not_like(f"{UNSURE}%"))
    groups = (Alert.id, Alert.source, Alert.level, Message.staff_id, Message.channel)
    query = (
        select(
            *groups,
            func.max(case((told, Message.sent_at))),
            func.min(case((pending, Message.queued_at))),
            func.coalesce(func.max(case((pending, Message.tries))), 0),
            func.max(case((refused, Message.failed_at))),
            func.max(case((unsure, Message.failed_at))),
        )
        .select_from(Alert)
        .join(Message, Message.alert_id == Alert.id)
        .where(which, Message.dropped_at.is_(None))
        .group_by(*groups)
        .order_by(Alert.id, Message.staff_id, Message.channel)
    )
    return [DeliveryStatus(*row) for row in session.execute(query)]
