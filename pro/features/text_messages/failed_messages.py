"""Messages that reached nobody, until somebody has seen to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from pro.app_context import UnitOfWork
from pro.errors import NotFound
from pro.features.alerts import alert_drills
from pro.messaging import message_templates
from pro.models import Alert, Message, Participant, Staff

# An alert's mail that failed this often is shown, although it is tried again for a day.
TRIED_IN_VAIN = 3
# Drills stand on top of the board themselves: phoning somebody instead would prove nothing. Invitations stand in the
# list of people, where administrators see them.
ELSEWHERE = (*alert_drills.TOLD, "staff_invitation")
MOST = 50


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A message that reached nobody, or an alert's mail that was tried in vain and is tried again (``waiting``).

    ``participant_id``: whom it is to or about, if anybody. ``who``: a staff name or a study number, never an address.
    ``reason``: a sentence in the reader's language.
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
class Failed:
    """The newest MOST; ``number`` is of all."""

    messages: list[FailedMessage]
    number: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it: "" it is off the board now. Else nothing was changed: "before" ``name`` had done it, ``at``;
    "arrived" it was sent since.
    """

    why: str = ""
    name: str = ""
    at: datetime | None = None


def failed(work: UnitOfWork, language: str, study: str = "") -> Failed:
    """What nobody has seen to. What is about a closed alert, or somebody who left or died, asks for nothing more.

    ``study``: a plan's id; what is about nobody belongs to every study.
    """
    query = (
        select(Message, Participant.study_number, Staff.name)
        .outerjoin(Participant, Participant.id == Message.participant_id)
        .outerjoin(Alert, Alert.id == Message.alert_id)
        .outerjoin(Staff, Staff.id == Message.staff_id)
        .where(*_waiting(study))
        .order_by(Message.id.desc())
        .limit(MOST)
    )
    translator = work.house.catalogs.translator(language)
    rows = [
        FailedMessage(
            id=message.id,
            participant_id=message.participant_id,
            who=study_number or name or "",
            channel=message.channel,
            template=message.template,
            reason=message_templates.failure_sentence(message.failure, translator),
            failed_at=message.failed_at or message.queued_at,
            waiting=message.failed_at is None,
        )
        for message, study_number, name in work.session.execute(query)
    ]
    return Failed(rows, len(rows) if len(rows) < MOST else _number(work, study))


def settle(work: UnitOfWork, message_id: int) -> Settled:
    """Somebody has done what the failure asked for, mostly phoned. NotFound for a message that never failed."""
    message = work.session.get(Message, message_id, with_for_update=True, populate_existing=True)
    if message is None or message.template in ELSEWHERE:
        raise NotFound("message")
    if message.failed_at is None and message.sent_at is not None:
        return Settled("arrived")
    if message.failed_at is None and not _tried(message):
        raise NotFound("message")
    if message.settled_at is not None:
        first = work.session.get(Staff, message.settled_by or 0)
        return Settled("before", first.name if first else "", message.settled_at)
    message.settled_at, message.settled_by = work.now, work.actor.id
    new = {"channel": message.channel, "template": message.template}
    work.record("message.settled", message, participant_id=message.participant_id, new=new)
    return Settled()


def _number(work: UnitOfWork, study: str) -> int:
    query = select(func.count()).select_from(Message).outerjoin(Participant, Participant.id == Message.participant_id)
    return work.session.scalar(query.outerjoin(Alert, Alert.id == Message.alert_id).where(*_waiting(study))) or 0


def _waiting(study: str) -> tuple[ColumnElement[bool], ...]:
    # By failed_at either half has an index of its own: sent messages are millions.
    in_vain = and_(
        Message.failed_at.is_(None),
        Message.repeat == "prefer_duplicate",
        Message.sent_at.is_(None),
        Message.dropped_at.is_(None),
        Message.tries >= TRIED_IN_VAIN,
    )
    return (
        Message.settled_at.is_(None),
        or_(Message.failed_at.is_not(None), in_vain),
        Message.template.not_in(ELSEWHERE),
        Alert.resolved_at.is_(None),
        *((_about(study),) if study else ()),
        or_(Message.alert_id.is_not(None), and_(Participant.withdrawn_at.is_(None), Participant.died_at.is_(None))),
    )


def _about(study: str) -> ColumnElement[bool]:
    theirs = select(Participant.id).where(Participant.plan == study)
    nobody = and_(Message.participant_id.is_(None), Message.alert_id.is_(None))
    return or_(Message.participant_id.in_(theirs), Alert.participant_id.in_(theirs), nobody)


def _tried(message: Message) -> bool:
    return message.repeat == "prefer_duplicate" and message.dropped_at is None and message.tries >= TRIED_IN_VAIN
