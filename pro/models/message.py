"""The outbox: a message is stored before it is sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime, partial_index

_UNFINISHED = "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"


class Message(Base):
    """One message to one address by one channel (email or sms).

    ``template`` and ``params_sealed`` (JSON) are for gateways that accept approved templates only, the rendered text
    for the others. Address, parameters and body are encrypted, because they hold phone numbers and links. ``repeat``:
    "prefer_duplicate" for alerts and test alerts (sent first, and sent again after a lost claim), "prefer_silence" for
    all others. ``address_fingerprint`` and ``text_fingerprint``: keyed fingerprints of a text message's number and
    words, which ``messaging.message_limit`` counts. ``case_key``: the case that a message to
    staff is about, "" for none. ``claimed_by`` names one claim of a worker; it moves ``claimed_at`` while the provider
    is called (``messaging.claims``). ``settled_by``: who did what a failed message required.
    """

    __tablename__ = "message"
    __table_args__ = (
        partial_index("ix_message_due", _UNFINISHED, "channel", "next_try_at", "id"),
        partial_index(
            "ix_message_due_loud", f"{_UNFINISHED} AND repeat = 'prefer_duplicate'", "channel", "next_try_at", "id"
        ),
        partial_index("ix_message_too_late", f"{_UNFINISHED} AND not_after IS NOT NULL", "not_after"),
        partial_index("ix_message_claimed", "claimed_at IS NOT NULL", "claimed_at"),
        partial_index("ix_message_unsettled", "failed_at IS NOT NULL AND settled_at IS NULL", "id"),
        Index("ix_message_number", "address_fingerprint", "queued_at"),
        partial_index("ix_message_case", "case_key <> ''", "case_key", "id"),
        partial_index("ix_message_failed", "failed_at IS NOT NULL", "failed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(128), unique=True)
    channel: Mapped[str] = mapped_column(String(8))
    template: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"), index=True)
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alert.id"), index=True)
    case_key: Mapped[str] = mapped_column(String(64), default="")
    test_alert_id: Mapped[int | None] = mapped_column(ForeignKey("test_alert.id"), index=True)
    address_sealed: Mapped[str] = mapped_column(Text)
    address_fingerprint: Mapped[str | None] = mapped_column(String(64))
    text_fingerprint: Mapped[str | None] = mapped_column(String(64))
    params_sealed: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, default="")
    body_sealed: Mapped[str] = mapped_column(Text)
    repeat: Mapped[str] = mapped_column(String(24))
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reference: Mapped[str | None] = mapped_column(String(128), index=True)
    failure: Mapped[str] = mapped_column(String(255), default="")
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))

    @property
    def status(self) -> str:
        """failed, dropped, delivered, sent, or waiting."""
        for name in ("failed", "dropped", "delivered", "sent"):
            if getattr(self, f"{name}_at"):
                return name
        return "waiting"
