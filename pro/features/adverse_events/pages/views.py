"""Adverse events: a clinician assesses and signs, the log, one event over time, and the discordance report."""

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
from pro.features.accounts.pages.page_guard import SignedInStaff, needs
from pro.features.accounts.signatures import Refusal
from pro.features.adverse_events import event_log, gradings
from pro.features.adverse_events.event_log import EventPage
from pro.features.alerts import alert_page, known_stable
from pro.features.alerts.pages.forms import EndForm, JudgementForm, NoEventForm
from pro.features.participants.pages import participant_page
from pro.web import request_context, typed_moments
from pro.web.forms import choices, number_posted
from pro.web.notices import notify

pages = Blueprint("events", __name__)
Typed = MultiDict[str, str] | None


@dataclass(frozen=True)
class Matter:
    """What is judged: a participant, and an alert's source or an event (its ``term``) that is known already."""

    person_id: int
    study_number: str
    action: str
    back: str
    source: str = ""
    heading: str = ""
    event_id: int | None = None
    term: str = ""


@pages.get("/alerts/<int(max=2147483647):alert_id>/assess")
@needs("assess")
def alert(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Judge what stands behind an alert."""
    matter = _of_alert(alert_id)
    return _judgement_page(matter, _form(matter, None), _none_form(matter, None))


@pages.post("/alerts/<int(max=2147483647):alert_id>/assess")
@needs("assess")
def alert_assess(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Keep and sign the judgement of an alert."""
    return _judge(_of_alert(alert_id))


@pages.get("/participants/<int(max=2147483647):participant_id>/events/new", endpoint="new")
@needs("assess")
def new_event(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Record an adverse event that no alert told of."""
    matter = _by_hand(participant_id)
    return _judgement_page(matter, _form(matter, None), None)


@pages.post("/participants/<int(max=2147483647):participant_id>/events/new")
@needs("assess")
def record(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Keep and sign it."""
    return _judge(_by_hand(participant_id))


@pages.get("/events", endpoint="everything")
@needs("see_events")
def show_events(staff: SignedInStaff) -> ResponseReturnValue:
    """The log of adverse events."""
    return render_template(
        "adverse_events/events.html", rows=event_log.log(request_context.work(), request_context.language())
    )


@pages.get("/events/discordance")
@needs("see_events")
def discordance(staff: SignedInStaff) -> ResponseReturnValue:
    """Reported and not recorded, recorded and not reported."""
    return render_template(
        "adverse_events/discordance.html",
        found=event_log.differences(request_context.work(), request_context.language()),
    )


@pages.get("/events/<int(max=2147483647):event_id>", endpoint="one")
@needs("see_events")
def show_event(staff: SignedInStaff, event_id: int) -> ResponseReturnValue:
    """One event with its grades over time."""
    page = event_log.event_page(request_context.work(), event_id, request_context.language())
    return _event_page(page, EndForm(formdata=None))


@pages.post("/events/<int(max=2147483647):event_id>", endpoint="change")
@needs("see_events")
def change_event(staff: SignedInStaff, event_id: int) -> ResponseReturnValue:
    """A new grade, the end, or that a serious one was reported."""
    act = request.form.get("do", "")
    page = event_log.event_page(request_context.work(), event_id, request_context.language())
    if act == "report":
        page_guard.must(staff, "report_event")
        notify("event_reported" if gradings.report(request_context.work(), event_id) else "event_before")
    elif act == "end":
        page_guard.must(staff, "assess")
        form = EndForm(request.form)
        try:
            ended = gradings.end(request_context.work(), event_id, form.ended_on.data)
        except BadData as refusal:
            form.refuse(_fields(refusal))
            return _event_page(page, form, status=400)
        notify("event_ended" if ended else "event_before")
    else:
        page_guard.must(staff, "assess")
        return _judge(_of_event(page))
    return redirect(url_for("staff.events.one", event_id=event_id), code=303)


@pages.post("/participants/<int(max=2147483647):participant_id>/stable")
@needs("mark_stable")
def take_back(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """A mark of “known and stable” counts no more."""
    person = participant_page.participant(request_context.work(), participant_id)
    done = known_stable.revoke(request_context.work(), person, request.form.get("item", ""))
    notify("stable_back" if done else "stable_gone")
    return redirect(url_for("staff.participants.one", participant_id=participant_id), code=303)


def judgement_page_again(kind: str, number: int, typed: MultiDict[str, str]) -> ResponseReturnValue:
    """The page of a judgement with what was ``typed`` before a sign-in; ``kind``: alert, participant or event."""
    if kind == "alert":
        matter = _of_alert(number)
    elif kind == "participant":
        matter = _by_hand(number)
    else:
        matter = _of_event(event_log.event_page(request_context.work(), number, request_context.language()))
    none = typed if typed.get("do") == "none" else None
    return _judgement_page(matter, _form(matter, None if none else typed), _none_form(matter, none))


def _of_alert(alert_id: int) -> Matter:
    page = alert_page.alert_page(request_context.work(), alert_id, request_context.language())
    back = url_for("staff.alert", alert_id=alert_id)
    action = url_for("staff.events.alert_assess", alert_id=alert_id)
    return Matter(
        page.participant.id, page.participant.study_number, action, back, page.case.source, page.case.sentence
    )


def _by_hand(participant_id: int) -> Matter:
    person = participant_page.participant(request_context.work(), participant_id)
    back = url_for("staff.participants.one", participant_id=participant_id)
    action = url_for("staff.events.record", participant_id=participant_id)
    return Matter(person.id, person.study_number, action, back)


def _of_event(page: EventPage) -> Matter:
    here = url_for("staff.events.one", event_id=page.row.id)
    name = page.row.other_term or page.row.term
    return Matter(
        page.row.participant_id, page.row.study_number, here, here, heading=name, event_id=page.row.id, term=page.term
    )


def _judge(matter: Matter) -> ResponseReturnValue:
    """Sign what was typed, or show the page again with everything in it but the password."""
    work, none = request_context.work(), request.form.get("do") == "none" and bool(matter.source)
    form = _form(matter, None if none else request.form)
    none_form = _none_form(matter, request.form if none else None)
    sent = none_form if none and none_form else form
    if request.form.get("do") == "term":
        return _judgement_page(matter, form, none_form)
    said, person = sent.judgement(), participant_page.participant(work, matter.person_id)
    problems = gradings.judgement_problems(work, person, said) | sent.plainly_wrong()
    if not none and form.shown.data != request.form.get("shown", "") and said.grade:
        form.grade.data = None
        problems["grade"] = "grade_of_another"
    shown = request.form.get("seen", "")
    seen = number_posted(shown)
    if not none and form.event.choices and shown == form.seen.data and "event" not in request.form:
        problems["event"] = "unknown"  # the page asked whether it is new
    if problems or seen is None or not sent.password.data:
        sent.refuse(problems or {"password": "password"})
        return _judgement_page(matter, form, none_form, sent=sent, status=400)
    confirmed = signatures.confirm(work, sent.password.data)
    if isinstance(confirmed, Refusal):
        sent.refuse_signature(confirmed)
        return _judgement_page(matter, form, none_form, sent=sent, status=429 if confirmed.until else 400)
    done = gradings.judge(work, confirmed, person, said, seen=seen, source=matter.source)
    if not done.done:
        at = done.at.isoformat() if done.at else work.now.isoformat()
        notify("judged_first", name=done.name, at=at)
        return _judgement_page(matter, form, none_form, status=409)
    notify("judged")
    back = matter.back
    if not matter.source and done.event_id:
        back = url_for("staff.events.one", event_id=done.event_id)
    return redirect(back, code=303)


def _form(matter: Matter, typed: Typed) -> JudgementForm:
    """The form, with the grades of the term that is chosen now."""
    work, language = request_context.work(), request_context.language()
    words = work.catalogue.term_words.get(language, {})
    suggested = event_log.suspected(work, matter.source) if matter.source else []
    form = JudgementForm(formdata=typed)
    form.report_hours = request_context.house().catalogue.terms.report_hours
    if typed is None:
        form.term.data = suggested[0] if suggested else ""
        form.known_at.data = typed_moments.local_now()
    known = [] if matter.event_id else gradings.ongoing(work, matter.person_id)
    named = [(str(event.id), event_log.named(work, event, language)) for event in known]
    form.offer([(key, _label(key, words)) for key in words], suggested, named)
    if matter.event_id:
        form.event.data = str(matter.event_id)
    terms = {event.id: event.term for event in known} | {matter.event_id or 0: matter.term}
    term = terms.get(form.event_id, "") if form.event_id else form.chosen
    form.grade.choices = choices((str(grade), text) for grade, text in _grades(term, words).items())
    form.seen.data = str(gradings.newest_grading(work, matter.person_id))
    form.shown.data = f"{form.event_id or ''}:{term}"
    return form


def _none_form(matter: Matter, typed: Typed) -> NoEventForm | None:
    if not matter.source:
        return None
    form = NoEventForm(formdata=typed)
    form.seen.data = str(gradings.newest_grading(request_context.work(), matter.person_id))
    return form


def _label(key: str, words: Mapping[str, TermWords]) -> str:
    """A term in the reader's language with the standard's own name beside it."""
    term = request_context.work().catalogue.terms.terms[key]
    name = words[key].name
    return name if name == term.english else f"{name} {term.english}"


def _grades(term: str, words: Mapping[str, TermWords]) -> Mapping[int, str]:
    return words[term].grades if term in words else {}


def _fields(refusal: BadData) -> dict[str, str]:
    fields = refusal.details.get("fields")
    return fields if isinstance(fields, dict) else {}


def _judgement_page(
    matter: Matter,
    form: JudgementForm,
    none_form: NoEventForm | None,
    sent: JudgementForm | NoEventForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    if not request_context.work().catalogue.terms.terms:
        raise NotFound("terms")
    shown = {"matter": matter, "form": form, "none_form": none_form, "sent": sent or form}
    return render_template("adverse_events/judgement.html", **shown), status


def _event_page(page: EventPage, end_form: EndForm, status: int = 200) -> ResponseReturnValue:
    matter = _of_event(page)
    shown = {"page": page, "row": page.row, "end_form": end_form, "matter": matter}
    form = _form(matter, None)
    return render_template("adverse_events/event.html", form=form, none_form=None, **shown), status
