"""Check the card pages: axe, a narrow phone, large text, requests to other hosts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete

from pro.db import transaction
from pro.features.forms import participant_cards
from pro.features.forms.participant_cards import PIN_TRIES, CardDraft
from pro.features.schedule import enrolment
from pro.models import ExpectedForm, Participant
from tests.journeys.people import DOUBLE_TAP
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, squeezed, strangers
from tests.support import factories, form_browser
from tests.support.factories import FormLinks, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
WRONG = "1357"
# Failed attempts are counted by address: attempts outside the browser use another, so that no test is locked out.
ELSEWHERE = "192.0.2.7"
_numbers = itertools.count(1)


@dataclass
class Holder:
    """A participant with a card and a phone, each with another IP address."""

    page: Page
    site: Site
    language: str
    person: int = 0
    card: CardDraft = field(default_factory=lambda: CardDraft("", ""))
    form: FormLinks | None = None

    def gets_a_card(self, *instruments: str) -> None:
        """Make a card for another participant, with these forms open."""
        number = f"JL{os.environ.get('PYTEST_XDIST_WORKER', 'main').upper()}-{next(_numbers):03}"
        with transaction(self.site.app_context.engine) as session:
            work = self.site.app_context.unit_of_work(session)
            person = factories.participant(work, number, language=self.language)
            # Only the forms named here are expected.
            session.execute(delete(ExpectedForm).where(ExpectedForm.participant_id == person.id))
            for instrument in instruments:
                self.form = factories.form(work, person, instrument)
            self.person, self.card = person.id, participant_cards.make_card(work, person)[1]
        self.page.context.clear_cookies()

    def scans(self) -> None:
        """Open what the QR code holds."""
        self.page.goto(f"{self.site.url}/c/{self.card.token}?lang={self.language}")

    def types(self, field: str, text: str) -> None:
        """Type a PIN or a code and go on."""
        self.page.fill(f"#{field}", text)
        self.page.wait_for_timeout(DOUBLE_TAP)
        with self.page.expect_navigation():
            self.page.locator("main button.btn").click()

    def enters(self) -> None:
        """Scan, and type the right PIN."""
        self.scans()
        self.types("pin", factories.PIN)


def card_screens(me: Holder) -> Iterator[str]:
    """Visit every card page; yield its name."""
    app_context = me.site.app_context
    me.gets_a_card("npc_checkin", "qlq_c30")
    me.scans()
    yield "PIN"
    me.types("pin", "")
    yield "no PIN"
    me.types("pin", "12")
    yield "a PIN too short"
    me.types("pin", WRONG)
    yield "a wrong PIN"
    me.types("pin", factories.PIN)
    expect(me.page.locator("main button.btn")).to_have_count(2)
    yield "two forms"
    assert me.form is not None
    form_browser.press_start(app_context, me.form).save(Q1=1)
    me.page.reload()
    yield "two forms, one begun"
    me.page.goto(f"{me.site.url}/?lang={me.language}")
    yield "code"
    me.types("code", me.card.shown)
    yield "PIN after the code"
    me.types("pin", "x")
    yield "a PIN with letters after the code"
    with transaction(app_context.engine) as session:
        for _turn in range(PIN_TRIES):
            assert participant_cards.try_pin(
                app_context.unit_of_work(session), WRONG, ELSEWHERE, token=me.card.token
            ).why in (
                "wrong",
                "locked",
            )
    me.types("pin", factories.PIN)
    yield "locked after the code"
    me.scans()
    yield "locked"
    me.gets_a_card()
    me.enters()
    yield "nothing due"
    with transaction(app_context.engine) as session:
        participant_cards.revoke_card(app_context.unit_of_work(session), session.get_one(Participant, me.person))
    me.page.reload()
    yield "no pass any more"
    me.scans()
    yield "revoked"
    me.gets_a_card("qlq_c30")
    me.enters()
    yield "one form and how it is now"
    with transaction(app_context.engine) as session:
        enrolment.withdraw_participant(
            app_context.unit_of_work(session), session.get_one(Participant, me.person), "moved away"
        )
    me.page.reload()
    yield "left the study"
    me.page.goto(f"{me.site.url}/c/nobody-knows-this?lang={me.language}")
    yield "unknown card"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_of_a_card(live_site: Site, study: Study, phone: Callable[..., Page], language: str) -> None:
    me = Holder(phone(language), live_site, language)
    met = strangers(me.page, live_site.url)
    wrong = [found for name in card_screens(me) for found in looked_at(me.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_on_a_narrow_phone_with_text_twice_as_large(
    live_site: Site, study: Study, phone: Callable[..., Page], language: str
) -> None:
    me = Holder(phone(language, viewport={"width": 320, "height": 640}), live_site, language)
    wrong = [found for name in card_screens(me) for found in squeezed(me.page, name)]
    assert not wrong, "\n".join(wrong)
