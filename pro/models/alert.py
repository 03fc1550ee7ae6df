"""Alerts and how each was handled: notes, handover, closure, grading of adverse events."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, Json, UtcDateTime

ATTRIBUTIONS = ("radiotherapy", "anti_pd1", "disease", "other")
NO_EVENT = ("no_symptom", "expected", "known_event", "wrong_answer", "other")
DISPOSITIONS = ("admitted", "outpatient", "watching", "elsewhere", "no_action")


class Alert(Base):
    """One finding of one source; all alerts of a source are a case (docs/alerts.md).

    Source, rule, ``occurrence``, level, inputs and ``raised_at`` never change: a rule that fires again, at a higher
    level or on a worse answer makes a new row with the next ``occurrence``, so an id names what a page showed. The
    triple is unique, so a repeated evaluation adds no alert. ``source``: "assessment:<id>" for a form, "inbound:<id>"
    for the texts that came since that one. ``incoming_message_id``: the text that a text alert is about. ``inputs``:
    the facts that the rule used, with the version of the instrument. ``advised_at``: when the participant confirmed the
    emergency advice and continued. ``superseded_at``: since when an alert of a higher level in the case supersedes it.
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("source", "rule", "occurrence"),
        Index("ix_alert_open", "closed_at", "level"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True)
    source: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str] = mapped_column(String(32))
    occurrence: Mapped[int] = mapped_column(default=1)
    incoming_message_id: Mapped[int | None] = mapped_column(ForeignKey("incoming_message.id"), index=True)
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
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    disposition: Mapped[str] = mapped_column(String(32), default="")


class AlertNote(Base):
    """A note that a staff member wrote while handling the alerts of one source."""

    __tablename__ = "alert_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(64), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Handover(Base):
    """One staff member took over the alerts of one source from their owner.

    Rows never change (triggers refuse it).
    """

    __tablename__ = "handover"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(64), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    from_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class AlertClosure(Base):
    """The closure of the alerts of one source, with the alert outcome.

    Rows never change (triggers refuse it). ``not_serious``: why an admission is no serious adverse event, "" unless the
    alerts were closed as "admitted" without one.
    """

    __tablename__ = "alert_closure"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(64), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    alerts: Mapped[list[int]] = mapped_column(Json)
    disposition: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text, default="")
    not_serious: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class AdverseEvent(Base):
    """An adverse event of a participant, by CTCAE term; its grades are in ``grading``.

    ``terms``: id and version of the list of terms. ``source``: of the alert by which the event was found, "" if it was
    recorded by hand. ``reported_at``: when the SAE report was made.
    """

    __tablename__ = "adverse_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    terms: Mapped[str] = mapped_column(String(64))
    ctcae_term: Mapped[str] = mapped_column(String(64))
    other_term: Mapped[str] = mapped_column(String(200), default="")
    onset_date: Mapped[date] = mapped_column(Date)
    end_date: Mapped[date | None] = mapped_column(Date)
    source: Mapped[str] = mapped_column(String(64), default="")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reported_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))


class Grading(Base):
    """A signed grading by a clinician; the newest of an event is its current grade.

    Rows never change (triggers refuse it). Either ``adverse_event_id`` with ``ctcae_grade`` (1 to 5, from the day
    ``from_on``), or ``none_reason``, one of NO_EVENT. ``source``: of the graded alerts, "" for none.
    ``awareness_time``: the awareness time of a serious event. ``not_serious``: why an event that looks serious is not,
    "" if it was not asked.
    """

    __tablename__ = "grading"
    __table_args__ = (
        Index("ix_grading_source", "source"),
        Index(
            "ix_grading_serious",
            "adverse_event_id",
            sqlite_where=text("serious = 1"),
            postgresql_where=text("serious"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    adverse_event_id: Mapped[int | None] = mapped_column(ForeignKey("adverse_event.id"), index=True)
    source: Mapped[str] = mapped_column(String(64), default="")
    ctcae_grade: Mapped[int | None] = mapped_column()
    from_on: Mapped[date | None] = mapped_column(Date)
    attribution: Mapped[list[str]] = mapped_column(Json)
    action_taken: Mapped[str] = mapped_column(Text, default="")
    serious: Mapped[bool] = mapped_column(default=False)
    awareness_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_serious: Mapped[str] = mapped_column(Text, default="")
    none_reason: Mapped[str] = mapped_column(String(32), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
