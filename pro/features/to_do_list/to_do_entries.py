"""Order the to-do list by when: what is to be done now, what today, what when there is time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.accounts import staff_accounts
from pro.features.alerts.alert_list import AlertCase
from pro.features.to_do_list.to_do_list import ToDoList

NOW, TODAY, LATER = "now", "today", "later"
GROUPS = (NOW, TODAY, LATER)
# Kind of entry -> the right of those whose task it is.
KINDS = {
    "alerts": "acknowledge",
    "serious": "report_event",
    "texts": "reply_text",
    "calls": "log_call",
    "cards": "make_card",
    "endoscopies": "record_endoscopy",
    "messages": "log_call",
    "papers": "verify_answers",
    "today": "log_call",
    "missed": "set_reason",
    # Only those that wait for the reader's role are read.
    "queries": "see_answers",
}
ActBy = Callable[[Level, datetime], datetime | None]


@dataclass(frozen=True, slots=True)
class ToDoEntry:
    """One entry. ``kind``: one of KINDS; ``group``: one of GROUPS; ``row``: the row of the to-do list.

    ``urgency``: level of an alert or text, Level.URGENT for an event to report, else Level.WATCH for what is overdue or
    broken, else 0. ``since``: when it began to wait.
    ``mine``: the acting staff member owns it, or no one does and it is theirs by duty or role.
    """

    kind: str
    group: str
    urgency: int
    since: datetime
    row: object
    mine: bool


def list_entries(work: UnitOfWork, to_do_list: ToDoList, act_by: ActBy) -> list[ToDoEntry]:
    """Return the entries of ``to_do_list``, most urgent first, then the one that waits longest.

    ``act_by``: returns when staff must have acted on an alert. Open forms that do not close today are records, not
    tasks; they are left out.
    """
    found = [*_alerts(work, to_do_list, act_by), *_texts(work, to_do_list), *_tasks(work, to_do_list)]
    found += [*_records(work, to_do_list)]
    return sorted(found, key=lambda entry: (-entry.urgency, entry.since))


def count_unlisted(to_do_list: ToDoList) -> dict[str, int]:
    """Return kind -> number of rows that exist but were not read, because the list of the kind is long."""
    awaited, failed = to_do_list.awaited, to_do_list.failed
    return {
        "today": awaited.today - sum(form.today for form in awaited.forms),
        "missed": awaited.unexplained_number - len(awaited.unexplained),
        "messages": failed.number - len(failed.messages),
    }


def count_kinds(entries: Sequence[ToDoEntry], unlisted: Mapping[str, int]) -> dict[str, int]:
    """Return kind -> number of ``entries``, with the ``unlisted`` ones, without kinds that have none."""
    found = Counter(entry.kind for entry in entries)
    return {kind: found[kind] + unlisted.get(kind, 0) for kind in KINDS if found[kind]}


def _alerts(work: UnitOfWork, to_do_list: ToDoList, act_by: ActBy) -> Iterator[ToDoEntry]:
    on_call = {one.staff_id for one in to_do_list.on_duty if one.place == "on_call"}
    for case in (*to_do_list.unacknowledged, *to_do_list.in_progress):
        if case.owner_id is not None:
            mine = case.owner_id == work.actor.id
        else:
            # In a gap of the roster an unacknowledged alert is the task of every reader who may acknowledge it.
            mine = _may(work, "alerts") and (not on_call or work.actor.id in on_call)
        yield ToDoEntry("alerts", _group_of_case(case, act_by, to_do_list.now), case.level, case.raised_at, case, mine)


def _group_of_case(case: AlertCase, act_by: ActBy, now: datetime) -> str:
    if case.level < Level.URGENT:
        return LATER
    if case.acknowledged_by is None:
        return NOW
    by = act_by(case.level, case.raised_at)
    is_late = case.level == Level.EMERGENCY or (by is not None and by < now)
    return NOW if is_late and case.called_at is None else TODAY


def _texts(work: UnitOfWork, to_do_list: ToDoList) -> Iterator[ToDoEntry]:
    mine = _may(work, "texts")
    for sent in to_do_list.texts.unmatched:
        is_now = sent.overdue or sent.text.level >= Level.URGENT
        yield ToDoEntry(
            "texts", NOW if is_now else TODAY, _urgency(sent.text.level, sent.overdue), sent.text.at, sent, mine
        )
    for row in to_do_list.texts.conversations:
        is_now = row.overdue or row.level >= Level.URGENT
        since = row.oldest_unread_at or row.last.at
        yield ToDoEntry("texts", NOW if is_now else TODAY, _urgency(row.level, row.overdue), since, row, mine)


def _tasks(work: UnitOfWork, to_do_list: ToDoList) -> Iterator[ToDoEntry]:
    """Yield what is to be done for a participant: calls, reports, endoscopies, cards, failed messages."""
    now = to_do_list.now
    for task in to_do_list.tasks:
        group = NOW if task.overdue else TODAY
        yield ToDoEntry("calls", group, _urgency(0, task.overdue), task.made_at, task, _may(work, "calls"))
    for event in to_do_list.serious:
        is_late = event.report_by < now
        group = NOW if is_late else TODAY
        yield ToDoEntry("serious", group, Level.URGENT, event.awareness_time, event, _may(work, "serious"))
    for look in to_do_list.endoscopies:
        yield ToDoEntry("endoscopies", NOW, Level.WATCH, look.requested_at, look, _may(work, "endoscopies"))
    for card in to_do_list.locked_cards:
        yield ToDoEntry("cards", TODAY, Level.WATCH, card.locked_at, card, _may(work, "cards"))
    for message in to_do_list.failed.messages:
        yield ToDoEntry("messages", TODAY, Level.WATCH, message.failed_at, message, _may(work, "messages"))


def _records(work: UnitOfWork, to_do_list: ToDoList) -> Iterator[ToDoEntry]:
    """Yield the records that need a person.

    Forms that close today, paper to verify, missed forms without a reason, queries.
    """
    for form in to_do_list.awaited.forms:
        if form.today:
            yield ToDoEntry("today", TODAY, 0, form.closes_at, form, _may(work, "today"))
    for paper in to_do_list.papers:
        mine = _may(work, "papers") and not paper.own
        yield ToDoEntry("papers", LATER, 0, paper.entered_at, paper, mine)
    for missed in to_do_list.awaited.unexplained:
        yield ToDoEntry("missed", LATER, 0, to_do_list.now, missed, _may(work, "missed"))
    for query in to_do_list.queries:
        yield ToDoEntry("queries", LATER, 0, query.changed_at, query, _may(work, "queries"))


def _urgency(level: int, overdue: bool) -> int:
    return max(level, Level.WATCH) if overdue else level


def _may(work: UnitOfWork, kind: str) -> bool:
    return staff_accounts.has_right(work.actor.role, KINDS[kind])
