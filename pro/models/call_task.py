"""Call tasks for staff, and the phone calls that were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.core.translatable_sentence import Sentence
from pro.db import Base, UtcDateTime

CALL_OUTCOMES = ("reached", "reached_relative", "no_answer", "wrong_number", "refused", "died")


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of call task. A call that reached a person ends every kind.

    ``why``: the reason that staff read; None where the page lists the missing forms instead. ``ended_by_answer``: an
    answer received meanwhile ends the task too, with ``waits_for_endpoint`` unless a form of the endpoint visit is
    missing.
    """

    why: Sentence | None = None
    ended_by_answer: bool = False
    waits_for_endpoint: bool = False


# ``CallTask.kind`` -> what it is. ``schedule.missed_forms`` makes and ends them.
TASK_KINDS: Mapping[str, TaskKind] = {
    # Forms stayed empty.
    "call_missed": TaskKind(ended_by_answer=True, waits_for_endpoint=True),
    # Texts do not arrive.
    "phone_unreachable": TaskKind(Sentence("Text messages do not reach this phone")),
    # A reply was not understood twice, by text or in the chat.
    "answer_unclear": TaskKind(Sentence("Replies were not understood repeatedly"), ended_by_answer=True),
    # A text says that the participant died: a person calls the family before anything else is sent.
    "death_reported": TaskKind(
        Sentence("A text message reports a death. Call the family; no message is sent until then")
    ),
    # A text may ask for no more messages, or may mean something else.
    "may_be_stop": TaskKind(Sentence("A text message may be an opt-out request. Ask the participant")),
}


class CallTask(Base):
    """A call that staff must make.

    ``dedupe_key``: one cause makes one task. ``outcome``: one of CALL_OUTCOMES, or "answered" if the participant
    submitted answers meanwhile.
    """

    __tablename__ = "call_task"
    __table_args__ = (Index("ix_call_task_open", "done_at", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(128), unique=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    expected_form_id: Mapped[int | None] = mapped_column(ForeignKey("expected_form.id", ondelete="SET NULL"))
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alert.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    outcome: Mapped[str] = mapped_column(String(32), default="")


class PhoneCall(Base):
    """A phone call to a participant, as staff logged it.

    ``at``: when the call was made. ``source``: of the alerts that the call was about, "" for none.
    """

    __tablename__ = "phone_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    call_task_id: Mapped[int | None] = mapped_column(ForeignKey("call_task.id"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text, default="")
    logged_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(64), default="")
