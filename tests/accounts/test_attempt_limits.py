"""Test the limits on failed attempts: counted for 15 minutes, shared by all processes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.app_context import AppContext
from pro.features.accounts import attempt_limits
from pro.models import AccessAttempt
from tests.support import form_browser


def fail(app_context: AppContext, times: int = 1, kind: str = "code", key: str = "10.0.0.1") -> None:
    with form_browser.unit_of_work(app_context) as work:
        for _ in range(times):
            attempt_limits.count_failure(work, kind, key)


def left(
    app_context: AppContext, limit: int = 3, kind: str = "code", key: str = "10.0.0.1"
) -> attempt_limits.Allowance:
    with form_browser.unit_of_work(app_context) as work:
        return attempt_limits.allowance(work, kind, key, limit)


def test_tries_are_counted_down_and_then_refused(any_app_context, clock):
    for remaining in (3, 2, 1):
        assert left(any_app_context) == attempt_limits.Allowance(remaining, None)
        fail(any_app_context)
    assert left(any_app_context) == attempt_limits.Allowance(0, clock.now + attempt_limits.LOCK_DURATION)


def test_tries_are_allowed_again_when_the_oldest_has_expired(any_app_context, clock):
    first = clock.now
    for _ in range(3):
        fail(any_app_context)
        clock.move(minutes=4)
    assert left(any_app_context).until == first + timedelta(minutes=15)
    clock.now = first + timedelta(minutes=15)
    assert left(any_app_context) == attempt_limits.Allowance(1, None)


def test_more_failures_than_allowed_close_it_until_enough_are_forgotten(app_context, clock):
    """Check more failures than the limit: requests that ran in parallel may all have failed."""
    first = clock.now
    fail(app_context, 2)
    clock.move(minutes=1)
    fail(app_context, 3)
    assert left(app_context).until == first + timedelta(minutes=16)


@pytest.mark.parametrize(("kind", "key"), [("password", "10.0.0.1"), ("code", "10.0.0.2"), ("code", "")])
def test_each_purpose_counts_separately(app_context, kind, key):
    fail(app_context, 3)
    assert left(app_context, kind=kind, key=key) == attempt_limits.Allowance(3, None)


def test_the_key_is_a_fingerprint(app_context):
    fail(app_context)
    with form_browser.unit_of_work(app_context) as work:
        (row,) = work.session.query(AccessAttempt)
    assert len(row.key) == 64
    assert "10.0.0.1" not in row.key
