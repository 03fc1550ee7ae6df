"""The participant's pages, as a phone without script sees them, and what ``form.js`` is answered."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from pro.db import transaction
from pro.models import Alert, Assessment, Participant
from pro.services import circumstances, enrolment
from pro.web.questionnaire import device_class
from pro.work import House
from tests.make import Clock, Study
from tests.web.phone import Phone, everything, standing, to_the_list

FETCH = {"X-Fetch": "1"}
FIRST_PAGE_BYTES = 14_000


@pytest.fixture
def phone(app: Flask) -> Phone:
    """A phone."""
    return Phone(app)


@pytest.fixture
def begun(phone: Phone, seeded: Study) -> Phone:
    """A phone on the first question of the Chinese check-in."""
    phone.start(seeded.chinese.checkin)
    return phone


# --- ways in -----------------------------------------------------------------------------------------------------


def test_a_preview_of_the_link_changes_nothing(phone: Phone, seeded: Study, house: House) -> None:
    before = everything(house)
    for _ in range(3):
        assert phone.open(seeded.chinese.checkin.path).status_code == 200
        assert phone.client.head(seeded.chinese.checkin.path).status_code == 200
    assert everything(house) == before
    assert "NPC-001" in phone.page
    assert "大约20题，4分钟左右" in phone.page


def test_start_opens_the_form_and_remembers_this_browser(phone: Phone, seeded: Study, house: House) -> None:
    way = seeded.chinese.checkin
    phone.open(way.path)
    answer = phone.press(by="helped")
    assert answer.headers["Location"] == f"/f/{way.ref}/1"
    [cookie] = [cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith(f"f_{way.ref}=")]
    assert {"HttpOnly", f"Path=/f/{way.ref}", "SameSite=Lax"} <= set(cookie.split("; "))
    assert phone.shown == "bleed"
    with transaction(house.engine) as session:
        assessment = session.get_one(Assessment, way.assessment_id)
        assert (assessment.answered_by, assessment.identified_by, assessment.device) == ("helped", "link", "computer")
        assert assessment.opened_at is not None


def test_the_cookie_is_for_tls_only_where_the_site_is(house: House, seeded: Study) -> None:
    site = create_app(replace(house.config, base_url="https://epro.example.org"), house.clock)
    phone = Phone(site)
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
    site.extensions["pro"].engine.dispose()


@pytest.mark.parametrize("typed", ["{}", "  {} ", "lower", "wide", "no dash"])
def test_a_code_is_taken_however_it_is_written(phone: Phone, seeded: Study, typed: str) -> None:
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
        ("", "请先打上代码。"),
        ("ABCD-345", "少了1位。"),
        ("ABCD-34567", "多了1位。"),
        ("ABCD-0000", "没有0、1、2"),
        ("ABCD-3456", "请对照卡片，一位一位再看一遍。"),
    ],
)
def test_a_wrong_code_stays_in_the_field_with_what_to_do(
    phone: Phone, seeded: Study, typed: str, sentence: str
) -> None:
    phone.open("/?lang=zh_Hans")
    assert phone.press(code=typed, do="next").status_code == 422
    assert sentence in phone.page
    assert f'value="{typed}"' in phone.page
    assert 'role="alert"' in phone.page


def test_too_many_wrong_codes_pause_and_even_the_right_one_waits(phone: Phone, seeded: Study, clock: Clock) -> None:
    phone.open("/?lang=zh_Hans")
    statuses = [phone.press(code="ABCD-3456", do="next").status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    assert phone.press(code=seeded.chinese.checkin.code, do="next").status_code == 429
    assert "再试，或者打电话给我们" in phone.page
    clock.move(minutes=16)
    assert phone.press(code=seeded.chinese.checkin.code, do="next").status_code == 303


def test_switching_language_keeps_a_half_typed_code(phone: Phone, seeded: Study) -> None:
    phone.open("/?lang=zh_Hans")
    answer = phone.post("/?lang=en", code="ABC", do="language")
    assert answer.status_code == 200
    assert 'value="ABC"' in phone.page
    assert "Enter your code" in phone.page


def test_an_expired_code_is_told_kindly(phone: Phone, seeded: Study, clock: Clock) -> None:
    clock.move(days=60)
    phone.open("/?lang=zh_Hans")
    assert phone.press(code=seeded.chinese.checkin.code, do="next").status_code == 422
    assert "这个代码已经过期了" in phone.page


# --- answering ---------------------------------------------------------------------------------------------------


def test_an_answer_is_stored_and_the_next_question_says_so(begun: Phone, seeded: Study, house: House) -> None:
    assert "上一题已保存" not in begun.page
    begun.tap(0)
    assert standing(house, seeded.chinese.checkin) == {"bleed": 0}
    assert begun.shown == "breath"
    assert "上一题已保存" in begun.page


def test_no_page_changes_anything_by_being_looked_at(begun: Phone, seeded: Study, house: House) -> None:
    ref = seeded.chinese.checkin.ref
    begun.tap(0, 0)
    before = everything(house)
    for path in [
        f"/f/{ref}",
        *(f"/f/{ref}/{n}" for n in range(25)),
        f"/f/{ref}/999",
        f"/f/{ref}/2?from=review&lang=en",
    ]:
        assert begun.open(path).status_code == 200
    assert everything(house) == before


@pytest.mark.parametrize("position", [0, 99])
def test_a_place_that_is_not_there_leads_to_the_next_question(begun: Phone, seeded: Study, position: int) -> None:
    begun.tap(0, 0)
    begun.open(f"/f/{seeded.chinese.checkin.ref}/{position}")
    assert begun.at == f"/f/{seeded.chinese.checkin.ref}/3"


def test_skip_back_and_keep(begun: Phone, seeded: Study, house: House) -> None:
    begun.tap(0)
    begun.press(do="skip")
    assert standing(house, seeded.chinese.checkin) == {"bleed": 0, "breath": None}
    begun.press(do="back")
    assert "上次您跳过了这一题。" in begun.page
    begun.press(do="back")
    assert begun.shown == "bleed"
    assert re.search(r'class="opt on"[^>]*value="0"', begun.page)
    assert "上次选的" in begun.page
    assert "‹ 上一题" not in begun.page
    before = everything(house)
    begun.press(do="next")
    assert begun.shown == "breath"
    assert everything(house) == before


def test_an_option_is_never_marked_before_it_was_chosen(begun: Phone, seeded: Study) -> None:
    to_the_list(begun)
    begun.open(f"/f/{seeded.chinese.checkin.ref}/1")
    assert begun.page.count("aria-pressed") == 1
    begun.open(f"/f/{seeded.chinese.checkin.ref}")
    assert " checked" not in begun.page


@pytest.mark.parametrize(
    ("data", "page"),
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
    begun: Phone, seeded: Study, house: House, data: dict[str, str], page: str
) -> None:
    before = everything(house)
    answer = begun.post(f"/f/{seeded.chinese.checkin.ref}/1", **{"page": "bleed", **data})
    assert answer.status_code == 400
    assert "刚才点的没有算数" in begun.page
    assert begun.shown == page
    assert everything(house) == before


def test_a_page_that_is_no_longer_asked_leads_on_without_being_stored(
    begun: Phone, seeded: Study, house: House
) -> None:
    begun.tap(0)
    answer = begun.post(f"/f/{seeded.chinese.checkin.ref}/2", page="bleed_now", value="1")
    assert answer.headers["Location"] == f"/f/{seeded.chinese.checkin.ref}/2"
    assert standing(house, seeded.chinese.checkin) == {"bleed": 0}


def test_the_same_answer_twice_is_one_answer(begun: Phone, seeded: Study, house: House) -> None:
    path = f"/f/{seeded.chinese.checkin.ref}/1"
    begun.post(path, page="bleed", value="0")
    before = everything(house)
    assert begun.post(path, page="bleed", value="0").headers["Location"].endswith("/2")
    assert everything(house) == before


def test_another_device_goes_on_where_the_answers_end(begun: Phone, seeded: Study, app: Flask, house: House) -> None:
    begun.tap(0, 1)
    other = Phone(app)
    other.open(seeded.chinese.checkin.path)
    assert "您答过的题都还在" in other.page
    other.press(by="self")
    assert (other.shown, other.at) == ("chest", f"/f/{seeded.chinese.checkin.ref}/3")
    other.tap(0)
    begun.open(f"/f/{seeded.chinese.checkin.ref}")
    assert begun.shown == "palp"


def test_the_title_and_the_address_tell_no_answer(begun: Phone, seeded: Study) -> None:
    begun.tap(2)
    assert begun.shown == "bleed_now"
    title = re.search(r"<title>(.*?)</title>", begun.page)
    assert title
    assert title[1] == "第2题 · 身体情况记录"
    assert "bleed" not in begun.at


# --- list page and fields ----------------------------------------------------------------------------------------


def test_a_list_that_contradicts_itself_is_asked_again_with_its_ticks(
    begun: Phone, seeded: Study, house: House
) -> None:
    to_the_list(begun)
    before = everything(house)
    assert begun.press(do="some").status_code == 422
    assert "还没有点" in begun.page
    assert begun.press(do="none", has=["nausea", "itch"]).status_code == 422
    assert "您点了几项，又点了“这些都没有”。" in begun.page
    assert re.findall(r'value="(\w+)" checked', begun.page) == ["nausea", "itch"]
    assert begun.press(do="some", has=["nausea", "bleed"]).status_code == 400
    assert everything(house) == before


def test_none_is_an_explicit_zero_for_everything_shown(begun: Phone, seeded: Study, house: House) -> None:
    to_the_list(begun)
    begun.press(do="none")
    found = standing(house, seeded.chinese.checkin)
    assert found["other7"] == []
    assert found["weak"] == found["nausea"] == 0
    assert begun.shown == "last"


def test_what_is_ticked_is_asked_in_full(begun: Phone, seeded: Study, house: House) -> None:
    to_the_list(begun)
    begun.press(do="some", has=["nausea"])
    assert begun.shown == "nausea"
    begun.tap(2)
    found = standing(house, seeded.chinese.checkin)
    assert (found["other7"], found["nausea"], found["itch"]) == (["nausea"], 2, 0)


def test_switching_language_keeps_ticks_and_texts(begun: Phone, seeded: Study, house: House) -> None:
    to_the_list(begun)
    before = everything(house)
    here = re.search(r'formaction="([^"]+)"', begun.page)
    assert here
    assert begun.post(here[1], page="other7", has="itch", do="language").status_code == 200
    assert "Which of these" in begun.page
    assert re.findall(r'value="(\w+)" checked', begun.page) == ["itch"]
    assert everything(house) == before
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
        ("6o", "请写数字，比如62.5。"),
        ("5", "应该在25.0到250.0之间"),
        ("1000", "应该在25.0到250.0之间"),
        ("62\x00", "有的字我们存不了"),
    ],
)
def test_a_field_says_what_is_wrong_and_keeps_what_was_typed(
    begun: Phone, seeded: Study, house: House, weight: str, sentence: str
) -> None:
    to_the_list(begun)
    begun.press(do="none")
    before = everything(house)
    assert begun.press(weight=weight, free_text="鼻子干", do="next").status_code == 422
    assert sentence in begun.page
    assert 'href="#f-weight"' in begun.page
    assert "鼻子干</textarea>" in begun.page
    assert f'value="{weight}"' in begun.page
    assert everything(house) == before


def test_fields_take_wide_digits_and_may_stay_empty(begun: Phone, seeded: Study, house: House) -> None:
    to_the_list(begun)
    begun.press(do="none")
    begun.press(weight="６２。５公斤", free_text="", do="next")
    found = standing(house, seeded.chinese.checkin)
    assert (found["weight"], found["free_text"]) == ("62.5", None)
    assert "62.5 公斤" in begun.page
    assert "没有填" in begun.page
    assert "没有回答" not in begun.page


def test_what_was_typed_is_not_markup(begun: Phone, seeded: Study) -> None:
    to_the_list(begun)
    begun.press(do="none")
    begun.press(weight="", free_text="<script>alert(1)</script>", do="next")
    answer = begun.client.get(begun.at)
    assert b"<script>alert" not in answer.data
    assert b"&lt;script&gt;alert" in answer.data


# --- language ----------------------------------------------------------------------------------------------------


def test_the_page_speaks_the_persons_language_until_the_switch_is_used(phone: Phone, seeded: Study) -> None:
    phone.client.get("/", headers={"Accept-Language": "zh-CN"})
    phone.start(seeded.english.checkin)
    assert '<html lang="en">' in phone.page
    phone.open(f"{phone.at}?lang=zh_Hans")
    assert '<html lang="zh-Hans-CN">' in phone.page
    assert "您的鼻子、嘴或喉咙" in phone.page
    phone.tap(0)
    assert "您的呼吸怎么样" in phone.page


def test_a_language_switch_in_the_middle_loses_nothing(begun: Phone, seeded: Study, house: House) -> None:
    begun.tap(0, 1)
    link = re.search(r'class="lang" href="([^"]+)"', begun.page)
    assert link
    begun.open(link[1])
    assert begun.shown == "chest"
    assert "Chest pain" in begun.page
    begun.tap(0)
    assert standing(house, seeded.chinese.checkin) == {"bleed": 0, "breath": 1, "chest": 0}


# --- advice, review, the last page -------------------------------------------------------------------------------


def test_advice_is_shown_at_any_place_until_it_was_passed(
    begun: Phone, seeded: Study, app: Flask, house: House
) -> None:
    ref = seeded.chinese.checkin.ref
    begun.tap(4)
    assert begun.heading == "请立即拨打120，或去最近的急诊。"
    assert 'href="tel:120"' in begun.page
    assert "捏住两侧鼻翼" in begun.page
    for path in (f"/f/{ref}", f"/f/{ref}/1", f"/f/{ref}/2", f"/f/{ref}/16", f"/f/{ref}/2?lang=en"):
        begun.open(path)
        assert 'class="sos' in begun.page, path
    other = Phone(app)
    other.start(seeded.chinese.checkin)
    assert 'class="sos' in other.page
    begun.press(do="understood")
    assert begun.shown == "bleed_now"
    with transaction(house.engine) as session:
        alerts = session.query(Alert).filter(Alert.advice != "").all()
        assert alerts
        assert all(alert.advised_at is not None for alert in alerts)


def test_a_wrong_tap_can_be_taken_back_from_the_advice(begun: Phone, seeded: Study, house: House) -> None:
    begun.tap(0)
    begun.tap(3)
    assert 'class="sos' in begun.page
    begun.press(do="wrong")
    assert begun.shown == "breath"
    begun.tap(0)
    assert standing(house, seeded.chinese.checkin)["breath"] == 0


def test_an_answer_given_behind_the_advice_is_kept(begun: Phone, seeded: Study, house: House) -> None:
    begun.tap(4)
    begun.post(f"/f/{seeded.chinese.checkin.ref}/2", page="bleed_now", value="0")
    assert standing(house, seeded.chinese.checkin) == {"bleed": 4, "bleed_now": 0}


def test_the_crisis_screen_has_its_own_line(phone: Phone, seeded: Study, house: House) -> None:
    with transaction(house.engine) as session:
        circumstances.set_fact(house.work(session), seeded.chinese.id, "selfharm_enabled", True, reason="plan")
    phone.start(seeded.chinese.checkin)
    to_the_list(phone)
    phone.press(do="none")
    assert phone.shown == "selfharm"
    phone.tap(2)
    assert 'href="tel:12356"' in phone.page
    assert "捏住" not in phone.page


def to_the_review(phone: Phone, **other: int) -> None:
    """Everything 0 or as given, nothing on the list, no weight and no text."""
    to_the_list(phone, **other)
    phone.press(do="none")
    phone.press(weight="", free_text="", do="next")


def test_the_review_shows_every_answer_and_leads_back_to_itself(begun: Phone, seeded: Study, house: House) -> None:
    begun.tap(0)
    begun.press(do="skip")
    to_the_review(begun)
    review = begun.at
    assert "您跳过了，没有回答" in begun.page
    assert "有1题没有回答。" in begun.page
    assert "这些都没有" in begun.page
    assert "补答" in begun.page
    ref = seeded.chinese.checkin.ref
    begun.open(f"/f/{ref}/2?from=review")
    begun.press(do="back")
    assert begun.at == review
    begun.open(f"/f/{ref}/2?from=review")
    begun.tap(1)
    assert begun.at == review
    begun.open(f"/f/{ref}/1?from=review")
    begun.tap(1)
    assert begun.shown == "bleed_now", "a change that asks more asks it before the review"
    begun.tap(0)
    assert begun.at == f"/f/{ref}/{int(review.rpartition('/')[2]) + 1}"
    assert "有1题没有回答" not in begun.page


@pytest.mark.parametrize(
    ("other", "heading", "sentence"),
    [
        ({}, "已收到，谢谢您", "研究团队工作日会看您的回答。"),
        ({"odor": 2}, "已收到，谢谢您", "研究团队下个工作日会看您的回答。"),
        ({"odor": 3}, "已收到，我们会联系您", "24小时之内"),
        ({"breath": 3}, "请立即拨打120，或去最近的急诊。", "值班人员会收到提醒"),
    ],
)
def test_the_last_page_fits_the_level(
    begun: Phone, seeded: Study, other: dict[str, int], heading: str, sentence: str
) -> None:
    while begun.shown != "other7":
        begun.tap(other.get(begun.shown, 0))
        if 'class="sos' in begun.page:
            begun.press(do="understood")
    begun.press(do="none")
    begun.press(weight="", free_text="", do="next")
    begun.press(do="send")
    assert begun.at == f"/f/{seeded.chinese.checkin.ref}"
    assert begun.heading == heading
    assert sentence in begun.page
    assert "3月2日周一09:00收到。" in begun.page
    assert 'href="tel:120"' in begun.page


def test_what_comes_after_sending_changes_nothing_and_says_received(begun: Phone, seeded: Study, house: House) -> None:
    way = seeded.chinese.checkin
    to_the_review(begun)
    review = begun.at
    begun.press(do="send")
    before = everything(house)
    for data in ({"page": "bleed", "value": "4"}, {"do": "send"}, {"page": "bleed", "do": "skip"}):
        answer = begun.post(review, **data)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/f/{way.ref}")
    begun.open(f"/f/{way.ref}/1")
    assert begun.heading == "已收到，谢谢您"
    begun.open(way.path)
    assert begun.heading == "这份我们已经收到了"
    assert begun.post(way.path, by="self").status_code == 200
    assert everything(house) == before


# --- with script -------------------------------------------------------------------------------------------------


def test_the_script_is_answered_with_the_next_screen_at_once(begun: Phone, seeded: Study, house: House) -> None:
    ref = seeded.chinese.checkin.ref
    answer = begun.press(FETCH, value="0")
    assert (answer.status_code, answer.headers["X-Location"]) == (200, f"/f/{ref}/2")
    assert begun.shown == "breath"
    assert f'action="/f/{ref}/2"' in begun.page
    assert f'href="/f/{ref}/2?lang=en"' in begun.page
    assert "<style" not in begun.page
    assert "<script" not in begun.page
    assert standing(house, seeded.chinese.checkin) == {"bleed": 0}
    assert begun.press(FETCH, value="9").status_code == 400
    assert begun.press(FETCH, do="back").headers["X-Location"] == f"/f/{ref}/1"
    answer = begun.press(FETCH, value="4")
    assert answer.headers["X-Location"] == f"/f/{ref}/2"
    assert 'class="sos' in begun.page
    assert begun.press(FETCH, do="understood").headers["X-Location"] == f"/f/{ref}/2"
    assert begun.shown == "bleed_now"


def test_the_script_reaches_the_last_page_too(begun: Phone, seeded: Study) -> None:
    to_the_review(begun)
    answer = begun.press(FETCH, do="send")
    assert answer.headers["X-Location"] == f"/f/{seeded.chinese.checkin.ref}"
    assert begun.heading == "已收到，谢谢您"


# --- every page --------------------------------------------------------------------------------------------------


def test_the_first_question_is_one_small_request(phone: Phone, seeded: Study) -> None:
    for person in (seeded.chinese, seeded.english):
        phone.start(person.checkin)
        answer = phone.client.get(phone.at)
        assert len(answer.data) <= FIRST_PAGE_BYTES
        assert not re.search(rb'<link rel="stylesheet|<script src|<img|url\(|@import', answer.data)


def test_no_page_asks_another_machine_or_breaks_its_own_policy(begun: Phone, seeded: Study) -> None:
    for path in ("/", seeded.chinese.checkin.path, begun.at, "/a/nothing", "/nothing"):
        answer = begun.client.get(path)
        assert not re.search(r'https?://|src="//', answer.text), path
        assert ' style="' not in answer.text
        assert not re.search(r"\son\w+=", answer.text)
        assert '<meta name="robots" content="noindex">' in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]


def test_who_reads_and_the_emergency_number_are_on_every_page(begun: Phone, seeded: Study) -> None:
    ref = seeded.chinese.checkin.ref
    for path in ("/?lang=zh_Hans", seeded.chinese.checkin.path, f"/f/{ref}/1", f"/f/{ref}/18"):
        begun.open(path)
        assert "谁会看：研究护士和医生，工作日8:00–17:30。夜里和周末不是一直有人看。" in begun.page
        assert "急事请打120" in begun.page


def test_a_withdrawn_participant_is_asked_nothing_more(begun: Phone, seeded: Study, house: House) -> None:
    with transaction(house.engine) as session:
        person = session.get_one(Participant, seeded.chinese.id)
        enrolment.withdraw(house.work(session), person, "asked to leave")
    for path in (seeded.chinese.checkin.path, begun.at):
        assert begun.open(path).status_code == 410
        assert "您不用再填了" in begun.page
    before = everything(house)
    assert begun.post(begun.at, page="bleed", value="0").status_code == 410
    assert everything(house) == before


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0", "phone"),
        ("Mozilla/5.0 (Linux; Android 8.0; Mi 5) Chrome/60.0 Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (Linux; Android 13; Pad) Chrome/120 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) Mobile/15E148", "tablet"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120", "computer"),
        ("", "computer"),
    ],
)
def test_device_class(agent: str, kind: str) -> None:
    assert device_class(agent) == kind
