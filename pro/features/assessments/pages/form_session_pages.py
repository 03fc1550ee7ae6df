"""Who sits at which form in this browser, and the pages that the form and the chat share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import UnsupportedMediaType

from pro.app_context import Actor
from pro.core.questionnaire import page_flow
from pro.features.assessments import answer_service
from pro.features.assessments.pages.form_screens import IssuedFormInfo
from pro.features.forms import form_access, form_state, licensed_wording
from pro.features.forms.form_access import CodeTry, FormSession
from pro.features.forms.form_state import FormState
from pro.web import devices, request_context, study_header
from pro.web.study_header import ParticipantInfo

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
    values: dict[str, Any] = {"size": form_access.CODE_LENGTH, "result": result or CodeTry(), "typed": typed}
    return page("assessments/code.html", status, url=url, as_chat=as_chat, **values)


def try_code(onward: str, *, as_chat: bool = False) -> Response:
    """Try the posted code: on to the form at the endpoint ``onward``, or the same page with what to do."""
    typed = request.form.get("code", "")[:64]
    if request.form.get("do") == "language":
        return code_page(typed=typed, as_chat=as_chat)
    device = devices.device_class(request.user_agent.string)
    result = form_access.enter_code(
        request_context.work(), typed, request.remote_addr or "", device, request_context.language()
    )
    if result.assessment is None or result.secret is None:
        return code_page(result, typed, 429 if result.why == "locked" else 422, as_chat=as_chat)
    return remember(to(onward, ref=result.assessment.ref), result.assessment.ref, result.secret)


def begin(token: str) -> tuple[FormSession, str] | None:
    """Start was pressed behind a link: this browser's sitting and its secret. None for a form that was sent."""
    assessment, participant = form_access.open_link(request_context.work(), token)
    if assessment.submitted_at is not None:
        return None
    welcome(participant)
    secret = form_access.begin(
        request_context.work(),
        assessment,
        identified_by="link",
        answered_by=answered_by(),
        device=devices.device_class(request.user_agent.string),
        language=request_context.language(),
    )
    sitting = form_access.sitting(request_context.work(), assessment.ref, secret)
    answer_service.renew(request_context.work(), sitting)
    return sitting, secret


def start(sitting: FormSession) -> None:
    """Start was pressed in a browser that sits already: after a code, or after a long time."""
    if sitting.assessment.submitted_at is None:
        form_access.start(request_context.work(), sitting, answered_by(), request_context.language())
        answer_service.renew(request_context.work(), sitting)


def link_page(token: str, *, as_chat: bool = False) -> Response:
    """The start page behind a link, for the form or for the chat."""
    assessment, participant = form_access.open_link(request_context.work(), token)
    other = url_for("questionnaire.link" if as_chat else "chat.link", token=token)
    return start_page(assessment, participant, request.path, other, as_chat=as_chat)


def chats(assessment: IssuedFormInfo) -> bool:
    """Whether the form may be answered in the chat: a licensed one is shown only as it was licensed."""
    return "chat" in request_context.work().catalogue.instruments[assessment.instrument].channels


def whole(sitting: FormSession, form: FormState) -> Response:
    """The form's own page: advice that waits, the last page, or the start page."""
    ref = sitting.assessment.ref
    url = url_for("questionnaire.resume", ref=ref)
    if form.advice is not None:
        return advice_page(sitting, form, url_for("questionnaire.show", ref=ref, position=form.next_position()))
    if form.submitted:
        return last_page(sitting, url)
    return start_page(sitting.assessment, sitting.participant, url, url_for("chat.show", ref=ref))


def last_page(sitting: FormSession, url: str) -> Response:
    """The page after sending, at ``url``."""
    outcome = answer_service.outcome(request_context.work(), sitting)
    after = form_access.next_form(request_context.work(), sitting)
    words = form_state.words_of(request_context.work(), after, request_context.language()) if after else None
    values: dict[str, Any] = {"outcome": outcome, "ref": sitting.assessment.ref, "after": words}
    return page("assessments/thanks.html", participant=sitting.participant, url=url, **values)


def advice_page(sitting: FormSession, form: FormState, url: str, *, as_chat: bool = False) -> Response:
    """What to do in an emergency; its buttons post to ``url``."""
    study = study_header.study_header(request_context.house(), sitting.participant.plan, request_context.language())
    return page(
        "assessments/advice.html",
        participant=sitting.participant,
        url=url,
        as_chat=as_chat,
        advice=study.words.advice[form.advice or ""],
        advice_key=form.advice,
        reviewing=request.values.get("from") == "review",
        may_correct=not form.submitted and form.last_position is not None,
    )


def start_page(
    assessment: IssuedFormInfo, participant: ParticipantInfo, url: str, other: str = "", *, as_chat: bool = False
) -> Response:
    """The page before the first question; for a form that was sent, the page that says so.

    ``other``: the address of the other way to answer, chat or list, for a form that has both.
    """
    welcome(participant)
    pinned = assessment.wordings.get(request_context.language(), "")
    return page(
        "assessments/received.html" if assessment.submitted_at is not None else "assessments/start.html",
        participant=participant,
        url=url,
        other=other if chats(assessment) else "",
        as_chat=as_chat,
        words=licensed_wording.by_checksum(
            request_context.work(), assessment.instrument, request_context.language(), pinned
        ),
        about=_about(assessment),
        begun=assessment.first_answer_at is not None,
        stale=_is_old(assessment),
        received_at=assessment.submitted_at,
    )


def _is_old(assessment: IssuedFormInfo) -> bool:
    """So long since the first answer that some will be asked again."""
    hours = request_context.work().catalogue.instruments[assessment.instrument].stale_hours.values()
    began = assessment.first_answer_at
    return began is not None and bool(hours) and request_context.work().now - began > timedelta(hours=min(hours))


def _about(assessment: IssuedFormInfo) -> int:
    """How many questions are likely, before anything is known: rounded to fives, because it is a guess."""
    instrument = request_context.work().catalogue.instruments[assessment.instrument]
    first = page_flow.path(instrument, {}, {}, assessment.page_set)[0]
    likely = 1 + page_flow.progress(instrument, {}, {}, first.id, assessment.page_set).about_left
    return max(5, 5 * round(likely / 5))


def page(
    template: str, status: int = 200, participant: ParticipantInfo | None = None, url: str = "", **values: Any
) -> Response:
    """A page at ``url`` (where its form posts and its language switch leads back to; this address unless given)."""
    study = study_header.study_header(
        request_context.house(), participant.plan if participant else None, request_context.language()
    )
    url = url or request.path
    text = render_template(template, study=study, participant=participant, url=url, **values)
    return make_response(text, status)


def must_start(sitting: FormSession, form: FormState) -> bool:
    """Start comes first: on this device it was not pressed, or so long ago that some questions must be asked again."""
    return not sitting.access.answered_by or bool(form.stale(request_context.work().now))


def form_of(sitting: FormSession) -> FormState:
    """The form behind ``sitting`` in this page's language."""
    return form_state.read_form(request_context.work(), sitting, request_context.language())


def sit(ref: str) -> FormSession:
    """The sitting behind this browser's cookie; the page speaks that person's language from here on."""
    sitting = form_access.sitting(
        request_context.work(), ref, request.cookies.get(f"f_{ref}", ""), only_look=request.method != "POST"
    )
    welcome(sitting.participant, sitting.assessment.language)
    return sitting


def welcome(participant: ParticipantInfo, chosen: str | None = None) -> None:
    """From here on ``participant`` acts, in their language and time zone; ``chosen``: this form's language."""
    request_context.become(Actor("participant", participant.id, "participant"))
    request_context.prefer(chosen or participant.language)
    request_context.zone(participant.time_zone)


def remember(response: Response, ref: str, secret: str) -> Response:
    """Give the browser its cookie for this one form."""
    secure = request_context.house().config.secure_cookies
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
    return by if by in form_access.VOICES else "self"
