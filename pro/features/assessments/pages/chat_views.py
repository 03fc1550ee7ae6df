"""The chat page: the questions of a form as a conversation, answered by button or text.

A GET changes nothing. A reply that is understood gets a redirect (303). A reply that is not understood is shown at once
with the text that was typed and what to do; it is not stored as an answer, so the transcript does not contain it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request, url_for
from markupsafe import Markup

from pro.core.text import reply_parser
from pro.errors import AlreadySubmitted
from pro.features.assessments import answer_service, chat_flow
from pro.features.assessments.chat_flow import AskedQuestion, ReplyOutcome, TranscriptLine
from pro.features.assessments.pages import access_views, form_screens, form_session_pages
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.web import request_context, typography

pages = Blueprint("chat", __name__)
pages.before_request(form_session_pages.require_form_body)

# Longest reply that is read as an answer, in characters.
MAX_REPLY_LENGTH = 1000
# Part of a longer reply that is screened for red flags.
MAX_SCREENED_LENGTH = 20_000
# Reasons after which the typed text stays in the field, so that the participant can edit it.
EDITABLE_REASONS = ("too_long", "unreadable", "moved_on")
ADVICE_BUTTONS = ("understood", "wrong")


@dataclass(frozen=True, slots=True)
class ReplyFeedback:
    """What the page shows about a reply that is not an answer.

    ``words``: the reply. ``why``: reason as in ``reply_parser``; ``command``: the command word that it was. ``text``
    and ``ticks`` go back into their fields. ``safety``: True if the safety sentence is shown. ``will_call``: True if
    staff will call, because several replies were not understood. ``death``: True if it reports a death; nothing is
    asked below it.
    """

    words: str = ""
    why: str = ""
    command: str = ""
    safety: bool = False
    text: str = ""
    ticks: Sequence[str] = field(default=())
    will_call: bool = False
    death: bool = False


@dataclass(frozen=True, slots=True)
class Bubble:
    """A question in the transcript: recall period, and text with its permitted line breaks."""

    recall: str
    question: Markup
    hint: str = ""
    unit: str = ""


NO_FEEDBACK = ReplyFeedback()


@pages.get("/chat", endpoint="code_entry")
def show_code_entry() -> Response:
    """Show the page for an access code that leads to the chat."""
    return form_session_pages.code_page(as_chat=True)


@pages.post("/chat", endpoint="code_typed")
def submit_code() -> Response:
    """Try a code: redirect to the chat, or show the code page again with what to do."""
    return access_views.card_pin_page() or form_session_pages.try_code("chat.show", as_chat=True)


@pages.get("/a/<token>/chat", endpoint="link")
def show_start_page(token: str) -> Response:
    """Show the start page behind a link, for the chat."""
    return form_session_pages.link_page(token, as_chat=True)


@pages.post("/a/<token>/chat", endpoint="link_start")
def start_from_link(token: str) -> Response:
    """Start the form from a link: this browser may answer from now on."""
    begun = form_session_pages.start_from_link(token)
    if begun is None:
        return form_session_pages.link_page(token, as_chat=True)
    form_session, secret = begun
    return form_session_pages.set_session_cookie(
        form_session_pages.redirect_to("chat.show", ref=form_session.assessment.ref),
        form_session.assessment.ref,
        secret,
    )


@pages.get("/f/<ref>/chat", endpoint="show")
def show_chat(ref: str) -> Response:
    """Show the transcript and the open question; advice, start and last page as in the form."""
    form_session = form_session_pages.current_session(ref)
    if not form_session_pages.allows_chat(form_session.assessment):
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    return _render_chat(form_session, form_session_pages.form_of(form_session))


@pages.post("/f/<ref>/chat", endpoint="reply")
def act_on_chat(ref: str) -> Response:
    """Take one post of the chat: start, answer, back, skip, send, or leaving the advice."""
    form_session = form_session_pages.current_session(ref)
    if not form_session_pages.allows_chat(form_session.assessment):
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    do = request.form.get("do", "")
    form = form_session_pages.form_of(form_session)
    if "by" in request.form:
        form_session_pages.start_session(form_session)
        return _redirect_or_render(form_session)
    if do in ADVICE_BUTTONS:
        return _leave_advice(form_session, form, do)
    if form.submitted and "item" in request.form and do not in ("back", "language"):
        raise AlreadySubmitted("submitted")
    if form.submitted or form_session_pages.must_start(form_session, form):
        return _redirect_or_render(form_session)
    typed, ticks = request.form.get("text", "").strip(), request.form.getlist("has")
    if do == "language":
        return _render_chat(form_session, form, ReplyFeedback(text=typed, ticks=ticks))
    return _handle_reply(form_session, form, do, typed, ticks)


def _handle_reply(form_session: FormSession, form: FormState, do: str, typed: str, ticks: Sequence[str]) -> Response:
    now = chat_flow.next_question(request_context.work(), form, request_context.language())
    said, tapped, why = _read_reply(do, typed, ticks)
    if said == "" and not why and now.item and form.instrument.items[now.item].optional:
        # A question such as “If you have a scale, else leave it empty”: an empty reply skips it.
        said, tapped = "skip", True
    if tapped and request.form.get("item") != now.item:
        # The second tap of a double tap, or an old page: its button must not answer another question.
        why = "moved_on"
    elif tapped and not why and said not in ("back", "skip") and not _is_offered(now, said):
        why = "no_such_option"
    seen = form_session_pages.seen_answers()
    may_send = not why and now.kind == "review" and reply_parser.parse_command(said) is None
    if may_send and seen != form.newest_row:
        return _show_what_changed(form_session, form, "" if tapped else typed, seen)
    if why:
        status = {"moved_on": 200, "no_such_option": 400}.get(why, 422)
        # A text that is too long, or sent beside ticks, is not an answer; it is screened all the same.
        feedback = ReplyFeedback(why=why, text=typed, ticks=ticks)
        if typed and not tapped:
            feedback = _screened(form_session, typed, feedback)
        return _render_chat(form_session, form, feedback, status)
    turn = chat_flow.take_reply(
        request_context.work(),
        form_session,
        said,
        channel="chat",
        language=request_context.language(),
        item=request.form.get("item", now.item),
    )
    if turn.what == "command" and turn.command == "language":
        return make_response(redirect(f"{_chat_url(form_session)}?lang={request_context.translator().other}", code=303))
    if turn.what in ("command", "unclear") or turn.safety or turn.death:
        status = 422 if turn.what == "unclear" and turn.why != "moved_on" else 200
        return _render_chat(form_session, turn.form, _reply_feedback(turn, typed), status)
    if tapped and typed:
        # A button was tapped while text stood in the field: the text is not sent, and stays in the field.
        return _render_chat(form_session, turn.form, ReplyFeedback(text=typed))
    return _redirect_or_render(form_session, turn.form)


def _show_what_changed(form_session: FormSession, form: FormState, typed: str, seen: int) -> Response:
    """Show what another device answered after this page was opened, before anything is sent.

    What was ``typed`` to a question of the old page is screened and stays in the conversation.
    """
    feedback = ReplyFeedback(why="outdated", words=typed)
    if typed and not chat_flow.is_one_option(request_context.work(), form, typed):
        feedback = _screened(form_session, typed, feedback)
        form = form_session_pages.form_of(form_session)
    return _render_chat(form_session, form, feedback, seen=seen)


def _screened(form_session: FormSession, typed: str, feedback: ReplyFeedback) -> ReplyFeedback:
    """Store and screen a text that is no answer; return ``feedback`` with the reaction to it."""
    found = chat_flow.screen_chat_text(request_context.work(), form_session, typed[:MAX_SCREENED_LENGTH])
    return replace(feedback, safety=found.safety, will_call=found.will_call, death=found.death)


def _read_reply(do: str, typed: str, ticks: Sequence[str]) -> tuple[str, bool, str]:
    """Return the reply, whether a button sent it, and why it is not accepted (else empty)."""
    if "value" in request.form:
        return request.form["value"], True, ""
    if do in ("back", "skip"):
        return do, True, ""
    if do == "none":
        return "0", True, "none_with_ticks" if ticks else ""
    if typed and ticks:
        return "", False, "both"
    if do == "some" or ticks:
        return ",".join(ticks), True, "" if ticks else "some_without_ticks"
    return typed, False, "too_long" if len(typed) > MAX_REPLY_LENGTH else ""


def _is_offered(now: AskedQuestion, said: str) -> bool:
    """Return whether the page had a button for ``said``; for a list, one for each number."""
    typed = {option for option, _label in now.options}
    return set(said.split(",")) <= typed if now.kind == "list" else said in typed


def _reply_feedback(turn: ReplyOutcome, typed: str) -> ReplyFeedback:
    """Return what the page says about a reply that is no answer or needs the safety sentence."""
    heard = turn.what == "command" or (turn.what == "unclear" and turn.why not in (*EDITABLE_REASONS, "empty"))
    return ReplyFeedback(
        words=typed if heard else "",
        why=turn.why,
        command=turn.command,
        safety=turn.safety,
        text=typed if turn.why in EDITABLE_REASONS else "",
        will_call=turn.will_call,
        death=turn.death,
    )


def _leave_advice(form_session: FormSession, form: FormState, do: str) -> Response:
    """Leave the emergency advice: continue, or withdraw the answer that raised it."""
    # The second tap of a double tap must not close the next advice.
    if form.advice is None or request.form.get("advice") not in (None, form.advice):
        return _redirect_or_render(form_session, form)
    if do == "wrong" and not form.submitted:
        turn = chat_flow.take_reply(
            request_context.work(), form_session, "back", channel="chat", language=request_context.language()
        )
        return _redirect_or_render(form_session, turn.form)
    answer_service.acknowledge_advice(request_context.work(), form_session, form)
    return _redirect_or_render(form_session)


def _redirect_or_render(form_session: FormSession, form: FormState | None = None) -> Response:
    """Redirect to the chat, or render it at once if the script asked."""
    if "X-Fetch" not in request.headers:
        return make_response(redirect(f"{_chat_url(form_session)}#now", code=303))
    return _render_chat(form_session, form or form_session_pages.form_of(form_session))


def _chat_url(form_session: FormSession) -> str:
    return url_for("chat.show", ref=form_session.assessment.ref)


def _render_chat(
    form_session: FormSession,
    form: FormState,
    said: ReplyFeedback = NO_FEEDBACK,
    status: int = 200,
    seen: int | None = None,
) -> Response:
    """Render the chat: advice first, then last page or start page, else the transcript.

    ``seen``: the newest answer that an outdated page showed; newer ones are listed.
    """
    url, ref = _chat_url(form_session), form_session.assessment.ref
    if form.advice is not None:
        return form_session_pages.advice_page(form_session, form, url, as_chat=True)
    if form.submitted:
        return form_session_pages.last_page(form_session, url)
    if form_session_pages.must_start(form_session, form):
        other = url_for("questionnaire.resume", ref=ref)
        return form_session_pages.start_page(
            form_session.assessment, form_session.participant, url, other, as_chat=True
        )
    now = chat_flow.next_question(request_context.work(), form, request_context.language())
    lines = chat_flow.transcript(request_context.work(), form, request_context.language())
    values: dict[str, Any] = {
        "thread": [(_bubble(form, line.item), line) for line in lines],
        "now": now,
        "open": _bubble(form, now.item) if now.item else None,
        "limits": form.instrument.items.get(now.item),
        "most": _max_length(form, now.item),
        "step": _progress(form, now),
        "said": said,
        "began": form_session.assessment.opened_at,
        "minutes": form.words.minutes,
        "ref": ref,
        "skipped": _count_skipped(lines),
        "review_at": len(form.path) + 1,
        "seen": form.newest_row,
        "told": form_session_pages.team_notice(form),
        "proxy": form_session_pages.proxy_note(form_session, form),
        "changed": [
            row
            for group in form_screens.review_groups(form, form.newest_row if seen is None else seen)
            for row in group.rows
            if row.changed
        ],
    }
    return form_session_pages.render_page("assessments/chat.html", status, form_session.participant, url, **values)


def _max_length(form: FormState, name: str) -> int:
    """Return how many characters the answer to the item ``name`` may have."""
    item = form.instrument.items.get(name)
    return min(MAX_REPLY_LENGTH, item.max_length) if item is not None and item.kind == "text" else MAX_REPLY_LENGTH


def _count_skipped(lines: Sequence[TranscriptLine]) -> int:
    return sum(line.state == "skipped" for line in lines)


def _progress(form: FormState, now: AskedQuestion) -> Any:
    return now.progress or form.progress(len(form.path) + 1)


def _bubble(form: FormState, name: str) -> Bubble:
    item, words = form.instrument.items[name], form.words.items[name]
    recall = form.words.recall_periods.get(item.recall_period, "")
    return Bubble(recall, typography.breakable(words.question), words.hint, words.unit)
