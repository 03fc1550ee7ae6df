"""The participant's pages: start, one question a screen, advice, review, last page.

A GET changes nothing. Every POST answers 303, so that going back and reloading are harmless. ``form.js`` sends
``X-Fetch`` and gets the next screen at once, with its address in ``X-Location``: the same screens, one round trip less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request, url_for

from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Page, Value
from pro.core.text import reply_parser
from pro.errors import AlreadySubmitted
from pro.features.assessments import answer_service, own_answers
from pro.features.assessments.pages import form_screens, form_session_pages
from pro.features.assessments.pages.form_screens import TypedPage
from pro.features.forms import form_access
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.web import request_context, typography

pages = Blueprint("questionnaire", __name__)

# Reasons that no page of ours can cause (400); every other reason is a typing mistake (422).
NEVER_OFFERED = {"no_such_option", "no_such_page"}
NOTHING_TYPED = TypedPage()

pages.before_request(form_session_pages.require_form_body)


@pages.app_context_processor
def template_values() -> dict[str, Any]:
    """Return values for all templates.

    ``fetched``: the script asked, and has the styles already. ``gap``: what separates two sentences. ``text_size``: the
    larger text that was chosen in this browser.
    """
    gap = typography.sentence_gap(request_context.language())
    return {"fetched": "X-Fetch" in request.headers, "gap": gap, "text_size": form_session_pages.text_size()}


@pages.get("/a/<token>", endpoint="link")
def show_start_page(token: str) -> Response:
    """Show the start page behind a link. Previews and scanners may fetch it at any time."""
    return form_session_pages.link_page(token)


@pages.post("/a/<token>", endpoint="link_start")
def start_from_link(token: str) -> Response:
    """Start the form from a link: this browser may answer from now on."""
    begun = form_session_pages.start_from_link(token)
    if begun is None:
        return form_session_pages.link_page(token)
    form_session, secret = begun
    answer = form_session_pages.redirect_to(
        "questionnaire.show",
        ref=form_session.assessment.ref,
        position=form_session_pages.form_of(form_session).next_position(),
    )
    return form_session_pages.set_session_cookie(answer, form_session.assessment.ref, secret)


@pages.get("/f/<ref>")
def resume(ref: str) -> Response:
    """Show where this form stands: start page, next question, advice, or last page."""
    form_session = form_session_pages.current_session(ref)
    form = form_session_pages.form_of(form_session)
    if form.advice is None and not form.submitted and not form_session_pages.must_start(form_session, form):
        return form_session_pages.redirect_to("questionnaire.show", ref=ref, position=form.next_position())
    return form_session_pages.form_page(form_session, form)


@pages.post("/f/<ref>", endpoint="code_start")
def start_after_code(ref: str) -> Response:
    """Start the form after an access code was typed."""
    form_session = form_session_pages.current_session(ref)
    form_session_pages.start_session(form_session)
    return form_session_pages.redirect_to("questionnaire.resume", ref=ref)


@pages.post("/f/<ref>/next", endpoint="onward")
def open_next_form(ref: str) -> Response:
    """Open the next due form after a submitted one; without one, return to the last page."""
    form_session = form_session_pages.current_session(ref)
    after = (
        form_access.next_form(request_context.work(), form_session.participant, form_session.assessment)
        if form_session.assessment.submitted_at is not None
        else None
    )
    if after is None:
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    way, device = form_session.assessment.identified_by or "link", form_session.assessment.device or ""
    secret = form_access.begin_session(
        request_context.work(),
        after,
        identified_by=way,
        answered_by=None,
        device=device,
        language=request_context.language(),
    )
    return form_session_pages.set_session_cookie(
        form_session_pages.redirect_to("questionnaire.resume", ref=after.ref), after.ref, secret
    )


@pages.post("/f/<ref>/trend", endpoint="hide_trend")
def hide_trend(ref: str) -> Response:
    """Stop showing the participant's earlier answers after sending, and return to the last page."""
    form_session = form_session_pages.current_session(ref)
    own_answers.hide_trend(request_context.work(), form_session.participant)
    return form_session_pages.redirect_to("questionnaire.resume", ref=ref)


@pages.get("/f/<ref>/<int:position>", endpoint="show")
def show_page(ref: str, position: int) -> Response:
    """Show one screen: a page of questions, or the review after the last question."""
    form_session = form_session_pages.current_session(ref)
    form = form_session_pages.form_of(form_session)
    if form.advice is None and (form.submitted or form_session_pages.must_start(form_session, form)):
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    if not 1 <= position <= len(form.path) + 1:
        return form_session_pages.redirect_to("questionnaire.show", ref=ref, position=form.next_position())
    return _render_screen(form_session, form, position)


@pages.post("/f/<ref>/<int:position>", endpoint="answer")
def act_on_page(ref: str, position: int) -> Response:
    """Take one post of a screen: answer, skip, back, leaving the advice, or submission.

    Raises AlreadySubmitted for an answer to a submitted form.
    """
    form_session = form_session_pages.current_session(ref)
    form = form_session_pages.form_of(form_session)
    do = request.form.get("do", "")
    if do in ("understood", "wrong"):
        return _leave_advice(form_session, form, position, do)
    if form.submitted and "page" in request.form and do not in ("back", "language"):
        raise AlreadySubmitted("submitted")
    if form.submitted or not form_session.access.answered_by:
        return _redirect_or_render(form_session, None)
    if do == "send" and not form_session_pages.must_start(form_session, form):
        seen = form_session_pages.seen_answers()
        if seen != form.newest_row:
            return _render_screen(form_session, form, len(form.path) + 1, seen=seen)
        answer_service.submit_form(request_context.work(), form_session, request_context.language())
        return _redirect_or_render(form_session, None)
    if do == "send":
        return _redirect_or_render(form_session, None)
    if "page" not in request.form:
        return _redirect_or_render(form_session, len(form.path) if do == "back" else form.next_position())
    return _save_page(form_session, form, position, do)


def _save_page(form_session: FormSession, form: FormState, position: int, do: str) -> Response:
    page_id = request.form["page"]
    page = next((page for page in form.path if page.id == page_id), None)
    if page is None:
        return _render_screen(
            form_session, form, _valid_position(form, position), TypedPage(problems={"": "no_such_page"})
        )
    here = form.position_of(page_id)
    given, typed = read_posted_page(form, page, do)
    if do == "language":
        return _render_screen(form_session, form, here, replace(typed, problems={}), 200)
    if given:
        form = answer_service.save_answers(
            request_context.work(), form_session, page_id, given, request_context.language(), form
        ).form
    if typed.problems:
        return _render_screen(form_session, form, form.position_of(page_id), typed)
    if form_session_pages.must_start(form_session, form):
        return _redirect_or_render(form_session, None)
    reviewing = request.form.get("from") == "review"
    if do == "back":
        return _redirect_or_render(form_session, len(form.path) + 1 if reviewing else max(1, here - 1), form=form)
    position = form.next_position() if reviewing else form.position_of(page_id) + 1
    return _redirect_or_render(form_session, position, reviewing and position <= len(form.path), form)


def read_posted_page(form: FormState, page: Page, do: str) -> tuple[Mapping[str, Value | None], TypedPage]:
    """Read the posted page: values to save (empty if none), and what was typed with problems."""
    kind = form.instrument.items[page.items[0]].kind
    if form_screens.is_typed_page(form, page):
        return _read_fields(form, page, do)
    name = page.items[0]
    if do == "skip":
        return {name: None}, TypedPage()
    if kind == "list":
        return _read_list(form, name, do)
    if do in ("back", "language"):
        return {}, TypedPage()
    if do == "next" and name in form.answers:
        return {}, TypedPage()
    found = reply_parser.read_field(form.instrument.items[name], request.form.get("value", ""))
    if isinstance(found, reply_parser.UnclearReply):
        return {}, TypedPage(problems={"": "no_such_option"})
    return {name: found.value}, TypedPage()


def _read_list(form: FormState, name: str, do: str) -> tuple[Mapping[str, Value | None], TypedPage]:
    shown = page_flow.items_on_list(form.instrument, form.instrument.items[name], form.facts)
    sent = request.form.getlist("has")
    ticks = tuple(entry for entry in shown if entry in sent)
    if set(sent) - set(shown) or do not in ("some", "none", "back", "language"):
        return {}, TypedPage(ticks=ticks, problems={"": "no_such_option"})
    if do in ("back", "language"):
        return {}, TypedPage(ticks=ticks)
    if (do == "none") == bool(ticks):
        return {}, TypedPage(ticks=ticks, problems={"": "none_with_ticks" if ticks else "some_without_ticks"})
    return {name: ticks}, TypedPage(ticks=ticks)


def _read_fields(form: FormState, page: Page, do: str) -> tuple[Mapping[str, Value | None], TypedPage]:
    given: dict[str, Value | None] = {}
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in page.items:
        texts[name] = request.form.get(name, "")
        if do == "skip" and not texts[name].strip():
            # What stands in the other fields was meant to be said.
            given[name] = None
            continue
        found = reply_parser.read_field(form.instrument.items[name], texts[name])
        if isinstance(found, reply_parser.UnclearReply):
            # Going back from an empty field is no mistake.
            if not (found.why == "empty" and do == "back"):
                problems[name] = found.why
        elif found.value is not None or do != "back":
            given[name] = found.value
    if problems and do != "skip":  # valid fields beside them are saved at once: the participant may not return
        given = {name: value for name, value in given.items() if value is not None}
    return ({} if do == "language" else given), TypedPage(texts=texts, problems=problems)


def _leave_advice(form_session: FormSession, form: FormState, position: int, do: str) -> Response:
    """Leave the emergency advice: continue, or return to the answer that raised it."""
    # The second tap of a double tap must not close the next advice.
    if request.form.get("advice") in (None, form.advice):
        answer_service.acknowledge_advice(request_context.work(), form_session, form, corrected=do == "wrong")
    if form.submitted:
        return _redirect_or_render(form_session, None)
    if do == "wrong" and form.last_position:
        return _redirect_or_render(form_session, form.last_position, reviewing=form.next_position() > len(form.path))
    reviewing = request.form.get("from") == "review" and position <= len(form.path)
    return _redirect_or_render(form_session, _valid_position(form, position), reviewing)


def _redirect_or_render(
    form_session: FormSession, position: int | None, reviewing: bool = False, form: FormState | None = None
) -> Response:
    """Redirect to the screen at ``position``, or render it at once if the script asked.

    ``position`` None: the page where the form stands.
    """
    url = _screen_url(form_session, position)
    if reviewing:
        url += "?from=review"
    if "X-Fetch" not in request.headers:
        return make_response(redirect(url, code=303))
    form = form or form_session_pages.form_of(form_session)
    response = (
        form_session_pages.form_page(form_session, form)
        if position is None
        else _render_screen(form_session, form, position, reviewing=reviewing)
    )
    response.headers["X-Location"] = url
    return response


def _screen_url(form_session: FormSession, position: int | None) -> str:
    ref = form_session.assessment.ref
    if position is None:
        return url_for("questionnaire.resume", ref=ref)
    return url_for("questionnaire.show", ref=ref, position=position)


def _render_screen(
    form_session: FormSession,
    form: FormState,
    position: int,
    typed: TypedPage = NOTHING_TYPED,
    status: int = 0,
    reviewing: bool | None = None,
    seen: int | None = None,
) -> Response:
    """Render the screen at ``position``; emergency advice comes first.

    ``typed``: what was typed on a page that is shown again because it was not accepted. ``seen``: the newest answer
    that an outdated review showed; the review marks what is newer.
    """
    if form.advice is not None:
        return form_session_pages.advice_page(form_session, form, _screen_url(form_session, position))
    problems = set(typed.problems.values())
    status = status or (200 if not problems else 400 if problems & NEVER_OFFERED else 422)
    if reviewing is None:
        reviewing = request.values.get("from") == "review"
    values: dict[str, Any] = {"participant": form_session.participant, "url": _screen_url(form_session, position)}
    if form.page(position) is None:
        groups = form_screens.review_groups(form, form.newest_row if seen is None else seen)
        values |= {"ref": form_session.assessment.ref, "problem": typed.problems.get("", ""), "seen": form.newest_row}
        values |= {"groups": groups, "outdated": seen is not None, "told": form_session_pages.team_notice(form)}
        return form_session_pages.render_page("assessments/review.html", status, **values)
    shown = form_screens.build_screen(form, position, typed)
    template = "fields" if shown.fields else "several" if shown.page.kind == "list" else "question"
    return form_session_pages.render_page(
        f"assessments/{template}.html",
        status,
        screen=shown,
        reviewing=reviewing,
        told=form_session_pages.team_notice(form),
        proxy=form_session_pages.proxy_note(form_session, form),
        **values,
    )


def _valid_position(form: FormState, position: int) -> int:
    return position if 1 <= position <= len(form.path) + 1 else form.next_position()
