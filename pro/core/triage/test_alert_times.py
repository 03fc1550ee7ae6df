"""Time of the weekly test alert: in working hours, early enough to be confirmed in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pro.core.study_plan import StudySettings, WeeklyTestAlertSettings
from pro.core.triage import escalation_steps


@dataclass(frozen=True, slots=True)
class ScheduledTestAlert:
    """One weekly test alert: its ISO week, as 2026-W48, and its planned start (UTC)."""

    week: str
    at: datetime


def due_test_alert(
    test_settings: WeeklyTestAlertSettings, settings: StudySettings, now: datetime
) -> ScheduledTestAlert | None:
    """Return the test alert that may begin at ``now`` (timezone-aware); None at other times.

    The caller must check that it has not begun already. A test alert that could not begin on its day begins on one of
    the next working days, from the same time of day on, until the next one is due. It never begins so late that the
    time to confirm it would end after the working hours.
    """
    hours = escalation_steps.working_hours(settings)
    today = now.astimezone(hours.zone).date()
    begins = _moment(today, test_settings.at, hours.zone)
    ends = _moment(today, hours.closes, hours.zone) - timedelta(minutes=test_settings.confirm_minutes)
    if not hours.days.has(today) or not begins <= now <= ends:
        return None
    # ``now`` is past the time of day, so a test alert planned for today counts.
    planned = today - timedelta(days=(today.weekday() - test_settings.weekday) % 7)
    return ScheduledTestAlert(iso_week(planned), _moment(planned, test_settings.at, hours.zone))


def iso_week(day: date) -> str:
    """Return the ISO week of ``day``: 2026-W48.

    The last days of December may belong to the first week of the next year.
    """
    year, week, _weekday = day.isocalendar()
    return f"{year}-W{week:02}"


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the local time ``at`` of ``day`` as UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)
