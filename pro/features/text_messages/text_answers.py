"""Send replies to a participant who answers by text message.

A reply is the next question, a clarification, or a link or access code to continue.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.features.assessments import chat_flow, chat_wording, unclear_replies
from pro.features.assessments.chat_flow import AskedQuestion, ReplyOutcome
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.forms.form_access import FormSession
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, FormAccess, IncomingMessage, Message, Participant

log = logging.getLogger(__name__)
# Kinds that ask for a reply; the newest such message decides which form a text belongs to.
ASKING_TEMPLATES = ("question", "clarify", "clarify_free", "advice", "thanks")
# A reply answers the newest message of these kinds.
QUESTION_TEMPLATES = ("question", "advice", "thanks")
# A reply that is older is of no use to the participant.
REPLY_LIFETIME = timedelta(hours=12)
# Replies that a number can cause costs with by writing again and again, and how many of them it gets in an hour.
LIMITED_REPLIES = (
    "help",
    "help_contact",
    "stopped",
    "started",
    "clarify",
    "clarify_free",
    "onward_link",
    "onward_code",
)
MOST_REPLIES_AN_HOUR = 10
TEMPLATES = {"done": "thanks", "advice": "advice"}


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A text to send.

    ``key``: the same key is queued once. ``language``: the reader's. ``assessment``: the form that it is about.
    """

    template: str
    params: Mapping[str, Any]
    key: str
    language: str
    assessment: Assessment | None = field(default=None)


def queue_reply(
    work: UnitOfWork, reply_draft: ReplyDraft, address: str, participant: Participant | None = None
) -> Message | None:
    """Queue a reply for immediate sending, because a participant who just wrote is awake.

    Returns the message, or None without an SMS provider, or if it cannot be composed: that undoes nothing else.
    """
    if work.config.sms == "none":
        return None
    try:
        with work.session.begin_nested():
            if _has_enough_replies(work, reply_draft.template, address):
                return None
            return _queue_reply(work, reply_draft, address, participant)
    except Exception as error:
        log.error("reply not queued template=%s error=%s", reply_draft.template, type(error).__name__)
        return None


def _queue_reply(
    work: UnitOfWork, reply_draft: ReplyDraft, address: str, participant: Participant | None
) -> Message | None:
    rendered = message_rendering.render_message(
        reply_draft.template,
        reply_draft.language,
        reply_draft.params,
        work.app_context.catalogs,
        env_banner=not work.config.production,
        sender=message_rendering.sender_name(work, participant.plan if participant else "", reply_draft.language),
    )
    urgent = reply_draft.template in message_rendering.URGENT_ADVICE
    return outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=reply_draft.key,
            channel="sms",
            template=reply_draft.template,
            params=reply_draft.params,
            language=reply_draft.language,
            address=address,
            body=rendered.text,
            participant_id=participant.id if participant else None,
            assessment_id=reply_draft.assessment.id if reply_draft.assessment else None,
            not_after=None if urgent else work.now + REPLY_LIFETIME,
            repeat="prefer_duplicate" if urgent else "prefer_silence",
        ),
    )


def _has_enough_replies(work: UnitOfWork, template: str, address: str) -> bool:
    """Return True if the number got so many replies to its texts within an hour that another is not paid for.

    Questions, thanks and advice have no such limit.
    """
    if template not in LIMITED_REPLIES:
        return False
    query = select(func.count()).where(
        Message.address_fingerprint == work.vault.fingerprint(f"phone:{address}"),
        Message.template.in_(LIMITED_REPLIES),
        Message.queued_at > work.now - timedelta(hours=1),
    )
    return (work.session.scalar(query) or 0) >= MOST_REPLIES_AN_HOUR


def queue_question(
    work: UnitOfWork,
    row: IncomingMessage,
    participant: Participant,
    form: Assessment | None,
    message: tuple[str, Mapping[str, Any]],
) -> None:
    """Reply to the text ``row`` with a kind of message and its parameters.

    Sends nothing to a participant who opted out, except urgent advice.
    """
    template, params = message
    if participant.opted_out_at is not None and template not in message_rendering.URGENT_ADVICE:
        return
    out = ReplyDraft(template, params, f"reply:{row.id}", participant.language, form)
    queue_reply(work, out, work.vault.open(row.address_sealed), participant)


def last_asked_form(work: UnitOfWork, participant: Participant) -> Assessment | None:
    """Return the form of the last question by text to this participant, or None.

    The form may be submitted, cancelled or closed. A form whose instrument is no longer installed cannot take an
    answer, so the text waits for a reader.
    """
    query = (
        select(Assessment)
        .join(Message, Message.assessment_id == Assessment.id)
        .where(
            Message.participant_id == participant.id,
            Message.channel == "sms",
            Message.template.in_(ASKING_TEMPLATES),
            Message.dropped_at.is_(None),
            Assessment.instrument.in_(work.catalogue.instruments),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    return work.session.scalar(query)


def is_too_soon(work: UnitOfWork, form: Assessment) -> bool:
    """Return True if the present question is not sent yet.

    The text is then a second answer to an earlier question.
    """
    query = (
        select(Message)
        .where(Message.assessment_id == form.id, Message.channel == "sms", Message.template.in_(ASKING_TEMPLATES))
        .order_by(Message.id.desc())
        .limit(1)
    )
    newest = work.session.scalar(query)
    return newest is not None and newest.status == "waiting"


def is_still_asked(work: UnitOfWork, participant: Participant, form_session: FormSession) -> bool:
    """Return True if the last question by text is the one that is asked now.

    False after answers in the chat or on the web page, after outdated answers were withdrawn, and if the question
    failed.
    """
    query = (
        select(Message)
        .where(
            Message.assessment_id == form_session.assessment.id,
            Message.channel == "sms",
            Message.template.in_(QUESTION_TEMPLATES),
            Message.dropped_at.is_(None),
            Message.failed_at.is_(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    newest = work.session.scalar(query)
    if newest is None:
        return False
    asked = chat_flow.next_question(
        work, form_state.read_form(work, form_session, participant.language), participant.language
    )
    return chat_flow.is_same_question(asked, json.loads(work.vault.open(newest.params_sealed))["text"])


def next_step(
    work: UnitOfWork,
    row: IncomingMessage,
    participant: Participant,
    form_session: FormSession,
    reply_outcome: ReplyOutcome,
) -> None:
    """Reply to one turn of the conversation."""
    form = form_session.assessment
    if reply_outcome.what == "unclear" and not reply_outcome.why:
        # A red flag was answered with the safety sentence; the open question stands.
        return
    if reply_outcome.what == "unclear" and reply_outcome.why != unclear_replies.MOVED_ON:
        if not form.submitted_at:
            _ask_clarification(work, row, participant, form_session, reply_outcome)
        return
    if reply_outcome.command == "language":
        switch_language(work, participant)
    elif reply_outcome.command:
        queue_question(work, row, participant, form, help_text(work, participant))
        return
    asked = chat_flow.next_question(
        work, form_state.read_form(work, form_session, participant.language), participant.language
    )
    queue_question(work, row, participant, form, question_message(asked))


def question_message(asked: AskedQuestion) -> tuple[str, Mapping[str, Any]]:
    """Return kind and parameters of the text message that asks ``asked``."""
    return TEMPLATES.get(asked.kind, "question"), {"text": asked.whole}


def help_text(work: UnitOfWork, participant: Participant) -> tuple[str, Mapping[str, Any]]:
    """Return kind and parameters of the reply to HELP."""
    hotline = chat_wording.hotline_words(work, participant, participant.language)
    return ("help" if work.config.sms_two_way else "help_contact"), {"hotline": hotline}


def switch_language(work: UnitOfWork, participant: Participant) -> None:
    """Set the participant's language to the next one of the study plan."""
    languages = work.catalogue.shown_plan(participant.plan).languages
    place = languages.index(participant.language) if participant.language in languages else -1
    choose_language(work, participant, languages[(place + 1) % len(languages)])


def choose_language(work: UnitOfWork, participant: Participant, language: str) -> None:
    """Set the language of the participant's forms and messages; only a language of the study plan is taken."""
    old = participant.language
    if language != old and language in work.catalogue.shown_plan(participant.plan).languages:
        participant.language = language
        work.record("participant.language", participant, participant_id=participant.id, old=old, new=language)


def first_question(
    work: UnitOfWork, participant: Participant, form: Assessment
) -> tuple[str, Mapping[str, Any]] | None:
    """Return the message that starts or continues ``form`` by text.

    Returns None if the form must be answered in another way. A form without answers gets the short set of pages for
    text messages.
    """
    pages = work.catalogue.shown_instrument(form.instrument).sms_pages
    if not work.config.sms_two_way or not pages:
        return None
    if form.page_set != pages:
        if form.first_answer_at is not None:
            return None
        form.page_set = pages
        work.record("assessment.shortened", form, participant_id=participant.id, new=pages)
    # There is no session yet; this one is used only to read the items.
    form_session = FormSession(form, participant, FormAccess(answered_by=""))
    # A reply withdraws outdated answers and asks their items again, so the question must be one of these.
    now = form_state.read_form(work, form_session, participant.language).renewed(work.now)
    asked = chat_flow.next_question(work, now, participant.language)
    return question_message(asked) if asked.kind not in ("review", "done") else None


def _ask_clarification(
    work: UnitOfWork,
    row: IncomingMessage,
    participant: Participant,
    form_session: FormSession,
    reply_outcome: ReplyOutcome,
) -> None:
    """Ask again twice, then send a link or code and create a call task.

    Later unclear replies get no reply, which prevents an endless exchange.
    """
    times = unclear_replies.count_unclear(work, row)
    form = form_session.assessment
    if times > unclear_replies.CLARIFICATIONS + 1:
        return
    if times == unclear_replies.CLARIFICATIONS + 1:
        queue_question(work, row, participant, form, _link_or_code(work, participant, form))
        unclear_replies.make_unclear_task(work, participant, row)
        return
    item = chat_flow.next_item(reply_outcome.form)
    if item is not None and item.kind == "choice" and reply_outcome.form.advice is None:
        queue_question(work, row, participant, form, ("clarify", {"codes": ", ".join(map(str, item.codes))}))
    else:
        queue_question(work, row, participant, form, ("clarify_free", {}))


def _link_or_code(work: UnitOfWork, participant: Participant, form: Assessment) -> tuple[str, Mapping[str, Any]]:
    """Return kind and parameters of the message with a link, or with an access code."""
    if form_issuing.is_sent_by_link(work, participant, "onward_link"):
        return "onward_link", {"link": f"{work.config.base_url}/a/{form_access.new_link(work, form)}"}
    return "onward_code", {"address": work.config.base_url, "code": form_access.new_code(work, form)}
