"""Staff pages of adverse events: signed grading, log, one event, discordance report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.core.clinical.adverse_events import TermWords
from pro.errors import BadData, NotFound
from pro.features.accounts import signatures
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.adverse_events import adverse_event_log, gradings, seriousness
from pro.features.adverse_events.adverse_event_log import AdverseEventPage
from pro.features.alerts import alert_page, stable_symptoms
from pro.features.alerts.alert_page import FindingRow
from pro.features.alerts.pages.forms import EventEndForm, GradingForm, NoEventForm
from pro.features.participants.pages import participant_page
from pro.web import request_context, typed_moments
from pro.web.forms import choices, posted_row_number
from pro.web.notices import notify
from pro.web.page_registry import UnsavedTextRule
from pro.web.refusals import N_

pages = Blueprint("adverse_events", __name__)
Typed = MultiDict[str, str] | None


@dataclass(frozen=True)
class GradingSubject:
    """What a grading is about: a participant, and an alert or a known event.

    ``source``: the source of the alert, else empty. ``event_id``, ``term``: of the known event. ``action``: the address
    that the form posts to; ``back``: where the page leads afterwards. ``findings``: the open alerts of the source,
    which the page shows and the signature covers.
    """

    person_id: int
    participant_number: str
    action: str
    back: str
    source: str = ""
    heading: str = ""
    event_id: int | None = None
    term: str = ""
    findings: tuple[FindingRow, ...] = ()


def restore_alert_grading(typed: MultiDict[str, str], alert_id: int) -> ResponseReturnValue:
    """Show the grading of an alert with the text that was ``typed`` before a sign-in."""
    return _restore_grading(_alert_subject(alert_id), typed)


def restore_new_event(typed: MultiDict[str, str], participant_id: int) -> ResponseReturnValue:
    """Show the grading of a new event with the text that was ``typed`` before a sign-in."""
    return _restore_grading(_participant_subject(participant_id), typed)


def restore_event(typed: MultiDict[str, str], event_id: int) -> ResponseReturnValue:
    """Show the page of an event with the new grade that was ``typed`` before a sign-in."""
    page = adverse_event_log.adverse_event_page(request_context.work(), event_id, request_context.language())
    return _restore_grading(_event_subject(page), typed)


@staff_page(
    pages,
    "/alerts/<int(max=2147483647):alert_id>/assess",
    endpoint="alert",
    right="assess",
    section="to_do_list",
    kept=UnsavedTextRule(restore_alert_grading, "assess"),
)
def show_alert_grading(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Show the form that grades the findings of an alert."""
    matter = _alert_subject(alert_id)
    return _render_grading(matter, _grading_form(matter, None), _no_event_form(matter, None))


@pages.post("/alerts/<int(max=2147483647):alert_id>/assess", endpoint="alert_assess")
@needs("assess")
def sign_alert_grading(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Sign the grading of an alert and store it."""
    return _sign_grading(_alert_subject(alert_id))


@staff_page(
    pages,
    "/participants/<int(max=2147483647):participant_id>/adverse-events/new",
    endpoint="new",
    right="assess",
    kept=UnsavedTextRule(restore_new_event, "assess"),
)
def show_new_event(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the form that records an adverse event without an alert."""
    matter = _participant_subject(participant_id)
    return _render_grading(matter, _grading_form(matter, None), None)


@pages.post("/participants/<int(max=2147483647):participant_id>/adverse-events/new", endpoint="record")
@needs("assess")
def record_event(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Sign an adverse event without an alert and store it."""
    return _sign_grading(_participant_subject(participant_id))


@staff_page(
    pages,
    "/adverse-events",
    endpoint="everything",
    right="see_adverse_events",
    title=N_("Adverse events"),
    menu=40,
    way_back=N_("the adverse events"),
)
def show_events(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the log of adverse events."""
    return render_template(
        "adverse_events/events.html",
        rows=adverse_event_log.adverse_event_rows(request_context.work(), request_context.language()),
    )


@staff_page(
    pages,
    "/adverse-events/discordance",
    endpoint="discordance",
    right="see_adverse_events",
    title=N_("Participant reports versus recorded events"),
)
def show_discordance(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the discordance report: reported but not recorded, recorded but not reported."""
    return render_template(
        "adverse_events/discordance.html",
        found=adverse_event_log.discordance_report(request_context.work(), request_context.language()),
    )


@staff_page(
    pages,
    "/adverse-events/<int(max=2147483647):event_id>",
    endpoint="one",
    right="see_adverse_events",
    kept=UnsavedTextRule(restore_event, "assess"),
)
def show_event(staff: SignedInStaff, event_id: int) -> ResponseReturnValue:
    """Show one event with its grades over time."""
    page = adverse_event_log.adverse_event_page(request_context.work(), event_id, request_context.language())
    return _render_event(page, EventEndForm(formdata=None))


@pages.post("/adverse-events/<int(max=2147483647):event_id>", endpoint="change")
@needs("see_adverse_events")
def change_event(staff: SignedInStaff, event_id: int) -> ResponseReturnValue:
    """Store a new grade, the end date, or the SAE report of an event.

    A new grade and an end date need the right ``assess``, an SAE report the right ``report_event``.
    """
    act = request.form.get("do", "")
    page = adverse_event_log.adverse_event_page(request_context.work(), event_id, request_context.language())
    if act == "report":
        page_guard.require_right(staff, "report_event")
        notify("event_reported" if gradings.record_sae_report(request_context.work(), event_id) else "event_before")
    elif act == "end":
        page_guard.require_right(staff, "assess")
        form = EventEndForm(request.form)
        try:
            ended = gradings.end_event(request_context.work(), event_id, form.end_date.data)
        except BadData as refusal:
            form.refuse(_refused_fields(refusal))
            return _render_event(page, form, status=400)
        notify("event_ended" if ended else "event_before")
    else:
        page_guard.require_right(staff, "assess")
        return _sign_grading(_event_subject(page))
    return redirect(url_for("staff.adverse_events.one", event_id=event_id), code=303)


@pages.post("/participants/<int(max=2147483647):participant_id>/stable", endpoint="revoke_mark")
@needs("mark_stable")
def revoke_stable_mark(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Remove the mark “known and stable” from an item of a participant."""
    person = participant_page.read_participant(request_context.work(), participant_id)
    done = stable_symptoms.revoke_mark(request_context.work(), person, request.form.get("item", ""))
    notify("stable_back" if done else "stable_gone")
    return redirect(url_for("staff.safety.show", participant_id=participant_id), code=303)


def _restore_grading(matter: GradingSubject, typed: MultiDict[str, str]) -> ResponseReturnValue:
    """Show a grading with the text that was ``typed`` before a sign-in."""
    none = typed if typed.get("do") == "none" else None
    return _render_grading(matter, _grading_form(matter, None if none else typed), _no_event_form(matter, none))


def _alert_subject(alert_id: int) -> GradingSubject:
    page = alert_page.alert_page(request_context.work(), alert_id, request_context.language())
    back = url_for("staff.alert", alert_id=alert_id)
    action = url_for("staff.adverse_events.alert_assess", alert_id=alert_id)
    return GradingSubject(
        page.participant.id,
        page.participant.participant_number,
        action,
        back,
        page.case.source,
        page.case.sentence,
        findings=tuple(one for one in page.findings if not one.closed and not one.superseded),
    )


def _participant_subject(participant_id: int) -> GradingSubject:
    person = participant_page.read_participant(request_context.work(), participant_id)
    back = url_for("staff.safety.show", participant_id=participant_id)
    action = url_for("staff.adverse_events.record", participant_id=participant_id)
    return GradingSubject(person.id, person.participant_number, action, back)


def _event_subject(page: AdverseEventPage) -> GradingSubject:
    here = url_for("staff.adverse_events.one", event_id=page.row.id)
    name = page.row.other_term or page.row.term
    return GradingSubject(
        page.row.participant_id,
        page.row.participant_number,
        here,
        here,
        heading=name,
        event_id=page.row.id,
        term=page.term,
    )


def _sign_grading(matter: GradingSubject) -> ResponseReturnValue:
    """Sign what was typed, or show the page again with everything typed but the password.

    Status: 303 if signed, 400 for problems or a wrong password, 409 if the participant was graded meanwhile or
    an alert came that the page did not show, 429 if signing is locked.
    """
    work, none = request_context.work(), request.form.get("do") == "none" and bool(matter.source)
    form = _grading_form(matter, None if none else request.form)
    none_form = _no_event_form(matter, request.form if none else None)
    sent = none_form if none and none_form else form
    if request.form.get("do") == "term":
        return _render_grading(matter, form, none_form)
    said, person = sent.grading_draft(), participant_page.read_participant(work, matter.person_id)
    problems = gradings.grading_problems(work, person, said, matter.source) | sent.unreadable_dates()
    if not none and said.serious is False:
        form.serious_signs = seriousness.signs_of_seriousness(work, person, said.grade, matter.source)
    if not none and form.shown.data != request.form.get("shown", "") and said.grade:
        form.grade.data = None
        problems["grade"] = "grade_of_another"
    shown = request.form.get("seen", "")
    seen = posted_row_number(shown)
    if not none and form.event.choices and shown == form.seen.data and "event" not in request.form:
        problems["event"] = "unknown"  # the page asked whether the event is new
    if problems or seen is None or not sent.password.data:
        sent.refuse(problems or {"password": "password"})
        return _render_grading(matter, form, none_form, sent=sent, status=400)
    confirmed = signatures.confirm_password(work, sent.password.data)
    if isinstance(confirmed, CredentialRefusal):
        sent.refuse_signature(confirmed)
        return _render_grading(matter, form, none_form, sent=sent, status=429 if confirmed.until else 400)
    done = gradings.sign_grading(
        work, confirmed, person, said, seen=seen, case_key=matter.source, shown=shown_alert_ids()
    )
    if done.count:
        notify("judged_later", count=done.count)
        return _render_grading(matter, form, none_form, sent=sent, status=409)
    if not done.done:
        at = done.at.isoformat() if done.at else work.now.isoformat()
        notify("judged_first", name=done.name, at=at)
        return _render_grading(matter, form, none_form, status=409)
    notify("judged")
    back = matter.back
    if not matter.source and done.event_id:
        back = url_for("staff.adverse_events.one", event_id=done.event_id)
    return redirect(back, code=303)


def shown_alert_ids() -> set[int]:
    """Return the ids of the alerts that the posted page showed."""
    found = (posted_row_number(text) for text in request.form.getlist("alert"))
    return {number for number in found if number is not None}


def _grading_form(matter: GradingSubject, typed: Typed) -> GradingForm:
    """Return the form with the grades of the term that is chosen now."""
    work, language = request_context.work(), request_context.language()
    words = work.catalogue.term_words.get(language, {})
    suggested = adverse_event_log.suggested_terms(work, matter.source) if matter.source else []
    form = GradingForm(formdata=typed)
    form.report_hours = request_context.app_context().catalogue.terms.report_hours
    if typed is None:
        form.term.data = suggested[0] if suggested else ""
        form.awareness_time.data = typed_moments.local_now()
    known = [] if matter.event_id else gradings.ongoing_events(work, matter.person_id)
    named = [(str(event.id), adverse_event_log.event_name(work, event, language)) for event in known]
    form.offer([(key, _term_label(key, words)) for key in words], suggested, named)
    if matter.event_id:
        form.event.data = str(matter.event_id)
    terms = {event.id: event.ctcae_term for event in known} | {matter.event_id or 0: matter.term}
    term = terms.get(form.event_id, "") if form.event_id else form.chosen
    form.grade.choices = choices((str(grade), text) for grade, text in _grade_meanings(term, words).items())
    form.seen.data = str(gradings.newest_grading_id(work, matter.person_id))
    form.shown.data = f"{form.event_id or ''}:{term}"
    return form


def _no_event_form(matter: GradingSubject, typed: Typed) -> NoEventForm | None:
    if not matter.source:
        return None
    form = NoEventForm(formdata=typed)
    form.seen.data = str(gradings.newest_grading_id(request_context.work(), matter.person_id))
    return form


def _term_label(key: str, words: Mapping[str, TermWords]) -> str:
    """Return a term in the reader's language, with the standard's English name beside it."""
    term = request_context.work().catalogue.terms.terms[key]
    name = words[key].name
    return name if name == term.english else f"{name} {term.english}"


def _grade_meanings(term: str, words: Mapping[str, TermWords]) -> Mapping[int, str]:
    return words[term].grades if term in words else {}


def _refused_fields(refusal: BadData) -> dict[str, str]:
    fields = refusal.details.get("fields")
    return fields if isinstance(fields, dict) else {}


def _render_grading(
    matter: GradingSubject,
    form: GradingForm,
    none_form: NoEventForm | None,
    sent: GradingForm | NoEventForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    if not request_context.work().catalogue.terms.terms:
        raise NotFound("terms")
    is_posted = request.method == "POST" and "alert" in request.form
    new = {one.alert_id for one in matter.findings} - shown_alert_ids() if is_posted else set()
    shown = {"matter": matter, "form": form, "none_form": none_form, "sent": sent or form, "new_alerts": new}
    return render_template("adverse_events/grading.html", **shown), status


def _render_event(page: AdverseEventPage, end_form: EventEndForm, status: int = 200) -> ResponseReturnValue:
    matter = _event_subject(page)
    shown = {"page": page, "row": page.row, "end_form": end_form, "matter": matter}
    form = _grading_form(matter, None)
    return render_template("adverse_events/event.html", form=form, none_form=None, **shown), status
