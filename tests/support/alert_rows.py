"""Hold alerts and messages of the program as plain values, and check what needs nothing else (docs/alerts.md 4, 5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pro.core.rule_language.level import Level

ONE_MAIL_IN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as the program has it. ``fixed``: what must never change."""

    id: int
    case: str
    level: Level
    raised_at: datetime
    fixed: tuple[object, ...]
    is_text: bool
    acknowledged: bool
    closed: bool
    superseded: bool
    closed_itself: bool

    @property
    def waits(self) -> bool:
        """Return True for an alert that is open, not acknowledged and not superseded."""
        return not (self.acknowledged or self.closed or self.superseded)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message about a case. ``person``: its place in the roster or role. ``sender``: who wrote the texts, or ""."""

    id: int
    case: str
    level: Level
    person: str
    channel: str
    queued_at: datetime
    due_at: datetime
    claimed_at: datetime | None
    sent_at: datetime | None
    state: str
    sender: str
    of_ladder: bool


def highest_waiting(alerts: Sequence[AlertRow], case: str) -> tuple[Level, datetime]:
    """Return the highest level that waits in a case, and since when."""
    waiting = [row for row in alerts if row.case == case and row.waits]
    level = max(row.level for row in waiting)
    return level, min(row.raised_at for row in waiting if row.level == level)


def wrong_changes(
    before: Sequence[AlertRow], after: Sequence[AlertRow], acknowledged: Collection[int], closed: Collection[int]
) -> list[str]:
    """Check section 4 and invariant 2: rows stay as they were, and a person acts on what was shown, no more."""
    wrong, now = [], {row.id: row for row in after}
    for old in before:
        new = now.get(old.id)
        if new is None or new.fixed != old.fixed:
            wrong.append(f"alert {old.id} of {old.case} was changed: {old.fixed} -> {new and new.fixed}")
            continue
        if new.acknowledged and not old.acknowledged and old.id not in acknowledged:
            wrong.append(f"alert {old.id} of {old.case} was acknowledged, but not shown")
        if old.acknowledged and not new.acknowledged:
            wrong.append(f"alert {old.id} of {old.case} lost its acknowledgement")
        # One that a louder alert covers ends with it.
        if new.closed and not (old.closed or old.superseded or new.closed_itself) and old.id not in closed:
            wrong.append(f"alert {old.id} of {old.case} was closed, but not shown")
    return wrong


def wrong_flood(messages: Sequence[MessageRow], read_at: Mapping[str, Sequence[datetime]]) -> list[str]:
    """Check invariant 7; ``read_at``: when a person acknowledged texts of a sender, which begins anew."""
    wrong, last = [], dict[tuple[str, str, str], MessageRow]()
    # In the order in which they were queued, also while the clock is set back.
    for one in sorted(messages, key=lambda one: one.id):
        if not one.sender or one.of_ladder:
            continue
        key = (one.sender, one.person, one.channel)
        old = last.get(key)
        soon = old is not None and one.queued_at - old.queued_at < ONE_MAIL_IN and one.level <= old.level
        if old and soon and not any(old.queued_at <= at <= one.queued_at for at in read_at.get(one.sender, ())):
            wrong.append(f"{one.person} got two messages about texts of {one.sender} within ten minutes")
        last[key] = one
    return wrong
