"""Phases of the treatment of many participants, from their recorded dates, in one query."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import Select, func, select

from pro.app_context import UnitOfWork
from pro.core.schedule import treatment_phase
from pro.core.schedule.anchors import DatedAnchor
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.core.study_plan import StudyPlan
from pro.features.participants.treatment_dates import local_date
from pro.models import Anchor, Participant


def phases_of(work: UnitOfWork, ids: Collection[int]) -> list[tuple[Participant, TreatmentPhase | None]]:
    """Return the participants with these ids, each with the phase of today as ``read_phases`` has it."""
    people = list(work.session.scalars(select(Participant).where(Participant.id.in_(ids))))
    phases = read_phases(work, people)
    return [(person, phases.get(person.id)) for person in people]


def read_phases(work: UnitOfWork, people: Sequence[Participant]) -> dict[int, TreatmentPhase]:
    """Return participant id -> phase of today.

    A participant of a study without a visit schedule has a phase only after the end of participation.
    """
    anchors = _recorded_anchors(work, [person.id for person in people])
    found = {person.id: _phase_of(work, person, anchors.get(person.id, [])) for person in people}
    return {participant_id: phase for participant_id, phase in found.items() if phase is not None}


def read_phase(work: UnitOfWork, participant: Participant) -> TreatmentPhase | None:
    """Return the phase of one participant, or None as in ``read_phases``."""
    return read_phases(work, [participant]).get(participant.id)


def read_phase_starts(work: UnitOfWork, plan: StudyPlan) -> dict[int, dict[str, date]]:
    """Return participant id -> phase -> its first day, as ``treatment_phase.phase_starts``, of a whole study."""
    calendar = plan.visit_schedule
    if calendar is None:
        return {}
    anchors = _recorded_anchors(work, select(Participant.id).where(Participant.plan == plan.id))
    return {participant_id: treatment_phase.phase_starts(calendar, dates) for participant_id, dates in anchors.items()}


def _recorded_anchors(work: UnitOfWork, ids: Sequence[int] | Select[int]) -> dict[int, list[DatedAnchor]]:
    """Return participant id -> first and last recorded date of each kind.

    These decide the phase; the dates between them, of which a course has fifty, need not be read.
    """
    query = (
        select(
            Anchor.participant_id,
            Anchor.kind,
            func.min(Anchor.number),
            func.max(Anchor.number),
            func.min(Anchor.on),
            func.max(Anchor.on),
        )
        .where(Anchor.participant_id.in_(ids), Anchor.superseded_at.is_(None), Anchor.planned.is_(False))
        .group_by(Anchor.participant_id, Anchor.kind)
    )
    found: dict[int, list[DatedAnchor]] = {}
    for person, kind, first, last, begins, ends in work.session.execute(query):
        dates = [DatedAnchor(kind, first, begins), DatedAnchor(kind, last, ends)]
        found.setdefault(person, []).extend(dates[: 1 if first == last else 2])
    return found


def _phase_of(work: UnitOfWork, person: Participant, anchors: Sequence[DatedAnchor]) -> TreatmentPhase | None:
    left_at = person.died_at or person.withdrawn_at
    left_on = local_date(left_at, person.time_zone) if left_at else None
    calendar = work.catalogue.shown_plan(person.plan).visit_schedule
    if calendar is None:
        state = treatment_phase.DIED if person.died_at else treatment_phase.WITHDRAWN
        return TreatmentPhase(state, since=left_on) if left_at else None
    today = local_date(work.now, person.time_zone)
    return treatment_phase.current_phase(calendar, anchors, today, left_on=left_on, died=person.died_at is not None)
