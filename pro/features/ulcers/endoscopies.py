"""Endoscopies: request one, record its result, cancel it, list overdue ones.

A result is a record only: it does not change the ulcer status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.clinical import stopping_rule
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.participants.treatment_dates import local_date
from pro.models import Endoscopy, Participant, StaffMember
from pro.models.ulcer import RESULTS, ULCER_RESULTS


@dataclass(frozen=True, slots=True)
class OverdueEndoscopy:
    """An endoscopy that was requested and not done within the days that the study plan allows."""

    participant_id: int
    participant_number: str
    requested_on: date
    requested_at: datetime


def request_endoscopy(work: UnitOfWork, participant: Participant) -> Endoscopy:
    """Request an endoscopy today.

    Raises NotAllowed("asked_before", name, at) while another request is open.
    """
    work.lock(participant)
    which = (Endoscopy.done_on.is_(None), Endoscopy.cancelled_at.is_(None))
    query = select(Endoscopy).where(Endoscopy.participant_id == participant.id, *which)
    waiting = work.session.scalar(query.limit(1))
    if waiting is not None:
        raise NotAllowed("asked_before", name=_staff_name(work, waiting.requested_by), at=waiting.requested_at)
    row = Endoscopy(
        participant_id=participant.id,
        requested_on=local_date(work.now, participant.time_zone),
        requested_at=work.now,
        requested_by=_staff_id(work),
    )
    work.session.add(row)
    work.record("endoscopy.requested", row, participant_id=participant.id, new={"requested_on": str(row.requested_on)})
    return row


def record_result(
    work: UnitOfWork,
    participant: Participant,
    endoscopy_id: int | None,
    *,
    done_on: date | None,
    result: str,
    grade: str = "",
    finding: str = "",
) -> Endoscopy:
    """Record the result of a requested endoscopy, or of one without a request (id None).

    ``grade``: CTCAE grade as typed, "" if not graded. Raises BadData("endoscopy", fields=...) for invalid values,
    NotAllowed("recorded_meanwhile", name, at) if the endoscopy was recorded or cancelled meanwhile, and NotFound for an
    endoscopy of another participant.
    """
    work.lock(participant)
    row = _get_open_request(work, participant, endoscopy_id)
    today = local_date(work.now, participant.time_zone)
    fields = {
        "done_on": _day_problem(done_on, today, row.requested_on if row else None),
        "result": "" if result in RESULTS else "endoscopy_result",
        "grade": _grade_problem(grade, result, offered_grades(work, participant)),
    }
    wrong = {name: why for name, why in fields.items() if why}
    if wrong:
        raise BadData("endoscopy", fields=wrong)
    if row is None:
        row = Endoscopy(participant_id=participant.id)
        work.session.add(row)
    row.done_on, row.result, row.finding = done_on, result, finding.strip()
    row.ctcae_grade = int(grade) if grade else None
    row.recorded_at, row.recorded_by = work.now, _staff_id(work)
    new = {"done_on": str(done_on), "result": result, "ctcae_grade": row.ctcae_grade}
    work.record("endoscopy.done", row, participant_id=participant.id, new=new)
    return row


def offered_grades(work: UnitOfWork, participant: Participant) -> tuple[int, ...]:
    """Return the grades that an endoscopy may be given: those that CTCAE has for the study's ulcer terms.

    Empty for a study plan that names no ulcer term: a grade without a term says nothing.
    """
    plan = work.catalogue.plans.get(participant.plan)
    named = plan.stopping_rule.ctcae_terms if plan is not None and plan.stopping_rule is not None else ()
    known = work.catalogue.terms.terms
    return tuple(sorted({grade for name in named if name in known for grade in known[name].grades}))


def cancel_endoscopy(work: UnitOfWork, participant: Participant, endoscopy_id: int, reason: str) -> Endoscopy:
    """Cancel an endoscopy that was not needed or was recorded wrongly; the row stays.

    Raises BadData("endoscopy", fields=...) without a reason, NotAllowed("recorded_meanwhile", name, at) if it was
    cancelled before, and NotFound for an endoscopy of another participant.
    """
    work.lock(participant)
    row = _get_endoscopy(work, participant, endoscopy_id)
    if row.cancelled_at is not None:
        raise NotAllowed("recorded_meanwhile", name=_staff_name(work, row.cancelled_by), at=row.cancelled_at)
    if not reason.strip():
        raise BadData("endoscopy", fields={"reason": "reason_needed"})
    row.cancelled_at, row.cancelled_by, row.reason = work.now, _staff_id(work), reason.strip()
    old = {"done_on": str(row.done_on or ""), "result": row.result, "ctcae_grade": row.ctcae_grade}
    work.record("endoscopy.cancelled", row, participant_id=participant.id, old=old, reason=row.reason)
    return row


def overdue_endoscopies(work: UnitOfWork) -> list[OverdueEndoscopy]:
    """Return requested endoscopies that are overdue, oldest request first.

    Participants who died are left out.
    """
    query = (
        select(Endoscopy, Participant)
        .join(Participant, Participant.id == Endoscopy.participant_id)
        .where(Endoscopy.done_on.is_(None), Endoscopy.cancelled_at.is_(None), Endoscopy.requested_on.is_not(None))
        .where(Participant.died_at.is_(None))
        .order_by(Endoscopy.requested_on, Endoscopy.id)
    )
    found = []
    for row, person in work.session.execute(query):
        if row.requested_on and row.requested_at and is_overdue(work, person, row):
            found.append(OverdueEndoscopy(person.id, person.participant_number, row.requested_on, row.requested_at))
    return found


def is_overdue(work: UnitOfWork, person: Participant, row: Endoscopy) -> bool:
    """Return True if an endoscopy is open for longer than the study plan allows."""
    plan = work.catalogue.plans.get(person.plan)
    if plan is None or plan.stopping_rule is None or row.requested_on is None or row.done_on or row.cancelled_at:
        return False
    return local_date(work.now, person.time_zone) >= stopping_rule.endoscopy_overdue_from(
        plan.stopping_rule, row.requested_on
    )


def _get_endoscopy(work: UnitOfWork, participant: Participant, endoscopy_id: int) -> Endoscopy:
    row = work.session.get(Endoscopy, endoscopy_id, populate_existing=True)
    if row is None or row.participant_id != participant.id:
        raise NotFound("endoscopy")
    return row


def _get_open_request(work: UnitOfWork, participant: Participant, endoscopy_id: int | None) -> Endoscopy | None:
    """Return a requested endoscopy that is neither recorded nor cancelled, None for id None."""
    if endoscopy_id is None:
        return None
    row = _get_endoscopy(work, participant, endoscopy_id)
    ended: list[tuple[datetime | None, int | None]] = [
        (row.cancelled_at, row.cancelled_by),
        (row.recorded_at, row.recorded_by),
    ]
    for at, by in ended:
        if at is not None:
            raise NotAllowed("recorded_meanwhile", name=_staff_name(work, by), at=at)
    return row


def _day_problem(done_on: date | None, today: date, requested_on: date | None) -> str:
    if done_on is None:
        return "date_needed"
    if done_on > today:
        return "endoscopy_in_future"
    if (today - done_on).days > 366:
        return "endoscopy_long_ago"
    return "endoscopy_before_asked" if requested_on is not None and done_on < requested_on else ""


def _grade_problem(grade: str, result: str, offered: tuple[int, ...]) -> str:
    if grade and grade not in map(str, offered):
        return "grade_not_of_ulcer_term"
    return "grade_without_ulcer" if grade and result in RESULTS and result not in ULCER_RESULTS else ""


def _staff_id(work: UnitOfWork) -> int | None:
    return work.actor.id if work.actor.kind == "staff" else None


def _staff_name(work: UnitOfWork, staff_id: int | None) -> str:
    found = work.session.get(StaffMember, staff_id) if staff_id else None
    return found.name if found else ""
