"""Views of participants: list, participant page, enrolment, issuing a form now."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, has_right, needs, staff_page
from pro.features.adverse_events import adverse_event_log
from pro.features.alerts import stable_symptoms
from pro.features.forms import form_issuing, participant_cards
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_list, participant_page
from pro.features.participants.pages.forms import EnrolForm, SendForm
from pro.features.participants.pages.participant_page import ParticipantPage
from pro.features.schedule import enrolment, participant_details, visit_schedule
from pro.web import forms as web_forms
from pro.web import request_context
from pro.web.forms import choices
from pro.web.labels import LANGUAGES, word
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("participants", __name__, url_prefix="/participants")


@staff_page(
    pages,
    "",
    endpoint="everyone",
    right="see_participants",
    title=N_("Participants"),
    menu=30,
    way_back=N_("the list of participants"),
)
def show_participants(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the participants with their due forms and highest open alert.

    ``find`` in the address is a part of a participant number, ``page`` the number of the page.
    """
    find, number = request.args.get("find", "")[:64], request.args.get("page", "")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    listing = participant_list.list_participants(request_context.work(), request_context.language(), find, page)
    work = request_context.work()
    all_frozen = record_freezes.frozen_studies(work) >= work.catalogue.plans.keys()
    return render_template("participants/participants.html", listing=listing, find=find, all_frozen=all_frozen)


@staff_page(
    pages,
    "/<int(max=2147483647):participant_id>",
    endpoint="one",
    right="see_participants",
    way_back=N_("the participant’s page"),
)
def show_participant(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show one participant: forms, answers, scores, messages."""
    page = participant_page.read_participant_page(request_context.work(), participant_id, request_context.language())
    return _participant_page(page, _send_form(page))


@staff_page(pages, "/new", endpoint="new", right="enrol", title=N_("Enrol a participant"))
def new_participant(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the empty enrolment form."""
    form = _enrol_form(blank=True)
    return render_template("participants/enrol.html", form=form, sharers=[])


@pages.post("/new")
@needs("enrol")
def enrol(staff: SignedInStaff) -> ResponseReturnValue:
    """Enrol a participant.

    A refusal shows the form with everything typed except the PIN, which no page ever shows.
    """
    form = _enrol_form()
    is_valid = form.validate_on_submit()
    arguments = form.enrolment_arguments()
    problems = enrolment.enrolment_problems(request_context.work(), **arguments)
    if is_valid and not problems:
        participant = enrolment.enrol(request_context.work(), **arguments)
        notify("enrolled")
        return redirect(url_for("staff.participants.one", participant_id=participant.id), code=303)
    form.refuse(problems)
    form.pin.data = ""
    sharers = participant_details.phone_sharers(request_context.work(), form.phone.data or "")
    return render_template("participants/enrol.html", form=form, sharers=sharers), 400


@pages.post("/<int(max=2147483647):participant_id>/send", endpoint="send")
@needs("send_form")
def send_form_now(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Issue a form now, by text message or on the screen.

    The page in response shows the link and the code for a participant on site, once.
    """
    page = participant_page.read_participant_page(request_context.work(), participant_id, request_context.language())
    form = _send_form(page, request.form)
    if not form.validate_on_submit():
        return _participant_page(page, form, status=400)
    person = participant_page.read_participant(request_context.work(), participant_id)
    try:
        issued = form_issuing.send_form(request_context.work(), person, form.instrument.data, by=form.by.data)
    except NotAllowed as refusal:
        field = form.instrument if refusal.why == "wording_not_licensed" else form.by
        field.errors = [REFUSALS.get(refusal.why, refusal.why)]
        return _participant_page(page, form, status=409)
    if form.by.data == "here":
        title = next(choice.title for choice in page.instruments if choice.id == form.instrument.data)
        return render_template("participants/issued.html", row=page.row, title=title, issued=issued)
    notify("queued")
    return redirect(url_for("staff.participants.one", participant_id=participant_id), code=303)


def _participant_page(page: ParticipantPage, form: SendForm, status: int = 200) -> ResponseReturnValue:
    notes = {choice.id: word("refusal", choice.why_not) for choice in page.instruments}
    work = request_context.work()
    person = participant_page.read_participant(work, page.row.id)
    shown = {
        "page": page,
        "row": page.row,
        "form": form,
        "notes": notes,
        "call_form": web_forms.blank_call_form(),
        "own_card": participant_cards.newest_card(work, page.row.id),
        "standing": visit_schedule.read_schedule_status(work, person, request_context.language()),
        "events": adverse_event_log.adverse_event_rows(work, request_context.language(), person.id)
        if has_right("see_adverse_events")
        else [],
        "stable_marks": stable_symptoms.stable_marks(work, person, request_context.language()),
    }
    return render_template("participants/participant.html", **shown), status


def _send_form(page: ParticipantPage, typed: Mapping[str, str] | None = None) -> SendForm:
    form = SendForm(formdata=typed)
    form.instrument.choices = choices((choice.id, choice.title) for choice in page.instruments)
    ways = form_issuing.sending_methods(request_context.work(), page.row.language)
    form.by.choices = [choice for choice in form.by.choices if choice.value in ways]
    return form


def _enrol_form(blank: bool = False) -> EnrolForm:
    catalogue = request_context.app_context().catalogue
    form = EnrolForm(formdata=None) if blank else EnrolForm(request.form)
    frozen = record_freezes.frozen_studies(request_context.work()) if blank else frozenset()
    # A frozen study takes no participant; if all are frozen the refusal says so.
    open_plans = [plan for plan in catalogue.plans if plan not in frozen] or list(catalogue.plans)
    form.plan.choices = choices(
        (plan, catalogue.plan_words[plan, request_context.language()].title) for plan in open_plans
    )
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in catalogue.languages)
    if blank and len(catalogue.plans) == 1:
        form.plan.data = next(iter(catalogue.plans))
    return form
