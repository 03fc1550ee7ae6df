"""Participants, their anchor dates, and their clinical facts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime


class Participant(Base):
    """One participant in one study.

    The phone number is encrypted; its fingerprint finds the participant of an incoming text. ``next_due_at``: when the
    worker processes the visit schedule again, None if nothing is due. ``trend_hidden_at``: when the participant asked
    not to be shown earlier answers after sending.
    """

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("plan", "participant_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    participant_number: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    time_zone: Mapped[str] = mapped_column(String(64))
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    phone_fingerprint: Mapped[str | None] = mapped_column(String(64), index=True)
    pin_hash: Mapped[str | None] = mapped_column(String(256))
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    enrolled_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    died_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opted_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trend_hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    @property
    def is_active(self) -> bool:
        """True while the participant is neither withdrawn nor dead."""
        return self.withdrawn_at is None and self.died_at is None


class Anchor(Base):
    """An anchor date (consent, first dose, last fraction). A change supersedes the row."""

    __tablename__ = "anchor"
    __table_args__ = (Index("ix_anchor_participant_kind", "participant_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    kind: Mapped[str] = mapped_column(String(64))
    number: Mapped[int] = mapped_column(default=0)
    on: Mapped[date] = mapped_column(Date)
    planned: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    superseded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")


class ClinicalFact(Base):
    """A clinical fact by name; the newest row holds.

    ``name``: ``ulcer_status``, ``pd1_exposed``, or ``stable_symptoms`` with its ``item``.
    """

    __tablename__ = "clinical_fact"
    __table_args__ = (Index("ix_clinical_fact_participant_name", "participant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    name: Mapped[str] = mapped_column(String(64))
    item: Mapped[str] = mapped_column(String(64), default="")
    value: Mapped[Any] = mapped_column(Json)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
