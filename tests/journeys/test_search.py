"""Test that the key "/" leads to the search by participant number, on a desktop and in the menu of a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.journeys.people import JourneyStaff
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("width", [1280, 390])
def test_the_key_leads_to_the_search_and_the_search_to_the_record(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], width: int
) -> None:
    at_desk = nurse("coordinator", viewport={"width": width, "height": 900})
    at_desk.page.goto(f"{live_site.url}/staff/sign-in?lang=en")
    at_desk.opens(f"{live_site.url}/staff/roster")
    page = at_desk.page
    page.keyboard.press("/")
    expect(page.locator("#seek" if width > 1000 else "#seek-folded")).to_be_focused()
    page.keyboard.type("npc-002")
    # In a field the key is a letter.
    page.keyboard.press("/")
    page.keyboard.press("Backspace")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_site.url}/staff/participants/{study.english.id}")
    expect(page.locator("h1")).to_have_text("NPC-002")
