"""Signatures: who stood for what, when, and bound to what it said then."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime

# What a signature can mean (21 CFR 11.50).
MEANINGS = ("assessed", "decided", "requested", "approved", "refused", "froze", "unfroze")


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
