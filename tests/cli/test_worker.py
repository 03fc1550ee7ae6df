"""Test the worker process: one on SQLite, any number on PostgreSQL, stopped by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from pro import db

ROOT = Path(__file__).parents[2]


@contextmanager
def worker(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``flask worker --forever`` on ``url``; kill it at the end if it still runs."""
    env = {**os.environ, "PRO_DATABASE_URL": url, "PRO_VAR_DIR": str(folder)}
    command = [sys.executable, "-m", "flask", "worker", "--forever"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def beats(url: str) -> str:
    """Return the newest heartbeat as text; "" for none."""
    engine = db.make_engine(url)
    with engine.execution_options(read_only=True).connect() as connection:
        found = connection.execute(text("SELECT max(at) FROM heartbeat")).scalar()
    engine.dispose()
    return str(found or "")


def wait_for_beat(url: str, after: str = "") -> str:
    """Wait until a round has ended; return its heartbeat."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (now := beats(url)) > after:
            return now
        time.sleep(0.1)
    raise AssertionError("no worker came round in a minute")


def test_on_sqlite_the_second_says_so_and_one_that_is_killed_makes_room(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with worker(sqlite_url, folder) as first:
        wait_for_beat(sqlite_url)
        with worker(sqlite_url, folder) as second:
            _out, complaint = second.communicate(timeout=60)
            assert second.returncode == 3
            assert "Another worker already uses this SQLite database" in complaint
            assert len(complaint.strip().splitlines()) == 1
        assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
        # Read only now: the first worker may have run another round, which must not pass for one of the third.
        beat = beats(sqlite_url)
        with worker(sqlite_url, folder) as third:
            wait_for_beat(sqlite_url, after=beat)
            third.send_signal(signal.SIGTERM)
            assert third.wait(timeout=20) == 0
            assert third.communicate()[1] == ""


def test_one_round_by_hand_goes_beside_the_worker(sqlite_url: str, tmp_path: Path) -> None:
    with worker(sqlite_url, tmp_path):
        wait_for_beat(sqlite_url)
        env = {**os.environ, "PRO_DATABASE_URL": sqlite_url, "PRO_VAR_DIR": str(tmp_path)}
        command = [sys.executable, "-m", "flask", "worker"]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_postgresql_there_may_be_more_and_each_stops_when_asked(
    postgresql_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    with worker(postgresql_url, tmp_path) as first:
        beat = wait_for_beat(postgresql_url)
        with worker(postgresql_url, tmp_path) as second:
            time.sleep(3)
            assert (first.poll(), second.poll()) == (None, None)
            first.send_signal(number)
            assert first.wait(timeout=20) == 0
            wait_for_beat(postgresql_url, after=max(beat, beats(postgresql_url)))
            second.send_signal(number)
            assert second.wait(timeout=20) == 0
