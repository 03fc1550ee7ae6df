"""Test that typed text survives the end of a session: the warning, and the restored text.

The browser's clock is moved by the test, and the session's last activity is set back in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from pro.db import transaction
from pro.models import StaffSession
from tests.journeys.people import PLACES, JourneyStaff
from tests.support import factories, form_browser
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
TYPED = "Phoned her husband, he brings her in"


def nothing_happened(site: Site, account: int, page: Page, minutes: float) -> None:
    """Set the last activity of the person's newest session back by ``minutes``.

    The page's clock is moved too.
    """
    with transaction(site.app_context.engine) as session:
        query = select(StaffSession).where(StaffSession.staff_id == account).order_by(StaffSession.id.desc()).limit(1)
        row = session.scalars(query).one()
        row.seen_at = site.app_context.clock() - timedelta(minutes=minutes)
    page.clock.fast_forward(round(minutes * 60_000))


@pytest.mark.parametrize("place", PLACES)
def test_a_warning_before_the_sign_out_and_nothing_typed_is_lost(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], place: str
) -> None:
    with transaction(live_site.app_context.engine) as session:
        work = live_site.app_context.unit_of_work(session)
        way = factories.form(work, factories.participant(work, f"JIDLE-{place.upper()}", language="en"))
    form_browser.press_start(live_site.app_context, way, language="en").finish(bleed=3)
    account = study.staff["coordinator"]
    me = nurse("coordinator", **PLACES[place])
    page = me.page
    page.clock.install()
    me.opens(f"{live_site.url}/staff/?lang=en")
    with page.expect_navigation():
        page.locator(".list > li", has_text=f"JIDLE-{place.upper()}").locator("a[href*='/staff/alerts/']").first.click()
    page.locator("#notes summary").click()
    note = page.locator("#notes textarea[name=text]")
    note.fill(TYPED)
    idle = page.locator("#idle")
    expect(idle).to_be_hidden()

    nothing_happened(live_site, account.id, page, 28.5)
    expect(idle.get_by_role("alert")).to_contain_text("You will be signed out in two minutes because of inactivity")
    idle.get_by_role("button", name="Stay signed in").click()
    expect(idle).to_be_hidden()
    expect(note).to_have_value(TYPED)

    nothing_happened(live_site, account.id, page, 31)
    expect(idle.get_by_role("alert")).to_contain_text("You were signed out. Your text is still on this page")
    expect(note).to_have_value(TYPED)
    with page.expect_navigation():
        page.locator("button[value=note]").click()
    page.fill("input[name=email]", me.email)
    page.fill("input[name=password]", me.password)
    with page.expect_navigation():
        page.locator("main form button.btn").click()
    expect(page.locator("main")).to_contain_text("it is not saved yet")
    expect(note).to_have_value(TYPED)
    with page.expect_navigation():
        page.locator("button[value=note]").click()
    expect(page.locator("p.ok")).to_contain_text("Note saved.")
    expect(page.locator("#notes")).to_contain_text(TYPED)
