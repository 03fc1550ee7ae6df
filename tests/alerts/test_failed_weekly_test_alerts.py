"""A test alert that did not get through: found once, loud, and red until one is confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from pro.errors import BadData
from pro.features.alerts import test_alerts
from pro.features.operations import worker_steps
from pro.messaging.sender_protocol import ProviderRefused, ProviderUnreachable
from pro.models import Message, Shift, StaffMember
from tests.operations.test_worker_steps import RecordingSender
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Clock
from tests.support.weekly_test_alert_steps import (
    UNTIL_TEST_ALERT,
    FailingSender,
    begin_test_alerts,
    confirm_test_alert,
    give_phone,
    is_reported_as_trouble,
    only_test_alert,
    read_states,
    run_jobs,
)


def test_nobody_confirms_it_in_time(sent_weekly_alert: Clinic, clock: Clock) -> None:
    clock.move(minutes=59, seconds=59)
    run_jobs(sent_weekly_alert)
    assert (only_test_alert(sent_weekly_alert).state, is_reported_as_trouble(sent_weekly_alert)) == ("running", False)
    clock.move(seconds=1)
    run_jobs(sent_weekly_alert)
    found = only_test_alert(sent_weekly_alert)
    assert (found.state, found.failure, found.failed_at) == ("failed", "not_confirmed", clock.now)
    assert is_reported_as_trouble(sent_weekly_alert)
    mails = sent_weekly_alert.mails("test_alert_failed")
    assert [mail.to for mail in mails] == ["investigator@example.org", "coordinator@example.org"]
    assert mails[0].params["failure"] == "not_confirmed"
    assert "Not confirmed in time." in mails[0].body
    run_jobs(sent_weekly_alert)
    assert (
        len(sent_weekly_alert.mails("test_alert_failed")) == len(sent_weekly_alert.events("test_alert.failed")) * 2 == 2
    )
    # Late, but now they know that it arrives.
    clock.move(hours=2)
    assert confirm_test_alert(sent_weekly_alert, sent_weekly_alert.nurse) is True
    assert (
        only_test_alert(sent_weekly_alert).state,
        read_states(sent_weekly_alert),
        is_reported_as_trouble(sent_weekly_alert),
    ) == ("passed", [], False)


def test_the_administrator_hears_of_it_too(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.account(work, "administrator")
    clock.now += UNTIL_TEST_ALERT
    run_jobs(clinic)
    clock.move(hours=1)
    run_jobs(clinic)
    assert "administrator@example.org" in [mail.to for mail in clinic.mails("test_alert_failed")]


def test_two_workers_find_a_failure_once(sent_weekly_alert: Clinic, clock: Clock) -> None:
    clock.move(hours=1)

    def check() -> None:
        with form_browser.unit_of_work(sent_weekly_alert.app_context) as work:
            test_alerts.find_failed_test_alerts(work)

    form_browser.run_concurrently(check, check, check)
    assert len(sent_weekly_alert.events("test_alert.failed")) == 1
    assert len(sent_weekly_alert.mails("test_alert_failed")) == 2


def test_a_message_that_is_refused_fails_it_at_once_even_if_another_was_confirmed(
    any_clinic: Clinic, clock: Clock
) -> None:
    give_phone(any_clinic, any_clinic.nurse)
    clock.now += UNTIL_TEST_ALERT
    mail = RecordingSender()
    worker_steps.run_jobs(
        any_clinic.app_context, {"email": mail, "sms": FailingSender(ProviderRefused("phone_unknown"))}, "worker-1"
    )
    confirm_test_alert(any_clinic, any_clinic.nurse)
    clock.move(seconds=5)
    run_jobs(any_clinic)
    found = only_test_alert(any_clinic)
    assert (found.state, found.failure) == ("failed", "not_delivered")
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        page = test_alerts.weekly_test_alert_page(work, found.id, "en")
    assert [(told.channel, told.status) for told in page.told] == [
        ("email", "sent"),
        ("sms", "failed"),
        ("email", "sent"),
    ]
    assert "This number does not exist on the network." in page.told[1].reason
    clock.move(minutes=1)
    assert confirm_test_alert(any_clinic, any_clinic.investigator) is True
    assert read_states(any_clinic) == []


def test_a_provider_that_is_away_all_the_time(any_clinic: Clinic, clock: Clock) -> None:
    clock.now += UNTIL_TEST_ALERT
    away = FailingSender(ProviderUnreachable("no_line"))
    for _ in range(13):
        run_jobs(any_clinic, away)
        clock.move(minutes=5)
    assert (only_test_alert(any_clinic).state, only_test_alert(any_clinic).failure) == ("failed", "not_delivered")
    sender = RecordingSender()
    clock.move(hours=6)
    run_jobs(any_clinic, sender)
    assert {letter.template for letter in sender.letters} == {"test_alert_failed"}, (
        "nobody is woken by a test alert of the day"
    )


def test_with_nobody_on_call_others_are_told_and_it_fails(any_clinic: Clinic, clock: Clock) -> None:
    clock.now += UNTIL_TEST_ALERT
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.scalars(select(Shift)).one().ends_at = work.now
    assert begin_test_alerts(any_clinic) == 1
    assert (only_test_alert(any_clinic).state, only_test_alert(any_clinic).failure) == ("failed", "nobody_on_duty")
    assert [mail.to for mail in any_clinic.mails("test_alert")] == ["investigator@example.org"]
    assert is_reported_as_trouble(any_clinic)


def test_answers_that_are_no_emergency_any_more_fail_at_once_and_tell_nobody(any_clinic: Clinic, clock: Clock) -> None:
    calm = any_clinic.with_plan(lambda plan: replace(plan, rules=tuple(r for r in plan.rules if r.id != "E01")))
    clock.now += UNTIL_TEST_ALERT
    assert begin_test_alerts(calm) == 1
    assert (only_test_alert(any_clinic).state, only_test_alert(any_clinic).failure) == ("failed", "not_an_emergency")
    assert any_clinic.mails("test_alert") == []
    assert len(any_clinic.mails("test_alert_failed")) == 2
    with pytest.raises(BadData, match="nobody_told"):
        confirm_test_alert(any_clinic, any_clinic.nurse)
    assert read_states(any_clinic) == ["failed"]


def test_judging_that_breaks_is_no_emergency_either(clinic: Clinic, clock: Clock) -> None:
    poor = replace(
        clinic, app_context=replace(clinic.app_context, catalogue=replace(clinic.app_context.catalogue, instruments={}))
    )
    clock.now += UNTIL_TEST_ALERT
    assert begin_test_alerts(poor) == 1
    assert only_test_alert(clinic).failure == "not_an_emergency"


def test_red_until_a_later_one_is_confirmed(sent_weekly_alert: Clinic, clock: Clock) -> None:
    clock.move(hours=1)
    run_jobs(sent_weekly_alert)
    clock.move(days=6, hours=23)
    run_jobs(sent_weekly_alert)
    assert read_states(sent_weekly_alert) == ["failed", "running"]
    assert is_reported_as_trouble(sent_weekly_alert)
    confirm_test_alert(sent_weekly_alert, sent_weekly_alert.nurse, 2)
    assert read_states(sent_weekly_alert) == []


def test_a_week_without_a_test_alert_is_trouble(any_clinic: Clinic, clock: Clock) -> None:
    clock.move(days=8)
    assert "overdue" not in read_states(any_clinic)
    clock.move(seconds=1)
    assert read_states(any_clinic) == ["overdue"]
    assert is_reported_as_trouble(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        test_alerts.start_test_alert_now(work, PLAN)
    assert read_states(any_clinic) == ["running"]
    confirm_test_alert(any_clinic, any_clinic.nurse)
    clock.move(days=8)
    assert read_states(any_clinic) == []
    clock.move(seconds=1)
    assert read_states(any_clinic) == ["overdue"]


def test_a_new_installation_has_none_yet(clinic: Clinic) -> None:
    assert read_states(clinic) == []
    assert not is_reported_as_trouble(clinic)


def test_nobody_at_all_is_told_and_that_is_a_failure(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for person in work.session.scalars(select(StaffMember)):
            person.disabled_at = work.now
    clock.now += UNTIL_TEST_ALERT
    assert begin_test_alerts(clinic) == 1
    assert only_test_alert(clinic).failure == "nobody_on_duty"
    assert clinic.rows(Message) == []
