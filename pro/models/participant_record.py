"""Consent versions, data correction requests, and freezes of a participant's record."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime, partial_index

# How a consent form was signed.
CONSENT_METHODS = ("paper", "witness", "electronic")
# Scope of a withdrawal: no further questions, or no further use of the data either.
NO_USE = "data"
SCOPES = ("questions", NO_USE)
# Scope of the withdrawal of a participant who was enrolled by mistake: the study does not count it.
ENROLLED_BY_MISTAKE = "mistake"
# How the participant confirmed the correct answer.
REQUEST_CHANNELS = ("phone", "visit", "text", "letter")


class Consent(Base):
    """One signed version of the consent form.

    A new version is a new row; a withdrawal is added to the row. Reversing a withdrawal keeps the marked row and adds a
    valid one. ``health_data_at``: when the separate consent for health data was recorded; earlier than ``recorded_at``
    only in a row that a reversal added. ``scope``: one of SCOPES, ENROLLED_BY_MISTAKE, or "" if only the date
    of leaving was recorded.
    ``information``: the information that the participant was given about the withdrawal.
    """

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    signed_on: Mapped[date] = mapped_column(Date)
    method: Mapped[str] = mapped_column(String(16))
    health_data_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    scope: Mapped[str] = mapped_column(String(16), default="")
    information: Mapped[str] = mapped_column(Text, default="")


class DataCorrection(Base):
    """A request to correct an answer of a submitted form; an investigator decides.

    ``old`` and ``value``: as in ``Answer``, None for no answer. ``answer_id``: the current answer at the time of the
    request. ``confirmed_at``, ``confirmed_how``, ``confirmed_to``: when, how and to whom the participant confirmed the
    correct answer. ``outcome``: "" while open, approved or refused.
    """

    __tablename__ = "data_correction"
    __table_args__ = (
        partial_index("uq_data_correction_open", "outcome = ''", "assessment_id", "item", unique=True),
        Index("ix_data_correction_outcome", "outcome", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    item: Mapped[str] = mapped_column(String(64))
    old: Mapped[Any | None] = mapped_column(Json)
    value: Mapped[Any | None] = mapped_column(Json)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answer.id"))
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_how: Mapped[str] = mapped_column(String(16))
    confirmed_to: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    requested_by: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    outcome: Mapped[str] = mapped_column(String(16), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    note: Mapped[str] = mapped_column(Text, default="")


class Freeze(Base):
    """A freeze of a participant's record, or of the whole study (``participant_id`` None).

    From ``frozen_at`` until ``unfrozen_at`` staff cannot change the data.
    """

    __tablename__ = "freeze"
    __table_args__ = (
        partial_index("uq_freeze_study", "participant_id IS NULL AND unfrozen_at IS NULL", "plan", unique=True),
        partial_index("uq_freeze_participant", "unfrozen_at IS NULL", "participant_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id"))
    frozen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    frozen_by: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    reason: Mapped[str] = mapped_column(Text)
    unfrozen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unfrozen_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    unfreeze_reason: Mapped[str] = mapped_column(Text, default="")
