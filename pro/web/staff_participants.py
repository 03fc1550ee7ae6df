"""Staff pages about participants: who is in the study and what is due, one person, enrolling, sending a form now."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import NotAllowed
from pro.services import cards, courses, enrolled, enrolment, event_log, issuing, records, stable
from pro.services.records import ParticipantPage
from pro.web import site, staff_tasks
from pro.web.guard import Person, may, needs
from pro.web.staff_forms import EnrolForm, SendForm, choices
from pro.web.staff_page import notify
from pro.web.staff_refusals import REFUSALS
from pro.web.staff_words import LANGUAGES, word

pages = Blueprint("participants", __name__, url_prefix="/participants")


@pages.get("")
@needs("see_participants")
def everyone(staff: Person) -> ResponseReturnValue:
    """Everybody in the study, with what is due and the highest open alert; ``find``: part of a study number."""
    find, number = request.args.get("find", "")[:64], request.args.get("page", "")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    listing = enrolled.listing(site.work(), site.language(), find, page)
    return render_template("staff/participants.html", listing=listing, find=find)


@pages.get("/<int(max=2147483647):participant_id>")
@needs("see_participants")
def one(staff: Person, participant_id: int) -> ResponseReturnValue:
    """One participant: forms, answers, scores, messages."""
    page = records.participant_page(site.work(), participant_id, site.language())
    return _participant_page(page, _send_form(page))


@pages.get("/new")
@needs("enrol")
def new(staff: Person) -> ResponseReturnValue:
    """The empty enrolment form."""
    form = _enrol_form(blank=True)
    return render_template("staff/enrol.html", form=form)


@pages.post("/new")
@needs("enrol")
def enrol(staff: Person) -> ResponseReturnValue:
    """Enrol. A refusal keeps everything that was typed but the PIN, which is never sent back to a page."""
    form = _enrol_form()
    fine = form.validate_on_submit()
    wishes = form.wishes()
    problems = enrolment.problems(site.work(), **wishes)
    if fine and not problems:
        participant = enrolment.enrol(site.work(), **wishes)
        notify("enrolled")
        return redirect(url_for("staff.participants.one", participant_id=participant.id), code=303)
    form.refuse(problems)
    form.pin.data = ""
    return render_template("staff/enrol.html", form=form), 400


@pages.post("/<int(max=2147483647):participant_id>/send")
@needs("send_form")
def send(staff: Person, participant_id: int) -> ResponseReturnValue:
    """Issue a form now. A link and a code for somebody who stands here are shown once, on the page that answers."""
    page = records.participant_page(site.work(), participant_id, site.language())
    form = _send_form(page, request.form)
    if not form.validate_on_submit():
        return _participant_page(page, form, status=400)
    person = records.participant(site.work(), participant_id)
    try:
        issued = issuing.send_form(site.work(), person, form.instrument.data, by=form.by.data)
    except NotAllowed as refusal:
        field = form.instrument if refusal.why == "wording_not_licensed" else form.by
        field.errors = [REFUSALS.get(refusal.why, refusal.why)]
        return _participant_page(page, form, status=409)
    if form.by.data == "here":
        title = next(choice.title for choice in page.instruments if choice.id == form.instrument.data)
        return render_template("staff/issued.html", row=page.row, title=title, issued=issued)
    notify("queued")
    return redirect(url_for("staff.participants.one", participant_id=participant_id), code=303)


def _participant_page(page: ParticipantPage, form: SendForm, status: int = 200) -> ResponseReturnValue:
    notes = {choice.id: word("refusal", choice.why_not) for choice in page.instruments}
    work = site.work()
    person = records.participant(work, page.row.id)
    shown = {
        "page": page,
        "row": page.row,
        "form": form,
        "notes": notes,
        "call_form": staff_tasks.blank_form(),
        "own_card": cards.newest(work, page.row.id),
        "standing": courses.standing(work, person, site.language()),
        "events": event_log.log(work, site.language(), person.id) if may("see_events") else [],
        "stable_marks": stable.marks(work, person, site.language()),
    }
    return render_template("staff/participant.html", **shown), status


def _send_form(page: ParticipantPage, typed: Mapping[str, str] | None = None) -> SendForm:
    form = SendForm(formdata=typed)
    form.instrument.choices = choices((choice.id, choice.title) for choice in page.instruments)
    ways = issuing.ways(site.work(), page.row.language)
    form.by.choices = [choice for choice in form.by.choices if choice.value in ways]
    return form


def _enrol_form(blank: bool = False) -> EnrolForm:
    catalogue = site.house().catalogue
    form = EnrolForm(formdata=None) if blank else EnrolForm(request.form)
    form.plan.choices = choices((plan, catalogue.plan_words[plan, site.language()].title) for plan in catalogue.plans)
    form.language.choices = choices(item for item in LANGUAGES.items() if item[0] in catalogue.languages)
    if blank and len(catalogue.plans) == 1:
        form.plan.data = next(iter(catalogue.plans))
    return form
