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
from pro.features.forms.form_access import CodeAttempt, FormSession
from pro.features.forms.form_state import FormState
from pro.web import devices, request_context, study_header
from pro.web.study_header import ParticipantInfo

FORM = "application/x-www-form-urlencoded"
SESSION_SECONDS = 3 * 24 * 3600


def require_form_body() -> None:
    """415 for a body that is not a form's."""
    if request.method == "POST" and request.mimetype != FORM:
        raise UnsupportedMediaType


def code_page(
    result: CodeAttempt | None = None, typed: str = "", status: int = 200, *, url: str = "", as_chat: bool = False
) -> Response:
    """Where a code is typed; with what came of the last try. It posts to ``url`` (this address unless given)."""
    values: dict[str, Any] = {"size": form_access.CODE_LENGTH, "result": result or CodeAttempt(), "typed": typed}
    return render_page("assessments/code.html", status, url=url, as_chat=as_chat, **values)


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
    return set_session_cookie(redirect_to(onward, ref=result.assessment.ref), result.assessment.ref, result.secret)


def start_from_link(token: str) -> tuple[FormSession, str] | None:
    """Start was pressed behind a link: this browser's sitting and its secret. None for a form that was sent."""
    assessment, participant = form_access.open_link(request_context.work(), token)
    if assessment.submitted_at is not None:
        return None
    act_as_participant(participant)
    secret = form_access.begin_session(
        request_context.work(),
        assessment,
        identified_by="link",
        answered_by=answered_by(),
        device=devices.device_class(request.user_agent.string),
        language=request_context.language(),
    )
    form_session = form_access.session_of(request_context.work(), assessment.ref, secret)
    answer_service.renew_form(request_context.work(), form_session)
    return form_session, secret


def start_session(form_session: FormSession) -> None:
    """Start was pressed in a browser that sits already: after a code, or after a long time."""
    if form_session.assessment.submitted_at is None:
        form_access.start_form(request_context.work(), form_session, answered_by(), request_context.language())
        answer_service.renew_form(request_context.work(), form_session)


def link_page(token: str, *, as_chat: bool = False) -> Response:
    """The start page behind a link, for the form or for the chat."""
    assessment, participant = form_access.open_link(request_context.work(), token)
    other = url_for("questionnaire.link" if as_chat else "chat.link", token=token)
    return start_page(assessment, participant, request.path, other, as_chat=as_chat)


def allows_chat(assessment: IssuedFormInfo) -> bool:
    """Whether the form may be answered in the chat: a licensed one is shown only as it was licensed."""
    return "chat" in request_context.work().catalogue.instruments[assessment.instrument].channels


def form_page(form_session: FormSession, form: FormState) -> Response:
    """The form's own page: advice that waits, the last page, or the start page."""
    ref = form_session.assessment.ref
    url = url_for("questionnaire.resume", ref=ref)
    if form.advice is not None:
        return advice_page(form_session, form, url_for("questionnaire.show", ref=ref, position=form.next_position()))
    if form.submitted:
        return last_page(form_session, url)
    return start_page(form_session.assessment, form_session.participant, url, url_for("chat.show", ref=ref))


def last_page(form_session: FormSession, url: str) -> Response:
    """The page after sending, at ``url``."""
    outcome = answer_service.submission_outcome(request_context.work(), form_session)
    after = form_access.next_form(request_context.work(), form_session)
    words = form_state.form_words(request_context.work(), after, request_context.language()) if after else None
    values: dict[str, Any] = {"outcome": outcome, "ref": form_session.assessment.ref, "after": words}
    return render_page("assessments/thanks.html", participant=form_session.participant, url=url, **values)


def advice_page(form_session: FormSession, form: FormState, url: str, *, as_chat: bool = False) -> Response:
    """What to do in an emergency; its buttons post to ``url``."""
    study = study_header.read_study_header(
        request_context.app_context(), form_session.participant.plan, request_context.language()
    )
    return render_page(
        "assessments/advice.html",
        participant=form_session.participant,
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
    act_as_participant(participant)
    pinned = assessment.wordings.get(request_context.language(), "")
    return render_page(
        "assessments/received.html" if assessment.submitted_at is not None else "assessments/start.html",
        participant=participant,
        url=url,
        other=other if allows_chat(assessment) else "",
        as_chat=as_chat,
        words=licensed_wording.find_words(
            request_context.work(), assessment.instrument, request_context.language(), pinned
        ),
        about=_question_estimate(assessment),
        begun=assessment.first_answer_at is not None,
        stale=_is_stale(assessment),
        received_at=assessment.submitted_at,
    )


def _is_stale(assessment: IssuedFormInfo) -> bool:
    """So long since the first answer that some will be asked again."""
    hours = request_context.work().catalogue.instruments[assessment.instrument].stale_hours.values()
    began = assessment.first_answer_at
    return began is not None and bool(hours) and request_context.work().now - began > timedelta(hours=min(hours))


def _question_estimate(assessment: IssuedFormInfo) -> int:
    """How many questions are likely, before anything is known: rounded to fives, because it is a guess."""
    instrument = request_context.work().catalogue.instruments[assessment.instrument]
    first = page_flow.page_path(instrument, {}, {}, assessment.page_set)[0]
    likely = 1 + page_flow.progress(instrument, {}, {}, first.id, assessment.page_set).about_left
    return max(5, 5 * round(likely / 5))


def render_page(
    template: str, status: int = 200, participant: ParticipantInfo | None = None, url: str = "", **values: Any
) -> Response:
    """A page at ``url`` (where its form posts and its language switch leads back to; this address unless given)."""
    study = study_header.read_study_header(
        request_context.app_context(), participant.plan if participant else None, request_context.language()
    )
    url = url or request.path
    text = render_template(template, study=study, participant=participant, url=url, **values)
    return make_response(text, status)


def must_start(form_session: FormSession, form: FormState) -> bool:
    """Start comes first: on this device it was not pressed, or so long ago that some questions must be asked again."""
    return not form_session.access.answered_by or bool(form.stale(request_context.work().now))


def form_of(form_session: FormSession) -> FormState:
    """The form behind ``sitting`` in this page's language."""
    return form_state.read_form(request_context.work(), form_session, request_context.language())


def current_session(ref: str) -> FormSession:
    """The sitting behind this browser's cookie; the page speaks that person's language from here on."""
    form_session = form_access.session_of(
        request_context.work(), ref, request.cookies.get(f"f_{ref}", ""), read_only=request.method != "POST"
    )
    act_as_participant(form_session.participant, form_session.assessment.language)
    return form_session


def act_as_participant(participant: ParticipantInfo, chosen: str | None = None) -> None:
    """From here on ``participant`` acts, in their language and time zone; ``chosen``: this form's language."""
    request_context.set_actor(Actor("participant", participant.id, "participant"))
    request_context.set_language(chosen or participant.language)
    request_context.set_zone(participant.time_zone)


def set_session_cookie(response: Response, ref: str, secret: str) -> Response:
    """Give the browser its cookie for this one form."""
    secure = request_context.app_context().config.secure_cookies
    path = url_for("questionnaire.resume", ref=ref)
    response.set_cookie(
        f"f_{ref}", secret, max_age=SESSION_SECONDS, path=path, httponly=True, samesite="Lax", secure=secure
    )
    return response


def redirect_to(endpoint: str, **values: Any) -> Response:
    """On to another page, by GET."""
    return make_response(redirect(url_for(endpoint, **values), code=303))


def answered_by() -> str:
    """Who was said to answer, on the start page."""
    by = request.form.get("by", "")
    return by if by in form_access.ANSWERED_BY_VALUES else "self"
