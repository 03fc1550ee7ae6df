"""Ulcers and the stopping rule as staff read them: every participant's state, and the study's k of n."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import or_, select

from pro.core import anchors as dated
from pro.core import stopping
from pro.core.plan import Calendar, Plan
from pro.core.stopping import Counts, Reading
from pro.models import Alert, Anchor, Circumstance, Decision, Endoscopy, Participant
from pro.models.ulcer import FOUND
from pro.services import cases, dates, endoscopies, signing
from pro.work import Work

FACT = "ulcer_status"
Row = TypeVar("Row", Anchor, Circumstance, Endoscopy)


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of the status. ``rule``: the answers' rule that made it, with its ``alert_id``; else ``by`` whom."""

    state: str
    at: datetime
    by: str
    rule: str
    alert_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """One endoscopy. ``late``: asked for, not done, and over the plan's days. ``by``: who recorded the result.

    ``ended``: it was taken back."""

    id: int
    asked_on: date | None
    asked_by: str
    done_on: date | None
    result: str
    grade: int | None
    finding: str
    by: str
    late: bool
    ended: bool
    ended_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A signed decision. ``holds``: the signature is still that of this row."""

    id: int
    about: str
    choice: str
    reason: str
    name: str
    role: str
    at: datetime
    digest: str
    holds: bool


@dataclass(frozen=True, slots=True)
class DecisionDay:
    """The day of the decision after 50 Gy. ``basis``: actual, planned, or expected (nobody recorded it)."""

    on: date
    basis: str


@dataclass(frozen=True, slots=True)
class UlcerCase:
    """One participant. ``state``: one of core.stopping's, but "response"; ``counts``: towards the stopping rule.

    ``turns``: the newest first. ``confirmed_on``: the newest recorded day. ``grade``: the highest that a clinician
    gave. ``place``: the how manieth that was treated, 0 if nobody recorded it. ``anchored``: staff recorded a date.
    """

    participant_id: int
    study_number: str
    active: bool
    state: str
    counts: Counts
    grade: int | None
    turns: tuple[Turn, ...]
    confirmed_on: date | None
    anchored: bool
    looks: tuple[Look, ...]
    place: int
    decision_day: DecisionDay | None
    decisions: tuple[Decided, ...]

    @property
    def waiting(self) -> Look | None:
        """The endoscopy that was asked for and is not done."""
        return next((look for look in self.looks if not look.done_on and not look.ended), None)

    @property
    def found(self) -> Look | None:
        """The newest endoscopy with a result."""
        return next((look for look in self.looks if look.done_on and not look.ended), None)


@dataclass(frozen=True, slots=True)
class UlcerBoard:
    """One study. ``reading``: None without a stopping rule. ``seen``: names what this page shows of the study."""

    plan: Plan
    cases: tuple[UlcerCase, ...]
    reading: Reading | None
    decisions: tuple[Decided, ...]
    seen: str

    def count(self, state: str) -> int:
        """How many participants are in ``state``."""
        return sum(case.state == state for case in self.cases)


def board(work: Work, plan: Plan) -> UlcerBoard:
    """Everybody with anything about an ulcer, the most urgent first, and where the study stands."""
    calendar, rule = plan.calendar, plan.stopping
    order = _treated(work, plan)
    people = {person.id: person for person in work.session.scalars(_concerned(work, plan))}
    found = [
        case
        for case in _cases(work, plan, list(people.values()), order)
        if case.state != "none" or case.looks or case.decisions or _soon(work, plan, case, people[case.participant_id])
    ]
    rank = {"suspected": 0, "confirmed": 1, "none": 2, "cleared": 3}
    found.sort(key=lambda case: (rank[case.state], case.study_number))
    reading = None
    if rule is not None and calendar is not None:
        known = {case.participant_id: case.counts for case in found}
        reading = stopping.read(
            rule, [known.get(one, "no") for one in order], [how for one, how in known.items() if one not in order]
        )
    decisions = _decisions(work, Decision.plan == plan.id, Decision.participant_id.is_(None)).get(None, ())
    return UlcerBoard(plan, tuple(found), reading, decisions, digest(shown_of_study(plan, found, reading, decisions)))


def case(work: Work, participant: Participant) -> UlcerCase:
    """One participant."""
    plan = work.catalogue.plans[participant.plan]
    return _cases(work, plan, [participant], _treated(work, plan))[0]


def shown_of_study(
    plan: Plan, found: Iterable[UlcerCase], reading: Reading | None, decisions: Sequence[Decided]
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


def shown_of_case(found: UlcerCase) -> dict[str, Any]:
    """What a decision about one participant rests on, JSON-able, without identities."""
    return {
        "participant": found.participant_id,
        "state": found.state,
        "turns": [[turn.state, turn.at.isoformat(), turn.rule] for turn in found.turns],
        "endoscopies": [
            [look.id, str(look.done_on or ""), look.result, look.grade, look.finding, look.ended]
            for look in found.looks
        ],
        "decision_day": str(found.decision_day.on) if found.decision_day else "",
        "decisions": [one.id for one in found.decisions],
    }


def digest(shown: Mapping[str, Any]) -> str:
    """SHA-256 of what a page showed, as canonical JSON."""
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(row: Decision) -> dict[str, Any]:
    """What a decision says, as it is signed."""
    names = ("plan", "participant_id", "about", "choice", "reason", "seen")
    return {name: getattr(row, name) for name in names}


def _treated(work: Work, plan: Plan) -> list[int]:
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


def _concerned(work: Work, plan: Plan) -> Any:
    """Whoever has a status, a recorded ulcer, an endoscopy or a decision, or nears the decision after 50 Gy."""
    near = _nearing(plan.calendar, plan)
    marked = select(Circumstance.participant_id).where(Circumstance.name == FACT)
    looked = select(Endoscopy.participant_id)
    decided = select(Decision.participant_id).where(Decision.participant_id.is_not(None))
    standing = select(Anchor.participant_id).where(Anchor.superseded_at.is_(None), near)
    return select(Participant).where(
        Participant.plan == plan.id,
        or_(*(Participant.id.in_(one) for one in (marked, looked, decided, standing))),
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


def _soon(work: Work, plan: Plan, found: UlcerCase, person: Participant) -> bool:
    """True while the decision after 50 Gy is near or past and nobody has signed it."""
    if found.decision_day is None or plan.stopping is None or not found.active:
        return False
    from_day = found.decision_day.on - timedelta(days=plan.stopping.decision_days)
    decided = any(one.about == "response" for one in found.decisions)
    return dates.local_date(work.now, person.time_zone) >= from_day and not decided


def _cases(work: Work, plan: Plan, people: Sequence[Participant], order: Sequence[int]) -> list[UlcerCase]:
    ids = [person.id for person in people]
    names = cases.staff_names(work)
    marks = _by_person(work, Circumstance, ids, Circumstance.name == FACT)
    looks = _by_person(work, Endoscopy, ids)
    anchors = _by_person(work, Anchor, ids, Anchor.superseded_at.is_(None))
    decisions = _decisions(work, Decision.participant_id.in_(ids))
    rules = [rule.id for rule in plan.rules if rule.marks_ulcer]
    alerts: dict[tuple[int, str], list[Alert]] = defaultdict(list)
    raised = select(Alert).where(Alert.participant_id.in_(ids), Alert.rule.in_(rules))
    for alert in work.session.scalars(raised.order_by(Alert.id)):
        alerts[alert.participant_id, alert.rule].append(alert)
    found = []
    for person in people:
        turns = _turns(marks[person.id], names, alerts, work.now)
        found.append(
            _case(
                work,
                plan,
                person,
                turns,
                looks[person.id],
                anchors[person.id],
                names,
                decisions.get(person.id, ()),
                order,
            )
        )
    return found


def _case(
    work: Work,
    plan: Plan,
    person: Participant,
    turns: tuple[Turn, ...],
    looks: Sequence[Endoscopy],
    anchors: Sequence[Anchor],
    names: Mapping[int, str],
    decisions: tuple[Decided, ...],
    order: Sequence[int],
) -> UlcerCase:
    state = turns[0].state if turns else "none"
    if state == "none" and any(turn.state != "none" for turn in turns):
        state = "cleared"
    kinds = plan.calendar.anchors if plan.calendar else {}
    says = {kind: rule.sets[FACT] for kind, rule in kinds.items() if FACT in rule.sets}
    confirmed = [row.on for row in anchors if says.get(row.kind) == "confirmed" and not row.planned]
    standing = [look for look in looks if look.result in FOUND and look.taken_back_at is None]
    counted: Counts = "no"
    if plan.stopping is not None:
        counted = stopping.counts(
            confirmed=bool(confirmed) or state == "confirmed",
            grades=[look.grade for look in standing],
            least=plan.stopping.grade,
        )
    return UlcerCase(
        participant_id=person.id,
        study_number=person.study_number,
        active=person.is_active,
        state=state,
        counts=counted,
        grade=max((look.grade for look in standing if look.grade is not None), default=None),
        turns=turns,
        confirmed_on=max(confirmed, default=None),
        anchored=any(row.kind in says for row in anchors),
        looks=tuple(_look(work, person, row, names) for row in reversed(looks)),
        place=order.index(person.id) + 1 if person.id in order else 0,
        decision_day=_decision_day(work, plan, anchors),
        decisions=decisions,
    )


def _by_person(work: Work, model: type[Row], ids: Sequence[int], *which: Any) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    query = select(model).where(model.participant_id.in_(ids), *which).order_by(model.id)
    for row in work.session.scalars(query):
        found[row.participant_id].append(row)
    return found


def _turns(
    marks: Sequence[Circumstance],
    names: Mapping[int, str],
    alerts: Mapping[tuple[int, str], list[Alert]],
    now: datetime,
) -> tuple[Turn, ...]:
    found = []
    for mark in reversed(marks):
        if mark.expires_at is not None and mark.expires_at <= now:
            continue
        rule = "" if mark.recorded_by else mark.reason
        raised = [one.id for one in alerts.get((mark.participant_id, rule), ()) if one.raised_at <= mark.recorded_at]
        by = names.get(mark.recorded_by or 0, "")
        # What a recorded date brought about says so by this word, which is no sentence of anybody's.
        said = "" if rule or mark.reason == "anchor" else mark.reason
        found.append(Turn(str(mark.value), mark.recorded_at, by, rule, raised[-1] if raised else None, said))
    return tuple(found)


def _look(work: Work, person: Participant, row: Endoscopy, names: Mapping[int, str]) -> Look:
    return Look(
        id=row.id,
        asked_on=row.asked_on,
        asked_by=names.get(row.asked_by or 0, ""),
        done_on=row.done_on,
        result=row.result,
        grade=row.grade,
        finding=row.finding,
        by=names.get(row.recorded_by or 0, ""),
        late=endoscopies.is_late(work, person, row),
        ended=row.taken_back_at is not None,
        ended_by=names.get(row.taken_back_by or 0, ""),
        reason=row.reason,
    )


def _decision_day(work: Work, plan: Plan, anchors: Sequence[Anchor]) -> DecisionDay | None:
    if plan.stopping is None or plan.calendar is None:
        return None
    for row in anchors:
        if row.kind == plan.stopping.decision:
            return DecisionDay(row.on, "planned" if row.planned else "actual")
    days = dated.resolve(plan.calendar, dates.pure(anchors), work.catalogue.working_days(plan.id))
    day = days[plan.stopping.decision].get(0)
    return DecisionDay(day.on, "expected") if day else None


def _decisions(work: Work, *which: Any) -> dict[int | None, tuple[Decided, ...]]:
    """participant -> signed decisions, the newest first."""
    found: dict[int | None, tuple[Decided, ...]] = defaultdict(tuple)
    rows = list(work.session.scalars(select(Decision).where(*which).order_by(Decision.id)))
    signed = signing.signatures_of(work, rows)
    for row in rows:
        one = signed.get(row.id)
        if one is None:
            continue
        holds = signing.holds(one, content_of(row))
        decided = Decided(row.id, row.about, row.choice, row.reason, one.name, one.role, one.at, one.digest, holds)
        found[row.participant_id] = (decided, *found[row.participant_id])
    return found
