"""Data corrections of submitted forms: one person signs a request, another decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Value
from pro.core.questionnaire.json_values import read_value, store_value
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import privacy, staff_accounts
from pro.features.accounts import signatures as accounts_signatures
from pro.features.accounts.signatures import PasswordProof, SignedShapes
from pro.features.assessments import data_entry, paper_forms
from pro.features.assessments.paper_forms import Question, QuestionnaireLayout
from pro.features.forms import form_state
from pro.features.participants import clinical_facts, record_freezes
from pro.models import REQUEST_CHANNELS, Answer, Assessment, DataCorrection, Participant, Signature, StaffMember

REASON_LENGTH = 1000
# What the signature of a request covers, by version (pro/features/accounts/signatures.py:SignedShapes).
SIGNED_SHAPES: SignedShapes = {1: ("form", "item", "answer", "old", "value", "heard", "reason", "outcome", "note")}


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """The content of a correction request.

    ``value``: None for "not answered". ``confirmed_at``, ``confirmed_how``, ``confirmed_to``: when, how and to whom the
    participant confirmed the correct answer.
    """

    item: str
    value: Value | None
    confirmed_at: datetime | None
    confirmed_how: str
    confirmed_to: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """One correction request as staff read it.

    ``was`` and ``wanted``: the answers in words, "" for none. ``own``: the acting person made the request. ``stale``:
    the answer changed after the request.
    """

    id: int
    participant_id: int
    participant_number: str
    assessment_id: int
    title: str
    item: str
    question: str
    was: str
    wanted: str
    confirmed_at: datetime
    confirmed_how: str
    confirmed_to: str
    reason: str
    requested_at: datetime
    requested_by: str
    own: bool
    outcome: str
    decided_at: datetime | None
    decided_by: str
    note: str
    stale: bool
    signatures: list[Signature]


def submitted_form(work: UnitOfWork, assessment_id: int, language: str) -> tuple[Assessment, QuestionnaireLayout]:
    """Return a submitted form with its current answers, and record that it was seen.

    Raises NotFound for any other form.
    """
    assessment = _submitted_assessment(work, assessment_id)
    person = work.session.get_one(Participant, assessment.participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    return assessment, paper_forms.answered_layout(work, assessment, language)


def request_correction(
    work: UnitOfWork, proof: PasswordProof, assessment: Assessment, correction_request: CorrectionRequest
) -> DataCorrection:
    """Store and sign a request to correct an answer.

    Raises BadData("correction", fields={field: why}) for invalid values, NotAllowed("asked_already") while another
    request for the item is open, and RecordFrozen.
    """
    person = work.session.get_one(Participant, assessment.participant_id)
    work.lock(person)
    record_freezes.require_unfrozen(work, person.plan, person.id)
    rows = form_state.answer_rows(work, assessment.id)
    wrong = _request_problems(work, assessment, correction_request, rows)
    if wrong:
        raise BadData("correction", fields=wrong)
    if _open_request(work, assessment.id, correction_request.item) is not None:
        raise NotAllowed("asked_already")
    stood = rows.get(correction_request.item)
    row = DataCorrection(
        participant_id=person.id,
        assessment_id=assessment.id,
        item=correction_request.item,
        old=stood.value if stood and stood.state == "given" else None,
        value=store_value(correction_request.value),
        answer_id=stood.id if stood else None,
        confirmed_at=correction_request.confirmed_at,
        confirmed_how=correction_request.confirmed_how,
        confirmed_to=correction_request.confirmed_to,
        reason=correction_request.reason.strip(),
        requested_at=work.now,
        requested_by=proof.staff_id,
        outcome="",
        note="",
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "data_correction.requested",
        row,
        participant_id=person.id,
        old={row.item: row.old},
        new={row.item: ["given" if row.value is not None else "skipped", row.value]},
        reason=row.reason,
    )
    accounts_signatures.sign(
        work, proof, "requested", row, signed_content(row), SIGNED_SHAPES, participant_id=person.id
    )
    return row


def approve_correction(work: UnitOfWork, proof: PasswordProof, correction_id: int, note: str = "") -> DataCorrection:
    """Approve a request: add the corrected answer, score and evaluate the form again.

    The old answer stays as a row; alerts are raised if rules fire. Raises NotAllowed: "decided" for a request that was
    decided before, "own_request" for the person who made it, "answer_changed" if the answer changed meanwhile,
    "not_asked_any_more" if other answers no longer lead to the item. Raises NotFound, RecordFrozen, and BadData for a
    note that is too long.
    """
    row, assessment = _lock_for_decision(work, proof, correction_id, note)
    shape = work.catalogue.shown_instrument(assessment.instrument)
    rows = form_state.answer_rows(work, assessment.id)
    if _is_stale(row, rows):
        raise NotAllowed("answer_changed")
    earlier = form_state.current_answers(shape, rows)
    if row.item not in shape.items:
        raise NotAllowed("not_asked_any_more")
    value = read_value(shape.items[row.item], row.value)
    facts = clinical_facts.form_facts(assessment.context)
    filled = page_flow.fill_form(shape, earlier, facts, {row.item: value}, assessment.page_set)
    if filled.not_asked:
        raise NotAllowed("not_asked_any_more")
    changes = [change for _page, change in filled.changes]
    work.record(
        "answers.corrected",
        assessment,
        participant_id=row.participant_id,
        old={change.item: rows[change.item].value for change in changes if change.item in rows} or None,
        new={change.item: [change.state, store_value(change.value)] for change in changes},
        reason=row.reason,
    )
    _sign_decision(work, proof, row, "approved", note)
    data_entry.apply_correction(work, assessment, filled, earlier, "correction")
    return row


def reject_correction(work: UnitOfWork, proof: PasswordProof, correction_id: int, note: str) -> DataCorrection:
    """Reject a request; the answer stays.

    Raises BadData without a note, and as ``approve_correction``, but accepts a stale request.
    """
    if not note.strip():
        raise BadData("correction", fields={"note": "why_needed"})
    row, _assessment = _lock_for_decision(work, proof, correction_id, note)
    _sign_decision(work, proof, row, "refused", note)
    return row


def signed_content(row: DataCorrection) -> Mapping[str, Any]:
    """Return the content that a signature of a request covers, as it is now."""
    return {
        "form": row.assessment_id,
        "item": row.item,
        "answer": row.answer_id,
        "old": row.old,
        "value": row.value,
        "heard": [row.confirmed_at.isoformat(), row.confirmed_how, row.confirmed_to],
        "reason": row.reason,
        "outcome": row.outcome,
        "note": row.note,
    }


def list_corrections(work: UnitOfWork, language: str, assessment_id: int | None = None) -> list[CorrectionRow]:
    """Return open requests, oldest first, then up to 100 decided ones, newest first."""
    conditions = (
        DataCorrection.assessment_id == assessment_id if assessment_id is not None else DataCorrection.id.is_not(None)
    )
    waiting = select(DataCorrection).where(conditions, DataCorrection.outcome == "").order_by(DataCorrection.id)
    done = (
        select(DataCorrection)
        .where(conditions, DataCorrection.outcome != "")
        .order_by(DataCorrection.id.desc())
        .limit(100)
    )
    return [_build_row(work, row, language) for query in (waiting, done) for row in work.session.scalars(query)]


def correction_row(work: UnitOfWork, correction_id: int, language: str) -> CorrectionRow:
    """Return one request, and record that it was seen. Raises NotFound."""
    row = work.session.get(DataCorrection, correction_id)
    if row is None:
        raise NotFound("correction")
    person = work.session.get_one(Participant, row.participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    return _build_row(work, row, language)


def count_open_requests(work: UnitOfWork) -> int:
    """Return the number of open requests."""
    return work.session.scalar(select(func.count()).where(DataCorrection.outcome == "")) or 0


def _submitted_assessment(work: UnitOfWork, assessment_id: int) -> Assessment:
    assessment = work.session.get(Assessment, assessment_id)
    if assessment is None or assessment.submitted_at is None:
        raise NotFound("assessment")
    return assessment


def _open_request(work: UnitOfWork, assessment_id: int, item: str) -> DataCorrection | None:
    conditions = (
        DataCorrection.assessment_id == assessment_id,
        DataCorrection.item == item,
        DataCorrection.outcome == "",
    )
    return work.session.scalar(select(DataCorrection).where(*conditions))


def _request_problems(
    work: UnitOfWork, assessment: Assessment, correction_request: CorrectionRequest, rows: Mapping[str, Answer]
) -> dict[str, str]:
    """Return a problem key for each invalid field of a request."""
    shape = work.catalogue.shown_instrument(assessment.instrument)
    reason, heard = correction_request.reason.strip(), correction_request.confirmed_at
    who = (
        work.session.get(StaffMember, correction_request.confirmed_to)
        if correction_request.confirmed_to is not None
        else None
    )
    wrong = {
        "reason": "" if 0 < len(reason) <= REASON_LENGTH else "too_long" if reason else "why_needed",
        "confirmed_at": "day_and_time_needed" if heard is None else "in_future_heard" if heard > work.now else "",
        "confirmed_how": "" if correction_request.confirmed_how in REQUEST_CHANNELS else "unknown",
        "confirmed_to": "" if who is not None and who.disabled_at is None else "person_missing",
        "value": "",
    }
    item = shape.items.get(correction_request.item)
    stood = rows.get(correction_request.item)
    if item is None:
        wrong["value"] = "no_such_question"
    elif correction_request.value is not None and not item.accepts(correction_request.value):
        wrong["value"] = "not_accepted"
    elif stood is not None and stood.state != "withdrawn" and stood.value == store_value(correction_request.value):
        wrong["value"] = "same_answer"
    else:
        earlier, facts = form_state.current_answers(shape, rows), clinical_facts.form_facts(assessment.context)
        filled = page_flow.fill_form(
            shape, earlier, facts, {correction_request.item: correction_request.value}, assessment.page_set
        )
        wrong["value"] = "not_asked" if filled.not_asked else ""
    return {field: why for field, why in wrong.items() if why}


def _lock_for_decision(
    work: UnitOfWork, proof: PasswordProof, correction_id: int, note: str
) -> tuple[DataCorrection, Assessment]:
    """Lock a request that may be decided now, with its form; return both."""
    if len(note.strip()) > REASON_LENGTH:
        raise BadData("correction", fields={"note": "too_long"})
    row = work.session.get(DataCorrection, correction_id)
    if row is None:
        raise NotFound("correction")
    person = work.session.get_one(Participant, row.participant_id)
    assessment = work.session.get_one(Assessment, row.assessment_id)
    work.lock(person)
    work.lock(assessment)
    work.lock(row)
    record_freezes.require_unfrozen(work, person.plan, person.id)
    if row.outcome:
        raise NotAllowed("decided")
    if row.requested_by == proof.staff_id:
        raise NotAllowed("own_request")
    return row, assessment


def _sign_decision(work: UnitOfWork, proof: PasswordProof, row: DataCorrection, outcome: str, note: str) -> None:
    """Store, record and sign a decision."""
    row.outcome, row.note = outcome, note.strip()
    row.decided_at, row.decided_by = work.now, proof.staff_id
    action = "data_correction.approved" if outcome == "approved" else "data_correction.refused"
    work.record(action, row, participant_id=row.participant_id, reason=row.note)
    accounts_signatures.sign(
        work, proof, outcome, row, signed_content(row), SIGNED_SHAPES, participant_id=row.participant_id
    )


def _is_stale(row: DataCorrection, rows: Mapping[str, Answer]) -> bool:
    """Return True if the answer changed after the request."""
    stands = rows.get(row.item)
    return (stands.id if stands else None) != row.answer_id


def _build_row(work: UnitOfWork, row: DataCorrection, language: str) -> CorrectionRow:
    assessment = work.session.get_one(Assessment, row.assessment_id)
    person = work.session.get_one(Participant, row.participant_id)
    question = _question_text(work, assessment, row.item, language)
    item = work.catalogue.shown_instrument(assessment.instrument).items.get(row.item)
    names = staff_accounts.staff_names(work)

    def answer_text(stored: Any) -> str:
        if item is None:
            # The instrument no longer has the item: the stored value, which may be a text with a name.
            return privacy.visible_text(work, "" if stored is None else str(stored), language)
        return paper_forms.answer_shown(work, assessment, item, read_value(item, stored), language)

    return CorrectionRow(
        id=row.id,
        participant_id=person.id,
        participant_number=person.participant_number,
        assessment_id=assessment.id,
        title=work.catalogue.staff_title(assessment.instrument, language),
        item=row.item,
        question=question,
        was=answer_text(row.old),
        wanted=answer_text(row.value),
        confirmed_at=row.confirmed_at,
        confirmed_how=row.confirmed_how,
        confirmed_to=names.get(row.confirmed_to, ""),
        reason=row.reason,
        requested_at=row.requested_at,
        requested_by=names.get(row.requested_by, ""),
        own=row.requested_by == work.actor.id,
        outcome=row.outcome,
        decided_at=row.decided_at,
        decided_by=names.get(row.decided_by or 0, ""),
        note=row.note,
        stale=not row.outcome and _is_stale(row, form_state.answer_rows(work, assessment.id)),
        signatures=accounts_signatures.list_signatures(work, row),
    )


def _question_text(work: UnitOfWork, assessment: Assessment, item: str, language: str) -> str:
    words = form_state.form_words(work, assessment, language).items[item]
    return words.plain or words.short


def question_of(layout: QuestionnaireLayout, item: str) -> Question:
    """Return the question of ``item`` on a layout. Raises NotFound."""
    for question in layout.questions:
        if question.id == item:
            return question
    raise NotFound("item")
