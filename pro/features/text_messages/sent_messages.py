"""Log of sent messages over all participants and staff: which template, to whom, and what became of it.

The words of a message and its address are never read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from pro.app_context import UnitOfWork
from pro.features.text_messages.failed_messages import EXCLUDED_TEMPLATES
from pro.messaging import message_rendering, outbox
from pro.models import Alert, CallTask, Message, Participant, StaffMember

PAGE_SIZE = 50
DAYS = (7, 30, 90)
# The lists: everything, and three that may need a look.
ALL, FAILED, UNCONFIRMED, WAITING = "", "failed", "unconfirmed", "waiting"
SHOWN = (ALL, FAILED, UNCONFIRMED, WAITING)
CHANNELS = ("sms", "email")
# Group of the filter -> its templates; "other" are all that no group names.
KINDS: Mapping[str, tuple[str, ...]] = {
    "forms": (
        "form_message",
        "form_message_code",
        "reminder",
        "reminder_code",
        "question",
        "onward_link",
        "onward_code",
    ),
    "alerts": ("alert", "alert_escalation", "alert_more", "alert_sms", "daily_digest", "unknown_sender"),
    "test_alerts": ("test_alert", "test_alert_sms", "test_alert_failed"),
    "other": (),
}
Query = Select[*tuple[Any, ...]]
# Failures that end when the number of the participant is corrected.
NUMBER_FAILURES = ("phone_invalid", "phone_not_mobile", "phone_unknown", "no_route")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What the log shows. ``shown``: one of SHOWN. ``kind``: of KINDS. ``by``: a channel. "" is everything.

    ``find``: part of a participant number or of a staff member's name. ``days``: how far back, one of DAYS.
    """

    shown: str = ALL
    kind: str = ""
    by: str = ""
    find: str = ""
    days: int = DAYS[0]
    page: int = 1

    @property
    def is_narrow(self) -> bool:
        """Return True if anything but the list is chosen."""
        return bool(self.kind or self.by or self.find or self.days != DAYS[0])


@dataclass(frozen=True, slots=True)
class LogRow:
    """One message. ``at``: when it was queued, or, while it waits, when it is tried next.

    ``to``: participant number or staff name. ``state``: sending, retrying, planned, due, handed_over (an email, which
    nothing confirms), sent (a text message, not confirmed), delivered, failed or dropped. ``state_at``: since when.
    ``reason``: why it failed, waits or was dropped, in the reader's language. ``about_id``, ``about``: the participant
    whom it concerns. ``can_correct``: a corrected number may end the failure. ``can_settle``: staff may mark it as
    resolved. ``settled_by``, ``settled_at``: who did. ``task_at``: since when a call task stands for it;
    ``call_task_id`` of an open one; ``task_outcome`` of a finished one.
    """

    id: int
    at: datetime
    template: str
    to: str
    is_staff: bool
    channel: str
    state: str
    state_at: datetime
    tries: int
    reason: str
    about_id: int | None
    about: str
    alert_id: int | None
    can_correct: bool
    can_settle: bool
    settled_by: str
    settled_at: datetime | None
    task_at: datetime | None
    call_task_id: int | None
    task_outcome: str


@dataclass(frozen=True, slots=True)
class MessageLog:
    """One page. ``counts``: list -> number of its messages. ``waiting``: shown above the first page of the list ALL."""

    chosen: LogFilter
    rows: tuple[LogRow, ...]
    waiting: tuple[LogRow, ...]
    counts: Mapping[str, int]
    pages: int


def read_log(work: UnitOfWork, chosen: LogFilter, language: str) -> MessageLog:
    """Return one page of the log, in at most six queries; the newest message first."""
    since = _first_id(work, chosen.days)
    counts = _counts(work, chosen, since)
    listed = counts[chosen.shown] - (counts[WAITING] if chosen.shown == ALL else 0)
    pages = max(1, -(-listed // PAGE_SIZE))
    page = min(max(1, chosen.page), pages)
    query = _log_query().where(*_clauses(chosen))
    if chosen.shown == WAITING:
        query = query.where(outbox.is_unfinished()).order_by(Message.next_try_at, Message.id)
    else:
        query = query.where(Message.id > since, _list_clause(chosen.shown)).order_by(Message.id.desc())
    rows = _rows(work, query.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE), language)
    waiting: tuple[LogRow, ...] = ()
    if chosen.shown == ALL and page == 1 and counts[WAITING]:
        first = _log_query().where(*_clauses(chosen), outbox.is_unfinished())
        waiting = _rows(work, first.order_by(Message.next_try_at, Message.id).limit(PAGE_SIZE), language)
    shown = LogFilter(chosen.shown, chosen.kind, chosen.by, chosen.find, chosen.days, page)
    return MessageLog(shown, rows, waiting, counts, pages)


def _first_id(work: UnitOfWork, days: int) -> int:
    """Return the id of the newest message that is older than ``days``: later ids are in the list.

    Ids grow with time, and the table has no index by time; so this reads the messages of these days only.
    """
    query = select(Message.id).where(Message.queued_at < work.now - timedelta(days=days)).order_by(Message.id.desc())
    return work.session.scalar(query.limit(1)) or 0


def _counts(work: UnitOfWork, chosen: LogFilter, since: int) -> dict[str, int]:
    clauses = _clauses(chosen)
    finished = [func.count().filter(_list_clause(name)) for name in (ALL, FAILED, UNCONFIRMED)]
    row = work.session.execute(_joined(select(*finished)).where(Message.id > since, *clauses)).one()
    waiting = work.session.scalar(_joined(select(func.count())).where(outbox.is_unfinished(), *clauses)) or 0
    return {ALL: row[0] + waiting, FAILED: row[1], UNCONFIRMED: row[2], WAITING: waiting}


def _list_clause(shown: str) -> ColumnElement[bool]:
    """Return the condition for the messages of a list that are no longer waiting."""
    if shown == FAILED:
        return Message.failed_at.is_not(None)
    if shown == UNCONFIRMED:
        return and_(
            Message.channel == "sms",
            Message.sent_at.is_not(None),
            Message.delivered_at.is_(None),
            Message.failed_at.is_(None),
        )
    return or_(Message.sent_at.is_not(None), Message.failed_at.is_not(None), Message.dropped_at.is_not(None))


def _clauses(chosen: LogFilter) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the filter."""
    found: list[ColumnElement[bool]] = []
    if chosen.by in CHANNELS:
        found.append(Message.channel == chosen.by)
    if chosen.kind == "other":
        found.append(Message.template.not_in([name for names in KINDS.values() for name in names]))
    elif chosen.kind in KINDS:
        found.append(Message.template.in_(KINDS[chosen.kind]))
    if part := chosen.find.strip():
        found.append(
            or_(
                Participant.participant_number.icontains(part, autoescape=True),
                StaffMember.name.icontains(part, autoescape=True),
            )
        )
    return tuple(found)


def _joined(query: Query) -> Query:
    """Join the participant whom a message is to or about, and the recipient on the staff."""
    return (
        query.select_from(Message)
        .outerjoin(Alert, Alert.id == Message.alert_id)
        .outerjoin(Participant, Participant.id == func.coalesce(Message.participant_id, Alert.participant_id))
        .outerjoin(StaffMember, StaffMember.id == Message.staff_id)
    )


def _log_query() -> Query:
    """Select what a row shows; the sealed words and addresses stay unread."""
    settler = aliased(StaffMember)
    columns = (
        Message.id,
        Message.template,
        Message.channel,
        Message.staff_id,
        Message.alert_id,
        Message.queued_at,
        Message.next_try_at,
        Message.tries,
        Message.claimed_at,
        Message.sent_at,
        Message.delivered_at,
        Message.failed_at,
        Message.dropped_at,
        Message.failure,
        Message.settled_at,
        settler.name.label("settled_by"),
        Participant.id.label("about_id"),
        Participant.participant_number,
        StaffMember.name.label("staff_name"),
    )
    return _joined(select(*columns)).outerjoin(settler, settler.id == Message.settled_by)


def _rows(work: UnitOfWork, query: Query, language: str) -> tuple[LogRow, ...]:
    """Return the messages of ``query`` as rows."""
    found = list(work.session.execute(query))
    translator = work.app_context.catalogs.translator(language)
    keys = {f"phone:{row.id}": row.id for row in found if row.failed_at and row.channel == "sms"}
    known = work.session.scalars(select(CallTask).where(CallTask.dedupe_key.in_(keys))) if keys else ()
    tasks = {keys[task.dedupe_key]: task for task in known}
    rows = []
    for row in found:
        state, state_at = _state(work, row)
        task = tasks.get(row.id)
        number_wrong = row.failure.partition(":")[0] in NUMBER_FAILURES
        rows.append(
            LogRow(
                id=row.id,
                at=row.next_try_at if state in ("retrying", "planned") else row.queued_at,
                template=row.template,
                to=(row.staff_name if row.staff_id else row.participant_number) or "",
                is_staff=row.staff_id is not None,
                channel=row.channel,
                state=state,
                state_at=state_at,
                tries=row.tries,
                reason=message_rendering.failure_sentence(row.failure, translator),
                about_id=row.about_id,
                about=row.participant_number or "",
                alert_id=row.alert_id,
                can_correct=state == "failed" and row.staff_id is None and row.about_id is not None and number_wrong,
                can_settle=state == "failed" and row.settled_at is None and row.template not in EXCLUDED_TEMPLATES,
                settled_by=row.settled_by or "",
                settled_at=row.settled_at,
                task_at=task.made_at if task else None,
                call_task_id=task.id if task and task.done_at is None else None,
                task_outcome=task.outcome if task and task.done_at else "",
            )
        )
    return tuple(rows)


def _state(work: UnitOfWork, row: Any) -> tuple[str, datetime]:
    """Return the state of a message as in ``LogRow``, and since when it holds (planned, retrying: until when)."""
    for name in ("failed", "dropped", "delivered"):
        if at := getattr(row, f"{name}_at"):
            return name, at
    if row.sent_at:
        return ("sent" if row.channel == "sms" else "handed_over"), row.sent_at
    if row.claimed_at:
        return "sending", row.claimed_at
    if row.tries:
        return "retrying", row.next_try_at
    return ("planned" if row.next_try_at > work.now else "due"), row.next_try_at
