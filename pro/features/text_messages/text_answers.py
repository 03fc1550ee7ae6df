"""What goes back to somebody who answers a form by text message: the next question, a clarification, a way on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.features.assessments import chat_conversation
from pro.features.assessments.chat_conversation import AskedQuestion, ReplyOutcome
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.forms.form_access import FormSession
from pro.features.schedule import missed_forms
from pro.messaging import message_templates, outbox
from pro.models import Access, Assessment, Inbound, Message, Participant

# A message of one of these asks for a reply; the newest says which form a text belongs to.
ASKING = ("question", "clarify", "clarify_free", "advice", "thanks")
# What the newest of these said is what a reply answers.
QUESTIONS = ("question", "advice", "thanks")
# A reply to what is not asked any more. It brings what is asked now, and is no sign that somebody does not understand.
MOVED_ON = "moved_on"
# So many replies in a row that are not understood bring a question back; the next one brings a link or a code.
CLARIFICATIONS = 2
# Longer, and nobody remembers what it was about.
LIFE = timedelta(hours=12)
TEMPLATES = {"done": "thanks", "advice": "advice"}


@dataclass(frozen=True, slots=True)
class Out:
    """A text to send: its kind, parameters, the key that makes it one, the reader's language, and what it is about."""

    template: str
    params: Mapping[str, Any]
    key: str
    language: str
    assessment: Assessment | None = field(default=None)


def queue(work: UnitOfWork, out: Out, address: str, participant: Participant | None = None) -> Message | None:
    """Put a reply into the outbox at once: whoever writes now is awake. None without a provider."""
    if work.config.sms == "none":
        return None
    rendered = message_templates.render(
        out.template, out.language, out.params, work.house.catalogs, env_banner=not work.config.production
    )
    urgent = out.template in message_templates.URGENT_ADVICE
    return outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=out.key,
            channel="sms",
            template=out.template,
            params=out.params,
            language=out.language,
            address=address,
            body=rendered.text,
            participant_id=participant.id if participant else None,
            assessment_id=out.assessment.id if out.assessment else None,
            not_after=None if urgent else work.now + LIFE,
            repeat="prefer_duplicate" if urgent else "prefer_silence",
        ),
    )


def say(
    work: UnitOfWork,
    row: Inbound,
    participant: Participant,
    form: Assessment | None,
    said: tuple[str, Mapping[str, Any]],
) -> None:
    """Answer the text ``row`` with a message of a kind and its parameters, unless no more messages are wanted."""
    template, params = said
    if participant.opted_out_at is not None and template not in message_templates.URGENT_ADVICE:
        return
    out = Out(template, params, f"reply:{row.id}", participant.language, form)
    queue(work, out, work.vault.open(row.address_sealed), participant)


def form_asked(work: UnitOfWork, participant: Participant) -> Assessment | None:
    """The form of the last question that went to this participant by text, whatever became of it; None if none did."""
    query = (
        select(Assessment)
        .join(Message, Message.assessment_id == Assessment.id)
        .where(
            Message.participant_id == participant.id,
            Message.channel == "sms",
            Message.template.in_(ASKING),
            Message.dropped_at.is_(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    return work.session.scalar(query)


def too_soon(work: UnitOfWork, form: Assessment) -> bool:
    """True if the question that is asked now has not left yet: the text was an answer to an earlier one, sent twice."""
    query = (
        select(Message)
        .where(Message.assessment_id == form.id, Message.channel == "sms", Message.template.in_(ASKING))
        .order_by(Message.id.desc())
        .limit(1)
    )
    newest = work.session.scalar(query)
    return newest is not None and newest.status == "waiting"


def still_asked(work: UnitOfWork, participant: Participant, sitting: FormSession) -> bool:
    """True if what is asked now is what the last text asked that left us.

    Not so after answers in the chat or on the form, after a day, and where the question itself did not arrive.
    """
    query = (
        select(Message)
        .where(
            Message.assessment_id == sitting.assessment.id,
            Message.channel == "sms",
            Message.template.in_(QUESTIONS),
            Message.dropped_at.is_(None),
            Message.failed_at.is_(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    newest = work.session.scalar(query)
    if newest is None:
        return False
    asked = chat_conversation.asked(
        work, form_state.read_form(work, sitting, participant.language), participant.language
    )
    return chat_conversation.is_of(asked, json.loads(work.vault.open(newest.params_sealed))["text"])


def go_on(work: UnitOfWork, row: Inbound, participant: Participant, sitting: FormSession, turn: ReplyOutcome) -> None:
    """Answer a turn of the conversation."""
    form = sitting.assessment
    if turn.what == "unclear" and turn.why != MOVED_ON:
        if not form.submitted_at:
            _clarify(work, row, participant, sitting, turn)
        return
    if turn.command == "language":
        switch_language(work, participant)
    elif turn.command:
        say(work, row, participant, form, help_text(work, participant))
        return
    asked = chat_conversation.asked(
        work, form_state.read_form(work, sitting, participant.language), participant.language
    )
    say(work, row, participant, form, as_message(asked))


def as_message(asked: AskedQuestion) -> tuple[str, Mapping[str, Any]]:
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

    A form that nobody has begun becomes the short one that goes by text.
    """
    pages = work.catalogue.instruments[form.instrument].sms_pages
    if not work.config.sms_two_way or not pages:
        return None
    if form.page_set != pages:
        if form.first_answer_at is not None:
            return None
        form.page_set = pages
        work.record("assessment.shortened", form, participant_id=participant.id, new=pages)
    # Nobody sits there yet; only what is asked is read.
    sitting = FormSession(form, participant, Access(answered_by=""))
    # Whoever replies goes on, and going on asks again what is stale: that is what to ask, or the reply is to nothing.
    now = form_state.read_form(work, sitting, participant.language).renewed(work.now)
    asked = chat_conversation.asked(work, now, participant.language)
    return as_message(asked) if asked.kind not in ("review", "done") else None


def _clarify(
    work: UnitOfWork, row: Inbound, participant: Participant, sitting: FormSession, turn: ReplyOutcome
) -> None:
    """Ask again twice; then send a link or code and let the coordinator phone. No more after that: no circles."""
    work.session.flush()
    times = _unclear_in_a_row(work, row)
    form = sitting.assessment
    if times > CLARIFICATIONS + 1:
        return
    if times == CLARIFICATIONS + 1:
        say(work, row, participant, form, _onward(work, participant, form))
        missed_forms.make_task(work, participant, missed_forms.UNCLEAR, f"unclear:{row.id}")
        return
    item = chat_conversation.next_item(turn.form)
    if item is not None and item.kind == "choice" and turn.form.advice is None:
        say(work, row, participant, form, ("clarify", {"codes": ", ".join(map(str, item.codes))}))
    else:
        say(work, row, participant, form, ("clarify_free", {}))


def _unclear_in_a_row(work: UnitOfWork, row: Inbound) -> int:
    query = (
        select(Inbound)
        .where(
            Inbound.participant_id == row.participant_id,
            Inbound.assessment_id == row.assessment_id,
            Inbound.channel == "sms",
            Inbound.why.not_in(("too_soon", MOVED_ON)),
        )
        .order_by(Inbound.id.desc())
        .limit(CLARIFICATIONS + 2)
    )
    times = 0
    for text in work.session.scalars(query):
        if text.what != "unclear":
            break
        times += 1
    return times


def _onward(work: UnitOfWork, participant: Participant, form: Assessment) -> tuple[str, Mapping[str, Any]]:
    if form_issuing.by_link(work, participant, "onward_link"):
        return "onward_link", {"link": f"{work.config.base_url}/a/{form_access.new_link(work, form)}"}
    return "onward_code", {"address": work.config.base_url, "code": form_access.new_code(work, form)}
