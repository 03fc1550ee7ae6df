"""Incoming text messages from participants and unknown senders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime, partial_index

# A text that waits for a reader; features.alerts.message_reading asks for it in the same words.
UNREAD = "read_at IS NULL AND (kind NOT IN ('answer', 'command') OR level > 0)"


class IncomingMessage(Base):
    """One incoming text by ``channel`` (sms, chat). Address and text are encrypted.

    ``provider_id``: the provider's id; a second delivery with the same id is ignored. ``participant_id``: None for an
    unknown number (quarantine). ``assessment_id``: the form that the text was taken to belong to. ``kind``: answer,
    command, unclear, late, text (no question was open) or unmatched. ``level`` and ``red_flags``: the result of the
    screening for red flags. ``read_at``: when a staff member had read the text; an answer needs no reader.
    """

    __tablename__ = "incoming_message"
    __table_args__ = (
        Index("ix_incoming_message_fingerprint_at", "fingerprint", "received_at"),
        partial_index("ix_incoming_message_unread", UNREAD, "participant_id", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))
    provider_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    address_sealed: Mapped[str] = mapped_column(Text)
    text_sealed: Mapped[str] = mapped_column(Text)
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True)
    item: Mapped[str] = mapped_column(String(64), default="")
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(32), default="")
    level: Mapped[int] = mapped_column(default=0)
    red_flags: Mapped[list[Any]] = mapped_column(Json, default=list)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
