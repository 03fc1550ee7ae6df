"""Records that were closed: a request to change an answer, and what is frozen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime

# How the participant confirmed what they meant.
REQUEST_CHANNELS = ("phone", "visit", "text", "letter")


class DataCorrection(Base):
    """Somebody asks that an answer of a form that was sent be changed; an investigator decides.

    ``old`` and ``value`` as in ``Answer``, None where it was not answered; ``answer_id``: the row that stood when it
    was asked for. ``heard_*``: when, how and by whom the participant's confirmation was heard. ``outcome``: "" while
    it is open, approved or refused.
    """

    __tablename__ = "correction"
    __table_args__ = (
        Index(
            "uq_correction_open",
            "assessment_id",
            "item",
            unique=True,
            sqlite_where=text("outcome = ''"),
            postgresql_where=text("outcome = ''"),
        ),
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
        Index(
            "uq_freeze_study",
            "plan",
            unique=True,
            sqlite_where=text("participant_id IS NULL AND lifted_at IS NULL"),
            postgresql_where=text("participant_id IS NULL AND lifted_at IS NULL"),
        ),
        Index(
            "uq_freeze_participant",
            "participant_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
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
