"""Test the participant's form pages without JavaScript, and the responses to ``form.js``."""

from __future__ import annotations

import re
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app
from pro.app_context import AppContext
from pro.db import transaction
from pro.models import AccessAttempt, Assessment, CallTask
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, all_rows, answer_until_list, stored_answers


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """Return a phone."""
    return ParticipantBrowser(app)


@pytest.fixture
def begun(phone: ParticipantBrowser, seeded: Study) -> ParticipantBrowser:
    """Return a phone on the first question of the Chinese check-in."""
    phone.start(seeded.chinese.checkin)
    return phone


# --- access ----------------------------------------------------------------------------------------------------------


def test_a_preview_of_the_link_changes_nothing(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    before = all_rows(app_context)
    for _ in range(3):
        assert phone.open(seeded.chinese.checkin.path).status_code == 200
        assert phone.client.head(seeded.chinese.checkin.path).status_code == 200
    assert all_rows(app_context) == before
    assert "NPC-001" in phone.page
    assert "大约20个问题，4分钟左右" in phone.page


def test_start_opens_the_form_and_remembers_this_browser(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    way = seeded.chinese.checkin
    phone.open(way.path)
    answer = phone.press(by="helped")
    assert answer.headers["Location"] == f"/f/{way.ref}/1"
    [cookie] = [cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith(f"f_{way.ref}=")]
    assert {"HttpOnly", f"Path=/f/{way.ref}", "SameSite=Lax"} <= set(cookie.split("; "))
    assert phone.shown == "bleed"
    with transaction(app_context.engine) as session:
        assessment = session.get_one(Assessment, way.assessment_id)
        assert (assessment.answered_by, assessment.identified_by, assessment.device) == ("helped", "link", "computer")
        assert assessment.opened_at is not None


def test_the_cookie_is_for_tls_only_where_the_site_is(app_context: AppContext, seeded: Study) -> None:
    site = create_app(replace(app_context.config, base_url="https://epro.example.org"), app_context.clock)
    phone = ParticipantBrowser(site)
    phone.client.get("/", base_url="https://localhost")
    answer = phone.client.get(seeded.chinese.checkin.path, base_url="https://localhost")
    token = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert token
    answer = phone.client.post(
        seeded.chinese.checkin.path, data={"csrf_token": token[1], "by": "self"}, base_url="https://localhost"
    )
    cookies = answer.headers.getlist("Set-Cookie")
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
    site.extensions["app_context"].engine.dispose()


@pytest.mark.parametrize("typed", ["{}", "  {} ", "lower", "wide", "no dash"])
def test_a_code_is_taken_however_it_is_written(phone: ParticipantBrowser, seeded: Study, typed: str) -> None:
    way = seeded.chinese.checkin
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in way.code)
    forms = {"lower": way.code.lower(), "wide": wide, "no dash": way.code.replace("-", "")}
    phone.open("/")
    assert phone.press(code=forms.get(typed, typed.format(way.code)), do="next").headers["Location"] == f"/f/{way.ref}"
    assert phone.at == f"/f/{way.ref}"
    assert "NPC-001" in phone.page
    phone.press(by="self")
    assert phone.shown == "bleed"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "请先输入填写码。"),
        ("ABCD-345", "还少1位。"),
        ("ABCD-34567", "多了1位。"),
        ("ABCD-0000", "没有0、1、2"),
        ("ABCD-3456", "请看着卡片，一位一位再对一遍。"),
    ],
)
def test_a_wrong_code_stays_in_the_field_with_what_to_do(
    phone: ParticipantBrowser, seeded: Study, typed: str, sentence: str
) -> None:
    phone.open("/?lang=zh_Hans")
    assert phone.press(code=typed, do="next").status_code == 422
    assert sentence in phone.page
    assert f'value="{typed}"' in phone.page
    assert 'role="alert"' in phone.page


def test_many_wrong_codes_do_not_lock_the_wifi_of_the_ward(app: Flask, seeded: Study) -> None:
    """All phones of a ward share one address; one of them types wrong codes again and again."""
    guesser = ParticipantBrowser(app)
    guesser.open("/?lang=zh_Hans")
    times = []
    for _ in range(13):
        begun = perf_counter()
        assert guesser.press(code="ABCD-3456", do="next").status_code == 422
        times.append(perf_counter() - begun)
    # The first answer gives the cookie; the browser is counted from then on.
    assert min(times[-2:]) > 0.2
    assert "请给我们打电话" in guesser.page
    other = ParticipantBrowser(app)
    other.open("/?lang=zh_Hans")
    begun = perf_counter()
    assert other.press(code="ABCD-3456", do="next").status_code == 422
    assert perf_counter() - begun < 0.2
    assert other.press(code=seeded.chinese.checkin.code, do="next").status_code == 303
    # Even the browser that guessed gets in with the right code.
    assert guesser.press(code=seeded.chinese.checkin.code, do="next").status_code == 303


def test_a_made_up_cookie_is_not_a_browser_of_its_own(app: Flask, seeded: Study, app_context: AppContext) -> None:
    for number in range(12):
        guesser = ParticipantBrowser(app)
        guesser.client.set_cookie("b", f"browser made up {number}")
        guesser.open("/?lang=zh_Hans")
        guesser.press(code="ABCD-3456", do="next")
    with transaction(app_context.engine) as session:
        assert len(set(session.scalars(select(AccessAttempt.key)))) == 1


def test_switching_language_keeps_a_half_typed_code(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.open("/?lang=zh_Hans")
    answer = phone.post("/?lang=en", code="ABC", do="language")
    assert answer.status_code == 200
    assert 'value="ABC"' in phone.page
    assert "Enter your code" in phone.page


def test_an_expired_code_is_told_kindly(phone: ParticipantBrowser, seeded: Study, clock: Clock) -> None:
    clock.move(days=60)
    phone.open("/?lang=zh_Hans")
    assert phone.press(code=seeded.chinese.checkin.code, do="next").status_code == 422
    assert "这个填写码过期了" in phone.page


# --- answering ---------------------------------------------------------------------------------------------------


def test_an_answer_is_stored_and_the_next_question_says_so(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    assert "上一题已经存好" not in begun.page
    begun.tap(0)
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 0}
    assert begun.shown == "breath"
    assert "上一题已经存好" in begun.page


def test_no_page_changes_anything_by_being_looked_at(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    ref = seeded.chinese.checkin.ref
    begun.tap(0, 0)
    before = all_rows(app_context)
    for path in [
        f"/f/{ref}",
        *(f"/f/{ref}/{n}" for n in range(25)),
        f"/f/{ref}/999",
        f"/f/{ref}/2?from=review&lang=en",
    ]:
        assert begun.open(path).status_code == 200
    assert all_rows(app_context) == before


@pytest.mark.parametrize("position", [0, 99])
def test_a_place_that_is_not_there_leads_to_the_next_question(
    begun: ParticipantBrowser, seeded: Study, position: int
) -> None:
    begun.tap(0, 0)
    begun.open(f"/f/{seeded.chinese.checkin.ref}/{position}")
    assert begun.at == f"/f/{seeded.chinese.checkin.ref}/3"


def test_skip_back_and_keep(begun: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    begun.tap(0)
    begun.press(do="skip")
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 0, "breath": None}
    begun.press(do="back")
    assert "上次您跳过了这一题。" in begun.page
    begun.press(do="back")
    assert begun.shown == "bleed"
    assert re.search(r'class="opt on"[^>]*value="0"', begun.page)
    assert "上次选的" in begun.page
    assert "‹ 上一题" not in begun.page
    before = all_rows(app_context)
    begun.press(do="next")
    assert begun.shown == "breath"
    assert all_rows(app_context) == before


def test_an_option_is_never_marked_before_it_was_chosen(begun: ParticipantBrowser, seeded: Study) -> None:
    answer_until_list(begun)
    begun.open(f"/f/{seeded.chinese.checkin.ref}/1")
    assert begun.page.count("aria-pressed") == 1
    begun.open(f"/f/{seeded.chinese.checkin.ref}")
    assert " checked" not in begun.page


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"value": "7"}, "bleed"),
        ({"value": "-1"}, "bleed"),
        ({"value": "x" * 5000}, "bleed"),
        ({"value": "0\x00"}, "bleed"),
        ({}, "bleed"),
        ({"do": "next"}, "bleed"),
        ({"do": "nonsense"}, "bleed"),
        ({"value": "0", "page": "nonsense"}, "bleed"),
        ({"value": "0", "page": "<script>"}, "bleed"),
    ],
)
def test_what_was_never_offered_is_not_taken_and_the_question_is_shown_again(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, data: dict[str, Any], shown: str
) -> None:
    before = all_rows(app_context)
    answer = begun.post(f"/f/{seeded.chinese.checkin.ref}/1", **{"page": "bleed", **data})
    assert answer.status_code == 400
    assert "刚才点的没有算进去" in begun.page
    assert begun.shown == shown
    assert all_rows(app_context) == before


def test_a_page_that_is_no_longer_asked_is_not_stored_and_says_so(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0)
    answer = begun.post(f"/f/{seeded.chinese.checkin.ref}/2", page="bleed_now", value="1")
    assert answer.status_code == 400
    assert "没有" in answer.text
    assert "您的呼吸怎么样" in answer.text.replace("<wbr>", "")
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 0}


def test_the_same_answer_twice_is_one_answer(begun: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    path = f"/f/{seeded.chinese.checkin.ref}/1"
    begun.post(path, page="bleed", value="0")
    before = all_rows(app_context)
    assert begun.post(path, page="bleed", value="0").headers["Location"].endswith("/2")
    assert all_rows(app_context) == before


def test_another_device_goes_on_where_the_answers_end(
    begun: ParticipantBrowser, seeded: Study, app: Flask, app_context: AppContext
) -> None:
    begun.tap(0, 1)
    other = ParticipantBrowser(app)
    other.open(seeded.chinese.checkin.path)
    assert "您答过的都还在" in other.page
    other.press(by="self")
    assert (other.shown, other.at) == ("chest", f"/f/{seeded.chinese.checkin.ref}/3")
    other.tap(0)
    begun.open(f"/f/{seeded.chinese.checkin.ref}")
    assert begun.shown == "palp"


def test_the_title_and_the_address_tell_no_answer(begun: ParticipantBrowser, seeded: Study) -> None:
    begun.tap(2)
    assert begun.shown == "bleed_now"
    title = re.search(r"<title>(.*?)</title>", begun.page)
    assert title
    assert title[1] == "第2题 · 身体情况问卷"
    assert "bleed" not in begun.at


# --- list page and fields ----------------------------------------------------------------------------------------


def test_a_list_that_contradicts_itself_is_asked_again_with_its_ticks(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    before = all_rows(app_context)
    assert begun.press(do="some").status_code == 422
    assert "还没有选" in begun.page
    assert begun.press(do="none", has=["nausea", "itch"]).status_code == 422
    assert "您选了几项，又点了“这些都没有”。" in begun.page
    assert re.findall(r'value="(\w+)" checked', begun.page) == ["nausea", "itch"]
    assert begun.press(do="some", has=["nausea", "bleed"]).status_code == 400
    assert all_rows(app_context) == before


def test_none_is_an_explicit_zero_for_everything_shown(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    found = stored_answers(app_context, seeded.chinese.checkin)
    assert found["other7"] == []
    assert found["weak"] == found["nausea"] == 0
    assert begun.shown == "last"


def test_what_is_ticked_is_asked_in_full(begun: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    answer_until_list(begun)
    begun.press(do="some", has=["nausea"])
    assert begun.shown == "nausea"
    begun.tap(2)
    found = stored_answers(app_context, seeded.chinese.checkin)
    assert (found["other7"], found["nausea"], found["itch"]) == (["nausea"], 2, 0)


def test_switching_language_keeps_ticks_and_texts(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    before = all_rows(app_context)
    here = re.search(r'formaction="([^"]+)"', begun.page)
    assert here
    assert begun.post(here[1], page="other7", has="itch", do="language").status_code == 200
    assert "Which of these" in begun.page
    assert re.findall(r'value="(\w+)" checked', begun.page) == ["itch"]
    assert all_rows(app_context) == before
    begun.press(do="none")
    here = re.search(r'formaction="([^"]+)"', begun.page)
    assert here
    begun.post(here[1], page="last", weight="6x", free_text="你好", do="language")
    assert 'value="6x"' in begun.page
    assert "你好</textarea>" in begun.page
    assert 'role="alert"' not in begun.page


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [
        ("6o", "请填数字，比如62.5。"),
        ("5", "应该在25.0到250.0之间"),
        ("1000", "应该在25.0到250.0之间"),
        ("62\x00", "有个字存不了，请换个写法"),
    ],
)
def test_a_field_says_what_is_wrong_and_keeps_what_was_typed(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, weight: str, sentence: str
) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    before = all_rows(app_context)
    assert begun.press(weight=weight, free_text="", do="next").status_code == 422
    assert sentence in begun.page
    assert 'href="#f-weight"' in begun.page
    assert f'value="{weight}"' in begun.page
    assert all_rows(app_context) == before


def test_a_wrong_weight_does_not_keep_the_text_beside_it_from_being_saved(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    assert begun.press(weight="6o", free_text="鼻子里掉出黑块", do="next").status_code == 422
    assert "您写的都还在，只有上面说的那一处还没存上" in begun.page
    assert "鼻子里掉出黑块</textarea>" in begun.page
    found = stored_answers(app_context, seeded.chinese.checkin)
    assert found["free_text"] == "鼻子里掉出黑块"
    assert "weight" not in found


def test_fields_take_wide_digits_and_may_stay_empty(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    begun.press(weight="６２。５公斤", free_text="", do="next")
    found = stored_answers(app_context, seeded.chinese.checkin)
    assert (found["weight"], found["free_text"]) == ("62.5", None)
    assert "62.5 公斤" in begun.page
    assert "没有填" in begun.page
    assert "没有回答" not in begun.page


def test_what_was_typed_is_not_markup(begun: ParticipantBrowser, seeded: Study) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    begun.press(weight="", free_text="<script>alert(1)</script>", do="next")
    answer = begun.client.get(begun.at)
    assert b"<script>alert" not in answer.data
    assert b"&lt;script&gt;alert" in answer.data


# --- language ----------------------------------------------------------------------------------------------------


def test_the_page_speaks_the_persons_language_until_the_switch_is_used(
    phone: ParticipantBrowser, seeded: Study
) -> None:
    phone.client.get("/", headers={"Accept-Language": "zh-CN"})
    phone.start(seeded.english.checkin)
    assert '<html lang="en">' in phone.page
    phone.open(f"{phone.at}?lang=zh_Hans")
    assert '<html lang="zh-Hans-CN">' in phone.page
    assert "您的鼻子、嘴或喉咙" in phone.page
    phone.tap(0)
    assert "您的呼吸怎么样" in phone.page


def test_a_language_switch_in_the_middle_loses_nothing(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0, 1)
    link = re.search(r'class="lang" href="([^"]+)"', begun.page)
    assert link
    begun.open(link[1])
    assert begun.shown == "chest"
    assert "How bad was any chest pain" in begun.page
    begun.tap(0)
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 0, "breath": 1, "chest": 0}


def test_a_death_in_the_text_field_makes_one_call_task(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    assert begun.press(weight="", free_text="我爸爸昨天晚上去世了", do="next").status_code == 303
    assert begun.press(do="send").status_code == 303
    with transaction(app_context.engine) as session:
        tasks = [(task.kind, task.participant_id) for task in session.scalars(select(CallTask))]
    assert tasks == [("death_reported", seeded.chinese.id)]
