"""Provide a running system with one study, and new participants for each journey."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from pro.db import transaction
from tests.journeys.people import DOUBLE_TAP, JourneyParticipant, JourneyStaff
from tests.support import factories
from tests.support.factories import Study
from tests.support.live_system import Site

_numbers = itertools.count(1)
NewParticipant = Callable[..., JourneyParticipant]


def _look_first(page: Page) -> Page:
    """Let ``page`` wait after each load of a participant's page until it takes taps, as a person who looks first."""

    def wait_after(load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(*arguments: Any, **settings: Any) -> Any:
            answer = load(*arguments, **settings)
            if "/staff" not in page.url:
                page.wait_for_timeout(DOUBLE_TAP)
            return answer

        return loaded

    for name in ("goto", "reload", "go_back"):
        setattr(page, name, wait_after(getattr(page, name)))
    return page


@pytest.fixture(scope="session")
def study(live_site: Site) -> Study:
    """Return the staff of one study, with the nurse on call."""
    return factories.study(live_site.app_context)


@pytest.fixture
def phone(browser: Browser, playwright: Playwright) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a phone; any of the browser's settings may be changed."""
    contexts = []

    def new(language: str = "zh_Hans", **settings: object) -> Page:
        given = {**playwright.devices["Pixel 7"], "timezone_id": "Asia/Shanghai"}
        given["locale"] = "zh-CN" if language == "zh_Hans" else "en-GB"
        context = browser.new_context(**{**given, **settings})
        context.set_default_timeout(10_000)
        contexts.append(context)
        return _look_first(context.new_page())

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def new_participant(live_site: Site, study: Study, phone: Callable[..., Page]) -> NewParticipant:
    """Return a function that enrols a participant with an open form and a phone."""

    def new(language: str = "zh_Hans", instrument: str = "npc_checkin", **settings: object) -> JourneyParticipant:
        number = f"J{os.environ.get('PYTEST_XDIST_WORKER', 'main').upper()}-{next(_numbers):03}"
        with transaction(live_site.app_context.engine) as session:
            work = live_site.app_context.unit_of_work(session)
            person = factories.participant(work, number, language=language)
            way = factories.form(work, person, instrument)
        return JourneyParticipant(phone(language, **settings), way.url)

    return new


@pytest.fixture
def nurse(live_site: Site, study: Study, phone: Callable[..., Page]) -> Callable[..., JourneyStaff]:
    """Return a function that opens a browser for a staff member, by role."""

    def new(role: str = "nurse", **settings: object) -> JourneyStaff:
        account = study.staff[role]
        return JourneyStaff(phone(account.language, **settings), live_site, account.email, account.password)

    return new
