"""The messages about one alert: to whom by role, by which way, and whether they arrived. Never an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.messaging import message_rendering
from pro.models import Message, StaffMember

# What somebody may have to act on stands first.
STATUS_ORDER = ("failed", "waiting", "sent", "delivered", "dropped")


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message. ``status``: one of ORDER; ``at``: since when; ``tries`` so far. ``role``: the receiver's, "" for the
    participant. ``reason``: why it failed or was dropped, a sentence in the reader's language, or "".
    """

    id: int
    channel: str
    template: str
    status: str
    at: datetime
    role: str
    name: str
    tries: int
    reason: str

    @property
    def is_open(self) -> bool:
        """True while it is not known to have arrived, and was not given up as needless."""
        return self.status not in ("delivered", "dropped")


def read_alert_messages(work: UnitOfWork, alert_ids: Sequence[int], language: str) -> list[AlertMessage]:
    """Every message about these alerts in one query: failed first, then what waits, then the newest."""
    translator = work.app_context.catalogs.translator(language)
    query = (
        select(Message, StaffMember)
        .outerjoin(StaffMember, StaffMember.id == Message.staff_id)
        .where(Message.alert_id.in_(alert_ids))
        .order_by(Message.id.desc())
    )
    found = [
        AlertMessage(
            id=message.id,
            channel=message.channel,
            template=message.template,
            status=message.status,
            at=getattr(message, f"{message.status}_at", None) or message.queued_at,
            role=person.role if person else "",
            name=person.name if person else "",
            tries=message.tries,
            reason=message_rendering.failure_sentence(message.failure, translator),
        )
        for message, person in work.session.execute(query)
    ]
    return sorted(found, key=lambda one: STATUS_ORDER.index(one.status))
