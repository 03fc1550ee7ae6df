"""Provide the fixtures of all tests: data files, databases, an application, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Engine, event

from pro import db, i18n
from pro.app_context import AppContext
from pro.catalogue import Catalogue, read_catalogue
from pro.config import Config
from pro.features.accounts import passwords
from pro.i18n import Catalogs
from tests.support import postgres_server
from tests.support.chromium import FLAGS, find_chromium
from tests.support.factories import Clock, make_app_context
from tests.support.speedups import speed_up

ROOT = Path(__file__).parent.parent
# The production hasher; tests/accounts/test_staff_accounts.py checks it.
PRODUCTION_HASHER = passwords._HASHER
IN_CI = os.environ.get("CI") == "true"
SHARED_FOLDER = "../shared"
pytest_plugins = ["tests.support.app_fixtures", "tests.support.clinic_fixtures"]
# No deadline: the machine is shared. In CI the same examples every time, so that a failed run can be repeated.
settings.register_profile("project", deadline=None, derandomize=IN_CI)
settings.load_profile("project")


# --- no skipped tests in CI ------------------------------------------------------------------------------------------


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and SHARED_FOLDER not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"Skipped, and in CI nothing is: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    report = yield
    _forbid_skip(report)
    return report


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the journeys over the other tests of a parallel run, a journey after every few files.

    A browser mostly waits, so a process in a journey leaves its core to one that computes. Files stay whole, because
    fixtures of a module are made once a file.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    journeys = [item for item in items if item.get_closest_marker("journey")]
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if not item.get_closest_marker("journey"):
            files.setdefault(item.path, []).append(item)
    rest, ordered = len(items) - len(journeys), list[pytest.Item]()
    placed = done = 0
    for tests in files.values():
        ordered += tests
        done += len(tests)
        due = len(journeys) * done // rest
        ordered += journeys[placed:due]
        placed = due
    items[:] = ordered + journeys[placed:]


# --- data files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Read the built-in instruments, plans and translations."""
    return read_catalogue(
        ROOT / "pro" / "data" / "instruments", ROOT / "translations", [ROOT / "pro" / "data" / "plans"]
    )


@pytest.fixture(scope="session")
def catalogs() -> Catalogs:
    """Read the translations of the interface in every language."""
    return i18n.read_catalogs(ROOT / "translations")


@pytest.fixture(scope="session", autouse=True)
def speed_up_tests(catalogue: Catalogue, catalogs: Catalogs) -> Iterator[None]:
    """Do expensive setup that is the same in every test once."""
    with speed_up(catalogue, catalogs, ROOT):
        yield


# --- databases -------------------------------------------------------------------------------------------------------


def disable_fsync(engine: Engine) -> Engine:
    """Switch off fsync: a test's SQLite file is deleted after the test."""
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "pro.sqlite3"
    engine = db.make_engine(f"sqlite:///{path}")
    db.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres_server.Server]:
    """Run a PostgreSQL server, one for each test process."""
    if postgres_server.find_program("initdb") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres_server.server() as server:
        yield server


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Return the URL of a fresh SQLite database with all tables."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'pro.sqlite3')}"


@pytest.fixture
def postgresql_url(postgresql: postgres_server.Server) -> Iterator[str]:
    """Yield the URL of a fresh PostgreSQL database with all tables."""
    url = postgresql.new()
    yield url
    postgresql.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database on each engine in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def any_engine(any_url: str) -> Iterator[Engine]:
    """Yield an engine of each kind in turn."""
    engine = disable_fsync(db.make_engine(any_url)) if any_url.startswith("sqlite") else db.make_engine(any_url)
    yield engine
    engine.dispose()


# --- application contexts --------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """Return the clock of this test, which the test moves."""
    return Clock()


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> Config:
    """Return the settings of the demonstration, with a separate database and folder."""
    return Config(database_url=sqlite_url, var_dir=tmp_path)


@pytest.fixture
def app_context(config: Config, catalogue: Catalogue, catalogs: Catalogs, clock: Clock) -> Iterator[AppContext]:
    """Yield an application context on a fresh SQLite database, with the test's clock."""
    engine = disable_fsync(db.make_engine(config.database_url))
    yield make_app_context(engine, catalogue, catalogs, config, clock)
    engine.dispose()


@pytest.fixture
def any_app_context(
    any_url: str, any_engine: Engine, catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path, clock: Clock
) -> AppContext:
    """Return an application context on each engine in turn."""
    return make_app_context(any_engine, catalogue, catalogs, Config(database_url=any_url, var_dir=tmp_path), clock)


# --- the browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start Debian's Chromium without network services of its own, if possible without a desktop's interface."""
    path = find_chromium()
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium-headless-shell fonts-noto-cjk)")
    return {"executable_path": path, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(playwright: Any) -> dict[str, Any]:
    """Emulate a phone in China."""
    return {**playwright.devices["Pixel 7"], "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
