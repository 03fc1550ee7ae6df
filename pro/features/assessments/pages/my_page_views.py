"""A participant's own page: the next form, what was sent, how to reach the team, text size, language, text messages.

It opens like a form: from a link, a code, a card with its PIN, or the last page of a form. It lives under the address
of what opened it, so that the same cookie opens it and it never stays signed in for longer. It names no person.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, request, url_for

from pro.features.assessments import own_answers
from pro.features.assessments.pages import access_views, form_screens, form_session_pages
from pro.features.forms import due_forms, form_access
from pro.features.forms.form_access import FormSession
from pro.features.schedule import participation_end
from pro.features.text_messages import text_answers
from pro.i18n import LANGUAGE_NAMES
from pro.models import Participant
from pro.web import devices, request_context

pages = Blueprint("my_page", __name__)
pages.before_request(form_session_pages.require_form_body)

# Why messages stopped or began again, in the audit trail.
ON_OWN_PAGE = "on the participant's own page"


@dataclass(frozen=True, slots=True)
class Visitor:
    """The participant whose page is open. ``form_session``: what opened it; None for a card with its PIN."""

    participant: Participant
    form_session: FormSession | None

    @property
    def url(self) -> str:
        """Return the address of the page."""
        if self.form_session is None:
            return url_for("my_page.by_card")
        return url_for("my_page.by_form", ref=self.form_session.assessment.ref)

    @property
    def identified_by(self) -> str:
        """Return how the participant was identified."""
        return "card" if self.form_session is None else self.form_session.assessment.identified_by or "link"


@pages.post("/a/<token>/my", endpoint="by_link")
def open_from_link(token: str) -> Response:
    """Open the own page from a form's link: this browser gets a session of that form. Nothing is started."""
    work = request_context.work()
    assessment, participant = form_access.open_link(work, token)
    form_session_pages.act_as_participant(participant)
    secret = form_access.begin_session(
        work,
        assessment,
        identified_by="link",
        answered_by=None,
        device=_device(),
        language=request_context.language(),
    )
    answer = form_session_pages.redirect_to("my_page.by_form", ref=assessment.ref)
    return form_session_pages.set_session_cookie(answer, assessment.ref, secret)


@pages.get("/f/<ref>/my", endpoint="by_form")
def show_by_form(ref: str) -> Response:
    """Show the own page of the participant who opened a form by link or code."""
    visitor = _visitor_of_form(ref)
    return visitor if isinstance(visitor, Response) else _my_page(visitor)


@pages.post("/f/<ref>/my", endpoint="by_form_chosen")
def act_by_form(ref: str) -> Response:
    """Take one choice on the own page that a form opened."""
    visitor = _visitor_of_form(ref)
    return visitor if isinstance(visitor, Response) else _act(visitor)


@pages.get("/f/<ref>/my/<sent>", endpoint="sent_by_form")
def show_sent_by_form(ref: str, sent: str) -> Response:
    """Show the answers that this browser has just sent."""
    visitor = _visitor_of_form(ref)
    return visitor if isinstance(visitor, Response) else _sent_page(visitor, sent)


@pages.get("/due/my", endpoint="by_card")
def show_by_card() -> Response:
    """Show the own page to the holder of a card."""
    return _my_page(_visitor_of_card())


@pages.post("/due/my", endpoint="by_card_chosen")
def act_by_card() -> Response:
    """Take one choice on the own page that a card opened."""
    return _act(_visitor_of_card())


@pages.get("/due/my/<sent>", endpoint="sent_by_card")
def show_sent_by_card(sent: str) -> Response:
    """Show the answers of a form that was sent to the holder of a card."""
    return _sent_page(_visitor_of_card(), sent)


def _visitor_of_card() -> Visitor:
    return Visitor(access_views.current_guest().participant, None)


def _visitor_of_form(ref: str) -> Visitor | Response:
    """Return the visitor, or a redirect to the emergency advice of the form, which comes before everything."""
    form_session = form_session_pages.current_session(ref)
    if own_answers.has_unread_advice(request_context.work(), form_session.assessment):
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    return Visitor(form_session.participant, form_session)


def _my_page(visitor: Visitor) -> Response:
    work, language, person = request_context.work(), request_context.language(), visitor.participant
    sent = own_answers.list_sent_forms(work, person, visitor.form_session, language)
    return form_session_pages.render_page(
        "assessments/my_page.html",
        participant=person,
        url=visitor.url,
        due=due_forms.due_forms(work, person, language),
        sent=sent,
        some_unreadable=any(not form.readable and not form.by_proxy for form in sent),
        by_card=visitor.form_session is None,
        # The card opened this form, and its PIN is good for a while: the page of the card shows every answer.
        has_card=visitor.form_session is not None and visitor.identified_by == "card",
        texts="stopped" if person.opted_out_at else "sent" if _gets_texts(person) else "",
        sizes=form_session_pages.TEXT_SIZES,
        languages=[(code, LANGUAGE_NAMES[code]) for code in _languages(person)],
        page_language=language,
    )


def _act(visitor: Visitor) -> Response:
    """Do what was pressed, then show the page again; a form that was chosen is opened."""
    work, do, person = request_context.work(), request.form.get("do", ""), visitor.participant
    if do == "fill":
        return _open_form(visitor, request.form.get("form", ""))
    if do == "stop_texts":
        participation_end.opt_out(work, person, ON_OWN_PAGE)
    elif do == "allow_texts":
        participation_end.opt_in(work, person, ON_OWN_PAGE)
    chosen = request.form.get("language", "")
    if chosen in _languages(person):
        text_answers.choose_language(work, person, chosen)
        return make_response(redirect(f"{visitor.url}?lang={chosen}", code=303))
    answer = make_response(redirect(visitor.url, code=303))
    return form_session_pages.set_text_size(answer, request.form.get("size", ""))


def _open_form(visitor: Visitor, instrument: str) -> Response:
    """Open a due form, or the check-in for a report at any time, in a session of its own."""
    form, secret = due_forms.open_due_form(
        request_context.work(),
        visitor.participant,
        instrument,
        identified_by=visitor.identified_by,
        device=_device(),
        language=request_context.language(),
    )
    answer = form_session_pages.redirect_to("questionnaire.resume", ref=form.ref)
    return form_session_pages.set_session_cookie(answer, form.ref, secret)


def _sent_page(visitor: Visitor, sent: str) -> Response:
    form = own_answers.read_sent_form(
        request_context.work(), visitor.participant, sent, visitor.form_session, request_context.language()
    )
    if form is None:
        # Such as a page that is loaded again after the time for reading is over.
        return make_response(redirect(visitor.url, code=303))
    return form_session_pages.render_page(
        "assessments/sent_form.html",
        participant=visitor.participant,
        back=visitor.url,
        form_title=form.words.title,
        answered_at=form.assessment.answered_at or form.assessment.submitted_at,
        groups=form_screens.review_groups(form, form.newest_row),
    )


def _gets_texts(participant: Participant) -> bool:
    """Return True if text messages about forms reach the participant."""
    return participant.phone_sealed is not None and request_context.app_context().config.sms != "none"


def _languages(participant: Participant) -> tuple[str, ...]:
    return request_context.work().catalogue.shown_plan(participant.plan).languages


def _device() -> str:
    return devices.device_class(request.user_agent.string)
