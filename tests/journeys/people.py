"""The people of the journeys and what they do, in their own verbs, through a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from tests.support.live_system import Site

# Milliseconds, a little more than form.js waits.
DOUBLE_TAP = 450


# What makes a desk of the fixtures' phone.
DESK: Mapping[str, object] = {
    "viewport": {"width": 1280, "height": 900},
    "is_mobile": False,
    "has_touch": False,
    "device_scale_factor": 1,
}
# A story of the staff is told on both.
PLACES = {"phone": {}, "desk": DESK}


@dataclass
class JourneyParticipant:
    """Somebody with a phone and a form."""

    page: Page
    link: str
    taps: int = 0

    def opens_the_link(self) -> JourneyParticipant:
        """Opens the link: a start page, nothing has begun."""
        self.page.goto(self.link)
        return self

    def tap(self, where: Locator) -> None:
        """Taps, and waits until the page has come to rest on another screen."""
        before = _main(self.page)
        self.taps += 1
        where.click()
        end = time.monotonic() + 10
        while _main(self.page) in (None, before):
            assert time.monotonic() < end, f"nothing changed after a tap on {where}"
            self.page.wait_for_timeout(15)
        self.page.wait_for_load_state()
        # A new screen takes no tap at first, because it may be the second of a double tap.
        self.page.wait_for_timeout(DOUBLE_TAP)

    def starts(self, by: str = "self") -> JourneyParticipant:
        """Presses Start."""
        self.tap(self.page.locator(f"button[name=by][value={by}]"))
        return self

    def chooses(self, code: int) -> JourneyParticipant:
        """Taps the option with this code."""
        self.tap(self.page.locator(f"button.opt[value='{code}']"))
        return self

    def skips(self) -> JourneyParticipant:
        """Skips the question."""
        self.tap(self.page.locator("button[name=do][value=skip]"))
        return self

    def goes_back(self) -> JourneyParticipant:
        """Goes back one question."""
        self.tap(self.page.locator("button[name=do][value=back]"))
        return self

    def has_none_of_these(self) -> JourneyParticipant:
        """On the list page: none of these."""
        self.tap(self.page.locator("button.btn[name=do][value=none]"))
        return self

    def goes_on(self) -> JourneyParticipant:
        """Presses the button that goes on without a change, or past optional fields."""
        self.tap(self.page.locator("button.btn[name=do][value=next]"))
        return self

    def understands(self) -> JourneyParticipant:
        """Presses on past the emergency advice."""
        self.tap(self.page.locator("button[value=understood]"))
        return self

    def sends(self) -> JourneyParticipant:
        """Sends the form from the review page."""
        self.tap(self.page.locator("button[value=send]"))
        return self

    def switches_language(self) -> JourneyParticipant:
        """Taps the language switch."""
        before = self.page.locator("html").get_attribute("lang") or ""
        self.page.locator(".lang").last.click()
        expect(self.page.locator("html")).not_to_have_attribute("lang", before)
        return self

    @property
    def question(self) -> str:
        """The heading on the screen."""
        return self.page.locator("h1").inner_text().replace("\u200b", "")

    def answers_the_rest(self, codes: Mapping[str, int | None] | None = None) -> JourneyParticipant:
        """Answers up to the review: ``codes`` by item (None: skip), else the first option and none of the list."""
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
    """Somebody who answers in the chat."""

    def opens_the_chat(self) -> JourneyChatParticipant:
        """Opens the link for the chat: a start page."""
        self.page.goto(f"{self.link}/chat")
        return self

    def starts(self, by: str = "self") -> JourneyChatParticipant:
        """Presses Start; the first question is there."""
        self.page.locator(f"button[name=by][value={by}]").click()
        expect(self.page.locator("#now")).to_be_visible()
        return self

    @property
    def bubbles(self) -> Locator:
        """Everything that was said."""
        return self.page.locator("#log li")

    def says(self, text: str) -> JourneyChatParticipant:
        """Types a reply and sends it with the keyboard's key."""
        self.page.fill("#t", text)
        self._does(lambda: self.page.keyboard.press("Enter"))
        return self

    def taps_on(self, code: int) -> JourneyChatParticipant:
        """Taps the quick reply with this number."""
        self._does(self.page.locator(f".chip[value='{code}']").click)
        return self

    def chats_to_the_end(self) -> JourneyChatParticipant:
        """Taps the first answer of every question, none of the list, and leaves out what is optional."""
        for _ in range(60):
            if self.page.locator("#say .field").count() == 0:
                return self
            first = self.page.locator(".chip, button.btn[value=none]").or_(self.page.locator("#more [value=skip]"))
            self._does(first.first.click)
        raise AssertionError("the chat never ended")

    def sends_it(self) -> JourneyChatParticipant:
        """Says yes to sending."""
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
    """What the page shows; None between two pages. Asked from here, because the pages' policy allows no eval."""
    try:
        shown = page.locator("main").inner_html(timeout=1000)
    except PlaywrightError:
        return None
    # What was pressed is framed while it is being saved, and a slow save is said; that is not another screen yet.
    return re.sub('<p [^>]*role="status"[^>]*>.*?</p>', "", re.sub('class="(opt|chip) on"', r'class="\1"', shown))


def _first_code(page: Page) -> int:
    return int(page.locator("button.opt").first.get_attribute("value") or 0)


@dataclass
class JourneyStaff:
    """A member of staff at a browser."""

    page: Page
    site: Site
    email: str
    password: str

    def opens(self, url: str) -> JourneyStaff:
        """Opens an address, signing in on the way where that is asked."""
        self.page.goto(url)
        if self.page.locator("input[name=password]").count():
            self.page.fill("input[name=email]", self.email)
            self.page.fill("input[name=password]", self.password)
            self.page.locator("main form button.btn").click()
            self.page.wait_for_load_state()
        return self

    def acknowledges(self) -> JourneyStaff:
        """Takes the alert on."""
        self.page.locator("button[value=acknowledge]").click()
        self.page.wait_for_load_state()
        return self

    def notes(self, text: str) -> JourneyStaff:
        """Writes a note."""
        self.page.fill("#notes textarea[name=text]", text)
        self.page.locator("button[value=note]").click()
        self.page.wait_for_load_state()
        return self


def link_in(text: str) -> str:
    """The first address in a mail."""
    found = re.search(r"https?://\S+", text)
    assert found, text
    return found.group(0)
