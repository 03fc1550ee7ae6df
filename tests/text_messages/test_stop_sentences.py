"""Test requests for no more messages that are sentences: what is done, and what staff see."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.models import Alert, Answer, CallTask, Participant
from tests.support.alert_clinic import Clinic
from tests.support.texting_phone import TextingPhone, start_form_by_text, with_two_way_texts


def person(clinic: Clinic) -> Participant:
    return clinic.rows(Participant)[0]


@pytest.mark.parametrize(
    "text", ["Please stop", "请退订", "不要再发了", "退订\n张三", "STOP\n-- \nSent from my phone", "嗯 stop"]
)
def test_a_stop_sentence_in_the_middle_of_a_conversation_stops(clinic: Clinic, text: str) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    row = texter.write(text)
    assert person(clinic).opted_out_at is not None
    assert texter.kinds == ["question", "question", "stopped"]
    # A sentence may say more than STOP, so that staff read it.
    assert row.kind == "text"
    assert [answer.item for answer in clinic.rows(Answer)] == ["bleed"]


@pytest.mark.parametrize("two_way", [True, False])
@pytest.mark.parametrize("text", ["Please stop sending me messages", "回复退订", "STOP 张三", "短信停了吧"])
def test_a_stop_sentence_without_a_conversation_stops(clinic: Clinic, text: str, two_way: bool) -> None:
    texter = TextingPhone(with_two_way_texts(clinic, two_way).app_context)
    texter.write(text)
    assert person(clinic).opted_out_at is not None
    assert texter.kinds == ["stopped"]


def test_a_stop_with_a_red_flag_is_screened_first(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    row = texter.write("请退订。鼻子大出血止不住")
    assert person(any_clinic).opted_out_at is not None
    assert row.level == Level.EMERGENCY
    assert [alert.level for alert in any_clinic.rows(Alert)] == [Level.EMERGENCY]
    # The advice goes out although the participant gets no more messages.
    assert texter.kinds == ["question", "advice", "stopped"]


@pytest.mark.parametrize(
    "text",
    [
        "the bleeding won't stop",
        "鼻血停不下来",
        "don't stop texting me",
        "不要再发烧了就好",
        "医院拒收我",
        "我没有要退订",
    ],
)
def test_other_stops_keep_the_messages(clinic: Clinic, text: str) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write(text)
    assert person(clinic).opted_out_at is None
    assert "stopped" not in texter.kinds


@pytest.mark.parametrize("text", ["停止", "can I stop?", "help stop", "不想参加了", "晚上不要发短信"])
@pytest.mark.parametrize("two_way", [True, False])
def test_what_may_be_a_stop_calls_a_person_and_is_not_answered_with_help(
    clinic: Clinic, text: str, two_way: bool
) -> None:
    clinic = with_two_way_texts(clinic, two_way)
    texter = start_form_by_text(clinic) if two_way else TextingPhone(clinic.app_context)
    before = list(texter.kinds)
    row = texter.write(text)
    assert person(clinic).opted_out_at is None
    assert texter.kinds == before
    assert (row.kind, row.reason) == ("text", "may_be_stop")
    assert [task.kind for task in clinic.rows(CallTask)] == ["may_be_stop"]


def test_a_stop_sentence_of_an_unknown_number_is_screened_too(clinic: Clinic) -> None:
    stranger = TextingPhone(clinic.app_context, "+8613900009999")
    row = stranger.write("请退订，我大出血")
    assert row.level == Level.EMERGENCY
    assert "stopped" not in stranger.kinds
