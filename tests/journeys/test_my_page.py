"""Test the participant's own page, the answers after sending, and the notice without network, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from pro.db import transaction
from pro.models import Assessment, Participant
from tests.journeys.accessibility import violations
from tests.journeys.conftest import NewParticipant
from tests.journeys.people import DOUBLE_TAP, JourneyParticipant
from tests.support import factories
from tests.support.factories import FormLinks
from tests.support.form_browser import press_start
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
# Chromium without a desktop has no voice, so that this page is given one that notes what it is to say.
VOICE = """
(() => {
  const spoken = [];
  const speech = {
    spoken,
    getVoices: () => [{lang: 'LANGUAGE'}],
    speak: line => { spoken.push(line.text); },
    cancel: () => { spoken.push('|'); },
    addEventListener: () => {},
  };
  Object.defineProperty(window, 'speechSynthesis', {value: speech});
  window.SpeechSynthesisUtterance = function (text) { this.text = text; };
})()
"""


def next_form(site: Site, me: JourneyParticipant) -> FormLinks:
    """Send the participant's open check-in from another phone, and issue the next one."""
    token = me.link.rpartition("/")[2]
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        form = session.query(Assessment).order_by(Assessment.id.desc()).first()
        assert form is not None
        before = FormLinks(form.id, form.ref, me.link, f"/a/{token}", token, "")
    language = "en" if "en" in me.page.evaluate("navigator.language") else "zh_Hans"
    press_start(site.app_context, before, language=language).finish(sores=1, other7=("dry_mouth",), dry_mouth=1)
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        return factories.form(work, session.get_one(Participant, form.participant_id))


def fits(page: Page) -> bool:
    """Return True if the page does not scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(
    ("language", "heading", "hide"),
    [("zh_Hans", "您最近几次的回答", "以后不用给我看这个"), ("en", "Your recent answers", "Do not show me this again")],
)
def test_own_answers_after_sending_then_the_own_page(
    live_site: Site, new_participant: NewParticipant, language: str, heading: str, hide: str
) -> None:
    me = new_participant(language)
    me.link = live_site.url + next_form(live_site, me).path
    me.opens_the_link().starts().answers_the_rest({"sores": 2}).sends()
    # The script fetched this page: its table has its style all the same.
    trend = me.page.locator("section.past")
    expect(trend.locator("h2")).to_have_text(heading)
    assert trend.locator("table").evaluate("node => getComputedStyle(node).borderCollapse") == "collapse"
    assert trend.locator("tbody").count() == 2
    for width in (390, 320):
        me.page.set_viewport_size({"width": width, "height": 740})
        assert fits(me.page)
        assert violations(me.page) == []
    me.page.get_by_role("button", name=hide).click()
    expect(trend).to_have_count(0)

    me.page.wait_for_timeout(DOUBLE_TAP)
    me.page.locator("a[href$='/my']").click()
    me.page.wait_for_url("**/my")
    for scheme in ("light", "dark"):
        me.page.emulate_media(color_scheme=scheme)
        assert violations(me.page) == []
    # Without a voice there is no button; without a tap nothing is open.
    expect(me.page.locator("[data-read]")).to_be_hidden()
    expect(me.page.locator("button[value=stop_texts]")).to_be_hidden()
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.page.locator("button[name=size][value='3']").click()
    expect(me.page.locator("html")).to_have_class("big t3")
    assert fits(me.page)
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.page.locator(".sent a").first.click()
    me.page.wait_for_url("**/my/*")
    expect(me.page.locator("dl.rev").first).to_be_visible()
    assert fits(me.page)
    assert violations(me.page) == []
    me.page.go_back()

    # Something is wrong now: a check-in outside the plan, in the chosen text size.
    me.page.locator("button[value=fill]").click()
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.starts()
    expect(me.page.locator("button.opt").first).to_be_visible()
    expect(me.page.locator("html")).to_have_class("big t3")


@pytest.mark.parametrize(("language", "voice"), [("zh_Hans", "zh_CN"), ("en", "en-US")])
def test_the_page_is_read_aloud_where_there_is_a_voice(
    new_participant: NewParticipant, language: str, voice: str
) -> None:
    me = new_participant(language)
    me.page.add_init_script(VOICE.replace("LANGUAGE", voice))
    me.opens_the_link()
    me.page.locator("form[action$='/my'] button").click()
    me.page.wait_for_url("**/f/*/my")
    me.page.wait_for_timeout(DOUBLE_TAP)
    button = me.page.locator("[data-read] button")
    label = button.inner_text()
    button.click()
    expect(button).not_to_have_text(label)
    spoken = me.page.evaluate("speechSynthesis.spoken")
    assert me.page.locator("h1").inner_text() in spoken
    assert label not in spoken
    button.click()
    expect(button).to_have_text(label)
    assert me.page.evaluate("speechSynthesis.spoken")[-1] == "|"


def test_a_voice_of_another_language_is_no_voice(new_participant: NewParticipant) -> None:
    me = new_participant("zh_Hans")
    me.page.add_init_script(VOICE.replace("LANGUAGE", "de-DE"))
    me.opens_the_link()
    me.page.locator("form[action$='/my'] button").click()
    me.page.wait_for_url("**/f/*/my")
    expect(me.page.locator("[data-read]")).to_be_hidden()


def test_every_page_says_that_there_is_no_network(new_participant: NewParticipant) -> None:
    me = new_participant().opens_the_link()
    notice = me.page.locator("#off")

    def goes_offline_and_back() -> None:
        expect(notice).to_be_empty()
        me.page.context.set_offline(True)
        expect(notice).to_contain_text("现在没有网络。已经答的都保存了")
        expect(notice.locator("a[href='tel:120']")).to_be_visible()
        me.page.context.set_offline(False)
        expect(notice).to_be_empty()

    goes_offline_and_back()
    me.starts().chooses(0)
    # A page that the script fetched.
    goes_offline_and_back()
    me.page.context.set_offline(True)
    expect(notice).to_be_visible()
    assert violations(me.page) == []
    me.page.locator("button.opt[value='1']").click()
    # What was not saved says more, and stands alone.
    expect(me.page.locator("#said")).to_contain_text("没有网络")
    expect(notice).to_be_hidden()
    me.page.context.set_offline(False)
    me.chooses(1)
    expect(notice).to_be_empty()
    me.page.goto(me.page.url.rpartition("/")[0] + "/chat")
    goes_offline_and_back()


def test_without_javascript_the_own_page_works(new_participant: NewParticipant) -> None:
    me = new_participant(java_script_enabled=False)
    me.page.goto(me.link)
    me.page.locator("form[action$='/my'] button").click()
    me.page.locator("button[name=size][value='2']").click()
    expect(me.page.locator("html")).to_have_class("big t2")
    me.page.locator("summary", has_text="不想再收短信").click()
    me.page.locator("button[value=stop_texts]").click()
    expect(me.page.locator("summary", has_text="想再收短信").first).to_be_visible()
    expect(me.page.locator("button[value=allow_texts]")).to_be_hidden()
    expect(me.page.locator("[data-read]")).to_be_hidden()
