"""Outbox with a backlog: 100,000 SMS reminders, two workers, PostgreSQL, durable commits.

The provider is a fake Twilio in a separate process, reached through the real client; it keeps connections open and
answers after 5 ms. The rate is measured over 14,000 messages after the first 1,000. Then the workers stop, and every
message is accounted for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, insert, text

from app import ROOT
from bench.figures import Measurement, report
from bench.screens import child_processes, cpu_seconds
from pro import db
from pro.config import Config
from pro.models import Message
from tests.messaging.twilio_fake import ACCOUNT, NUMBER, TOKEN, twilio_fake
from tests.support import live_system, postgres_server

QUEUED, LEAVE, WORKERS = 100_000, 15_000, 2
ANSWERS_AFTER = 0.005
# Messages not measured: the start of the workers and the first connections.
WARM = 1000
LONGEST = 170.0


@dataclass
class Provider:
    """The process of the fake Twilio."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, word: str) -> tuple[int, int]:
        """Return how many texts it accepted, and for how many numbers (``word`` "all" only)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        took, numbers = json.loads(self.process.stdout.readline())
        return took, numbers


def serve() -> None:
    """Run the fake provider until standard input ends; answer "count" and "all" with counts."""
    with twilio_fake(checked=False) as fake:
        fake.mute = ANSWERS_AFTER
        print(fake.url, flush=True)
        for word in sys.stdin:
            numbers = len({message["to"] for message in fake.messages}) if word.strip() == "all" else 0
            print(json.dumps([len(fake.messages), numbers]), flush=True)


@contextmanager
def provider() -> Iterator[Provider]:
    """Start the fake provider in a separate process and stop it at the end."""
    command = [sys.executable, "-m", "bench.outbox", "provider"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Provider(process, process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def fill(engine: Engine) -> None:
    """Store QUEUED participants, each with a due reminder."""
    config = Config()
    seal = db.Vault(config.data_keys, config.lookup_key).seal
    now = datetime.now(UTC)
    common = {
        "channel": "sms",
        "template": "reminder",
        "language": "zh_Hans",
        "params_sealed": seal(json.dumps({"link": "https://epro.example.org/a/AbCdEfGhIjKlMnOpQrStUv"})),
        "subject": "",
        "body_sealed": seal("您的问卷还没有填写。https://epro.example.org/a/AbCdEfGhIjKlMnOpQrStUv"),
        "repeat": "prefer_silence",
        "queued_at": now,
        "next_try_at": now,
        "not_after": now.replace(year=now.year + 1, day=1),
        "tries": 0,
        "failure": "",
    }
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO participant (plan, participant_number, language, time_zone, enrolled_at)"
                " SELECT 'none', 'B-' || n, 'zh_Hans', 'Asia/Shanghai', now() FROM generate_series(1, :number) AS n"
            ),
            {"number": QUEUED},
        )
        for start in range(1, QUEUED + 1, 5000):
            rows = [
                common | {"dedupe_key": f"remind:{n}", "participant_id": n, "address_sealed": seal(f"+86138{n:08}")}
                for n in range(start, start + 5000)
            ]
            connection.execute(insert(Message), rows)


def database_processes(engine: Engine) -> list[int]:
    """Return the process ids of the database server."""
    with engine.connect() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    parent = int(Path(f"/proc/{own}/stat").read_text().rpartition(")")[2].split()[1])
    return child_processes(parent)


def total_cpu_seconds(pids: list[int]) -> float:
    """Return the CPU seconds of all processes ``pids``."""
    return sum(cpu_seconds(pid) for pid in pids if Path(f"/proc/{pid}").exists())


def steady_rate(found: Provider, workers: list[int], engine: Engine) -> tuple[float, float, float]:
    """Measure after the first WARM messages.

    Returns messages a second, CPU milliseconds a message of the workers, and of the database.
    """
    end = time.monotonic() + LONGEST
    while found.ask("count")[0] < WARM:
        assert time.monotonic() < end, "nothing leaves"
        time.sleep(0.05)
    database = database_processes(engine)
    began, first = time.monotonic(), found.ask("count")[0]
    before = total_cpu_seconds(workers), total_cpu_seconds(database)
    while (took := found.ask("count")[0]) < LEAVE and time.monotonic() < end:
        time.sleep(0.05)
    number = took - first
    ours, theirs = total_cpu_seconds(workers) - before[0], total_cpu_seconds(database) - before[1]
    return number / (time.monotonic() - began), ours / number * 1000, theirs / number * 1000


def check_delivery(engine: Engine, took: int, numbers: int) -> None:
    """Raise AssertionError unless provider, stored messages and audit trail agree."""
    with engine.connect() as connection:
        sent, claimed, failed = connection.execute(
            text("SELECT count(sent_at), count(claimed_at), count(failed_at) + count(dropped_at) FROM message")
        ).one()
        events = connection.execute(text("SELECT count(DISTINCT subject_id), count(*) FROM audit_entry")).one()
    assert (numbers, sent, claimed, failed, *events) == (took, took, 0, 0, took, took)


def measure() -> list[Measurement]:
    """Measure messages a second and the CPU time of one message."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgres_server.server(durable=True)).new()
        engine = db.make_engine(url)
        stack.callback(engine.dispose)
        fill(engine)
        found = stack.enter_context(provider())
        env = live_system.environment(
            PRO_DATABASE_URL=url,
            PRO_VAR_DIR=folder,
            PRO_SMS="twilio",
            PRO_TWILIO_ACCOUNT=ACCOUNT,
            PRO_TWILIO_TOKEN=TOKEN,
            PRO_TWILIO_FROM=NUMBER,
            PRO_TWILIO_API_URL=found.url,
        )
        with ExitStack() as running:
            pids = []
            for name in range(WORKERS):
                log = folder / f"worker-{name}.log"
                pids.append(
                    running.enter_context(live_system.running_process(["flask", "worker", "--forever"], env, log)).pid
                )
            rate, ours, theirs = steady_rate(found, pids, engine)
        took, numbers = found.ask("all")
        check_delivery(engine, took, numbers)
    return [
        Measurement(f"Messages sent by two workers of {QUEUED:,} queued, over {LEAVE - WARM:,}", rate, "/s", 300, True),
        Measurement("The same: CPU of the workers a message", ours, "ms"),
        Measurement("The same: CPU of the database a message", theirs, "ms"),
        Measurement("The same: messages that went out twice, or of which nothing or too much is stored", 0, "", 0),
    ]


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["provider"] else main()
