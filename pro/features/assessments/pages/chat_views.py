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
from pro.features.assessments import answer_service, chat_conversation
from pro.features.assessments.chat_conversation import AskedQuestion, ReplyOutcome, TranscriptLine
from pro.features.assessments.pages import access_views, form_session_pages
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.web import request_context, typography

pages = Blueprint("chat", __name__)
pages.before_request(form_session_pages.only_forms)

# More than any question takes. What is longer is nobody's answer, and reading it costs.
LONGEST = 1000
# As much as that is read for red flags even so.
LONGEST_READ = 20_000
# Where what was typed is worth keeping in the field, to be mended instead of typed again.
MENDED = ("too_long", "unreadable", "moved_on")
ADVICE = ("understood", "wrong")


@dataclass(frozen=True, slots=True)
class Reaction:
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


NOTHING = Reaction()


@pages.get("/chat")
def code_entry() -> Response:
    """Where a code is typed by somebody who wants to chat."""
    return form_session_pages.code_page(as_chat=True)


@pages.post("/chat")
def code_typed() -> Response:
    """Try a code: on to the chat, or the same page with what was typed and what to do."""
    return access_views.pin_wanted() or form_session_pages.try_code("chat.show", as_chat=True)


@pages.get("/a/<token>/chat")
def link(token: str) -> Response:
    """The start page behind a link, for the chat."""
    return form_session_pages.link_page(token, as_chat=True)


@pages.post("/a/<token>/chat")
def link_start(token: str) -> Response:
    """Start was pressed: this browser may answer from now on."""
    begun = form_session_pages.begin(token)
    if begun is None:
        return form_session_pages.link_page(token, as_chat=True)
    sitting, secret = begun
    return form_session_pages.remember(
        form_session_pages.to("chat.show", ref=sitting.assessment.ref), sitting.assessment.ref, secret
    )


@pages.get("/f/<ref>/chat", endpoint="show")
def show_chat(ref: str) -> Response:
    """The thread so far and the question that is open; advice, start page and last page as in the form."""
    sitting = form_session_pages.sit(ref)
    if not form_session_pages.chats(sitting.assessment):
        return form_session_pages.to("questionnaire.resume", ref=ref)
    return _screen(sitting, form_session_pages.form_of(sitting))


@pages.post("/f/<ref>/chat")
def reply(ref: str) -> Response:
    """Start, a tap, something typed, back, skip, send, or on from the advice."""
    sitting = form_session_pages.sit(ref)
    if not form_session_pages.chats(sitting.assessment):
        return form_session_pages.to("questionnaire.resume", ref=ref)
    do = request.form.get("do", "")
    form = form_session_pages.form_of(sitting)
    if "by" in request.form:
        form_session_pages.start(sitting)
        return _go(sitting)
    if do in ADVICE:
        return _past_advice(sitting, form, do)
    if form.submitted and "item" in request.form and do not in ("back", "language"):
        raise AlreadySubmitted("submitted")
    if form.submitted or form_session_pages.must_start(sitting, form):
        return _go(sitting)
    typed, ticks = request.form.get("text", "").strip(), request.form.getlist("has")
    if do == "language":
        return _screen(sitting, form, Reaction(text=typed, ticks=ticks))
    return _hear(sitting, form, do, typed, ticks)


def _hear(sitting: FormSession, form: FormState, do: str, typed: str, ticks: Sequence[str]) -> Response:
    now = chat_conversation.asked(request_context.work(), form, request_context.language())
    said, tapped, why = _meant(do, typed, ticks)
    if said == "" and not why and now.item and form.instrument.items[now.item].optional:
        # "If you have a scale, else leave it empty": an empty reply leaves it out.
        said, tapped = "skip", True
    if tapped and request.form.get("item") != now.item:
        # The second tap of two, or a page left open: an old button must not answer another question.
        why = "moved_on"
    elif tapped and not why and said not in ("back", "skip") and not _offered(now, said):
        why = "no_such_option"
    if why:
        status = {"moved_on": 200, "no_such_option": 400}.get(why, 422)
        # Too long, or beside ticks: no answer, but somebody wrote it.
        safety = (
            bool(typed)
            and not tapped
            and chat_conversation.overhear(request_context.work(), sitting, typed[:LONGEST_READ])
        )
        return _screen(sitting, form, Reaction(why=why, text=typed, ticks=ticks, safety=safety), status)
    turn = chat_conversation.turn(
        request_context.work(),
        sitting,
        said,
        channel="chat",
        language=request_context.language(),
        item=request.form.get("item", now.item),
    )
    if turn.what == "command" and turn.command == "language":
        return make_response(redirect(f"{_address(sitting)}?lang={request_context.translator().other}", code=303))
    if turn.what in ("command", "unclear") or turn.safety:
        status = 422 if turn.what == "unclear" and turn.why != "moved_on" else 200
        return _screen(sitting, turn.form, _answered(turn, typed), status)
    if tapped and typed:
        # A button was tapped while something was typed: that is not sent, and not lost either.
        return _screen(sitting, turn.form, Reaction(text=typed))
    return _go(sitting, turn.form)


def _meant(do: str, typed: str, ticks: Sequence[str]) -> tuple[str, bool, str]:
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
    return typed, False, "too_long" if len(typed) > LONGEST else ""


def _offered(now: AskedQuestion, said: str) -> bool:
    """Whether the page had a button for ``said``; for a list, one for each of its numbers."""
    typed = {option for option, _label in now.options}
    return set(said.split(",")) <= typed if now.kind == "list" else said in typed


def _answered(turn: ReplyOutcome, typed: str) -> Reaction:
    """What the page says to words that were no answer, or that need the safety sentence beside."""
    heard = turn.what == "command" or (turn.what == "unclear" and turn.why not in (*MENDED, "empty"))
    return Reaction(
        words=typed if heard else "",
        why=turn.why,
        command=turn.command,
        safety=turn.safety,
        text=typed if turn.why in MENDED else "",
    )


def _past_advice(sitting: FormSession, form: FormState, do: str) -> Response:
    """Past the emergency screen: on with the questions, or the answer that brought it up is taken back."""
    # A second tap of a double tap was not meant for the block that followed.
    if form.advice is None or request.form.get("advice") not in (None, form.advice):
        return _go(sitting, form)
    if do == "wrong" and not form.submitted:
        turn = chat_conversation.turn(
            request_context.work(), sitting, "back", channel="chat", language=request_context.language()
        )
        return _go(sitting, turn.form)
    answer_service.advised(request_context.work(), sitting, form)
    return _go(sitting)


def _go(sitting: FormSession, form: FormState | None = None) -> Response:
    """Where the chat stands now: a redirect, or at once if the script asked."""
    if "X-Fetch" not in request.headers:
        return make_response(redirect(f"{_address(sitting)}#now", code=303))
    return _screen(sitting, form or form_session_pages.form_of(sitting))


def _address(sitting: FormSession) -> str:
    return url_for("chat.show", ref=sitting.assessment.ref)


def _screen(sitting: FormSession, form: FormState, said: Reaction = NOTHING, status: int = 200) -> Response:
    """What the chat shows now: advice first, then the last page or the start page, else the thread."""
    url, ref = _address(sitting), sitting.assessment.ref
    if form.advice is not None:
        return form_session_pages.advice_page(sitting, form, url, as_chat=True)
    if form.submitted:
        return form_session_pages.last_page(sitting, url)
    if form_session_pages.must_start(sitting, form):
        other = url_for("questionnaire.resume", ref=ref)
        return form_session_pages.start_page(sitting.assessment, sitting.participant, url, other, as_chat=True)
    now = chat_conversation.asked(request_context.work(), form, request_context.language())
    lines = chat_conversation.lines(request_context.work(), sitting.assessment, request_context.language())
    values: dict[str, Any] = {
        "thread": [(_bubble(form, line.item), line) for line in lines],
        "now": now,
        "open": _bubble(form, now.item) if now.item else None,
        "limits": form.instrument.items.get(now.item),
        "most": _most(form, now.item),
        "step": _step(form, now),
        "said": said,
        "began": sitting.assessment.opened_at,
        "minutes": form.words.minutes,
        "ref": ref,
        "skipped": _skipped(lines),
        "review_at": len(form.path) + 1,
    }
    return form_session_pages.page("assessments/chat.html", status, sitting.participant, url, **values)


def _most(form: FormState, name: str) -> int:
    """How many characters fit into the answer to the item ``name``."""
    item = form.instrument.items.get(name)
    return min(LONGEST, item.max_length) if item is not None and item.kind == "text" else LONGEST


def _skipped(lines: Sequence[TranscriptLine]) -> int:
    return sum(line.state == "skipped" for line in lines)


def _step(form: FormState, now: AskedQuestion) -> Any:
    return now.progress or form.progress(len(form.path) + 1)


def _bubble(form: FormState, name: str) -> Bubble:
    item, words = form.instrument.items[name], form.words.items[name]
    recall = form.words.recalls.get(item.recall, "")
    return Bubble(recall, typography.breakable(words.question), words.hint, words.unit)
