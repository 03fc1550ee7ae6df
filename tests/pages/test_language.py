"""A language that was chosen belongs to one form, or to the staff's pages: the next person may speak another."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from tests.support.factories import Study
from tests.support.participant_browser import ParticipantBrowser, stored_answers
from tests.support.staff_browser import StaffBrowser


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """A phone that was set up in Chinese."""
    return ParticipantBrowser(app)


def language(page: str) -> str:
    """What the page says that it is written in."""
    found = re.search(r'<html lang="([^"]+)"', page)
    assert found is not None, page
    return found[1]


CHINESE, ENGLISH = "zh-Hans-CN", "en"


def test_a_language_chosen_on_one_form_does_not_follow_to_another(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.start(seeded.chinese.checkin)
    assert language(phone.page) == CHINESE
    phone.open(f"{phone.at}?lang=en")
    phone.tap(0)
    assert language(phone.page) == ENGLISH
    phone.start(seeded.chinese.qlq)
    assert language(phone.page) == CHINESE
    phone.open(f"/f/{seeded.chinese.checkin.ref}")
    assert language(phone.page) == ENGLISH


def test_a_language_chosen_before_start_goes_on_after_it_and_no_further(
    phone: ParticipantBrowser, seeded: Study
) -> None:
    phone.open(f"{seeded.english.checkin.path}?lang=zh_Hans")
    assert phone.press(by="self").status_code == 303
    assert (language(phone.page), phone.shown) == (CHINESE, "bleed")
    phone.open(seeded.english.qlq.path)
    assert language(phone.page) == ENGLISH


def test_staff_pages_keep_a_choice_of_their_own(app: Flask, phone: ParticipantBrowser, seeded: Study) -> None:
    desk = StaffBrowser(app)
    desk.client = phone.client
    chinese = {"Accept-Language": "zh-CN"}
    phone.start(seeded.chinese.checkin)
    phone.open(f"{phone.at}?lang=en")
    desk.open("/staff/sign-in", **chinese)
    assert language(desk.page) == CHINESE
    desk.open("/staff/sign-in?lang=en", **chinese)
    desk.open("/staff/sign-in", **chinese)
    assert language(desk.page) == ENGLISH
    phone.start(seeded.chinese.qlq)
    assert language(phone.page) == CHINESE


def test_a_choice_is_forgotten_with_the_browser_but_not_by_staff(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.start(seeded.chinese.checkin)
    kept = {}
    for path in (f"{phone.at}?lang=en", f"{seeded.chinese.qlq.path}?lang=en", "/?lang=en", "/staff/sign-in?lang=en"):
        answer = phone.client.get(path)
        [cookie] = [cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith("lang=")]
        parts = dict(part.partition("=")[::2] for part in cookie.split("; "))
        kept[parts["Path"]] = "Max-Age" in parts
    assert kept == {
        f"/f/{seeded.chinese.checkin.ref}": False,
        seeded.chinese.qlq.path: False,
        "/": False,
        "/staff": True,
    }


def test_a_code_on_a_second_device_shows_the_start_page_first(
    app: Flask, phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    """The first device has begun; who answers on this one, and in which language, is said here."""
    way = seeded.chinese.checkin
    phone.start(way)
    phone.tap(1)
    second = ParticipantBrowser(app)
    second.open("/?lang=zh_Hans")
    assert second.press(code=way.code, do="next").status_code == 303
    assert (second.at, second.shown) == (f"/f/{way.ref}", "")
    assert "NPC-001" in second.page
    second.open(f"/f/{way.ref}/1")
    assert second.shown == ""
    second.post(f"/f/{way.ref}/1", page="bleed", value="4")
    second.post(f"/f/{way.ref}/1", do="send")
    assert stored_answers(app_context, way) == {"bleed": 1}
    second.open(f"/f/{way.ref}")
    second.press(by="helped")
    assert second.shown == "bleed_now"
