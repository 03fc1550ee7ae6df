"""Test a save without network, and taps right after a page change, in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.people import DOUBLE_TAP, JourneyChatParticipant, JourneyParticipant
from tests.support.factories import Study

pytestmark = pytest.mark.journey


def places(page: Page, what: str) -> list[float]:
    """Return how far down each element of ``what`` stands."""
    boxes = [one.bounding_box() for one in page.locator(what).all()]
    return [box["y"] for box in boxes if box is not None]


def test_a_failed_save_says_so_and_moves_nothing(
    study: Study, new_participant: Callable[..., JourneyParticipant]
) -> None:
    me = new_participant().opens_the_link().starts().chooses(0)
    expect(me.page.locator(".prog [role=status]")).to_contain_text("已经存好")
    before = places(me.page, "button.opt")
    me.page.context.set_offline(True)
    me.page.locator("button.opt[value='1']").click()
    warning = me.page.locator("#said")
    expect(warning).to_contain_text("没有网络")
    expect(warning.locator("a[href='tel:120']")).to_be_visible()
    # "Saved" was about the answer before; beside the warning it would be read as being about this one.
    expect(me.page.locator(".prog [role=status]")).to_have_count(0)
    assert places(me.page, "button.opt") == before
    me.page.context.set_offline(False)
    me.chooses(1)
    assert me.question == "有没有胸痛、胸闷或胸口发紧？"


def test_a_failed_reply_in_the_chat_says_so_and_moves_nothing(
    study: Study, new_participant: Callable[..., JourneyParticipant]
) -> None:
    person = new_participant("en")
    me = JourneyChatParticipant(person.page, person.link).opens_the_chat().starts()
    before = places(me.page, ".chip")
    me.page.context.set_offline(True)
    me.page.locator(".chip[value='1']").click()
    expect(me.page.locator("#said")).to_contain_text("No network")
    expect(me.page.locator("#said a[href='tel:120']")).to_be_visible()
    assert places(me.page, ".chip") == before


@pytest.mark.parametrize("pause", [0, 300])
def test_a_second_tap_within_700_ms_does_nothing(
    study: Study, new_participant: Callable[..., JourneyParticipant], pause: int
) -> None:
    me = new_participant().opens_the_link().starts()
    me.page.locator("button.opt[value='0']").click()
    expect(me.page.locator("h1")).to_have_text("您的呼吸怎么样？")
    me.page.wait_for_timeout(pause)
    me.page.locator("button.opt[value='0']").click()
    me.page.wait_for_timeout(DOUBLE_TAP)
    assert me.question == "您的呼吸怎么样？"
    me.chooses(0)
    assert me.question == "有没有胸痛、胸闷或胸口发紧？"


def test_a_tap_on_a_page_that_was_just_loaded_does_nothing(
    study: Study, new_participant: Callable[..., JourneyParticipant]
) -> None:
    me = new_participant().opens_the_link()
    me.page.locator("button[name=by][value=self]").click()
    expect(me.page.locator("button.opt[value='4']")).to_be_visible()
    me.page.locator("button.opt[value='4']").click()
    me.page.wait_for_timeout(DOUBLE_TAP)
    assert me.question == "您的鼻子、嘴或喉咙有没有出血？"
    # The emergency call is a link and works at once.
    expect(me.page.locator("footer a[href='tel:120']")).to_be_visible()
