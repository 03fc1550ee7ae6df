"""Queries: questions of a monitor about an answer or a form. A query never changes data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime

# open: waits for an answer of the site. answered: waits for the monitor.
QUERY_STATES = ("open", "answered", "closed")


class Query(Base):
    """A query about one answer of a form (``item``), or about the whole form (``item`` "").

    ``state``: one of QUERY_STATES. ``changed_at``: time of the newest step.
    """

    __tablename__ = "query"
    __table_args__ = (Index("ix_query_state", "state", "changed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    item: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class QueryStep(Base):
    """One step of a query: asked, answered, asked_again or closed.

    Rows are never changed or deleted (triggers refuse it). ``text``: "" only for a step that closes.
    """

    __tablename__ = "query_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    query_id: Mapped[int] = mapped_column(ForeignKey("query.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
