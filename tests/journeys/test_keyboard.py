"""Test the urgent staff pages by keyboard only, and their printed form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from pro.db import transaction
from tests.journeys.people import DESK, JourneyStaff
from tests.journeys.test_visual_checks import sideways
from tests.support import factories, form_browser
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
# The width of an A4 page within its margins, in CSS pixels.
A4 = ViewportSize(width=688, height=1000)


def bleeds(site: Site, number: str) -> int:
    """Submit an emergency as a new participant; return the participant number."""
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        person = factories.participant(work, number, language="en")
        way = factories.form(work, person)
    form_browser.press_start(site.app_context, way, language="en").finish(bleed=3)
    return person.id


def opens_the_alert(me: JourneyStaff, number: str) -> Page:
    """Go to the alert's page from the to-do list."""
    me.opens(f"{me.site.url}/staff/?lang=en")
    row = me.page.locator(".list > li", has_text=number)
    with me.page.expect_navigation():
        row.locator("a[href*='/staff/alerts/']").first.click()
    return me.page


def goes_to(page: Page, what: str, steps: int) -> list[float]:
    """Press Tab until ``what`` has the focus; return the position of each stop.

    Positions are measured in the main part, from the top of the page. Every focused element must show the focus.
    """
    stops: list[float] = []
    for _step in range(steps):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """what => { const e = document.activeElement, box = e.getBoundingClientRect(), look = getComputedStyle(e);
            return {found: e.matches(what), top: e.closest('main') ? box.top + scrollY : -1, seen: box.height > 0,
            // The picker inside a date field shows a ring of its own; the field then has no :focus.
            ring: !e.matches(':focus') || look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2,
            html: e.outerHTML.slice(0, 90)}; }""",
            what,
        )
        assert here["seen"], here["html"]
        assert here["ring"], here["html"]
        stops += [here["top"]] if here["top"] >= 0 else []
        if here["found"]:
            return stops
    raise AssertionError(f"{what} was not reached in {steps} steps")


def test_an_alert_is_acknowledged_and_graded_by_keyboard(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    bleeds(live_site, "JKEY-001")
    me = nurse("investigator", **DESK)
    page = opens_the_alert(me, "JKEY-001")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    goes_to(page, "button[value=acknowledge]", 3)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    with page.expect_navigation():
        page.locator("#judged summary").first.press("Enter")
        page.locator("#judged .acts a").first.press("Enter")

    page.locator("main").focus()
    goes_to(page, "input[name=grade]", 8)
    page.keyboard.press("Space")
    expect(page.locator("input[name=grade]").first).to_be_checked()
    stops = goes_to(page, "button[value=assess]", 20)
    assert stops == sorted(stops)
    page.locator("input[name=onset_date]").fill(page.locator("input[name=awareness_time]").input_value()[:10])
    page.locator("input[name=attribution]").first.press("Space")
    page.locator("input[name=serious][value=no]").press("Space")
    page.locator("input#password").fill(me.password)
    with page.expect_navigation():
        page.locator("input#password").press("Enter")
    expect(page.locator("#judged")).to_contain_text("assessed and signed by Investigator")


def test_the_return_key_signs_what_is_typed_and_an_error_takes_the_focus(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    number = bleeds(live_site, "JKEY-002")
    page = (
        nurse("investigator", **DESK)
        .opens(f"{live_site.url}/staff/participants/{number}/adverse-events/new?lang=en")
        .page
    )
    page.locator("textarea[name=action] >> nth=0").fill("Packed")
    with page.expect_navigation():
        page.locator("input#password").press("Enter")
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("textarea[name=action] >> nth=0")).to_have_value("Packed")


def test_what_is_printed_is_the_record_and_not_the_screen(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    number = bleeds(live_site, "JPRINT-001")
    me = nurse("investigator", **DESK)
    page = opens_the_alert(me, "JPRINT-001")
    alert = page.url
    for address, says in (
        (alert, "Reason for this alert"),
        (f"{live_site.url}/staff/participants/{number}/timeline?lang=en", "Symptoms by week"),
        (f"{live_site.url}/staff/audit?participant={number}&lang=en", "Alert raised"),
    ):
        page.goto(address)
        page.emulate_media(media="print")
        page.set_viewport_size(A4)
        expect(page.locator("main")).to_contain_text(says)
        expect(page.get_by_text("JPRINT-001").locator("visible=true").first).to_be_visible()
        for gone in (".bar", "button", ".back", ".skip", "#idle"):
            expect(page.locator(gone).locator("visible=true")).to_have_count(0)
        assert not sideways(page), address
        # Browsers print no background by default: nothing may be white on a dark background.
        white = "e => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && e.textContent.trim()"
        white += " && getComputedStyle(e).color === 'rgb(255, 255, 255)'"
        white += " && getComputedStyle(e).printColorAdjust !== 'exact').map(e => e.outerHTML.slice(0, 80))"
        assert page.evaluate(white) == [], address
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": 1280, "height": 900})
