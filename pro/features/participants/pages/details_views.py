"""Views of a participant's details: correct phone, participant number and language; enrolled by mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import alert_page
from pro.features.participants.pages import participant_page
from pro.features.participants.pages.forms import DetailsForm, MistakeForm
from pro.features.participants.record_freezes import current_freeze
from pro.features.schedule import enrolment, participant_details
from pro.models import Participant
from pro.web import request_context
from pro.web.forms import choices
from pro.web.labels import LANGUAGES
from pro.web.notices import notify

pages = Blueprint("details", __name__)
PATH = "/participants/<int(max=2147483647):participant_id>/details"


@staff_page(pages, PATH, endpoint="show", right="correct_details", section="participants")
def show_details(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the details of a participant, to correct them."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    request_context.work().record("participant.seen", person, participant_id=person.id)
    return _page(person, _details_form(person), MistakeForm(formdata=None))


@pages.post(PATH, endpoint="act")
@needs("correct_details")
def act_on_details(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Correct the details, or record that the participant was enrolled by mistake.

    The second needs the right ``enrol``. Raises BadData for any other action.
    """
    wish = request.form.get("do", "")
    if wish == "correct":
        return _correct_details(participant_id)
    if wish == "mistake":
        page_guard.require_right(staff, "enrol")
        return _cancel_enrolment(participant_id)
    raise BadData("unknown_act")


def _correct_details(participant_id: int) -> ResponseReturnValue:
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    form = _details_form(person, request.form)
    try:
        changed = participant_details.correct_details(
            work, person, form.details(), form.reason.data or "", request.form.get("seen", "")
        )
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(person, form, MistakeForm(formdata=None), 400)
    except NotAllowed as refusal:
        if refusal.why != "stale_details":
            raise
        notify("details_stale")
        return _page(person, _details_form(person), MistakeForm(formdata=None), 409)
    notify("phone_corrected" if "phone" in changed else "details_corrected")
    return redirect(url_for("staff.participants.records", participant_id=participant_id), code=303)


def _cancel_enrolment(participant_id: int) -> ResponseReturnValue:
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    form = MistakeForm(request.form)
    try:
        enrolment.cancel_enrolment(work, person, form.mistake_reason.data or "")
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _page(person, _details_form(person), form, 400)
    except NotAllowed as refusal:
        form.refuse({"mistake_reason": refusal.why})
        return _page(person, _details_form(person), form, 409)
    notify("enrolment_cancelled")
    return redirect(url_for("staff.participants.records", participant_id=participant_id), code=303)


def _details_form(person: Participant, typed: Mapping[str, str] | None = None) -> DetailsForm:
    work = request_context.work()
    plan = work.catalogue.plans.get(person.plan)
    known = plan.languages if plan else work.catalogue.languages
    form = DetailsForm(formdata=typed)
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in known)
    if typed is None:
        form.participant_number.data, form.language.data = person.participant_number, person.language
        form.phone.data = alert_page.phone_of(work, person) or ""
    elif not _may_change_number(person):
        form.participant_number.data = person.participant_number
    form.seen.data = participant_details.details_digest(person)
    return form


def _may_change_number(person: Participant) -> bool:
    """Return True until the first answer is stored, while the record is not frozen."""
    work = request_context.work()
    return not participant_details.has_answered(work, person) and current_freeze(work, person.id) is None


def _page(person: Participant, form: DetailsForm, mistake: MistakeForm, status: int = 200) -> ResponseReturnValue:
    work = request_context.work()
    typed = form.phone.data or ""
    found = {
        "person": person,
        "form": form,
        "mistake": mistake,
        "sharers": participant_details.phone_sharers(work, typed, person.id) if typed else [],
        "may_change_number": _may_change_number(person),
        "answered": participant_details.has_answered(work, person),
        "may_cancel": not enrolment.cancellation_refusal(work, person) and current_freeze(work, person.id) is None,
    }
    return render_template("participants/details.html", **found), status
