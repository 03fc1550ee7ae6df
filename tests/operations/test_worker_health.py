"""Is the worker alive? It is quiet after a minute, loop by loop."""

from __future__ import annotations

from sqlalchemy import select

from pro.features.operations import worker_health
from pro.models import Staff
from tests.support import form_browser
from tests.support.alert_ward import Ward


def beat(ward: Ward, *names: str) -> None:
    with form_browser.working(ward.house) as work:
        for name in names or worker_health.LOOPS:
            worker_health.beat(work, name)


def quiet(ward: Ward) -> list[str]:
    with form_browser.working(ward.house) as work:
        return worker_health.troubles(work)


def test_a_worker_that_never_ran_is_quiet(ward):
    assert quiet(ward) == list(worker_health.LOOPS)


def test_a_worker_is_quiet_after_a_minute(any_ward, clock):
    beat(any_ward)
    assert quiet(any_ward) == []
    clock.move(seconds=60)
    assert quiet(any_ward) == []
    clock.move(seconds=1)
    assert quiet(any_ward) == list(worker_health.LOOPS)


def test_only_the_loop_that_stands_still_is_named(ward, clock):
    beat(ward)
    clock.move(seconds=61)
    with form_browser.working(ward.house) as work:
        for name in worker_health.LOOPS[:-1]:
            worker_health.beat(work, name)
    assert quiet(ward) == ["audit"]


def test_mail_that_waits_too_long_is_named(any_ward, clock):
    any_ward.start().save(bleed=4)
    clock.move(minutes=5)
    beat(any_ward)
    assert quiet(any_ward) == []
    clock.move(seconds=1)
    assert quiet(any_ward) == ["mail"]


def test_an_alert_that_nobody_was_told_of_is_named(any_ward):
    with form_browser.working(any_ward.house) as work:
        for person in work.session.scalars(select(Staff)):
            person.disabled_at = work.now
    beat(any_ward)
    phone = any_ward.start()
    phone.save(bleed=1)
    assert quiet(any_ward) == []
    phone.save(bleed_now=1)
    assert quiet(any_ward) == ["untold"]
