"""Test advice, review, last page, responses to ``form.js``, and rules for all pages."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.participants import clinical_facts
from pro.features.schedule import enrolment
from pro.models import Alert, Answer, Participant
from pro.web.devices import device_class
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, all_rows, answer_until_list, stored_answers

FETCH = {"X-Fetch": "1"}
FIRST_PAGE_BYTES = 14_000


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """Return a phone."""
    return ParticipantBrowser(app)


@pytest.fixture
def begun(phone: ParticipantBrowser, seeded: Study) -> ParticipantBrowser:
    """Return a phone on the first question of the Chinese check-in."""
    phone.start(seeded.chinese.checkin)
    return phone


# --- advice, review, the last page -------------------------------------------------------------------------------


def test_advice_is_shown_at_any_place_until_it_was_passed(
    begun: ParticipantBrowser, seeded: Study, app: Flask, app_context: AppContext
) -> None:
    ref = seeded.chinese.checkin.ref
    begun.tap(4)
    assert begun.heading == "请马上打120，或者去最近的医院急诊。"
    assert 'href="tel:120"' in begun.page
    assert "捏住两侧鼻翼" in begun.page
    for path in (f"/f/{ref}", f"/f/{ref}/1", f"/f/{ref}/2", f"/f/{ref}/16", f"/f/{ref}/2?lang=en"):
        begun.open(path)
        assert 'class="sos' in begun.page, path
    other = ParticipantBrowser(app)
    other.start(seeded.chinese.checkin)
    assert 'class="sos' in other.page
    begun.press(do="understood")
    assert begun.shown == "bleed_now"
    with transaction(app_context.engine) as session:
        alerts = session.query(Alert).filter(Alert.advice != "").all()
        assert alerts
        assert all(alert.advised_at is not None for alert in alerts)


def test_a_wrong_tap_can_be_taken_back_from_the_advice(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0)
    begun.tap(3)
    assert 'class="sos' in begun.page
    begun.press(do="wrong")
    assert begun.shown == "breath"
    begun.tap(0)
    assert stored_answers(app_context, seeded.chinese.checkin)["breath"] == 0


def test_a_wrong_tap_in_the_review_leads_back_to_the_review(begun: ParticipantBrowser, seeded: Study) -> None:
    answer_until_list(begun)
    begun.press(do="none")
    begun.press(weight="", free_text="", do="next")
    review = begun.at
    begun.open(f"/f/{seeded.chinese.checkin.ref}/3?from=review")
    begun.tap(3)
    assert 'class="sos' in begun.page
    begun.press(do="wrong")
    begun.tap(0)
    assert begun.at == review


def test_an_answer_given_behind_the_advice_is_kept(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(4)
    begun.post(f"/f/{seeded.chinese.checkin.ref}/2", page="bleed_now", value="0")
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 4, "bleed_now": 0}


def test_the_crisis_screen_has_its_own_line(phone: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    with transaction(app_context.engine) as session:
        clinical_facts.set_fact(
            app_context.unit_of_work(session), seeded.chinese.id, "selfharm_enabled", True, reason="plan"
        )
    phone.start(seeded.chinese.checkin)
    answer_until_list(phone)
    phone.press(do="none")
    assert phone.shown == "selfharm"
    phone.tap(2)
    assert 'href="tel:12356"' in phone.page
    assert "捏住" not in phone.page


def to_the_review(phone: ParticipantBrowser, **other: int) -> None:
    """Answer 0 or as given, tick nothing, leave weight and text blank, and open the review."""
    answer_until_list(phone, **other)
    phone.press(do="none")
    phone.press(weight="", free_text="", do="next")


def test_the_review_shows_every_answer_and_leads_back_to_itself(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0)
    begun.press(do="skip")
    to_the_review(begun)
    review = begun.at
    assert "您跳过了，没有答" in begun.page
    assert "还有1题没答。" in begun.page
    assert "这些都没有" in begun.page
    assert "现在补上" in begun.page
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
    assert "还有1题没答" not in begun.page


@pytest.mark.parametrize(
    ("other", "heading", "sentence"),
    [
        ({}, "已收到，谢谢您", "我们工作日会看您的回答。"),
        ({"odor": 2}, "已收到，谢谢您", "我们下个工作日会看您的回答。"),
        ({"odor": 3}, "已收到，我们会联系您", "24小时内我们会给您打电话，请把手机带在身边"),
        ({"breath": 3}, "请马上打120，或者去最近的医院急诊。", "值班人员会收到通知，会给您打电话"),
    ],
)
def test_the_last_page_fits_the_level(
    begun: ParticipantBrowser, seeded: Study, other: dict[str, int], heading: str, sentence: str
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


def test_what_comes_after_sending_changes_nothing_and_says_received(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    way = seeded.chinese.checkin
    to_the_review(begun)
    review = begun.at
    begun.press(do="send")
    before = all_rows(app_context)
    late: list[dict[str, Any]] = [{"page": "bleed", "value": "4"}, {"page": "bleed", "do": "skip"}]
    for data in late:
        answer = begun.post(review, **data)
        assert answer.status_code == 409
        assert "没有加进去" in answer.text
        assert 'href="tel:120"' in answer.text
    answer = begun.post(review, do="send")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/f/{way.ref}")
    begun.open(f"/f/{way.ref}/1")
    assert begun.heading == "已收到，谢谢您"
    begun.open(way.path)
    # The link leads to the other form that waits.
    assert "还有一份要填" in begun.page
    assert begun.post(way.path, by="self").status_code == 200
    assert all_rows(app_context) == before


# --- with JavaScript -------------------------------------------------------------------------------------------------


def test_the_script_is_answered_with_the_next_screen_at_once(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    ref = seeded.chinese.checkin.ref
    answer = begun.press(FETCH, value="0")
    assert (answer.status_code, answer.headers["X-Location"]) == (200, f"/f/{ref}/2")
    assert begun.shown == "breath"
    assert f'action="/f/{ref}/2"' in begun.page
    assert f'href="/f/{ref}/2?lang=en"' in begun.page
    assert "<style" not in begun.page
    assert "<script" not in begun.page
    assert stored_answers(app_context, seeded.chinese.checkin) == {"bleed": 0}
    assert begun.press(FETCH, value="9").status_code == 400
    assert begun.press(FETCH, do="back").headers["X-Location"] == f"/f/{ref}/1"
    answer = begun.press(FETCH, value="4")
    assert answer.headers["X-Location"] == f"/f/{ref}/2"
    assert 'class="sos' in begun.page
    assert begun.press(FETCH, do="understood").headers["X-Location"] == f"/f/{ref}/2"
    assert begun.shown == "bleed_now"


def test_the_script_reaches_the_last_page_too(begun: ParticipantBrowser, seeded: Study) -> None:
    to_the_review(begun)
    answer = begun.press(FETCH, do="send")
    assert answer.headers["X-Location"] == f"/f/{seeded.chinese.checkin.ref}"
    assert begun.heading == "已收到，谢谢您"


# --- every page --------------------------------------------------------------------------------------------------


def test_the_first_question_is_one_small_request(phone: ParticipantBrowser, seeded: Study) -> None:
    for person in (seeded.chinese, seeded.english):
        phone.start(person.checkin)
        answer = phone.client.get(phone.at, headers={"Accept-Encoding": "gzip"})
        assert len(answer.data) <= FIRST_PAGE_BYTES / 2
        page = gzip.decompress(answer.data)
        assert not re.search(rb'<link rel="stylesheet|<script src|<img|url\(|@import', page)


def test_no_page_asks_another_machine_or_breaks_its_own_policy(begun: ParticipantBrowser, seeded: Study) -> None:
    for path in ("/", seeded.chinese.checkin.path, begun.at, "/a/nothing", "/nothing"):
        answer = begun.client.get(path)
        assert not re.search(r'https?://|src="//', answer.text), path
        assert ' style="' not in answer.text
        assert not re.search(r"\son\w+=", answer.text)
        assert '<meta name="robots" content="noindex">' in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]


def test_who_reads_and_the_emergency_number_are_on_every_page(begun: ParticipantBrowser, seeded: Study) -> None:
    ref = seeded.chinese.checkin.ref
    for path in ("/?lang=zh_Hans", seeded.chinese.checkin.path, f"/f/{ref}/1", f"/f/{ref}/18"):
        begun.open(path)
        assert "研究护士和医生会看，时间是工作日8:00–17:30。夜里和周末不一定有人看到。" in begun.page
        assert "急事请打120" in begun.page


def test_a_withdrawn_participant_is_asked_nothing_more(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    with transaction(app_context.engine) as session:
        person = session.get_one(Participant, seeded.chinese.id)
        enrolment.withdraw_participant(app_context.unit_of_work(session), person, "asked to leave")
    for path in (seeded.chinese.checkin.path, begun.at):
        assert begun.open(path).status_code == 410
        assert "您不用再填了" in begun.page
    before = all_rows(app_context)
    assert begun.post(begun.at, page="bleed", value="0").status_code == 410
    assert all_rows(app_context) == before


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


# --- continued after a long time -------------------------------------------------------------------------------------


def test_what_was_asked_about_another_day_is_asked_again(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    way = seeded.chinese.checkin
    begun.press(value="0")
    begun.press(value="2")
    clock.move(hours=25)
    begun.open(f"/f/{way.ref}/3")
    assert begun.heading == "您好，又见面了。"
    assert "再答一遍" in begun.page
    begun.open(way.path)
    begun.press(by="self")
    assert begun.shown == "bleed"
    with transaction(app_context.engine) as session:
        rows = session.scalars(select(Answer).order_by(Answer.id)).all()
        assert [(row.item, row.state) for row in rows] == [
            ("bleed", "given"),
            ("breath", "given"),
            ("bleed", "withdrawn"),
            ("breath", "withdrawn"),
        ]


def test_an_answer_tapped_on_an_old_page_is_kept_and_the_rest_asked_again(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    way = seeded.chinese.checkin
    begun.press(value="0")
    clock.move(hours=25)
    begun.press(value="3")
    begun.press(do="understood")
    assert begun.heading == "您好，又见面了。"
    begun.open(way.path)
    begun.press(by="self")
    assert begun.shown == "bleed"
    begun.press(value="0")
    assert begun.shown == "breath"
    assert "上次选的" in begun.page


def test_the_last_page_leads_on_to_the_form_that_still_waits(begun: ParticipantBrowser, seeded: Study) -> None:
    checkin, qlq = seeded.chinese.checkin.ref, seeded.chinese.qlq.ref
    answer_until_list(begun)
    begun.press(do="skip")
    begun.open(f"/f/{checkin}/99")
    while 'value="send"' not in begun.page:
        begun.press(do="skip")
    begun.press(do="send")
    assert "还有一份要填" in begun.page
    assert begun.post(f"/f/{checkin}/next").headers["Location"] == f"/f/{qlq}"
    begun.open(f"/f/{qlq}")
    assert "开始" in begun.page


def test_before_a_form_is_sent_nothing_leads_on(begun: ParticipantBrowser, seeded: Study) -> None:
    ref = seeded.chinese.checkin.ref
    assert begun.post(f"/f/{ref}/next").headers["Location"] == f"/f/{ref}"
