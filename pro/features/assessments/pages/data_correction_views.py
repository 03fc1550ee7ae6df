"""Staff pages of data corrections: request, list, and decide with a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import alert_list
from pro.features.assessments import data_corrections
from pro.features.assessments.data_corrections import CorrectionRequest, CorrectionRow
from pro.features.assessments.pages import data_entry_views
from pro.features.assessments.pages.data_entry_views import TypedAnswers
from pro.features.assessments.paper_forms import Question
from pro.features.duty_roster import roster_service
from pro.features.participants.pages.forms import CorrectionDecisionForm, CorrectionForm
from pro.features.queries import query_service
from pro.web import request_context
from pro.web.forms import choices
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("corrections", __name__)

FORM_URL = "/assessments/<int(max=2147483647):assessment_id>/corrections"
CORRECTION_URL = "/corrections/<int(max=2147483647):correction_id>"


@staff_page(pages, "/corrections", endpoint="everything", right="see_answers", title=N_("Data corrections"), menu=80)
def show_corrections(staff: SignedInStaff) -> ResponseReturnValue:
    """Show every correction request, open ones first."""
    return render_template(
        "assessments/corrections.html",
        rows=data_corrections.list_corrections(request_context.work(), request_context.language()),
    )


@staff_page(pages, FORM_URL, endpoint="form", right="see_answers", section="participants")
def show_correction_form(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Show the answers of a submitted form with their corrections.

    ``item`` in the address: the item whose correction form is shown.
    """
    _sent, sheet = data_corrections.submitted_form(request_context.work(), assessment_id, request_context.language())
    item = request.args.get("item", "")
    question = data_corrections.question_of(sheet, item) if item else None
    return _render_form(assessment_id, question, _build_form(staff), TypedAnswers())


@pages.post(FORM_URL, endpoint="ask")
@needs("ask_correction")
def request_correction(staff: SignedInStaff, assessment_id: int) -> ResponseReturnValue:
    """Sign and store the request to correct one answer.

    Status: 303 if stored, 400 for problems in the fields, 409 if the service refuses the request.
    """
    assessment, sheet = data_corrections.submitted_form(
        request_context.work(), assessment_id, request_context.language()
    )
    question = data_corrections.question_of(sheet, request.form.get("item", ""))
    typed_form = _build_form(staff, request.form)
    typed = TypedAnswers()
    sent = [text for text in request.form.getlist(data_entry_views.FIELD_PREFIX + question.id) if text.strip()]
    typed.texts[question.id] = sent
    if sent == [data_entry_views.LEFT_BLANK]:
        typed.given[question.id] = None
    elif data_entry_views.LEFT_BLANK in sent:
        typed.problems[question.id] = "answer_and_none"
    elif sent:
        data_entry_views.read_answer(sheet, question, sent, typed)
    if question.id not in typed.given and question.id not in typed.problems:
        typed.problems[question.id] = "new_answer_needed"
    left_empty = typed_form.missing_fields()
    if typed.problems or left_empty:
        typed_form.refuse(left_empty)
        return _render_form(assessment_id, question, typed_form, typed, 400)
    proof = typed_form.proof()
    if proof is None:
        return _render_form(assessment_id, question, typed_form, typed, 400)
    local, by = typed_form.local(), typed_form.confirmed_to.data or ""
    wish = CorrectionRequest(
        item=question.id,
        value=typed.given[question.id],
        confirmed_at=roster_service.to_utc(local, request_context.state().zone) if local else None,
        confirmed_how=typed_form.confirmed_how.data or "",
        confirmed_to=int(by) if by.isdecimal() and len(by) < 10 else None,
        reason=typed_form.reason.data or "",
    )
    try:
        row = data_corrections.request_correction(request_context.work(), proof, assessment, wish)
    except BadData as bad:
        problems = dict(cast(Mapping[str, str], bad.details["fields"]))
        if "value" in problems:
            typed.problems[question.id] = problems.pop("value")
        typed_form.refuse(problems)
        return _render_form(assessment_id, question, typed_form, typed, 400)
    except NotAllowed as refusal:
        return _render_form(assessment_id, question, typed_form, typed, 409, refusal.why)
    notify("correction_asked")
    return redirect(url_for("staff.corrections.one", correction_id=row.id), code=303)


@staff_page(pages, CORRECTION_URL, endpoint="one", right="see_answers")
def show_correction(staff: SignedInStaff, correction_id: int) -> ResponseReturnValue:
    """Show one correction request with its signatures."""
    return _render_correction(
        data_corrections.correction_row(request_context.work(), correction_id, request_context.language()),
        CorrectionDecisionForm(formdata=None),
    )


@pages.post(CORRECTION_URL, endpoint="decide")
@needs("decide_correction")
def decide_correction(staff: SignedInStaff, correction_id: int) -> ResponseReturnValue:
    """Approve or reject a correction request, signed.

    Redirects to the alert if the corrected answer raises an urgent or emergency one.
    """
    work, row = (
        request_context.work(),
        data_corrections.correction_row(request_context.work(), correction_id, request_context.language()),
    )
    typed, wish = CorrectionDecisionForm(request.form), request.form.get("do", "")
    if wish not in ("approve", "refuse"):
        raise BadData("unknown_act")
    if wish == "refuse" and not (typed.note.data or "").strip():
        typed.refuse({"note": "why_needed"})
        return _render_correction(row, typed, 400)
    proof = typed.proof()
    if proof is None:
        return _render_correction(row, typed, 400)
    try:
        act = data_corrections.approve_correction if wish == "approve" else data_corrections.reject_correction
        done = act(work, proof, correction_id, typed.note.data or "")
    except BadData as bad:
        typed.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _render_correction(row, typed, 400)
    except NotAllowed as refusal:
        return _render_correction(
            data_corrections.correction_row(work, correction_id, request_context.language()), typed, 409, refusal.why
        )
    notify("correction_approved" if wish == "approve" else "correction_refused")
    case = None
    if wish == "approve":
        case = alert_list.case_of(work, f"assessment:{done.assessment_id}", request_context.language())
    if case is not None and case.level >= Level.URGENT:
        return redirect(url_for("staff.alert", alert_id=case.alert_id), code=303)
    return redirect(url_for("staff.corrections.one", correction_id=correction_id), code=303)


def _build_form(staff: SignedInStaff, typed: Mapping[str, str] | None = None) -> CorrectionForm:
    form = CorrectionForm(formdata=typed)
    form.confirmed_to.choices = choices(
        (str(person.id), person.name) for person in roster_service.eligible_staff(request_context.work())
    )
    if typed is None:
        form.confirmed_to.data = str(staff.id)
    return form


def _render_form(
    assessment_id: int,
    question: Question | None,
    form: CorrectionForm,
    typed: TypedAnswers,
    status: int = 200,
    why: str = "",
) -> ResponseReturnValue:
    assessment, sheet = data_corrections.submitted_form(
        request_context.work(), assessment_id, request_context.language()
    )
    found = {
        "assessment": assessment,
        "sheet": sheet,
        "question": question,
        "form": form,
        "typed": typed,
        "why": why,
        "rows": data_corrections.list_corrections(request_context.work(), request_context.language(), assessment.id),
        "queries": query_service.queries_of_form(request_context.work(), assessment.id, request_context.language()),
        "refusals": REFUSALS,
    }
    return render_template("assessments/correct.html", **found), status


def _render_correction(
    row: CorrectionRow, form: CorrectionDecisionForm, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    return render_template("assessments/correction.html", row=row, form=form, why=why, refusals=REFUSALS), status
