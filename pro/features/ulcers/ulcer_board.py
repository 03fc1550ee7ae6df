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
from pro.core.study_plan import Calendar, Plan
from pro.features.participants import treatment_dates
from pro.features.ulcers import ulcer_cases
from pro.features.ulcers.ulcer_cases import FACT, Decided, UlcerCase
from pro.models import AdverseEvent, Anchor, Circumstance, Decision, Endoscopy, Participant


@dataclass(frozen=True, slots=True)
class UlcerBoard:
    """One study. ``reading``: None without a stopping rule. ``seen``: names what this page shows of the study."""

    plan: Plan
    cases: tuple[UlcerCase, ...]
    reading: StoppingState | None
    decisions: tuple[Decided, ...]
    seen: str

    def count(self, state: str) -> int:
        """How many participants are in ``state``."""
        return sum(case.state == state for case in self.cases)


def board(work: UnitOfWork, plan: Plan) -> UlcerBoard:
    """Everybody with anything about an ulcer, the most urgent first, and where the study stands."""
    calendar, rule = plan.calendar, plan.stopping
    order = _treated(work, plan)
    everybody = {person.id: person for person in work.session.scalars(_concerned(work, plan))}
    found = [
        case
        for case in ulcer_cases.of_people(work, plan, list(everybody.values()), order)
        if _known(case) or _soon(work, plan, case, everybody[case.participant_id])
    ]
    rank = {"suspected": 0, "confirmed": 1, "none": 2, "cleared": 3}
    found.sort(key=lambda case: (0 if case.graded_only else rank[case.state], case.study_number))
    reading = None
    if rule is not None and calendar is not None:
        known = {case.participant_id: case.counts for case in found}
        reading = stopping_rule.stopping_state(
            rule, [known.get(one, "no") for one in order], [how for one, how in known.items() if one not in order]
        )
    of_study = (Decision.plan == plan.id, Decision.participant_id.is_(None))
    decisions = ulcer_cases.decisions_of(work, *of_study).get(None, ())
    seen = ulcer_cases.digest(shown_of_study(plan, found, reading, decisions))
    return UlcerBoard(plan, tuple(found), reading, decisions, seen)


def case(work: UnitOfWork, participant: Participant) -> UlcerCase:
    """One participant."""
    plan = work.catalogue.plans[participant.plan]
    return ulcer_cases.of_people(work, plan, [participant], _treated(work, plan))[0]


def shown_of_study(
    plan: Plan, found: Iterable[UlcerCase], reading: StoppingState | None, decisions: Sequence[Decided]
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


def _known(found: UlcerCase) -> bool:
    """True for whoever has anything to show about an ulcer."""
    return found.state != "none" or bool(found.looks or found.grades or found.decisions)


def _treated(work: UnitOfWork, plan: Plan) -> list[int]:
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


def _concerned(work: UnitOfWork, plan: Plan) -> Any:
    """Whoever has a status, a recorded or graded ulcer, an endoscopy, a decision, or nears that after 50 Gy."""
    near = _nearing(plan.calendar, plan)
    marked = select(Circumstance.participant_id).where(Circumstance.name == FACT)
    looked = select(Endoscopy.participant_id)
    decided = select(Decision.participant_id).where(Decision.participant_id.is_not(None))
    graded = select(AdverseEvent.participant_id).where(ulcer_cases.judged_of(plan))
    standing = select(Anchor.participant_id).where(Anchor.superseded_at.is_(None), near)
    return select(Participant).where(
        Participant.plan == plan.id,
        or_(*(Participant.id.in_(one) for one in (marked, looked, graded, decided, standing))),
    )


def _nearing(calendar: Calendar | None, plan: Plan) -> Any:
    """Anchors that bring the decision near: itself, and what its day follows from, up to ``decision_days`` before."""
    if calendar is None or plan.stopping is None:
        return Anchor.kind == ""
    found = [Anchor.kind == plan.stopping.decision]
    for _number, point in calendar.anchors[plan.stopping.decision].defaults:
        least = point.number - plan.stopping.decision_days
        found.append((Anchor.kind == point.anchor) & (Anchor.number >= least) & (Anchor.number > 0))
    return or_(*found)


def _soon(work: UnitOfWork, plan: Plan, found: UlcerCase, person: Participant) -> bool:
    """True while the decision after 50 Gy is near or past and nobody has signed it."""
    if found.decision_day is None or plan.stopping is None or not found.active:
        return False
    from_day = found.decision_day.on - timedelta(days=plan.stopping.decision_days)
    decided = any(one.about == "response" for one in found.decisions)
    return treatment_dates.local_date(work.now, person.time_zone) >= from_day and not decided
