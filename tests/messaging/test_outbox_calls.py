"""Test several calls at once: killed in the middle, overtaken by alerts, hanging provider."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pro.app_context import AppContext
from pro.messaging import outbox
from pro.messaging.provider_calls import CallPool
from pro.messaging.sender_protocol import Letter
from tests.messaging.letters import ALERT, deliver, queue, rows
from tests.messaging.test_outbox import events, make_alert
from tests.messaging.test_outbox_together import fill
from tests.support import live_system


class Several:
    """A sender for four threads at once that keeps the letters in the order of arrival."""

    at_once = 4

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> str:
        """Store one letter and return a moment later."""
        self.letters.append(letter)
        time.sleep(0.001)
        return letter.message_id


class Hanging(Several):
    """A sender that does not return before ``released``."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def send(self, letter: Letter) -> str:
        """Store one letter, and wait."""
        self.letters.append(letter)
        assert self.released.wait(60)
        return letter.message_id


@contextmanager
def hanging() -> Iterator[Hanging]:
    """Yield a sender that hangs until the end of the test."""
    sender = Hanging()
    try:
        yield sender
    finally:
        sender.released.set()


# --- killed in the middle --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", ["prefer_silence", "prefer_duplicate"])
def test_killed_in_the_middle_of_many(
    any_app_context: AppContext, any_url: str, clock: Any, tmp_path: Path, repeat: str
) -> None:
    """Check 40 messages: eight were stored and four were at the provider at the kill."""
    for number in range(40):
        queue(any_app_context, f"m:{number}", repeat=repeat, address=f"+86138{number:08}")
    heard = tmp_path / "heard"
    command = [sys.executable, "-m", "tests.messaging.killed", any_url, str(heard), clock.now.isoformat(), "12"]
    assert subprocess.run(command, timeout=100, check=False).returncode == -9
    first = heard.read_text().split()
    assert (len(first), len(set(first))) == (12, 12)
    successor = Several()
    assert deliver(any_app_context, successor, limit=100) == 28
    assert {letter.message_id for letter in successor.letters}.isdisjoint(first)
    clock.move(seconds=61)
    again = deliver(any_app_context, successor, limit=100)
    found = [(message.status, message.failure) for message in rows(any_app_context)]
    if repeat == "prefer_silence":
        assert again == 0
        assert (found.count(("sent", "")), found.count(("failed", "lost"))) == (36, 4)
    else:
        assert again == 4
        assert {letter.message_id for letter in successor.letters[28:]} == set(first[8:])
        assert found == [("sent", "")] * 40
    letters = [*first, *(letter.message_id for letter in successor.letters)]
    assert len(set(letters)) == 40
    assert deliver(any_app_context, successor) == 0


def test_every_outcome_of_a_moment_is_stored_and_recorded(any_app_context: AppContext) -> None:
    fill(any_app_context, 50)
    sender = Several()
    assert deliver(any_app_context, sender, limit=50) == 50
    assert all(
        row.reference and row.sent_at and row.claimed_at is None and row.tries == 1 for row in rows(any_app_context)
    )
    assert len({row.reference for row in rows(any_app_context)}) == len(sender.letters) == 50
    assert [event[0] for event in events(any_app_context)] == ["message.sent"] * 50


# --- alerts first ----------------------------------------------------------------------------------------------------


def test_an_alert_in_the_middle_of_five_hundred_goes_out_next(any_app_context: AppContext) -> None:
    alert_id = make_alert(any_app_context)
    fill(any_app_context, 500)
    begun: list[int] = []
    first = threading.Lock()

    class Late(Several):
        def send(self, letter: Letter) -> str:
            if len(self.letters) >= 100 and first.acquire(blocking=False):
                queue(any_app_context, "alert:1:sms:7", **(ALERT | {"channel": "sms"}), alert_id=alert_id)
                begun.append(len(self.letters))
            return super().send(letter)

    sender = Late()
    assert deliver(any_app_context, sender, limit=1000) == 501
    place = [letter.template for letter in sender.letters].index("alert")
    # What the other calls and this one had claimed before, and not one more.
    assert place <= begun[0] + sender.at_once


# --- a provider that hangs -------------------------------------------------------------------------------------------


def test_a_call_that_hangs_is_left_on_its_line_and_stored_later(any_app_context: AppContext) -> None:
    fill(any_app_context, 6)
    lines = outbox.ProviderCalls()
    with hanging() as sender:
        began = time.monotonic()
        assert deliver(any_app_context, sender, seconds=1, calls=lines) == 4
        assert deliver(any_app_context, sender, seconds=1, calls=lines) == 0
        assert time.monotonic() - began < 5
        assert {row.status for row in rows(any_app_context)} == {"waiting"}
        assert sum(row.claimed_at is not None for row in rows(any_app_context)) == 4
        sender.released.set()
        lines.wait(10, every=True)
        assert deliver(any_app_context, sender, calls=lines) == 2
    assert {row.status for row in rows(any_app_context)} == {"sent"}
    assert (len(sender.letters), lines.busy) == (6, 0)
    outbox.drain_calls(any_app_context, lines)


def test_an_alert_by_another_channel_does_not_wait_for_one_that_hangs(any_app_context: AppContext) -> None:
    fill(any_app_context, 20)
    lines, mail = outbox.ProviderCalls(), Several()
    with hanging() as sender:
        outbox.deliver(any_app_context, {"email": mail, "sms": sender}, "w", seconds=1, calls=lines)
        queue(any_app_context, "alert:1:email:7", **ALERT, alert_id=make_alert(any_app_context))
        assert outbox.deliver(any_app_context, {"email": mail, "sms": sender}, "w", seconds=1, calls=lines) == 1
        assert [letter.template for letter in mail.letters] == ["alert"]
        assert [row.status for row in rows(any_app_context)] == ["waiting"] * 20 + ["sent"]
        assert len(sender.letters) == 4
    outbox.drain_calls(any_app_context, lines)
    assert [row.status for row in rows(any_app_context)].count("sent") == 5


def test_hanging_up_waits_for_what_is_in_hand_and_keeps_it(any_app_context: AppContext) -> None:
    fill(any_app_context, 4)
    lines = outbox.ProviderCalls()
    with hanging() as sender:
        deliver(any_app_context, sender, seconds=0.1, calls=lines)
        threading.Timer(0.3, sender.released.set).start()
        outbox.drain_calls(any_app_context, lines)
    assert {row.status for row in rows(any_app_context)} == {"sent"}


# --- a database that is away -----------------------------------------------------------------------------------------


def test_a_yes_that_cannot_be_stored_is_kept_until_it_can(any_app_context: AppContext) -> None:
    fill(any_app_context, 8)
    lines = outbox.ProviderCalls()

    def rename(old: str, new: str) -> None:
        with any_app_context.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    away = threading.Lock()

    class Away(Several):
        def send(self, letter: Letter) -> str:
            if away.acquire(blocking=False):
                rename("audit_entry", "gone")
            return super().send(letter)

    sender = Away()
    with pytest.raises(DBAPIError):
        deliver(any_app_context, sender, calls=lines)
    assert lines.wait(10, every=True)
    rename("gone", "audit_entry")
    assert (len(sender.letters), lines.busy) == (4, 4)
    assert deliver(any_app_context, sender, calls=lines) == 4
    assert {row.status for row in rows(any_app_context)} == {"sent"}
    assert len({letter.message_id for letter in sender.letters}) == len(sender.letters) == 8
    outbox.drain_calls(any_app_context, lines)


# --- the calls and their worker --------------------------------------------------------------------------------------


def test_a_line_is_free_again_when_its_outcome_is_forgotten() -> None:
    lines = CallPool[str, int]()
    sender = Several()
    assert (lines.free("sms", sender), lines.free("email", None)) == (4, 1)
    for number in range(3):
        lines.start_call("sms", f"letter {number}", lambda: 7)
    assert lines.wait(10, every=True)
    ended = lines.ended()
    assert [(one.channel, one.subject, one.outcome) for one in ended] == [("sms", f"letter {n}", 7) for n in range(3)]
    assert (lines.free("sms", sender), lines.free("email", sender), lines.busy) == (1, 4, 3)
    lines.release(ended[:2])
    assert (lines.free("sms", sender), [one.subject for one in lines.ended()]) == (3, ["letter 2"])
    lines.close()


def test_the_worker_does_not_sleep_while_messages_wait(
    any_app_context: AppContext, any_url: str, tmp_path: Path
) -> None:
    """Check a hundred messages, one at a time: two a second would take fifty seconds."""
    fill(any_app_context, 100)
    env = live_system.environment(PRO_DATABASE_URL=any_url, PRO_VAR_DIR=tmp_path)
    with live_system.running_process(["flask", "worker", "--forever"], env, tmp_path / "worker.log") as worker:
        end = time.monotonic() + 60
        while (waiting := sum(row.sent_at is None for row in rows(any_app_context))) == 100 and time.monotonic() < end:
            time.sleep(0.1)
        end = time.monotonic() + 15
        while waiting and time.monotonic() < end:
            time.sleep(0.2)
            waiting = sum(row.sent_at is None for row in rows(any_app_context))
        assert waiting == 0
    assert worker.returncode == 0
    assert len(list((tmp_path / "mail").iterdir())) == 100
