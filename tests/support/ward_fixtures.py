"""A small ward for the services: who is told, and one participant with both forms."""

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
from tests.support import drill_steps, postgres_server
from tests.support.alert_ward import Ward, build
from tests.support.factories import Clock, make_house


def house_on(url: str, catalogue: Catalogue, catalogs: Catalogs, folder: Path, clock: Clock) -> AppContext:
    """A house on the database at ``url``. An SQLite file dies with its test, so nobody waits for the disk."""
    engine = db.make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return make_house(engine, catalogue, catalogs, Config(database_url=url, var_dir=folder), clock)


@pytest.fixture(scope="session")
def ward_template(
    sqlite_template: Path, catalogue: Catalogue, catalogs: Catalogs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Ward]:
    """A ward in an SQLite file, to be copied: hashing its passwords takes longer than most tests."""
    folder = tmp_path_factory.mktemp("ward")
    path = folder / "pro.sqlite3"
    shutil.copy(sqlite_template, path)
    house = house_on(f"sqlite:///{path}", catalogue, catalogs, folder, Clock())
    made = build(house)
    house.engine.dispose()
    return path, made


@pytest.fixture
def ward(
    ward_template: tuple[Path, Ward], catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path, clock: Clock
) -> Iterator[Ward]:
    """The ward on a fresh SQLite database."""
    path, made = ward_template
    copy = shutil.copy(path, tmp_path / "ward.sqlite3")
    house = house_on(f"sqlite:///{copy}", catalogue, catalogs, tmp_path, clock)
    yield replace(made, house=house)
    house.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_ward(request: pytest.FixtureRequest) -> Ward:
    """The ward on each engine in turn."""
    return request.getfixturevalue("ward" if request.param == "sqlite" else "postgresql_ward")


@pytest.fixture(scope="session")
def postgresql_ward_template(
    postgresql: postgres_server.Server,
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Ward]:
    """The URL of a PostgreSQL database with a ward, to be copied."""
    url = postgresql.new()
    house = house_on(url, catalogue, catalogs, tmp_path_factory.mktemp("postgresql_ward"), Clock())
    made = build(house)
    house.engine.dispose()
    return url, made


@pytest.fixture
def postgresql_ward(
    postgresql: postgres_server.Server,
    postgresql_ward_template: tuple[str, Ward],
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path: Path,
    clock: Clock,
) -> Iterator[Ward]:
    """The ward on PostgreSQL."""
    template, made = postgresql_ward_template
    url = postgresql.new(like=template)
    house = house_on(url, catalogue, catalogs, tmp_path, clock)
    yield replace(made, house=house)
    house.engine.dispose()
    postgresql.drop(url)


@pytest.fixture
def drilled(any_ward: Ward, clock: Clock) -> Ward:
    """The ward on Wednesday at 10:00, with the drill begun and sent."""
    drill_steps.give_phone(any_ward, any_ward.nurse)
    clock.now += drill_steps.TO_THE_DRILL
    drill_steps.tick(any_ward)
    return any_ward
