"""Test that a text answers only the question that was last sent to that phone."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.features.text_messages import text_answers
from pro.models import Answer, Assessment, IncomingMessage, Message
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock
from tests.support.texting_phone import start_form_by_text, with_two_way_texts


def given(clinic: Clinic) -> dict[str, str]:
    """Return item -> state of its newest answer."""
    return {row.item: row.state for row in clinic.rows(Answer)}


def test_who_went_on_in_the_browser_does_not_answer_a_question_that_the_phone_never_showed(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    clinic.start().save(breath=0, chest=0)
    row = texter.write("4")
    assert (row.kind, row.reason, row.level) == ("unclear", "moved_on", Level.NONE)
    assert set(given(clinic)) == {"bleed", "breath", "chest"}
    assert texter.got[-1].startswith("过去24小时：有没有心慌、心跳快")
    assert texter.write("0").kind == "answer"
    assert given(clinic)["palp"] == "given"


def test_a_question_that_is_not_seen_is_not_skipped_either(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    clinic.start().save(bleed=0)
    assert texter.write("跳过").reason == "moved_on"
    assert given(clinic) == {"bleed": "given"}
    assert texter.write("跳过").kind == "answer"
    assert given(clinic)["breath"] == "skipped"


def test_a_red_flag_in_such_a_text_is_told(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    clinic.start().save(bleed=0)
    texter.write("我喘不过气")
    assert clinic.alerts()["TEXT"].level == Level.EMERGENCY
    assert texter.kinds[-1] == "advice"


def test_a_reply_after_a_day_answers_nothing_and_old_answers_are_asked_again(clinic: Clinic, clock: Clock) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    texter.write("0")
    clock.move(hours=30)
    row = texter.write("0")
    assert (row.kind, row.reason) == ("unclear", "moved_on")
    assert given(clinic) == {"bleed": "withdrawn", "breath": "withdrawn"}
    assert {row.channel for row in clinic.rows(Answer)} == {"sms"}
    assert texter.got[-1].startswith("过去24小时：您的鼻子、嘴或喉咙有没有出血？")
    texter.write("0")
    assert given(clinic) == {"bleed": "given", "breath": "withdrawn"}


def test_a_question_that_did_not_arrive_comes_again(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    with form_browser.unit_of_work(clinic.app_context) as work:
        newest = work.session.get_one(Message, max(row.id for row in clinic.rows(Message)))
        newest.failed_at, newest.failure = work.now, "phone_unreachable"
    texter.write("0")
    assert set(given(clinic)) == {"bleed"}
    assert texter.kinds[-1] == "question"
    texter.write("0")
    assert set(given(clinic)) == {"bleed", "breath"}


def test_a_text_is_kept_read_and_told_whatever_breaks(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))

    def broken(*_given: object) -> None:
        raise TypeError

    monkeypatch.setattr(text_answers, "next_step", broken)
    row = texter.write("0，可是我喘不过气")
    assert (row.level, clinic.rows(Answer)) == (Level.EMERGENCY, [])
    assert clinic.alerts()["TEXT"].level == Level.EMERGENCY
    assert texter.kinds[-1] == "safety"
    assert len(clinic.rows(IncomingMessage)) == 1
    assert clinic.rows(Assessment)[0].submitted_at is None


def test_what_follows_far_behind_a_command_is_read(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("STOP" + " " * 1000 + "我喘不过气")
    assert clinic.alerts()["TEXT"].level == Level.EMERGENCY
