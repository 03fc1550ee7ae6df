"""Who sits at which form in this browser, and the pages that the form and the chat share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import UnsupportedMediaType

from pro.core import interview
from pro.services import access, answering, forms, wording
from pro.services.access import CodeTry, Sitting
from pro.services.forms import Form
from pro.web import screens, site
from pro.web.screens import Issued, Person
from pro.work import Actor

FORM = "application/x-www-form-urlencoded"
SESSION_SECONDS = 3 * 24 * 3600


def only_forms() -> None:
    """415 for a body that is not a form's."""
    if request.method == "POST" and request.mimetype != FORM:
        raise UnsupportedMediaType


def code_page(
    result: CodeTry | None = None, typed: str = "", status: int = 200, *, url: str = "", as_chat: bool = False
) -> Response:
    """Where a code is typed; with what came of the last try. It posts to ``url`` (this address unless given)."""
    values: dict[str, Any] = {"size": access.CODE_LENGTH, "result": result or CodeTry(), "typed": typed}
    return page("questionnaire/code.html", status, url=url, as_chat=as_chat, **values)


def try_code(onward: str, *, as_chat: bool = False) -> Response:
    """Try the posted code: on to the form at the endpoint ``onward``, or the same page with what to do."""
    typed = request.form.get("code", "")[:64]
    if request.form.get("do") == "language":
        return code_page(typed=typed, as_chat=as_chat)
    device = screens.device_class(request.user_agent.string)
    result = access.enter_code(site.work(), typed, request.remote_addr or "", device, site.language())
    if result.assessment is None or result.secret is None:
        return code_page(result, typed, 429 if result.why == "locked" else 422, as_chat=as_chat)
    return remember(to(onward, ref=result.assessment.ref), result.assessment.ref, result.secret)


def begin(token: str) -> tuple[Sitting, str] | None:
    """Start was pressed behind a link: this browser's sitting and its secret. None for a form that was sent."""
    assessment, participant = access.open_link(site.work(), token)
    if assessment.submitted_at is not None:
        return None
    welcome(participant)
    secret = access.begin(
        site.work(),
        assessment,
        identified_by="link",
        answered_by=answered_by(),
        device=screens.device_class(request.user_agent.string),
        language=site.language(),
    )
    sitting = access.sitting(site.work(), assessment.ref, secret)
    answering.renew(site.work(), sitting)
    return sitting, secret


def start(sitting: Sitting) -> None:
    """Start was pressed in a browser that sits already: after a code, or after a long time."""
    if sitting.assessment.submitted_at is None:
        access.start(site.work(), sitting, answered_by(), site.language())
        answering.renew(site.work(), sitting)


def link_page(token: str, *, as_chat: bool = False) -> Response:
    """The start page behind a link, for the form or for the chat."""
    assessment, participant = access.open_link(site.work(), token)
    other = url_for("questionnaire.link" if as_chat else "chat.link", token=token)
    return start_page(assessment, participant, request.path, other, as_chat=as_chat)


def chats(assessment: Issued) -> bool:
    """Whether the form may be answered in the chat: a licensed one is shown only as it was licensed."""
    return "chat" in site.work().catalogue.instruments[assessment.instrument].channels


def whole(sitting: Sitting, form: Form) -> Response:
    """The form's own page: advice that waits, the last page, or the start page."""
    ref = sitting.assessment.ref
    url = url_for("questionnaire.resume", ref=ref)
    if form.advice is not None:
        return advice_page(sitting, form, url_for("questionnaire.show", ref=ref, position=form.next_position()))
    if form.submitted:
        return last_page(sitting, url)
    return start_page(sitting.assessment, sitting.participant, url, url_for("chat.show", ref=ref))


def last_page(sitting: Sitting, url: str) -> Response:
    """The page after sending, at ``url``."""
    outcome = answering.outcome(site.work(), sitting)
    after = access.next_form(site.work(), sitting)
    words = forms.words_of(site.work(), after, site.language()) if after else None
    values: dict[str, Any] = {"outcome": outcome, "ref": sitting.assessment.ref, "after": words}
    return page("questionnaire/thanks.html", participant=sitting.participant, url=url, **values)


def advice_page(sitting: Sitting, form: Form, url: str, *, as_chat: bool = False) -> Response:
    """What to do in an emergency; its buttons post to ``url``."""
    study = screens.study_of(site.house(), sitting.participant.plan, site.language())
    return page(
        "questionnaire/advice.html",
        participant=sitting.participant,
        url=url,
        as_chat=as_chat,
        advice=study.words.advice[form.advice or ""],
        advice_key=form.advice,
        reviewing=request.values.get("from") == "review",
        may_correct=not form.submitted and form.last_position is not None,
    )


def start_page(
    assessment: Issued, participant: Person, url: str, other: str = "", *, as_chat: bool = False
) -> Response:
    """The page before the first question; for a form that was sent, the page that says so.

    ``other``: the address of the other way to answer, chat or list, for a form that has both.
    """
    welcome(participant)
    pinned = assessment.wordings.get(site.language(), "")
    return page(
        "questionnaire/received.html" if assessment.submitted_at is not None else "questionnaire/start.html",
        participant=participant,
        url=url,
        other=other if chats(assessment) else "",
        as_chat=as_chat,
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


def page(template: str, status: int = 200, participant: Person | None = None, url: str = "", **values: Any) -> Response:
    """A page at ``url`` (where its form posts and its language switch leads back to; this address unless given)."""
    study = screens.study_of(site.house(), participant.plan if participant else None, site.language())
    url = url or request.path
    text = render_template(template, study=study, participant=participant, url=url, **values)
    return make_response(text, status)


def must_start(sitting: Sitting, form: Form) -> bool:
    """Start comes first: on this device it was not pressed, or so long ago that some questions must be asked again."""
    return not sitting.access.answered_by or bool(form.stale(site.work().now))


def form_of(sitting: Sitting) -> Form:
    """The form behind ``sitting`` in this page's language."""
    return forms.read(site.work(), sitting, site.language())


def sit(ref: str) -> Sitting:
    """The sitting behind this browser's cookie; the page speaks that person's language from here on."""
    sitting = access.sitting(site.work(), ref, request.cookies.get(f"f_{ref}", ""), only_look=request.method != "POST")
    welcome(sitting.participant, sitting.assessment.language)
    return sitting


def welcome(participant: Person, chosen: str | None = None) -> None:
    """From here on ``participant`` acts, in their language and time zone; ``chosen``: this form's language."""
    site.become(Actor("participant", participant.id, "participant"))
    site.prefer(chosen or participant.language)
    site.zone(participant.time_zone)


def remember(response: Response, ref: str, secret: str) -> Response:
    """Give the browser its cookie for this one form."""
    secure = site.house().config.secure_cookies
    path = url_for("questionnaire.resume", ref=ref)
    response.set_cookie(
        f"f_{ref}", secret, max_age=SESSION_SECONDS, path=path, httponly=True, samesite="Lax", secure=secure
    )
    return response


def to(endpoint: str, **values: Any) -> Response:
    """On to another page, by GET."""
    return make_response(redirect(url_for(endpoint, **values), code=303))


def answered_by() -> str:
    """Who was said to answer, on the start page."""
    by = request.form.get("by", "")
    return by if by in access.VOICES else "self"
