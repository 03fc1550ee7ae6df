"""Test the time of escalation steps: minutes, working hours, or noon of the next day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.rule_language.level import Level
from pro.core.schedule.anchors import WorkingDays
from pro.core.study_plan import EscalationStep
from pro.core.triage import escalation_steps
from pro.core.triage.escalation_steps import WorkingHours

SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"
EMERGENCY = (
    EscalationStep(Level.EMERGENCY, 0, ("on_call", "investigator"), "email"),
    EscalationStep(Level.EMERGENCY, 15, ("on_call", "investigator"), "email"),
    EscalationStep(Level.EMERGENCY, 30, ("backup",), "email"),
    EscalationStep(Level.EMERGENCY, 45, ("investigator",), "sms"),
)
AGAIN = EscalationStep(Level.URGENT, 0, ("on_call",), "email", working_hours=4, next_day=time(12))
STEPS = (*EMERGENCY, EscalationStep(Level.URGENT, 0, ("on_call", "investigator"), "email"), AGAIN)


def hours(
    zone: str = SHANGHAI, *, opens: time = time(8), closes: time = time(17, 30), days: WorkingDays | None = None
) -> WorkingHours:
    return WorkingHours(opens, closes, ZoneInfo(zone), days or escalation_steps.MONDAY_TO_FRIDAY)


def local(text: str, zone: str = SHANGHAI) -> datetime:
    """Return ``2026-03-02 09:00`` in ``zone``."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


RAISED = local("2026-03-02 09:00")


@pytest.mark.parametrize(
    ("minutes", "names", "next_one"),
    [
        (0, [], "15m"),
        (14.99, [], "15m"),
        (15, ["15m"], "30m"),
        (29.99, ["15m"], "30m"),
        (30, ["15m", "30m"], "45m"),
        # After the last step it is repeated every 15 minutes.
        (45, ["15m", "30m", "45m"], 60),
        (59, ["15m", "30m", "45m"], 60),
        (60, ["15m", "30m", "45m"], 75),
        (6000, ["15m", "30m", "45m"], 6015),
    ],
)
def test_an_emergency_climbs_by_the_minute(minutes, names, next_one):
    now = RAISED + timedelta(minutes=minutes)
    found = escalation_steps.due_steps(STEPS, Level.EMERGENCY, RAISED, now, hours())
    assert [timed.step.name for timed in found] == names
    at, steps = escalation_steps.next_notice(STEPS, Level.EMERGENCY, RAISED, now, hours(), 15)
    if isinstance(next_one, str):
        assert [step.name for step in steps] == [next_one]
    else:
        assert (at - RAISED, steps) == (
            timedelta(minutes=next_one),
            [step for step in STEPS if step.level is Level.EMERGENCY],
        )


@pytest.mark.parametrize("night", ["2026-03-01 02:00", "2026-03-07 23:50"])
def test_an_emergency_knows_no_night_and_no_weekend(night):
    found = escalation_steps.timed_steps(STEPS, Level.EMERGENCY, local(night), hours())
    assert [timed.at - local(night) for timed in found] == [timedelta(minutes=minutes) for minutes in (15, 30, 45)]


def test_the_first_notification_is_no_step_and_watch_has_none():
    assert escalation_steps.timed_steps(STEPS, Level.WATCH, RAISED, hours()) == ()
    assert [timed.step for timed in escalation_steps.timed_steps(STEPS, Level.URGENT, RAISED, hours())] == [AGAIN]


# 2026-03-02 is a Monday.
@pytest.mark.parametrize(
    ("raised", "at"),
    [
        ("2026-03-02 09:00", "2026-03-02 13:00"),
        ("2026-03-02 08:00", "2026-03-02 12:00"),
        ("2026-03-02 13:30", "2026-03-02 17:30"),
        # Four hours extend past closing time: 90 minutes on Monday, the rest on Tuesday.
        ("2026-03-02 16:00", "2026-03-03 10:30"),
        ("2026-03-02 17:30", "2026-03-03 12:00"),
        # At night.
        ("2026-03-02 18:00", "2026-03-03 12:00"),
        ("2026-03-02 23:59", "2026-03-03 12:00"),
        ("2026-03-03 02:00", "2026-03-03 12:00"),
        # Before and on a weekend: not on Monday, but at noon of the next calendar day.
        ("2026-03-06 16:00", "2026-03-07 12:00"),
        ("2026-03-06 20:00", "2026-03-07 12:00"),
        ("2026-03-07 10:00", "2026-03-08 12:00"),
        ("2026-03-08 10:00", "2026-03-09 12:00"),
        ("2026-03-31 19:00", "2026-04-01 12:00"),
        ("2026-12-31 19:00", "2027-01-01 12:00"),
    ],
)
def test_an_urgent_alert_is_told_again_after_working_hours_or_at_noon(raised, at):
    (timed,) = escalation_steps.timed_steps(STEPS, Level.URGENT, local(raised), hours())
    assert timed.at == local(at)
    assert timed.at.tzinfo is UTC
    assert (
        escalation_steps.due_steps(STEPS, Level.URGENT, local(raised), timed.at - timedelta(seconds=1), hours()) == ()
    )
    assert escalation_steps.due_steps(STEPS, Level.URGENT, local(raised), timed.at, hours()) == (timed,)


@pytest.mark.parametrize(
    ("raised", "opens", "at"),
    [
        # Clocks go forward on Sunday 2026-03-29 at 02:00: noon is an hour earlier.
        ("2026-03-28 18:00", time(8), "2026-03-29 10:00+00:00"),
        ("2026-03-27 20:00", time(8), "2026-03-28 11:00+00:00"),
        # And back on Sunday 2026-10-25 at 03:00.
        ("2026-10-24 18:00", time(8), "2026-10-25 11:00+00:00"),
        # Open during the change itself: four real hours pass from 00:30 to 05:30.
        ("2026-03-29 00:30", time(0), "2026-03-29 03:30+00:00"),
        ("2026-10-25 00:30", time(0), "2026-10-25 02:30+00:00"),
    ],
)
def test_where_clocks_change(raised, opens, at):
    always = hours(
        BERLIN, opens=opens, closes=time(23), days=WorkingDays(weekend=frozenset()) if opens == time(0) else None
    )
    (timed,) = escalation_steps.timed_steps(STEPS, Level.URGENT, local(raised, BERLIN), always)
    assert timed.at == datetime.fromisoformat(at)


def test_days_off_and_make_up_days_count_where_they_are_known():
    days = WorkingDays(off=frozenset({date(2026, 3, 2)}), on=frozenset({date(2026, 3, 8)}))
    start = local("2026-03-02 09:00")
    assert escalation_steps.add_working_hours(start, timedelta(hours=4), hours(days=days)) == local("2026-03-03 12:00")
    start = local("2026-03-06 16:00")
    assert escalation_steps.add_working_hours(start, timedelta(hours=4), hours(days=days)) == local("2026-03-08 10:30")


def test_a_study_that_never_opens_is_an_error_not_an_endless_search():
    never = hours(days=WorkingDays(weekend=frozenset(range(7))))
    with pytest.raises(ValueError, match="no working day"):
        escalation_steps.add_working_hours(RAISED, timedelta(hours=4), never)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001  the zone comes with the next
    st.sampled_from([SHANGHAI, BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    st.integers(1, 24),
)
def test_working_hours_pass_while_the_study_is_open_and_never_beyond_the_cap(naive, zone, number):
    raised = naive.replace(tzinfo=ZoneInfo(zone))
    open_hours = hours(zone)
    end = escalation_steps.add_working_hours(raised, timedelta(hours=number), open_hours).astimezone(ZoneInfo(zone))
    assert open_hours.opens < end.time() <= open_hours.closes
    assert end.weekday() < 5
    assert end - raised >= timedelta(0)
    assert end.astimezone(UTC) - raised.astimezone(UTC) >= timedelta(hours=number)
    step = EscalationStep(Level.URGENT, 0, ("on_call",), "email", working_hours=number, next_day=time(12))
    (timed,) = escalation_steps.timed_steps([step], Level.URGENT, raised, open_hours)
    assert raised < timed.at <= end
    assert timed.at.astimezone(ZoneInfo(zone)).date() - raised.date() <= timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "opens"),
    [
        ("2026-03-02 00:05", "2026-03-02 08:00"),
        ("2026-03-02 07:59", "2026-03-02 08:00"),
        ("2026-03-02 08:00", "2026-03-03 08:00"),
        ("2026-03-06 12:00", "2026-03-09 08:00"),
        ("2026-03-07 00:05", "2026-03-09 08:00"),
    ],
)
def test_the_hours_begin_again_on_the_next_working_day(start, opens):
    assert escalation_steps.next_opening(local(start), hours()) == local(opens)
