"""Escalation steps: whom to notify, and when, while an alert is unacknowledged.

Working hours and due times (docs/domain.md 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pro.core.rule_language.level import Level
from pro.core.schedule.anchors import WorkingDays
from pro.core.study_plan import EscalationStep, StudySettings

ONE_DAY = timedelta(days=1)
MONDAY_TO_FRIDAY = WorkingDays()


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """A study's working hours: local times ``opens`` to ``closes`` of every working day."""

    opens: time
    closes: time
    zone: ZoneInfo
    days: WorkingDays = MONDAY_TO_FRIDAY


@dataclass(frozen=True, slots=True)
class DueStep:
    """An escalation step and the time (UTC) from which it is due."""

    step: EscalationStep
    at: datetime


def working_hours(settings: StudySettings, days: WorkingDays = MONDAY_TO_FRIDAY) -> WorkingHours:
    """Return the working hours from ``settings``, on the working days ``days``."""
    opens, closes = (time.fromisoformat(text.rjust(5, "0")) for text in (settings.opens, settings.closes))
    return WorkingHours(opens, closes, ZoneInfo(settings.time_zone), days)


def add_working_hours(start: datetime, length: timedelta, hours: WorkingHours) -> datetime:
    """Return the time (UTC) at which ``length`` of working time has passed since ``start``.

    Only time within the working hours counts. Raise ValueError if no working day is left.
    """
    left = length
    day = start.astimezone(hours.zone).date()
    while True:
        if hours.days.has(day):
            # In UTC: an addition to a local time ignores the change of the clock in that night.
            begins = max(start.astimezone(UTC), _moment(day, hours.opens, hours.zone))
            open_for = _moment(day, hours.closes, hours.zone) - begins
            if timedelta() < left <= open_for:
                return begins + left
            left -= max(open_for, timedelta())
        day = hours.days.after(day)


def next_opening(start: datetime, hours: WorkingHours) -> datetime:
    """Return the next start of working hours after ``start`` (UTC).

    Raise ValueError if no working day is left.
    """
    day = start.astimezone(hours.zone).date()
    while not hours.days.has(day) or _moment(day, hours.opens, hours.zone) <= start:
        day = hours.days.after(day)
    return _moment(day, hours.opens, hours.zone)


def timed_steps(
    steps: Sequence[EscalationStep], level: Level, raised_at: datetime, hours: WorkingHours
) -> tuple[DueStep, ...]:
    """Return the steps of ``level`` that come after minute 0, in order of time.

    ``raised_at``: when the alert was raised. A step that counts working hours is due after those hours or at
    ``next_day`` of the following day, whichever comes first, so an alert raised at night or before a weekend does not
    wait until the working hours have passed.
    """
    found = [
        DueStep(step, _due_at(step, raised_at, hours)) for step in steps if step.level is level and not step.at_once
    ]
    return tuple(sorted(found, key=lambda due: due.at))


def due_steps(
    steps: Sequence[EscalationStep], level: Level, raised_at: datetime, now: datetime, hours: WorkingHours
) -> tuple[DueStep, ...]:
    """Return the steps of ``level`` that are due at ``now``, the earliest first."""
    return tuple(due for due in timed_steps(steps, level, raised_at, hours) if due.at <= now)


def next_notice(
    steps: Sequence[EscalationStep],
    level: Level,
    raised_at: datetime,
    now: datetime,
    hours: WorkingHours,
    repeat_minutes: int,
) -> tuple[datetime, list[EscalationStep]]:
    """Return when staff are notified next after ``now`` (UTC), and the steps whose recipients are notified then.

    After the last step of ``level`` that is the next repeat, to the recipients of all its steps.
    """
    coming = timed_steps(steps, level, raised_at, hours)
    for due in coming:
        if due.at > now:
            return due.at, [due.step]
    last = max((due.at for due in coming), default=raised_at.astimezone(UTC))
    number = due_repeat(steps, level, raised_at, now, hours, repeat_minutes)
    return last + (number + 1) * timedelta(minutes=repeat_minutes), [step for step in steps if step.level is level]


def due_repeat(
    steps: Sequence[EscalationStep],
    level: Level,
    raised_at: datetime,
    now: datetime,
    hours: WorkingHours,
    repeat_minutes: int,
) -> int:
    """Return the number of the repeat that is due at ``now`` (from 1), or 0 before the first one.

    The first repeat is due ``repeat_minutes`` after the last step of ``level``. Of several that were missed, only the
    newest is due.
    """
    last = max((due.at for due in timed_steps(steps, level, raised_at, hours)), default=raised_at)
    return max(0, (now - last) // timedelta(minutes=repeat_minutes))


def _due_at(step: EscalationStep, raised_at: datetime, hours: WorkingHours) -> datetime:
    """Return the time (UTC) from which ``step`` is due."""
    if not step.working_hours:
        return raised_at.astimezone(UTC) + timedelta(minutes=step.minutes)
    at = add_working_hours(raised_at, timedelta(hours=step.working_hours), hours)
    if step.next_day is None:
        return at
    tomorrow = raised_at.astimezone(hours.zone).date() + ONE_DAY
    return min(at, _moment(tomorrow, step.next_day, hours.zone))


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the local time ``at`` of ``day`` as UTC."""
    # In UTC, so that a difference of two results is elapsed time, also on the night on which the clocks change.
    return datetime.combine(day, at, zone).astimezone(UTC)
