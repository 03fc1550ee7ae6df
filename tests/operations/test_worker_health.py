"""Test the worker's heartbeat: missing after a minute, for each job."""

from __future__ import annotations

from sqlalchemy import select

from pro.features.operations import worker_health
from pro.models import StaffMember
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


def beat(clinic: Clinic, *names: str) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for name in names or worker_health.LOOPS:
            worker_health.record_heartbeat(work, name)


def quiet(clinic: Clinic) -> list[str]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return worker_health.find_troubles(work)


def test_a_worker_that_never_ran_is_quiet(clinic):
    assert quiet(clinic) == list(worker_health.LOOPS)


def test_a_worker_is_quiet_after_a_minute(any_clinic, clock):
    beat(any_clinic)
    assert quiet(any_clinic) == []
    clock.move(seconds=60)
    assert quiet(any_clinic) == []
    clock.move(seconds=1)
    assert quiet(any_clinic) == list(worker_health.LOOPS)


def test_only_the_loop_that_stands_still_is_named(clinic, clock):
    beat(clinic)
    clock.move(seconds=61)
    with form_browser.unit_of_work(clinic.app_context) as work:
        for name in worker_health.LOOPS[:-1]:
            worker_health.record_heartbeat(work, name)
    assert quiet(clinic) == ["audit"]


def test_mail_that_waits_too_long_is_named(any_clinic, clock):
    any_clinic.start().save(bleed=4)
    clock.move(minutes=5)
    beat(any_clinic)
    assert quiet(any_clinic) == ["not_notified"]
    clock.move(seconds=1)
    assert quiet(any_clinic) == ["email", "not_notified"]


def test_an_alert_without_a_notification_is_named(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for person in work.session.scalars(select(StaffMember)):
            person.disabled_at = work.now
    beat(any_clinic)
    phone = any_clinic.start()
    phone.save(bleed=1)
    assert quiet(any_clinic) == []
    phone.save(bleed_now=1)
    assert quiet(any_clinic) == ["not_notified"]
