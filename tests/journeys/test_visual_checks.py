"""Check every page: axe, overflow, target sizes, glyphs, and requests to other hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from pro.db import transaction
from pro.features.queries import query_service
from pro.models import Assessment
from tests.journeys.accessibility import violations
from tests.journeys.people import DOUBLE_TAP, JourneyChatParticipant, JourneyParticipant, JourneyStaff
from tests.support import form_browser
from tests.support.factories import PLAN, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
LANGUAGES = ("zh_Hans", "en")
TARGET = 44
# Height of the screen of the smallest phone, less the bars of its browser.
SMALLEST_HEIGHT = 480
# Words in Latin letters that stand on two lines.
BROKEN_WORDS = """() => {
  const found = [], range = document.createRange();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('script,style,.vh,svg,select,option')) continue;
    for (const word of node.data.matchAll(/[A-Za-z][A-Za-z’'.]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set(Array.from(range.getClientRects()).filter(r => r.width).map(r => Math.round(r.top)));
      if (tops.size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
HAN_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC")


def screens(me: JourneyParticipant) -> Iterator[str]:
    """Visit every kind of participant's page; yield its name."""
    me.opens_the_link()
    yield "start"
    me.starts()
    yield "question"
    me.chooses(3).chooses(1)
    yield "advice"
    me.understands().skips().goes_back()
    yield "question left before"
    me.goes_back()
    yield "question answered before"
    me.goes_on()
    while not me.page.locator("button.btn[value=none]").count():
        me.chooses(0)
    yield "list"
    me.page.locator("label.tick").first.click()
    me.tap(me.page.locator("button.btn[value=none]"))
    yield "list asked again"
    me.page.locator("label.tick").first.click()
    me.has_none_of_these()
    me.page.fill("input[name=weight]", "620")
    me.goes_on()
    yield "fields with a problem"
    me.page.fill("input[name=weight]", "62")
    me.goes_on()
    yield "review"
    me.sends()
    yield "thanks"
    me.page.goto(f"{me.page.url}/my")
    yield "own page"
    for summary in me.page.locator("summary").all():
        summary.click()
    yield "own page, all open"
    me.page.locator(".sent a").click()
    me.page.wait_for_load_state()
    yield "answers that were sent"
    me.page.goto(me.link)
    yield "already received"
    me.page.goto(me.link[:-1] + ("A" if me.link[-1] != "A" else "B"))
    yield "unknown link"
    me.page.goto(me.link.split("/a/")[0])
    yield "code"
    me.page.fill("input[name=code]", "ABCD-34")
    me.page.locator("main button.btn").click()
    yield "code with a problem"
    me.page.goto(me.link.split("/a/")[0] + "/nothing-here")
    yield "not found"


def chat_screens(me: JourneyChatParticipant) -> Iterator[str]:
    """Visit every kind of page of the chat; yield its name."""
    me.page.goto(me.link.split("/a/")[0] + "/chat")
    yield "chat code"
    me.opens_the_chat()
    yield "chat start"
    me.starts()
    yield "chat, first question"
    me.taps_on(3)
    me.says("?!").says("help")
    yield "chat, not understood"
    me.taps_on(1)
    yield "chat, advice"
    me.understands()
    while me.page.locator(".chip").count():
        me.taps_on(0)
    yield "chat, list"
    me.page.locator("button.btn[value=none]").click()
    expect(me.page.locator("#t[inputmode]")).to_be_visible()
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.says("620")
    yield "chat, a number that is refused"
    me.says("62")
    yield "chat, a text"
    me.page.locator("#more [value=skip]").click()
    expect(me.page.locator("#say .field")).to_have_count(0)
    yield "chat, the end"


def staff_pages(at_desk: JourneyStaff, study: Study, url: str) -> Iterator[str]:
    """Yield every staff page."""
    at_desk.page.goto(f"{url}/staff/")
    yield "sign-in"
    at_desk.page.goto(f"{url}/staff/forgot-password")
    yield "forgot password"
    at_desk.page.fill("input[name=email]", "nobody@example.org")
    at_desk.page.locator("main form button.btn").click()
    expect(at_desk.page.locator("p.ok")).to_be_visible()
    yield "forgot password, sent"
    at_desk.page.goto(f"{url}/staff/reset/nothing")
    yield "a link that is no longer valid"
    at_desk.opens(f"{url}/staff/")
    yield "board"
    at_desk.page.locator("a[href*='/staff/alerts/']").first.click()
    yield "alert"
    at_desk.page.goto(f"{url}/staff/participants")
    yield "participants"
    at_desk.page.goto(f"{url}/staff/participants?alert=any&sort=-phase")
    yield "participants, filtered"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}")
    yield "participant"
    for tab in ("forms", "messages", "events", "records"):
        at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/{tab}")
        yield f"participant, {tab}"
    at_desk.page.locator(".ph .more summary").click()
    yield "participant, something else"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/timeline")
    yield "course"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/calls")
    at_desk.page.locator("#log button").click()
    yield "calls with a problem"
    at_desk.page.goto(f"{url}/staff/adverse-events")
    yield "adverse events"
    at_desk.page.goto(f"{url}/staff/adverse-events/discordance")
    yield "reported against recorded"
    at_desk.page.goto(f"{url}/staff/inbox")
    yield "inbox"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/messages")
    at_desk.page.locator("button[value=fixed]").click()
    yield "texts with a problem"
    at_desk.page.goto(f"{url}/staff/participants/new")
    yield "enrol"
    at_desk.page.locator("main form button.btn").click()
    yield "enrol with problems"
    at_desk.page.goto(f"{url}/staff/roster?starts=2026-11-22T20:00")
    yield "roster"
    at_desk.page.locator("button[value=duty]").click()
    yield "roster with problems"
    at_desk.page.locator(".roster a").first.click()
    yield "duty"
    at_desk.page.locator("button[value=hand_over]").click()
    yield "duty with problems"
    at_desk.page.goto(f"{url}/staff/nothing-here")
    yield "not found"


def staff_records(at_desk: JourneyStaff, study: Study, url: str) -> Iterator[str]:
    """Yield every staff page about records and the study overview."""
    at_desk.opens(f"{url}/staff/")
    at_desk.page.goto(f"{url}/staff/audit?participant={study.chinese.id}")
    yield "audit trail"
    at_desk.page.locator("button[value=verify]").click()
    expect(at_desk.page.locator("section[role=status]")).to_be_visible()
    yield "audit trail, verified"
    sent = f"{url}/staff/assessments/{study.english.checkin.assessment_id}/corrections"
    at_desk.page.goto(f"{sent}?item=bleed")
    yield "answers and a correction"
    at_desk.page.locator("#ask button.btn").click()
    expect(at_desk.page.locator("#errors")).to_be_visible()
    yield "a correction with problems"
    at_desk.page.goto(f"{url}/staff/corrections")
    yield "corrections"
    at_desk.page.goto(f"{url}/staff/assessments/{study.english.checkin.assessment_id}/queries")
    yield "queries of a form"
    at_desk.page.goto(f"{url}/staff/queries")
    yield "queries"
    at_desk.page.locator(".list a").first.click()
    yield "query"
    at_desk.page.locator("main form button.btn").click()
    expect(at_desk.page.locator("#errors")).to_be_visible()
    yield "query with a problem"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/freeze")
    yield "freeze"
    at_desk.page.goto(f"{url}/staff/freeze/{PLAN}")
    yield "freeze of the whole study"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/adverse-events/new")
    yield "an adverse event by hand"
    at_desk.page.goto(f"{url}/staff/participants/{study.chinese.id}/consent")
    at_desk.page.locator("#withdraw summary").click()
    at_desk.page.locator("button[value=withdraw]").click()
    expect(at_desk.page.locator("#errors")).to_be_visible()
    yield "consent with problems"
    # The site's worker has counted by now, or will soon.
    at_desk.page.goto(f"{url}/staff/study-overview")
    yield "whole study"
    at_desk.page.goto(f"{url}/staff/visits?state=&find=")
    yield "visits"
    at_desk.page.goto(f"{url}/staff/visits?find=none")
    yield "visits, nobody found"
    at_desk.page.goto(f"{url}/staff/visits/forms?show=open")
    yield "several open forms"
    # Whether a form of the schedule is open depends on what the worker did by now.
    if at_desk.page.locator("main form button.btn").count():
        at_desk.page.locator("main form button.btn").click()
        expect(at_desk.page.locator("#errors")).to_be_visible()
        yield "several open forms, none chosen"
    at_desk.page.goto(f"{url}/staff/visits/forms")
    yield "several missed forms"
    at_desk.page.goto(f"{url}/staff/messages")
    yield "sent messages"
    at_desk.page.goto(f"{url}/staff/simulator")
    yield "simulator"
    at_desk.page.locator("main form button.btn").click()
    yield "simulator with a problem"


def sideways(page: Page) -> str:
    """Return what overflows to the right, if the page can be scrolled sideways."""
    return str(
        page.evaluate(
            """() => { const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide + 1) return '';
            return [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > wide + 1 && !e.closest('.wide,nav'))
                .map(e => e.outerHTML.slice(0, 80)).slice(-3).join(' | ') || 'the page itself'; }"""
        )
    )


def small_targets(page: Page) -> list[str]:
    """Return the targets that are too small; links in a sentence are exempt, as in WCAG."""
    found: list[str] = page.evaluate(
        """least => [...document.querySelectorAll(
            'a[href],button,input:not([type=hidden]),summary,label.tick,label.pick')]
        .filter(e => { const b = e.getBoundingClientRect();
            if (!b.width || e.closest('.vh') || e.matches('.vh,.skip,label.tick input,label.pick input')) return false;
            if (e.matches('a') && getComputedStyle(e).display === 'inline') return false;
            return b.height < least || b.width < least; })
        .map(e => e.outerHTML.slice(0, 100))""",
        TARGET,
    )
    return found


def looked_at(page: Page, name: str, language: str) -> list[str]:
    """Return everything that is wrong with the current page."""
    wrong = []
    page.wait_for_load_state()
    wrong += [f"{name}: axe {found['id']} {found['nodes'][0]['html'][:120]}" for found in violations(page)]
    stuck = sideways(page)
    wrong += [f"{name}: sticks out sideways: {stuck}"] if stuck else []
    wrong += [f"{name}: too small to press: {what}" for what in small_targets(page)]
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans-CN" if language == "zh_Hans" else "en")
    return wrong


def squeezed(page: Page, name: str) -> list[str]:
    """Return what overflows at 320 px, and with text twice as large.

    The page must be 320 px wide.
    """
    wrong = []
    page.wait_for_load_state()
    if sideways(page):
        wrong.append(f"{name} at 320 px: {sideways(page)}")
    page.evaluate("document.documentElement.style.fontSize='200%'")
    if sideways(page):
        wrong.append(f"{name} at 320 px with 200 % text: {sideways(page)}")
    wrong += [f"{name} at 320 px with 200 % text breaks “{word}”" for word in page.evaluate(BROKEN_WORDS)]
    call = page.locator(".sos .btn").first
    if call.count():
        box = call.bounding_box()
        if box is None or box["y"] + box["height"] > SMALLEST_HEIGHT:
            wrong.append(f"{name} at 320 px with 200 % text: the call button is not on the first screen: {box}")
    page.set_viewport_size({"width": 390, "height": 844})
    if sideways(page):
        wrong.append(f"{name} with 200 % text: {sideways(page)}")
    page.evaluate("document.documentElement.style.fontSize=''")
    page.set_viewport_size({"width": 320, "height": 640})
    return wrong


def strangers(page: Page, home: str) -> list[str]:
    """Record every request of ``page`` to another host than ``home``."""
    found: list[str] = []

    def look(request: Any) -> None:
        host = urlsplit(request.url).netloc
        if host and host != urlsplit(home).netloc:
            found.append(request.url)

    page.on("request", look)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_participants_pages(
    live_site: Site, study: Study, new_participant: Callable[..., JourneyParticipant], language: str
) -> None:
    me = new_participant(language)
    met = strangers(me.page, live_site.url)
    wrong = [found for name in screens(me) for found in looked_at(me.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chat(
    live_site: Site, study: Study, new_participant: Callable[..., JourneyParticipant], language: str, scheme: str
) -> None:
    person = new_participant(language, color_scheme=scheme)
    me = JourneyChatParticipant(person.page, person.link)
    met = strangers(me.page, live_site.url)
    wrong = [found for name in chat_screens(me) for found in looked_at(me.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met


@pytest.mark.parametrize(
    "walk", [screens, lambda me: chat_screens(JourneyChatParticipant(me.page, me.link))], ids=["form", "chat"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_narrow_phone_with_text_twice_as_large(
    study: Study,
    new_participant: Callable[..., JourneyParticipant],
    language: str,
    walk: Callable[[JourneyParticipant], Iterator[str]],
) -> None:
    me = new_participant(language, viewport={"width": 320, "height": 640})
    wrong = [found for name in walk(me) for found in squeezed(me.page, name)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("walk", [staff_pages, staff_records], ids=["work", "records"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_pages(
    live_site: Site,
    study: Study,
    new_participant: Callable[..., JourneyParticipant],
    nurse: Callable[..., JourneyStaff],
    width: int,
    language: str,
    walk: Callable[[JourneyStaff, Study, str], Iterator[str]],
) -> None:
    new_participant().opens_the_link().starts().chooses(2)
    with transaction(live_site.app_context.engine) as session:
        form = session.get_one(Assessment, study.english.checkin.assessment_id)
        is_sent = form.submitted_at is not None
    if not is_sent:
        form_browser.press_start(live_site.app_context, study.english.checkin, language="en").finish(bleed=0)
    with form_browser.unit_of_work(live_site.app_context, study.staff["monitor"].actor) as work:
        form = work.session.get_one(Assessment, study.english.checkin.assessment_id)
        query_service.ask_query(work, form, "bleed", "Does this fit the call of that day?")
    at_desk = nurse("coordinator", viewport={"width": width, "height": 900})
    at_desk.page.goto(f"{live_site.url}/staff/sign-in?lang={language}")
    met = strangers(at_desk.page, live_site.url)
    wrong = [found for name in walk(at_desk, study, live_site.url) for found in looked_at(at_desk.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met


def test_chinese_is_drawn_in_real_glyphs(study: Study, new_participant: Callable[..., JourneyParticipant]) -> None:
    me = new_participant().opens_the_link().starts()
    session = me.page.context.new_cdp_session(me.page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": "h1"})["nodeId"]
    fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    assert fonts
    assert all(font["familyName"] in HAN_FONTS for font in fonts), fonts


def test_a_whole_form_by_keyboard(study: Study, new_participant: Callable[..., JourneyParticipant]) -> None:
    me = new_participant().opens_the_link()
    for expected in ("您的鼻子、嘴或喉咙有没有出血？", "您的呼吸怎么样？"):
        for _ in range(12):
            me.page.keyboard.press("Tab")
            kind = me.page.evaluate("document.activeElement.name + '=' + document.activeElement.value")
            if kind in ("by=self", "value=0"):
                break
        assert me.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        me.page.wait_for_timeout(DOUBLE_TAP)
        me.page.keyboard.press("Enter")
        expect(me.page.locator("h1")).to_have_text(expected)
