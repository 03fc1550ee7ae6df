"""Preview and set treatment dates, re-plan expected forms, match answered forms with them.

Source: docs/domain.md 6. Rows of ``ExpectedForm`` are converted to the values of ``pro.core.schedule`` and written from
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select

from pro.app_context import UnitOfWork
from pro.core.schedule import anchors as dated
from pro.core.schedule.anchors import AnchorProblem, Days
from pro.core.schedule.expected_visits import ExpectedVisit as Planned
from pro.core.schedule.expected_visits import list_expected_visits
from pro.core.schedule.form_matching import AnsweredForm, MatchedForm, match_forms
from pro.core.schedule.replanning import Replan, replan
from pro.core.study_plan import VisitSchedule
from pro.errors import BadData, NotAllowed
from pro.features.forms import form_access
from pro.features.participants import clinical_facts, record_freezes, treatment_dates
from pro.features.participants.treatment_dates import dated_anchors, local_date
from pro.features.schedule import participation_end
from pro.messaging import outbox
from pro.models import Anchor, Assessment, ClinicalFact, ExpectedForm, Message, Participant

# Expected forms that open later than this after an answer cannot be affected by it: wider than any "apart".
MATCHING_SPAN = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class DateChange:
    """A change of one anchor; ``on`` None removes it."""

    kind: str
    number: int
    on: date | None
    planned: bool = False


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """The effect of a change of anchors.

    ``problems``: why it is refused. ``anchors``: all anchors after the change. ``served``: the visits that answered
    forms would count for. ``digest``: identifies what was shown, so that only that is confirmed.
    """

    problems: tuple[AnchorProblem, ...]
    diff: Replan
    anchors: tuple[dated.DatedAnchor, ...]
    served: tuple[MatchedForm, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class ReplanCounts:
    """Number of expected forms of one participant that a new plan file changes."""

    participant_number: str
    moved: int
    added: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _LockedSchedule:
    """A participant's anchors and expected forms, locked until the work ends."""

    visit_schedule: VisitSchedule
    rows: list[Anchor]
    expected: dict[tuple[str, str], ExpectedForm]
    opened: frozenset[tuple[str, str]]
    forms: list[AnsweredForm]


def require_calendar(work: UnitOfWork, participant: Participant) -> VisitSchedule:
    """Return the visit schedule of the participant's study plan.

    Raise NotAllowed("no_calendar") if all forms of the plan are issued by hand.
    """
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.visit_schedule is None:
        raise NotAllowed("no_calendar")
    return plan.visit_schedule


def ordered_anchors(work: UnitOfWork, participant: Participant) -> list[Anchor]:
    """Return the current anchors, in the plan's order of kinds, then by number."""
    place = {kind: number for number, kind in enumerate(require_calendar(work, participant).anchors)}
    return sorted(
        treatment_dates.read_anchors(work, participant), key=lambda row: (place.get(row.kind, len(place)), row.number)
    )


def read_days(work: UnitOfWork, participant: Participant) -> Days:
    """Return all recorded and projected days, each with its basis."""
    return treatment_dates.resolve_days(work, participant, require_calendar(work, participant))


def next_number(work: UnitOfWork, participant: Participant, kind: str) -> int:
    """Return the first number of ``kind`` that has not happened yet, 0 if it happens once.

    If all have happened, return the highest number.
    """
    most = require_calendar(work, participant).anchors[kind].most
    done = {row.number for row in ordered_anchors(work, participant) if row.kind == kind and not row.planned}
    return next((number for number in range(1, most + 1) if number not in done), most)


def preview_changes(work: UnitOfWork, participant: Participant, changes: Sequence[DateChange]) -> ChangePreview:
    """Return the effect of ``changes`` without storing anything."""
    # The participant is locked first, as by all writers: another order could deadlock with the worker.
    work.lock(participant)
    return _make_preview(work, participant, _lock_schedule(work, participant), changes)


def set_anchors(
    work: UnitOfWork,
    participant: Participant,
    changes: Sequence[DateChange],
    *,
    reason: str = "",
    seen: str | None = None,
) -> ChangePreview:
    """Set or remove anchors, re-plan unopened forms, and return what was done.

    One audit entry is written. ``seen``: the digest of the preview that was shown. Raise BadData("anchors",
    problems=...), BadData("reason", fields=...) if a fact is changed without a reason, NotAllowed("stale_preview") if
    the schedule has changed since the preview, RecordFrozen.
    """
    work.lock(participant)
    state = _lock_schedule(work, participant)
    # An end of participation or a death is recorded even if the record is frozen.
    if not all(change.kind in state.visit_schedule.participation_end and change.on for change in changes):
        record_freezes.require_unfrozen(work, participant.plan, participant.id)
    found = _make_preview(work, participant, state, changes)
    if found.problems:
        raise BadData("anchors", problems=found.problems)
    if seen is not None and seen != found.digest:
        raise NotAllowed("stale_preview")
    if not reason.strip() and any(_changes_a_fact(state.rows, change) for change in changes):
        raise BadData("reason", fields={"reason": "empty"})
    old = _supersede(work, participant, state.rows, changes, reason.strip())
    new = [[one.kind, one.number, one.on.isoformat() if one.on else None, one.planned] for one in changes]
    diff = found.diff
    counts = {"moved": len(diff.moved), "added": len(diff.added), "dropped": len(diff.dropped)}
    work.record(
        "anchors.set",
        participant,
        participant_id=participant.id,
        old=old,
        new={"anchors": new, **counts},
        reason=reason.strip(),
    )
    apply_replan(work, participant, diff, state.expected, found.served)
    _apply_consequences(work, participant, state, found.anchors, changes, reason.strip())
    participant.next_due_at = work.now
    return found


def replan_participant(work: UnitOfWork, participant: Participant) -> None:
    """Re-plan the expected forms by current anchors and plan file.

    Called at enrolment and when the plan file has changed.
    """
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.visit_schedule is None:
        return
    work.session.flush()
    state = _lock_schedule(work, participant)
    diff, served = _diff(work, participant, state, dated_anchors(state.rows))
    apply_replan(work, participant, diff, state.expected, served)
    participant.next_due_at = work.now


def replan_study(work: UnitOfWork, plan_id: str, *, save: bool) -> list[ReplanCounts]:
    """Return what the current plan file changes for the participants of a study.

    ``save``: write it, with one audit entry a participant. Participants without a change are left out; ordered by
    participant number.
    """
    query = select(Participant).where(Participant.plan == plan_id).order_by(Participant.participant_number)
    found = []
    for participant in work.session.scalars(query):
        work.lock(participant)
        diff, _served = _diff(work, participant, state := _lock_schedule(work, participant), dated_anchors(state.rows))
        if diff.is_empty:
            continue
        one = ReplanCounts(participant.participant_number, len(diff.moved), len(diff.added), len(diff.dropped))
        found.append(one)
        if save:
            replan_participant(work, participant)
            counts = {"moved": one.moved, "added": one.added, "dropped": one.dropped}
            new = counts | {"plan_version": work.catalogue.shown_plan(plan_id).version}
            work.record("plan.renewed", participant, participant_id=participant.id, new=new)
    return found


def clear_suspicion(work: UnitOfWork, participant: Participant, reason: str) -> None:
    """Clear the suspicion of an ulcer (docs/domain.md 3.4.5).

    Raise BadData("reason", fields={"reason": "empty"}) without a reason.
    """
    if not reason.strip():
        raise BadData("reason", fields={"reason": "empty"})
    clinical_facts.set_fact(work, participant.id, "ulcer_status", "none", reason=reason.strip())


def expected_visit_of(row: ExpectedForm, zone: str) -> Planned:
    """Return ``row`` as the value that the functions of the visit schedule take.

    Without reminders: those are in the study plan, see ``with_reminders``.
    """
    return Planned(
        visit=row.visit,
        kind=row.kind,
        number=row.number,
        instrument=row.instrument,
        opens=row.opens_at,
        due=row.due_at,
        closes=row.closes_at,
        mandatory=row.mandatory,
        basis=row.basis,
        time_zone=zone,
        rank=row.rank,
    )


def with_reminders(visit_schedule: VisitSchedule, row: ExpectedForm, zone: str) -> Planned:
    """Return ``row`` with the reminders of its visit; None where the plan's own apply."""
    reminders = next((visit.reminders for visit in visit_schedule.visits if visit.id == row.kind), None)
    return replace(expected_visit_of(row, zone), reminders=reminders)


def answered_form_of(assessment: Assessment) -> AnsweredForm:
    """Return an answered form as the value that the matching takes.

    Forms entered by staff count from the recorded time of the answers.
    """
    at = assessment.answered_at or assessment.submitted_at or assessment.last_answer_at or assessment.issued_at
    return AnsweredForm(str(assessment.id), assessment.instrument, at, assessment.visit or "")


def was_never_asked(row: ExpectedForm) -> bool:
    """Return True if the window was over before the form was planned.

    Its date was recorded afterwards, or mistyped.
    """
    return row.received_at is None and row.missed_at is not None and row.closes_at < row.known_at


def apply_replan(
    work: UnitOfWork,
    participant: Participant,
    diff: Replan,
    rows: Mapping[tuple[str, str], ExpectedForm],
    served: Sequence[MatchedForm],
) -> None:
    """Write the result of a re-plan.

    ``rows``: the participant's expected forms by (visit, instrument). ``served``: the visits that answered forms count
    for.
    """
    rows = dict(rows)
    for one in diff.kept:
        rows[one.name].basis, rows[one.name].rank = one.basis, one.rank
    for before, one in diff.moved:
        row = rows[one.name]
        _write_visit(row, one)
        row.known_at, row.missed_at = work.now, None
        row.missing_reason, row.missing_note, row.reason_by, row.reason_at = "", "", None, None
        if one.opens > before.closes:
            # The windows do not overlap: the reminders start again.
            row.steps = 0
    dropped = {rows[one.name].assessment_id for one in diff.dropped}
    for one in diff.dropped:
        work.session.delete(rows.pop(one.name))
    for one in diff.added:
        row = rows[one.name] = ExpectedForm(
            participant_id=participant.id, visit=one.visit, instrument=one.instrument, known_at=work.now
        )
        _write_visit(row, one)
        work.session.add(row)
    for found in served:
        row = rows[found.one.name]
        if row.received_at is None:
            _mark_served(row, found, work.session.get_one(Assessment, int(found.form)))
    for one in (*diff.added, *(after for _before, after in diff.moved)):
        row = rows[one.name]
        if one.closes < work.now and row.received_at is None:
            # Its date was recorded afterwards, so the participant was never asked: no message, no call task.
            row.missed_at, row.missing_reason, row.reason_at = work.now, "administrative", work.now
    work.session.flush()
    forms = {row.assessment_id for row in rows.values() if row.assessment_id and row.received_at is None}
    _update_unopened_forms(work, participant, {number for number in dropped | forms if number}, dropped)


def record_served_visits(work: UnitOfWork, assessment: Assessment) -> list[ExpectedForm]:
    """Record the visits that the answered ``assessment`` serves, and return their rows.

    Other visits are kept apart from it (docs/domain.md 6, rule 1). A form that was begun and not submitted counts only
    after its window. A second call changes nothing.
    """
    participant = work.session.get_one(Participant, assessment.participant_id)
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.visit_schedule is None:
        return []
    form = answered_form_of(assessment)
    near = and_(ExpectedForm.closes_at >= form.at, ExpectedForm.opens_at <= form.at + MATCHING_SPAN)
    mine = ExpectedForm.assessment_id == assessment.id
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == assessment.participant_id,
        ExpectedForm.instrument == assessment.instrument,
        or_(near, ExpectedForm.visit == form.visit, mine),
        or_(ExpectedForm.received_at.is_(None), mine),
    )
    rows = {row.visit: row for row in work.session.scalars(query.order_by(ExpectedForm.id).with_for_update())}
    matched = match_forms(
        [expected_visit_of(row, participant.time_zone) for row in rows.values()], [form], plan.visit_schedule.apart
    )
    served = []
    for found in matched.served:
        row = rows[found.one.visit]
        if assessment.submitted_at is None and row.closes_at >= work.now:
            continue  # it can still be submitted
        _mark_served(row, found, assessment)
        served.append(row)
    for one in matched.waiting:
        row = rows[one.visit]
        if row.assessment_id == assessment.id and _was_begun_in(row, assessment, work.now):
            # Answered after its end: not missed (docs/domain.md 6, rule 4), but flagged (rule 2).
            _mark_served(row, MatchedForm(one, form.ref, nearest=False, out_of_window=True), assessment)
            served.append(row)
        elif row.received_at is None and row.assessment_id in (None, assessment.id):
            row.opens_at = one.opens
            row.assessment_id = None
    return served


def _lock_schedule(work: UnitOfWork, participant: Participant) -> _LockedSchedule:
    """Lock and return anchors, expected forms and answered forms of a participant.

    An unopened form that another transaction holds counts as opened, so that it stays unchanged.
    """
    query = select(ExpectedForm).where(ExpectedForm.participant_id == participant.id).order_by(ExpectedForm.id)
    rows = {(row.visit, row.instrument): row for row in work.session.scalars(query.with_for_update())}
    issued = {row.assessment_id for row in rows.values() if row.assessment_id and row.received_at is None}
    unopened = (
        select(Assessment)
        .where(Assessment.id.in_(issued), Assessment.opened_at.is_(None), Assessment.submitted_at.is_(None))
        .with_for_update(skip_locked=True, key_share=True)
    )
    held = {row.id for row in work.session.scalars(unopened)} if issued else set()
    opened = {
        name for name, row in rows.items() if row.received_at or (row.assessment_id and row.assessment_id not in held)
    }
    answered = select(Assessment).where(
        Assessment.participant_id == participant.id, Assessment.submitted_at.is_not(None)
    )
    forms = [answered_form_of(row) for row in work.session.scalars(answered)]
    return _LockedSchedule(
        require_calendar(work, participant), ordered_anchors(work, participant), rows, frozenset(opened), forms
    )


def _make_preview(
    work: UnitOfWork, participant: Participant, state: _LockedSchedule, changes: Sequence[DateChange]
) -> ChangePreview:
    """Return the effect of ``changes`` on the locked schedule."""
    standing = {(one.kind, one.number): one for one in dated_anchors(state.rows)}
    before = tuple(standing.values())
    for change in changes:
        standing.pop((change.kind, change.number), None)
        if change.on is not None:
            standing[change.kind, change.number] = dated.DatedAnchor(
                change.kind, change.number, change.on, change.planned
            )
    place = {kind: number for number, kind in enumerate(state.visit_schedule.anchors)}
    after = tuple(sorted(standing.values(), key=lambda one: (place.get(one.kind, len(place)), one.number)))
    today = local_date(work.now, participant.time_zone)
    # Problems that existed before must not prevent a correction.
    known = set(dated.find_anchor_problems(state.visit_schedule, before, today))
    problems = tuple(
        problem for problem in dated.find_anchor_problems(state.visit_schedule, after, today) if problem not in known
    )
    problems = (*_unclear_changes(state.visit_schedule, changes), *problems)
    nothing: tuple[Replan, tuple[MatchedForm, ...]] = (Replan((), (), (), ()), ())
    diff, served = nothing if problems else _diff(work, participant, state, after)
    return ChangePreview(problems, diff, after, served, _digest(changes, diff))


def _unclear_changes(visit_schedule: VisitSchedule, changes: Sequence[DateChange]) -> Iterator[AnchorProblem]:
    """Yield changes of unknown kinds, and of one anchor twice.

    The anchors after the change do not show these problems.
    """
    seen: set[tuple[str, int]] = set()
    for change in changes:
        anchor = dated.DatedAnchor(change.kind, change.number, change.on or date.min, change.planned)
        if change.on is None and change.kind not in visit_schedule.anchors:
            yield AnchorProblem("unknown", anchor)
        if (change.kind, change.number) in seen:
            yield AnchorProblem("twice", anchor)
        seen.add((change.kind, change.number))


def _diff(
    work: UnitOfWork, participant: Participant, state: _LockedSchedule, after: Sequence[dated.DatedAnchor]
) -> tuple[Replan, tuple[MatchedForm, ...]]:
    """Return the re-plan for the anchors ``after``, and the visits that answered forms serve."""
    zone, working = participant.time_zone, work.catalogue.working_days(participant.plan)
    wanted = list_expected_visits(state.visit_schedule, after, zone, working)
    stored = {name: expected_visit_of(row, zone) for name, row in state.expected.items()}
    unasked = {name for name, row in state.expected.items() if was_never_asked(row)} - state.opened
    stays = {
        name: one
        for name, one in stored.items()
        if name in state.opened or (one.closes < work.now and name not in unasked)
    }
    # Past answers are matched with the stored windows, not with those that the plan would give today.
    standing = [*stays.values(), *(one for one in wanted if one.name not in stays)]
    matched = match_forms(standing, state.forms, state.visit_schedule.apart)
    # A form that opens later because of a recent answer must not count as moved.
    later = {one.name: one for one in matched.waiting}
    wanted = tuple(later.get(one.name, one) for one in wanted)
    diff = replan(tuple(stored.values()), wanted, state.opened, work.now, unasked)
    return diff, matched.served


def _digest(changes: Sequence[DateChange], diff: Replan) -> str:
    """Return a digest of the changes and their effect, 32 hexadecimal digits."""
    shown = [repr(change) for change in changes]
    shown += [f"{one.name} {one.opens} {one.closes}" for pair in diff.moved for one in pair]
    shown += [f"+{one.name} {one.opens} {one.closes}" for one in diff.added]
    shown += [f"-{one.name}" for one in diff.dropped]
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:32]


def _changes_a_fact(rows: Sequence[Anchor], change: DateChange) -> bool:
    """Return True if ``change`` alters or removes an anchor that is a fact, not planned."""
    return any(
        row.kind == change.kind
        and row.number == change.number
        and not row.planned
        and (row.on != change.on or change.planned)
        for row in rows
    )


def _supersede(
    work: UnitOfWork, participant: Participant, rows: Sequence[Anchor], changes: Sequence[DateChange], reason: str
) -> list[list[object]]:
    """Store the changed anchors; return the previous ones, which stay as history."""
    old: list[list[object]] = []
    for change in changes:
        for row in rows:
            if (row.kind, row.number) == (change.kind, change.number):
                row.superseded_at = work.now
                old.append([row.kind, row.number, row.on.isoformat(), row.planned])
        if change.on is None:
            continue
        work.session.add(
            Anchor(
                participant_id=participant.id,
                kind=change.kind,
                number=change.number,
                on=change.on,
                planned=change.planned,
                recorded_at=work.now,
                recorded_by=work.actor.id if work.actor.kind == "staff" else None,
                reason=reason,
            )
        )
    return old


def _apply_consequences(
    work: UnitOfWork,
    participant: Participant,
    state: _LockedSchedule,
    after: Sequence[dated.DatedAnchor],
    changes: Sequence[DateChange],
    reason: str,
) -> None:
    """Set the clinical facts of the changed anchors; end or resume participation."""
    visit_schedule = state.visit_schedule
    touched = {change.kind for change in changes}
    for fact in sorted({fact for kind in touched for fact in visit_schedule.anchors[kind].sets}):
        value = _fact_by_anchors(work, participant, visit_schedule, after, fact)
        if clinical_facts.current_fact(work, participant.id, fact) != value:
            clinical_facts.set_fact(work, participant.id, fact, value, reason=reason or "anchor")
    for kind in (kind for kind in visit_schedule.participation_end if kind in touched):
        died = visit_schedule.anchors[kind].last
        if any(one.kind == kind for one in after):
            participation_end.end_participation(work, participant, died=died, reason=reason)
        else:
            participation_end.resume_participation(work, participant, died=died, reason=reason)


def _fact_by_anchors(
    work: UnitOfWork,
    participant: Participant,
    visit_schedule: VisitSchedule,
    after: Sequence[dated.DatedAnchor],
    fact: str,
) -> str:
    """Return the value of ``fact`` by the anchors.

    The value that a rule set after the newest of these anchors has precedence.
    """
    setting = [kind for kind, rule in visit_schedule.anchors.items() if fact in rule.sets]
    newest = max((one.on for one in after if one.kind in setting and not one.planned), default=None)
    rows = ClinicalFact.participant_id == participant.id, ClinicalFact.name == fact, ClinicalFact.item == ""
    if newest is not None:
        found = work.session.scalar(select(ClinicalFact).where(*rows).order_by(ClinicalFact.id.desc()).limit(1))
        by_rule = found is not None and found.recorded_by is None
        if found is not None and by_rule and local_date(found.recorded_at, participant.time_zone) > newest:
            return str(found.value)
        return dated.facts_from_anchors(visit_schedule, after)[fact]
    # All anchors were removed: the fact has the value from before the first of them.
    mine = Anchor.participant_id == participant.id, Anchor.kind.in_(setting)
    first = select(func.min(Anchor.recorded_at)).where(*mine)
    before = select(ClinicalFact).where(*rows, ClinicalFact.recorded_at < first.scalar_subquery())
    found = work.session.scalar(before.order_by(ClinicalFact.id.desc()).limit(1))
    return str(found.value) if found is not None else "none"


def _was_begun_in(row: ExpectedForm, assessment: Assessment, now: datetime) -> bool:
    """Return True if the form was begun in the window of ``row``, and the window is over."""
    begun = assessment.first_answer_at
    return begun is not None and row.opens_at <= begun <= row.closes_at < now


def _mark_served(row: ExpectedForm, found: MatchedForm, assessment: Assessment) -> None:
    """Record in ``row`` that ``assessment`` serves it."""
    row.assessment_id, row.received_at = assessment.id, answered_form_of(assessment).at
    row.nearest, row.out_of_window = found.nearest, found.out_of_window
    row.partial = assessment.submitted_at is None
    if found.nearest:
        assessment.visit = row.visit


def _write_visit(row: ExpectedForm, one: Planned) -> None:
    """Copy visit data and window of ``one`` to ``row``."""
    row.kind, row.number, row.basis, row.rank = one.kind, one.number, one.basis, one.rank
    row.opens_at, row.due_at, row.closes_at, row.mandatory = one.opens, one.due, one.closes, one.mandatory


def _update_unopened_forms(
    work: UnitOfWork, participant: Participant, numbers: set[int], dropped: Collection[int | None]
) -> None:
    """Give unopened forms the new window of their visits, or cancel them with their visits."""
    if not numbers:
        return
    query = select(Assessment).where(
        Assessment.id.in_(numbers),
        Assessment.opened_at.is_(None),
        Assessment.submitted_at.is_(None),
        Assessment.cancelled_at.is_(None),
    )
    for assessment in work.session.scalars(query):
        visits = (
            select(ExpectedForm).where(ExpectedForm.assessment_id == assessment.id).order_by(ExpectedForm.closes_at)
        )
        rows = list(work.session.scalars(visits))
        waiting = [row for row in rows if row.received_at is None and row.missed_at is None]
        if waiting:
            last = waiting[-1]
            assessment.opens_at, assessment.due_at = waiting[0].opens_at, last.due_at
            assessment.closes_at = last.closes_at
            if assessment.visit not in {row.visit for row in waiting}:
                assessment.visit = waiting[0].visit
        # A form that was reused for the dropped visit is not given back to an earlier visit.
        if waiting or assessment.id not in dropped or assessment.visit in {row.visit for row in rows}:
            continue
        assessment.cancelled_at = work.now
        form_access.close_access(work, assessment)
        about = Message.assessment_id == assessment.id, Message.participant_id == participant.id
        outbox.drop_messages(work, and_(*about), "not_wanted")
        work.record("assessment.cancelled", assessment, participant_id=participant.id, reason="re-planned")
