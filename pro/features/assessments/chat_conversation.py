"""The same form as a conversation: one question at a time, answered by a typed or tapped reply.

There is no conversation state (design.md): what comes next is a function of instrument and answers, so that somebody
may begin by text message, go on in the chat and finish in the form.
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
from pro.core.text import reply_parser
from pro.core.text.red_flag_screening import Screening
from pro.core.text.reply_parser import Ear, Given, Heard, Unclear
from pro.features.alerts import text_screening
from pro.features.assessments import answer_service, chat_wording
from pro.features.forms import form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.messaging import message_templates
from pro.models import Assessment, Inbound

Kind = Literal["choice", "list", "number", "text", "review", "done", "advice"]
Happened = Literal["answered", "skipped", "back", "command", "unclear", "sent", "advice"]
Channel = Literal["sms", "chat"]
NOWHERE = Page("", ())
# What may be typed for the one button of review and advice.
GO = 1
GOING_ON = {
    "review": ("send", "send it", "submit", "yes", "y", "ok", "okay", "发送", "提交", "发", "是", "是的", "好", "好的"),
    "advice": ("ok", "okay", "go on", "carry on", "continue", "yes", "继续", "知道了", "明白", "好", "好的", "是"),
}


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What is asked now. ``options``: (what to type, label); ``text``: the question without them.

    ``whole``: the same as one text message, options and all. ``item`` is "" and ``page`` empty where no question is
    asked: review (send it?), done, advice.
    """

    item: str
    page: Page
    text: str
    options: tuple[tuple[str, str], ...]
    kind: Kind
    progress: Progress | None
    whole: str


@dataclass(frozen=True, slots=True)
class ReplyOutcome:
    """What came of one reply. ``command``, ``why``: of a command and of what is unclear, as in ``reply_parser``.

    ``level``: the loudest that stands or was just read. ``safety``: the fixed safety sentence is due.
    """

    what: Happened
    command: str
    why: str
    form: FormState
    level: Level
    safety: bool = False


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One question that was asked, and what was answered to it; ``said`` is "" for a skip."""

    item: str
    asked: str
    said: str
    state: str
    channel: str
    at: datetime


# Immutable words by checksum: their ears are made once.
_ears: dict[tuple[str, ...], Ear] = {}


def asked(work: UnitOfWork, form: FormState, language: str) -> AskedQuestion:
    """What comes next: advice that waits, the next unanswered question, the review, or thanks after sending."""
    gettext = work.house.catalogs.translator(language).gettext
    if form.advice is not None:
        text = chat_wording.advice_text(work, form.participant, form.advice, language)
        return _plain("advice", text, gettext("Go on"), gettext("Reply 1 to go on with the questions."))
    if form.submitted:
        return _plain("done", chat_wording.thanks(work, form, language))
    item = next_item(form)
    if item is None:
        send = gettext("Send my answers")
        return _plain("review", gettext("That was the last question."), send, gettext("Reply 1 to send your answers."))
    words = _words(work, form, language)
    page = next(page for page in form.path if item.id in page.items)
    step = form.progress(form.position_of(page.id))
    text = chat_wording.question(item, words, gettext)
    options = options_of(form, item, words, gettext("None of these"))
    return AskedQuestion(
        item.id, page, text, options, item.kind, step, chat_wording.whole(text, options, item, step, gettext)
    )


def is_of(asked: AskedQuestion, sent: str) -> bool:
    """True if the text message ``sent`` asked the same; what was said besides does not count."""
    return sent.startswith(chat_wording.bare(asked.text, asked.options)) if asked.item else sent == asked.whole


def next_item(form: FormState) -> Item | None:
    """The question that is open now, of the first page that is not settled; None when the review is next."""
    page = form.page(form.next_position())
    if page is None:
        return None
    return form.instrument.items[next((name for name in page.items if name not in form.answers), page.items[0])]


def options_of(form: FormState, item: Item, words: Words, none: str) -> tuple[tuple[str, str], ...]:
    """(what to type, label) of each option; of a list its entries by their number, and 0 for none of them."""
    if item.kind == "list":
        shown = page_flow.listed(form.instrument, item, form.facts)
        numbered = [(str(item.lists.index(name) + 1), words.items[name].short) for name in shown]
        return (*numbered, ("0", none))
    labels = words.items[item.id].options
    return tuple((str(code), labels.get(code, "")) for code in item.codes)


def turn(
    work: UnitOfWork,
    sitting: FormSession,
    text: str,
    *,
    channel: Channel,
    language: str,
    inbound: Inbound | None = None,
    item: str | None = None,
) -> ReplyOutcome:
    """One typed or tapped reply: read for red flags unless it is an option as a whole, then kept as an answer.

    ``inbound``: the row of a text that came in, which is noted; without one a text that somebody should read gets its
    own. ``item``: the question that the person saw ("" for none); a reply to one that is not asked any more is unclear
    ("moved_on"), and so is a wish to skip it.
    """
    form = form_state.read_form(work, sitting, language)
    now = next_item(form)
    heard = _hear(work, form, now, text)
    if form.advice is not None or form.submitted:
        now = None
    at = now.id if now is not None else ""
    wish = isinstance(heard, reply_parser.Command) and heard.command != "skip"
    moved_on = item is not None and item != at and not wish
    if moved_on and not (isinstance(heard, Given) and heard.whole):
        heard = Unclear("not_understood")
    found, row = _read(work, sitting, text, heard, channel, inbound, now)
    here = _Here(work, sitting, form, channel, language)
    result = replace(here.turn("unclear", form), why="moved_on") if moved_on else _act(here, now, heard)
    if row is not None:
        row.assessment_id, row.item = sitting.assessment.id, at
        row.what = {"unclear": "unclear", "command": "command", "back": "command"}.get(result.what, "answer")
        row.why = result.why
    safety = found is not None and text_screening.needs_advice(found)
    level = max(result.level, found.level if found else Level.NONE)
    return replace(result, level=level, safety=safety)


def overhear(work: UnitOfWork, sitting: FormSession, text: str) -> bool:
    """Keep and read a chat text that cannot be taken as a reply; True if the fixed safety sentence is due."""
    found, row = _read(work, sitting, text, Unclear("not_understood"), "chat", None, None)
    if row is not None:
        row.assessment_id, row.what = sitting.assessment.id, "unclear"
    return found is not None and text_screening.needs_advice(found)


def lines(work: UnitOfWork, assessment: Assessment, language: str) -> list[TranscriptLine]:
    """What was asked and answered so far, the oldest first, in words; what was taken back is left out."""
    instrument = work.catalogue.instruments[assessment.instrument]
    words = form_state.words_of(work, assessment, language)
    gettext = work.house.catalogs.translator(language).gettext
    rows = [
        row
        for row in form_state.answer_rows(work, assessment.id).values()
        if row.source == "asked" and row.state != "withdrawn" and row.item in instrument.items
    ]
    return [
        TranscriptLine(
            item=row.item,
            asked=chat_wording.question(instrument.items[row.item], words, gettext),
            said=chat_wording.answer_said(
                instrument.items[row.item], words, row, gettext("None of these"), gettext(", ")
            ),
            state=row.state,
            channel=row.channel,
            at=row.at,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]


def spoken(work: UnitOfWork, assessment: Assessment) -> list[Words]:
    """The words of a form in every language: replies are understood in all of them."""
    return [form_state.words_of(work, assessment, language) for language in work.catalogue.languages]


@dataclass(frozen=True, slots=True)
class _Here:
    """Where a reply came in."""

    work: UnitOfWork
    sitting: FormSession
    form: FormState
    channel: Channel
    language: str

    def turn(self, what: Happened, form: FormState | None = None, level: Level = Level.NONE) -> ReplyOutcome:
        return ReplyOutcome(what, "", "", form or self.again(), level)

    def again(self) -> FormState:
        return form_state.read_form(self.work, self.sitting, self.language)


def _act(here: _Here, item: Item | None, heard: Heard) -> ReplyOutcome:
    if isinstance(heard, reply_parser.Command):
        if heard.command == "back":
            return _back(here)
        if heard.command != "skip":
            return ReplyOutcome("command", heard.command, "", here.form, Level.NONE)
        heard = Given(None)
    if here.form.advice is not None:
        answer_service.advised(here.work, here.sitting, here.form)
        return here.turn("advice" if here.again().advice else "answered")
    if here.form.submitted:
        return ReplyOutcome("unclear", "", "submitted", here.form, Level.NONE)
    if isinstance(heard, Unclear):
        return ReplyOutcome("unclear", "", heard.why, here.form, Level.NONE)
    if item is None and heard.value is None:
        # Nothing is asked that could be skipped, and nobody said to send.
        return ReplyOutcome("unclear", "", "not_understood", here.form, Level.NONE)
    if item is None:
        answer_service.submit(here.work, here.sitting, here.language)
        return here.turn("sent")
    return _answer(here, item, heard.value)


def _answer(here: _Here, item: Item, value: Value | None) -> ReplyOutcome:
    page = next(page for page in here.form.path if item.id in page.items)
    saved = answer_service.save(
        here.work, here.sitting, page.id, {item.id: value}, here.language, here.form, channel=here.channel
    )
    form = saved.form
    if here.channel == "sms" and next_item(form) is None:
        # Nobody reads a review of twenty lines by text message.
        answer_service.submit(here.work, here.sitting, here.language)
        form = here.again()
    if form.advice is not None:
        return ReplyOutcome("advice", "", "", form, saved.level)
    what: Happened = "sent" if form.submitted else "skipped" if value is None else "answered"
    return ReplyOutcome(what, "", "", form, saved.level)


def _back(here: _Here) -> ReplyOutcome:
    """The newest answer is taken back; from advice, as one that was typed wrongly."""
    if here.form.advice is not None:
        answer_service.advised(here.work, here.sitting, here.form, corrected=not here.form.submitted)
    if here.form.submitted:
        return ReplyOutcome("unclear", "", "submitted", here.form, Level.NONE)
    standing = [row for row in here.form.rows.values() if row.source == "asked" and row.state != "withdrawn"]
    shown = {name for page in here.form.path for name in page.items}
    last = max((row for row in standing if row.item in shown), key=lambda row: row.id, default=None)
    if last is None:
        return here.turn("back")
    saved = answer_service.take_back(here.work, here.sitting, here.form, last.item, here.language, channel=here.channel)
    return ReplyOutcome("back", "", "", saved.form, saved.level)


def _hear(work: UnitOfWork, form: FormState, item: Item | None, text: str) -> Heard:
    if form.advice is None and not form.submitted and item is not None:
        return _ear(work, form, item).hear(text)
    steer = reply_parser.command(text)
    if steer is not None:
        return reply_parser.Command(steer)
    if form.advice is None and form.submitted:
        return Unclear("not_understood")
    kind = "advice" if form.advice is not None else "review"
    said = ItemWords("", "", options={GO: ""}, synonyms={GO: GOING_ON[kind]})
    heard = reply_parser.hear(Item("go", "choice", "", codes=(GO,)), [replace(form.words, items={"go": said})], text)
    # No question was asked, so whatever comes after the advice says that it was read.
    return Given(GO) if kind == "advice" and isinstance(heard, Unclear) else heard


def _ear(work: UnitOfWork, form: FormState, item: Item) -> Ear:
    words = spoken(work, form.assessment)
    key = (form.instrument.id, form.instrument.version, item.id, *(each.checksum for each in words))
    if key not in _ears:
        _ears[key] = Ear(item, words)
    return _ears[key]


def _read(
    work: UnitOfWork,
    sitting: FormSession,
    text: str,
    heard: Heard,
    channel: Channel,
    inbound: Inbound | None,
    item: Item | None,
) -> tuple[Screening | None, Inbound | None]:
    """Read the text for red flags, unless it is an option as a whole: before anything else is done with it."""
    if isinstance(heard, Given) and heard.whole:
        return None, inbound
    participant = sitting.participant
    found = text_screening.screen_text(work, text, participant)
    quiet = isinstance(heard, reply_parser.Command) and found.level is Level.NONE
    if inbound is None and not quiet:
        inbound = text_screening.keep(work, channel=channel, address="", text=text, participant=participant)
    # What becomes an answer to a free text is judged with the form, and raised by it.
    judged = isinstance(heard, Given) and item is not None and item.kind == "text"
    if inbound is not None:
        text_screening.note(work, inbound, None if judged else participant, found)
    return found, inbound


def _words(work: UnitOfWork, form: FormState, language: str) -> Words:
    return form.words if form.words.language == language else form_state.words_of(work, form.assessment, language)


def _plain(kind: Kind, text: str, label: str = "", how: str = "") -> AskedQuestion:
    options = ((str(GO), label),) if label else ()
    whole = message_templates.plainer("\n".join(part for part in (text, how) if part))
    return AskedQuestion("", NOWHERE, text, options, kind, None, whole)
