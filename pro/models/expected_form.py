"""The forms that the visit schedule expects of a participant, with their status."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime, partial_index

# Reasons for a missing form (docs/domain.md 6, rule 4).
MISSING_REASONS = ("forgot", "too_ill", "refused", "technical", "administrative")


class ExpectedForm(Base):
    """One expected form, identified by participant, ``visit`` and ``instrument``.

    ``kind`` and ``number``: the study plan's visit and its fraction or repeat. Times as in
    ``expected_visits.ExpectedVisit``. ``known_at``: when the form got its present dates. ``steps``: number of reminders
    that were sent or dropped. ``assessment_id``: the form that was issued, then the one that counts. ``received_at``:
    when that form was answered (``partial``: started and not submitted). ``missed_at``: when the worker found the
    window closed without an answer.
    """

    __tablename__ = "expected_form"
    __table_args__ = (
        UniqueConstraint("participant_id", "visit", "instrument"),
        Index("ix_expected_form_participant_opens", "participant_id", "opens_at"),
        partial_index(
            "ix_expected_form_unexplained",
            "missed_at IS NOT NULL AND received_at IS NULL AND missing_reason = ''",
            "participant_id",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    visit: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(24))
    number: Mapped[int] = mapped_column()
    instrument: Mapped[str] = mapped_column(String(64))
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    mandatory: Mapped[bool] = mapped_column()
    basis: Mapped[str] = mapped_column(String(16))
    rank: Mapped[int] = mapped_column()
    known_at: Mapped[datetime] = mapped_column(UtcDateTime)
    steps: Mapped[int] = mapped_column(default=0)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    nearest: Mapped[bool] = mapped_column(default=False)
    partial: Mapped[bool] = mapped_column(default=False)
    out_of_window: Mapped[bool] = mapped_column(default=False)
    missed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    missing_reason: Mapped[str] = mapped_column(String(16), default="")
    missing_note: Mapped[str] = mapped_column(Text, default="")
    reason_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    reason_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
