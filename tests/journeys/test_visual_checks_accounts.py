"""Check the account pages on phone and desktop: accounts, rights, invitations, sign-in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pyotp
import pytest
from playwright.sync_api import Page, expect

from pro.db import transaction
from pro.features.accounts import invitations
from tests.journeys.people import JourneyStaff, link_in
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, sideways, strangers
from tests.journeys.test_visual_checks_staff import DESK, PHONE, press
from tests.support import factories
from tests.support.factories import PASSWORD, Account, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
_numbers = itertools.count(1)


def administration(page: Page, url: str, study: Study) -> Iterator[str]:
    """Yield every account page of an administrator, with and without errors."""
    page.goto(f"{url}/staff/accounts")
    yield "people"
    page.goto(f"{url}/staff/accounts/new")
    yield "invite somebody"
    press(page, "main form button.btn")
    yield "invite somebody, with problems"
    page.goto(f"{url}/staff/accounts/{study.staff['nurse'].id}")
    for part in page.locator("main details").all():
        part.locator("summary").click()
    yield "one account"
    press(page, "button[value=role]")
    yield "one account, with problems"
    page.goto(f"{url}/staff/accounts/changes")
    yield "changes of rights"
    page.goto(f"{url}/staff/rights")
    yield "rights"
    page.goto(f"{url}/staff/me")
    yield "own account"
    page.goto(f"{url}/staff/participants")
    yield "not for this role"
    page.goto(f"{url}/staff/accounts/2147483647")
    yield "nobody by this number"


def way_in(page: Page, url: str, link: str, first: Account, language: str) -> Iterator[str]:
    """Yield the pages of an invitation, the second factor, and a temporary password."""
    page.goto(f"{link}?lang={language}")
    yield "invitation"
    press(page, "main form button.btn")
    yield "invitation with problems"
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    press(page, "main form button.btn")
    page.locator("nav summary").click()
    yield "board, the menu open"
    page.goto(f"{url}/staff/me/second-factor")
    yield "second factor"
    press(page, "main form button.btn")
    yield "second factor with a problem"
    secret = "".join(page.locator(".key-text").inner_text().split())
    page.fill("input[name=code]", pyotp.TOTP(secret).now())
    press(page, "main form button.btn")
    yield "recovery codes"
    page.goto(f"{url}/staff/me")
    page.locator("main summary").click()
    yield "own account with a second factor"
    page.context.clear_cookies(name="staff")
    page.goto(f"{link}?lang={language}")
    yield "invitation used before"
    page.goto(f"{url}/staff/sign-in?lang={language}")
    page.fill("input[name=email]", first.email)
    page.fill("input[name=password]", first.password)
    press(page, "main form button.btn")
    yield "first password"
    press(page, "main form button.btn")
    yield "first password with problems"


def kept(page: Page, url: str, email: str, language: str, number: int) -> Iterator[str]:
    """End a session while text is being typed; the text must survive the next sign-in."""
    page.goto(f"{url}/staff/participants/{number}/calls")
    page.fill("#log textarea[name=text]", "Reached her sister")
    page.context.clear_cookies(name="staff")
    press(page, "#log button.btn")
    yield "signed out while typing"
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    press(page, "main form button.btn")
    yield "typed before the sign-out"


def on_both(page: Page, name: str, language: str) -> list[str]:
    """Return what is wrong with this page on a phone, and what overflows on a desktop."""
    wrong = looked_at(page, name, language)
    page.set_viewport_size(DESK)
    wrong += [f"{name} on a desk: {what}" for what in [sideways(page)] if what]
    page.set_viewport_size(PHONE)
    return wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_of_accounts(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], phone: Callable[..., Page], language: str
) -> None:
    turn = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.{next(_numbers)}"
    email = f"looked.at.{turn}@example.org"
    with transaction(live_site.app_context.engine) as session:
        work = live_site.app_context.unit_of_work(session, study.staff["administrator"].actor)
        invitations.invite_staff(work, email, "Looked At", "investigator", language)
        first = factories.account(work, email=f"first.{turn}@example.org", language=language, own_password=False)
    boss = nurse("administrator", viewport=PHONE)
    boss.opens(f"{live_site.url}/staff/sign-in?lang={language}")
    met = strangers(boss.page, live_site.url)
    pages = administration(boss.page, live_site.url, study)
    wrong = [found for name in pages for found in on_both(boss.page, name, language)]
    letter = live_site.mailbox.wait(lambda mail: mail["To"] == email)
    new = phone(language, viewport=PHONE)
    pages = way_in(new, live_site.url, link_in(letter.get_content()), first, language)
    wrong += [found for name in pages for found in on_both(new, name, language)]
    typing = nurse("coordinator", viewport=PHONE)
    typing.opens(f"{live_site.url}/staff/sign-in?lang={language}")
    pages = kept(typing.page, live_site.url, typing.email, language, study.chinese.id)
    wrong += [found for name in pages for found in on_both(typing.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met


def test_the_menu_opens_and_closes_by_keyboard_and_without_a_script(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    page = nurse("investigator", viewport=PHONE).opens(f"{live_site.url}/staff/participants?lang=en").page
    folded = page.get_by_role("link", name="Data corrections")
    expect(folded).to_be_hidden()
    page.locator("nav summary").focus()
    page.keyboard.press("Enter")
    expect(folded).to_be_visible()
    page.keyboard.press("Escape")
    expect(folded).to_be_hidden()
    expect(page.locator("nav summary")).to_be_focused()

    plain = nurse("investigator", viewport=PHONE, java_script_enabled=False)
    plain.opens(f"{live_site.url}/staff/participants?lang=en")
    plain.page.locator("nav summary").click()
    with plain.page.expect_navigation():
        plain.page.get_by_role("link", name="Data corrections").click()
    expect(plain.page.locator("h1")).to_have_text("Data corrections")
