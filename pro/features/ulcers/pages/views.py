"""Staff pages of ulcers: overview with stopping rule, one participant, signed decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.study_plan import StudyPlan
from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.participants.pages import participant_page
from pro.features.ulcers import endoscopies, ulcer_cases, ulcer_decisions
from pro.features.ulcers.pages.forms import (
    ULCER_REFUSALS,
    EndoscopyForm,
    StudyDecisionForm,
    UlcerDecisionForm,
    parse_row_number,
)
from pro.features.ulcers.pages.labels import WORDS
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("ulcers", __name__, url_prefix="/ulcers")
REASON_LENGTH = 500


@staff_page(
    pages,
    "",
    endpoint="everything",
    right="see_ulcers",
    title=N_("Ulcers and stopping rule"),
    menu=50,
    way_back=N_("the list of ulcers"),
)
def show_ulcers(staff: SignedInStaff) -> ResponseReturnValue:
    """Show every ulcer, and where each study stands against its stopping rule."""
    return _overview_page()


@pages.post("")
@needs("decide")
def decide_study(staff: SignedInStaff) -> ResponseReturnValue:
    """Sign and store a decision about the study."""
    plan = request_context.work().catalogue.plans.get(request.form.get("plan", ""))
    if plan is None:
        raise BadData("unknown_plan")
    form = _study_form(plan, request.form)
    if not form.is_short_enough("reason"):
        return _overview_page((plan, form), status=400)
    said = (form.choice.data or "", form.reason.data or "", form.password.data or "", form.seen.data or "")
    try:
        done = ulcer_decisions.sign_study_decision(request_context.work(), plan, *said)
    except BadData as bad:
        form.refuse(bad)
        return _overview_page((plan, form), status=400)
    except NotAllowed as refusal:
        if refusal.why != "stale_page":
            raise
        return _overview_page((plan, form), status=409)
    if isinstance(done, CredentialRefusal):
        form.show_refusal(done)
        return _overview_page((plan, form), status=400)
    notify("decision_signed")
    return redirect(url_for("staff.ulcers.everything"), code=303)


@staff_page(pages, "/<int(max=2147483647):participant_id>", endpoint="one", right="see_ulcers")
def show_ulcer(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show one participant: history of the ulcer, endoscopies, response at 50 Gy, decisions."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    request_context.work().record("participant.seen", person, participant_id=participant_id)
    return _case_page(participant_id)


@pages.post("/<int(max=2147483647):participant_id>", endpoint="act")
@needs("record_endoscopy")
def act_on_ulcer(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Request or cancel an endoscopy, record its result, or sign a decision.

    Signing needs the right ``decide``.
    """
    what = request.form.get("do", "")
    if what == "ask":
        return _request_endoscopy(participant_id)
    if what == "done":
        return _record_result(participant_id)
    if what == "take_back":
        return _cancel_endoscopy(participant_id)
    if what == "decide":
        page_guard.require_right(staff, "decide")
        return _sign_decision(participant_id)
    raise BadData("unknown_act")


def _request_endoscopy(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    try:
        endoscopies.request_endoscopy(request_context.work(), person)
    except NotAllowed as refusal:
        _notify_conflict(refusal)
        return _redirect_to_case(participant_id)
    notify("endoscopy_asked")
    return _redirect_to_case(participant_id)


def _record_result(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    form = EndoscopyForm()
    number = form.number
    if not form.is_short_enough("finding"):
        return _case_page(participant_id, form, status=400)
    try:
        endoscopies.record_result(request_context.work(), person, number, **form.typed_result())
    except BadData as bad:
        form.refuse(bad)
        return _case_page(participant_id, form, status=400)
    except NotAllowed as refusal:
        _notify_conflict(refusal)
        # The result of the requested endoscopy was recorded meanwhile. The typed values stay: perhaps another one.
        form.endoscopy.data = ""
        return _case_page(participant_id, form, status=409)
    notify("endoscopy_done")
    return _redirect_to_case(participant_id)


def _cancel_endoscopy(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    number = parse_row_number(request.form.get("endoscopy"))
    if number is None:
        raise BadData("unknown_endoscopy")
    why = request.form.get("why", "").strip()[:REASON_LENGTH]
    try:
        endoscopies.cancel_endoscopy(request_context.work(), person, number, why)
    except BadData:
        return _case_page(participant_id, status=400, not_taken_back=number)
    except NotAllowed as refusal:
        _notify_conflict(refusal)
        return _redirect_to_case(participant_id)
    notify("endoscopy_taken_back")
    return _redirect_to_case(participant_id)


def _sign_decision(participant_id: int) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id)
    form = UlcerDecisionForm(prefix="decision-")
    if not form.is_short_enough("reason"):
        return _case_page(participant_id, decision=form, status=400)
    said = [form[name].data or "" for name in ("about", "choice", "reason", "password", "seen")]
    try:
        done = ulcer_decisions.sign_participant_decision(request_context.work(), person, *said)
    except BadData as bad:
        form.refuse(bad)
        return _case_page(participant_id, decision=form, status=400)
    except NotAllowed as refusal:
        if refusal.why != "stale_page":
            raise
        return _case_page(participant_id, decision=form, stale=True, status=409)
    if isinstance(done, CredentialRefusal):
        form.show_refusal(done)
        return _case_page(participant_id, decision=form, status=400)
    notify("decision_signed")
    return _redirect_to_case(participant_id)


def _notify_conflict(refusal: NotAllowed) -> None:
    at = refusal.details.get("at")
    if not isinstance(at, datetime):
        raise refusal
    notify("endoscopy_meanwhile", name=refusal.details["name"], at=at.isoformat())


def _redirect_to_case(participant_id: int) -> ResponseReturnValue:
    return redirect(url_for("staff.ulcers.one", participant_id=participant_id), code=303)


def _study_form(plan: StudyPlan, typed: Any = None) -> StudyDecisionForm:
    # The page holds one form for each study: their fields must not share names.
    return StudyDecisionForm(formdata=typed, prefix=f"{plan.id}-")


def _overview_page(typed: tuple[StudyPlan, StudyDecisionForm] | None = None, status: int = 200) -> ResponseReturnValue:
    work = request_context.work()
    boards = []
    for plan in work.catalogue.plans.values():
        board = ulcer_cases.read_overview(work, plan)
        form = typed[1] if typed and typed[0] is plan else _study_form(plan)
        form.seen.data = board.seen
        boards.append((board, form, work.catalogue.plan_words[plan.id, request_context.language()]))
    page = render_template(
        "ulcers/ulcers.html",
        boards=boards,
        said=WORDS,
        terms=work.catalogue.term_words.get(request_context.language(), {}),
        stale=status == 409,
        tried=typed[1] if typed else None,
    )
    return page, status


def _case_page(
    participant_id: int,
    form: EndoscopyForm | None = None,
    *,
    decision: UlcerDecisionForm | None = None,
    status: int = 200,
    stale: bool = False,
    not_taken_back: int = 0,
) -> ResponseReturnValue:
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    request_context.set_zone(person.time_zone)
    found = ulcer_cases.read_case(work, person)
    if form is None:
        form = EndoscopyForm(formdata=None)
        form.endoscopy.data = str(found.waiting.row.id) if found.waiting else ""
    form.offer_grades(endoscopies.offered_grades(work, person))
    decision = decision or UlcerDecisionForm(formdata=None, prefix="decision-")
    decision.seen.data = ulcer_cases.digest(ulcer_cases.shown_of_case(found))
    page = render_template(
        "ulcers/ulcer.html",
        case=found,
        form=form,
        decision=decision,
        rule=work.catalogue.shown_plan(person.plan).stopping_rule,
        words=work.catalogue.plan_words[person.plan, request_context.language()],
        said=WORDS,
        terms=work.catalogue.term_words.get(request_context.language(), {}),
        stale=stale,
        not_taken_back=not_taken_back,
        why_needed=ULCER_REFUSALS["reason_needed"],
    )
    return page, status
