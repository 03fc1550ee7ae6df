"""Test the chat page without JavaScript, and the responses to ``chat.js``."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.db import transaction
from pro.models import Alert, Answer, Assessment, CallTask, IncomingMessage
from tests.support.chat_browser import ChatBrowser
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, all_rows, stored_answers

FETCH = {"X-Fetch": "1"}
FIRST_PAGE_BYTES = 14_000
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"do": "some"}, "一样都没有，就点“这些都没有”"),
    ({"do": "none", "has": ["1"]}, "又点了"),
    ({"do": "send", "text": "咳嗽", "has": ["1"]}, "请只用一种"),
]


@pytest.fixture
def phone(app: Flask) -> ChatBrowser:
    """Return a phone."""
    return ChatBrowser(app)


@pytest.fixture
def begun(phone: ChatBrowser, seeded: Study) -> ChatBrowser:
    """Return a phone on the first question of the Chinese check-in, in the chat."""
    phone.begins(seeded.chinese.checkin)
    return phone


@pytest.fixture
def english(phone: ChatBrowser, seeded: Study) -> ChatBrowser:
    """Return a phone on the first question of the English check-in, in the chat."""
    phone.begins(seeded.english.checkin)
    return phone


def rows(app_context: AppContext, table: Any) -> list[Any]:
    """Return all rows of a table."""
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(table)))


# --- access ----------------------------------------------------------------------------------------------------------


def test_the_start_page_leads_to_the_chat_and_back(phone: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    way = seeded.chinese.checkin
    before = all_rows(app_context)
    phone.open(way.path)
    assert f'href="{way.path}/chat"' in phone.page
    phone.open(f"{way.path}/chat")
    assert f'href="{way.path}"' in phone.page
    assert "问题是自动发的，没有人在线等着。" in phone.page
    assert all_rows(app_context) == before
    answer = phone.press(by="helped")
    assert answer.headers["Location"] == f"/f/{way.ref}/chat"
    [cookie] = [cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith(f"f_{way.ref}=")]
    assert f"Path=/f/{way.ref}" in cookie
    assert phone.item == "bleed"
    assert rows(app_context, Assessment)[0].answered_by == "helped"


def test_a_code_typed_at_the_chat_leads_to_the_chat(phone: ChatBrowser, seeded: Study) -> None:
    way = seeded.chinese.checkin
    phone.open("/chat")
    assert 'action="/chat"' in phone.page
    assert phone.press(code="ABCD", do="next").status_code == 422
    assert 'value="ABCD"' in phone.page
    assert phone.press(code=way.code, do="next").headers["Location"] == f"/f/{way.ref}/chat"
    assert 'name="by"' in phone.page
    assert phone.press(by="self").headers["Location"] == f"/f/{way.ref}/chat#now"
    assert phone.item == "bleed"


def test_ten_wrong_codes_do_not_lock_the_chat(phone: ChatBrowser, seeded: Study) -> None:
    phone.open("/chat")
    for _ in range(11):
        assert phone.press(code="3333-3333", do="next").status_code == 422
    assert phone.press(code=seeded.chinese.checkin.code, do="next").status_code == 303


def test_a_licensed_instrument_has_no_chat(phone: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    way = seeded.english.qlq
    phone.open(way.path)
    assert "/chat" not in phone.page
    phone.begins(way)
    assert "/chat" not in phone.at
    assert phone.shown == "Q1"
    before = all_rows(app_context)
    answer = phone.post(f"/f/{way.ref}/chat", item="Q1", value="1")
    assert answer.headers["Location"] == f"/f/{way.ref}"
    assert all_rows(app_context) == before


# --- answering -------------------------------------------------------------------------------------------------------


def test_taps_and_words_are_answers_and_the_thread_is_back_after_reload(
    begun: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.taps_on(1)
    begun.says("没有", "快走或上楼时气短")
    begun.open(begun.at)
    assert begun.bubbles[1:] == [
        "我们： 过去24小时 您的鼻子、嘴或喉咙有没有出血？",
        "您： 只有血丝或几滴",
        "我们： 现在 现在还在出血吗？",
        "您： 没有",
        "我们： 过去24小时 您的呼吸怎么样？",
        "您： 快走或上楼时气短",
        "我们： 过去24小时 有没有胸痛、胸闷或胸口发紧？",
    ]
    assert "这是自动问答，没有人在线。有急事请打120。" in begun.bubbles[0]
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 1, "bleed_now": 0, "breath": 1}
    assert {row.channel for row in rows(app_context, Answer)} == {"chat"}


def test_every_option_is_a_button_with_its_number_and_label(english: ChatBrowser) -> None:
    found = re.findall(r'<button class="chip" name="value" value="(\d)"><b>(\d)</b> ([^<]+)</button>', english.page)
    assert [(code, shown) for code, shown, _label in found] == [(str(n), str(n)) for n in range(5)]
    assert found[0][2] == "None"


def test_a_get_changes_nothing(begun: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    begun.taps_on(1)
    before = all_rows(app_context)
    way = seeded.chinese.checkin
    for path in (f"/f/{way.ref}/chat", f"/f/{way.ref}/chat?lang=en", f"{way.path}/chat", "/chat"):
        assert begun.open(path).status_code == 200
        assert begun.client.head(path).status_code == 200
    assert all_rows(app_context) == before


def test_what_is_not_understood_is_said_kindly_and_stored_nowhere(
    english: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    answer = english.replies(do="send", text="ask my <b>wife</b>")
    assert answer.status_code == 422
    assert "You: </span>ask my &lt;b&gt;wife" in answer.text.replace("&#34;", "")
    assert "Sorry, I only understand the answers below" in english.bubbles[-1]
    assert english.item == "bleed"
    assert stored_answers(app_context, seeded.english.checkin) == {}
    english.open(f"/f/{seeded.english.checkin.ref}/chat")
    assert len(english.bubbles) == 2


@pytest.mark.parametrize(
    ("text", "sentence", "kept"),
    [
        ("1 or 2", "I found two answers and do not want to guess", ""),
        ("7", "This is not one of the answers", ""),
        ("", "Nothing was typed", ""),
        ("3\x003", "One of the characters cannot be saved", "3\x003"),
        ("x" * 1001, "This has 1001 characters; at most 1000 are possible", "x" * 1001),
    ],
)
def test_a_sentence_says_what_to_do(
    english: ChatBrowser, app_context: AppContext, text: str, sentence: str, kept: str
) -> None:
    assert english.replies(do="send", text=text).status_code == 422
    assert sentence in english.bubbles[-1]
    assert english.field == kept
    assert not rows(app_context, Answer)


def test_back_skip_and_help_by_button_or_word(english: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    english.taps_on(0)
    english.says("back")
    assert english.item == "bleed"
    assert stored_answers(app_context, seeded.english.checkin) == {}
    english.says("skip")
    assert english.bubbles[-2] == "You: Skipped"
    english.taps_on(0)
    assert english.replies(do="back").status_code == 303
    assert english.item == "breath"
    assert english.replies(do="send", text="HELP").status_code == 200
    assert english.bubbles[-2] == "You: HELP"
    assert "Would you rather talk to someone?" in english.bubbles[-1]
    assert english.replies(do="send", text="stop").status_code == 200
    assert "just close the page" in english.bubbles[-1]
    assert english.item == "breath"
    assert stored_answers(app_context, seeded.english.checkin) == {"bleed": None}


def test_the_language_changes_by_word_and_by_switch_and_nothing_typed_is_lost(english: ChatBrowser) -> None:
    english.says("language")
    assert 'lang="zh-Hans-CN"' in english.page
    assert "您的鼻子" in english.bubbles[-1]
    found = re.search(r'class="lang quiet" form="answer" formaction="([^"]+)"', english.page)
    assert found
    english.post(found[1], item="bleed", do="language", text="a few drops, I th")
    assert "Did you bleed" in english.bubbles[-1]
    assert english.field == "a few drops, I th"


def test_a_second_tap_changes_nothing(begun: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    begun.taps_on(0)
    before = all_rows(app_context)
    for second in ({"value": "0"}, {"value": "4"}, {"do": "skip"}, {"do": "back"}):
        answer = begun.post(begun.at.split("#")[0], {}, item="bleed", **second)
        assert answer.status_code == 200, second
        assert "那一题已经过去了，刚才没有改动什么" in begun.bubbles[-1]
        assert all_rows(app_context) == before, second
    assert begun.item == "breath"


def test_what_no_button_says_is_a_bad_request(begun: ChatBrowser, app_context: AppContext) -> None:
    before = all_rows(app_context)
    for value in ("9", "-1", "出血", "0,1", "1" * 300):
        assert begun.replies(value=value).status_code == 400, value
    assert all_rows(app_context) == before


def test_a_tap_while_something_is_typed_keeps_it_in_the_field(begun: ChatBrowser) -> None:
    assert begun.replies(value="0", text="还有一点咳").status_code == 200
    assert begun.item == "breath"
    assert begun.field == "还有一点咳"


def test_the_list_by_ticks_by_words_and_its_contradictions(
    begun: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.to("other7")
    for wrong, sentence in CONTRADICTIONS:
        assert begun.replies(**wrong).status_code == 422
        assert sentence in begun.bubbles[-1]
        assert ('value="1" checked' in begun.page) == ("has" in wrong)
    assert begun.replies(do="some", has=["1", "99"]).status_code == 400
    assert begun.replies(do="some", has=["3", "1"]).status_code == 303
    stored = stored_answers(app_context, seeded.chinese.checkin)
    assert stored["other7"] == ["hearing", "pain"]
    assert stored["nausea"] == 0
    assert begun.item == "hearing"
    begun.says("返回")
    assert begun.item == "other7"


# --- emergency advice and the end ------------------------------------------------------------------------------------


def test_the_advice_takes_the_whole_screen_until_it_was_passed(
    begun: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    ref = seeded.chinese.checkin.ref
    begun.taps_on(4)
    assert begun.heading == "请马上打120，或者去最近的医院急诊。"
    begun.open(f"/f/{ref}/chat")
    assert 'class="sos' in begun.page
    assert begun.press(do="understood").headers["Location"] == f"/f/{ref}/chat#now"
    assert begun.item == "bleed_now"
    assert all(alert.advised_at for alert in rows(app_context, Alert) if alert.advice)


def test_a_wrong_tap_is_taken_back_and_its_alert_stays(
    begun: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.taps_on(4)
    begun.press(do="wrong")
    assert begun.item == "bleed"
    assert stored_answers(app_context, seeded.chinese.checkin) == {}
    assert [alert.rule for alert in rows(app_context, Alert) if alert.level == 3] == ["E01"]


def test_red_words_instead_of_an_answer_are_read_and_answered_at_once(
    begun: ChatBrowser, app_context: AppContext
) -> None:
    assert begun.replies(do="send", text="嘴里一直大口吐血").status_code == 303
    assert 'value="understood"' in begun.page
    assert "120" in begun.page
    assert [row.channel for row in rows(app_context, IncomingMessage)] == ["chat"]
    assert max(alert.level for alert in rows(app_context, Alert)) >= 2


def test_red_words_in_a_text_that_is_too_long_are_read_all_the_same(
    begun: ChatBrowser, app_context: AppContext
) -> None:
    answer = begun.replies(do="send", text="今天天气很好，" * 200 + "我喘不过气")
    assert answer.status_code == 422
    assert "120" in begun.page
    assert [alert.rule for alert in rows(app_context, Alert)] == ["TEXT"]
    assert [(row.kind, row.level) for row in rows(app_context, IncomingMessage)] == [("unclear", Level.EMERGENCY)]
    assert rows(app_context, Answer) == []


def test_the_end_is_a_question_a_look_or_the_last_page(
    english: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    way = seeded.english.checkin
    english.to("weight")
    assert english.replies(do="send", text="a lot").status_code == 422
    assert english.replies(do="send", text="").status_code == 303
    assert english.item == "free_text"
    assert english.replies(do="back").status_code == 303
    english.says("62 kg", "I slept well")
    assert english.item == ""
    assert "Do you want to send your answers now?" in english.bubbles[-1]
    look = re.search(rf'href="(/f/{way.ref}/\d+)"', english.page)
    assert look is not None
    assert english.open(look[1]).status_code == 200
    assert english.heading == "Check your answers, then send"
    english.open(f"/f/{way.ref}/chat")
    assert english.replies(value="1").status_code == 303
    assert english.heading == "Received, thank you"
    [form] = [form for form in rows(app_context, Assessment) if form.id == way.assessment_id]
    assert form.submitted_at is not None
    assert stored_answers(app_context, way)["free_text"] == "I slept well"


def test_a_reply_to_a_form_that_was_sent_says_so(english: ChatBrowser, seeded: Study) -> None:
    path = f"/f/{seeded.english.checkin.ref}/chat"
    english.to("")
    english.replies(value="1")
    assert english.post(path, item="bleed", value="3").status_code == 409
    assert english.post(path, item="", value="1").status_code == 409


def test_it_goes_on_in_the_form_and_comes_back(
    begun: ChatBrowser, seeded: Study, app: Flask, app_context: AppContext
) -> None:
    way = seeded.chinese.checkin
    begun.taps_on(0)
    begun.open(f"/f/{way.ref}")
    assert begun.shown == "breath"
    begun.tap(0)
    begun.open(f"/f/{way.ref}/chat")
    assert begun.item == "chest"
    assert begun.bubbles[-2] == "您： 正常"
    other = ParticipantBrowser(app)
    other.start(way)
    assert other.shown == "chest"
    assert [row.channel for row in rows(app_context, Answer)] == ["chat", "web"]


def test_after_a_day_the_start_page_comes_first(begun: ChatBrowser, seeded: Study, clock: Clock) -> None:
    begun.taps_on(0)
    clock.move(hours=25)
    begun.open(f"/f/{seeded.chinese.checkin.ref}/chat")
    assert 'name="by"' in begun.page
    begun.press(by="self")
    assert begun.item == "bleed"


# --- the page itself -------------------------------------------------------------------------------------------------


def test_the_script_gets_the_thread_at_once_without_styles(begun: ChatBrowser, seeded: Study) -> None:
    answer = begun.post(f"/f/{seeded.chinese.checkin.ref}/chat", FETCH, item="bleed", value="0")
    assert answer.status_code == 200
    assert begun.item == "breath"
    assert "<style" not in begun.page
    assert "<script" not in begun.page


def test_the_first_question_fits_one_round_trip(begun: ChatBrowser, seeded: Study) -> None:
    answer = begun.client.get(f"/f/{seeded.chinese.checkin.ref}/chat", headers={"Accept-Encoding": "gzip"})
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers)
    assert len(answer.data) + head <= FIRST_PAGE_BYTES
    whole = gzip.decompress(answer.data).decode()
    assert not re.search(r'(?:src|href)="(?!#|tel:|data:|/f/)', whole)


def test_a_thread_is_read_as_a_log(begun: ChatBrowser) -> None:
    assert 'role="log" aria-live="polite"' in begun.page
    assert begun.page.count('id="now"') == 1
    assert 'for="t"' in begun.page


def test_a_death_in_the_text_field_makes_one_call_task(
    english: ChatBrowser, seeded: Study, app_context: AppContext
) -> None:
    english.to("free_text")
    english.replies(do="send", text="my father passed away last night")
    assert "Thank you for telling us. A person of the team will call you." in english.page
    english.open(english.at)
    assert english.item == ""
    assert english.replies(value="1").status_code == 303
    assert [(task.kind, task.participant_id) for task in rows(app_context, CallTask)] == [
        ("death_reported", seeded.english.id)
    ]
    assert stored_answers(app_context, seeded.english.checkin).get("free_text") == "my father passed away last night"
