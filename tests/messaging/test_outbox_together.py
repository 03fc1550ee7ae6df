"""Test several workers and writers on the same outbox, as threads and as processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import outbox
from pro.messaging.providers.console import FileSender
from pro.messaging.sender_protocol import Letter
from pro.models import AuditEntry
from pro.models.message import Message
from tests.messaging.killed import bare_app_context
from tests.messaging.letters import queue_one
from tests.support.form_browser import run_concurrently

MANY = 200


def fill(app_context: AppContext, number: int) -> None:
    """Queue this many form messages."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        for each in range(number):
            queue_one(work, f"form_message:{each}", address=f"+86138{each:08}")


class Counting:
    """A thread-safe sender that counts the letters to each address."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.lock = threading.Lock()

    def send(self, letter: Letter) -> str:
        """Count one letter."""
        with self.lock:
            self.seen[letter.address] += 1
        return letter.message_id


def test_two_workers_send_nothing_twice(any_app_context: AppContext) -> None:
    fill(any_app_context, MANY)
    sender = Counting()
    tried: Counter[str] = Counter()

    def work(name: str) -> None:
        while count := outbox.deliver(any_app_context, {"sms": sender}, name):
            tried[name] += count

    run_concurrently(lambda: work("one"), lambda: work("two"))
    assert (len(sender.seen), set(sender.seen.values())) == (MANY, {1})
    assert sum(tried.values()) == MANY
    assert min(tried["one"], tried["two"]) > 0
    with transaction(any_app_context.engine) as session:
        assert session.scalar(select(func.count()).where(Message.sent_at.is_not(None))) == MANY
        assert session.scalar(select(func.count()).where(AuditEntry.action == "message.sent")) == MANY


def test_two_worker_processes_send_nothing_twice(any_app_context: AppContext, any_url: str, tmp_path: Path) -> None:
    number = 40
    fill(any_app_context, number)
    folder = tmp_path / "mail"
    now = any_app_context.clock().isoformat()
    command = [sys.executable, "-m", "tests.messaging.test_outbox_together", any_url, str(folder), now]
    workers = [subprocess.Popen(command) for _worker in range(2)]
    try:
        assert [worker.wait(60) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)
    addresses = [path.read_text().splitlines()[0] for path in folder.iterdir()]
    assert (len(addresses), len(set(addresses))) == (number, number)


def test_the_same_key_from_two_writers_is_one_message(any_app_context: AppContext) -> None:
    made: list[int] = []

    def write() -> None:
        for number in range(25):
            with transaction(any_app_context.engine) as session:
                if queue_one(any_app_context.unit_of_work(session), f"form_message:{number}") is not None:
                    made.append(number)

    run_concurrently(write, write, write)
    assert sorted(made) == list(range(25))
    with transaction(any_app_context.engine) as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 25


def test_writers_go_on_while_a_worker_delivers(any_app_context: AppContext) -> None:
    sender = Counting()
    done = threading.Event()

    def write() -> None:
        fill(any_app_context, 30)
        for number in range(30, 60):
            with transaction(any_app_context.engine) as session:
                queue_one(any_app_context.unit_of_work(session), f"form_message:{number}", address=f"+86138{number:08}")
        done.set()

    def deliver() -> None:
        while not done.wait(0.005) or outbox.deliver(any_app_context, {"sms": sender}, "one"):
            outbox.deliver(any_app_context, {"sms": sender}, "one")

    run_concurrently(write, deliver)
    assert (len(sender.seen), set(sender.seen.values())) == (60, {1})


if __name__ == "__main__":
    here = bare_app_context(sys.argv[1], datetime.fromisoformat(sys.argv[3]))
    while outbox.deliver(here, {"sms": FileSender(Path(sys.argv[2]), "epro@example.org")}, "process"):
        pass
    here.engine.dispose()
