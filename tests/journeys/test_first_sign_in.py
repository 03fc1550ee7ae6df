"""Test the first sign-in: invitation, password, authenticator app, and a recovery code."""

from __future__ import annotations

from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import Page, expect

from pro.db import transaction
from pro.features.accounts import invitations
from tests.journeys.accessibility import violations
from tests.journeys.people import PLACES, link_in
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
PASSWORD = "a quite long sentence"


@pytest.mark.parametrize("place", PLACES)
def test_from_the_email_to_the_to_do_list(
    live_site: Site, study: Study, phone: Callable[..., Page], place: str
) -> None:
    email = f"somebody.new.{place}@example.org"
    with transaction(live_site.app_context.engine) as session:
        work = live_site.app_context.unit_of_work(session, study.staff["administrator"].actor)
        invitations.invite_staff(work, email, "Somebody New", "nurse", "en")
    letter = live_site.mailbox.wait(lambda mail: mail["To"] == email)
    page = phone("en", **PLACES[place])
    page.goto(link_in(letter.get_content()))
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("heading", name="To do")).to_be_visible()

    # On a phone the account is folded into the menu.
    page.locator("header summary:visible").last.click()
    page.get_by_role("link", name="My account").click()
    page.get_by_role("link", name="Set up the second factor").click()
    expect(page.get_by_role("img", name="QR code for the authenticator app")).to_be_visible()
    secret = "".join(page.locator(".key-text").inner_text().split())
    page.get_by_label("Verification code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("link", name="I have saved them, continue").click()
    expect(page.get_by_role("heading", name="To do")).to_be_visible()

    page.locator("header summary:visible").last.click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Code for the second factor")).to_be_visible()
    assert not violations(page)
    page.get_by_label("Verification code", exact=True).fill(codes[0])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="To do")).to_be_visible()
    expect(page.get_by_text("9 left")).to_be_visible()
