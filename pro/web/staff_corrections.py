"""Corrections of answers that were sent: asked for, listed, decided with a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.level import Level
from pro.errors import BadData, NotAllowed
from pro.services import cases, corrections, roster
from pro.services.corrections import Row, Wish
from pro.services.sheets import Question
from pro.web import site, staff_entry
from pro.web.guard import Person, needs
from pro.web.staff_entry import Typed
from pro.web.staff_forms import choices
from pro.web.staff_page import notify
from pro.web.staff_records_forms import CorrectionForm, DecisionForm
from pro.web.staff_refusals import REFUSALS

pages = Blueprint("corrections", __name__)

FORM = "/assessments/<int(max=2147483647):assessment_id>/corrections"
ONE = "/corrections/<int(max=2147483647):correction_id>"


@pages.get("/corrections")
@needs("see_answers")
def everything(staff: Person) -> ResponseReturnValue:
    """Every request, open ones first."""
    return render_template("staff/corrections.html", rows=corrections.listed(site.work(), site.language()))


@pages.get(FORM)
@needs("see_answers")
def form(staff: Person, assessment_id: int) -> ResponseReturnValue:
    """The answers of a form that was sent, with what was corrected; ``item``: the one to ask about."""
    _sent, sheet = corrections.sheet(site.work(), assessment_id, site.language())
    item = request.args.get("item", "")
    question = corrections.question_of(sheet, item) if item else None
    return _form_page(assessment_id, question, _blank(staff), Typed())


@pages.post(FORM)
@needs("ask_correction")
def ask(staff: Person, assessment_id: int) -> ResponseReturnValue:
    """Ask that one answer be changed, signed."""
    assessment, sheet = corrections.sheet(site.work(), assessment_id, site.language())
    question = corrections.question_of(sheet, request.form.get("item", ""))
    typed_form = _blank(staff, request.form)
    typed = Typed()
    sent = [text for text in request.form.getlist(staff_entry.PREFIX + question.id) if text.strip()]
    typed.texts[question.id] = sent
    if sent == [staff_entry.LEFT_OUT]:
        typed.given[question.id] = None
    elif staff_entry.LEFT_OUT in sent:
        typed.problems[question.id] = "answer_and_none"
    elif sent:
        staff_entry.read_answer(sheet, question, sent, typed)
    if question.id not in typed.given and question.id not in typed.problems:
        typed.problems[question.id] = "new_answer_needed"
    left_empty = typed_form.left_empty()
    if typed.problems or left_empty:
        typed_form.refuse(left_empty)
        return _form_page(assessment_id, question, typed_form, typed, 400)
    proof = typed_form.proof()
    if proof is None:
        return _form_page(assessment_id, question, typed_form, typed, 400)
    local, by = typed_form.local(), typed_form.heard_by.data or ""
    wish = Wish(
        item=question.id,
        value=typed.given[question.id],
        heard_at=roster.utc(local, site.visit().zone) if local else None,
        heard_how=typed_form.heard_how.data or "",
        heard_by=int(by) if by.isdecimal() and len(by) < 10 else None,
        reason=typed_form.reason.data or "",
    )
    try:
        row = corrections.ask(site.work(), proof, assessment, wish)
    except BadData as bad:
        problems = dict(cast(Mapping[str, str], bad.details["fields"]))
        if "value" in problems:
            typed.problems[question.id] = problems.pop("value")
        typed_form.refuse(problems)
        return _form_page(assessment_id, question, typed_form, typed, 400)
    except NotAllowed as refusal:
        return _form_page(assessment_id, question, typed_form, typed, 409, refusal.why)
    notify("correction_asked")
    return redirect(url_for("staff.corrections.one", correction_id=row.id), code=303)


@pages.get(ONE)
@needs("see_answers")
def one(staff: Person, correction_id: int) -> ResponseReturnValue:
    """One request with its signatures."""
    return _one_page(corrections.one(site.work(), correction_id, site.language()), DecisionForm(formdata=None))


@pages.post(ONE)
@needs("decide_correction")
def decide(staff: Person, correction_id: int) -> ResponseReturnValue:
    """Approve or refuse, signed. An alert that the change raises is opened at once."""
    work, row = site.work(), corrections.one(site.work(), correction_id, site.language())
    typed, wish = DecisionForm(request.form), request.form.get("do", "")
    if wish not in ("approve", "refuse"):
        raise BadData("unknown_act")
    if wish == "refuse" and not (typed.note.data or "").strip():
        typed.refuse({"note": "why_needed"})
        return _one_page(row, typed, 400)
    proof = typed.proof()
    if proof is None:
        return _one_page(row, typed, 400)
    try:
        act = corrections.approve if wish == "approve" else corrections.refuse
        done = act(work, proof, correction_id, typed.note.data or "")
    except BadData as bad:
        typed.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _one_page(row, typed, 400)
    except NotAllowed as refusal:
        return _one_page(corrections.one(work, correction_id, site.language()), typed, 409, refusal.why)
    notify("correction_approved" if wish == "approve" else "correction_refused")
    case = None
    if wish == "approve":
        case = cases.case_of(work, f"assessment:{done.assessment_id}", site.language())
    if case is not None and case.level >= Level.URGENT:
        return redirect(url_for("staff.alert", alert_id=case.alert_id), code=303)
    return redirect(url_for("staff.corrections.one", correction_id=correction_id), code=303)


def _blank(staff: Person, typed: Mapping[str, str] | None = None) -> CorrectionForm:
    form = CorrectionForm(formdata=typed)
    form.heard_by.choices = choices((str(person.id), person.name) for person in roster.people(site.work()))
    if typed is None:
        form.heard_by.data = str(staff.id)
    return form


def _form_page(
    assessment_id: int,
    question: Question | None,
    form: CorrectionForm,
    typed: Typed,
    status: int = 200,
    why: str = "",
) -> ResponseReturnValue:
    assessment, sheet = corrections.sheet(site.work(), assessment_id, site.language())
    found = {
        "assessment": assessment,
        "sheet": sheet,
        "question": question,
        "form": form,
        "typed": typed,
        "why": why,
        "rows": corrections.listed(site.work(), site.language(), assessment.id),
        "refusals": REFUSALS,
    }
    return render_template("staff/correct.html", **found), status


def _one_page(row: Row, form: DecisionForm, status: int = 200, why: str = "") -> ResponseReturnValue:
    return render_template("staff/correction.html", row=row, form=form, why=why, refusals=REFUSALS), status
