"""Test claims that outlive their lease, the pauses between tries, and the backlog."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import outbox_backlog, retry_policy
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable
from tests.messaging.letters import ALERT, Scripted, deliver, one, queue

# --- a worker that dies between the provider's answer and the commit -------------------------------------------------


@pytest.mark.parametrize("way", ["killed", "stopped"])
@pytest.mark.parametrize(
    ("repeat", "again", "status", "failure"),
    [("prefer_duplicate", 1, "sent", ""), ("prefer_silence", 0, "failed", "lost")],
)
def test_a_lost_claim(
    any_app_context: AppContext,
    any_url: str,
    clock: Any,
    tmp_path: Path,
    way: str,
    repeat: str,
    again: int,
    status: str,
    failure: str,
) -> None:
    queue(any_app_context, **{**ALERT, "repeat": repeat})
    if way == "killed":
        heard = tmp_path / "heard"
        command = [sys.executable, "-m", "tests.messaging.killed", any_url, str(heard), clock.now.isoformat()]
        assert subprocess.run(command, timeout=60, check=False).returncode == -9
        first = heard.read_text()
    else:
        sender = Scripted([KeyboardInterrupt()])
        with pytest.raises(KeyboardInterrupt):
            deliver(any_app_context, sender)
        first = sender.letters[0].message_id
    successor = Scripted()
    clock.move(seconds=60)
    assert deliver(any_app_context, successor) == 0
    clock.move(seconds=1)
    assert deliver(any_app_context, successor) == again
    assert (one(any_app_context).status, one(any_app_context).failure) == (status, failure)
    assert [letter.message_id for letter in successor.letters] == [first] * again
    assert deliver(any_app_context, successor) == 0


@pytest.mark.parametrize("repeat", ["prefer_duplicate", "prefer_silence"])
def test_a_yes_that_comes_after_the_lease_is_still_believed(
    any_app_context: AppContext, clock: Any, repeat: str
) -> None:
    queue(any_app_context, repeat=repeat)

    class Slow(Scripted):
        def send(self, letter: Letter) -> str:
            clock.move(seconds=61)
            other = Scripted([ProviderUnreachable("no_line:connect")])
            deliver(any_app_context, other)
            return super().send(letter)

    deliver(any_app_context, Slow(), limit=1)
    message = one(any_app_context)
    assert (message.status, message.reference, message.failure) == ("sent", "reference-1", "")


def test_a_failure_that_comes_after_the_lease_changes_nothing(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)

    class Slow(Scripted):
        def send(self, letter: Letter) -> str:
            clock.move(seconds=61)
            deliver(any_app_context, Scripted())
            return super().send(letter)

    deliver(any_app_context, Slow([ProviderRefused("address_refused:550")]), limit=1)
    assert (one(any_app_context).status, one(any_app_context).reference) == ("sent", "reference-1")


# --- the pause between tries, and the backlog ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "repeat", "chance", "retry_after", "seconds"),
    [
        (1, "prefer_duplicate", 0.5, None, 5),
        (1, "prefer_duplicate", 0.0, None, 3.75),
        (1, "prefer_duplicate", 1.0, None, 6.25),
        (2, "prefer_duplicate", 0.5, None, 10),
        (6, "prefer_duplicate", 0.5, None, 160),
        (7, "prefer_duplicate", 0.5, None, 300),
        (299, "prefer_duplicate", 0.5, None, 300),
        (1, "prefer_silence", 0.5, None, 30),
        (4, "prefer_silence", 0.5, None, 240),
        (9, "prefer_silence", 0.5, None, 3600),
        (1, "prefer_silence", 0.5, 17.0, 30),
        (1, "prefer_silence", 0.5, 120.0, 120),
        (1, "prefer_duplicate", 0.5, 120.0, 120),
        (1, "prefer_silence", 0.5, 864000.0, 21600),
    ],
)
def test_pause(tries: int, repeat: str, chance: float, retry_after: float | None, seconds: float) -> None:
    assert retry_policy.retry_pause(tries, repeat, chance, retry_after).total_seconds() == seconds


def test_the_backlog_counts_what_should_have_left(any_app_context: AppContext, clock: Any) -> None:
    def found() -> outbox_backlog.Backlog:
        with transaction(any_app_context.engine) as session:
            return outbox_backlog.read_backlog(session, clock.now)

    assert found() == outbox_backlog.Backlog(0, None, 0)
    start = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    queue(any_app_context, "later", not_before=start + timedelta(hours=1))
    assert found() == outbox_backlog.Backlog(0, None, 0)
    queue(any_app_context, "now")
    clock.move(minutes=1)
    assert found() == outbox_backlog.Backlog(1, start, 0)
    deliver(any_app_context, Scripted([ProviderUnreachable("no_line:connect")]))
    assert found() == outbox_backlog.Backlog(1, start, 1)
    clock.move(hours=2)
    assert found() == outbox_backlog.Backlog(2, start, 1)
    deliver(any_app_context, Scripted())
    assert found() == outbox_backlog.Backlog(0, None, 0)
