"""Draw the picture of the README, three screens of the running system (``make picture``)."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.walker import add_staff_on_duty, make_form_links
from tests.support import factories, live_system
from tests.support.chromium import FLAGS, find_chromium

PICTURE = Path(__file__).parent.parent / "docs" / "screens.jpg"
WIDTH, HEIGHT = 390, 760
FRAME = """<body style="margin:0;display:flex;gap:24px;padding:24px;background:#c9d2cf;width:1266px">{}</body>"""
IMAGE = """<img style="width:390px;height:760px;border-radius:18px" src="data:image/png;base64,{}">"""


def phone(browser: Browser, language: str) -> Page:
    """Open a page with the size of a phone."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale=language)
    return context.new_page()


def main() -> None:
    """Draw the first question, the emergency advice and the to-do list, side by side."""
    with (
        tempfile.TemporaryDirectory() as folder,
        live_system.running_system(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        add_staff_on_duty(site)
        path = next(iter(make_form_links(site, 1, "NC").values()))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = phone(browser, "zh-CN")
        page.goto(site.url + path)
        page.locator("button[name=by]").first.click()
        page.wait_for_selector("button.opt")
        shots = [page.screenshot()]
        page.locator("button.opt[value='4']").click()
        page.wait_for_selector(".sos")
        shots.append(page.screenshot())
        desk = phone(browser, "en-GB")
        desk.goto(f"{site.url}/staff/sign-in?lang=en")
        desk.fill("input[name=email]", "nurse@example.org")
        desk.fill("input[name=password]", factories.PASSWORD)
        desk.locator("main form button.btn").click()
        desk.wait_for_selector("main .list")
        shots.append(desk.screenshot())
        sheet = browser.new_page(viewport={"width": 1266, "height": 808})
        sheet.set_content(FRAME.format("".join(IMAGE.format(base64.b64encode(shot).decode()) for shot in shots)))
        sheet.wait_for_timeout(300)
        sheet.screenshot(path=PICTURE, type="jpeg", quality=55)
        browser.close()
    print(f"{PICTURE.name}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
