"""Forms: one instrument issued to one participant, with its answers and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime, partial_index


class Assessment(Base):
    """A form that is issued to a participant.

    ``ref`` names the form in addresses and reveals nothing about the participant. ``wordings``: checksum of the wording
    in each language, fixed when the form is issued. ``context``: the clinical facts that held when the form was opened
    (docs/domain.md 3.4.5). ``evaluate_next_at``: when the worker evaluates the form unless an answer comes before.
    ``standing`` and ``unresolved``: the rules that hold by the newest evaluation, and those that it could not decide
    because answers are missing. ``completion_mode``: web, sms, phone (interview) or paper. Data entry by staff sets
    ``entered_by`` and ``answered_at``, when the participant answered; ``verified_by``: who verified a paper form
    against the original.

    The status follows from the timestamps.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        partial_index("ix_assessment_awaited", "submitted_at IS NULL AND cancelled_at IS NULL", "closes_at", "id"),
        partial_index("ix_assessment_unchecked", "completion_mode = 'paper' AND verified_at IS NULL", "submitted_at"),
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
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    evaluate_next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    context: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    unresolved: Mapped[list[str]] = mapped_column(Json, default=list)
    standing: Mapped[list[str]] = mapped_column(Json, default=list)
    language: Mapped[str | None] = mapped_column(String(16))
    completion_mode: Mapped[str | None] = mapped_column(String(16))
    answered_by: Mapped[str | None] = mapped_column(String(16))
    identified_by: Mapped[str | None] = mapped_column(String(16))
    device: Mapped[str | None] = mapped_column(String(16))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))

    @property
    def status(self) -> str:
        """cancelled, submitted, started, or issued."""
        if self.cancelled_at:
            return "cancelled"
        if self.submitted_at:
            return "submitted"
        return "started" if self.opened_at else "issued"


class Answer(Base):
    """One answer; the newest row of an item is the current answer.

    Rows are never changed or deleted (triggers refuse it). ``state``: given; skipped (on purpose, no value); withdrawn
    (counts as never asked). ``source``: "asked", or the id of the list page that implied the answer (docs/domain.md
    3.4.2).
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
    """One scale's score of one scoring run; scoring again adds rows.

    ``raw`` and ``value``: None if the score is missing. ``used``: number of answered items, out of ``of``.
    """

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
    """An instrument's licensed wording in one language, as loaded by the site.

    Rows stay; new forms use the newest one.
    """

    __tablename__ = "licensed_wording"

    id: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str] = mapped_column(String(64))
    instrument_version: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(64))
    checksum: Mapped[str] = mapped_column(String(64), index=True)
    licence: Mapped[dict[str, Any]] = mapped_column(Json)
    wording: Mapped[dict[str, Any]] = mapped_column(Json)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
