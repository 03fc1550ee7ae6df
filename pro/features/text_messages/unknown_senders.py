"""Texts of unknown numbers: staff read them and assign them to a participant, or dismiss them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.triage import escalation_steps
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.alerts import message_reading, text_screening
from pro.features.alerts.message_reading import IncomingText
from pro.features.duty_roster import notifications, recipients
from pro.messaging import outbox
from pro.models import Alert, AuditEntry, IncomingMessage, Message, Participant, StaffMember

log = logging.getLogger(__name__)
REASON_LENGTH = 500
ASSIGNED, SET_ASIDE = "inbound.assigned", "inbound.set_aside"


@dataclass(frozen=True, slots=True)
class UnknownSenderText:
    """A text of an unknown number that waits for a reader. ``overdue``: for more than a working day."""

    text: IncomingText
    overdue: bool


@dataclass(frozen=True, slots=True)
class QuarantineAction:
    """What a person did with it: ``action`` is ASSIGNED or SET_ASIDE."""

    action: str
    at: datetime
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownTextPage:
    """One text. ``phone``: the number in E.164 for those who may see it.

    ``others``: more texts of this number that wait, by row. ``people``: id and study number of everybody it could be;
    ``likely``: those who are enrolled with this number. ``owner``: id and number of whom it was filed under.
    """

    text: IncomingText
    phone: str | None
    overdue: bool
    others: list[int]
    people: list[tuple[int, str]]
    likely: list[str]
    owner: tuple[int, str] | None
    done: list[QuarantineAction]
    can_assign: bool


def quarantined_texts(work: UnitOfWork) -> list[UnknownSenderText]:
    """What waits in quarantine, the loudest first, then the one that waits longest."""
    return [
        UnknownSenderText(message_reading.open_message(work, row), _is_overdue(work, row))
        for row in _quarantined_rows(work, Level.NONE)
    ]


def urgent_quarantine(work: UnitOfWork) -> list[IncomingMessage]:
    """What waits in quarantine and was screened urgent or louder, the loudest first."""
    return _quarantined_rows(work, Level.URGENT)


def notify_urgent_quarantine(work: UnitOfWork) -> int:
    """Email the recipients of an urgent alert about each loud text in quarantine; how many mails were queued.

    Its study is unknown: every plan's people are notified, each person once a text. While it is unread,
    the ladder widens the circle.
    """
    return sum(notify_quarantined_text(work, row) for row in urgent_quarantine(work))


def notify_quarantined_text(work: UnitOfWork, row: IncomingMessage) -> int:
    """The same of one loud text, for a caller that has just kept it and does not wait for the worker."""
    level = Level(row.level)
    people: dict[int, StaffMember] = {}
    for plan in work.catalogue.plans.values():
        people |= {person.id: person for person in _staff_to_notify(work, plan, level, row.received_at)}
    if not people:
        log.error("a text of level %s from an unknown number has nobody to go to", level.word)
    keys = {f"{_dedupe_prefix(row.id)}{person.id}": person for person in people.values()}
    known = set(work.session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.in_(keys))))
    params = {"level": level.word, "link": f"{work.config.base_url}/staff/inbox/unmatched/{row.id}"}
    queued = 0
    for key, person in keys.items():
        if key not in known:
            queued += (
                notifications.queue_staff_message(work, person, "inbound_unknown", params, key, as_alert=True)
                is not None
            )
    return queued


def unknown_text_page(work: UnitOfWork, inbound_id: int) -> UnknownTextPage:
    """One text of a number that was unknown. NotFound for any other. That it was seen is recorded."""
    row = work.session.get(IncomingMessage, inbound_id)
    done = _quarantine_actions(work, inbound_id)
    if row is None or (row.participant_id is not None and not done):
        raise NotFound("inbound")
    work.record("inbound.seen", row, participant_id=row.participant_id)
    owner = work.session.get(Participant, row.participant_id) if row.participant_id else None
    query = select(Participant).order_by(Participant.study_number, Participant.id)
    everybody = list(work.session.scalars(query))
    sees_identity = staff_accounts.has_right(work.actor.role, "see_identity")
    others = select(IncomingMessage.id).where(
        IncomingMessage.fingerprint == row.fingerprint,
        IncomingMessage.id != row.id,
        IncomingMessage.participant_id.is_(None),
        IncomingMessage.read_at.is_(None),
    )
    return UnknownTextPage(
        text=message_reading.open_message(work, row),
        phone=work.vault.open(row.address_sealed) if sees_identity and row.channel == "sms" else None,
        overdue=row.read_at is None and _is_overdue(work, row),
        others=list(work.session.scalars(others.order_by(IncomingMessage.id))),
        people=[(person.id, person.study_number) for person in everybody],
        likely=[person.study_number for person in everybody if person.phone_fingerprint == row.fingerprint],
        owner=(owner.id, owner.study_number) if owner else None,
        done=done,
        can_assign=staff_accounts.has_right(work.actor.role, "assign_text"),
    )


def assign_text(work: UnitOfWork, inbound_id: int, participant_id: int | None, reason: str) -> IncomingMessage:
    """File a text under a participant. It is never taken for an answer; its red flags become that person's alert.

    NotFound, NotAllowed("assigned"), BadData("assign", fields=...) for no participant chosen, no reason or an endless
    one.
    """
    row = _open_row(work, inbound_id)
    person = work.session.get(Participant, participant_id) if participant_id is not None else None
    wrong = {"participant": "" if person else "who_wrote", "reason": _wrong_reason(reason)}
    if person is None or any(wrong.values()):
        raise BadData("assign", fields={field: why for field, why in wrong.items() if why})
    row.participant_id = person.id
    _mark_read(work, row)
    work.record(
        ASSIGNED, row, participant_id=person.id, old=None, new={"participant": person.id}, reason=reason.strip()
    )
    _raise_alert(work, row, person)
    return row


def dismiss_text(work: UnitOfWork, inbound_id: int, reason: str) -> IncomingMessage:
    """Dismiss a text that is not of the study: it is read, kept, and waits no more. Failures as ``assign``."""
    row = _open_row(work, inbound_id)
    why = _wrong_reason(reason)
    if why:
        raise BadData("set_aside", fields={"reason": why})
    _mark_read(work, row)
    work.record(SET_ASIDE, row, reason=reason.strip())
    return row


def _quarantined_rows(work: UnitOfWork, least: Level) -> list[IncomingMessage]:
    query = (
        select(IncomingMessage)
        .where(
            IncomingMessage.participant_id.is_(None),
            message_reading.unread_condition(),
            IncomingMessage.level >= int(least),
        )
        .order_by(IncomingMessage.level.desc(), IncomingMessage.received_at, IncomingMessage.id)
    )
    return list(work.session.scalars(query))


def _staff_to_notify(work: UnitOfWork, plan: StudyPlan, level: Level, since: datetime) -> list[StaffMember]:
    """Whom the ladder of ``plan`` has told by now about something of ``level`` that came at ``since``."""
    steps = [step for step in plan.ladder if step.level is level and step.at_once]
    steps += [
        rung.step
        for rung in escalation_steps.due_steps(
            plan.ladder, level, since, work.now, escalation_steps.working_hours(plan.settings)
        )
    ]
    return recipients.recipients_of(work, plan, steps)


def _dedupe_prefix(inbound_id: int) -> str:
    return f"unknown:{inbound_id}:email:"


def _is_overdue(work: UnitOfWork, row: IncomingMessage) -> bool:
    return any(message_reading.is_overdue(work, plan, row.received_at) for plan in work.catalogue.plans.values())


def _open_row(work: UnitOfWork, inbound_id: int) -> IncomingMessage:
    """The row, held, as long as it is not assigned."""
    row = work.session.get(IncomingMessage, inbound_id)
    if row is None:
        raise NotFound("inbound")
    work.lock(row)
    if row.participant_id is not None:
        raise NotAllowed("assigned")
    return row


def _wrong_reason(reason: str) -> str:
    return "assign_reason" if not reason.strip() else "too_long" if len(reason.strip()) > REASON_LENGTH else ""


def _mark_read(work: UnitOfWork, row: IncomingMessage) -> None:
    """The acting person has read it; mails about it that were not sent yet are not needed."""
    row.read_at, row.read_by = row.read_at or work.now, row.read_by or work.actor.id
    outbox.drop_messages(work, Message.dedupe_key.startswith(_dedupe_prefix(row.id), autoescape=True), "taken_on")


def _raise_alert(work: UnitOfWork, row: IncomingMessage, person: Participant) -> None:
    """The red flags of a text that was filed become an alert of the participant, unless there is one."""
    known = select(func.count(Alert.id)).where(Alert.source == f"{text_screening.TEXT_CASE_PREFIX}{row.id}")
    if not work.session.scalar(known):
        text_screening.raise_text_alert(work, row, person)


def _quarantine_actions(work: UnitOfWork, inbound_id: int) -> list[QuarantineAction]:
    names = staff_accounts.staff_names(work)
    query = (
        select(AuditEntry)
        .where(
            AuditEntry.subject == IncomingMessage.__tablename__,
            AuditEntry.subject_id == inbound_id,
            AuditEntry.action.in_((ASSIGNED, SET_ASIDE)),
        )
        .order_by(AuditEntry.id)
    )
    return [
        QuarantineAction(event.action, event.at, names.get(event.actor_id or 0, ""), event.reason)
        for event in work.session.scalars(query)
    ]
