"""Read conversations: texts between a participant and the study team, in order of time.

The inbox lists the conversations; both include texts that were written into forms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import Select, func, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.json_values import read_value
from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.accounts import staff_accounts
from pro.features.alerts import message_reading
from pro.features.alerts.alert_page import phone_of, shown_answer
from pro.features.alerts.evaluation import FREE_TEXT, text_mark
from pro.features.alerts.message_reading import IncomingText, RedFlag
from pro.features.forms.form_state import form_words
from pro.features.text_messages import staff_replies, unknown_senders
from pro.features.text_messages.unknown_senders import UnknownSenderText
from pro.messaging import message_rendering
from pro.models import Alert, Answer, Assessment, AuditEntry, IncomingMessage, Message, Participant

# Number of newest entries that are shown unless all are requested.
MAX_ENTRIES = 60
MASK = "****"
# Parameters of messages that open a form.
SECRETS = ("link", "code")
# Links with a path and access codes that the parameters do not name.
_SECRET = re.compile(r"https?://[^\s/]+/\S+|\b[3-9A-HJKMNPQRSTWXY]{4}-[3-9A-HJKMNPQRSTWXY]{4}\b")
# An answer is stored within this time after the text that it came from.
WRITTEN_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ReceivedEntry:
    """An incoming text.

    ``taken_for``: the question and answer that the text was read as, in words; "" if it was no answer.
    """

    kind: ClassVar[str] = "in"
    at: datetime
    text: IncomingText
    taken_for: str


@dataclass(frozen=True, slots=True)
class SentEntry:
    """An outgoing message, with links and codes masked.

    ``status``: waiting, sent, delivered, failed or dropped, since ``status_at``. ``reason``: why it failed or was not
    sent, as a sentence. ``written_by``: the staff member who sent it, "" for the system.
    """

    kind: ClassVar[str] = "out"
    at: datetime
    text: str
    template: str
    channel: str
    status: str
    status_at: datetime
    reason: str
    written_by: str


@dataclass(frozen=True, slots=True)
class FormTextEntry:
    """A text that the participant wrote into a form.

    ``alert_id``: the alert in which staff read the text. ``read_by``: who acknowledged it, "" for none. ``replaced``:
    the participant changed or withdrew the text later.
    """

    kind: ClassVar[str] = "form"
    at: datetime
    text: str
    assessment_id: int
    title: str
    question: str
    level: Level
    flags: tuple[RedFlag, ...]
    alert_id: int | None
    read_by: str
    replaced: bool


ConversationEntry = ReceivedEntry | SentEntry | FormTextEntry


@dataclass(frozen=True, slots=True)
class Conversation:
    """The conversation with one participant, oldest entry first.

    ``earlier``: the number of older entries that are left out. ``unread``: ids of unread texts. ``fixed``: fixed texts
    that may be sent, by kind, in the participant's language. ``free``: free text may be sent. ``why_not``: why no text
    can be sent, as ``staff_replies.reply_refusal``.
    """

    participant_id: int
    participant_number: str
    language: str
    status: str
    phone: str | None
    entries: list[ConversationEntry]
    earlier: int
    unread: list[int]
    oldest_unread_at: datetime | None
    overdue: bool
    can_reply: bool
    why_not: str
    fixed: Mapping[str, str]
    free: bool


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation in the inbox.

    ``level``: the highest level of unread texts. ``last``: the newest text; with unread ones, the newest of the highest
    level.
    """

    participant_id: int
    participant_number: str
    unread: int
    oldest_unread_at: datetime | None
    overdue: bool
    level: Level
    last: IncomingText


@dataclass(frozen=True, slots=True)
class Inbox:
    """Texts of unknown numbers, highest level first, then one row for each conversation."""

    unmatched: list[UnknownSenderText]
    conversations: list[ConversationRow]


def read_inbox(work: UnitOfWork, *, unread_only: bool = False) -> Inbox:
    """Return the inbox: every participant who ever wrote.

    Conversations with unread texts come first, by level, then by waiting time. ``unread_only``: leave out the others.
    """
    waiting = _rows_by_participant(
        work,
        select(IncomingMessage).where(message_reading.unread_condition(), IncomingMessage.participant_id.is_not(None)),
    )
    unread = sorted(
        (_conversation_row(work, person, rows) for person, rows in waiting),
        key=lambda row: (-row.level, row.oldest_unread_at),
    )
    if unread_only:
        return Inbox(unknown_senders.quarantined_texts(work), unread)
    newest = (
        select(func.max(IncomingMessage.id))
        .where(IncomingMessage.participant_id.is_not(None))
        .group_by(IncomingMessage.participant_id)
    )
    known = {row.participant_id for row in unread}
    others = _rows_by_participant(
        work,
        select(IncomingMessage).where(IncomingMessage.id.in_(newest), IncomingMessage.participant_id.not_in(known)),
    )
    read = sorted(
        (_conversation_row(work, person, rows) for person, rows in others), key=lambda row: row.last.at, reverse=True
    )
    return Inbox(unknown_senders.quarantined_texts(work), unread + read)


def _rows_by_participant(
    work: UnitOfWork, query: Select[IncomingMessage]
) -> list[tuple[Participant, list[IncomingMessage]]]:
    """Return each participant of ``query`` with the rows, oldest first."""
    found: dict[int, list[IncomingMessage]] = {}
    for row in work.session.scalars(query.order_by(IncomingMessage.received_at, IncomingMessage.id)):
        found.setdefault(row.participant_id or 0, []).append(row)
    people = work.session.scalars(select(Participant).where(Participant.id.in_(found)))
    return [(person, found[person.id]) for person in people]


def _conversation_row(work: UnitOfWork, person: Participant, rows: Sequence[IncomingMessage]) -> ConversationRow:
    unread = [row for row in rows if message_reading.is_unread(row)]
    oldest = unread[0].received_at if unread else None
    return ConversationRow(
        participant_id=person.id,
        participant_number=person.participant_number,
        unread=len(unread),
        oldest_unread_at=oldest,
        overdue=oldest is not None and message_reading.is_overdue(work, work.catalogue.plans.get(person.plan), oldest),
        level=Level(max((row.level for row in unread), default=Level.NONE)),
        last=message_reading.open_message(
            work, max(rows, key=lambda row: (row.level if unread else 0, row.received_at, row.id))
        ),
    )


def read_conversation(
    work: UnitOfWork, participant_id: int, language: str, *, everything: bool = False
) -> Conversation:
    """Return the conversation with one participant, and record that it was seen.

    ``everything``: include entries older than the newest 60. Raises NotFound for an unknown participant.
    """
    person = work.session.get(Participant, participant_id)
    if person is None:
        raise NotFound("participant")
    work.record("participant.seen", person, participant_id=person.id)
    rows = list(
        work.session.scalars(
            select(IncomingMessage)
            .where(IncomingMessage.participant_id == person.id)
            .order_by(IncomingMessage.received_at, IncomingMessage.id)
        )
    )
    waiting = [row for row in rows if message_reading.is_unread(row)]
    oldest = waiting[0].received_at if waiting else None
    entries: list[ConversationEntry] = [
        *_received_entries(work, rows, language),
        *_sent_entries(work, person, language),
        *_form_text_entries(work, person, language),
    ]
    entries.sort(key=lambda entry: entry.at)
    # Unread texts are shown however old they are.
    start = 0 if everything else max(0, len(entries) - MAX_ENTRIES)
    first = next(
        (n for n, entry in enumerate(entries) if isinstance(entry, ReceivedEntry) and entry.text.unread), start
    )
    shown = entries[min(start, first) :]
    plan = work.catalogue.plans.get(person.plan)
    return Conversation(
        participant_id=person.id,
        participant_number=person.participant_number,
        language=person.language,
        status="died" if person.died_at else "withdrawn" if person.withdrawn_at else "active",
        phone=phone_of(work, person),
        entries=shown,
        earlier=len(entries) - len(shown),
        unread=[row.id for row in waiting],
        oldest_unread_at=oldest,
        overdue=oldest is not None and message_reading.is_overdue(work, plan, oldest),
        can_reply=staff_accounts.has_right(work.actor.role, "reply_text"),
        why_not=staff_replies.reply_refusal(work, person),
        fixed=staff_replies.fixed_texts(work, person) if plan else {},
        free=staff_replies.may_send_free_text(work, person),
    )


def mark_read(work: UnitOfWork, participant_id: int, ids: Sequence[int]) -> int:
    """Mark the texts ``ids`` of a participant as read by the acting person.

    Returns how many of them were unread.
    """
    return message_reading.mark_read(
        work, (IncomingMessage.participant_id == participant_id) & IncomingMessage.id.in_(ids)
    )


def _received_entries(work: UnitOfWork, rows: Sequence[IncomingMessage], language: str) -> list[ReceivedEntry]:
    return [
        ReceivedEntry(row.received_at, message_reading.open_message(work, row), _understood_as(work, row, language))
        for row in rows
    ]


def _understood_as(work: UnitOfWork, row: IncomingMessage, language: str) -> str:
    """Return the question and the answer that a text was read as, or ""."""
    assessment = work.session.get(Assessment, row.assessment_id) if row.assessment_id else None
    if assessment is None or row.kind != "answer":
        return ""
    item = work.catalogue.shown_instrument(assessment.instrument).items.get(row.item)
    if item is None:
        return ""
    words = form_words(work, assessment, language).items[row.item]
    query = (
        select(Answer)
        .where(
            Answer.assessment_id == assessment.id,
            Answer.item == row.item,
            Answer.at >= row.received_at,
            Answer.at <= row.received_at + WRITTEN_WITHIN,
            Answer.state != "withdrawn",
        )
        .order_by(Answer.id)
    )
    answer = work.session.scalar(query.limit(1))
    if answer is None:
        return words.plain
    gettext = work.app_context.catalogs.translator(language).gettext
    said = gettext("Skipped")
    if answer.state == "given":
        said = shown_answer(work, item, words, read_value(item, answer.value), language)
    return gettext("%(question)s %(answer)s", question=words.plain, answer=said)


def _sent_entries(work: UnitOfWork, person: Participant, language: str) -> list[SentEntry]:
    translator = work.app_context.catalogs.translator(language)
    messages = list(work.session.scalars(select(Message).where(Message.participant_id == person.id)))
    writers = _writers(work, [row.id for row in messages])
    return [
        SentEntry(
            at=row.queued_at,
            text=mask_secrets(work, row),
            template=row.template,
            channel=row.channel,
            status=row.status,
            status_at=row.failed_at or row.dropped_at or row.delivered_at or row.sent_at or row.queued_at,
            reason=message_rendering.failure_sentence(row.failure, translator),
            written_by=writers.get(row.id, ""),
        )
        for row in messages
    ]


def _writers(work: UnitOfWork, messages: Sequence[int]) -> dict[int, str]:
    """Return the sender's name of each message that staff sent, by message id."""
    names = staff_accounts.staff_names(work)
    query = select(AuditEntry.subject_id, AuditEntry.actor_id).where(
        AuditEntry.subject == "message", AuditEntry.subject_id.in_(messages), AuditEntry.action == staff_replies.REPLIED
    )
    return {row[0] or 0: names.get(row[1] or 0, "") for row in work.session.execute(query)}


def mask_secrets(work: UnitOfWork, message: Message) -> str:
    """Return an outgoing message as it was sent, with links and codes masked."""
    text = work.vault.open(message.body_sealed)
    params = json.loads(work.vault.open(message.params_sealed))
    for name in SECRETS:
        if params.get(name):
            text = text.replace(str(params[name]), MASK)
    return _SECRET.sub(MASK, text)


def _form_text_entries(work: UnitOfWork, person: Participant, language: str) -> list[FormTextEntry]:
    """Return the free texts of the participant's forms.

    Answers by text message are left out, because the conversation holds them as texts.
    """
    query = select(Assessment).where(Assessment.participant_id == person.id, Assessment.first_answer_at.is_not(None))
    forms = {row.id: row for row in work.session.scalars(query)}
    asked = {
        (row.id, name)
        for row in forms.values()
        for name, item in work.catalogue.shown_instrument(row.instrument).items.items()
        if item.kind == "text"
    }
    if not asked:
        return []
    names = {name for _form, name in asked}
    answers = select(Answer).where(Answer.assessment_id.in_(forms), Answer.item.in_(names)).order_by(Answer.id)
    rows = [row for row in work.session.scalars(answers) if (row.assessment_id, row.item) in asked]
    newest = {(row.assessment_id, row.item): row.id for row in rows}
    received = select(IncomingMessage).where(IncomingMessage.assessment_id.in_(forms), IncomingMessage.item.in_(names))
    received_texts = {
        (row.assessment_id, row.item, work.vault.open(row.text_sealed).strip())
        for row in work.session.scalars(received)
    }
    alerts = select(Alert).where(
        Alert.assessment_id.in_(forms), Alert.rule == FREE_TEXT, Alert.incoming_message_id.is_(None)
    )
    # Each text that was written differently has an alert of its own.
    raised = {
        (alert.assessment_id, alert.inputs.get("text")): alert
        for alert in work.session.scalars(alerts.order_by(Alert.id))
    }
    staff = staff_accounts.staff_names(work)
    found = []
    for row in rows:
        said = str(row.value or "").strip()
        if row.state != "given" or not said or (row.assessment_id, row.item, said) in received_texts:
            continue
        form, alert = forms[row.assessment_id], raised.get((row.assessment_id, text_mark(work, row.item, said)))
        words = form_words(work, form, language)
        found.append(
            FormTextEntry(
                at=form.answered_at or row.at,
                text=said,
                assessment_id=form.id,
                title=work.catalogue.staff_title(form.instrument, language),
                question=words.items[row.item].plain,
                level=Level(alert.level) if alert else Level.NONE,
                flags=message_reading.red_flags_of(alert.inputs.get("saw", [])) if alert else (),
                alert_id=alert.id if alert else None,
                read_by=staff.get(alert.acknowledged_by or 0, "") if alert else "",
                replaced=newest[row.assessment_id, row.item] != row.id,
            )
        )
    return found
