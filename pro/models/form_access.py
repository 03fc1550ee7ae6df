"""Access to forms: links, access codes, form sessions, cards, and counted failed attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime


class FormAccess(Base):
    """One access to one form; only the fingerprint of its secret is stored.

    ``kind``: link (token in an address), code (typed access code), session (a browser after Start, identified by
    cookie), text (messages from the participant's own phone).
    """

    __tablename__ = "form_access"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    answered_by: Mapped[str] = mapped_column(String(16), default="self")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ParticipantCard(Base):
    """A participant's printed card, whose code or QR link opens due forms with the PIN.

    Only the fingerprints of code (``fingerprint``) and link are stored. ``wrong_tries``: wrong PINs since the last
    correct one; five lock the card. ``used_at``: when the card last opened a form.
    """

    __tablename__ = "participant_card"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    link_fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wrong_tries: Mapped[int] = mapped_column(default=0)
    locked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))


class AccessAttempt(Base):
    """A failed attempt with an access code or a password.

    Attempts are counted per ``key``, the fingerprint of an address or an account.
    """

    __tablename__ = "access_attempt"
    __table_args__ = (Index("ix_access_attempt_kind_key_at", "kind", "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
