"""Test the chat in a browser, with and without JavaScript, and the switch to the form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.journeys.people import DOUBLE_TAP, JourneyChatParticipant, JourneyParticipant
from tests.journeys.test_checkin import number_on, stored
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
NewPatient = Callable[..., JourneyParticipant]
WORDS = {
    "zh_Hans": ("没有", "有时候吧", "请点下面的一个答案，或者打它前面的数字"),
    "en": ("none", "now and then", "I only understand"),
}
THANKS = {"zh_Hans": "已收到，谢谢您", "en": "Received, thank you"}


@pytest.fixture
def new_chat_participant(new_participant: NewPatient) -> Callable[..., JourneyChatParticipant]:
    """Return a function that enrols a participant at the chat's first question."""

    def new(language: str = "zh_Hans", **settings: object) -> JourneyChatParticipant:
        me = new_participant(language, **settings)
        return JourneyChatParticipant(me.page, me.link).opens_the_chat()

    return new


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_a_whole_form_in_the_chat(
    live_site: Site,
    study: Study,
    new_chat_participant: Callable[..., JourneyChatParticipant],
    language: str,
    script: bool,
) -> None:
    me = new_chat_participant(language, java_script_enabled=script)
    number = number_on(me)
    me.starts()
    none, odd, sentence = WORDS[language]
    me.says(none)
    expect(me.bubbles.nth(2)).to_contain_text(none, ignore_case=True)
    me.says(odd)
    expect(me.bubbles.last).to_contain_text(sentence)
    me.taps_on(0)
    before = me.bubbles.all_inner_texts()
    me.page.goto(me.page.url.split("#")[0])
    assert me.bubbles.all_inner_texts() == before
    me.chats_to_the_end()
    me.sends_it()
    expect(me.page.locator("h1")).to_have_text(THANKS[language])
    form, answers, _alerts = stored(live_site, number)
    assert form.submitted_at is not None
    assert (answers["bleed"].value, answers["breath"].value, answers["other7"].value) == (0, 0, [])
    assert {row.channel for row in answers.values()} == {"chat"}


def test_from_the_form_to_the_chat_and_back_to_the_form(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    form = new_participant().opens_the_link()
    number = number_on(form)
    form.starts().chooses(0)
    me = JourneyChatParticipant(form.page, form.link).opens_the_chat().starts()
    expect(me.bubbles.nth(2)).to_contain_text("没有")
    me.says("正常").taps_on(1)
    me.page.locator("#more a").click()
    expect(me.page.locator("h1")).to_contain_text("心慌")
    me.page.wait_for_timeout(DOUBLE_TAP)
    form.answers_the_rest().sends()
    sent, answers, _alerts = stored(live_site, number)
    assert sent.submitted_at is not None
    assert [answers[name].channel for name in ("bleed", "breath", "chest", "palp")] == ["web", "chat", "chat", "web"]
    assert answers["chest"].value == 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_an_emergency_takes_the_whole_screen(
    live_site: Site, study: Study, new_chat_participant: Callable[..., JourneyChatParticipant], script: bool
) -> None:
    me = new_chat_participant(java_script_enabled=script)
    number = number_on(me)
    me.starts().taps_on(4)
    expect(me.page.locator(".sos h1")).to_contain_text("马上打120")
    expect(me.page.locator("#log")).to_have_count(0)
    live_site.mailbox.wait(lambda mail: number in str(mail["Subject"]))
    me.page.reload()
    expect(me.page.locator(".sos h1")).to_be_visible()
    me.page.locator("button[value=wrong]").click()
    expect(me.page.locator("#now")).to_contain_text("有没有出血")
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.taps_on(0)
    _form, answers, alerts = stored(live_site, number)
    assert answers["bleed"].value == 0
    assert any(alert.level == 3 for alert in alerts)


def test_the_focus_stays_where_the_person_is(
    study: Study, new_chat_participant: Callable[..., JourneyChatParticipant]
) -> None:
    me = new_chat_participant().starts()
    me.says("没有")
    expect(me.page.locator("#t")).to_be_focused()
    expect(me.page.locator("#t")).to_have_value("")
    me.taps_on(0)
    expect(me.page.locator("#quick")).to_be_focused()
    expect(me.page.locator("#quick")).to_have_attribute("aria-label", "有没有胸痛、胸闷或胸口发紧？")
    expect(me.page.locator("#now")).to_be_in_viewport()


def test_two_taps_in_a_row_are_one_answer(
    live_site: Site, study: Study, new_chat_participant: Callable[..., JourneyChatParticipant]
) -> None:
    me = new_chat_participant()
    number = number_on(me)
    me.starts()
    me.page.locator(".chip[value='0']").dblclick()
    expect(me.page.locator("#now")).to_contain_text("呼吸")
    _form, answers, _alerts = stored(live_site, number)
    assert set(answers) == {"bleed"}


def test_a_line_that_breaks_keeps_what_was_typed(
    study: Study, new_chat_participant: Callable[..., JourneyChatParticipant]
) -> None:
    me = new_chat_participant().starts()
    me.page.context.set_offline(True)
    me.page.fill("#t", "没有")
    me.page.keyboard.press("Enter")
    expect(me.page.locator("#said")).to_contain_text("120")
    expect(me.page.locator("#t")).to_have_value("没有")
    me.page.context.set_offline(False)
    me.page.keyboard.press("Enter")
    expect(me.page.locator("#now")).to_contain_text("呼吸")
    expect(me.page.locator("#said")).to_have_count(0)
