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
    """One audit entry: who changed what, when, the old and new values, and why.

    Rows are never changed or deleted (triggers refuse it).
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_subject", "subject", "subject_id"),
        Index("ix_audit_entry_actor_id", "actor_id", "id"),
        Index("ix_audit_entry_action", "action", "id"),
        Index("ix_audit_entry_action_at", "action", "at"),
        Index("ix_audit_entry_at", "at"),
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
    """The position of an audit entry in the hash chain.

    ``digest``: SHA-256 of the previous digest and the entry's canonical JSON.
    """

    __tablename__ = "seal"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    audit_entry_id: Mapped[int] = mapped_column(ForeignKey("audit_entry.id"), unique=True)
    digest: Mapped[str] = mapped_column(String(64))


class Signature(Base):
    """One electronic signature, made after the password was entered again.

    Rows never change (triggers refuse it). ``name`` and ``role``: as at the time of signing. ``digest``: SHA-256 of
    these values and of the signed content. ``shape``: version of the set of fields that the content had, so that a
    field that is added later leaves the signature valid.
    """

    __tablename__ = "signature"
    __table_args__ = (Index("ix_signature_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(32))
    meaning: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int] = mapped_column()
    shape: Mapped[int] = mapped_column(default=1)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64))


class Heartbeat(Base):
    """When a worker job last finished; ``name``: the job."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
