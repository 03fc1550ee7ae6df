"""Ulcers and the stopping rule as staff read them: everybody whom it concerns, and the study's k of n."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.core.clinical import stopping_rule
from pro.core.clinical.stopping_rule import StoppingState
from pro.core.study_plan import StudyPlan, VisitSchedule
from pro.features.participants import treatment_dates
from pro.features.ulcers import ulcer_cases
from pro.features.ulcers.ulcer_cases import ULCER_STATUS, DecisionRecord, UlcerCase
from pro.models import AdverseEvent, Anchor, ClinicalFact, Endoscopy, Participant, SignedDecision


@dataclass(frozen=True, slots=True)
class UlcerOverview:
    """One study. ``reading``: None without a stopping rule. ``seen``: names what this page shows of the study."""

    plan: StudyPlan
    cases: tuple[UlcerCase, ...]
    reading: StoppingState | None
    decisions: tuple[DecisionRecord, ...]
    seen: str

    def count(self, state: str) -> int:
        """How many participants are in ``state``."""
        return sum(case.state == state for case in self.cases)


def read_overview(work: UnitOfWork, plan: StudyPlan) -> UlcerOverview:
    """Everybody with anything about an ulcer, the most urgent first, and where the study stands."""
    calendar, rule = plan.calendar, plan.stopping
    order = _treated_participants(work, plan)
    everybody = {person.id: person for person in work.session.scalars(_participants_query(work, plan))}
    found = [
        case
        for case in ulcer_cases.read_cases(work, plan, list(everybody.values()), order)
        if _has_ulcer_data(case) or _is_decision_near(work, plan, case, everybody[case.participant_id])
    ]
    rank = {"suspected": 0, "confirmed": 1, "none": 2, "cleared": 3}
    found.sort(key=lambda case: (0 if case.is_graded_only else rank[case.state], case.study_number))
    reading = None
    if rule is not None and calendar is not None:
        known = {case.participant_id: case.counts for case in found}
        reading = stopping_rule.stopping_state(
            rule, [known.get(one, "no") for one in order], [how for one, how in known.items() if one not in order]
        )
    of_study = (SignedDecision.plan == plan.id, SignedDecision.participant_id.is_(None))
    decisions = ulcer_cases.read_decisions(work, *of_study).get(None, ())
    seen = ulcer_cases.digest(shown_of_study(plan, found, reading, decisions))
    return UlcerOverview(plan, tuple(found), reading, decisions, seen)


def read_case(work: UnitOfWork, participant: Participant) -> UlcerCase:
    """One participant."""
    plan = work.catalogue.plans[participant.plan]
    return ulcer_cases.read_cases(work, plan, [participant], _treated_participants(work, plan))[0]


def shown_of_study(
    plan: StudyPlan, found: Iterable[UlcerCase], reading: StoppingState | None, decisions: Sequence[DecisionRecord]
) -> dict[str, Any]:
    """What a decision about the study rests on, JSON-able, without identities."""
    steps = reading.steps if reading else ()
    return {
        "plan": f"{plan.id} {plan.version}",
        "cases": sorted([case.participant_id, case.state, case.counts] for case in found),
        "treated": reading.treated if reading else 0,
        "steps": {one.step.id: [one.counted, one.unknown, one.step.ulcers, one.step.of_first] for one in steps},
        "decisions": [one.id for one in decisions],
    }


def _has_ulcer_data(found: UlcerCase) -> bool:
    """True for whoever has anything to show about an ulcer."""
    return found.state != "none" or bool(found.endoscopies or found.grades or found.decisions)


def _treated_participants(work: UnitOfWork, plan: StudyPlan) -> list[int]:
    """Everybody who was treated, by the day of it."""
    if plan.stopping is None:
        return []
    query = (
        select(Anchor.participant_id)
        .join(Participant, Participant.id == Anchor.participant_id)
        .where(Participant.plan == plan.id, Anchor.kind == plan.stopping.treated, Anchor.number <= 1)
        .where(Anchor.planned.is_(False), Anchor.superseded_at.is_(None))
        .order_by(Anchor.on, Participant.study_number)
    )
    return list(dict.fromkeys(work.session.scalars(query)))


def _participants_query(work: UnitOfWork, plan: StudyPlan) -> Any:
    """Whoever has a status, a recorded or graded ulcer, an endoscopy, a decision, or nears that after 50 Gy."""
    near = _near_decision_anchors(plan.calendar, plan)
    marked = select(ClinicalFact.participant_id).where(ClinicalFact.name == ULCER_STATUS)
    looked = select(Endoscopy.participant_id)
    decided = select(SignedDecision.participant_id).where(SignedDecision.participant_id.is_not(None))
    graded = select(AdverseEvent.participant_id).where(ulcer_cases.ulcer_term_condition(plan))
    standing = select(Anchor.participant_id).where(Anchor.superseded_at.is_(None), near)
    return select(Participant).where(
        Participant.plan == plan.id,
        or_(*(Participant.id.in_(one) for one in (marked, looked, graded, decided, standing))),
    )


def _near_decision_anchors(calendar: VisitSchedule | None, plan: StudyPlan) -> Any:
    """Anchors that bring the decision near: itself, and what its day follows from, up to ``decision_days`` before."""
    if calendar is None or plan.stopping is None:
        return Anchor.kind == ""
    found = [Anchor.kind == plan.stopping.decision]
    for _number, point in calendar.anchors[plan.stopping.decision].defaults:
        least = point.number - plan.stopping.decision_days
        found.append((Anchor.kind == point.anchor) & (Anchor.number >= least) & (Anchor.number > 0))
    return or_(*found)


def _is_decision_near(work: UnitOfWork, plan: StudyPlan, found: UlcerCase, person: Participant) -> bool:
    """True while the decision after 50 Gy is near or past and nobody has signed it."""
    if found.decision_day is None or plan.stopping is None or not found.active:
        return False
    from_day = found.decision_day.on - timedelta(days=plan.stopping.decision_days)
    decided = any(one.about == "response" for one in found.decisions)
    return treatment_dates.local_date(work.now, person.time_zone) >= from_day and not decided
