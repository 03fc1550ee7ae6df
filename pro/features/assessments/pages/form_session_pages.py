"""Form session of this browser, and the pages that form and chat share."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import UnsupportedMediaType

from pro.app_context import Actor
from pro.core.questionnaire import page_flow
from pro.core.rule_language.level import Level
from pro.features.accounts import attempt_limits
from pro.features.alerts import alert_service
from pro.features.assessments import answer_service, own_answers
from pro.features.assessments import team_notice as team_notices
from pro.features.assessments.pages.form_screens import IssuedFormInfo
from pro.features.forms import form_access, form_state, licensed_wording
from pro.features.forms.form_access import CodeAttempt, FormSession
from pro.features.forms.form_state import FormState
from pro.models import Assessment
from pro.web import devices, request_context, study_header
from pro.web.study_header import ParticipantInfo

FORM = "application/x-www-form-urlencoded"
SESSION_SECONDS = 3 * 24 * 3600
# Tells browsers behind one address apart when wrong codes are counted; names no participant.
BROWSER_COOKIE = "b"
BROWSER_SECONDS = 24 * 3600
SIZE_COOKIE, SIZE_SECONDS = "size", 365 * 24 * 3600
TEXT_SIZES = ("1", "2", "3")


def require_form_body() -> None:
    """Answer 415 to a post whose body is not a form's."""
    if request.method == "POST" and request.mimetype != FORM:
        raise UnsupportedMediaType


def code_page(
    result: CodeAttempt | None = None, typed: str = "", status: int = 200, *, url: str = "", as_chat: bool = False
) -> Response:
    """Return the page for an access code, with the result of the last try.

    It posts to ``url`` (default: this address).
    """
    values: dict[str, Any] = {"size": form_access.CODE_LENGTH, "result": result or CodeAttempt(), "typed": typed}
    return render_page("assessments/code.html", status, url=url, as_chat=as_chat, **values)


def try_code(onward: str, *, as_chat: bool = False) -> Response:
    """Try the posted code: redirect to the endpoint ``onward``, or show the code page again."""
    typed = request.form.get("code", "")[:64]
    if request.form.get("do") == "language":
        return code_page(typed=typed, as_chat=as_chat)
    device = devices.device_class(request.user_agent.string)
    result = form_access.enter_code(request_context.work(), typed, visitor_key(), device, request_context.language())
    if result.assessment is None or result.secret is None:
        return note_wrong_attempt(code_page(result, typed, 422, as_chat=as_chat), result.delay)
    return set_session_cookie(redirect_to(onward, ref=result.assessment.ref), result.assessment.ref, result.secret)


def visitor_key() -> str:
    """Return for whom wrong codes are counted: this browser, or its network before it has a cookie of ours.

    The phones of a ward share one network, so that it alone would slow all of them down for one guesser.
    """
    known = request.cookies.get(BROWSER_COOKIE, "")
    try:
        kind, name = request_context.work().vault.open(known).split(" ")
    except ValueError:
        kind, name = "", ""
    return f"browser:{name}" if kind == "browser" else f"network:{attempt_limits.network_of(request.remote_addr or '')}"


def note_wrong_attempt(response: Response, delay: float) -> Response:
    """Give the browser its cookie for counting, and hold the answer back by ``delay`` seconds."""
    request_context.hold_back(delay)
    if visitor_key().startswith("network:"):
        response.set_cookie(
            BROWSER_COOKIE,
            request_context.work().vault.seal(f"browser {secrets.token_hex(8)}"),
            max_age=BROWSER_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request_context.app_context().config.secure_cookies,
        )
    return response


def start_from_link(token: str) -> tuple[FormSession, str] | None:
    """Start a form from its link, or the next one if it is submitted. Return form session and secret.

    None if there is nothing to start, and for a start page that showed another form than the one that waits.
    """
    assessment, participant = form_access.open_link(request_context.work(), token)
    if assessment.submitted_at is not None:
        after = form_access.next_form(request_context.work(), participant, assessment)
        if after is None or request.form.get("form") != after.ref:
            return None
        assessment = after
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
    """Start a form in a browser that has a session: after a code, or after a long pause."""
    if form_session.assessment.submitted_at is None:
        form_access.start_form(request_context.work(), form_session, answered_by(), request_context.language())
        answer_service.renew_form(request_context.work(), form_session)


def link_page(token: str, *, as_chat: bool = False) -> Response:
    """Return the start page behind a link, for the form or for the chat.

    The link of a submitted form leads to the next form that waits. After an emergency the page about it comes first.
    """
    assessment, participant = form_access.open_link(request_context.work(), token)
    other = url_for("questionnaire.link" if as_chat else "chat.link", token=token)
    after = None
    if assessment.submitted_at is not None:
        after = form_access.next_form(request_context.work(), participant, assessment)
    level = max((alert.level for alert in alert_service.alerts_of(request_context.work(), assessment)), default=0)
    if after is None or (level >= Level.EMERGENCY and "next" not in request.args):
        return start_page(assessment, participant, request.path, other, token=token, as_chat=as_chat, after=after)
    chat = as_chat and allows_chat(after)
    received = assessment.submitted_at
    return start_page(after, participant, request.path, other, token=token, as_chat=chat, received_before=received)


def allows_chat(assessment: IssuedFormInfo) -> bool:
    """Return whether the chat may show the form: licensed wording is shown as licensed only."""
    return "chat" in request_context.work().catalogue.shown_instrument(assessment.instrument).channels


def form_page(form_session: FormSession, form: FormState) -> Response:
    """Return the form's own page: emergency advice, last page, or start page."""
    ref = form_session.assessment.ref
    url = url_for("questionnaire.resume", ref=ref)
    if form.advice is not None:
        return advice_page(form_session, form, url_for("questionnaire.show", ref=ref, position=form.next_position()))
    if form.submitted:
        return last_page(form_session, url)
    return start_page(form_session.assessment, form_session.participant, url, url_for("chat.show", ref=ref))


def last_page(form_session: FormSession, url: str) -> Response:
    """Return the page after submission, at ``url``."""
    outcome = answer_service.submission_outcome(request_context.work(), form_session)
    after = form_access.next_form(request_context.work(), form_session.participant, form_session.assessment)
    study = study_header.read_study_header(
        request_context.app_context(), form_session.participant.plan, request_context.language()
    )
    words = form_state.form_words(request_context.work(), after, request_context.language()) if after else None
    values: dict[str, Any] = {"outcome": outcome, "ref": form_session.assessment.ref, "after": words}
    values["steps_again"] = [study.words.advice[block] for block in outcome.advice if study.words.advice[block].steps]
    values["trend"] = own_answers.read_trend(request_context.work(), form_session, outcome, request_context.language())
    return render_page("assessments/thanks.html", participant=form_session.participant, url=url, **values)


def advice_page(form_session: FormSession, form: FormState, url: str, *, as_chat: bool = False) -> Response:
    """Return the emergency advice; its buttons post to ``url``."""
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
    assessment: Assessment,
    participant: ParticipantInfo,
    url: str,
    other: str = "",
    *,
    token: str = "",
    as_chat: bool = False,
    after: Assessment | None = None,
    received_before: datetime | None = None,
) -> Response:
    """Return the page before the first question; for a submitted form, the one that says so.

    ``other``: the address of the other way to answer (chat or form), for a form that has both. ``token``: the link that
    was opened, "" for a session of this browser. ``after``: the form that
    waits after a submitted one. ``received_before``: when the form was submitted whose link led here.
    """
    act_as_participant(participant)
    alerts = alert_service.alerts_of(request_context.work(), assessment)
    return render_page(
        "assessments/received.html" if assessment.submitted_at is not None else "assessments/start.html",
        participant=participant,
        url=url,
        other=other if allows_chat(assessment) else "",
        token=token,
        ref=assessment.ref,
        as_chat=as_chat,
        words=licensed_wording.pinned_words(
            request_context.work(), assessment.instrument, assessment.wordings, request_context.language()
        ),
        about=_question_estimate(assessment),
        begun=assessment.first_answer_at is not None,
        stale=_is_stale(assessment),
        received_at=assessment.submitted_at,
        received_before=received_before,
        after=after,
        form_ref=assessment.ref if received_before is not None else "",
        told=team_notices.read_team_notice(request_context.work(), alerts),
        emergency_level=any(alert.level >= Level.EMERGENCY for alert in alerts),
    )


def _is_stale(assessment: IssuedFormInfo) -> bool:
    """Return whether the first answer is so old that some questions are asked again."""
    hours = request_context.work().catalogue.shown_instrument(assessment.instrument).stale_hours.values()
    began = assessment.first_answer_at
    return began is not None and bool(hours) and request_context.work().now - began > timedelta(hours=min(hours))


def _question_estimate(assessment: IssuedFormInfo) -> int:
    """Return how many questions are likely before the first answer, rounded to fives."""
    instrument = form_state.require_instrument(request_context.work(), assessment.instrument)
    first = page_flow.page_path(instrument, {}, {}, assessment.page_set)[0]
    likely = 1 + page_flow.progress(instrument, {}, {}, first.id, assessment.page_set).about_left
    return max(5, 5 * round(likely / 5))


def render_page(
    template: str, status: int = 200, participant: ParticipantInfo | None = None, url: str = "", **values: Any
) -> Response:
    """Render a page at ``url``.

    ``url``: where its form posts and its language switch leads back to (default: this address).
    """
    study = study_header.read_study_header(
        request_context.app_context(), participant.plan if participant else None, request_context.language()
    )
    url = url or request.path
    text = render_template(template, study=study, participant=participant, url=url, **values)
    return make_response(text, status)


def team_notice(form: FormState) -> team_notices.TeamNotice:
    """Return whether the study team was notified of urgent answers of ``form``."""
    return team_notices.read_team_notice(request_context.work(), form.alerts)


def proxy_note(form_session: FormSession, form: FormState) -> str:
    """Return what a proxy is reminded of.

    "" for no proxy, "worded" if the questions say whom they are about, else "you".
    """
    if form_session.access.answered_by != "proxy":
        return ""
    return "worded" if form.words.has_proxy_wording else "you"


def seen_answers() -> int:
    """Return the newest answer that the posted review showed; -1 for a page that did not say it."""
    seen = request.form.get("seen", "")
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 16 else -1


def must_start(form_session: FormSession, form: FormState) -> bool:
    """Return whether Start comes first.

    True if Start was not pressed on this device, or so long ago that some questions must be asked again.
    """
    return not form_session.access.answered_by or bool(form.stale(request_context.work().now))


def form_of(form_session: FormSession) -> FormState:
    """Return the form of ``form_session`` in this page's language."""
    return form_state.read_form(request_context.work(), form_session, request_context.language())


def current_session(ref: str) -> FormSession:
    """Return the form session of this browser's cookie; set actor, language and time zone."""
    form_session = form_access.session_of(
        request_context.work(), ref, request.cookies.get(f"f_{ref}", ""), read_only=request.method != "POST"
    )
    act_as_participant(form_session.participant, form_session.assessment.language)
    return form_session


def act_as_participant(participant: ParticipantInfo, chosen: str | None = None) -> None:
    """Set ``participant`` as actor of the request, with language and time zone.

    ``chosen``: the language of this form, if another than the participant's.
    """
    request_context.set_actor(Actor("participant", participant.id, "participant"))
    request_context.set_language(chosen or participant.language)
    request_context.set_zone(participant.time_zone)


def text_size() -> str:
    """Return the text size that was chosen in this browser: "2" (large), "3" (larger), or "" for the usual one."""
    chosen = request.cookies.get(SIZE_COOKIE, "")
    return chosen if chosen in TEXT_SIZES[1:] else ""


def set_text_size(response: Response, chosen: str) -> Response:
    """Give the browser the cookie for the text size; it says nothing about a person and holds for every form."""
    if chosen in TEXT_SIZES:
        response.set_cookie(
            SIZE_COOKIE,
            chosen,
            max_age=SIZE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request_context.app_context().config.secure_cookies,
        )
    return response


def set_session_cookie(response: Response, ref: str, secret: str) -> Response:
    """Give the browser its cookie for this one form."""
    secure = request_context.app_context().config.secure_cookies
    path = url_for("questionnaire.resume", ref=ref)
    response.set_cookie(
        f"f_{ref}", secret, max_age=SESSION_SECONDS, path=path, httponly=True, samesite="Lax", secure=secure
    )
    return response


def redirect_to(endpoint: str, **values: Any) -> Response:
    """Redirect to another page, by GET."""
    return make_response(redirect(url_for(endpoint, **values), code=303))


def answered_by() -> str:
    """Return who answers, as chosen on the start page: self, helped or proxy."""
    by = request.form.get("by", "")
    return by if by in form_access.ANSWERED_BY_VALUES else "self"
