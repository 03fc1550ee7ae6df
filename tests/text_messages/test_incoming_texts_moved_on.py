"""A text answers the question that was last seen on that phone, or none at all."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.features.text_messages import text_answers
from pro.models import Answer, Assessment, Inbound, Message
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Clock
from tests.support.texting_phone import asked, two_way


def given(ward: Ward) -> dict[str, str]:
    """item -> state of what was said last."""
    return {row.item: row.state for row in ward.rows(Answer)}


def test_who_went_on_in_the_browser_does_not_answer_a_question_that_the_phone_never_showed(ward: Ward) -> None:
    texter = asked(two_way(ward))
    texter.write("0")
    ward.start().save(breath=0, chest=0)
    row = texter.write("4")
    assert (row.what, row.why, row.level) == ("unclear", "moved_on", Level.NONE)
    assert set(given(ward)) == {"bleed", "breath", "chest"}
    assert texter.got[-1].startswith("过去24小时：心慌、心跳快")
    assert texter.write("0").what == "answer"
    assert given(ward)["palp"] == "given"


def test_a_question_that_is_not_seen_is_not_skipped_either(ward: Ward) -> None:
    texter = asked(two_way(ward))
    ward.start().save(bleed=0)
    assert texter.write("跳过").why == "moved_on"
    assert given(ward) == {"bleed": "given"}
    assert texter.write("跳过").what == "answer"
    assert given(ward)["breath"] == "skipped"


def test_a_red_flag_in_such_a_text_is_told(ward: Ward) -> None:
    texter = asked(two_way(ward))
    ward.start().save(bleed=0)
    texter.write("我喘不过气")
    assert ward.alerts()["TEXT"].level == Level.EMERGENCY
    assert texter.kinds[-2:] == ["safety", "question"]


def test_a_reply_after_a_day_answers_nothing_and_old_answers_are_asked_again(ward: Ward, clock: Clock) -> None:
    texter = asked(two_way(ward))
    texter.write("0")
    texter.write("0")
    clock.move(hours=30)
    row = texter.write("0")
    assert (row.what, row.why) == ("unclear", "moved_on")
    assert given(ward) == {"bleed": "withdrawn", "breath": "withdrawn"}
    assert {row.channel for row in ward.rows(Answer)} == {"sms"}
    assert texter.got[-1].startswith("过去24小时：您的鼻子、嘴或喉咙有没有出血？")
    texter.write("0")
    assert given(ward) == {"bleed": "given", "breath": "withdrawn"}


def test_a_question_that_did_not_arrive_comes_again(ward: Ward) -> None:
    texter = asked(two_way(ward))
    texter.write("0")
    with form_browser.working(ward.house) as work:
        newest = work.session.get_one(Message, max(row.id for row in ward.rows(Message)))
        newest.failed_at, newest.failure = work.now, "phone_unreachable"
    texter.write("0")
    assert set(given(ward)) == {"bleed"}
    assert texter.kinds[-1] == "question"
    texter.write("0")
    assert set(given(ward)) == {"bleed", "breath"}


def test_a_text_is_kept_read_and_told_whatever_breaks(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    texter = asked(two_way(ward))

    def broken(*_given: object) -> None:
        raise TypeError

    monkeypatch.setattr(text_answers, "go_on", broken)
    row = texter.write("0，可是我喘不过气")
    assert (row.what, row.level, ward.rows(Answer)) == ("unclear", Level.EMERGENCY, [])
    assert ward.alerts()["TEXT"].level == Level.EMERGENCY
    assert texter.kinds[-1] == "safety"
    assert len(ward.rows(Inbound)) == 1
    assert ward.rows(Assessment)[0].submitted_at is None


def test_what_follows_far_behind_a_command_is_read(ward: Ward) -> None:
    texter = asked(two_way(ward))
    texter.write("STOP" + " " * 1000 + "我喘不过气")
    assert ward.alerts()["TEXT"].level == Level.EMERGENCY
