"""Endoscopies, and signed decisions about ulcers and the study."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime

RESULTS = ("normal", "ulcer", "necrosis", "unclear")
ULCER_RESULTS = ("ulcer", "necrosis")
# Subject of a decision: a participant's ulcer, a participant's response at 50 Gy, the whole study.
DECISION_SUBJECTS = ("ulcer", "response", "study")
DECISION_CHOICES = ("continue", "pause", "stop", "other")


class Endoscopy(Base):
    """An endoscopy: requested (``requested_on``), done (``done_on``, ``result``), or cancelled.

    ``ctcae_grade``: CTCAE grade that the clinician assigned, None if not graded. ``requested_on``: None if there was
    no request. ``reason``: why it was cancelled.
    """

    __tablename__ = "endoscopy"
    __table_args__ = (Index("ix_endoscopy_waiting", "done_on", "cancelled_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    requested_on: Mapped[date | None] = mapped_column(Date)
    requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    done_on: Mapped[date | None] = mapped_column(Date)
    result: Mapped[str] = mapped_column(String(16), default="")
    ctcae_grade: Mapped[int | None] = mapped_column()
    finding: Mapped[str] = mapped_column(Text, default="")
    recorded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    reason: Mapped[str] = mapped_column(Text, default="")


class SignedDecision(Base):
    """An investigator's signed decision; ``participant_id`` is None for the study.

    Rows never change (triggers refuse it). ``about``: one of DECISION_SUBJECTS; ``choice``: one of DECISION_CHOICES.
    ``seen``: what the page showed when it was signed.
    """

    __tablename__ = "signed_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id"), index=True)
    about: Mapped[str] = mapped_column(String(16))
    choice: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    seen: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
