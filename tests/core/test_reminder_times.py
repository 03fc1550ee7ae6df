"""Test messages about open forms: when, how often, not at night (docs/domain.md 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.schedule.expected_visits import ExpectedVisit, list_expected_visits
from pro.core.schedule.reminder_times import form_reminders, is_quiet, limit_reminders, plan_messages
from tests.core.example_schedule import CALENDAR, CHECKIN, QLQ, SHANGHAI, anchor, hour, local, plan_of, treated

RULES = CALENDAR.reminder_rules
ZONES = (
    *("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Apia", "America/St_Johns", "Africa/Casablanca", "UTC"),
)


def open_form(opens, closes, zone=SHANGHAI, reminder_rules=None):
    """Return a check-in with this window."""
    start, end = local(opens, zone), local(closes, zone)
    return ExpectedVisit("visit", "visit", 0, CHECKIN, start, end, end, True, "actual", zone, reminders=reminder_rules)


def times(found):
    """Return (step, from, to) in local time."""
    zone = ZoneInfo(found[0].one.time_zone) if found else None
    return [
        (m.step, f"{m.not_before.astimezone(zone):%d %H:%M}", f"{m.not_after.astimezone(zone):%d %H:%M}") for m in found
    ]


def test_at_opening_a_day_later_and_two_days_later():
    found = form_reminders(open_form("2027-03-15 08:00", "2027-03-19 23:59"), RULES)
    assert times(found) == [(0, "15 08:00", "15 20:00"), (1, "16 08:00", "16 20:00"), (2, "17 08:00", "17 20:00")]


@pytest.mark.parametrize(
    ("since", "expected_times"),
    [
        # Known only at 22:00: the first message waits for the morning.
        ("2027-03-15 22:00", [(0, "16 08:00", "16 20:00"), (1, "17 08:00", "17 20:00"), (2, "18 08:00", "18 20:00")]),
        ("2027-03-16 01:00", [(0, "16 08:00", "16 20:00"), (1, "17 08:00", "17 20:00"), (2, "18 08:00", "18 20:00")]),
        # Never at night: a message not sent by 21:00 is dropped.
        ("2027-03-15 15:00", [(0, "15 15:00", "15 20:59"), (1, "16 15:00", "16 20:59"), (2, "17 15:00", "17 20:59")]),
        # Known late: no message after the window.
        ("2027-03-18 10:00", [(0, "18 10:00", "18 20:59"), (1, "19 10:00", "19 20:59")]),
        ("2027-03-19 22:00", []),
        ("2027-04-01 10:00", []),
    ],
)
def test_a_form_that_became_known_after_its_opening(since, expected_times):
    found = form_reminders(open_form("2027-03-15 08:00", "2027-03-19 23:59"), RULES, local(since))
    assert times(found) == expected_times


def test_an_ulcer_has_one_reminder_after_four_hours():
    found = plan_of([anchor("ulcer_suspected", "2027-03-15", 1)])
    messages = form_reminders(found[f"ulcer_daily.ulcer_suspected.1.1 {CHECKIN}"], RULES)
    assert times(messages) == [(0, "15 08:00", "15 11:59"), (1, "15 12:00", "15 20:59")]
    evening = form_reminders(found[f"ulcer_daily.ulcer_suspected.1.1 {CHECKIN}"], RULES, local("2027-03-15 18:00"))
    assert times(evening) == [(0, "15 18:00", "15 20:59")]


def test_after_an_outage_of_two_days_one_message_goes_out():
    found = form_reminders(open_form("2027-03-15 08:00", "2027-03-19 23:59"), RULES)
    for now in (local("2027-03-17 09:00"), local("2027-03-16 09:00"), local("2027-03-15 09:00")):
        assert sum(message.is_due(now) for message in found) == 1
    assert [message.is_stale(local("2027-03-17 09:00")) for message in found] == [True, True, False]
    assert not any(message.is_due(local("2027-03-17 23:00")) for message in found)


@pytest.mark.parametrize(
    ("quiet", "moment", "silent"),
    [
        (("21:00", "08:00"), "2027-03-15 20:59", False),
        (("21:00", "08:00"), "2027-03-15 21:00", True),
        (("21:00", "08:00"), "2027-03-15 07:59", True),
        (("21:00", "08:00"), "2027-03-15 08:00", False),
        (("00:00", "06:00"), "2027-03-15 23:59", False),
        (("00:00", "06:00"), "2027-03-15 05:59", True),
    ],
)
def test_quiet_hours(quiet, moment, silent):
    rules = replace(RULES, quiet_from=hour(quiet[0]), quiet_until=hour(quiet[1]))
    assert is_quiet(local(moment), rules, ZoneInfo(SHANGHAI)) is silent


@given(
    st.sampled_from(ZONES),
    st.integers(0, 3 * 366 * 24 * 60),
    st.integers(1, 20 * 24 * 60),
    st.integers(-600, 40 * 24 * 60),
    st.sampled_from([None, (0, 240), (0, 60, 61, 10000), ()]),
    st.sampled_from([("21:00", "08:00"), ("22:30", "07:15"), ("00:00", "09:00")]),
)
def test_no_message_at_night_none_outside_the_window_and_one_at_a_time(
    zone, start, length, since, reminder_rules, quiet
):
    rules = replace(RULES, quiet_from=hour(quiet[0]), quiet_until=hour(quiet[1]))
    opens = local("2027-01-01 00:00", "UTC") + timedelta(minutes=start)
    end = opens + timedelta(minutes=length)
    one = ExpectedVisit("v", "v", 0, QLQ, opens, end, end, True, "actual", zone, reminders=reminder_rules)
    known = opens + timedelta(minutes=since)
    found = form_reminders(one, rules, known)
    for message in found:
        assert max(opens, known) <= message.not_before <= message.not_after <= end
        halfway = message.not_before + (message.not_after - message.not_before) / 2
        for moment in (message.not_before, halfway, message.not_after):
            assert not is_quiet(moment, rules, ZoneInfo(zone))
        assert sum(other.is_due(message.not_before) for other in found) == 1


def whole():
    """Generate the messages of a participant with an ulcer and maintenance who never answers."""
    anchors = [*treated(), anchor("maintenance_cycle", "2027-03-17", 1), anchor("ulcer_suspected", "2027-03-18", 1)]
    return plan_messages(list_expected_visits(CALENDAR, anchors, SHANGHAI), RULES)


def test_a_day_s_messages_about_one_instrument_are_about_one_visit():
    by_day: dict = {}
    for message in whole().sent:
        by_day.setdefault((message.day, message.one.instrument), set()).add(message.one.visit)
    assert all(len(visits) == 1 for visits in by_day.values())
    # The daily ulcer form closes first, so it goes before the weekly one.
    assert by_day[local("2027-03-23 12:00").date(), CHECKIN] == {"ulcer_daily.ulcer_suspected.1.6"}


def test_there_are_never_more_than_the_day_s_number():
    counts: dict = {}
    found = whole()
    for message in found.sent:
        counts[message.day] = counts.get(message.day, 0) + 1
    assert max(counts.values()) <= RULES.per_day
    assert {why for _, why in found.dropped} == {"another_form", "together"}


def test_two_forms_that_open_at_once_are_one_message():
    form = open_form("2027-03-15 08:00", "2027-03-19 23:59")
    longer = replace(form, visit="other", instrument=QLQ, closes=local("2027-03-25 23:59"))
    found = limit_reminders([*form_reminders(longer, RULES), *form_reminders(form, RULES)], RULES)
    assert {message.one.instrument for message in found.sent} == {CHECKIN}
    assert [why for _, why in found.dropped] == ["together"] * 3
    # Once the first is answered, the other gets its own message.
    assert len(limit_reminders(form_reminders(longer, RULES), RULES).sent) == 3


def test_what_was_dealt_with_keeps_no_other_form_s_message_back():
    form = open_form("2027-03-15 08:00", "2027-03-19 23:59")
    other = replace(form, visit="other", instrument=QLQ, closes=local("2027-03-25 23:59"))
    wanted = [*form_reminders(form, RULES), *form_reminders(other, RULES)]
    found = limit_reminders(wanted, RULES, done={form.name: 2})
    assert [(message.one.visit, message.step) for message in found.sent] == [("other", 0), ("other", 1), ("visit", 2)]
    assert [(message.one.visit, message.step, why) for message, why in found.dropped] == [("other", 2, "together")]
    # A message sent today counts by its step number, not by the current reminder schedule.
    once = {local("2027-03-15 12:00").date(): 1}
    found = limit_reminders(wanted, replace(RULES, per_day=1), once, {form.name: 3})
    assert [(message.one.visit, message.step) for message in found.sent] == [("other", 1), ("other", 2)]


def test_mandatory_forms_come_first_when_the_day_has_enough():
    form = open_form("2027-03-15 08:00", "2027-03-19 23:59")
    optional = replace(form, visit="other", instrument=QLQ, mandatory=False, opens=local("2027-03-15 10:00"))
    wanted = [*form_reminders(optional, RULES), *form_reminders(form, RULES)]
    rules = replace(RULES, per_day=1)
    found = limit_reminders(wanted, rules)
    assert {message.one.visit for message in found.sent} == {"visit"}
    assert [why for _, why in found.dropped] == ["enough"] * 3
    used = {local("2027-03-15 12:00").date(): 1}
    assert [message.step for message in limit_reminders(wanted, rules, used).sent] == [1, 2]


def test_an_offer_without_messages_has_none():
    found = plan_of([*treated(), anchor("withdrawal", "2027-03-20")])
    assert form_reminders(found[f"withdrawal {QLQ}"], RULES) == ()


def test_the_choice_is_the_same_at_every_tick_and_knows_what_became_known_late():
    """Check that the choice is stable and includes visits that became known late.

    The 50 Gy decision and fraction 25 overlap: only the decision, which closes first, is asked about by message.
    """
    waiting = list_expected_visits(CALENDAR, treated(), SHANGHAI)
    late = {("decision_50gy", CHECKIN): local("2027-03-04 10:00")}
    found = plan_messages(waiting, RULES, late)
    of_day = [(m.one.visit, m.step) for m in found.sent if m.is_due(local("2027-03-04 10:00")) and m.one.number != 28]
    assert of_day == [("decision_50gy", 0)]
    # Before the decision was known, a message asked for the form at fraction 25.
    assert ("rt_week.25", 0) in {(m.one.visit, m.step) for m in found.sent}
    assert plan_messages(waiting, RULES, late) == found
