"""The study in which everything has happened, made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from tests.support.factories import Clock, Study, make_house
from tests.support.full_study_fixture import Lived, live


@dataclass(frozen=True, slots=True)
class Place:
    """The lived-in study behind an application of its own."""

    app: Flask
    house: AppContext
    study: Study
    lived: Lived


@pytest.fixture(scope="session")
def lived_template(
    study_template: tuple[Path, Study],
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Study, Lived, Clock]:
    """Its database, and the time that it is there."""
    folder = tmp_path_factory.mktemp("lived")
    path, study = Path(shutil.copy(study_template[0], folder / "pro.sqlite3")), study_template[1]
    clock = Clock()
    config = replace(Config(), database_url=f"sqlite:///{path}", var_dir=folder, sms_two_way=True)
    house = make_house(db.make_engine(config.database_url), catalogue, catalogs, config, clock)
    lived = live(house, study, clock)
    house.engine.dispose()
    return path, study, lived, clock


@pytest.fixture
def place(
    lived_template: tuple[Path, Study, Lived, Clock], catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path
) -> Iterator[Place]:
    """A copy of it, with texts that go both ways."""
    path, study, lived, clock = lived_template
    copy = shutil.copy(path, tmp_path / "lived.sqlite3")
    config = replace(Config(), database_url=f"sqlite:///{copy}", var_dir=tmp_path, sms_two_way=True)
    house = make_house(db.make_engine(config.database_url), catalogue, catalogs, config, Clock(clock.now))
    app = create_app(config, house.clock)
    app.testing = True
    yield Place(app, house, study, lived)
    app.extensions["pro"].engine.dispose()
    house.engine.dispose()
