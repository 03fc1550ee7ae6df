"""Current anchor dates of a participant, and the days that follow from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.schedule import anchors as dated
from pro.core.schedule.anchors import Days
from pro.core.study_plan import VisitSchedule
from pro.models import Anchor, Participant


def read_anchors(work: UnitOfWork, participant: Participant) -> list[Anchor]:
    """Return the current anchors, in the order of recording."""
    query = select(Anchor).where(Anchor.participant_id == participant.id, Anchor.superseded_at.is_(None))
    return list(work.session.scalars(query.order_by(Anchor.id)))


def dated_anchors(rows: Iterable[Anchor]) -> tuple[dated.DatedAnchor, ...]:
    """Return ``rows`` as the values that the functions of the visit schedule take."""
    return tuple(dated.DatedAnchor(row.kind, row.number, row.on, row.planned) for row in rows)


def resolve_days(work: UnitOfWork, participant: Participant, visit_schedule: VisitSchedule) -> Days:
    """Return all recorded and projected days, each with its basis."""
    working = work.catalogue.working_days(participant.plan)
    return dated.resolve_days(visit_schedule, dated_anchors(read_anchors(work, participant)), working)


def local_date(now: datetime, zone: str) -> date:
    """Return the calendar date of ``now`` in the time zone ``zone``."""
    return now.astimezone(ZoneInfo(zone)).date()


def clock_time(now: datetime, zone: str) -> str:
    """Return the time of day of ``now`` in the time zone ``zone``, as "14:05"."""
    return f"{now.astimezone(ZoneInfo(zone)):%H:%M}"
