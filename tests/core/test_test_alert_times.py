"""Test when a test alert may start: in local working hours, or later after an outage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.study_plan import StudySettings, WeeklyTestAlertSettings
from pro.core.triage import test_alert_times

SETTINGS = StudySettings("1", "1", "120", "1", "1", "", "8:00", "17:30", "Asia/Shanghai", True)
START = datetime(2026, 1, 1, tzinfo=UTC)
TEST_ALERT_SETTINGS = WeeklyTestAlertSettings(2, time(10), 60, "npc_checkin", {"bleed": 4})


def due(local: str, zone: str = "Asia/Shanghai", alert_settings: WeeklyTestAlertSettings = TEST_ALERT_SETTINGS) -> str:
    """Return the week that may start at this local time; "" for none."""
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    turn = test_alert_times.due_test_alert(alert_settings, replace(SETTINGS, time_zone=zone), now)
    return turn.week if turn else ""


@pytest.mark.parametrize(
    ("local", "week"),
    [
        # Wednesday, the planned day.
        ("2026-11-25T09:59:59", ""),
        ("2026-11-25T10:00", "2026-W48"),
        ("2026-11-25T16:30", "2026-W48"),
        ("2026-11-25T16:30:01", ""),
        ("2026-11-25T23:00", ""),
        # Made up for on the next working days, from the same time of day on.
        ("2026-11-26T03:00", ""),
        ("2026-11-26T10:00", "2026-W48"),
        ("2026-11-27T16:00", "2026-W48"),
        ("2026-11-28T12:00", ""),
        ("2026-11-29T12:00", ""),
        ("2026-11-30T12:00", "2026-W48"),
        ("2026-12-02T10:00", "2026-W49"),
        # The end of the year: ISO week 53, and days of December and January in the other year's week.
        ("2026-12-30T10:00", "2026-W53"),
        ("2027-01-01T12:00", "2026-W53"),
        ("2027-01-04T12:00", "2026-W53"),
        ("2027-01-06T12:00", "2027-W01"),
        ("2025-12-31T12:00", "2026-W01"),
        # A leap day.
        ("2028-03-01T12:00", "2028-W09"),
        ("2028-02-29T12:00", "2028-W08"),
    ],
)
def test_when_a_turn_may_begin(local: str, week: str) -> None:
    assert due(local) == week


@pytest.mark.parametrize(
    ("weekday", "local", "week"),
    [
        (0, "2026-11-23T10:00", "2026-W48"),
        (4, "2026-11-27T10:00", "2026-W48"),
        (4, "2026-11-26T10:00", "2026-W47"),
        (4, "2026-11-30T10:00", "2026-W48"),
    ],
)
def test_any_weekday(weekday: int, local: str, week: str) -> None:
    assert due(local, alert_settings=replace(TEST_ALERT_SETTINGS, weekday=weekday)) == week


@pytest.mark.parametrize(("day", "utc_hour"), [("2026-03-25", 9), ("2026-04-01", 8), ("2026-10-28", 9)])
def test_the_clock_is_the_studys_where_clocks_change(day: str, utc_hour: int) -> None:
    """Check Berlin, where ten o'clock is 09:00 UTC in winter and 08:00 in summer."""
    assert due(f"{day}T09:59", "Europe/Berlin") == ""
    assert due(f"{day}T10:00", "Europe/Berlin") != ""
    now = datetime.fromisoformat(f"{day}T10:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    turn = test_alert_times.due_test_alert(TEST_ALERT_SETTINGS, replace(SETTINGS, time_zone="Europe/Berlin"), now)
    assert turn is not None
    assert turn.at == datetime.fromisoformat(f"{day}T{utc_hour:02}:00").replace(tzinfo=UTC)


@given(
    st.integers(0, 5 * 366 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
    st.integers(0, 4),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_turn_is_never_ahead_never_older_than_a_week_and_never_at_night(
    now: datetime, weekday: int, zone: str
) -> None:
    turn = test_alert_times.due_test_alert(
        replace(TEST_ALERT_SETTINGS, weekday=weekday), replace(SETTINGS, time_zone=zone), now
    )
    if turn is None:
        return
    local = now.astimezone(ZoneInfo(zone))
    assert time(10) <= local.time() <= time(16, 30)
    assert local.weekday() < 5
    # A clock that was set back during the week makes it an hour longer.
    assert timedelta() <= now - turn.at < timedelta(weeks=1, hours=1)
    assert turn.at.astimezone(ZoneInfo(zone)).weekday() == weekday


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_a_week_has_one_name_from_monday_to_sunday(day: date) -> None:
    monday = day - timedelta(days=day.weekday())
    assert {test_alert_times.iso_week(monday + timedelta(days=days)) for days in range(7)} == {
        test_alert_times.iso_week(day)
    }
    assert test_alert_times.iso_week(monday) != test_alert_times.iso_week(monday + timedelta(days=7))
    assert len(test_alert_times.iso_week(day)) == 8
