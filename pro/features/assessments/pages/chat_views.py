"""The chat page: the interview of the form as bubbles, one question at a time, tapped or typed. A GET changes nothing.

Every reply that was understood answers 303. What was not understood comes back at once with the words that were typed
and what to do; it is no answer, so nothing of it is in the thread later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request, url_for
from markupsafe import Markup

from pro.errors import AlreadySubmitted
from pro.features.assessments import answer_service, chat_flow
from pro.features.assessments.chat_flow import AskedQuestion, ReplyOutcome, TranscriptLine
from pro.features.assessments.pages import access_views, form_session_pages
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.web import request_context, typography

pages = Blueprint("chat", __name__)
pages.before_request(form_session_pages.require_form_body)

# More than any question takes. What is longer is nobody's answer, and reading it costs.
MAX_REPLY_LENGTH = 1000
# As much as that is read for red flags even so.
MAX_SCREENED_LENGTH = 20_000
# Where what was typed is worth keeping in the field, to be mended instead of typed again.
EDITABLE_REASONS = ("too_long", "unreadable", "moved_on")
ADVICE_BUTTONS = ("understood", "wrong")


@dataclass(frozen=True, slots=True)
class ReplyFeedback:
    """What was just said and is no answer: the words, and why (as in ``reply_parser``) or which command it was.

    ``text`` and ``ticks`` go back to where they were put in. ``safety``: the safety sentence is due.
    """

    words: str = ""
    why: str = ""
    command: str = ""
    safety: bool = False
    text: str = ""
    ticks: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Bubble:
    """A question in the thread: its recall period, and its words with the places where a line may break."""

    recall: str
    question: Markup
    hint: str = ""
    unit: str = ""


NO_FEEDBACK = ReplyFeedback()


@pages.get("/chat", endpoint="code_entry")
def show_code_entry() -> Response:
    """Where a code is typed by somebody who wants to chat."""
    return form_session_pages.code_page(as_chat=True)


@pages.post("/chat", endpoint="code_typed")
def submit_code() -> Response:
    """Try a code: on to the chat, or the same page with what was typed and what to do."""
    return access_views.card_pin_page() or form_session_pages.try_code("chat.show", as_chat=True)


@pages.get("/a/<token>/chat", endpoint="link")
def show_start_page(token: str) -> Response:
    """The start page behind a link, for the chat."""
    return form_session_pages.link_page(token, as_chat=True)


@pages.post("/a/<token>/chat", endpoint="link_start")
def start_from_link(token: str) -> Response:
    """Start was pressed: this browser may answer from now on."""
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
    """The thread so far and the question that is open; advice, start page and last page as in the form."""
    form_session = form_session_pages.current_session(ref)
    if not form_session_pages.allows_chat(form_session.assessment):
        return form_session_pages.redirect_to("questionnaire.resume", ref=ref)
    return _render_chat(form_session, form_session_pages.form_of(form_session))


@pages.post("/f/<ref>/chat", endpoint="reply")
def act_on_chat(ref: str) -> Response:
    """Start, a tap, something typed, back, skip, send, or on from the advice."""
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
        # "If you have a scale, else leave it empty": an empty reply leaves it out.
        said, tapped = "skip", True
    if tapped and request.form.get("item") != now.item:
        # The second tap of two, or a page left open: an old button must not answer another question.
        why = "moved_on"
    elif tapped and not why and said not in ("back", "skip") and not _is_offered(now, said):
        why = "no_such_option"
    if why:
        status = {"moved_on": 200, "no_such_option": 400}.get(why, 422)
        # Too long, or beside ticks: no answer, but somebody wrote it.
        safety = (
            bool(typed)
            and not tapped
            and chat_flow.screen_chat_text(request_context.work(), form_session, typed[:MAX_SCREENED_LENGTH])
        )
        return _render_chat(form_session, form, ReplyFeedback(why=why, text=typed, ticks=ticks, safety=safety), status)
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
    if turn.what in ("command", "unclear") or turn.safety:
        status = 422 if turn.what == "unclear" and turn.why != "moved_on" else 200
        return _render_chat(form_session, turn.form, _reply_feedback(turn, typed), status)
    if tapped and typed:
        # A button was tapped while something was typed: that is not sent, and not lost either.
        return _render_chat(form_session, turn.form, ReplyFeedback(text=typed))
    return _redirect_or_render(form_session, turn.form)


def _read_reply(do: str, typed: str, ticks: Sequence[str]) -> tuple[str, bool, str]:
    """What was said, whether by a button of the question, and why it cannot be taken, or empty."""
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
    """Whether the page had a button for ``said``; for a list, one for each of its numbers."""
    typed = {option for option, _label in now.options}
    return set(said.split(",")) <= typed if now.kind == "list" else said in typed


def _reply_feedback(turn: ReplyOutcome, typed: str) -> ReplyFeedback:
    """What the page says to words that were no answer, or that need the safety sentence beside."""
    heard = turn.what == "command" or (turn.what == "unclear" and turn.why not in (*EDITABLE_REASONS, "empty"))
    return ReplyFeedback(
        words=typed if heard else "",
        why=turn.why,
        command=turn.command,
        safety=turn.safety,
        text=typed if turn.why in EDITABLE_REASONS else "",
    )


def _leave_advice(form_session: FormSession, form: FormState, do: str) -> Response:
    """Past the emergency screen: on with the questions, or the answer that brought it up is taken back."""
    # A second tap of a double tap was not meant for the block that followed.
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
    """Where the chat stands now: a redirect, or at once if the script asked."""
    if "X-Fetch" not in request.headers:
        return make_response(redirect(f"{_chat_url(form_session)}#now", code=303))
    return _render_chat(form_session, form or form_session_pages.form_of(form_session))


def _chat_url(form_session: FormSession) -> str:
    return url_for("chat.show", ref=form_session.assessment.ref)


def _render_chat(
    form_session: FormSession, form: FormState, said: ReplyFeedback = NO_FEEDBACK, status: int = 200
) -> Response:
    """What the chat shows now: advice first, then the last page or the start page, else the thread."""
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
    lines = chat_flow.transcript(request_context.work(), form_session.assessment, request_context.language())
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
    }
    return form_session_pages.render_page("assessments/chat.html", status, form_session.participant, url, **values)


def _max_length(form: FormState, name: str) -> int:
    """How many characters fit into the answer to the item ``name``."""
    item = form.instrument.items.get(name)
    return min(MAX_REPLY_LENGTH, item.max_length) if item is not None and item.kind == "text" else MAX_REPLY_LENGTH


def _count_skipped(lines: Sequence[TranscriptLine]) -> int:
    return sum(line.state == "skipped" for line in lines)


def _progress(form: FormState, now: AskedQuestion) -> Any:
    return now.progress or form.progress(len(form.path) + 1)


def _bubble(form: FormState, name: str) -> Bubble:
    item, words = form.instrument.items[name], form.words.items[name]
    recall = form.words.recalls.get(item.recall, "")
    return Bubble(recall, typography.breakable(words.question), words.hint, words.unit)
