"""Drive participants and staff through a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from tests.support.live_system import Site

# In milliseconds, a little longer than form.js waits.
DOUBLE_TAP = 750


# Turns the fixtures' phone into a desktop browser.
DESK: Mapping[str, object] = {
    "viewport": {"width": 1280, "height": 900},
    "is_mobile": False,
    "has_touch": False,
    "device_scale_factor": 1,
}
# Journeys of staff run on both.
PLACES = {"phone": {}, "desk": DESK}


@dataclass
class JourneyParticipant:
    """A participant with a phone and a form."""

    page: Page
    link: str
    taps: int = 0

    def opens_the_link(self) -> JourneyParticipant:
        """Open the link: a start page, nothing has begun."""
        self.page.goto(self.link)
        return self

    def tap(self, where: Locator) -> None:
        """Tap, and wait until another screen is complete."""
        before = _main(self.page)
        self.taps += 1
        where.click()
        end = time.monotonic() + 10
        while _main(self.page) in (None, before):
            assert time.monotonic() < end, f"nothing changed after a tap on {where}"
            self.page.wait_for_timeout(15)
        self.page.wait_for_load_state()
        # A new screen ignores taps at first, because one may be the second of a double tap.
        self.page.wait_for_timeout(DOUBLE_TAP)

    def starts(self, by: str = "self") -> JourneyParticipant:
        """Press Start."""
        self.tap(self.page.locator(f"button[name=by][value={by}]"))
        return self

    def chooses(self, code: int) -> JourneyParticipant:
        """Tap the option with this code."""
        self.tap(self.page.locator(f"button.opt[value='{code}']"))
        return self

    def skips(self) -> JourneyParticipant:
        """Skip the question."""
        self.tap(self.page.locator("button[name=do][value=skip]"))
        return self

    def goes_back(self) -> JourneyParticipant:
        """Go back one question."""
        self.tap(self.page.locator("button[name=do][value=back]"))
        return self

    def has_none_of_these(self) -> JourneyParticipant:
        """On the list page, choose "none of these"."""
        self.tap(self.page.locator("button.btn[name=do][value=none]"))
        return self

    def goes_on(self) -> JourneyParticipant:
        """Press the button that goes on without a change, or past optional fields."""
        self.tap(self.page.locator("button.btn[name=do][value=next]"))
        return self

    def understands(self) -> JourneyParticipant:
        """Confirm the emergency advice."""
        self.tap(self.page.locator("button[value=understood]"))
        return self

    def sends(self) -> JourneyParticipant:
        """Submit the form from the review page."""
        self.tap(self.page.locator("button[value=send]"))
        return self

    def switches_language(self) -> JourneyParticipant:
        """Tap the language switch."""
        before = self.page.locator("html").get_attribute("lang") or ""
        self.page.locator(".lang").last.click()
        expect(self.page.locator("html")).not_to_have_attribute("lang", before)
        self.page.wait_for_load_state()
        self.page.wait_for_timeout(DOUBLE_TAP)
        return self

    @property
    def question(self) -> str:
        """Return the heading on the screen."""
        return self.page.locator("h1").inner_text().replace("\u200b", "")

    def answers_the_rest(self, codes: Mapping[str, int | None] | None = None) -> JourneyParticipant:
        """Answer up to the review: ``codes`` by item (None: skip), else the first option.

        Nothing on the list is ticked.
        """
        codes = codes or {}
        for _ in range(60):
            if self.page.locator("button[value=send]").count():
                return self
            if self.page.locator("button[value=understood]").count():
                self.understands()
            elif self.page.locator("button.btn[value=none]").count():
                self.has_none_of_these()
            elif self.page.locator("button.opt").count():
                item = self.page.locator("input[name=page]").get_attribute("value") or ""
                code = codes.get(item, _first_code(self.page))
                self.skips() if code is None else self.chooses(code)
            else:
                self.goes_on()
        raise AssertionError("the form never ended")


@dataclass
class JourneyChatParticipant(JourneyParticipant):
    """A participant who answers in the chat."""

    def opens_the_chat(self) -> JourneyChatParticipant:
        """Open the link of the chat: a start page."""
        self.page.goto(f"{self.link}/chat")
        return self

    def starts(self, by: str = "self") -> JourneyChatParticipant:
        """Press Start and wait for the first question."""
        self.page.locator(f"button[name=by][value={by}]").click()
        expect(self.page.locator("#now")).to_be_visible()
        self.page.wait_for_timeout(DOUBLE_TAP)
        return self

    @property
    def bubbles(self) -> Locator:
        """Return the texts of all bubbles."""
        return self.page.locator("#log li")

    def says(self, text: str) -> JourneyChatParticipant:
        """Type a reply and send it with the Enter key."""
        self.page.fill("#t", text)
        self._does(lambda: self.page.keyboard.press("Enter"))
        return self

    def taps_on(self, code: int) -> JourneyChatParticipant:
        """Tap the quick reply with this number."""
        self._does(self.page.locator(f".chip[value='{code}']").click)
        return self

    def chats_to_the_end(self) -> JourneyChatParticipant:
        """Answer every question with the first option and leave optional fields blank."""
        for _ in range(60):
            if self.page.locator("#say .field").count() == 0:
                return self
            first = self.page.locator(".chip, button.btn[value=none]").or_(self.page.locator("#more [value=skip]"))
            self._does(first.first.click)
        raise AssertionError("the chat never ended")

    def sends_it(self) -> JourneyChatParticipant:
        """Confirm the submission."""
        self._does(self.page.locator("#quick button.btn").click)
        return self

    def _does(self, act: Callable[[], object]) -> None:
        before = _main(self.page)
        act()
        end = time.monotonic() + 10
        while _main(self.page) in (None, before):
            assert time.monotonic() < end, "nothing was said"
            self.page.wait_for_timeout(15)
        self.page.wait_for_load_state()
        self.page.wait_for_timeout(DOUBLE_TAP)


def _main(page: Page) -> str | None:
    """Return the content of the page; None between two pages.

    Called from the test, because the pages' content security policy allows no eval.
    """
    try:
        shown = page.locator("main").inner_html(timeout=1000)
    except PlaywrightError:
        return None
    # The pressed option is framed while it is saved, and a slow save shows a notice; neither is another screen.
    return re.sub('<p [^>]*role="status"[^>]*>.*?</p>', "", re.sub('class="(opt|chip) on"', r'class="\1"', shown))


def _first_code(page: Page) -> int:
    return int(page.locator("button.opt").first.get_attribute("value") or 0)


@dataclass
class JourneyStaff:
    """A staff member at a browser."""

    page: Page
    site: Site
    email: str
    password: str

    def opens(self, url: str) -> JourneyStaff:
        """Open an address; sign in if required."""
        self.page.goto(url)
        if self.page.locator("input[name=password]").count():
            self.page.fill("input[name=email]", self.email)
            self.page.fill("input[name=password]", self.password)
            self.page.locator("main form button.btn").click()
            self.page.wait_for_load_state()
        return self

    def acknowledges(self) -> JourneyStaff:
        """Acknowledge the alert."""
        self.page.locator("button[value=acknowledge]").click()
        self.page.wait_for_load_state()
        return self

    def notes(self, text: str) -> JourneyStaff:
        """Write a note."""
        self.page.locator("#notes summary").click()
        self.page.fill("#notes textarea[name=text]", text)
        self.page.locator("button[value=note]").click()
        self.page.wait_for_load_state()
        return self


def link_in(text: str) -> str:
    """Return the first address in an email."""
    found = re.search(r"https?://\S+", text)
    assert found, text
    return found.group(0)
