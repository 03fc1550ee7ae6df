"""What governs a participant's record: consent versions, requests to correct an answer, freezes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime, partial_index

# How it was signed.
CONSENT_METHODS = ("paper", "witness", "electronic")
# What a withdrawal means: no more questions, or no further use of the data either.
NO_USE = "data"
SCOPES = ("questions", NO_USE)
# How the participant confirmed what they meant.
REQUEST_CHANNELS = ("phone", "visit", "text", "letter")


class Consent(Base):
    """One version of the consent form, signed. A new version is a new row; only a withdrawal is added to a row.
    One that was taken back leaves the marked row and adds another that stands.

    ``health_data_at``: when the separate consent for health data was recorded; earlier than ``recorded_at`` only in a
    row that stands again. ``scope``: one of SCOPES, "" where only
    the date of leaving was recorded; ``told``: what the participant was told about it.
    """

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    signed_on: Mapped[date] = mapped_column(Date)
    way: Mapped[str] = mapped_column(String(16))
    health_data_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    scope: Mapped[str] = mapped_column(String(16), default="")
    told: Mapped[str] = mapped_column(Text, default="")


class DataCorrection(Base):
    """A request to change an answer of a submitted form; an investigator decides.

    ``old`` and ``value`` as in ``Answer``, None where it was not answered; ``answer_id``: the row that stood when it
    was asked for. ``heard_*``: when, how and by whom the participant's confirmation was heard. ``outcome``: "" while
    it is open, approved or refused.
    """

    __tablename__ = "correction"
    __table_args__ = (
        partial_index("uq_correction_open", "outcome = ''", "assessment_id", "item", unique=True),
        Index("ix_correction_outcome", "outcome", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    item: Mapped[str] = mapped_column(String(64))
    old: Mapped[Any | None] = mapped_column(Json)
    value: Mapped[Any | None] = mapped_column(Json)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answer.id"))
    heard_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heard_how: Mapped[str] = mapped_column(String(16))
    heard_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    reason: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    outcome: Mapped[str] = mapped_column(String(16), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str] = mapped_column(Text, default="")


class Freeze(Base):
    """From ``frozen_at`` until ``lifted_at`` staff change nothing of a participant; None: of the whole study."""

    __tablename__ = "freeze"
    __table_args__ = (
        partial_index("uq_freeze_study", "participant_id IS NULL AND lifted_at IS NULL", "plan", unique=True),
        partial_index("uq_freeze_participant", "lifted_at IS NULL", "participant_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id"))
    frozen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    frozen_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    reason: Mapped[str] = mapped_column(Text)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    lift_reason: Mapped[str] = mapped_column(Text, default="")
