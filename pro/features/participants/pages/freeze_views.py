"""Views to freeze and unfreeze the records of a participant or a study, with a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_page
from pro.features.participants.pages.forms import FreezeForm
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import REFUSALS

pages = Blueprint("freezes", __name__)


@staff_page(pages, "/freeze/<plan>", endpoint="study", right="see_participants", section="participants")
def show_study_freeze(staff: SignedInStaff, plan: str) -> ResponseReturnValue:
    """Show whether the whole study is frozen."""
    return _page(_check_plan(plan), None, FreezeForm(formdata=None))


@pages.post("/freeze/<plan>", endpoint="study_act")
@needs("freeze")
def act_on_study_freeze(staff: SignedInStaff, plan: str) -> ResponseReturnValue:
    """Freeze or unfreeze the whole study."""
    return _freeze_or_unfreeze(_check_plan(plan), None, url_for("staff.freezes.study", plan=plan))


@staff_page(
    pages,
    "/participants/<int(max=2147483647):participant_id>/freeze",
    endpoint="participant",
    right="see_participants",
    section="participants",
)
def show_participant_freeze(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show whether the records of one participant are frozen."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    return _page(person.plan, person.id, FreezeForm(formdata=None))


@pages.post("/participants/<int(max=2147483647):participant_id>/freeze", endpoint="participant_act")
@needs("freeze")
def act_on_participant_freeze(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Freeze or unfreeze the records of one participant."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    return _freeze_or_unfreeze(
        person.plan, person.id, url_for("staff.freezes.participant", participant_id=participant_id)
    )


def _check_plan(name: str) -> str:
    return str(participant_page.check_plan_id(request_context.work(), name))


def _freeze_or_unfreeze(plan: str, participant_id: int | None, back: str) -> ResponseReturnValue:
    form, wish = FreezeForm(request.form), request.form.get("do", "")
    person = participant_page.read_participant(request_context.work(), participant_id) if participant_id else None
    if wish not in ("freeze", "lift"):
        raise BadData("unknown_act")
    if not (form.reason.data or "").strip():
        form.refuse({"reason": "why_needed"})
        return _page(plan, participant_id, form, 400)
    proof = form.proof()
    if proof is None:
        return _page(plan, participant_id, form, 400)
    try:
        act = record_freezes.freeze_records if wish == "freeze" else record_freezes.unfreeze_records
        act(request_context.work(), proof, plan, person, form.reason.data or "")
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(plan, participant_id, form, 400)
    except NotAllowed as refusal:
        return _page(plan, participant_id, form, 409, refusal.why)
    notify("frozen_now" if wish == "freeze" else "unfrozen_now")
    return redirect(back, code=303)


def _page(
    plan: str, participant_id: int | None, form: FreezeForm, status: int = 200, why: str = ""
) -> ResponseReturnValue:
    person = participant_page.read_participant(request_context.work(), participant_id) if participant_id else None
    rows = record_freezes.list_freezes(request_context.work(), plan, person)
    title = request_context.app_context().catalogue.plan_words[plan, request_context.language()].title
    found = {"plan": plan, "title": title, "person": person, "rows": rows, "form": form, "why": REFUSALS.get(why, why)}
    return render_template("participants/freeze.html", **found), status
