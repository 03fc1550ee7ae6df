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
from tests.support.factories import Clock, Study, make_app_context
from tests.support.full_study_fixture import FullStudy, build_full_study


@dataclass(frozen=True, slots=True)
class InstalledFullStudy:
    """The lived-in study behind an application of its own."""

    app: Flask
    app_context: AppContext
    study: Study
    full_study: FullStudy


@pytest.fixture(scope="session")
def full_study_template(
    study_template: tuple[Path, Study],
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Study, FullStudy, Clock]:
    """Its database, and the time that it is there."""
    folder = tmp_path_factory.mktemp("lived")
    path, study = Path(shutil.copy(study_template[0], folder / "pro.sqlite3")), study_template[1]
    clock = Clock()
    config = replace(Config(), database_url=f"sqlite:///{path}", var_dir=folder, sms_two_way=True)
    app_context = make_app_context(db.make_engine(config.database_url), catalogue, catalogs, config, clock)
    lived = build_full_study(app_context, study, clock)
    app_context.engine.dispose()
    return path, study, lived, clock


@pytest.fixture
def installed(
    full_study_template: tuple[Path, Study, FullStudy, Clock], catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path
) -> Iterator[InstalledFullStudy]:
    """A copy of it, with texts that go both ways."""
    path, study, lived, clock = full_study_template
    copy = shutil.copy(path, tmp_path / "lived.sqlite3")
    config = replace(Config(), database_url=f"sqlite:///{copy}", var_dir=tmp_path, sms_two_way=True)
    app_context = make_app_context(db.make_engine(config.database_url), catalogue, catalogs, config, Clock(clock.now))
    app = create_app(config, app_context.clock)
    app.testing = True
    yield InstalledFullStudy(app, app_context, study, lived)
    app.extensions["app_context"].engine.dispose()
    app_context.engine.dispose()
