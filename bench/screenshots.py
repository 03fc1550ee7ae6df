"""Draw every kind of page in both languages into var/screenshots (``make screenshots``)."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import select

from bench.walker import make_form_links
from pro.db import transaction
from pro.features.alerts import test_alerts
from pro.features.operations import demo_study
from pro.models import AdverseEvent, Alert, Participant, WeeklyTestAlert
from tests.support import live_system
from tests.support.chromium import FLAGS, find_chromium
from tests.support.live_system import Site

FOLDER = Path(__file__).parent.parent / "var" / "screenshots"
LOCALES = {"zh_Hans": "zh-CN", "en": "en-GB"}


def save_screenshot(page: Page, language: str, name: str) -> None:
    """Save a picture of the whole page."""
    page.screenshot(path=FOLDER / f"{name}-{language}.png", full_page=True)
    print(f"var/screenshots/{name}-{language}.png", flush=True)


def press(page: Page, what: str) -> None:
    """Press the button with selector ``what`` and wait for the next page."""
    with page.expect_navigation():
        page.locator(what).first.click()


def participant(page: Page, site: Site, path: str, language: str) -> None:
    """Draw access pages, first question, advice, a list, review and last page."""
    page.goto(f"{site.url}/?lang={language}")
    save_screenshot(page, language, "code")
    page.locator("input[name=code]").fill("ABCD")
    press(page, "form button.btn")
    save_screenshot(page, language, "code-refused")
    page.goto(f"{site.url}/a/an-unknown-link")
    save_screenshot(page, language, "link-unknown")
    page.goto(site.url + path)
    save_screenshot(page, language, "start")
    press(page, "button[name=by]")
    seen: set[str] = set()
    for _screen in range(60):
        kind = kind_of(page)
        if kind not in seen:
            seen.add(kind)
            save_screenshot(page, language, kind)
        if kind == "thanks":
            page.goto(f"{page.url}/my")
            save_screenshot(page, language, "my-page")
            return
        first = "button[value='4']" if kind == "question" and len(seen) == 1 else ""
        press(page, first or NEXT[kind])


NEXT = {
    "advice": "button[value=understood]",
    "review": "button[value=send]",
    "list": "button.btn[value=none]",
    "fields": "button.btn[value=next]",
    "question": "button.opt",
}


def kind_of(page: Page) -> str:
    """Return the kind of the screen: a key of NEXT, or "thanks"."""
    return next((kind for kind, button in NEXT.items() if page.locator(button).count()), "thanks")


def chat(page: Page, site: Site, path: str, language: str) -> None:
    """Draw the chat: start page, first question, a reply that was unclear, list, end."""
    page.goto(f"{site.url}{path}/chat")
    save_screenshot(page, language, "chat-start")
    press(page, "button[name=by]")
    save_screenshot(page, language, "chat")
    press(page, ".chip")
    page.locator("#t").fill("…")
    press(page, "#say button")
    save_screenshot(page, language, "chat-unclear")
    for _screen in range(60):
        if page.locator("button[value=some]").count():
            save_screenshot(page, language, "chat-list")
        if not page.locator("#t").count():
            break
        press(page, ".chip, button.btn[value=none]" if page.locator(".chip, .tick").count() else "[value=skip]")
    save_screenshot(page, language, "chat-end")


def staff(page: Page, site: Site, language: str) -> None:
    """Sign in; draw to-do list, alert, participants, inbox, enrolment, duty roster, shift."""
    page.goto(f"{site.url}/staff/sign-in?lang={language}")
    save_screenshot(page, language, "sign-in")
    page.locator("input[name=email]").fill("investigator@example.org")
    page.locator("input[name=password]").fill(demo_study.PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url("**/staff/")
    save_screenshot(page, language, "board")
    page.locator("a[href*='/staff/alerts/']").first.click()
    save_screenshot(page, language, "alert")
    page.goto(f"{site.url}/staff/participants")
    save_screenshot(page, language, "participants")
    page.locator("a[href*='/staff/participants/']:not([href$='/new'])").first.click()
    save_screenshot(page, language, "participant")
    page.goto(f"{site.url}/staff/inbox")
    save_screenshot(page, language, "inbox")
    page.goto(f"{site.url}/staff/participants/new")
    save_screenshot(page, language, "enrol")
    page.goto(f"{site.url}/staff/roster")
    save_screenshot(page, language, "roster")
    page.locator(".roster a").first.click()
    save_screenshot(page, language, "duty")


def visit_schedule(page: Page, site: Site, language: str) -> None:
    """Draw treatment dates, visit schedule, data entry, call task, verification, test alert.

    Needs a signed-in page.
    """
    with transaction(site.app_context.engine) as session:
        numbers = {row.participant_number: row.id for row in session.scalars(select(Participant))}
        if session.scalar(select(WeeklyTestAlert.id)) is None:
            test_alerts.start_test_alert_now(site.app_context.unit_of_work(session), demo_study.PLAN)
    treated, silent = (f"{site.url}/staff/participants/{numbers[name]}" for name in ("NC-002", "NC-004"))
    page.goto(f"{treated}/dates?kind=rt_end")
    save_screenshot(page, language, "dates")
    today = datetime.now(UTC).date()
    page.locator("#form input[name=on]").fill((today + timedelta(days=60)).isoformat())
    page.locator("#form input[value=planned]").check()
    press(page, "#form button[value=preview]")
    save_screenshot(page, language, "preview")
    page.goto(f"{silent}/forms")
    save_screenshot(page, language, "ledger")
    page.goto(f"{treated}/enter/npc_checkin?mode=phone")
    save_screenshot(page, language, "enter")
    links = {"task": "a[href*='/staff/tasks/']", "check": "a[href$='/check']", "test_alert": "a[href*='/test-alerts/']"}
    for name, link in links.items():
        page.goto(f"{site.url}/staff/")
        if page.locator(link).count():
            page.locator(link).first.click()
            save_screenshot(page, language, name)


def care(page: Page, site: Site, language: str) -> None:
    """Draw the pages of a participant with an ulcer, and those of the study.

    Needs a signed-in page.
    """
    with transaction(site.app_context.engine) as session:
        person = session.scalars(select(Participant).where(Participant.participant_number == "NC-005")).one()
        event = session.scalars(select(AdverseEvent).where(AdverseEvent.participant_id == person.id)).one()
        alert = session.scalars(select(Alert).where(Alert.participant_id == person.id, Alert.level >= 2)).first()
    one = f"participants/{person.id}"
    places = {
        "alert-taken": f"alerts/{alert.id}" if alert else "",
        "assess": f"alerts/{alert.id}/assess" if alert else "",
        "course": f"{one}/timeline",
        "consent": f"{one}/consent",
        "freeze": f"{one}/freeze",
        "ulcers": "ulcers",
        "ulcer": f"ulcers/{person.id}",
        "events": "adverse-events",
        "event": f"adverse-events/{event.id}",
        "discordance": "adverse-events/discordance",
        "study_overview": "study-overview",
        "simulator": f"simulator?plan={person.plan}",
        "corrections": "corrections",
        "audit": "audit",
        "me": "me",
    }
    for name, path in places.items():
        page.goto(f"{site.url}/staff/{path}")
        save_screenshot(page, language, name)


def main() -> None:
    """Run the system with the demonstration study and draw all pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        live_system.running_system(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        with transaction(site.app_context.engine) as session:
            demo_study.fill_demo_study(site.app_context.unit_of_work(session))
        links = list(make_form_links(site, 4, "SHOT").values())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for language, path, other in zip(LOCALES, links[:2], links[2:], strict=True):
            shown: dict[str, Any] = {**playwright.devices["Pixel 7"], "locale": LOCALES[language]}
            phone = browser.new_context(**shown, timezone_id="Asia/Shanghai", java_script_enabled=False)
            participant(phone.new_page(), site, path, language)
            chat(phone.new_page(), site, other, language)
            phone.close()
            desk = browser.new_context(viewport={"width": 1280, "height": 900}, locale=LOCALES[language])
            page = desk.new_page()
            staff(page, site, language)
            visit_schedule(page, site, language)
            care(page, site, language)
            desk.close()
        browser.close()


if __name__ == "__main__":
    main()
