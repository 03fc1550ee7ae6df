"""Provide fixtures of a small clinic: notified staff, and one participant with both forms."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from tests.support import postgres_server, weekly_test_alert_steps
from tests.support.alert_clinic import Clinic, build_clinic
from tests.support.factories import Clock, make_app_context


def app_context_on(url: str, catalogue: Catalogue, catalogs: Catalogs, folder: Path, clock: Clock) -> AppContext:
    """Yield an application context on the database at ``url``.

    SQLite does not wait for the disk, because its file is deleted after the test.
    """
    engine = db.make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return make_app_context(engine, catalogue, catalogs, Config(database_url=url, var_dir=folder), clock)


@pytest.fixture(scope="session")
def clinic_template(
    sqlite_template: Path, catalogue: Catalogue, catalogs: Catalogs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Clinic]:
    """Return an SQLite file with a clinic, to be copied: hashing its passwords is slow."""
    folder = tmp_path_factory.mktemp("clinic")
    path = folder / "pro.sqlite3"
    shutil.copy(sqlite_template, path)
    app_context = app_context_on(f"sqlite:///{path}", catalogue, catalogs, folder, Clock())
    made = build_clinic(app_context)
    app_context.engine.dispose()
    return path, made


@pytest.fixture
def clinic(
    clinic_template: tuple[Path, Clinic], catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path, clock: Clock
) -> Iterator[Clinic]:
    """Return the clinic on a fresh SQLite database."""
    path, made = clinic_template
    copy = shutil.copy(path, tmp_path / "clinic.sqlite3")
    app_context = app_context_on(f"sqlite:///{copy}", catalogue, catalogs, tmp_path, clock)
    yield replace(made, app_context=app_context)
    app_context.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_clinic(request: pytest.FixtureRequest) -> Clinic:
    """Return the clinic on each engine in turn."""
    return request.getfixturevalue("clinic" if request.param == "sqlite" else "postgresql_clinic")


@pytest.fixture(scope="session")
def postgresql_clinic_template(
    postgresql: postgres_server.Server,
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Clinic]:
    """Return the URL of a PostgreSQL database with a clinic, to be copied."""
    url = postgresql.new()
    app_context = app_context_on(url, catalogue, catalogs, tmp_path_factory.mktemp("postgresql_clinic"), Clock())
    made = build_clinic(app_context)
    app_context.engine.dispose()
    return url, made


@pytest.fixture
def postgresql_clinic(
    postgresql: postgres_server.Server,
    postgresql_clinic_template: tuple[str, Clinic],
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path: Path,
    clock: Clock,
) -> Iterator[Clinic]:
    """Return the clinic on PostgreSQL."""
    template, made = postgresql_clinic_template
    url = postgresql.new(like=template)
    app_context = app_context_on(url, catalogue, catalogs, tmp_path, clock)
    yield replace(made, app_context=app_context)
    app_context.engine.dispose()
    postgresql.drop(url)


@pytest.fixture
def sent_weekly_alert(any_clinic: Clinic, clock: Clock) -> Clinic:
    """Return the clinic on Wednesday at 10:00, with the weekly test alert sent."""
    weekly_test_alert_steps.give_phone(any_clinic, any_clinic.nurse)
    clock.now += weekly_test_alert_steps.UNTIL_TEST_ALERT
    weekly_test_alert_steps.run_jobs(any_clinic)
    return any_clinic
