"""The participant's pages: links, one question a screen, advice, review, the last page. A GET changes nothing.

Every POST answers 303, so that going back and reloading are harmless. ``form.js`` asks with ``X-Fetch`` and gets the
next screen at once, with its address in ``X-Location``: the same screens, one round trip less.
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
from pro.features.assessments import answer_service
from pro.features.assessments.pages import form_screens, form_session_pages
from pro.features.assessments.pages.form_screens import TypedPage
from pro.features.forms import form_access
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.web import request_context, typography

pages = Blueprint("questionnaire", __name__)

# A page that could not be taken: typed wrongly by a person (422), or never offered by us (400).
NEVER_OFFERED = {"no_such_option", "no_such_page"}
NOTHING = TypedPage()

pages.before_request(form_session_pages.only_forms)


@pages.app_context_processor
def around() -> dict[str, Any]:
    """``fetched``: the script asked, and already has the styles. ``gap``: what stands between two sentences."""
    return {"fetched": "X-Fetch" in request.headers, "gap": typography.sentence_gap(request_context.language())}


@pages.get("/a/<token>")
def link(token: str) -> Response:
    """The start page behind a link. Previews and scanners may fetch it as often as they like."""
    return form_session_pages.link_page(token)


@pages.post("/a/<token>")
def link_start(token: str) -> Response:
    """Start was pressed: this browser may answer from now on."""
    begun = form_session_pages.begin(token)
    if begun is None:
        return form_session_pages.link_page(token)
    sitting, secret = begun
    position = form_session_pages.form_of(sitting).next_position()
    answer = form_session_pages.to("questionnaire.show", ref=sitting.assessment.ref, position=position)
    return form_session_pages.remember(answer, sitting.assessment.ref, secret)


@pages.get("/f/<ref>")
def resume(ref: str) -> Response:
    """Where this form stands: start page, next question, advice, or the last page."""
    sitting = form_session_pages.sit(ref)
    form = form_session_pages.form_of(sitting)
    if form.advice is None and not form.submitted and not form_session_pages.must_start(sitting, form):
        return form_session_pages.to("questionnaire.show", ref=ref, position=form.next_position())
    return form_session_pages.whole(sitting, form)


@pages.post("/f/<ref>")
def code_start(ref: str) -> Response:
    """Start was pressed after a typed code."""
    sitting = form_session_pages.sit(ref)
    form_session_pages.start(sitting)
    return form_session_pages.to("questionnaire.resume", ref=ref)


@pages.post("/f/<ref>/next")
def onward(ref: str) -> Response:
    """From a form that was sent to the next one that waits; without one, back to the last page."""
    sitting = form_session_pages.sit(ref)
    after = (
        form_access.next_form(request_context.work(), sitting) if sitting.assessment.submitted_at is not None else None
    )
    if after is None:
        return form_session_pages.to("questionnaire.resume", ref=ref)
    way, device = sitting.assessment.identified_by or "link", sitting.assessment.device or ""
    secret = form_access.begin(
        request_context.work(),
        after,
        identified_by=way,
        answered_by=None,
        device=device,
        language=request_context.language(),
    )
    return form_session_pages.remember(form_session_pages.to("questionnaire.resume", ref=after.ref), after.ref, secret)


@pages.get("/f/<ref>/<int:position>", endpoint="show")
def show_page(ref: str, position: int) -> Response:
    """One screen: a page of questions, or the review after the last."""
    sitting = form_session_pages.sit(ref)
    form = form_session_pages.form_of(sitting)
    if form.advice is None and (form.submitted or form_session_pages.must_start(sitting, form)):
        return form_session_pages.to("questionnaire.resume", ref=ref)
    if not 1 <= position <= len(form.path) + 1:
        return form_session_pages.to("questionnaire.show", ref=ref, position=form.next_position())
    return _screen(sitting, form, position)


@pages.post("/f/<ref>/<int:position>")
def answer(ref: str, position: int) -> Response:
    """A page was answered, skipped or left; advice was read; the form was sent."""
    sitting = form_session_pages.sit(ref)
    form = form_session_pages.form_of(sitting)
    do = request.form.get("do", "")
    if do in ("understood", "wrong"):
        return _past_advice(sitting, form, position, do)
    if form.submitted and "page" in request.form and do not in ("back", "language"):
        raise AlreadySubmitted("submitted")
    if form.submitted or not sitting.access.answered_by:
        return _go(sitting, None)
    if do == "send" and not form_session_pages.must_start(sitting, form):
        answer_service.submit(request_context.work(), sitting, request_context.language())
        return _go(sitting, None)
    if do == "send":
        return _go(sitting, None)
    if "page" not in request.form:
        return _go(sitting, len(form.path) if do == "back" else form.next_position())
    return _answer_page(sitting, form, position, do)


def _answer_page(sitting: FormSession, form: FormState, position: int, do: str) -> Response:
    page_id = request.form["page"]
    page = next((page for page in form.path if page.id == page_id), None)
    if page is None:
        return _screen(sitting, form, _inside(form, position), TypedPage(problems={"": "no_such_page"}))
    here = form.position_of(page_id)
    given, typed = read_page(form, page, do)
    if do == "language":
        return _screen(sitting, form, here, replace(typed, problems={}), 200)
    if given:
        form = answer_service.save(
            request_context.work(), sitting, page_id, given, request_context.language(), form
        ).form
    if typed.problems:
        return _screen(sitting, form, form.position_of(page_id), typed)
    if form_session_pages.must_start(sitting, form):
        return _go(sitting, None)
    reviewing = request.form.get("from") == "review"
    if do == "back":
        return _go(sitting, len(form.path) + 1 if reviewing else max(1, here - 1), form=form)
    position = form.next_position() if reviewing else form.position_of(page_id) + 1
    return _go(sitting, position, reviewing and position <= len(form.path), form)


def read_page(form: FormState, page: Page, do: str) -> tuple[Mapping[str, Value | None], TypedPage]:
    """What the posted page says: the values to save (empty = nothing to save), and what was typed with its problems."""
    kind = form.instrument.items[page.items[0]].kind
    if page.kind == "fields":
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
    if isinstance(found, reply_parser.Unclear):
        return {}, TypedPage(problems={"": "no_such_option"})
    return {name: found.value}, TypedPage()


def _read_list(form: FormState, name: str, do: str) -> tuple[Mapping[str, Value | None], TypedPage]:
    shown = page_flow.listed(form.instrument, form.instrument.items[name], form.facts)
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
        found = reply_parser.read_field(form.instrument.items[name], texts[name])
        if isinstance(found, reply_parser.Unclear):
            problems[name] = found.why
        elif found.value is not None or do != "back":
            given[name] = found.value
    if problems:  # what is right beside them is kept at once: the person may not come back
        given = {name: value for name, value in given.items() if value is not None}
    return ({} if do == "language" else given), TypedPage(texts=texts, problems=problems)


def _past_advice(sitting: FormSession, form: FormState, position: int, do: str) -> Response:
    """Past the emergency screen: on to where it stood in the way, or back to the answer that brought it up."""
    # A second tap of a double tap was not meant for the block that followed.
    if request.form.get("advice") in (None, form.advice):
        answer_service.advised(request_context.work(), sitting, form, corrected=do == "wrong")
    if form.submitted:
        return _go(sitting, None)
    if do == "wrong" and form.last_position:
        return _go(sitting, form.last_position, reviewing=form.next_position() > len(form.path))
    reviewing = request.form.get("from") == "review" and position <= len(form.path)
    return _go(sitting, _inside(form, position), reviewing)


def _go(sitting: FormSession, position: int | None, reviewing: bool = False, form: FormState | None = None) -> Response:
    """On to the screen at ``position`` (None: wherever the form stands): a redirect, or at once if the script asked."""
    url = _address(sitting, position)
    if reviewing:
        url += "?from=review"
    if "X-Fetch" not in request.headers:
        return make_response(redirect(url, code=303))
    form = form or form_session_pages.form_of(sitting)
    response = (
        form_session_pages.whole(sitting, form)
        if position is None
        else _screen(sitting, form, position, reviewing=reviewing)
    )
    response.headers["X-Location"] = url
    return response


def _address(sitting: FormSession, position: int | None) -> str:
    ref = sitting.assessment.ref
    if position is None:
        return url_for("questionnaire.resume", ref=ref)
    return url_for("questionnaire.show", ref=ref, position=position)


def _screen(
    sitting: FormSession,
    form: FormState,
    position: int,
    typed: TypedPage = NOTHING,
    status: int = 0,
    reviewing: bool | None = None,
) -> Response:
    """The screen at ``position``; advice that waits comes first. ``typed``: it comes back because it was not taken."""
    if form.advice is not None:
        return form_session_pages.advice_page(sitting, form, _address(sitting, position))
    problems = set(typed.problems.values())
    status = status or (200 if not problems else 400 if problems & NEVER_OFFERED else 422)
    if reviewing is None:
        reviewing = request.values.get("from") == "review"
    values: dict[str, Any] = {"participant": sitting.participant, "url": _address(sitting, position)}
    if form.page(position) is None:
        values |= {"ref": sitting.assessment.ref, "problem": typed.problems.get("", "")}
        return form_session_pages.page("assessments/review.html", status, groups=form_screens.review(form), **values)
    shown = form_screens.screen(form, position, typed)
    template = {"list": "several", "fields": "fields"}.get(shown.page.kind, "question")
    return form_session_pages.page(f"assessments/{template}.html", status, screen=shown, reviewing=reviewing, **values)


def _inside(form: FormState, position: int) -> int:
    return position if 1 <= position <= len(form.path) + 1 else form.next_position()
