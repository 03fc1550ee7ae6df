"""Incoming texts: who must still read it, what the screening saw in it, which alert is about which text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.triage import escalation_steps
from pro.features.alerts.evaluation import FREE_TEXT
from pro.models import Alert, IncomingMessage, StaffMember

# These were understood by themselves; a person reads one only if the screening saw something in it.
UNDERSTOOD_KINDS = ("answer", "command")


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A red flag: its class, the words that were found ("" where they were not kept), and how they are meant."""

    class_id: str
    term: str
    status: str


@dataclass(frozen=True, slots=True)
class IncomingText:
    """An incoming text, decrypted. ``unread``: no staff member read it yet; ``read_by``: who read it, or "".

    ``what`` and ``why``: kind and reason of ``models.IncomingMessage``. ``level``: what the screening said.
    """

    id: int
    at: datetime
    text: str
    channel: str
    what: str
    why: str
    level: Level
    flags: tuple[RedFlag, ...]
    unread: bool
    read_at: datetime | None
    read_by: str


def unread_condition() -> ColumnElement[bool]:
    """Return the condition of an unread text."""
    # Written as literals, as in the index of these texts (models.incoming_message.UNREAD), which is used only so.
    understood: list[ColumnElement[str]] = [literal_column(f"'{kind}'") for kind in UNDERSTOOD_KINDS]
    return and_(
        IncomingMessage.read_at.is_(None),
        or_(IncomingMessage.kind.not_in(understood), IncomingMessage.level > literal_column(str(int(Level.NONE)))),
    )


def is_unread(row: IncomingMessage) -> bool:
    """Return True if the text ``row`` is unread."""
    return row.read_at is None and (row.kind not in UNDERSTOOD_KINDS or row.level > Level.NONE)


def unread_count(work: UnitOfWork) -> int:
    """Return the number of unread texts, of known and of unknown numbers."""
    return work.session.scalar(select(func.count()).select_from(IncomingMessage).where(unread_condition())) or 0


def open_message(work: UnitOfWork, row: IncomingMessage) -> IncomingText:
    """Return the text ``row``, decrypted, for a reader who may see answers."""
    reader = work.session.get(StaffMember, row.read_by) if row.read_by else None
    return IncomingText(
        id=row.id,
        at=row.received_at,
        text=work.vault.open(row.text_sealed),
        channel=row.channel,
        what=row.kind,
        why=row.reason,
        level=Level(row.level),
        flags=red_flags_of(row.red_flags),
        unread=is_unread(row),
        read_at=row.read_at,
        read_by=reader.name if reader else "",
    )


def red_flags_of(hits: Iterable[object]) -> tuple[RedFlag, ...]:
    """Return stored red flags: of a text ``{"class", "term", "status"}``, of an alert "class: status"."""
    found: dict[RedFlag, None] = {}
    for hit in hits:
        if isinstance(hit, dict):
            found[RedFlag(str(hit.get("class", "")), str(hit.get("term", "")), str(hit.get("status", "")))] = None
        else:
            class_id, _colon, status = str(hit).partition(": ")
            found[RedFlag(class_id, "", status)] = None
    return tuple(found)


def texts_of_alerts(work: UnitOfWork, alerts: Sequence[Alert]) -> list[IncomingText]:
    """Return the texts that raised ``alerts``, the oldest first."""
    numbers, forms = set(), set()
    newest: datetime | None = None
    for alert in alerts:
        if alert.incoming_message_id is not None:
            numbers.add(alert.incoming_message_id)
        elif alert.rule == FREE_TEXT and alert.assessment_id is not None:
            forms.add(alert.assessment_id)
            newest = max(newest or alert.raised_at, alert.raised_at)
    if not numbers and not forms:
        return []
    # What was written after these alerts has an alert of its own.
    loud = IncomingMessage.assessment_id.in_(forms) & (IncomingMessage.level > int(Level.NONE))
    if newest is not None:
        loud &= IncomingMessage.received_at <= newest
    query = (
        select(IncomingMessage)
        .where(or_(IncomingMessage.id.in_(numbers), loud))
        .order_by(IncomingMessage.received_at, IncomingMessage.id)
    )
    return [open_message(work, row) for row in work.session.scalars(query)]


def mark_read(work: UnitOfWork, which: ColumnElement[bool]) -> int:
    """Mark the waiting texts among ``which`` as read by the acting person; how many. Earlier readers stay."""
    query = select(IncomingMessage).where(unread_condition(), which).order_by(IncomingMessage.id).with_for_update()
    rows = list(work.session.scalars(query))
    for row in rows:
        row.read_at, row.read_by = work.now, work.actor.id
        work.record("incoming_message.read", row, participant_id=row.participant_id)
    return len(rows)


def mark_alert_texts_read(work: UnitOfWork, alerts: Sequence[Alert]) -> int:
    """Mark the texts of ``alerts`` as read: they were on the page of the person who acknowledged."""
    numbers = [text.id for text in texts_of_alerts(work, alerts) if text.unread]
    return mark_read(work, IncomingMessage.id.in_(numbers)) if numbers else 0


def is_overdue(work: UnitOfWork, plan: StudyPlan | None, since: datetime) -> bool:
    """Return True if a text of ``since`` waits for longer than a working day; without a plan, a day."""
    if plan is None:
        return since + timedelta(days=1) < work.now
    hours = escalation_steps.working_hours(plan.settings, work.catalogue.working_days(plan.id))
    day = datetime.combine(since.date(), hours.closes) - datetime.combine(since.date(), hours.opens)
    return escalation_steps.add_working_hours(since, day, hours) < work.now
