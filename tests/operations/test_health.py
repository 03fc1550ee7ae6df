"""Test ``/health`` with real failures: PostgreSQL stopped, the disk full, a participant without plan."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app import create_app
from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.db import transaction
from pro.features.operations import worker_health, write_probe
from pro.i18n import Catalogs
from pro.models import Heartbeat, Participant
from tests.support import postgres_server
from tests.support.factories import Clock, Study, make_app_context

# Read before the tests change it.
INTERVAL = write_probe.INTERVAL
BIG_ENOUGH = 24 * 1024 * 1024


def healthy(app_context: AppContext) -> None:
    """Let every job of the worker have run now."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        for name in worker_health.LOOPS:
            worker_health.record_heartbeat(work, name)


def troubles(answer: TestResponse) -> list[str]:
    """Return the named troubles of an answer in JSON."""
    assert answer.mimetype == "application/json"
    said = answer.get_json()
    assert answer.status_code == (503 if said["troubles"] else 200)
    assert said["ok"] is (not said["troubles"])
    return list(said["troubles"])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write at every request, so that no test waits."""
    monkeypatch.setattr(write_probe, "INTERVAL", 0.0)


def test_a_full_disk_is_noticed_within_fifteen_seconds() -> None:
    assert INTERVAL <= 15


def test_a_system_that_stores_is_healthy(any_app_context: AppContext) -> None:
    app = create_app(any_app_context.config, any_app_context.clock)
    healthy(any_app_context)
    assert troubles(app.test_client().get("/health")) == []
    with transaction(any_app_context.engine) as session:
        assert session.scalar(select(func.count()).select_from(Heartbeat)) == len(worker_health.LOOPS)
    app.extensions["app_context"].engine.dispose()


def test_postgresql_that_is_stopped(catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path, clock: Clock) -> None:
    if postgres_server.find_program("initdb") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres_server.server() as server:
        config = Config(database_url=server.new(), var_dir=tmp_path)
        app_context = make_app_context(db.make_engine(config.database_url), catalogue, catalogs, config, clock)
        db.upgrade(app_context.engine)
        healthy(app_context)
        app = create_app(config, clock)
        client = app.test_client()
        assert troubles(client.get("/health")) == []
    # The server is stopped now, as by a crash; the pool still holds connections to it.
    assert troubles(client.get("/health")) == ["database"]
    assert troubles(client.get("/health")) == ["database"]
    app.extensions["app_context"].engine.dispose()
    app_context.engine.dispose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of its own that the test may fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={BIG_ENOUGH}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.xfail("only root may mount a file system; test_a_database_that_cannot_grow stands in for it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full(
    small_disk: Path, sqlite_template: Path, catalogue: Catalogue, catalogs: Catalogs, clock: Clock
) -> None:
    path = shutil.copy(sqlite_template, small_disk / "pro.sqlite3")
    config = Config(database_url=f"sqlite:///{path}", var_dir=small_disk)
    app_context = make_app_context(db.make_engine(config.database_url), catalogue, catalogs, config, clock)
    healthy(app_context)
    app = create_app(config, clock)
    assert troubles(app.test_client().get("/health")) == []
    filling = small_disk / "filling"
    with filling.open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"\0" * 65536)
            file.flush()
    assert troubles(app.test_client().get("/health")) == ["disk"]
    filling.unlink()
    assert troubles(app.test_client().get("/health")) == []
    app.extensions["app_context"].engine.dispose()
    app_context.engine.dispose()


def test_a_database_that_cannot_grow(app: Flask, app_context: AppContext) -> None:
    """Stand in for a full disk by SQLite's limit of pages: the write fails with the same error."""
    healthy(app_context)
    engine = app.extensions["app_context"].engine
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA max_page_count = 1"))
    engine.dispose()
    with pytest.raises(OperationalError, match="full"):
        for number in range(1000):
            with transaction(engine) as session:
                session.add(Heartbeat(name=f"{number}", at=app_context.clock()))
    assert troubles(app.test_client().get("/health")) == ["disk"]


def test_a_participant_whose_plan_is_gone(app: Flask, app_context: AppContext, seeded: Study) -> None:
    healthy(app_context)
    assert troubles(app.test_client().get("/health")) == []
    with transaction(app_context.engine) as session:
        session.get_one(Participant, seeded.chinese.id).plan = "removed"
    assert troubles(app.test_client().get("/health")) == ["plan"]
