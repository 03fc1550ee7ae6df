"""A finding kept, to be handled to its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime


class Alert(Base):
    """One rule that fired for one source; unique, so judging twice is harmless.

    ``source`` is "assessment:<id>" today. ``inputs`` are the facts that the rule saw, with the versions of plan and
    instrument. ``advised_at``: the participant pressed on past the emergency advice.
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("source", "rule"),
        Index("ix_alert_open", "resolved_at", "level"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True)
    source: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str] = mapped_column(String(32))
    level: Mapped[int] = mapped_column()
    lowered: Mapped[bool] = mapped_column(default=False)
    suspects: Mapped[str] = mapped_column(String(64))
    basis: Mapped[str] = mapped_column(String(16))
    plan_version: Mapped[str] = mapped_column(String(32))
    inputs: Mapped[dict[str, Any]] = mapped_column(Json)
    unresolved: Mapped[list[str]] = mapped_column(Json)
    advice: Mapped[str] = mapped_column(String(32), default="")
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    advised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    superseded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    disposition: Mapped[str] = mapped_column(String(32), default="")


class AlertNote(Base):
    """What a member of staff wrote while handling the alerts of one source."""

    __tablename__ = "alert_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(64), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
