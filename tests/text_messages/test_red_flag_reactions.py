"""Test the reaction to a red flag in words: what the form shows for it, and never a code to choose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.db import transaction
from pro.features.assessments import chat_flow
from pro.features.schedule import missed_forms
from pro.features.text_messages import reminders
from pro.models import Alert, Answer, CallTask, IncomingMessage, Message, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.chat_browser import ChatBrowser
from tests.support.factories import Clock, Study
from tests.support.form_browser import FormBrowser
from tests.support.stored_texts import STRANGER
from tests.support.texting_phone import TextingPhone, start_form_by_text, with_two_way_texts


def say(browser: FormBrowser, text: str) -> chat_flow.ReplyOutcome:
    """Say something in the chat."""
    with browser.open_session() as (work, here):
        return chat_flow.take_reply(work, here, text, channel="chat", language="en")


# --- the chat --------------------------------------------------------------------------------------------------------


def test_a_typed_wish_to_die_shows_the_crisis_page_and_then_goes_on(any_clinic: Clinic) -> None:
    browser = any_clinic.start()
    turn = say(browser, "I want to kill myself")
    assert (turn.what, turn.why, turn.safety) == ("advice", "", False)
    assert browser.form().advice == "crisis"
    browser.advised()
    assert browser.form().advice is None
    assert say(browser, "0").what == "answered"


def test_a_typed_bleeding_shows_the_bleeding_page(any_clinic: Clinic) -> None:
    browser = any_clinic.start()
    assert say(browser, "大出血止不住").what == "advice"
    assert browser.form().advice == "bleeding"
    assert browser.save(bleed=0).level is Level.EMERGENCY


def test_an_urgent_flag_gets_the_safety_sentence_and_no_request_for_a_code(clinic: Clinic) -> None:
    turn = say(clinic.start(), "there is a foul smell from my nose")
    assert (turn.safety, turn.why) == (True, "")


# --- text messages ---------------------------------------------------------------------------------------------------


def test_a_wish_to_die_by_text_gets_the_crisis_line(clinic: Clinic) -> None:
    phone = TextingPhone(with_two_way_texts(clinic).app_context)
    phone.write("我不想活了")
    (reply,) = phone.got
    assert "12356" in reply
    phone.write("我真的不想活了")
    assert len(phone.got) == 1


@pytest.mark.parametrize("text", ["HELP!!!", "Help 🆘", "help help"])
@pytest.mark.parametrize("two_way", [True, False])
def test_a_cry_for_help_is_no_command(clinic: Clinic, text: str, two_way: bool) -> None:
    phone = TextingPhone(with_two_way_texts(clinic, two_way).app_context)
    row = phone.write(text)
    assert row.kind == "text"
    assert "help" not in phone.kinds
    with transaction(clinic.app_context.engine) as session:
        levels = [alert.level for alert in session.scalars(select(Alert))]
    assert levels == [Level.EMERGENCY]


def test_a_bare_command_raises_no_alert(clinic: Clinic) -> None:
    phone = TextingPhone(with_two_way_texts(clinic).app_context)
    for text in ("Help", "帮助", "help."):
        assert phone.write(text).kind == "command"
    with transaction(clinic.app_context.engine) as session:
        assert session.scalars(select(Alert)).all() == []


def test_a_cry_for_help_in_the_chat_is_screened(any_clinic: Clinic) -> None:
    turn = say(any_clinic.start(), "HELP!!!")
    assert turn.level is Level.EMERGENCY
    assert say(any_clinic.start(), "help").level is Level.NONE


def test_in_the_middle_of_a_conversation_advice_comes_instead_of_the_next_question(clinic: Clinic) -> None:
    phone = start_form_by_text(with_two_way_texts(clinic))
    phone.write("I want to kill myself")
    assert phone.kinds == ["question", "advice"]
    assert "12356" in phone.got[-1]
    phone.write("1")
    assert phone.kinds[-1] == "question"


def test_a_red_flag_is_never_answered_with_which_codes_there_are(clinic: Clinic) -> None:
    phone = start_form_by_text(with_two_way_texts(clinic))
    phone.write("there is a foul smell from my nose")
    assert phone.kinds == ["question", "safety"]


# --- a death ---------------------------------------------------------------------------------------------------------


def test_a_report_of_a_death_is_a_task_and_ends_questions_and_reminders(any_clinic: Clinic, clock: Clock) -> None:
    phone = start_form_by_text(with_two_way_texts(any_clinic))
    phone.write("我爸爸昨天晚上去世了")
    phone.write("谢谢你们")
    assert phone.kinds == ["question"]
    (task,) = any_clinic.rows(CallTask)
    assert (task.kind, task.participant_id) == (missed_forms.DEATH_TASK, any_clinic.participant_id)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.get_one(Participant, any_clinic.participant_id).next_due_at = work.now
    reminders.run_due_participants(any_clinic.app_context)
    assert len(any_clinic.rows(Message)) == 1
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert work.session.get_one(Participant, any_clinic.participant_id).next_due_at == clock.now + timedelta(
            hours=1
        )
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        missed_forms.log_call(
            work,
            at=work.now,
            outcome="reached_relative",
            text="",
            participant_id=any_clinic.participant_id,
            call_task_id=task.id,
        )
    phone.write("HELP")
    assert phone.kinds[-1] in ("help", "help_contact")


REPORTS = ["我奶奶去世了，这几天没填表", "我妈妈去世了", "我爸走了", "my mother died", "he is gone"]


@pytest.mark.parametrize("report", REPORTS)
def test_after_a_report_of_a_death_the_writer_may_be_the_participant(clinic: Clinic, report: str) -> None:
    phone = start_form_by_text(with_two_way_texts(clinic))
    phone.write(report)
    assert phone.kinds == ["question"]
    assert [task.kind for task in clinic.rows(CallTask)] == [missed_forms.DEATH_TASK]
    phone.write("谢谢你们")
    phone.write("there is a foul smell from his nose")
    assert phone.kinds == ["question"]
    phone.write("0")
    assert [answer.item for answer in clinic.rows(Answer)] == ["bleed"]
    assert phone.kinds == ["question", "question"]
    phone.write("我鼻子大出血止不住")
    assert phone.kinds == ["question", "question", "advice"]
    assert clinic.rows(Alert)[-1].level == Level.EMERGENCY
    phone.write("请退订")
    assert phone.kinds[-1] == "stopped"
    assert clinic.rows(Participant)[0].opted_out_at is not None
    phone.write("START")
    assert phone.kinds[-1] == "started"


@pytest.mark.parametrize("two_way", [True, False])
def test_a_stop_in_the_report_of_a_death_is_honoured(clinic: Clinic, two_way: bool) -> None:
    phone = TextingPhone(with_two_way_texts(clinic, two_way).app_context)
    phone.write("我爸爸走了，请不要再发短信了")
    assert [task.kind for task in clinic.rows(CallTask)] == [missed_forms.DEATH_TASK]
    assert clinic.rows(Participant)[0].opted_out_at is not None
    assert phone.kinds == ["stopped"]


def test_a_wish_to_die_beside_a_death_gets_the_crisis_line(clinic: Clinic) -> None:
    phone = TextingPhone(with_two_way_texts(clinic).app_context)
    phone.write("我妈妈去世了，我不想活了")
    (reply,) = phone.got
    assert "12356" in reply
    assert [task.kind for task in clinic.rows(CallTask)] == [missed_forms.DEATH_TASK]


def test_what_a_person_died_of_gets_no_advice(clinic: Clinic) -> None:
    phone = TextingPhone(with_two_way_texts(clinic).app_context)
    phone.write("爸爸昨天凌晨大出血走了")
    assert phone.kinds == []


def test_the_chat_answers_a_death_with_a_sentence_of_its_own(
    app: Flask, seeded: Study, app_context: AppContext
) -> None:
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin)
    for text in REPORTS:
        assert chat.replies(do="send", text=text).status_code == 200
        assert chat.bubbles[-2:] == [
            f"You: {text}",
            "Us: Thank you for telling us. A person of the team will call you.",
        ]
        assert "several of your replies" not in chat.page
        assert 'class="chip"' not in chat.page
        assert 'id="t"' not in chat.page
    with transaction(app_context.engine) as session:
        assert [task.kind for task in session.scalars(select(CallTask))] == [missed_forms.DEATH_TASK]
    chat.open(chat.at)
    assert 'class="chip"' in chat.page
    chat.taps_on(0)


# --- in parts --------------------------------------------------------------------------------------------------------


def test_a_text_in_parts_is_judged_together(any_clinic: Clinic, clock: Clock) -> None:
    phone = TextingPhone(any_clinic.app_context)
    phone.write("刚才鼻子里流了一大", deliver=False)
    clock.move(seconds=50)
    phone.write("碗血，止不住", deliver=False)
    assert any_clinic.rows(IncomingMessage)[-1].level == Level.EMERGENCY
    assert any_clinic.rows(Alert)[-1].level == Level.EMERGENCY


def test_parts_of_different_hours_are_not_one_text(any_clinic: Clinic, clock: Clock) -> None:
    phone = TextingPhone(any_clinic.app_context, number=STRANGER)
    phone.write("I cannot", deliver=False)
    clock.move(minutes=3)
    phone.write("breathe in the smell of the hospital soap", deliver=False)
    assert all(row.level < Level.EMERGENCY for row in any_clinic.rows(IncomingMessage))


# --- nobody pays for a flood -----------------------------------------------------------------------------------------


def test_a_number_gets_ten_paid_replies_an_hour_and_every_text_is_kept(clinic: Clinic, clock: Clock) -> None:
    phone = TextingPhone(with_two_way_texts(clinic).app_context)
    for _ in range(30):
        phone.write("HELP")
        clock.move(seconds=30)
    assert len(phone.got) == 10
    assert len(clinic.rows(IncomingMessage)) == 30
    clock.move(hours=1)
    phone.write("HELP")
    assert len(phone.got) == 11
