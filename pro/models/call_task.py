"""Call tasks for staff, and the phone calls that were made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime

# call_missed: forms were missed. phone_unreachable: text messages fail. answer_unclear: replies were not understood.
TASK_KINDS = ("call_missed", "phone_unreachable", "answer_unclear")
CALL_OUTCOMES = ("reached", "reached_relative", "no_answer", "wrong_number", "refused", "died")


class CallTask(Base):
    """A call that staff must make.

    ``dedupe_key``: one cause makes one task. ``outcome``: one of CALL_OUTCOMES, or "answered" if the participant
    submitted answers meanwhile.
    """

    __tablename__ = "task"
    __table_args__ = (Index("ix_task_open", "done_at", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(128), unique=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    expected_id: Mapped[int | None] = mapped_column(ForeignKey("expected.id", ondelete="SET NULL"))
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alert.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    outcome: Mapped[str] = mapped_column(String(32), default="")


class PhoneCall(Base):
    """A phone call to a participant, as staff logged it.

    ``at``: when the call was made. ``source``: of the alerts that the call was about, "" for none.
    """

    __tablename__ = "call"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text, default="")
    logged_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(64), default="")
