"""Provide fixtures of the application: its pages without a server, and all its processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from tests.support import live_system
from tests.support.factories import Clock, Study, make_app_context, study


@pytest.fixture(scope="session")
def study_template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue, catalogs: Catalogs
) -> tuple[Path, Study]:
    """Return a database with the small study, to be copied: hashing passwords is slow."""
    folder = tmp_path_factory.mktemp("study")
    path = Path(shutil.copy(sqlite_template, folder / "pro.sqlite3"))
    config = replace(Config(), database_url=f"sqlite:///{path}", var_dir=folder)
    app_context = make_app_context(db.make_engine(config.database_url), catalogue, catalogs, config, Clock())
    made = study(app_context)
    app_context.engine.dispose()
    return path, made


@pytest.fixture
def seeded(app_context: AppContext, study_template: tuple[Path, Study]) -> Study:
    """Return a small study in ``app_context``.

    One staff member of each role, the nurse on call, two participants with two forms each.
    """
    path, made = study_template
    app_context.engine.dispose()
    for ending in ("-wal", "-shm"):
        Path(f"{app_context.engine.url.database}{ending}").unlink(missing_ok=True)
    shutil.copy(path, str(app_context.engine.url.database))
    return made


@pytest.fixture
def app(app_context: AppContext) -> Iterator[Flask]:
    """Return the application on the same database and clock as ``app_context``."""
    application = create_app(app_context.config, app_context.clock)
    application.testing = True
    yield application
    application.extensions["app_context"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a browser without JavaScript."""
    return app.test_client()


@pytest.fixture(scope="session")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live_system.Site]:
    """Run gunicorn, the worker, and a mail server with STARTTLS and login as processes.

    All listen on loopback.
    """
    with live_system.running_system(tmp_path_factory.mktemp("live")) as site:
        yield site
