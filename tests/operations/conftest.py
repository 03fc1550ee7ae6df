"""The demonstration study, filled once for the tests of this folder and copied for each."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import event

from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.features.operations import demo_study
from pro.i18n import Catalogs
from tests.conftest import disable_fsync
from tests.support import form_browser
from tests.support.factories import Clock, make_app_context
from tests.support.shared_once import shared_folder


@dataclass(frozen=True, slots=True)
class FilledDemo:
    """A SQLite file with the demonstration study, and the CPU seconds and statements that filling it took."""

    path: Path
    cpu_seconds: float
    statements: int


@pytest.fixture(scope="session")
def filled_demo(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue, catalogs: Catalogs
) -> FilledDemo:
    """Fill the demonstration study once, at the time at which every test clock starts."""

    def fill(folder: Path) -> None:
        path = shutil.copy(sqlite_template, folder / "pro.sqlite3")
        config = Config(database_url=f"sqlite:///{path}", var_dir=folder)
        engine = disable_fsync(db.make_engine(config.database_url))
        statements: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
        began = time.process_time()
        with form_browser.unit_of_work(make_app_context(engine, catalogue, catalogs, config, Clock())) as work:
            demo_study.fill_demo_study(work)
        used = time.process_time() - began
        engine.dispose()
        (folder / "cost.json").write_text(json.dumps({"cpu_seconds": used, "statements": len(statements)}))

    folder = shared_folder(tmp_path_factory, "demonstration", fill)
    return FilledDemo(folder / "pro.sqlite3", **json.loads((folder / "cost.json").read_text()))


@pytest.fixture
def demo_context(
    filled_demo: FilledDemo, catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path, clock: Clock
) -> Iterator[AppContext]:
    """Yield an application context on a copy of the filled demonstration study."""
    path = shutil.copy(filled_demo.path, tmp_path / "demo.sqlite3")
    config = Config(database_url=f"sqlite:///{path}", var_dir=tmp_path)
    engine = disable_fsync(db.make_engine(config.database_url))
    yield make_app_context(engine, catalogue, catalogs, config, clock)
    engine.dispose()
