"""The audit trail with its chain of seals, electronic signatures, and the worker's heartbeats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime

# What a signature can mean (21 CFR 11.50).
MEANINGS = ("assessed", "decided", "requested", "approved", "refused", "froze", "unfroze")


class AuditEntry(Base):
    """Who did what to what, when, old and new, and why. Never updated, never deleted (triggers refuse it)."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_subject", "subject", "subject_id"),
        Index("ix_event_actor_id", "actor_id", "id"),
        Index("ix_event_action", "action", "id"),
        Index("ix_event_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[int | None] = mapped_column()
    role: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int | None] = mapped_column()
    participant_id: Mapped[int | None] = mapped_column(index=True)
    old: Mapped[Any | None] = mapped_column(Json)
    new: Mapped[Any | None] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(Text)


class Seal(Base):
    """An event's place in the chain: ``digest`` = SHA-256 over the previous digest and the event's canonical text."""

    __tablename__ = "seal"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), unique=True)
    digest: Mapped[str] = mapped_column(String(64))


class Signature(Base):
    """One electronic signature, given after the password was typed again; never changed (triggers refuse it).

    ``name`` and ``role`` as they were then. ``digest``: SHA-256 over all of it and the content that was signed.
    """

    __tablename__ = "signature"
    __table_args__ = (Index("ix_signature_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(32))
    meaning: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int] = mapped_column()
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64))


class Heartbeat(Base):
    """When a loop of the worker last came round."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
