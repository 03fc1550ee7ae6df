"""One participant, one instrument, one window: what was asked, answered and scored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime, partial_index


class Assessment(Base):
    """A form that was or will be asked. ``ref`` names it in addresses and says nothing about the participant.

    ``wordings`` pins the checksum of the words in each language when it is issued; ``context`` keeps the clinical facts
    that held when it was opened (docs/domain.md 3.4.5). ``judge_next_at``: when the worker evaluates it unless an
    answer comes before. ``standing`` and ``unresolved``: the rules that hold by the newest evaluation, and those that
    it could not decide for lack of an answer. The status follows from the timestamps. ``mode``: web, sms, phone (an
    interview) or paper; what staff typed carries ``entered_by``, when it was really answered (``answered_at``), and for
    paper who read it against the sheet (``checked_by``).
    """

    __tablename__ = "assessment"
    __table_args__ = (
        partial_index("ix_assessment_awaited", "submitted_at IS NULL AND cancelled_at IS NULL", "closes_at", "id"),
        partial_index("ix_assessment_unchecked", "mode = 'paper' AND checked_at IS NULL", "submitted_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(64))
    instrument_version: Mapped[str] = mapped_column(String(32))
    page_set: Mapped[str | None] = mapped_column(String(32))
    wordings: Mapped[dict[str, str]] = mapped_column(Json)
    visit: Mapped[str | None] = mapped_column(String(64))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    judge_next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    context: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    unresolved: Mapped[list[str]] = mapped_column(Json, default=list)
    standing: Mapped[list[str]] = mapped_column(Json, default=list)
    language: Mapped[str | None] = mapped_column(String(16))
    mode: Mapped[str | None] = mapped_column(String(16))
    answered_by: Mapped[str | None] = mapped_column(String(16))
    identified_by: Mapped[str | None] = mapped_column(String(16))
    device: Mapped[str | None] = mapped_column(String(16))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    @property
    def status(self) -> str:
        """cancelled, submitted, started, or issued."""
        if self.cancelled_at:
            return "cancelled"
        if self.submitted_at:
            return "submitted"
        return "started" if self.opened_at else "issued"


class Answer(Base):
    """One answer as given; never changed, never deleted (triggers refuse it). The newest row for an item holds.

    ``state``: given; skipped (on purpose, no value); withdrawn (taken back, as if never asked). ``source``: asked, or
    the list page that implied it. ``device_at`` is what the device claimed and is never used as the time.
    """

    __tablename__ = "answer"
    __table_args__ = (Index("ix_answer_assessment_item", "assessment_id", "item", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    item: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    value: Mapped[Any | None] = mapped_column(Json)
    source: Mapped[str] = mapped_column(String(64), default="asked")
    language: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(16))
    answered_by: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Score(Base):
    """One scale's score of one scoring run; re-scoring adds rows. ``raw`` and ``value``: None where it is missing."""

    __tablename__ = "score"
    __table_args__ = (Index("ix_score_assessment_scale", "assessment_id", "scale", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    scale: Mapped[str] = mapped_column(String(32))
    value: Mapped[float | None] = mapped_column(Float(53))
    raw: Mapped[float | None] = mapped_column(Float(53))
    used: Mapped[int] = mapped_column()
    of: Mapped[int] = mapped_column()
    algorithm: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class LicensedWording(Base):
    """An instrument's licensed words in one language, as loaded by the site. Rows stay; the newest is issued."""

    __tablename__ = "wording"

    id: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str] = mapped_column(String(64))
    instrument_version: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(64))
    checksum: Mapped[str] = mapped_column(String(64), index=True)
    licence: Mapped[dict[str, Any]] = mapped_column(Json)
    words: Mapped[dict[str, Any]] = mapped_column(Json)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
