"""List failed messages, and settle them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from pro.app_context import UnitOfWork
from pro.errors import NotFound
from pro.features.alerts import test_alerts
from pro.messaging import message_rendering
from pro.models import Alert, Message, Participant, StaffMember

# An alert's email with this many failed tries is shown, although it is tried again for a day.
SHOWN_AFTER_TRIES = 3
# The to-do list shows test alerts on their own, and a phone call in their place would prove nothing. Administrators see
# staff invitations on the page of accounts. A lost link for a new password is asked for again.
EXCLUDED_TEMPLATES = (*test_alerts.ON_CALL_TEMPLATES, "staff_invitation", "staff_reset")
MAX_SHOWN = 50


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A failed message, or an alert's email that failed and is tried again (``waiting``).

    ``participant_id``: the participant whom it is to or about, if any. ``who``: a staff name or a participant number,
    never an address. ``reason``: a sentence in the reader's language.
    """

    id: int
    participant_id: int | None
    who: str
    channel: str
    template: str
    reason: str
    failed_at: datetime
    waiting: bool


@dataclass(frozen=True, slots=True)
class FailedMessageList:
    """The newest failed messages; ``number`` counts all of them."""

    messages: list[FailedMessage]
    number: int


@dataclass(frozen=True, slots=True)
class SettlementResult:
    """The result of settling a message.

    ``why``: "" if it is settled now. Otherwise nothing changed: "before" (``name`` settled it ``at``) or "arrived" (it
    was sent meanwhile).
    """

    why: str = ""
    name: str = ""
    at: datetime | None = None


def list_failed_messages(work: UnitOfWork, language: str, study: str = "") -> FailedMessageList:
    """Return failed messages that are not settled, newest first.

    Messages about a closed alert, or a participant who left or died, are left out. ``study``: a study plan's id;
    messages about no participant belong to every study.
    """
    query = (
        select(Message, Participant.participant_number, StaffMember.name)
        .outerjoin(Participant, Participant.id == Message.participant_id)
        .outerjoin(Alert, Alert.id == Message.alert_id)
        .outerjoin(StaffMember, StaffMember.id == Message.staff_id)
        .where(*_unsettled_conditions(study))
        .order_by(Message.id.desc())
        .limit(MAX_SHOWN)
    )
    translator = work.app_context.catalogs.translator(language)
    rows = [
        FailedMessage(
            id=message.id,
            participant_id=message.participant_id,
            who=participant_number or name or "",
            channel=message.channel,
            template=message.template,
            reason=message_rendering.failure_sentence(message.failure, translator),
            failed_at=message.failed_at or message.queued_at,
            waiting=message.failed_at is None,
        )
        for message, participant_number, name in work.session.execute(query)
    ]
    return FailedMessageList(rows, len(rows) if len(rows) < MAX_SHOWN else _count_failed(work, study))


def settle_message(work: UnitOfWork, message_id: int) -> SettlementResult:
    """Mark a failed message as settled: its purpose is met, usually by a phone call.

    Raises NotFound for a message that never failed.
    """
    message = work.session.get(Message, message_id, with_for_update=True, populate_existing=True)
    if message is None or message.template in EXCLUDED_TEMPLATES:
        raise NotFound("message")
    if message.failed_at is None and message.sent_at is not None:
        return SettlementResult("arrived")
    if message.failed_at is None and not _is_still_tried(message):
        raise NotFound("message")
    if message.settled_at is not None:
        first = work.session.get(StaffMember, message.settled_by or 0)
        return SettlementResult("before", first.name if first else "", message.settled_at)
    message.settled_at, message.settled_by = work.now, work.actor.id
    new = {"channel": message.channel, "template": message.template}
    work.record("message.settled", message, participant_id=message.participant_id, new=new)
    return SettlementResult()


def _count_failed(work: UnitOfWork, study: str) -> int:
    query = select(func.count()).select_from(Message).outerjoin(Participant, Participant.id == Message.participant_id)
    return (
        work.session.scalar(query.outerjoin(Alert, Alert.id == Message.alert_id).where(*_unsettled_conditions(study)))
        or 0
    )


def _unsettled_conditions(study: str) -> tuple[ColumnElement[bool], ...]:
    # Each half can use an index by failed_at, because the table holds millions of sent messages.
    """Return the conditions for failed messages that are not settled."""
    failed_often = and_(
        Message.failed_at.is_(None),
        Message.repeat == "prefer_duplicate",
        Message.sent_at.is_(None),
        Message.dropped_at.is_(None),
        Message.tries >= SHOWN_AFTER_TRIES,
    )
    return (
        Message.settled_at.is_(None),
        or_(Message.failed_at.is_not(None), failed_often),
        Message.template.not_in(EXCLUDED_TEMPLATES),
        Alert.closed_at.is_(None),
        *((_study_condition(study),) if study else ()),
        or_(Message.alert_id.is_not(None), and_(Participant.withdrawn_at.is_(None), Participant.died_at.is_(None))),
    )


def _study_condition(study: str) -> ColumnElement[bool]:
    """Return the condition for messages about participants of ``study``, or about none."""
    theirs = select(Participant.id).where(Participant.plan == study)
    without_person = and_(Message.participant_id.is_(None), Message.alert_id.is_(None))
    return or_(Message.participant_id.in_(theirs), Alert.participant_id.in_(theirs), without_person)


def _is_still_tried(message: Message) -> bool:
    """Return True for an alert's email that failed often and is tried again."""
    return message.repeat == "prefer_duplicate" and message.dropped_at is None and message.tries >= SHOWN_AFTER_TRIES
