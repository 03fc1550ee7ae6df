"""When the weekly synthetic alert may begin: in working hours, early enough to be confirmed in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pro.core.study_plan import StudySettings, WeeklyTestAlertSettings
from pro.core.triage import escalation_steps


@dataclass(frozen=True, slots=True)
class ScheduledTestAlert:
    """One week's drill: the ISO week that it belongs to, as 2026-W48, and the moment (UTC) at which it was to begin."""

    week: str
    at: datetime


def due_test_alert(
    test_settings: WeeklyTestAlertSettings, settings: StudySettings, now: datetime
) -> ScheduledTestAlert | None:
    """The turn that may begin at ``now`` (aware) unless it began already; None at any other hour.

    A turn that could not begin on its day is made up for on the next working days from the same time of day on, until
    the next turn takes its place. It never begins so late that the time to confirm it would reach beyond the hours.
    """
    hours = escalation_steps.working_hours(settings)
    today = now.astimezone(hours.zone).date()
    begins = _moment(today, test_settings.at, hours.zone)
    ends = _moment(today, hours.closes, hours.zone) - timedelta(minutes=test_settings.confirm_minutes)
    if not hours.days.has(today) or not begins <= now <= ends:
        return None
    # ``now`` is past the time of day, so today's own turn counts.
    planned = today - timedelta(days=(today.weekday() - test_settings.weekday) % 7)
    return ScheduledTestAlert(iso_week(planned), _moment(planned, test_settings.at, hours.zone))


def iso_week(day: date) -> str:
    """The ISO week of ``day``: 2026-W48. The last days of December may belong to the next year's first week."""
    year, week, _weekday = day.isocalendar()
    return f"{year}-W{week:02}"


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
