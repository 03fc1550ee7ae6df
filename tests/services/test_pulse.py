"""Is the worker alive? It is quiet after a minute, loop by loop."""

from __future__ import annotations

from pro.services import pulse
from tests import browser
from tests.services.ward import Ward


def beat(ward: Ward, *names: str) -> None:
    with browser.working(ward.house) as work:
        for name in names or pulse.LOOPS:
            pulse.beat(work, name)


def quiet(ward: Ward) -> list[str]:
    with browser.working(ward.house) as work:
        return pulse.quiet_loops(work)


def test_a_worker_that_never_ran_is_quiet(ward):
    assert quiet(ward) == list(pulse.LOOPS)


def test_a_worker_is_quiet_after_a_minute(any_ward, clock):
    beat(any_ward)
    assert quiet(any_ward) == []
    clock.move(seconds=60)
    assert quiet(any_ward) == []
    clock.move(seconds=1)
    assert quiet(any_ward) == list(pulse.LOOPS)


def test_only_the_loop_that_stands_still_is_named(ward, clock):
    beat(ward)
    clock.move(seconds=61)
    with browser.working(ward.house) as work:
        for name in pulse.LOOPS[:-1]:
            pulse.beat(work, name)
    assert quiet(ward) == ["audit"]
