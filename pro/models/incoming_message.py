"""Texts that participants and unknown senders write."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime


class IncomingMessage(Base):
    """One text that reached us by ``channel`` (sms, chat). Address and text are sealed.

    ``provider_id``: the provider's name for it; the same one again is the same text. ``participant_id`` None: the
    number is unknown, a member of staff must look (quarantine). ``assessment_id``: the form that it was taken to belong
    to. ``what``: answer, command, unclear, late, text (nothing was asked) or unmatched. ``level`` and ``hits``: what
    the screening for red flags said. ``read_at``: when a member of staff had read it; an answer needs no reader.
    """

    __tablename__ = "inbound"
    __table_args__ = (
        Index("ix_inbound_fingerprint_at", "fingerprint", "received_at"),
        Index("ix_inbound_unread", "read_at", "received_at"),
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
    what: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(String(32), default="")
    level: Mapped[int] = mapped_column(default=0)
    hits: Mapped[list[Any]] = mapped_column(Json, default=list)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
