"""Fill in a form as a conversation: one question at a time, one reply at a time.

The conversation has no state of its own: the next question follows from instrument and answers, so a participant may
begin by text message, continue in the chat and finish on the web page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from pro.app_context import UnitOfWork
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Item, ItemWords, Page, Value, Words
from pro.core.questionnaire.page_flow import Progress
from pro.core.rule_language.level import Level
from pro.core.text import reply_parser, stop_requests
from pro.core.text.red_flag_screening import Screening
from pro.core.text.reply_parser import ParsedAnswer, ParsedReply, ReplyParser, UnclearReply
from pro.features.alerts import text_screening
from pro.features.assessments import answer_service, chat_wording, unclear_replies
from pro.features.forms import form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.messaging import message_rendering
from pro.models import Assessment, IncomingMessage

QuestionKind = Literal["choice", "list", "number", "text", "review", "done", "advice"]
ReplyResult = Literal["answered", "skipped", "back", "command", "unclear", "sent", "advice"]
Channel = Literal["sms", "chat"]
NO_PAGE = Page("", ())
# What may be typed for the one button of review and advice.
CONTINUE_CODE = 1
CONTINUE_WORDS = {
    "review": ("send", "send it", "submit", "yes", "y", "ok", "okay", "发送", "提交", "发", "是", "是的", "好", "好的"),
    "advice": ("ok", "okay", "go on", "carry on", "continue", "yes", "继续", "知道了", "明白", "好", "好的", "是"),
}


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """The question or notice that is shown now.

    ``text``: the question without its options. ``options``: (what to type, label). ``whole``: question and options as
    one text message. ``item`` is "" and ``page`` empty for review, done and advice.
    """

    item: str
    page: Page
    text: str
    options: tuple[tuple[str, str], ...]
    kind: QuestionKind
    progress: Progress | None
    whole: str


@dataclass(frozen=True, slots=True)
class ReplyOutcome:
    """The result of one reply.

    ``command``: of a command; ``why``: of an unclear reply; both as in ``reply_parser``. ``level``: the highest level
    of current alerts and of this reply. ``safety``: the fixed safety sentence must be sent. ``will_call``: several
    replies in the chat were not understood, and staff will call. ``death``: it reports a death, and staff will call.
    """

    what: ReplyResult
    command: str
    why: str
    form: FormState
    level: Level
    safety: bool = False
    will_call: bool = False
    death: bool = False


@dataclass(frozen=True, slots=True)
class TextReaction:
    """The reaction to a chat text that is not taken as a reply; the names as in ``ReplyOutcome``."""

    safety: bool = False
    will_call: bool = False
    death: bool = False


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One question that was asked, with the answer in words; ``said`` is "" for a skip."""

    item: str
    asked: str
    said: str
    state: str
    channel: str
    at: datetime


# Parsers by item and checksum of the wording, which never changes, so each is built once.
_item_parsers: dict[tuple[str, ...], ReplyParser] = {}


def next_question(work: UnitOfWork, form: FormState, language: str) -> AskedQuestion:
    """Return what comes next: open advice, the next unanswered item, the review, or thanks."""
    gettext = work.app_context.catalogs.translator(language).gettext
    if form.advice is not None:
        text = chat_wording.advice_text(work, form.participant, form.advice, language)
        return _plain_question("advice", text, gettext("Continue"), gettext("Reply 1 to continue with the questions."))
    if form.submitted:
        return _plain_question("done", chat_wording.thanks_text(work, form, language))
    item = next_item(form)
    if item is None:
        send = gettext("Send my answers")
        return _plain_question(
            "review", gettext("That was the last question."), send, gettext("Reply 1 to send your answers.")
        )
    words = _words_in(work, form, language)
    page = next(page for page in form.path if item.id in page.items)
    step = form.progress(form.position_of(page.id))
    text = chat_wording.question_text(item, words, gettext)
    options = reply_options(form, item, words, gettext("None of these"))
    return AskedQuestion(
        item.id, page, text, options, item.kind, step, chat_wording.message_text(text, options, item, step, gettext)
    )


def is_same_question(asked: AskedQuestion, sent: str) -> bool:
    """Return True if the text message ``sent`` asked the same question.

    Hints after the options are ignored.
    """
    return (
        sent.startswith(chat_wording.question_with_options(asked.text, asked.options))
        if asked.item
        else sent == asked.whole
    )


def next_item(form: FormState) -> Item | None:
    """Return the item that is asked now; None if the review comes next.

    It is the first unanswered item of the first page that is not complete.
    """
    page = form.page(form.next_position())
    if page is None:
        return None
    return form.instrument.items[next((name for name in page.items if name not in form.answers), page.items[0])]


def reply_options(form: FormState, item: Item, words: Words, none: str) -> tuple[tuple[str, str], ...]:
    """Return (what to type, label) of each option.

    A list has its entries by number, and 0 for none of them, with the label ``none``.
    """
    if item.kind == "list":
        shown = page_flow.items_on_list(form.instrument, item, form.facts)
        numbered = [(str(item.lists.index(name) + 1), words.items[name].short) for name in shown]
        return (*numbered, ("0", none))
    labels = words.items[item.id].options
    return tuple((str(code), labels.get(code, "")) for code in item.codes)


def take_reply(
    work: UnitOfWork,
    form_session: FormSession,
    text: str,
    *,
    channel: Channel,
    language: str,
    inbound: IncomingMessage | None = None,
    item: str | None = None,
) -> ReplyOutcome:
    """Store one typed or tapped reply as an answer, or run it as a command.

    A reply that is not exactly one option is first screened for red flags. ``inbound``: the row of an incoming text,
    which gets the result; without it, a text that staff should read gets its own row. ``item``: the item that the
    participant saw ("" for none). A reply or a skip for an item that is not asked any longer is unclear ("moved_on").
    """
    form = form_state.read_form(work, form_session, language)
    now = next_item(form)
    parsed = _parse_reply(work, form, now, text)
    if channel == "chat" and isinstance(parsed, UnclearReply) and stop_requests.find_stop_request(text):
        # What may be a wish to stop is answered with how to stop, not with a question about the wording.
        parsed = reply_parser.ReplyCommand("stop")
    if form.advice is not None or form.submitted:
        now = None
    asked_item = now.id if now is not None else ""
    is_command = isinstance(parsed, reply_parser.ReplyCommand) and parsed.command != "skip"
    moved_on = item is not None and item != asked_item and not is_command
    if moved_on and not (isinstance(parsed, ParsedAnswer) and parsed.whole):
        parsed = UnclearReply("not_understood")
    found, row = _screen_reply(work, form_session, text, parsed, channel, inbound, now)
    here = _ReplyContext(work, form_session, form, channel, language)
    result = replace(here.turn("unclear", form), why="moved_on") if moved_on else _apply_reply(here, now, parsed)
    if row is not None:
        row.assessment_id, row.item = form_session.assessment.id, asked_item
        row.kind = {"unclear": "unclear", "command": "command", "back": "command"}.get(result.what, "answer")
        row.reason = result.why
        if found is not None and found.is_death and row.kind == "unclear":
            # It was understood: it must not count as one of several unclear replies.
            row.kind, row.reason = "text", ""
    result = replace(result, will_call=_call_if_unclear(work, form_session, row, channel))
    return _react_to_red_flag(here, result, found) if found is not None else result


def _react_to_red_flag(context: _ReplyContext, result: ReplyOutcome, found: Screening) -> ReplyOutcome:
    """Return the outcome after a text that was screened: advice as in the form, else the safety sentence.

    A red flag or a report of a death is never answered with a request to choose an option.
    """
    result = replace(result, level=max(result.level, found.level))
    if found.is_death:
        result = replace(result, death=True)
        result = replace(result, what="command", command="", why="") if result.what == "unclear" else result
    form = context.read_form() if found.level is Level.EMERGENCY else result.form
    if form.advice is not None:
        return replace(result, what="advice" if result.what == "unclear" else result.what, why="", form=form)
    if not text_screening.needs_advice(found):
        return result
    return replace(result, safety=True, why="" if result.what == "unclear" else result.why)


def is_one_option(work: UnitOfWork, form: FormState, text: str) -> bool:
    """Return True if ``text`` is exactly one option of what ``form`` asks now, so that it needs no screening."""
    parsed = _parse_reply(work, form, next_item(form), text)
    return isinstance(parsed, ParsedAnswer) and parsed.whole


def screen_chat_text(work: UnitOfWork, form_session: FormSession, text: str) -> TextReaction:
    """Store and screen a chat text that cannot be taken as a reply."""
    found, row = _screen_reply(work, form_session, text, UnclearReply("not_understood"), "chat", None, None)
    if row is not None:
        row.assessment_id = form_session.assessment.id
        row.kind = "text" if found is not None and found.is_death else "unclear"
    will_call = _call_if_unclear(work, form_session, row, "chat")
    if found is None:
        return TextReaction(will_call=will_call)
    return TextReaction(text_screening.needs_advice(found), will_call, found.is_death)


def _call_if_unclear(
    work: UnitOfWork, form_session: FormSession, row: IncomingMessage | None, channel: Channel
) -> bool:
    """Create a call task after several unclear replies in the chat; return whether staff will call.

    By text message the conversation does it, because there the reply is counted with its message.
    """
    if channel != "chat" or row is None or row.kind != "unclear" or row.reason in (unclear_replies.MOVED_ON, "empty"):
        return False
    times = unclear_replies.count_unclear(work, row)
    if times == unclear_replies.CLARIFICATIONS + 1:
        unclear_replies.make_unclear_task(work, form_session.participant, row)
    return times > unclear_replies.CLARIFICATIONS


def transcript(work: UnitOfWork, form: FormState, language: str) -> list[TranscriptLine]:
    """Return the questions and answers so far in words, oldest first, without withdrawn ones."""
    assessment, instrument = form.assessment, form.instrument
    words = _words_in(work, form, language)
    gettext = work.app_context.catalogs.translator(language).gettext
    rows = [
        row
        for row in form_state.answer_rows(work, assessment.id).values()
        if row.source == "asked" and row.state != "withdrawn" and row.item in instrument.items
    ]
    return [
        TranscriptLine(
            item=row.item,
            asked=chat_wording.question_text(instrument.items[row.item], words, gettext),
            said=chat_wording.answer_in_words(
                instrument.items[row.item], words, row, gettext("None of these"), gettext(", ")
            ),
            state=row.state,
            channel=row.channel,
            at=row.at,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]


def words_in_all_languages(work: UnitOfWork, assessment: Assessment) -> list[Words]:
    """Return a form's words in every language, because replies are accepted in all of them."""
    return [form_state.form_words(work, assessment, language) for language in work.catalogue.languages]


@dataclass(frozen=True, slots=True)
class _ReplyContext:
    """The form, channel and language of a reply."""

    work: UnitOfWork
    form_session: FormSession
    form: FormState
    channel: Channel
    language: str

    def turn(self, what: ReplyResult, form: FormState | None = None, level: Level = Level.NONE) -> ReplyOutcome:
        """Return an outcome with the given form, or with the form as it is now."""
        return ReplyOutcome(what, "", "", form or self.read_form(), level)

    def read_form(self) -> FormState:
        """Return the form as it is now."""
        return form_state.read_form(self.work, self.form_session, self.language)


def _apply_reply(context: _ReplyContext, item: Item | None, parsed: ParsedReply) -> ReplyOutcome:
    """Run a parsed reply as a command, an answer, a confirmation of advice, or submission."""
    if isinstance(parsed, reply_parser.ReplyCommand):
        if parsed.command == "back":
            return _withdraw_last_answer(context)
        if parsed.command != "skip":
            return ReplyOutcome("command", parsed.command, "", context.form, Level.NONE)
        parsed = ParsedAnswer(None)
    if context.form.advice is not None:
        answer_service.acknowledge_advice(context.work, context.form_session, context.form)
        return context.turn("advice" if context.read_form().advice else "answered")
    if context.form.submitted:
        return ReplyOutcome("unclear", "", "submitted", context.form, Level.NONE)
    if isinstance(parsed, UnclearReply):
        return ReplyOutcome("unclear", "", parsed.why, context.form, Level.NONE)
    if item is None and parsed.value is None:
        # The review has no item to skip, and the reply was no command to submit.
        return ReplyOutcome("unclear", "", "not_understood", context.form, Level.NONE)
    if item is None:
        answer_service.submit_form(context.work, context.form_session, context.language)
        return context.turn("sent")
    return _save_answer(context, item, parsed.value)


def _save_answer(context: _ReplyContext, item: Item, value: Value | None) -> ReplyOutcome:
    """Store the answer to ``item``; by text message, submit after the last item."""
    page = next(page for page in context.form.path if item.id in page.items)
    saved = answer_service.save_answers(
        context.work,
        context.form_session,
        page.id,
        {item.id: value},
        context.language,
        context.form,
        channel=context.channel,
    )
    form = saved.form
    if context.channel == "sms" and next_item(form) is None:
        # The review is too long for a text message.
        answer_service.submit_form(context.work, context.form_session, context.language)
        form = context.read_form()
    if form.advice is not None:
        return ReplyOutcome("advice", "", "", form, saved.level)
    what: ReplyResult = "sent" if form.submitted else "skipped" if value is None else "answered"
    return ReplyOutcome(what, "", "", form, saved.level)


def _withdraw_last_answer(context: _ReplyContext) -> ReplyOutcome:
    """Withdraw the newest answer; on advice, also record that it is being corrected."""
    if context.form.advice is not None:
        answer_service.acknowledge_advice(
            context.work, context.form_session, context.form, corrected=not context.form.submitted
        )
    if context.form.submitted:
        return ReplyOutcome("unclear", "", "submitted", context.form, Level.NONE)
    standing = [row for row in context.form.rows.values() if row.source == "asked" and row.state != "withdrawn"]
    shown = {name for page in context.form.path for name in page.items}
    last = max((row for row in standing if row.item in shown), key=lambda row: row.id, default=None)
    if last is None:
        return context.turn("back")
    saved = answer_service.withdraw_answer(
        context.work, context.form_session, context.form, last.item, context.language, channel=context.channel
    )
    return ReplyOutcome("back", "", "", saved.form, saved.level)


def _parse_reply(work: UnitOfWork, form: FormState, item: Item | None, text: str) -> ParsedReply:
    """Parse a reply to an item, to the review, or to advice."""
    if form.advice is None and not form.submitted and item is not None:
        return _item_parser(work, form, item).parse(text)
    command = reply_parser.parse_command(text)
    if command is not None:
        return reply_parser.ReplyCommand(command)
    if form.advice is None and form.submitted:
        return UnclearReply("not_understood")
    kind = "advice" if form.advice is not None else "review"
    said = ItemWords("", "", options={CONTINUE_CODE: ""}, synonyms={CONTINUE_CODE: CONTINUE_WORDS[kind]})
    parsed = reply_parser.parse_reply(
        Item("go", "choice", "", codes=(CONTINUE_CODE,)), [replace(form.words, items={"go": said})], text
    )
    # Advice asks no question, so any reply confirms that it was read.
    return ParsedAnswer(CONTINUE_CODE) if kind == "advice" and isinstance(parsed, UnclearReply) else parsed


def _item_parser(work: UnitOfWork, form: FormState, item: Item) -> ReplyParser:
    """Return the parser of ``item``, built once for each wording."""
    words = words_in_all_languages(work, form.assessment)
    key = (form.instrument.id, form.instrument.version, item.id, *(each.checksum for each in words))
    if key not in _item_parsers:
        _item_parsers[key] = ReplyParser(item, words)
    return _item_parsers[key]


def _screen_reply(
    work: UnitOfWork,
    form_session: FormSession,
    text: str,
    parsed: ParsedReply,
    channel: Channel,
    inbound: IncomingMessage | None,
    item: Item | None,
) -> tuple[Screening | None, IncomingMessage | None]:
    """Screen a reply for red flags before it is used, unless it is exactly one option or one command word.

    Returns the screening, and the row of the text if it has one.
    """
    is_whole = isinstance(parsed, ParsedAnswer) and parsed.whole
    if is_whole or reply_parser.is_bare_command(text):
        # The button "skip" and the word HELP say no more than they do.
        return None, inbound
    participant = form_session.participant
    address = work.vault.open(inbound.address_sealed) if inbound is not None else ""
    found = text_screening.screen_text(work, text, participant, address, inbound)
    # "Skip!" is not understood as harmless, but holds nothing.
    says_nothing = found.level is Level.NONE or (not found.hits and reply_parser.parse_command(text) is not None)
    quiet = isinstance(parsed, reply_parser.ReplyCommand) and says_nothing
    if inbound is None and not quiet:
        inbound = text_screening.keep_text(work, channel=channel, address="", text=text, participant=participant)
    # An answer to a free-text item is evaluated with the form, which raises the alert.
    goes_with_form = isinstance(parsed, ParsedAnswer) and item is not None and item.kind == "text"
    if inbound is not None:
        text_screening.note_flags(
            work, inbound, None if goes_with_form else participant, found, form_session.assessment
        )
    return found, inbound


def _words_in(work: UnitOfWork, form: FormState, language: str) -> Words:
    return form.words if form.words.language == language else form_state.form_words(work, form.assessment, language)


def _plain_question(kind: QuestionKind, text: str, label: str = "", how: str = "") -> AskedQuestion:
    options = ((str(CONTINUE_CODE), label),) if label else ()
    whole = message_rendering.to_gsm7("\n".join(part for part in (text, how) if part))
    return AskedQuestion("", NO_PAGE, text, options, kind, None, whole)
