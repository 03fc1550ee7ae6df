"""Rows of the ledger as the pure plan's values and back: what a re-plan writes, and which form serves which visit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select

from pro.app_context import UnitOfWork
from pro.core.schedule.expected_visits import ExpectedVisit as Planned
from pro.core.schedule.form_matching import AnsweredForm, MatchedForm, match_forms
from pro.core.schedule.replanning import Replan
from pro.core.study_plan import VisitSchedule
from pro.features.forms import form_access
from pro.messaging import outbox
from pro.models import Assessment, ExpectedForm, Message, Participant

# Wider than any "apart" between two forms of an instrument: what one answer can have to do with.
MATCHING_SPAN = timedelta(days=60)


def expected_visit_of(row: ExpectedForm, zone: str) -> Planned:
    """``row`` as the value that the calendar's functions take; whose reminders it has, the plan knows."""
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


def with_reminders(calendar: VisitSchedule, row: ExpectedForm, zone: str) -> Planned:
    """``row`` with the reminders of its visit; the plan's own where the visit says nothing."""
    ladder = next((visit.reminders for visit in calendar.visits if visit.id == row.kind), None)
    return replace(expected_visit_of(row, zone), reminders=ladder)


def answered_form_of(assessment: Assessment) -> AnsweredForm:
    """An answered form as ``serve`` takes it; what staff typed counts from when it was really answered."""
    at = assessment.answered_at or assessment.submitted_at or assessment.last_answer_at or assessment.issued_at
    return AnsweredForm(str(assessment.id), assessment.instrument, at, assessment.visit or "")


def was_never_asked(row: ExpectedForm) -> bool:
    """True if its window was over before it became known: recorded afterwards, or mistyped."""
    return row.served_at is None and row.missed_at is not None and row.closes_at < row.known_at


def apply_replan(
    work: UnitOfWork,
    participant: Participant,
    diff: Replan,
    rows: Mapping[tuple[str, str], ExpectedForm],
    served: Sequence[MatchedForm],
) -> None:
    """Write what a re-plan changed. ``rows``: the participant's, by name; ``served``: what answered forms count for."""
    rows = dict(rows)
    for one in diff.kept:
        rows[one.name].basis, rows[one.name].rank = one.basis, one.rank
    for before, one in diff.moved:
        row = rows[one.name]
        _write_visit(row, one)
        row.known_at, row.missed_at = work.now, None
        row.missing_reason, row.missing_note, row.reason_by, row.reason_at = "", "", None, None
        if one.opens > before.closes:
            # Another time altogether: who was asked then must be asked anew.
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
        if row.served_at is None:
            _mark_served(row, found, work.session.get_one(Assessment, int(found.form)))
    for one in (*diff.added, *(after for _before, after in diff.moved)):
        row = rows[one.name]
        if one.closes < work.now and row.served_at is None:
            # Its day was recorded afterwards, so nobody was ever asked: nothing is sent, nobody is phoned.
            row.missed_at, row.missing_reason, row.reason_at = work.now, "administrative", work.now
    work.session.flush()
    forms = {row.assessment_id for row in rows.values() if row.assessment_id and row.served_at is None}
    _update_unopened_forms(work, participant, {number for number in dropped | forms if number}, dropped)


def record_served_visits(work: UnitOfWork, assessment: Assessment) -> list[ExpectedForm]:
    """Note in the ledger which visits the answered ``assessment`` serves, and keep others apart from it.

    One that was begun and never sent counts only where the window is over. Returns the rows that it serves. Twice is
    harmless.
    """
    participant = work.session.get_one(Participant, assessment.participant_id)
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.calendar is None:
        return []
    form = answered_form_of(assessment)
    near = and_(ExpectedForm.closes_at >= form.at, ExpectedForm.opens_at <= form.at + MATCHING_SPAN)
    mine = ExpectedForm.assessment_id == assessment.id
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == assessment.participant_id,
        ExpectedForm.instrument == assessment.instrument,
        or_(near, ExpectedForm.visit == form.visit, mine),
        or_(ExpectedForm.served_at.is_(None), mine),
    )
    rows = {row.visit: row for row in work.session.scalars(query.order_by(ExpectedForm.id).with_for_update())}
    ledger = match_forms(
        [expected_visit_of(row, participant.time_zone) for row in rows.values()], [form], plan.calendar.apart
    )
    served = []
    for found in ledger.served:
        row = rows[found.one.visit]
        if assessment.submitted_at is None and row.closes_at >= work.now:
            continue  # there is time left to send it
        _mark_served(row, found, assessment)
        served.append(row)
    for one in ledger.waiting:
        row = rows[one.visit]
        if row.assessment_id == assessment.id and _was_begun_in(row, assessment, work.now):
            # Sent, or gone on with, after its end: it is no silence (rule 4), and flagged (rule 2).
            _mark_served(row, MatchedForm(one, form.ref, nearest=False, out_of_window=True), assessment)
            served.append(row)
        elif row.served_at is None and row.assessment_id in (None, assessment.id):
            row.opens_at = one.opens
            row.assessment_id = None
    return served


def _was_begun_in(row: ExpectedForm, assessment: Assessment, now: datetime) -> bool:
    begun = assessment.first_answer_at
    return begun is not None and row.opens_at <= begun <= row.closes_at < now


def _mark_served(row: ExpectedForm, found: MatchedForm, assessment: Assessment) -> None:
    row.assessment_id, row.served_at = assessment.id, answered_form_of(assessment).at
    row.nearest, row.out_of_window = found.nearest, found.out_of_window
    row.partial = assessment.submitted_at is None
    if found.nearest:
        assessment.visit = row.visit


def _write_visit(row: ExpectedForm, one: Planned) -> None:
    row.kind, row.number, row.basis, row.rank = one.kind, one.number, one.basis, one.rank
    row.opens_at, row.due_at, row.closes_at, row.mandatory = one.opens, one.due, one.closes, one.mandatory


def _update_unopened_forms(
    work: UnitOfWork, participant: Participant, numbers: set[int], dropped: Collection[int | None]
) -> None:
    """Forms that nobody opened go with their visits: a new window, or none any more."""
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
        waiting = [row for row in rows if row.served_at is None and row.missed_at is None]
        if waiting:
            last = waiting[-1]
            assessment.opens_at, assessment.due_at = waiting[0].opens_at, last.due_at
            assessment.closes_at = last.closes_at
            if assessment.visit not in {row.visit for row in waiting}:
                assessment.visit = waiting[0].visit
        # A form that went on to the visit that is dropped now does not go back to an earlier one.
        if waiting or assessment.id not in dropped or assessment.visit in {row.visit for row in rows}:
            continue
        assessment.cancelled_at = work.now
        form_access.close_access(work, assessment)
        about = Message.assessment_id == assessment.id, Message.participant_id == participant.id
        outbox.drop_messages(work, and_(*about), "not_wanted")
        work.record("assessment.cancelled", assessment, participant_id=participant.id, reason="re-planned")
