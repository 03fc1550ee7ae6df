"""What goes back to a participant who answers a form by text message: the next question, a clarification, a way on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.features.assessments import chat_flow
from pro.features.assessments.chat_flow import AskedQuestion, ReplyOutcome
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.forms.form_access import FormSession
from pro.features.schedule import missed_forms
from pro.messaging import message_rendering, outbox
from pro.models import Assessment, FormAccess, IncomingMessage, Message, Participant

# A message of one of these asks for a reply; the newest says which form a text belongs to.
ASKING_TEMPLATES = ("question", "clarify", "clarify_free", "advice", "thanks")
# What the newest of these said is what a reply answers.
QUESTION_TEMPLATES = ("question", "advice", "thanks")
# A reply to what is not asked any more. It brings what is asked now, and is no sign of a misunderstanding.
MOVED_ON = "moved_on"
# So many replies in a row that are not understood bring a question back; the next one brings a link or a code.
CLARIFICATIONS = 2
# Longer, and what it was about is forgotten.
REPLY_LIFETIME = timedelta(hours=12)
TEMPLATES = {"done": "thanks", "advice": "advice"}


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A text to send: its kind, parameters, the key that makes it one, the reader's language, and what it is about."""

    template: str
    params: Mapping[str, Any]
    key: str
    language: str
    assessment: Assessment | None = field(default=None)


def queue_reply(
    work: UnitOfWork, reply_draft: ReplyDraft, address: str, participant: Participant | None = None
) -> Message | None:
    """Put a reply into the outbox at once: a participant who writes now is awake. None without a provider."""
    if work.config.sms == "none":
        return None
    rendered = message_rendering.render_message(
        reply_draft.template,
        reply_draft.language,
        reply_draft.params,
        work.app_context.catalogs,
        env_banner=not work.config.production,
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


def queue_question(
    work: UnitOfWork,
    row: IncomingMessage,
    participant: Participant,
    form: Assessment | None,
    message: tuple[str, Mapping[str, Any]],
) -> None:
    """Answer the text ``row`` with a message of a kind and its parameters, unless no more messages are wanted."""
    template, params = message
    if participant.opted_out_at is not None and template not in message_rendering.URGENT_ADVICE:
        return
    out = ReplyDraft(template, params, f"reply:{row.id}", participant.language, form)
    queue_reply(work, out, work.vault.open(row.address_sealed), participant)


def last_asked_form(work: UnitOfWork, participant: Participant) -> Assessment | None:
    """The form of the last question that went to this participant by text, whatever became of it; None if none did."""
    query = (
        select(Assessment)
        .join(Message, Message.assessment_id == Assessment.id)
        .where(
            Message.participant_id == participant.id,
            Message.channel == "sms",
            Message.template.in_(ASKING_TEMPLATES),
            Message.dropped_at.is_(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    return work.session.scalar(query)


def is_too_soon(work: UnitOfWork, form: Assessment) -> bool:
    """True if the question that is asked now has not left yet: the text was an answer to an earlier one, sent twice."""
    query = (
        select(Message)
        .where(Message.assessment_id == form.id, Message.channel == "sms", Message.template.in_(ASKING_TEMPLATES))
        .order_by(Message.id.desc())
        .limit(1)
    )
    newest = work.session.scalar(query)
    return newest is not None and newest.status == "waiting"


def is_still_asked(work: UnitOfWork, participant: Participant, form_session: FormSession) -> bool:
    """True if what is asked now is what the last text asked that left us.

    Not so after answers in the chat or on the form, after a day, and where the question itself did not arrive.
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
    """Answer a turn of the conversation."""
    form = form_session.assessment
    if reply_outcome.what == "unclear" and reply_outcome.why != MOVED_ON:
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
    """Kind and parameters of the text message that asks ``asked``."""
    return TEMPLATES.get(asked.kind, "question"), {"text": asked.whole}


def help_text(work: UnitOfWork, participant: Participant) -> tuple[str, Mapping[str, Any]]:
    """Kind and parameters of what HELP says here."""
    hotline = work.catalogue.plans[participant.plan].settings.hotline_shown
    return ("help" if work.config.sms_two_way else "help_contact"), {"hotline": hotline}


def switch_language(work: UnitOfWork, participant: Participant) -> None:
    """From now on everything to this participant is in the next of their plan's languages."""
    languages = work.catalogue.plans[participant.plan].languages
    old = participant.language
    place = languages.index(old) if old in languages else -1
    participant.language = languages[(place + 1) % len(languages)]
    if participant.language != old:
        work.record(
            "participant.language", participant, participant_id=participant.id, old=old, new=participant.language
        )


def first_question(
    work: UnitOfWork, participant: Participant, form: Assessment
) -> tuple[str, Mapping[str, Any]] | None:
    """The question that begins (or goes on with) ``form`` by text; None where it must be answered in another way.

    A form that is not begun becomes the short one that goes by text.
    """
    pages = work.catalogue.instruments[form.instrument].sms_pages
    if not work.config.sms_two_way or not pages:
        return None
    if form.page_set != pages:
        if form.first_answer_at is not None:
            return None
        form.page_set = pages
        work.record("assessment.shortened", form, participant_id=participant.id, new=pages)
    # There is no session yet; only what is asked is read.
    form_session = FormSession(form, participant, FormAccess(answered_by=""))
    # A reply goes on, and going on asks again what is stale: that is what to ask, or the reply is to nothing.
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
    """Ask again twice; then send a link or code and let the coordinator phone. No more after that: no circles."""
    work.session.flush()
    times = _count_unclear(work, row)
    form = form_session.assessment
    if times > CLARIFICATIONS + 1:
        return
    if times == CLARIFICATIONS + 1:
        queue_question(work, row, participant, form, _link_or_code(work, participant, form))
        missed_forms.make_call_task(work, participant, missed_forms.UNCLEAR_ANSWER_TASK, f"unclear:{row.id}")
        return
    item = chat_flow.next_item(reply_outcome.form)
    if item is not None and item.kind == "choice" and reply_outcome.form.advice is None:
        queue_question(work, row, participant, form, ("clarify", {"codes": ", ".join(map(str, item.codes))}))
    else:
        queue_question(work, row, participant, form, ("clarify_free", {}))


def _count_unclear(work: UnitOfWork, row: IncomingMessage) -> int:
    query = (
        select(IncomingMessage)
        .where(
            IncomingMessage.participant_id == row.participant_id,
            IncomingMessage.assessment_id == row.assessment_id,
            IncomingMessage.channel == "sms",
            IncomingMessage.why.not_in(("too_soon", MOVED_ON)),
        )
        .order_by(IncomingMessage.id.desc())
        .limit(CLARIFICATIONS + 2)
    )
    times = 0
    for text in work.session.scalars(query):
        if text.what != "unclear":
            break
        times += 1
    return times


def _link_or_code(work: UnitOfWork, participant: Participant, form: Assessment) -> tuple[str, Mapping[str, Any]]:
    if form_issuing.is_sent_by_link(work, participant, "onward_link"):
        return "onward_link", {"link": f"{work.config.base_url}/a/{form_access.new_link(work, form)}"}
    return "onward_code", {"address": work.config.base_url, "code": form_access.new_code(work, form)}
