"""Ulcers and the stopping rule: the board of a study, one participant, endoscopies, signed decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.study_plan import Plan
from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs
from pro.features.accounts.signatures import Refusal
from pro.features.participants.pages import participant_page
from pro.features.ulcers import endoscopies, ulcer_board, ulcer_cases, ulcer_decisions
from pro.features.ulcers.pages.forms import (
    ULCER_REFUSALS,
    EndoscopyForm,
    StudyDecisionForm,
    UlcerDecisionForm,
    number_of,
)
from pro.features.ulcers.pages.labels import WORDS
from pro.web import request_context
from pro.web.notices import notify

pages = Blueprint("ulcers", __name__, url_prefix="/ulcers")
REASON_LENGTH = 500


@pages.get("", endpoint="everything")
@needs("see_ulcers")
def show_ulcers(staff: SignedInStaff) -> ResponseReturnValue:
    """Every ulcer, and where the study stands against its rule."""
    return _board_page()


@pages.post("")
@needs("decide")
def decide_study(staff: SignedInStaff) -> ResponseReturnValue:
    """Sign a decision about the study."""
    plan = request_context.work().catalogue.plans.get(request.form.get("plan", ""))
    if plan is None:
        raise BadData("unknown_plan")
    form = _study_form(plan, request.form)
    if not form.fits("reason"):
        return _board_page((plan, form), status=400)
    said = (form.choice.data or "", form.reason.data or "", form.password.data or "", form.seen.data or "")
    try:
        done = ulcer_decisions.about_study(request_context.work(), plan, *said)
    except BadData as bad:
        form.refuse(bad)
        return _board_page((plan, form), status=400)
    except NotAllowed as refusal:
        if refusal.why != "stale_page":
            raise
        return _board_page((plan, form), status=409)
    if isinstance(done, Refusal):
        form.reject(done)
        return _board_page((plan, form), status=400)
    notify("decision_signed")
    return redirect(url_for("staff.ulcers.everything"), code=303)


@pages.get("/<int(max=2147483647):participant_id>", endpoint="one")
@needs("see_ulcers")
def show_ulcer(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """One participant: the ulcer's history, endoscopies, the decision after 50 Gy, what was decided."""
    person = participant_page.participant(request_context.work(), participant_id)
    request_context.work().record("participant.seen", person, participant_id=participant_id)
    return _page(participant_id)


@pages.post("/<int(max=2147483647):participant_id>", endpoint="act")
@needs("record_endoscopy")
def act_on_ulcer(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Ask for an endoscopy, record its result, take one back, or (investigators) sign a decision."""
    what = request.form.get("do", "")
    if what == "ask":
        return _ask(participant_id)
    if what == "done":
        return _done(participant_id)
    if what == "take_back":
        return _take_back(participant_id)
    if what == "decide":
        page_guard.must(staff, "decide")
        return _decide(participant_id)
    raise BadData("unknown_act")


def _ask(participant_id: int) -> ResponseReturnValue:
    person = participant_page.participant(request_context.work(), participant_id)
    try:
        endoscopies.ask(request_context.work(), person)
    except NotAllowed as refusal:
        _say_who(refusal)
        return _back(participant_id)
    notify("endoscopy_asked")
    return _back(participant_id)


def _done(participant_id: int) -> ResponseReturnValue:
    person = participant_page.participant(request_context.work(), participant_id)
    form = EndoscopyForm()
    number = form.number
    if not form.fits("finding"):
        return _page(participant_id, form, status=400)
    try:
        endoscopies.done(request_context.work(), person, number, **form.result_typed())
    except BadData as bad:
        form.refuse(bad)
        return _page(participant_id, form, status=400)
    except NotAllowed as refusal:
        _say_who(refusal)
        # Somebody recorded the one that was asked for: what was typed stays, and may be another endoscopy.
        form.endoscopy.data = ""
        return _page(participant_id, form, status=409)
    notify("endoscopy_done")
    return _back(participant_id)


def _take_back(participant_id: int) -> ResponseReturnValue:
    person = participant_page.participant(request_context.work(), participant_id)
    number = number_of(request.form.get("endoscopy"))
    if number is None:
        raise BadData("unknown_endoscopy")
    why = request.form.get("why", "").strip()[:REASON_LENGTH]
    try:
        endoscopies.take_back(request_context.work(), person, number, why)
    except BadData:
        return _page(participant_id, status=400, not_taken_back=number)
    except NotAllowed as refusal:
        _say_who(refusal)
        return _back(participant_id)
    notify("endoscopy_taken_back")
    return _back(participant_id)


def _decide(participant_id: int) -> ResponseReturnValue:
    person = participant_page.participant(request_context.work(), participant_id)
    form = UlcerDecisionForm(prefix="decision-")
    if not form.fits("reason"):
        return _page(participant_id, decision=form, status=400)
    said = [form[name].data or "" for name in ("about", "choice", "reason", "password", "seen")]
    try:
        done = ulcer_decisions.about_participant(request_context.work(), person, *said)
    except BadData as bad:
        form.refuse(bad)
        return _page(participant_id, decision=form, status=400)
    except NotAllowed as refusal:
        if refusal.why != "stale_page":
            raise
        return _page(participant_id, decision=form, stale=True, status=409)
    if isinstance(done, Refusal):
        form.reject(done)
        return _page(participant_id, decision=form, status=400)
    notify("decision_signed")
    return _back(participant_id)


def _say_who(refusal: NotAllowed) -> None:
    at = refusal.details.get("at")
    if not isinstance(at, datetime):
        raise refusal
    notify("endoscopy_meanwhile", name=refusal.details["name"], at=at.isoformat())


def _back(participant_id: int) -> ResponseReturnValue:
    return redirect(url_for("staff.ulcers.one", participant_id=participant_id), code=303)


def _study_form(plan: Plan, typed: Any = None) -> StudyDecisionForm:
    # One form for each study stands on the page: their fields must not share names.
    return StudyDecisionForm(formdata=typed, prefix=f"{plan.id}-")


def _board_page(typed: tuple[Plan, StudyDecisionForm] | None = None, status: int = 200) -> ResponseReturnValue:
    work = request_context.work()
    boards = []
    for plan in work.catalogue.plans.values():
        board = ulcer_board.board(work, plan)
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


def _page(
    participant_id: int,
    form: EndoscopyForm | None = None,
    *,
    decision: UlcerDecisionForm | None = None,
    status: int = 200,
    stale: bool = False,
    not_taken_back: int = 0,
) -> ResponseReturnValue:
    work = request_context.work()
    person = participant_page.participant(work, participant_id)
    request_context.zone(person.time_zone)
    found = ulcer_board.case(work, person)
    if form is None:
        form = EndoscopyForm(formdata=None)
        form.endoscopy.data = str(found.waiting.id) if found.waiting else ""
    decision = decision or UlcerDecisionForm(formdata=None, prefix="decision-")
    decision.seen.data = ulcer_cases.digest(ulcer_cases.shown_of_case(found))
    page = render_template(
        "ulcers/ulcer.html",
        case=found,
        form=form,
        decision=decision,
        rule=work.catalogue.plans[person.plan].stopping,
        words=work.catalogue.plan_words[person.plan, request_context.language()],
        said=WORDS,
        terms=work.catalogue.term_words.get(request_context.language(), {}),
        stale=stale,
        not_taken_back=not_taken_back,
        why_needed=ULCER_REFUSALS["reason_needed"],
    )
    return page, status
