"""The participant's pages: links, one question a screen, advice, review, the last page. A GET changes nothing.

Every POST answers 303, so that going back and reloading are harmless. ``form.js`` asks with ``X-Fetch`` and gets the
next screen at once, with its address in ``X-Location``: the same screens, one round trip less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import UnsupportedMediaType

from pro.core import interview, reply
from pro.core.instrument import Page, Value
from pro.errors import AlreadySubmitted
from pro.services import access, answering, forms, wording
from pro.services.access import Sitting
from pro.services.forms import Form
from pro.web import screens, site
from pro.web.screens import Issued, Person, Typed
from pro.work import Actor

pages = Blueprint("questionnaire", __name__)

FORM = "application/x-www-form-urlencoded"
SESSION_SECONDS = 3 * 24 * 3600
# A page that could not be taken: typed wrongly by a person (422), or never offered by us (400).
NEVER_OFFERED = {"no_such_option", "no_such_page"}
NOTHING = Typed()


def only_forms() -> None:
    """415 for a body that is not a form's."""
    if request.method == "POST" and request.mimetype != FORM:
        raise UnsupportedMediaType


pages.before_request(only_forms)


@pages.app_context_processor
def around() -> dict[str, Any]:
    """``fetched``: the script asked, and already has the styles. ``gap``: what stands between two sentences."""
    return {"fetched": "X-Fetch" in request.headers, "gap": screens.gap(site.language())}


@pages.get("/a/<token>")
def link(token: str) -> Response:
    """The start page behind a link. Previews and scanners may fetch it as often as they like."""
    assessment, participant = access.open_link(site.work(), token)
    return _start_page(assessment, participant, request.path)


@pages.post("/a/<token>")
def link_start(token: str) -> Response:
    """Start was pressed: this browser may answer from now on."""
    assessment, participant = access.open_link(site.work(), token)
    if assessment.submitted_at is not None:
        return _start_page(assessment, participant, request.path)
    welcome(participant)
    secret = access.begin(
        site.work(),
        assessment,
        identified_by="link",
        answered_by=_answered_by(),
        device=screens.device_class(request.user_agent.string),
        language=site.language(),
    )
    sitting = access.sitting(site.work(), assessment.ref, secret)
    answering.renew(site.work(), sitting)
    position = _form(sitting).next_position()
    answer = _to("questionnaire.show", ref=assessment.ref, position=position)
    return remember(answer, assessment.ref, secret)


@pages.get("/f/<ref>")
def resume(ref: str) -> Response:
    """Where this form stands: start page, next question, advice, or the last page."""
    sitting = _sit(ref)
    form = _form(sitting)
    if form.advice is None and not form.submitted and not _must_start(sitting, form):
        return _to("questionnaire.show", ref=ref, position=form.next_position())
    return _whole(sitting, form)


@pages.post("/f/<ref>")
def code_start(ref: str) -> Response:
    """Start was pressed after a typed code."""
    sitting = _sit(ref)
    if sitting.assessment.submitted_at is None:
        access.start(site.work(), sitting, _answered_by(), site.language())
        answering.renew(site.work(), sitting)
    return _to("questionnaire.resume", ref=ref)


@pages.post("/f/<ref>/next")
def onward(ref: str) -> Response:
    """From a form that was sent to the next one that waits; without one, back to the last page."""
    sitting = _sit(ref)
    after = access.next_form(site.work(), sitting) if sitting.assessment.submitted_at is not None else None
    if after is None:
        return _to("questionnaire.resume", ref=ref)
    way, device = sitting.assessment.identified_by or "link", sitting.assessment.device or ""
    secret = access.begin(
        site.work(), after, identified_by=way, answered_by=None, device=device, language=site.language()
    )
    return remember(_to("questionnaire.resume", ref=after.ref), after.ref, secret)


@pages.get("/f/<ref>/<int:position>")
def show(ref: str, position: int) -> Response:
    """One screen: a page of questions, or the review after the last."""
    sitting = _sit(ref)
    form = _form(sitting)
    if form.advice is None and (form.submitted or _must_start(sitting, form)):
        return _to("questionnaire.resume", ref=ref)
    if not 1 <= position <= len(form.path) + 1:
        return _to("questionnaire.show", ref=ref, position=form.next_position())
    return _screen(sitting, form, position)


@pages.post("/f/<ref>/<int:position>")
def answer(ref: str, position: int) -> Response:
    """A page was answered, skipped or left; advice was read; the form was sent."""
    sitting = _sit(ref)
    form = _form(sitting)
    do = request.form.get("do", "")
    if do in ("understood", "wrong"):
        return _past_advice(sitting, form, position, do)
    if form.submitted and "page" in request.form and do not in ("back", "language"):
        raise AlreadySubmitted("submitted")
    if form.submitted or not sitting.access.answered_by:
        return _go(sitting, None)
    if do == "send" and not _must_start(sitting, form):
        answering.submit(site.work(), sitting, site.language())
        return _go(sitting, None)
    if do == "send":
        return _go(sitting, None)
    if "page" not in request.form:
        return _go(sitting, len(form.path) if do == "back" else form.next_position())
    return _answer_page(sitting, form, position, do)


def _answer_page(sitting: Sitting, form: Form, position: int, do: str) -> Response:
    page_id = request.form["page"]
    page = next((page for page in form.path if page.id == page_id), None)
    if page is None:
        return _screen(sitting, form, _inside(form, position), Typed(problems={"": "no_such_page"}))
    here = form.position_of(page_id)
    given, typed = read_page(form, page, do)
    if do == "language":
        return _screen(sitting, form, here, replace(typed, problems={}), 200)
    if given:
        form = answering.save(site.work(), sitting, page_id, given, site.language(), form).form
    if typed.problems:
        return _screen(sitting, form, form.position_of(page_id), typed)
    if _must_start(sitting, form):
        return _go(sitting, None)
    reviewing = request.form.get("from") == "review"
    if do == "back":
        return _go(sitting, len(form.path) + 1 if reviewing else max(1, here - 1), form=form)
    position = form.next_position() if reviewing else form.position_of(page_id) + 1
    return _go(sitting, position, reviewing and position <= len(form.path), form)


def read_page(form: Form, page: Page, do: str) -> tuple[Mapping[str, Value | None], Typed]:
    """What the posted page says: the values to save (empty = nothing to save), and what was typed with its problems."""
    kind = form.instrument.items[page.items[0]].kind
    if page.kind == "fields":
        return _read_fields(form, page, do)
    name = page.items[0]
    if do == "skip":
        return {name: None}, Typed()
    if kind == "list":
        return _read_list(form, name, do)
    if do in ("back", "language"):
        return {}, Typed()
    if do == "next" and name in form.answers:
        return {}, Typed()
    found = reply.read(form.instrument.items[name], request.form.get("value", ""))
    if isinstance(found, reply.Unclear):
        return {}, Typed(problems={"": "no_such_option"})
    return {name: found.value}, Typed()


def _read_list(form: Form, name: str, do: str) -> tuple[Mapping[str, Value | None], Typed]:
    shown = interview.listed(form.instrument, form.instrument.items[name], form.facts)
    sent = request.form.getlist("has")
    ticks = tuple(entry for entry in shown if entry in sent)
    if set(sent) - set(shown) or do not in ("some", "none", "back", "language"):
        return {}, Typed(ticks=ticks, problems={"": "no_such_option"})
    if do in ("back", "language"):
        return {}, Typed(ticks=ticks)
    if (do == "none") == bool(ticks):
        return {}, Typed(ticks=ticks, problems={"": "none_with_ticks" if ticks else "some_without_ticks"})
    return {name: ticks}, Typed(ticks=ticks)


def _read_fields(form: Form, page: Page, do: str) -> tuple[Mapping[str, Value | None], Typed]:
    given: dict[str, Value | None] = {}
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in page.items:
        texts[name] = request.form.get(name, "")
        found = reply.read(form.instrument.items[name], texts[name])
        if isinstance(found, reply.Unclear):
            problems[name] = found.why
        elif found.value is not None or do != "back":
            given[name] = found.value
    if problems:  # what is right beside them is kept at once: the person may not come back
        given = {name: value for name, value in given.items() if value is not None}
    return ({} if do == "language" else given), Typed(texts=texts, problems=problems)


def _past_advice(sitting: Sitting, form: Form, position: int, do: str) -> Response:
    """Past the emergency screen: on to where it stood in the way, or back to the answer that brought it up."""
    # A second tap of a double tap was not meant for the block that followed.
    if request.form.get("advice") in (None, form.advice):
        answering.advised(site.work(), sitting, form, corrected=do == "wrong")
    if form.submitted:
        return _go(sitting, None)
    if do == "wrong" and form.last_position:
        return _go(sitting, form.last_position, reviewing=form.next_position() > len(form.path))
    reviewing = request.form.get("from") == "review" and position <= len(form.path)
    return _go(sitting, _inside(form, position), reviewing)


def _go(sitting: Sitting, position: int | None, reviewing: bool = False, form: Form | None = None) -> Response:
    """On to the screen at ``position`` (None: wherever the form stands): a redirect, or at once if the script asked."""
    url = _address(sitting, position)
    if reviewing:
        url += "?from=review"
    if "X-Fetch" not in request.headers:
        return make_response(redirect(url, code=303))
    form = form or _form(sitting)
    response = _whole(sitting, form) if position is None else _screen(sitting, form, position, reviewing=reviewing)
    response.headers["X-Location"] = url
    return response


def _address(sitting: Sitting, position: int | None) -> str:
    ref = sitting.assessment.ref
    if position is None:
        return url_for("questionnaire.resume", ref=ref)
    return url_for("questionnaire.show", ref=ref, position=position)


def _whole(sitting: Sitting, form: Form) -> Response:
    """The form's own page: advice that waits, the last page, or the start page."""
    if form.advice is not None:
        return _advice_page(sitting, form, form.next_position())
    url = _address(sitting, None)
    if form.submitted:
        outcome = answering.outcome(site.work(), sitting)
        after = access.next_form(site.work(), sitting)
        words = forms.words_of(site.work(), after, site.language()) if after else None
        values: dict[str, Any] = {"outcome": outcome, "ref": sitting.assessment.ref, "after": words}
        return study_page("questionnaire/thanks.html", participant=sitting.participant, url=url, **values)
    return _start_page(sitting.assessment, sitting.participant, url)


def _screen(
    sitting: Sitting, form: Form, position: int, typed: Typed = NOTHING, status: int = 0, reviewing: bool | None = None
) -> Response:
    """The screen at ``position``; advice that waits comes first. ``typed``: it comes back because it was not taken."""
    if form.advice is not None:
        return _advice_page(sitting, form, position)
    problems = set(typed.problems.values())
    status = status or (200 if not problems else 400 if problems & NEVER_OFFERED else 422)
    if reviewing is None:
        reviewing = request.values.get("from") == "review"
    values: dict[str, Any] = {"participant": sitting.participant, "url": _address(sitting, position)}
    if form.page(position) is None:
        values |= {"ref": sitting.assessment.ref, "problem": typed.problems.get("", "")}
        return study_page("questionnaire/review.html", status, groups=screens.review(form), **values)
    shown = screens.screen(form, position, typed)
    template = {"list": "several", "fields": "fields"}.get(shown.page.kind, "question")
    return study_page(f"questionnaire/{template}.html", status, screen=shown, reviewing=reviewing, **values)


def _advice_page(sitting: Sitting, form: Form, position: int) -> Response:
    study = screens.study_of(site.house(), sitting.participant.plan, site.language())
    return study_page(
        "questionnaire/advice.html",
        participant=sitting.participant,
        url=_address(sitting, position),
        advice=study.words.advice[form.advice or ""],
        advice_key=form.advice,
        reviewing=request.values.get("from") == "review",
        may_correct=not form.submitted and form.last_position is not None,
    )


def _start_page(assessment: Issued, participant: Person, url: str) -> Response:
    """The page before the first question; for a form that was sent, the page that says so."""
    welcome(participant)
    pinned = assessment.wordings.get(site.language(), "")
    return study_page(
        "questionnaire/received.html" if assessment.submitted_at is not None else "questionnaire/start.html",
        participant=participant,
        url=url,
        words=wording.by_checksum(site.work(), assessment.instrument, site.language(), pinned),
        about=_about(assessment),
        begun=assessment.first_answer_at is not None,
        stale=_is_old(assessment),
        received_at=assessment.submitted_at,
    )


def _is_old(assessment: Issued) -> bool:
    """So long since the first answer that some will be asked again."""
    hours = site.work().catalogue.instruments[assessment.instrument].stale_hours.values()
    began = assessment.first_answer_at
    return began is not None and bool(hours) and site.work().now - began > timedelta(hours=min(hours))


def _about(assessment: Issued) -> int:
    """How many questions are likely, before anything is known: rounded to fives, because it is a guess."""
    instrument = site.work().catalogue.instruments[assessment.instrument]
    first = interview.path(instrument, {}, {}, assessment.page_set)[0]
    likely = 1 + interview.progress(instrument, {}, {}, first.id, assessment.page_set).about_left
    return max(5, 5 * round(likely / 5))


def study_page(
    template: str, status: int = 200, participant: Person | None = None, url: str = "", **values: Any
) -> Response:
    """A page at ``url`` (where its form posts and its language switch leads back to; this address unless given)."""
    study = screens.study_of(site.house(), participant.plan if participant else None, site.language())
    url = url or request.path
    text = render_template(template, study=study, participant=participant, url=url, **values)
    return make_response(text, status)


def _must_start(sitting: Sitting, form: Form) -> bool:
    """Start comes first: on this device it was not pressed, or so long ago that some questions must be asked again."""
    return not sitting.access.answered_by or bool(form.stale(site.work().now))


def _form(sitting: Sitting) -> Form:
    return forms.read(site.work(), sitting, site.language())


def _sit(ref: str) -> Sitting:
    """The sitting behind this browser's cookie; the page speaks that person's language from here on."""
    sitting = access.sitting(site.work(), ref, request.cookies.get(f"f_{ref}", ""), only_look=request.method != "POST")
    welcome(sitting.participant, sitting.assessment.language)
    return sitting


def welcome(participant: Person, chosen: str | None = None) -> None:
    """From here on in this request the participant acts, in ``chosen`` or their own language and their time zone."""
    site.become(Actor("participant", participant.id, "participant"))
    site.prefer(chosen or participant.language)
    site.zone(participant.time_zone)


def remember(response: Response, ref: str, secret: str) -> Response:
    """Give the browser the session of the form ``ref``: a cookie that is valid below its address alone."""
    secure = site.house().config.secure_cookies
    path = url_for("questionnaire.resume", ref=ref)
    response.set_cookie(
        f"f_{ref}", secret, max_age=SESSION_SECONDS, path=path, httponly=True, samesite="Lax", secure=secure
    )
    return response


def _to(endpoint: str, **values: Any) -> Response:
    return make_response(redirect(url_for(endpoint, **values), code=303))


def _answered_by() -> str:
    by = request.form.get("by", "")
    return by if by in access.VOICES else "self"


def _inside(form: Form, position: int) -> int:
    return position if 1 <= position <= len(form.path) + 1 else form.next_position()
