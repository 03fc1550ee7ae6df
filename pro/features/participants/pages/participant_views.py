"""Views of participants: list, tabs of a participant, enrolment, issuing a form now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.schedule import treatment_phase
from pro.errors import NotAllowed
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.forms import form_issuing
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_list, participant_page, participant_tabs
from pro.features.participants.pages.forms import EnrolForm
from pro.features.participants.pages.participant_list import ParticipantQuery
from pro.features.schedule import enrolment, participant_details
from pro.web import request_context
from pro.web.forms import choices
from pro.web.labels import LANGUAGES, MODES
from pro.web.notices import notify
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("participants", __name__, url_prefix="/participants")
ONE = "/<int(max=2147483647):participant_id>"


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
    """Show the participants with their phase, due forms and highest open alert.

    The address holds the search (``find``), the filters, the order and the number of the page, as in
    ``participant_list.ParticipantQuery``. With ``go``, a whole participant number leads to its record at once.
    """
    work, language = request_context.work(), request_context.language()
    query = _query_of_address()
    if "go" in request.args and query.find.strip():
        found = participant_list.find_number(work, query.find)
        if found is not None:
            return redirect(url_for("staff.participants.one", participant_id=found), code=303)
    number = request.args.get("page", "")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    plan = next(iter(work.catalogue.plans.values()))
    return render_template(
        "participants/participants.html",
        listing=participant_list.list_participants(work, language, query, page),
        query=query,
        kept={name: value or None for name, value in asdict(query).items()},
        phases=treatment_phase.phase_names(plan.visit_schedule) if plan.visit_schedule else (),
        languages=[name for name in LANGUAGES if name in work.catalogue.languages],
        all_frozen=record_freezes.frozen_studies(work) >= work.catalogue.plans.keys(),
    )


def _query_of_address() -> ParticipantQuery:
    """Return the search, filters and order of the address, without unknown values."""
    work = request_context.work()
    calendars = [plan.visit_schedule for plan in work.catalogue.plans.values() if plan.visit_schedule]
    known: Mapping[str, Collection[str]] = {
        "phase": {name for calendar in calendars for name in treatment_phase.phase_names(calendar)},
        "alert": participant_list.ALERTS,
        "spoken": LANGUAGES,
        "way": MODES,
        "state": participant_list.STATES,
        "sort": {sign + name for name in participant_list.SORTS for sign in ("", "-")},
    }
    chosen = {name: request.args.get(name, "") for name in known}
    return ParticipantQuery(
        find=request.args.get("find", "")[:64],
        **{name: value if value in known[name] else "" for name, value in chosen.items()},
    )


@staff_page(
    pages,
    ONE,
    endpoint="one",
    right="see_participants",
    way_back=N_("the participant’s page"),
)
def show_participant(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the tab Overview of one participant."""
    return participant_tabs.overview_page(participant_id)


@staff_page(pages, f"{ONE}/records", endpoint="records", right="see_participants")
def show_records(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show consent, contact, card, freezes and corrections of one participant."""
    return participant_tabs.records_page(participant_id)


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
        return redirect(url_for("staff.dates.visit_schedule", participant_id=participant.id), code=303)
    form.refuse(problems)
    form.pin.data = ""
    sharers = participant_details.phone_sharers(request_context.work(), form.phone.data or "")
    return render_template("participants/enrol.html", form=form, sharers=sharers), 400


@pages.post(f"{ONE}/send", endpoint="send")
@needs("send_form")
def send_form_now(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Issue a form now, by text message or on the screen.

    The page in response shows the link and the code for a participant on site, once.
    """
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    form = participant_tabs.send_form(person, request.form)
    if not form.validate_on_submit():
        return participant_tabs.forms_page(participant_id, send=form, status=400)
    try:
        issued = form_issuing.send_form(work, person, form.instrument.data, by=form.by.data)
    except NotAllowed as refusal:
        field = form.instrument if refusal.why == "wording_not_licensed" else form.by
        field.errors = [REFUSALS.get(refusal.why, refusal.why)]
        return participant_tabs.forms_page(participant_id, send=form, status=409)
    if form.by.data == "here":
        title = work.catalogue.staff_title(form.instrument.data, request_context.language())
        return render_template("participants/issued.html", row=person, title=title, issued=issued)
    notify("queued")
    return redirect(url_for("staff.dates.visit_schedule", participant_id=participant_id), code=303)


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
