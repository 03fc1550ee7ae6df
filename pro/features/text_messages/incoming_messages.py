"""Receive text messages: store, screen for red flags, then run as command or answer.

The text is stored and staff are notified even if a later step fails.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from pro.app_context import Actor, UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.text import reply_parser, stop_requests
from pro.core.text.command_words import CommandName
from pro.core.text.red_flag_screening import Screening
from pro.features.accounts import phone_numbers
from pro.features.alerts import text_screening
from pro.features.assessments import answer_service, chat_flow, chat_wording
from pro.features.assessments.chat_flow import ReplyOutcome
from pro.features.forms import form_access, form_state
from pro.features.forms.form_access import FormSession
from pro.features.participants import death_reports
from pro.features.participants.treatment_dates import clock_time
from pro.features.schedule import missed_forms, participation_end
from pro.features.text_messages import text_answers, unknown_senders
from pro.features.text_messages.text_answers import ReplyDraft, queue_question, queue_reply
from pro.messaging.message_rendering import URGENT_ADVICE
from pro.models import Alert, Assessment, IncomingMessage, Message, Participant

log = logging.getLogger(__name__)
# Shortest time between two safety sentences to one number.
SAFETY_PAUSE = timedelta(hours=1)
# A name that no item has.
NO_ITEM = "-"


def receive_message(
    work: UnitOfWork, *, provider_id: str, address: str, text: str, pictures: int = 0
) -> IncomingMessage:
    """Store a text from ``address`` and do what it asks for.

    A second text with the same ``provider_id`` changes nothing. A number of no participant, or of several, is never
    assigned by guess: its texts wait in quarantine. ``pictures``: number of attached files; they stay with the
    provider, and staff see that they came. Returns the row of the text.
    """
    known = _find_received(work, provider_id)
    if known is not None:
        return known
    address = phone_numbers.to_e164(address) or address
    people = _participants_with_number(work, address)
    participant = people[0] if len(people) == 1 else None
    if participant is not None:
        work.actor = Actor("participant", participant.id, "participant")
    try:
        # The provider may deliver the same text twice at once.
        with work.session.begin_nested():
            row = text_screening.keep_text(
                work,
                channel="sms",
                provider_id=provider_id,
                address=address,
                text=text,
                participant=participant,
                what="text" if participant else "unmatched",
            )
            work.session.flush()
    except IntegrityError:
        return work.session.scalars(select(IncomingMessage).where(IncomingMessage.provider_id == provider_id)).one()
    if participant is None:
        _handle_unknown_sender(work, row, text, address, people)
    else:
        _handle_participant_text(work, row, participant, text, address)
    if pictures > 0:
        row.level = max(row.level, int(Level.WATCH))
        row.red_flags = [*row.red_flags, {"class": "picture", "status": "attached"}]
    return row


def _find_received(work: UnitOfWork, provider_id: str) -> IncomingMessage | None:
    return work.session.scalar(select(IncomingMessage).where(IncomingMessage.provider_id == provider_id))


def _participants_with_number(work: UnitOfWork, address: str) -> list[Participant]:
    """Return the participants with this number; of several, those who are active."""
    fingerprint = work.vault.fingerprint(f"phone:{address}")
    query = select(Participant).where(Participant.phone_fingerprint == fingerprint).order_by(Participant.id)
    found = list(work.session.scalars(query))
    return [person for person in found if person.is_active] or found


def _handle_unknown_sender(
    work: UnitOfWork, row: IncomingMessage, text: str, address: str, people: list[Participant]
) -> None:
    """Screen a text of an unknown number, and notify staff of a red flag.

    STOP and START apply to every participant with this number.
    """
    found = text_screening.screen_text(work, text, None, address, row)
    text_screening.note_flags(work, row, None, found)
    language = "zh_Hans" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else "en"
    _send_safety_if_needed(work, row, found, None, address, language)
    if found.level >= Level.URGENT:
        work.session.flush()
        unknown_senders.notify_quarantined_text(work, row)
    try:
        with work.session.begin_nested():
            _run_command_of_several(work, row, text, ReplyDraft("stopped", {}, f"reply:{row.id}", language), people)
    except Exception as error:
        log.error("command by text failed error=%s", type(error).__name__)
        row.kind = "unmatched"


def _run_command_of_several(
    work: UnitOfWork, row: IncomingMessage, text: str, stopped: ReplyDraft, people: list[Participant]
) -> None:
    """Run STOP or START for each participant with the number of ``row``."""
    command = reply_parser.parse_command(text)
    address = work.vault.open(row.address_sealed)
    if people and (command == "stop" or stop_requests.find_stop_request(text) == "stop"):
        row.kind = "command" if command else row.kind
        for person in people:
            participation_end.opt_out(work, person, "by text")
        queue_reply(work, stopped, address)
    elif people and command == "start":
        row.kind = "command"
        for person in people:
            participation_end.opt_in(work, person, "by text")
        queue_reply(work, replace(stopped, template="started"), address)


def _handle_participant_text(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, address: str
) -> None:
    """Run a participant's text as a command or an answer, and screen any other text."""
    command = reply_parser.parse_command(text)
    request = stop_requests.find_stop_request(text) if command is None else ""
    if request == "stop" or command == "stop":
        _stop_messages(work, row, participant, text, address)
        return
    if command is None and _is_about_death(work, row, participant, text, address):
        return
    if text_screening.plan_of(work, participant) is None and command not in ("start", "help"):
        # Without its plan in the catalogue no form can be answered, but the text is screened for red flags.
        _screen_text(work, row, participant, text, address)
        return
    if request == "possible":
        _ask_by_phone(work, row, participant, text, address)
        return
    form = text_answers.last_asked_form(work, participant)
    if command == "start" or command == "help":
        row.assessment_id = form.id if form else None
        _take_command(work, row, participant, text, command, address)
        return
    is_open = form is not None and _may_answer(work, participant, form)
    if not work.config.sms_two_way or form is None or not is_open:
        _screen_text(work, row, participant, text, address)
        if form is not None and not is_open:
            row.kind, row.assessment_id = "late", form.id
        if command == "language" and work.config.sms_two_way:
            row.kind = "command"
            text_answers.switch_language(work, participant)
            queue_question(work, row, participant, None, text_answers.help_text(work, participant))
        return
    form_session = form_access.session_by_text(work, form, participant, participant.language)
    if text_answers.is_too_soon(work, form):
        row.kind, row.reason, row.assessment_id = "unclear", "too_soon", form.id
        _screen_text(work, row, participant, text, address)
        return
    outcome = _take_reply(work, row, participant, form_session, text)
    if outcome is None:
        row.kind, row.assessment_id = "unclear", form.id
        _screen_text(work, row, participant, text, address)


def _is_about_death(work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, address: str) -> bool:
    """Return True for a report of a death, and for what is written after it until a person has called.

    Such a text is stored, screened and left to people: only an emergency is answered. The participant may be the
    writer, so that commands and a reply that is exactly one option work as always (docs/domain.md 5).
    """
    is_waiting = bool(death_reports.reported_deaths(work, [participant.id]))
    if text.strip().isdigit() and not is_waiting:
        # A code that answers a question reports nothing; screening each would cost time.
        return False
    if is_waiting and _is_one_option(work, participant, text):
        return False
    found = text_screening.screen_text(work, text, participant, address, row)
    if not is_waiting and not found.is_death:
        return False
    text_screening.note_flags(work, row, participant, found)
    if found.level is Level.EMERGENCY:
        _send_safety_if_needed(work, row, found, participant, address, participant.language)
    return True


def _is_one_option(work: UnitOfWork, participant: Participant, text: str) -> bool:
    """Return True if ``text`` is exactly one option of the question that was asked by text and is still open."""
    form = text_answers.last_asked_form(work, participant)
    if not work.config.sms_two_way or form is None or not _may_answer(work, participant, form):
        return False
    form_session = form_access.session_by_text(work, form, participant, participant.language)
    return chat_flow.is_one_option(work, form_state.read_form(work, form_session, participant.language), text)


def _screen_text(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, address: str
) -> Screening:
    """Screen a text for red flags, raise its alert, and send the safety sentence if it needs one."""
    found = text_screening.screen_text(work, text, participant, address, row)
    text_screening.note_flags(work, row, participant, found)
    _send_safety_if_needed(work, row, found, participant, address, participant.language)
    return found


def _stop_messages(work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, address: str) -> None:
    """Run a request for no more messages; the text is screened first, because it may say more.

    A sentence stays unread, so that staff see what else is in it.
    """
    _screen_text(work, row, participant, text, address)
    form = text_answers.last_asked_form(work, participant)
    row.kind = "command" if reply_parser.parse_command(text) == "stop" else "text"
    row.assessment_id = form.id if form else None
    _run_command(work, row, participant, "stop", address)


def _ask_by_phone(work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, address: str) -> None:
    """Have staff ask what a text means that may be a request for no more messages."""
    _screen_text(work, row, participant, text, address)
    form = text_answers.last_asked_form(work, participant)
    row.kind, row.reason, row.assessment_id = "text", "may_be_stop", form.id if form else None
    work.session.flush()
    missed_forms.make_call_task(work, participant, missed_forms.POSSIBLE_STOP_TASK, f"may_be_stop:{row.id}")


def _take_reply(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, form_session: FormSession, text: str
) -> ReplyOutcome | None:
    """Store the text as a reply of the conversation and queue the next message.

    Returns None, with nothing stored, if storing failed. A message that cannot be composed undoes no answer and no
    safety sentence, and a command that cannot be run waits for a reader.
    """
    try:
        with work.session.begin_nested():
            answer_service.renew_form(work, form_session, channel="sms")
            # A participant who continued elsewhere, or never got the question, did not answer the present item.
            item = None if text_answers.is_still_asked(work, participant, form_session) else NO_ITEM
            outcome = chat_flow.take_reply(
                work, form_session, text, channel="sms", language=participant.language, inbound=row, item=item
            )
    except Exception as error:
        # The text must be stored and screened after any error.
        log.error("reply by text failed error=%s", type(error).__name__)
        return None
    address = work.vault.open(row.address_sealed)
    if outcome.safety:
        _send_safety(work, row, participant, address, participant.language)
    try:
        with work.session.begin_nested():
            _continue_conversation(work, row, participant, form_session, outcome)
    except Exception as error:
        log.error("next message of a conversation not queued error=%s", type(error).__name__)
        if outcome.level is Level.EMERGENCY:
            _send_safety(work, row, participant, address, participant.language)
        if outcome.command:
            row.kind = "unclear"
    return outcome


def _continue_conversation(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, form_session: FormSession, outcome: ReplyOutcome
) -> None:
    """Send what follows a reply: the effect of a command, or the next question."""
    if outcome.command in ("stop", "start"):
        # "嗯，开始吧": with filler words around it a command is found by the parser of the answer.
        address = work.vault.open(row.address_sealed)
        _run_command(work, row, participant, "stop" if outcome.command == "stop" else "start", address)
        return
    text_answers.next_step(work, row, participant, form_session, outcome)


def _may_answer(work: UnitOfWork, participant: Participant, form: Assessment) -> bool:
    """Return True while the form that was asked by text is open, or its advice unconfirmed."""
    if not participant.is_active or form.cancelled_at is not None:
        return False
    if form.submitted_at is not None:
        query = select(Alert.id).where(Alert.assessment_id == form.id, Alert.advice != "", Alert.advised_at.is_(None))
        return work.session.scalar(query.limit(1)) is not None
    return form.closes_at >= work.now


def _run_command(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, command: CommandName, address: str
) -> None:
    """Run STOP, START or HELP; they work whatever other messages may be sent.

    A command that fails undoes nothing else, and its text waits for a reader.
    """
    try:
        with work.session.begin_nested():
            _run_command_now(work, row, participant, command, address)
    except Exception as error:
        log.error("command by text failed error=%s", type(error).__name__)
        row.kind = "unclear"


def _run_command_now(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, command: CommandName, address: str
) -> None:
    if command == "stop":
        was_opted_out = participant.opted_out_at is not None
        participation_end.opt_out(work, participant, "by text")
        out = None if was_opted_out else ReplyDraft("stopped", {}, f"reply:{row.id}", participant.language)
    elif command == "start":
        participation_end.opt_in(work, participant, "by text")
        out = ReplyDraft("started", {}, f"reply:{row.id}", participant.language)
    else:
        template, params = text_answers.help_text(work, participant)
        out = ReplyDraft(template, params, f"reply:{row.id}", participant.language)
    if out is not None:
        queue_reply(work, out, address, participant)


def _take_command(
    work: UnitOfWork, row: IncomingMessage, participant: Participant, text: str, command: CommandName, address: str
) -> None:
    """Run START or HELP; what is more than the bare word ("HELP!!!", "Help 🆘") is screened first.

    A cry for help stays unread and is answered by advice only, not by how to use the study.
    """
    is_bare = reply_parser.is_bare_command(text)
    is_cry = not is_bare and bool(_screen_text(work, row, participant, text, address).hits)
    row.kind = "text" if is_cry else "command"
    if command != "help" or not is_cry:
        _run_command(work, row, participant, command, address)


def _send_safety_if_needed(
    work: UnitOfWork,
    row: IncomingMessage,
    found: Screening,
    participant: Participant | None,
    address: str,
    language: str,
) -> None:
    """Send the safety sentence if the screening requires it."""
    block = text_screening.advice_on(work, participant, found)
    takes = work.config.sms_two_way and work.catalogue.gateway.accepts("advice", language)
    if participant is not None and block and takes:
        _send_advice(work, row, participant, address, block)
    elif text_screening.needs_advice(found):
        _send_safety(work, row, participant, address, language)


def _send_advice(work: UnitOfWork, row: IncomingMessage, participant: Participant, address: str, block: str) -> None:
    """Send what the form would show for this emergency, each block at most once an hour to one number."""
    text = chat_wording.advice_text(work, participant, block, participant.language)
    prefix = f"advice:{row.fingerprint[:32]}:{block}:"
    earlier = _earlier_advice(work, row.fingerprint)
    mine = [one for one in earlier if one.dedupe_key.startswith(prefix)]
    # The conversation shows the same block, with how to go on below it.
    if any(_is_recent(work, one) and (one in mine or _begins_with(work, one, text)) for one in earlier):
        return
    out = ReplyDraft("advice", {"text": text}, f"{prefix}{len(mine)}", participant.language)
    queue_reply(work, out, address, participant)


def _earlier_advice(work: UnitOfWork, fingerprint: str) -> list[Message]:
    """Return the safety sentences and advice to the number with ``fingerprint``, oldest first."""
    query = select(Message).where(Message.address_fingerprint == fingerprint, Message.template.in_(URGENT_ADVICE))
    return list(work.session.scalars(query.order_by(Message.id)))


def _is_recent(work: UnitOfWork, message: Message) -> bool:
    """Return True if the message is younger than SAFETY_PAUSE and did not fail."""
    return message.queued_at > work.now - SAFETY_PAUSE and message.failed_at is None


def _begins_with(work: UnitOfWork, message: Message, text: str) -> bool:
    """Return True for a message of advice that begins with ``text``."""
    params = json.loads(work.vault.open(message.params_sealed))
    return message.template == "advice" and str(params.get("text", "")).startswith(text)


def _send_safety(
    work: UnitOfWork, row: IncomingMessage, participant: Participant | None, address: str, language: str
) -> None:
    """Send the fixed safety sentence, at most once an hour to one number. Never raises.

    It is sent at night, above the daily limit and after STOP as well.
    """
    try:
        with work.session.begin_nested():
            _queue_safety(work, row, participant, address, language)
    except Exception as error:
        log.error("safety sentence not queued error=%s", type(error).__name__)


def _queue_safety(
    work: UnitOfWork, row: IncomingMessage, participant: Participant | None, address: str, language: str
) -> None:
    prefix = f"safety:{row.fingerprint[:32]}:"
    mine = [one for one in _earlier_advice(work, row.fingerprint) if one.dedupe_key.startswith(prefix)]
    if any(_is_recent(work, one) for one in mine):
        return
    plan = text_screening.plan_of(work, participant) or next(iter(work.catalogue.plans.values()))
    # Numbered, so that two texts at once lead to one message.
    at = clock_time(work.now, participant.time_zone if participant else plan.settings.time_zone)
    out = ReplyDraft("safety", {"at": at, "emergency": plan.settings.emergency}, f"{prefix}{len(mine)}", language)
    queue_reply(work, out, address, participant)
