"""What people wrote to us: who must still read it, what the screening saw in it, which alert is about which text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.study_plan import Plan
from pro.core.triage import escalation_ladder
from pro.features.alerts.evaluation import FREE_TEXT
from pro.features.alerts.text_screening import SOURCE
from pro.models import Alert, Inbound, Staff

# What the alerts of one text are filed under: this and the number of its row.
# These were understood by themselves; a person reads one only if the screening saw something in it.
UNDERSTOOD = ("answer", "command")


@dataclass(frozen=True, slots=True)
class Flag:
    """A red flag: its class, the words that were found ("" where they were not kept), and how they are meant."""

    class_id: str
    term: str
    status: str


@dataclass(frozen=True, slots=True)
class IncomingText:
    """One text that reached us, opened. ``unread``: somebody must still read it; ``read_by``: who did ("" for nobody).

    ``what`` and ``why``: as ``models.Inbound``. ``level``: what the screening said.
    """

    id: int
    at: datetime
    text: str
    channel: str
    what: str
    why: str
    level: Level
    flags: tuple[Flag, ...]
    unread: bool
    read_at: datetime | None
    read_by: str


def must_be_read() -> ColumnElement[bool]:
    """True of a text that waits for a reader."""
    return and_(Inbound.read_at.is_(None), or_(Inbound.what.not_in(UNDERSTOOD), Inbound.level > int(Level.NONE)))


def waits(row: Inbound) -> bool:
    """The same of one row."""
    return row.read_at is None and (row.what not in UNDERSTOOD or row.level > Level.NONE)


def unread_count(work: UnitOfWork) -> int:
    """How many texts wait for a reader, known numbers and unknown ones."""
    return work.session.scalar(select(func.count()).select_from(Inbound).where(must_be_read())) or 0


def opened(work: UnitOfWork, row: Inbound) -> IncomingText:
    """The row, opened for somebody who may see answers."""
    reader = work.session.get(Staff, row.read_by) if row.read_by else None
    return IncomingText(
        id=row.id,
        at=row.received_at,
        text=work.vault.open(row.text_sealed),
        channel=row.channel,
        what=row.what,
        why=row.why,
        level=Level(row.level),
        flags=flags_of(row.hits),
        unread=waits(row),
        read_at=row.read_at,
        read_by=reader.name if reader else "",
    )


def flags_of(hits: Iterable[object]) -> tuple[Flag, ...]:
    """Red flags as they were kept: with a text as ``{"class", "term", "status"}``, with an alert as "class: status"."""
    found: dict[Flag, None] = {}
    for hit in hits:
        if isinstance(hit, dict):
            found[Flag(str(hit.get("class", "")), str(hit.get("term", "")), str(hit.get("status", "")))] = None
        else:
            class_id, _colon, status = str(hit).partition(": ")
            found[Flag(class_id, "", status)] = None
    return tuple(found)


def about(work: UnitOfWork, alerts: Sequence[Alert]) -> list[IncomingText]:
    """The texts that raised ``alerts``, the oldest first: one of its own, or those that came while a form was open."""
    numbers, forms = set(), set()
    for alert in alerts:
        if alert.source.startswith(SOURCE):
            numbers.add(int(alert.source.removeprefix(SOURCE)))
        elif alert.rule == FREE_TEXT and alert.assessment_id is not None:
            forms.add(alert.assessment_id)
    if not numbers and not forms:
        return []
    loud = and_(Inbound.assessment_id.in_(forms), Inbound.level > int(Level.NONE))
    query = select(Inbound).where(or_(Inbound.id.in_(numbers), loud)).order_by(Inbound.received_at, Inbound.id)
    return [opened(work, row) for row in work.session.scalars(query)]


def mark_read(work: UnitOfWork, which: ColumnElement[bool]) -> int:
    """Whoever acts has read the waiting texts among ``which``; how many. One that somebody read stays theirs."""
    query = select(Inbound).where(must_be_read(), which).order_by(Inbound.id).with_for_update()
    rows = list(work.session.scalars(query))
    for row in rows:
        row.read_at, row.read_by = work.now, work.actor.id
        work.record("inbound.read", row, participant_id=row.participant_id)
    return len(rows)


def read_with(work: UnitOfWork, alerts: Sequence[Alert]) -> int:
    """Whoever takes ``alerts`` on had their texts on the page: those are read."""
    numbers = [text.id for text in about(work, alerts) if text.unread]
    return mark_read(work, Inbound.id.in_(numbers)) if numbers else 0


def is_overdue(work: UnitOfWork, plan: Plan | None, since: datetime) -> bool:
    """True if what came at ``since`` has waited for longer than a working day of the study; without a plan, a day."""
    if plan is None:
        return since + timedelta(days=1) < work.now
    hours = escalation_ladder.hours_of(plan.settings, work.catalogue.working_days(plan.id))
    day = datetime.combine(since.date(), hours.closes) - datetime.combine(since.date(), hours.opens)
    return escalation_ladder.after_working_hours(since, day, hours) < work.now
