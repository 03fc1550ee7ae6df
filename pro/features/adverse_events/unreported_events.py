"""Serious adverse events that nobody has passed on yet, with the clock that runs until somebody did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.clinical.adverse_events import report_deadline
from pro.features.adverse_events import adverse_event_log
from pro.models import AdverseEvent, Grading, Participant


@dataclass(frozen=True, slots=True)
class UnreportedEvent:
    """One event to report. ``grade``: the clinician's newest; ``known_at``: when it became known first."""

    event_id: int
    participant_id: int
    study_number: str
    term: str
    grade: int
    known_at: datetime
    report_by: datetime


def read_unreported_events(work: UnitOfWork, language: str) -> list[UnreportedEvent]:
    """Every one of every study, whoever left or died too, the one that is due first on top: in one query."""
    serious = select(Grading.adverse_event_id).where(Grading.serious)
    query = (
        select(AdverseEvent, Participant, Grading)
        .join(Participant, Participant.id == AdverseEvent.participant_id)
        .join(Grading, Grading.adverse_event_id == AdverseEvent.id)
        .where(AdverseEvent.id.in_(serious), AdverseEvent.reported_at.is_(None))
        .order_by(Grading.from_on, Grading.id)
    )
    found: dict[int, tuple[AdverseEvent, Participant, list[Grading]]] = {}
    for event, person, row in work.session.execute(query):
        found.setdefault(event.id, (event, person, []))[2].append(row)
    due = []
    for event, person, rows in found.values():
        # Once serious it is to be reported, whatever was graded since.
        known = min(row.known_at for row in rows if row.serious and row.known_at)
        due.append(
            UnreportedEvent(
                event_id=event.id,
                participant_id=person.id,
                study_number=person.study_number,
                term=adverse_event_log.event_name(work, event, language),
                grade=rows[-1].grade or 0,
                known_at=known,
                report_by=report_deadline(known, work.catalogue.terms.report_hours),
            )
        )
    return sorted(due, key=lambda one: (one.report_by, one.event_id))
