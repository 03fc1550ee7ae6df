"""Read ulcers and the stopping rule: each participant's case, and the study's state."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, or_, select

from pro.app_context import UnitOfWork
from pro.core.clinical import adverse_events, stopping_rule
from pro.core.clinical.stopping_rule import Counts, StoppingState
from pro.core.schedule import anchors as dated
from pro.core.study_plan import StudyPlan, VisitSchedule
from pro.features.accounts import signatures, staff_accounts
from pro.features.accounts.signatures import SignedShapes
from pro.features.participants import consent_records, treatment_dates
from pro.features.ulcers import endoscopies as ulcers_endoscopies
from pro.models import AdverseEvent, Alert, Anchor, ClinicalFact, Endoscopy, Grading, Participant, SignedDecision
from pro.models.ulcer import ULCER_RESULTS

ULCER_STATUS = "ulcer_status"
# What the signature of a decision covers, by version (pro/features/accounts/signatures.py:SignedShapes).
SIGNED_SHAPES: SignedShapes = {1: ("plan", "participant_id", "about", "choice", "reason", "seen")}
Row = TypeVar("Row", Anchor, ClinicalFact, Endoscopy)


@dataclass(frozen=True, slots=True)
class UlcerStatusChange:
    """One change of the ulcer status.

    ``rule``: the alert rule that made it, with its ``alert_id``; "" if ``by`` names the staff member who made it.
    """

    state: str
    at: datetime
    by: str
    rule: str
    alert_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class EndoscopyRow:
    """One endoscopy with the names of staff.

    ``by``: who recorded the result. ``ended_by``: who cancelled it. ``is_overdue``: not done within the days of the
    study plan.
    """

    row: Endoscopy
    requested_by: str
    by: str
    ended_by: str
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class UlcerGrade:
    """One grade that a clinician assigned, from an endoscopy or a graded adverse event.

    ``on``: the day of the endoscopy, or the first day with this grade; ``at``: when it was recorded or signed, ``by``
    whom. ``event_id`` and ``term``: those of a graded event, else None and "".
    """

    grade: int
    on: date
    by: str
    at: datetime | None
    event_id: int | None
    term: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A signed decision.

    ``holds``: the row is unchanged since it was signed.
    """

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
    """The day of the decision at 50 Gy.

    ``basis``: actual, planned, or expected (projected from other anchor dates).
    """

    on: date
    basis: str


@dataclass(frozen=True, slots=True)
class UlcerCase:
    """The ulcer data of one participant.

    ``state``: none, suspected, confirmed or cleared. ``counts``: whether the case counts towards the stopping rule.
    ``turns``: status changes, newest first. ``confirmed_on``: the newest recorded day of confirmation. ``grades``:
    grades that clinicians assigned, highest first. ``place``: position among the treated participants from 1, 0 if no
    treatment is recorded. ``has_recorded_date``: staff recorded a date that sets the ulcer status.
    """

    participant_id: int
    participant_number: str
    active: bool
    state: str
    counts: Counts
    grades: tuple[UlcerGrade, ...]
    turns: tuple[UlcerStatusChange, ...]
    confirmed_on: date | None
    has_recorded_date: bool
    endoscopies: tuple[EndoscopyRow, ...]
    place: int
    decision_day: DecisionDay | None
    decisions: tuple[DecisionRecord, ...]

    @property
    def grade(self) -> int | None:
        """Highest grade that a clinician assigned; a participant's answers only suggest one."""
        return self.grades[0].grade if self.grades else None

    @property
    def is_graded_only(self) -> bool:
        """True if a clinician signed a grade that would count, but no ulcer is confirmed."""
        return self.counts == "unknown" and self.confirmed_on is None and self.state != "confirmed"

    @property
    def needs_attention(self) -> bool:
        """True while an ulcer is suspected, confirmed, or graded but not yet confirmed or cleared."""
        return self.state in ("suspected", "confirmed") or self.is_graded_only

    @property
    def waiting(self) -> EndoscopyRow | None:
        """The endoscopy that is requested and not done yet."""
        return next((one for one in self.endoscopies if not one.row.done_on and not one.row.cancelled_at), None)

    @property
    def found(self) -> EndoscopyRow | None:
        """The newest endoscopy with a result."""
        return next((one for one in self.endoscopies if one.row.done_on and not one.row.cancelled_at), None)


@dataclass(frozen=True, slots=True)
class UlcerOverview:
    """The ulcers of one study.

    ``reading``: the state of the stopping rule, None if the study plan has none. ``seen``: digest of what this page
    shows about the study.
    """

    plan: StudyPlan
    cases: tuple[UlcerCase, ...]
    reading: StoppingState | None
    decisions: tuple[DecisionRecord, ...]
    seen: str

    def count(self, state: str) -> int:
        """Return the number of participants in ``state``."""
        return sum(case.state == state for case in self.cases)


def shown_of_case(found: UlcerCase) -> dict[str, Any]:
    """Return the data on which a decision about one participant rests.

    The result is ready for JSON and holds no identities.
    """
    return {
        "participant": found.participant_id,
        "state": found.state,
        "turns": [[turn.state, turn.at.isoformat(), turn.rule] for turn in found.turns],
        "endoscopies": [
            [row.id, str(row.done_on or ""), row.result, row.ctcae_grade, row.finding, row.cancelled_at is not None]
            for row in (one.row for one in found.endoscopies)
        ],
        "gradings": sorted([one.event_id, one.grade, str(one.on)] for one in found.grades if one.event_id),
        "decision_day": str(found.decision_day.on) if found.decision_day else "",
        "decisions": [one.id for one in found.decisions],
    }


def digest(shown: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a page showed, as canonical JSON."""
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def signed_content(row: SignedDecision) -> dict[str, Any]:
    """Return the content that the signature of a decision covers."""
    return {name: getattr(row, name) for name in SIGNED_SHAPES[max(SIGNED_SHAPES)]}


def read_cases(
    work: UnitOfWork, plan: StudyPlan, people: Sequence[Participant], order: Sequence[int]
) -> list[UlcerCase]:
    """Return the cases of ``people`` in seven queries.

    ``order``: ids of all treated participants, by date of the first treatment.
    """
    ids = [person.id for person in people]
    names = staff_accounts.staff_names(work)
    marks = _by_person(work, ClinicalFact, ids, ClinicalFact.name == ULCER_STATUS)
    looks = _by_person(work, Endoscopy, ids)
    anchors = _by_person(work, Anchor, ids, Anchor.superseded_at.is_(None))
    decisions = read_decisions(work, SignedDecision.participant_id.in_(ids))
    judged = _clinician_grades(work, plan, ids, names)
    rules = [rule.id for rule in plan.rules if rule.marks_ulcer]
    alerts: dict[tuple[int, str], list[Alert]] = defaultdict(list)
    raised = select(Alert).where(Alert.participant_id.in_(ids), Alert.rule.in_(rules))
    for alert in work.session.scalars(raised.order_by(Alert.id)):
        alerts[alert.participant_id, alert.rule].append(alert)
    return [
        _build_case(
            work,
            plan,
            person,
            _status_changes(marks[person.id], names, alerts, work.now),
            looks[person.id],
            judged[person.id],
            anchors[person.id],
            names,
            decisions.get(person.id, ()),
            order,
        )
        for person in people
    ]


def ulcer_term_condition(plan: StudyPlan) -> ColumnElement[bool]:
    """Return the condition for adverse events that the stopping rule counts as ulcers."""
    return AdverseEvent.ctcae_term.in_(plan.stopping_rule.ctcae_terms if plan.stopping_rule else ())


def read_decisions(work: UnitOfWork, *which: ColumnElement[bool]) -> dict[int | None, tuple[DecisionRecord, ...]]:
    """Return the signed decisions of each participant (None: of the study), newest first."""
    found: dict[int | None, tuple[DecisionRecord, ...]] = defaultdict(tuple)
    rows = list(work.session.scalars(select(SignedDecision).where(*which).order_by(SignedDecision.id)))
    signed = signatures.newest_signatures(work, rows)
    for row in rows:
        one = signed.get(row.id)
        if one is None:
            continue
        holds = signatures.is_content_unchanged(one, signed_content(row), SIGNED_SHAPES)
        decided = DecisionRecord(
            row.id, row.about, row.choice, row.reason, one.name, one.role, one.at, one.digest, holds
        )
        found[row.participant_id] = (decided, *found[row.participant_id])
    return found


def read_overview(work: UnitOfWork, plan: StudyPlan) -> UlcerOverview:
    """Return all participants with ulcer data, most urgent first, and the study's state.

    Participants whose decision at 50 Gy is near are included.
    """
    visit_schedule, rule = plan.visit_schedule, plan.stopping_rule
    order = _treated_participants(work, plan)
    people = {person.id: person for person in work.session.scalars(_participants_query(work, plan))}
    found = [
        case
        for case in read_cases(work, plan, list(people.values()), order)
        if _has_ulcer_data(case) or _is_decision_near(work, plan, case, people[case.participant_id])
    ]
    rank = {"suspected": 0, "confirmed": 1, "none": 2, "cleared": 3}
    found.sort(key=lambda case: (0 if case.is_graded_only else rank[case.state], case.participant_number))
    reading = None
    if rule is not None and visit_schedule is not None:
        known = {case.participant_id: case.counts for case in found}
        reading = stopping_rule.stopping_state(
            rule, [known.get(one, "no") for one in order], [how for one, how in known.items() if one not in order]
        )
    of_study = (SignedDecision.plan == plan.id, SignedDecision.participant_id.is_(None))
    decisions = read_decisions(work, *of_study).get(None, ())
    seen = digest(shown_of_study(plan, found, reading, decisions))
    return UlcerOverview(plan, tuple(found), reading, decisions, seen)


def read_case(work: UnitOfWork, participant: Participant) -> UlcerCase:
    """Return the case of one participant."""
    plan = work.catalogue.shown_plan(participant.plan)
    return read_cases(work, plan, [participant], _treated_participants(work, plan))[0]


def shown_of_study(
    plan: StudyPlan, found: Iterable[UlcerCase], reading: StoppingState | None, decisions: Sequence[DecisionRecord]
) -> dict[str, Any]:
    """Return the data on which a decision about the study rests.

    The result is ready for JSON and holds no identities.
    """
    steps = reading.steps if reading else ()
    return {
        "plan": f"{plan.id} {plan.version}",
        "cases": sorted([case.participant_id, case.state, case.counts] for case in found),
        "treated": reading.treated if reading else 0,
        "steps": {one.step.id: [one.counted, one.unknown, one.step.ulcers, one.step.of_first] for one in steps},
        "decisions": [one.id for one in decisions],
    }


def _clinician_grades(
    work: UnitOfWork, plan: StudyPlan, ids: Sequence[int], names: Mapping[int, str]
) -> dict[int, list[UlcerGrade]]:
    """Return the current grades that clinicians assigned to ulcer terms, by participant.

    An event that became milder keeps its worst grade here, because the stopping rule counts what happened.
    """
    query = (
        select(Grading, AdverseEvent)
        .join(AdverseEvent, AdverseEvent.id == Grading.adverse_event_id)
        .where(Grading.participant_id.in_(ids), ulcer_term_condition(plan))
        .order_by(Grading.id)
    )
    of_event: dict[int, list[Grading]] = defaultdict(list)
    terms: dict[int, str] = {}
    for row, event in work.session.execute(query):
        of_event[event.id].append(row)
        terms[event.id] = event.ctcae_term
    found: dict[int, list[UlcerGrade]] = defaultdict(list)
    for event_id, rows in of_event.items():
        for row in adverse_events.current_grades(rows):
            if row.ctcae_grade is not None and row.from_on is not None:
                one = UlcerGrade(
                    row.ctcae_grade, row.from_on, names.get(row.staff_id, ""), row.at, event_id, terms[event_id]
                )
                found[row.participant_id].append(one)
    return found


def _build_case(
    work: UnitOfWork,
    plan: StudyPlan,
    person: Participant,
    turns: tuple[UlcerStatusChange, ...],
    looks: Sequence[Endoscopy],
    judged: Sequence[UlcerGrade],
    anchors: Sequence[Anchor],
    names: Mapping[int, str],
    decisions: tuple[DecisionRecord, ...],
    order: Sequence[int],
) -> UlcerCase:
    state = turns[0].state if turns else "none"
    if state == "none" and any(turn.state != "none" for turn in turns):
        state = "cleared"
    kinds = plan.visit_schedule.anchors if plan.visit_schedule else {}
    says = {kind: rule.sets[ULCER_STATUS] for kind, rule in kinds.items() if ULCER_STATUS in rule.sets}
    confirmed = [row.on for row in anchors if says.get(row.kind) == "confirmed" and not row.planned]
    standing = [look for look in looks if look.result in ULCER_RESULTS and look.cancelled_at is None]
    counted: Counts = "no"
    if plan.stopping_rule is not None:
        counted = stopping_rule.ulcer_counts(
            confirmed=bool(confirmed) or state == "confirmed",
            grades=[look.ctcae_grade for look in standing],
            judged=[one.grade for one in judged],
            least=plan.stopping_rule.ctcae_grade,
        )
    return UlcerCase(
        participant_id=person.id,
        participant_number=person.participant_number,
        active=person.is_active,
        state=state,
        counts=counted,
        grades=_highest_first([*_endoscopy_grades(standing, names), *judged]),
        turns=turns,
        confirmed_on=max(confirmed, default=None),
        has_recorded_date=any(row.kind in says for row in anchors),
        endoscopies=tuple(_endoscopy_row(work, person, row, names) for row in reversed(looks)),
        place=order.index(person.id) + 1 if person.id in order else 0,
        decision_day=_decision_day(work, plan, anchors),
        decisions=decisions,
    )


def _endoscopy_grades(standing: Sequence[Endoscopy], names: Mapping[int, str]) -> list[UlcerGrade]:
    """Return the grades of endoscopies that found an ulcer."""
    return [
        UlcerGrade(look.ctcae_grade, look.done_on, names.get(look.recorded_by or 0, ""), look.recorded_at, None, "")
        for look in standing
        if look.ctcae_grade is not None and look.done_on is not None
    ]


def _highest_first(grades: Sequence[UlcerGrade]) -> tuple[UlcerGrade, ...]:
    """Return grades from highest to lowest, the newest first among equal ones."""
    newest_first = sorted(grades, key=lambda one: one.on, reverse=True)
    return tuple(sorted(newest_first, key=lambda one: one.grade, reverse=True))


def _by_person(
    work: UnitOfWork, model: type[Row], ids: Sequence[int], *which: ColumnElement[bool]
) -> dict[int, list[Row]]:
    """Return the rows of ``model`` for each participant, oldest first."""
    found: dict[int, list[Row]] = defaultdict(list)
    query = select(model).where(model.participant_id.in_(ids), *which).order_by(model.id)
    for row in work.session.scalars(query):
        found[row.participant_id].append(row)
    return found


def _status_changes(
    marks: Sequence[ClinicalFact],
    names: Mapping[int, str],
    alerts: Mapping[tuple[int, str], list[Alert]],
    now: datetime,
) -> tuple[UlcerStatusChange, ...]:
    """Return the changes of the ulcer status that have not expired, newest first."""
    found = []
    for mark in reversed(marks):
        if mark.expires_at is not None and mark.expires_at <= now:
            continue
        rule = "" if mark.recorded_by else mark.reason
        raised = [one.id for one in alerts.get((mark.participant_id, rule), ()) if one.raised_at <= mark.recorded_at]
        by = names.get(mark.recorded_by or 0, "")
        # A change that follows from a recorded date has the reason "anchor", which is a key and no text of staff.
        said = "" if rule or mark.reason == "anchor" else mark.reason
        found.append(
            UlcerStatusChange(str(mark.value), mark.recorded_at, by, rule, raised[-1] if raised else None, said)
        )
    return tuple(found)


def _endoscopy_row(work: UnitOfWork, person: Participant, row: Endoscopy, names: Mapping[int, str]) -> EndoscopyRow:
    return EndoscopyRow(
        row,
        requested_by=names.get(row.requested_by or 0, ""),
        by=names.get(row.recorded_by or 0, ""),
        ended_by=names.get(row.cancelled_by or 0, ""),
        is_overdue=ulcers_endoscopies.is_overdue(work, person, row),
    )


def _decision_day(work: UnitOfWork, plan: StudyPlan, anchors: Sequence[Anchor]) -> DecisionDay | None:
    """Return the recorded or projected day of the decision at 50 Gy, or None."""
    if plan.stopping_rule is None or plan.visit_schedule is None:
        return None
    for row in anchors:
        if row.kind == plan.stopping_rule.decision:
            return DecisionDay(row.on, "planned" if row.planned else "actual")
    days = dated.resolve_days(
        plan.visit_schedule, treatment_dates.dated_anchors(anchors), work.catalogue.working_days(plan.id)
    )
    day = days[plan.stopping_rule.decision].get(0)
    return DecisionDay(day.on, "expected") if day else None


def _has_ulcer_data(found: UlcerCase) -> bool:
    """Return True if the participant has a status, an endoscopy, a grade or a decision."""
    return found.state != "none" or bool(found.endoscopies or found.grades or found.decisions)


def _treated_participants(work: UnitOfWork, plan: StudyPlan) -> list[int]:
    """Return the ids of all treated participants, by date of the first treatment."""
    if plan.stopping_rule is None:
        return []
    query = (
        select(Anchor.participant_id)
        .join(Participant, Participant.id == Anchor.participant_id)
        .where(Participant.plan == plan.id, Anchor.kind == plan.stopping_rule.treated, Anchor.number <= 1)
        .where(Anchor.planned.is_(False), Anchor.superseded_at.is_(None))
        .order_by(Anchor.on, Participant.participant_number)
    )
    treated = list(dict.fromkeys(work.session.scalars(query)))
    mistakes = consent_records.enrolled_by_mistake(work, treated)
    return [one for one in treated if one not in mistakes]


def _participants_query(work: UnitOfWork, plan: StudyPlan) -> Any:
    """Select participants with ulcer data, or whose decision at 50 Gy is near.

    Ulcer data: a status, a recorded or graded ulcer, an endoscopy, or a decision.
    """
    near = _near_decision_anchors(plan.visit_schedule, plan)
    marked = select(ClinicalFact.participant_id).where(ClinicalFact.name == ULCER_STATUS)
    looked = select(Endoscopy.participant_id)
    decided = select(SignedDecision.participant_id).where(SignedDecision.participant_id.is_not(None))
    graded = select(AdverseEvent.participant_id).where(ulcer_term_condition(plan))
    standing = select(Anchor.participant_id).where(Anchor.superseded_at.is_(None), near)
    return select(Participant).where(
        Participant.plan == plan.id,
        or_(*(Participant.id.in_(one) for one in (marked, looked, graded, decided, standing))),
    )


def _near_decision_anchors(visit_schedule: VisitSchedule | None, plan: StudyPlan) -> Any:
    """Select anchor dates that show that the decision at 50 Gy is near.

    These are the date of the decision itself and the dates it follows from, up to ``decision_days`` before it.
    """
    if visit_schedule is None or plan.stopping_rule is None:
        return Anchor.kind == ""
    found = [Anchor.kind == plan.stopping_rule.decision]
    for _number, point in visit_schedule.anchors[plan.stopping_rule.decision].defaults:
        least = point.number - plan.stopping_rule.decision_days
        found.append((Anchor.kind == point.anchor) & (Anchor.number >= least) & (Anchor.number > 0))
    return or_(*found)


def _is_decision_near(work: UnitOfWork, plan: StudyPlan, found: UlcerCase, person: Participant) -> bool:
    """Return True while the decision at 50 Gy is near or overdue and not signed."""
    if found.decision_day is None or plan.stopping_rule is None or not found.active:
        return False
    from_day = found.decision_day.on - timedelta(days=plan.stopping_rule.decision_days)
    decided = any(one.about == "response" for one in found.decisions)
    return treatment_dates.local_date(work.now, person.time_zone) >= from_day and not decided
