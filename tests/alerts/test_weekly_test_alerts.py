"""The weekly synthetic alert: begun once a week in working hours, told like an emergency, and confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import test_alerts
from pro.features.duty_roster import staff_messages
from pro.models import Message, Shift, StaffMember, WeeklyTestAlert
from tests.operations.test_worker_steps import RecordingSender
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Clock
from tests.support.weekly_test_alert_steps import (
    UNTIL_TEST_ALERT,
    begin_test_alerts,
    confirm_test_alert,
    give_phone,
    is_reported_as_trouble,
    only_test_alert,
    read_states,
    run_jobs,
)

# --- begun -----------------------------------------------------------------------------------------------------------


def test_it_begins_at_its_time_and_tells_who_would_be_told(any_clinic: Clinic, clock: Clock) -> None:
    give_phone(any_clinic, any_clinic.nurse)
    clock.now += UNTIL_TEST_ALERT - timedelta(seconds=1)
    sender = RecordingSender()
    run_jobs(any_clinic, sender)
    assert any_clinic.rows(WeeklyTestAlert) == []
    clock.move(seconds=1)
    run_jobs(any_clinic, sender)
    found = only_test_alert(any_clinic)
    assert (found.plan, found.week, found.number, found.state) == (PLAN, "2026-W10", 0, "running")
    # Calls of different channels begin together, in no order.
    sent = {(letter.template, letter.address): letter for letter in sender.letters}
    assert len(sender.letters) == 3
    assert sent.keys() == {
        ("test_alert", "nurse@example.org"),
        ("test_alert_sms", "+8613700137000"),
        ("test_alert", "investigator@example.org"),
    }
    first = sent["test_alert", "nurse@example.org"]
    assert first.params == {"level": "emergency", "link": "http://127.0.0.1:8000/staff/test-alerts/1"}
    assert (first.language, sent["test_alert", "investigator@example.org"].language) == ("zh_Hans", "en")
    (event,) = any_clinic.events("test_alert.started")
    assert (event.actor, event.participant_id, (event.new or {})["week"]) == ("system", None, "2026-W10")
    assert any_clinic.alerts() == {}
    for _ in range(3):
        clock.move(minutes=5)
        run_jobs(any_clinic, sender)
    assert len(any_clinic.rows(WeeklyTestAlert)) == 1
    assert len(sender.letters) == 3


def test_no_text_message_where_the_installation_sends_none(clinic: Clinic, clock: Clock) -> None:
    give_phone(clinic, clinic.nurse)
    clock.now += UNTIL_TEST_ALERT
    quiet = replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, sms="none"))
    )
    assert begin_test_alerts(quiet) == 1
    assert {message.channel for message in clinic.rows(Message)} == {"email"}


def test_four_workers_begin_one(any_clinic: Clinic, clock: Clock) -> None:
    clock.now += UNTIL_TEST_ALERT
    form_browser.run_concurrently(*(lambda: begin_test_alerts(any_clinic) for _ in range(4)))
    assert len(any_clinic.rows(WeeklyTestAlert)) == len(any_clinic.events("test_alert.started")) == 1
    assert len(any_clinic.mails("test_alert")) == 2


def test_one_a_week_and_over_the_years_end(any_clinic: Clinic, clock: Clock) -> None:
    clock.now += UNTIL_TEST_ALERT
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.scalars(select(Shift)).one().ends_at = datetime(2028, 1, 1, tzinfo=UTC)
    for _ in range(3):
        assert begin_test_alerts(any_clinic) == 1
        assert begin_test_alerts(any_clinic) == 0
        clock.move(days=7)
    clock.now = datetime(2026, 12, 30, 2, 0, tzinfo=UTC)
    assert begin_test_alerts(any_clinic) == 1
    clock.now = datetime(2027, 1, 4, 2, 0, tzinfo=UTC)  # Monday of 2027-W01: last week's was held
    assert begin_test_alerts(any_clinic) == 0
    clock.now = datetime(2027, 1, 6, 2, 0, tzinfo=UTC)
    assert begin_test_alerts(any_clinic) == 1
    weeks = [row.week for row in any_clinic.rows(WeeklyTestAlert)]
    assert weeks == ["2026-W10", "2026-W11", "2026-W12", "2026-W53", "2027-W01"]


def test_a_worker_that_was_down_makes_up_for_it_but_never_at_night(any_clinic: Clinic, clock: Clock) -> None:
    clock.now += UNTIL_TEST_ALERT + timedelta(hours=10)  # 20:00
    assert begin_test_alerts(any_clinic) == 0
    clock.move(hours=7)  # 03:00 on Thursday
    assert begin_test_alerts(any_clinic) == 0
    clock.move(hours=8)  # 11:00
    assert begin_test_alerts(any_clinic) == 1
    assert only_test_alert(any_clinic).week == "2026-W10"


def test_in_a_zone_where_the_clocks_change(any_clinic: Clinic, clock: Clock) -> None:
    """Berlin: ten o'clock is 09:00 UTC on 25 March 2026 and 08:00 UTC a week later."""
    there = any_clinic.with_plan(lambda plan: replace(plan, settings=replace(plan.settings, time_zone="Europe/Berlin")))
    for day, hour in ((25, 9), (32, 8)):
        clock.now = datetime(2026, 3, 1, hour, 0, tzinfo=UTC) + timedelta(days=day - 1, seconds=-1)
        assert begin_test_alerts(there) == 0
        clock.move(seconds=1)
        assert begin_test_alerts(there) == 1
    assert [row.week for row in any_clinic.rows(WeeklyTestAlert)] == ["2026-W13", "2026-W14"]


def test_a_clock_that_jumps_back_an_hour_begins_nothing_again(sent_weekly_alert: Clinic, clock: Clock) -> None:
    clock.move(hours=-1)
    run_jobs(sent_weekly_alert)
    clock.move(hours=1)
    run_jobs(sent_weekly_alert)
    assert len(sent_weekly_alert.rows(WeeklyTestAlert)) == 1
    assert len(sent_weekly_alert.mails("test_alert")) == 2


def test_a_turn_before_the_first_account_is_not_made_up(clinic: Clinic, clock: Clock) -> None:
    clock.move(hours=1)
    assert begin_test_alerts(clinic) == 0  # Monday 10:00; last Wednesday there was no account


def test_a_plan_without_a_test_alert_has_none(clinic: Clinic, clock: Clock) -> None:
    quiet = clinic.with_plan(lambda plan: replace(plan, test_alert_settings=None))
    clock.move(days=30)
    assert begin_test_alerts(quiet) == 0
    assert not is_reported_as_trouble(quiet) or read_states(quiet) == []
    with form_browser.unit_of_work(quiet.app_context) as work, pytest.raises(BadData, match="no_test_alert"):
        test_alerts.start_test_alert_now(work, PLAN)


def test_by_hand_at_any_hour_beside_the_weeks_own(any_clinic: Clinic, clock: Clock) -> None:
    clock.move(hours=12)
    for _ in range(2):
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            test_alerts.start_test_alert_now(work, PLAN)
    clock.now += UNTIL_TEST_ALERT - timedelta(hours=12)
    assert begin_test_alerts(any_clinic) == 1
    assert [(row.week, row.number) for row in any_clinic.rows(WeeklyTestAlert)] == [
        ("2026-W10", 1),
        ("2026-W10", 2),
        ("2026-W10", 0),
    ]
    with form_browser.unit_of_work(any_clinic.app_context) as work, pytest.raises(BadData, match="no_plan"):
        test_alerts.start_test_alert_now(work, "no_such_plan")


def test_its_messages_go_first_and_are_tried_again_like_an_alerts(sent_weekly_alert: Clinic, clock: Clock) -> None:
    assert {message.repeat for message in sent_weekly_alert.rows(Message)} == {"prefer_duplicate"}
    with form_browser.unit_of_work(sent_weekly_alert.app_context, sent_weekly_alert.coordinator.actor) as work:
        for number in range(3):
            params = {"rows": [{"participant_number": "NPC-001", "link": "x"}]}
            staff = work.session.get_one(StaffMember, sent_weekly_alert.nurse.id)
            staff_messages.queue_staff_message(work, staff, "daily_digest", params, f"quiet:{number}")
        test_alerts.start_test_alert_now(work, PLAN)
    sender = RecordingSender()
    run_jobs(sent_weekly_alert, sender)
    templates = [letter.template for letter in sender.letters]
    assert sorted(templates[:3]) == ["test_alert", "test_alert", "test_alert_sms"]
    assert set(templates[3:]) == {"daily_digest"}


# --- confirmed -------------------------------------------------------------------------------------------------------


def test_one_who_was_told_confirms_it(sent_weekly_alert: Clinic, clock: Clock) -> None:
    assert read_states(sent_weekly_alert) == ["running"]
    clock.move(minutes=3)
    assert confirm_test_alert(sent_weekly_alert, sent_weekly_alert.nurse) is True
    found = only_test_alert(sent_weekly_alert)
    assert (found.state, found.confirmed_at, found.confirmed_by) == ("passed", clock.now, sent_weekly_alert.nurse.id)
    assert read_states(sent_weekly_alert) == []
    assert confirm_test_alert(sent_weekly_alert, sent_weekly_alert.investigator) is False
    assert only_test_alert(sent_weekly_alert).confirmed_by == sent_weekly_alert.nurse.id
    (event,) = sent_weekly_alert.events("test_alert.confirmed")
    assert (event.actor_id, event.participant_id) == (sent_weekly_alert.nurse.id, None)
    clock.move(hours=5)
    run_jobs(sent_weekly_alert)
    assert only_test_alert(sent_weekly_alert).failed_at is None
    assert sent_weekly_alert.mails("test_alert_failed") == []


def test_who_has_neither_the_right_nor_the_message_cannot(sent_weekly_alert: Clinic) -> None:
    with form_browser.unit_of_work(sent_weekly_alert.app_context) as work:
        monitor = factories.account(work, "monitor")
    with pytest.raises(NotAllowed):
        confirm_test_alert(sent_weekly_alert, monitor)
    with pytest.raises(NotFound):
        confirm_test_alert(sent_weekly_alert, sent_weekly_alert.nurse, 99)
    assert only_test_alert(sent_weekly_alert).state == "running"


def test_whoever_is_on_call_may_confirm_whatever_the_role(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        monitor = factories.account(work, "monitor")
        factories.duty(work, monitor)
    clock.now += UNTIL_TEST_ALERT
    begin_test_alerts(clinic)
    assert confirm_test_alert(clinic, monitor) is True
