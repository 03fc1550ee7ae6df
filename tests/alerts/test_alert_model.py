"""Hold the program to docs/alerts.md with random histories and an independent reference."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pro.catalogue import Catalogue
from pro.i18n import Catalogs
from tests.support.alert_machine import AlertMachine
from tests.support.alert_model_site import AlertSite, SeededSite, build_site
from tests.support.clinic_fixtures import app_context_on
from tests.support.factories import Clock
from tests.support.stale_page_machine import StalePageMachine

# `make model` sets both: random histories for an hour.
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "12"))
STEPS = int(os.environ.get("MODEL_STEPS", "30"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_site(
    request: pytest.FixtureRequest,
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path: Path,
) -> Callable[[], AlertSite]:
    """Return what makes a site on each engine in turn, from a template."""
    if request.param == "sqlite":
        copies = itertools.count()
        template = tmp_path / "site.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), template)
        url = f"sqlite:///{template}"
    else:
        server = request.getfixturevalue("postgresql")
        url = server.new()
    seeded = _seed(url, catalogue, catalogs, tmp_path)

    def make() -> AlertSite:
        clock = Clock()
        if request.param == "sqlite":
            file = tmp_path / f"site{next(copies)}.sqlite3"
            shutil.copy(template, file)
            own, close = f"sqlite:///{file}", file.unlink
        else:
            own = server.new(like=url)
            close = partial(server.drop, own)
        return AlertSite(app_context_on(own, catalogue, catalogs, tmp_path, clock), seeded, clock, close)

    return make


def _seed(url: str, catalogue: Catalogue, catalogs: Catalogs, folder: Path) -> SeededSite:
    app_context = app_context_on(url, catalogue, catalogs, folder, Clock())
    seeded = build_site(app_context)
    app_context.engine.dispose()
    return seeded


def test_no_history_breaks_what_the_page_says(new_site):
    class Machine(AlertMachine):
        pass

    Machine.new_site = staticmethod(new_site)
    run_state_machine_as_test(Machine, settings=SETTINGS)


def test_no_old_page_acts_on_what_it_did_not_show(new_site):
    class Machine(StalePageMachine):
        pass

    Machine.new_site = staticmethod(new_site)
    run_state_machine_as_test(Machine, settings=SETTINGS)
