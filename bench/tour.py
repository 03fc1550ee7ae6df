"""Draw the pictures of docs/tour.md and docs/tour.zh-Hans.md on the demonstration study (part of ``make picture``)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from sqlalchemy import select

from pro.db import transaction
from pro.features.operations import demo_study
from pro.features.reports import study_overview
from pro.models import Alert, Participant
from tests.support import live_system
from tests.support.chromium import FLAGS, find_chromium
from tests.support.live_system import Site

FOLDER = Path(__file__).parent.parent / "docs" / "tour"
LOCALES = {"en": "en-GB", "zh_Hans": "zh-CN"}
DESK, PHONE = ViewportSize(width=1000, height=700), ViewportSize(width=390, height=700)
# Small pictures: the tour says what to look at, the system shows it.
DESK_SCALE, QUALITY = 0.7, 45
# Milliseconds in which a page takes a tap for the second one on the page before.
SECOND_TAP = 900


def save(page: Page, name: str, language: str) -> None:
    """Save a picture of what the window shows."""
    path = FOLDER / f"{name}-{language}.jpg"
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(f"docs/tour/{path.name}: {path.stat().st_size} bytes", flush=True)


def addresses(site: Site) -> dict[str, str]:
    """Return name -> address of the staff pages of the tour."""
    with transaction(site.app_context.engine) as session:
        numbers = {row.participant_number: row.id for row in session.scalars(select(Participant))}
        alert = session.scalars(
            select(Alert.id).where(Alert.participant_id == numbers["NC-003"]).order_by(Alert.level.desc(), Alert.id)
        ).first()
    return {
        "to-do": "",
        "alert": f"alerts/{alert}",
        "timeline": f"participants/{numbers['NC-009']}/timeline",
        "forms": f"participants/{numbers['NC-008']}/forms",
        "ulcers": "ulcers",
        "events": "adverse-events",
        "study": "study-overview",
        "texts": f"inbox/{numbers['NC-014']}",
        "audit": "audit",
    }


def draw_participant(browser: Browser, site: Site, language: str) -> None:
    """Draw the page of sign-ins, a question and the emergency advice on a phone."""
    page = browser.new_context(viewport=PHONE, locale=LOCALES[language]).new_page()
    page.goto(f"{site.url}/staff/try?lang={language}")
    save(page, "try", language)
    page.locator(f"button[value={language}]").click()
    page.wait_for_selector("button[name=by]")
    page.wait_for_timeout(SECOND_TAP)
    page.locator("button[name=by]").first.click()
    page.wait_for_selector("button.opt")
    save(page, "question", language)
    page.wait_for_timeout(SECOND_TAP)
    page.locator("button.opt[value='4']").click()
    page.wait_for_selector(".sos")
    save(page, "advice", language)


def draw_staff(browser: Browser, site: Site, language: str) -> None:
    """Draw the staff pages as an investigator sees them."""
    context = browser.new_context(viewport=DESK, device_scale_factor=DESK_SCALE, locale=LOCALES[language])
    page = context.new_page()
    page.goto(f"{site.url}/staff/sign-in?lang={language}")
    page.fill("input[name=email]", "investigator@example.org")
    page.fill("input[name=password]", demo_study.PASSWORD)
    page.locator("main form button.btn").first.click()
    page.wait_for_url("**/staff/")
    for name, path in addresses(site).items():
        page.goto(f"{site.url}/staff/{path}?lang={language}")
        save(page, name, language)


def main() -> None:
    """Run the system with the demonstration study and draw every picture in both languages."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        live_system.running_system(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        with transaction(site.app_context.engine) as session:
            demo_study.fill_demo_study(site.app_context.unit_of_work(session))
        study_overview.renew_due(site.app_context)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for language in LOCALES:
            draw_staff(browser, site, language)
        # After the staff pages: a heavy bleeding is one more alert on them.
        for language in LOCALES:
            draw_participant(browser, site, language)
        browser.close()


if __name__ == "__main__":
    main()
