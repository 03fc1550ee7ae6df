"""Answer forms of the demonstration: on a phone, in the chat, by text message, by a proxy, on paper, by phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pro.app_context import Actor, UnitOfWork
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Value
from pro.features.assessments import answer_service, data_entry
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.participants import clinical_facts
from pro.features.text_messages import incoming_messages, text_answers
from pro.features.text_messages.text_answers import ReplyDraft
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models import Assessment, Participant

Given = Mapping[str, Value | None]
REPLY_PAUSE = timedelta(seconds=40)


class NoProvider:
    """A sender for messages of the past: they reach no one and leave no file."""

    def send(self, letter: Letter) -> str:
        """Return a reference made of the letter's id."""
        return f"demonstration:{letter.message_id}"


SENDERS = {"email": NoProvider(), "sms": NoProvider()}


def begin_answers(
    work: UnitOfWork, person: Participant, form: Assessment, given: Given, *, by: str, channel: str
) -> None:
    """Open a form and store the answers of all its pages at once; ``finish_answers`` submits it.

    The rows are those of a form that was answered page by page; only the evaluation of each page is left out.
    """
    if channel == "sms":
        form_access.session_by_text(work, form, person, person.language)
    else:
        form_access.begin_session(
            work, form, identified_by="code", answered_by=by, device="phone", language=person.language
        )
    work.actor = Actor("participant", person.id, "participant")
    shape = work.catalogue.instruments[form.instrument]
    facts = clinical_facts.form_facts(form.context)
    filled = page_flow.fill_form(shape, {}, facts, given, form.page_set)
    changes = [change for _page, change in filled.changes]
    for page, change in filled.changes:
        work.session.add(
            answer_service.answer_row(work, form, change, page, language=person.language, channel=channel, by=by)
        )
    # Whether an answer was awaited is looked at once, at the end.
    form.first_answer_at = work.now
    answer_service.note_answer_time(work, form, person.language)
    answer_service.record_changes(work, form, {}, changes)


def finish_answers(work: UnitOfWork, person: Participant, form: Assessment) -> None:
    """Submit a form that ``begin_answers`` filled in: score and evaluate it."""
    if form.submitted_at is not None or form.cancelled_at is not None:
        return
    work.actor = Actor("participant", person.id, "participant")
    shape = work.catalogue.instruments[form.instrument]
    answers = form_state.current_answers(shape, form_state.answer_rows(work, form.id))
    answer_service.close_form(work, form, answers, person.language)
    work.session.flush()


def answer_by_pages(work: UnitOfWork, person: Participant, instrument: str, said: Given, channel: str = "web") -> None:
    """Answer and submit a form page by page, as a browser does; items that ``said`` does not name are skipped."""
    issued = form_issuing.send_form(work, person, instrument, by="here")
    secret = form_access.begin_session(
        work, issued.assessment, identified_by="link", answered_by="self", device="phone", language=person.language
    )
    work.session.flush()
    form_session = form_access.session_of(work, issued.assessment.ref, secret)
    work.actor = Actor("participant", person.id, "participant")
    while (
        page := (form := form_state.read_form(work, form_session, person.language)).page(form.next_position())
    ) is not None:
        given = {name: said.get(name, _none_of(form.instrument.items[name].kind)) for name in page.items}
        answer_service.save_answers(work, form_session, page.id, given, person.language, channel=channel)
        work.session.flush()
    answer_service.submit_form(work, form_session, person.language)
    work.session.flush()


def enter_on_paper(
    work: UnitOfWork, person: Participant, instrument: str, given: Given, answered_at: datetime, mode: str = "paper"
) -> Assessment:
    """Enter a form that was filled in on paper, or in a phone interview, at ``answered_at``."""
    return data_entry.enter_form(
        work,
        person,
        instrument,
        mode=mode,
        answered_by="self",
        answered_at=answered_at,
        given=given,
        language=person.language,
    )


def answer_by_texts(work: UnitOfWork, person: Participant, form: Assessment, given: Given) -> None:
    """Answer a check-in by text message, one reply after the other, with conversations switched on for this."""
    before = work.app_context
    work.app_context = replace(before, config=replace(before.config, sms_two_way=True))
    phone = work.vault.open(person.phone_sealed or "")
    question = text_answers.first_question(work, person, form)
    if question is not None:
        template, params = question
        draft = ReplyDraft(template, params, f"first:{form.id}", person.language, form)
        text_answers.queue_reply(work, draft, phone, person)
    number = 0
    while form.submitted_at is None and number < len(given):
        outbox.deliver_in_transaction(work, SENDERS)
        work.now += REPLY_PAUSE
        item = _asked_item(work, person, form)
        if item is None:
            break
        incoming_messages.receive_message(
            work, provider_id=f"demonstration:{form.id}:{number}", address=phone, text=str(given.get(item, 0))
        )
        work.session.flush()
        number += 1
    work.app_context = before


def _asked_item(work: UnitOfWork, person: Participant, form: Assessment) -> str | None:
    """Return the item that the form asks now, None at its end."""
    form_session = form_access.session_by_text(work, form, person, person.language)
    now = form_state.read_form(work, form_session, person.language)
    page = now.page(now.next_position())
    return page.items[0] if page is not None else None


def _none_of(kind: str) -> Value | None:
    """Return the answer to an item that has no answer in the story: an empty list, else skipped."""
    return () if kind == "list" else None
