"""Test a card in a browser: made by staff, scanned on the phone, locked, replaced."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.journeys.conftest import NewParticipant
from tests.journeys.people import DOUBLE_TAP, JourneyStaff
from tests.support import factories
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
WRONG = "1357"


def makes_a_card(at_desk: JourneyStaff, participant_id: int) -> str:
    """Make a card; return what a phone reads from its QR code."""
    at_desk.opens(f"{at_desk.site.url}/staff/participants/{participant_id}/card")
    at_desk.page.click("button[value=make]")
    expect(at_desk.page.locator("img.sheet")).to_be_visible()
    with at_desk.page.expect_download() as download:
        at_desk.page.click("a[download$='.pdf']")
    assert download.value.suggested_filename.endswith(".pdf")
    found = re.search(r"base64,(.+)", at_desk.page.locator("img.sheet").get_attribute("src") or "")
    assert found is not None
    codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(base64.b64decode(found[1]))))
    return str(codes[0].text)


def types(page: Page, pin: str) -> None:
    """Type a PIN and go on."""
    page.fill("#pin", pin)
    page.wait_for_timeout(DOUBLE_TAP)
    page.locator("main button.btn").click()
    page.wait_for_load_state()


def test_a_card_from_the_desk_to_the_answer(
    live_site: Site, nurse: Callable[..., JourneyStaff], phone: Callable[..., Page], new_participant: NewParticipant
) -> None:
    me = new_participant()
    with live_site.app_context.engine.connect() as connection:
        [[participant_id]] = connection.exec_driver_sql("SELECT max(id) FROM participant").all()
    at_desk = nurse("coordinator", viewport={"width": 1280, "height": 900})
    link = makes_a_card(at_desk, participant_id)
    assert link.startswith(f"{live_site.url}/c/")

    me.page.goto(link)
    expect(me.page.locator("h1")).to_have_text("请输入您的密码")
    types(me.page, factories.PIN)
    if me.page.url.endswith("/due"):
        me.page.wait_for_timeout(DOUBLE_TAP)
        me.page.locator("button[value=npc_checkin]").click()
    me.page.wait_for_url("**/f/**")
    me.page.wait_for_timeout(DOUBLE_TAP)
    me.starts().answers_the_rest().sends()
    assert me.question == "已收到，谢谢您"

    # A person who found the card guesses the PIN.
    finder = phone()
    finder.goto(link)
    for _turn in range(5):
        types(finder, WRONG)
    expect(finder.locator("h1")).to_have_text("这张卡锁住了")
    at_desk.opens(f"{live_site.url}/staff/participants/{participant_id}/records")
    expect(at_desk.page.locator("#card")).to_contain_text("Locked after five wrong PINs")

    newer = makes_a_card(at_desk, participant_id)
    me.page.goto(link)
    expect(me.page.locator("h1")).to_have_text("这张卡停用了")
    me.page.goto(newer)
    types(me.page, factories.PIN)
    expect(me.page.locator("main")).not_to_contain_text("密码")
