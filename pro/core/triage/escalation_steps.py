"""The ladder: who is told again, and when, while nobody takes an alert on (docs/domain.md 3.3)."""

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
    """A step of the ladder and the moment (UTC) from which it is due."""

    step: EscalationStep
    at: datetime


def working_hours(settings: StudySettings, days: WorkingDays = MONDAY_TO_FRIDAY) -> WorkingHours:
    """The working hours that ``settings`` tell, on ``days``."""
    opens, closes = (time.fromisoformat(text.rjust(5, "0")) for text in (settings.opens, settings.closes))
    return WorkingHours(opens, closes, ZoneInfo(settings.time_zone), days)


def add_working_hours(start: datetime, length: timedelta, hours: WorkingHours) -> datetime:
    """The moment (UTC) at which ``length`` of working time has passed since ``start``; only open hours count.

    ValueError if no day is left that is open.
    """
    left = length
    day = start.astimezone(hours.zone).date()
    while True:
        if hours.days.has(day):
            # In UTC: adding to a local time would pass over the night on which the clocks change.
            begins = max(start.astimezone(UTC), _moment(day, hours.opens, hours.zone))
            open_for = _moment(day, hours.closes, hours.zone) - begins
            if timedelta() < left <= open_for:
                return begins + left
            left -= max(open_for, timedelta())
        day = hours.days.after(day)


def next_opening(start: datetime, hours: WorkingHours) -> datetime:
    """When the working hours next begin after ``start`` (UTC). ValueError if no day is left that is open."""
    day = start.astimezone(hours.zone).date()
    while not hours.days.has(day) or _moment(day, hours.opens, hours.zone) <= start:
        day = hours.days.after(day)
    return _moment(day, hours.opens, hours.zone)


def timed_steps(
    steps: Sequence[EscalationStep], level: Level, raised_at: datetime, hours: WorkingHours
) -> tuple[DueStep, ...]:
    """The steps of ``level`` that come after minute 0, in order of time, for an alert raised at ``raised_at``.

    A step that counts working hours is due after them or, if that comes first, at ``next_day`` of the day after: so
    what is raised at night or before a weekend does not wait until the working hours have passed.
    """
    found = [
        DueStep(step, _due_at(step, raised_at, hours)) for step in steps if step.level is level and not step.at_once
    ]
    return tuple(sorted(found, key=lambda rung: rung.at))


def due_steps(
    steps: Sequence[EscalationStep], level: Level, raised_at: datetime, now: datetime, hours: WorkingHours
) -> tuple[DueStep, ...]:
    """Those of ``rungs`` whose moment has come, the oldest first."""
    return tuple(rung for rung in timed_steps(steps, level, raised_at, hours) if rung.at <= now)


def next_step(
    steps: Sequence[EscalationStep], level: Level, raised_at: datetime, now: datetime, hours: WorkingHours
) -> DueStep | None:
    """The first of ``rungs`` that is still ahead; None at the top of the ladder."""
    return next((rung for rung in timed_steps(steps, level, raised_at, hours) if rung.at > now), None)


def _due_at(step: EscalationStep, raised_at: datetime, hours: WorkingHours) -> datetime:
    if not step.working_hours:
        return raised_at.astimezone(UTC) + timedelta(minutes=step.minutes)
    at = add_working_hours(raised_at, timedelta(hours=step.working_hours), hours)
    if step.next_day is None:
        return at
    tomorrow = raised_at.astimezone(hours.zone).date() + ONE_DAY
    return min(at, _moment(tomorrow, step.next_day, hours.zone))


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    # In UTC, so that a difference of two is time that really passes, also on the night the clocks change.
    return datetime.combine(day, at, zone).astimezone(UTC)
