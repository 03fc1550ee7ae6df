"""Quarantine: read texts of unknown numbers, assign them to participants, or dismiss them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal_column, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import staff_accounts
from pro.features.alerts import message_reading, text_screening
from pro.features.alerts.message_reading import IncomingText
from pro.features.duty_roster import escalation, recipients
from pro.features.duty_roster.escalation import StaffNotice, WaitingCase
from pro.messaging import outbox
from pro.models import AuditEntry, IncomingMessage, Message, Participant

log = logging.getLogger(__name__)
REASON_LENGTH = 500
# Written as a literal, as in the index of the messages about a case, which SQLite uses only so.
_HAS_CASE = Message.case_key != literal_column("''")
ASSIGNED, SET_ASIDE = "incoming_message.assigned", "incoming_message.set_aside"


@dataclass(frozen=True, slots=True)
class UnknownSenderText:
    """An unread text of an unknown number; ``overdue``: for more than a working day."""

    text: IncomingText
    overdue: bool


@dataclass(frozen=True, slots=True)
class QuarantineAction:
    """What a staff member did with a text; ``action``: ASSIGNED or SET_ASIDE."""

    action: str
    at: datetime
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownTextPage:
    """One text of an unknown number.

    ``phone``: the number in E.164, None for a role that may not see it. ``others``: ids of further unread texts of this
    number. ``people``: id and number of every participant; ``likely``: numbers of those enrolled with this phone.
    ``owner``: id and number of the participant that it was assigned to.
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
    """Return unread texts in quarantine, by level, then by waiting time."""
    return [
        UnknownSenderText(message_reading.open_message(work, row), _is_overdue(work, row))
        for row in _quarantined_rows(work, Level.NONE)
    ]


def urgent_quarantine(work: UnitOfWork) -> list[IncomingMessage]:
    """Return unread texts in quarantine of level urgent or higher, highest level first."""
    return _quarantined_rows(work, Level.URGENT)


def notify_urgent_quarantine(work: UnitOfWork) -> int:
    """Queue what is due about the unread urgent texts in quarantine; return the number of emails queued.

    The texts of one number are one case: the first is announced at once, further ones together (docs/alerts.md 3). The
    study is unknown, so the recipients of every study plan are notified.
    """
    duty = None
    queued = 0
    for case in quarantine_cases(work):
        duty = duty or recipients.read_duty_state(work)
        try:
            with work.session.begin_nested():
                queued += escalation.queue_due_notices(work, case, duty)
        except Exception as error:
            log.error("notification of an unknown text failed error=%s", type(error).__name__)
    return queued


def notify_quarantined_text(work: UnitOfWork, row: IncomingMessage) -> None:
    """Queue what is due about the number of ``row``, which was just stored, without waiting for the worker.

    Never raises: a notification that fails undoes no text.
    """
    try:
        with work.session.begin_nested():
            work.session.flush()
            for case in quarantine_cases(work, row.fingerprint):
                if not escalation.queue_due_notices(work, case, recipients.read_duty_state(work)) and not case.notices:
                    log.error("text of unknown number without recipient level=%s", case.level.word)
    except Exception as error:
        log.error("notification of an unknown text failed error=%s", type(error).__name__)


def quarantine_cases(work: UnitOfWork, fingerprint: str = "") -> list[WaitingCase]:
    """Return a case for each unknown number with unread urgent texts. ``fingerprint``: only of this number."""
    groups: dict[str, list[IncomingMessage]] = {}
    for row in _quarantined_rows(work, Level.URGENT, fingerprint):
        groups.setdefault(row.fingerprint, []).append(row)
    notices = _read_notices(work, [_case_key(number) for number in groups])
    return [_quarantine_case(work, rows, notices.get(_case_key(number), [])) for number, rows in groups.items()]


def untold_numbers(work: UnitOfWork) -> int:
    """Return the number of unknown numbers whose urgent texts no message has announced to a person."""
    return sum(escalation.is_untold(case, work.now) for case in quarantine_cases(work))


def unknown_text_page(work: UnitOfWork, incoming_message_id: int) -> UnknownTextPage:
    """Return one text that came from an unknown number, and record that it was seen.

    Raises NotFound for any other text.
    """
    row = work.session.get(IncomingMessage, incoming_message_id)
    done = _quarantine_actions(work, incoming_message_id)
    if row is None or (row.participant_id is not None and not done):
        raise NotFound("inbound")
    work.record("incoming_message.seen", row, participant_id=row.participant_id)
    owner = work.session.get(Participant, row.participant_id) if row.participant_id else None
    query = select(Participant).order_by(Participant.participant_number, Participant.id)
    participants = list(work.session.scalars(query))
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
        people=[(person.id, person.participant_number) for person in participants],
        likely=[person.participant_number for person in participants if person.phone_fingerprint == row.fingerprint],
        owner=(owner.id, owner.participant_number) if owner else None,
        done=done,
        can_assign=staff_accounts.has_right(work.actor.role, "assign_text"),
    )


def assign_text(work: UnitOfWork, incoming_message_id: int, participant_id: int | None, reason: str) -> IncomingMessage:
    """Assign a text to a participant.

    The text never becomes an answer; its red flags raise an alert for the participant. Raises NotFound,
    NotAllowed("assigned") if it was assigned before, and BadData("assign", fields=...) if no participant is chosen, or
    the reason is missing or too long.
    """
    row = _open_row(work, incoming_message_id)
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


def dismiss_text(work: UnitOfWork, incoming_message_id: int, reason: str) -> IncomingMessage:
    """Dismiss a text that has nothing to do with the study: it is stored and marked as read.

    Raises NotFound, NotAllowed("assigned"), and BadData("set_aside", fields=...) for a reason that is missing or too
    long.
    """
    row = _open_row(work, incoming_message_id)
    why = _wrong_reason(reason)
    if why:
        raise BadData("set_aside", fields={"reason": why})
    _mark_read(work, row)
    work.record(SET_ASIDE, row, reason=reason.strip())
    return row


def _quarantined_rows(work: UnitOfWork, least: Level, fingerprint: str = "") -> list[IncomingMessage]:
    query = (
        select(IncomingMessage)
        .where(
            IncomingMessage.participant_id.is_(None),
            message_reading.unread_condition(),
            IncomingMessage.level >= int(least),
            *((IncomingMessage.fingerprint == fingerprint,) if fingerprint else ()),
        )
        .order_by(IncomingMessage.level.desc(), IncomingMessage.received_at, IncomingMessage.id)
    )
    return list(work.session.scalars(query))


def _quarantine_case(work: UnitOfWork, rows: list[IncomingMessage], notices: list[StaffNotice]) -> WaitingCase:
    """Return the case of the unread urgent texts of one number; ``notices``: the messages about them so far."""
    level = Level(max(row.level for row in rows))
    loudest = sorted((row for row in rows if row.level == level), key=lambda row: row.id)
    first, newest = loudest[0], loudest[-1]
    key = _case_key(first.fingerprint)
    return WaitingCase(
        key=key,
        level=level,
        since=first.received_at,
        newest_at=newest.received_at,
        plans=list(work.catalogue.plans.values()),
        templates=("unknown_sender", "unknown_sender", "unknown_sender_more"),
        params={"level": level.word, "link": f"{work.config.base_url}/staff/inbox/unmatched/{newest.id}"},
        notices=notices,
        is_grouped=True,
        more=len(rows) - 1,
    )


def _read_notices(work: UnitOfWork, keys: Sequence[str]) -> dict[str, list[StaffNotice]]:
    """Return case key -> the messages about the texts of that number; the level stands in their unique keys."""
    words = {level.word: level for level in Level}
    found: dict[str, list[StaffNotice]] = {}
    query = select(Message).where(Message.case_key.in_(keys), _HAS_CASE).order_by(Message.id)
    for row in work.session.scalars(query) if keys else ():
        level = next((words[part] for part in row.dedupe_key.split(":") if part in words), Level.NONE)
        found.setdefault(row.case_key, []).append(escalation.notice_of(row, level))
    return found


def _case_key(fingerprint: str) -> str:
    """Return the key of the case of an unknown number."""
    return f"number.{fingerprint[:32]}"


def _is_overdue(work: UnitOfWork, row: IncomingMessage) -> bool:
    """Return True if the text is overdue by the working days of any study plan."""
    return any(message_reading.is_overdue(work, plan, row.received_at) for plan in work.catalogue.plans.values())


def _open_row(work: UnitOfWork, incoming_message_id: int) -> IncomingMessage:
    """Lock and return a text that is not assigned."""
    row = work.session.get(IncomingMessage, incoming_message_id)
    if row is None:
        raise NotFound("inbound")
    work.lock(row)
    if row.participant_id is not None:
        raise NotAllowed("assigned")
    return row


def _wrong_reason(reason: str) -> str:
    """Return why ``reason`` is not valid, or ""."""
    return "assign_reason" if not reason.strip() else "too_long" if len(reason.strip()) > REASON_LENGTH else ""


def _mark_read(work: UnitOfWork, row: IncomingMessage) -> None:
    """Mark the text as read by the acting person, and drop emails about it not yet sent.

    The emails are read before the texts that wait: one about a text that comes at this moment is never dropped.
    """
    row.read_at, row.read_by = row.read_at or work.now, row.read_by or work.actor.id
    work.session.flush()
    about = select(Message.id).where(Message.case_key == _case_key(row.fingerprint), _HAS_CASE)
    numbers = list(work.session.scalars(about.where(outbox.is_unfinished())))
    if numbers and not quarantine_cases(work, row.fingerprint):
        outbox.drop_messages(work, Message.id.in_(numbers), "taken_on")


def _raise_alert(work: UnitOfWork, row: IncomingMessage, person: Participant) -> None:
    """Raise an alert for the red flags of an assigned text, unless there is one; have the family called after a death.

    Only a text that says that the participant died counts, not every mention of a death.
    """
    if not text_screening.has_alert(work, row):
        text_screening.raise_text_alert(work, row, person)
    flags = message_reading.red_flags_of(row.red_flags)
    if any((flag.class_id, flag.status) == ("death", "affirmed") for flag in flags):
        text_screening.report_death(work, row, person)


def _quarantine_actions(work: UnitOfWork, incoming_message_id: int) -> list[QuarantineAction]:
    names = staff_accounts.staff_names(work)
    query = (
        select(AuditEntry)
        .where(
            AuditEntry.subject == IncomingMessage.__tablename__,
            AuditEntry.subject_id == incoming_message_id,
            AuditEntry.action.in_((ASSIGNED, SET_ASIDE)),
        )
        .order_by(AuditEntry.id)
    )
    return [
        QuarantineAction(event.action, event.at, names.get(event.actor_id or 0, ""), event.reason)
        for event in work.session.scalars(query)
    ]
