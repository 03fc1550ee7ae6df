"""Test incoming texts: red flags first, then keywords and answers; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pro.core.rule_language.level import Level
from pro.features.alerts import message_reading
from pro.features.schedule import participation_end
from pro.features.text_messages import text_answers
from pro.messaging import message_rendering
from pro.models import Alert, Answer, Assessment, CallTask, IncomingMessage, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock
from tests.support.form_browser import run_concurrently
from tests.support.texting_phone import TextingPhone, start_form_by_text, with_two_way_texts

QUIET = ["没有", "正常", "没有", "没有", "没有", "0", "普通饭菜", "没有", "没有", "没有", "没有", "没有", "没有"]


def person(clinic: Clinic) -> Participant:
    return clinic.rows(Participant)[0]


def emergencies(clinic: Clinic) -> int:
    return sum(alert.rule == "TEXT" and alert.level == Level.EMERGENCY for alert in clinic.rows(Alert))


def test_a_whole_check_in_by_text(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    for text in QUIET:
        texter.write(text)
    form = any_clinic.rows(Assessment)[0]
    assert form.submitted_at is not None
    assert (form.page_set, form.completion_mode, form.identified_by) == ("short", "sms", "phone")
    assert texter.kinds == ["question"] * len(QUIET) + ["thanks"]
    assert texter.got[0].startswith("过去24小时：您的鼻子、嘴或喉咙有没有出血？\n0 = 没有\n1 = ")
    assert all(message_rendering.count_segments(text) <= 2 for text in texter.got)
    assert {row.kind for row in any_clinic.rows(IncomingMessage)} == {"answer"}
    assert any_clinic.alerts() == {}


def test_the_language_is_changed_in_the_middle_and_the_question_comes_again(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    texter.write("LANGUAGE")
    assert texter.got[-1].startswith("Last 24 hours: How is your breathing?")
    texter.write("normal")
    assert texter.got[-1].startswith("Last 24 hours: How bad was any chest pain")
    assert person(clinic).language == "en"
    assert all(message_rendering.is_gsm7(text) for text in texter.got[2:])


def test_begun_by_text_and_finished_by_link(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0")
    phone = clinic.start()
    phone.save(breath=0, chest=0)
    assert texter.write("0").reason == "moved_on"
    texter.write("0")
    phone.save(faint=0)
    texter.write("返回")
    assert texter.got[-1].startswith("过去24小时：有没有晕倒？")
    phone.finish()
    assert clinic.rows(Assessment)[0].submitted_at is not None
    late = texter.write("谢谢")
    assert late.kind == "late"


def test_an_emergency_sends_its_advice_at_once(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    texter.write("4")
    assert texter.kinds[-1] == "advice"
    assert "120" in texter.got[-1]
    assert any_clinic.alerts()["E01"].level == Level.EMERGENCY
    texter.write("1")
    assert texter.got[-1].startswith("现在：现在还在出血吗？")


def test_a_red_flag_is_told_and_answered_whatever_else_the_text_is(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    row = texter.write("0，可是我喘不过气")
    assert any_clinic.alerts()["TEXT"].source == f"inbound:{row.id}"
    assert row.level == Level.EMERGENCY
    assert texter.kinds[1] == "advice"
    assert "120" in texter.got[1]
    assert any_clinic.mails()


def test_the_safety_sentence_comes_at_most_once_an_hour(clinic: Clinic, clock: Clock) -> None:
    texter = TextingPhone(clinic.app_context)
    texter.write("流鼻血了")
    texter.write("还在流鼻血")
    assert texter.kinds == ["safety"]
    clock.move(minutes=61)
    texter.write("又流鼻血了")
    assert texter.kinds == ["safety", "safety"]
    assert len([alert for alert in clinic.rows(Alert) if alert.rule == "TEXT"]) == 3


def test_a_negated_hit_is_told_quietly_and_brings_no_safety_sentence(clinic: Clinic) -> None:
    texter = TextingPhone(clinic.app_context)
    texter.write("今天没有流鼻血")
    assert texter.kinds == []
    assert clinic.alerts()["TEXT"].level == Level.WATCH


def test_after_stop_an_emergency_is_answered_all_the_same(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("退订")
    assert texter.kinds[-1] == "stopped"
    assert person(clinic).opted_out_at is not None
    texter.write("stop")
    assert texter.kinds.count("stopped") == 1
    texter.write("0")
    assert texter.kinds[-1] == "stopped"
    assert [row.item for row in clinic.rows(Answer)] == ["bleed"], "the right to answer stays"
    texter.write("我喘不过气")
    assert texter.kinds[-1] == "advice"
    texter.write("START")
    assert texter.kinds[-1] == "started"
    assert person(clinic).opted_out_at is None


def test_what_waits_is_dropped_by_stop_but_not_the_safety_sentence(clinic: Clinic) -> None:
    texter = TextingPhone(clinic.app_context)
    texter.write("流鼻血了", deliver=False)
    texter.write("STOP", deliver=False)
    texter.wait()
    assert sorted(texter.kinds) == ["safety", "stopped"]


def test_two_clarifications_then_a_code_and_a_task_then_nothing(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    for _ in range(5):
        texter.write("嗯哪个呢")
    assert texter.kinds[1:] == ["clarify", "clarify", "onward_code"]
    assert "0, 1, 2, 3, 4" in texter.got[1]
    [task] = clinic.rows(CallTask)
    assert (task.kind, task.participant_id) == ("answer_unclear", clinic.participant_id)
    texter.write("0")
    assert texter.kinds[-1] == "question"
    assert clinic.rows(CallTask)[0].outcome == "answered"


def test_an_unknown_number_waits_for_a_person_and_its_red_flag_is_told(any_clinic: Clinic) -> None:
    stranger = TextingPhone(any_clinic.app_context, number="+8613700137000")
    row = stranger.write("我妈妈大出血了")
    assert (row.kind, row.participant_id, row.level) == ("unmatched", None, Level.EMERGENCY)
    assert stranger.kinds == ["safety"]
    assert stranger.got == ["如果情况紧急，请马上打120，或者去最近的急诊，不要等回复。（09:00）"]
    assert {mail.params["level"] for mail in any_clinic.mails("unknown_sender")} == {"emergency"}
    assert any_clinic.rows(Alert) == []


def test_two_people_with_one_phone_are_never_guessed(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        factories.participant(work, "NPC-009")
    texter = TextingPhone(clinic.app_context)
    assert texter.write("0").kind == "unmatched"
    assert clinic.rows(Answer) == []
    texter.write("STOP")
    assert all(row.opted_out_at for row in clinic.rows(Participant)), "nobody with this number gets more"


def test_a_late_reply_stays_with_its_form(clinic: Clinic, clock: Clock) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    clock.move(days=40)
    row = texter.write("0")
    assert (row.kind, row.assessment_id) == ("late", clinic.checkin.assessment_id)
    assert clinic.rows(Answer) == []


def test_a_reply_sent_twice_does_not_answer_the_next_question(clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(clinic))
    texter.write("0", deliver=False)
    again = texter.write("0", deliver=False)
    assert (again.kind, again.reason) == ("unclear", "too_soon")
    assert [row.item for row in clinic.rows(Answer)] == ["bleed"]


def test_without_two_way_texts_there_is_only_safety_help_and_stop(clinic: Clinic) -> None:
    texter = TextingPhone(clinic.app_context)
    for text in ("0", "什么时候复查", "语言", "HELP", "返回"):
        texter.write(text)
    assert texter.kinds == ["help_contact"]
    texter.write("发烧了")
    texter.write("STOP")
    assert texter.kinds == ["help_contact", "safety", "stopped"]
    assert clinic.rows(Answer) == []
    assert [row.kind for row in clinic.rows(IncomingMessage)][:2] == ["text", "text"]


def test_the_same_text_delivered_twice_at_once_is_answered_once(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    run_concurrently(*(lambda: texter.write("0", "SMsame", deliver=False) for _ in range(4)))
    texter.wait()
    assert len(any_clinic.rows(IncomingMessage)) == 1
    assert len(any_clinic.rows(Answer)) == 1
    assert texter.kinds == ["question", "question"]


def test_two_texts_at_once_are_taken_one_after_the_other(any_clinic: Clinic) -> None:
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    run_concurrently(
        lambda: texter.write("0", deliver=False),
        lambda: texter.write("我喘不过气", deliver=False),
        lambda: texter.write("还是喘不过气", deliver=False),
    )
    texter.wait()
    assert texter.kinds.count("advice") >= 1
    assert len([alert for alert in any_clinic.rows(Alert) if alert.rule == "TEXT"]) == 2


# Complete texts that are red flags, as typed in both languages, also in full-width letters, with emoji, with more text
# around them.
FLAGS = (
    "喘不过气",
    "I can't breathe",
    "Ｉ ｃａｎ＇ｔ ｂｒｅａｔｈｅ",
    "喘不过气😭😭",
    "我 can't breathe 了，help",
    "4。喘不过气！！！",
)
REPLIES = (
    "0",
    "4",
    "１",
    "③",
    "62",
    "返回",
    "back",
    "skip",
    "跳过",
    "STOP",
    "START",
    "退订",
    "语言",
    "LANGUAGE",
    "没有",
    "mild",
)
OTHERS = ("👍🏽", "0 😀", "还好啦, thanks", "not too bad 吧", "\u202e0", "ﾊﾟ", "", " \n ", "\x00")
LONG = st.sampled_from([*REPLIES, *OTHERS, "长", "x", "😀", "好，"]).map(lambda piece: (piece or "。") * 1600)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(REPLIES),
    st.sampled_from(OTHERS),
    st.sampled_from(FLAGS),
    # No other sentence in the text cancels a red flag.
    st.tuples(st.sampled_from(["早饭吃了粥。", "Had soup today. "]), st.sampled_from(FLAGS)).map(
        lambda parts: parts[0] * 90 + parts[1]
    ),
    LONG,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, max_size=8))
@example(list(FLAGS))
@example([*REPLIES, *OTHERS])
def test_no_sequence_of_texts_breaks_or_loses_a_red_flag(clinic: Clinic, texts: list[str]) -> None:
    texter = (
        TextingPhone(with_two_way_texts(clinic).app_context)
        if clinic.rows(Message)
        else start_form_by_text(with_two_way_texts(clinic))
    )
    before, kept = emergencies(clinic), len(clinic.rows(IncomingMessage))
    for text in texts:
        texter.write(text)
    assert emergencies(clinic) >= before + sum(text.endswith(FLAGS) for text in texts)
    assert len(clinic.rows(IncomingMessage)) == kept + len(texts), "every text is kept"
    items = clinic.app_context.catalogue.instruments["npc_checkin"].items
    for row in clinic.rows(Answer):
        assert row.value is None or items[row.item].accepts(row.value)


# --- a step that fails costs no other --------------------------------------------------------------------------------


def broken(*_given: object, **_named: object) -> None:
    raise KeyError("words")


def test_the_safety_sentence_goes_out_although_the_next_question_cannot_be_composed(
    any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: only an emergency got it."""
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    monkeypatch.setattr(text_answers, "next_step", broken)
    texter.write("there is a foul smell from my nose")
    assert texter.kinds == ["question", "safety"]
    assert any_clinic.rows(Alert)[-1].level == Level.URGENT


@pytest.mark.parametrize("words", ["STOP", "嗯，退订", "START", "嗯，开始吧", "HELP", "嗯，帮助"])
def test_a_command_that_fails_waits_for_a_reader(
    any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Found: it was filed as a command, which no person reads."""
    texter = start_form_by_text(with_two_way_texts(any_clinic))
    for module, name in (
        (participation_end, "opt_out"),
        (participation_end, "opt_in"),
        (text_answers, "help_text"),
    ):
        monkeypatch.setattr(module, name, broken)
    row = texter.write(words)
    assert row.kind in ("unclear", "text")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert message_reading.unread_count(work) == 1


@pytest.mark.parametrize("words", ["STOP", "START"])
def test_a_command_of_a_shared_number_that_fails_costs_no_text(
    any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    second = any_clinic.another(factories.PLAN, "NPC-002")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        first = work.session.get_one(Participant, any_clinic.participant_id)
        other = work.session.get_one(Participant, second.participant_id)
        other.phone_sealed, other.phone_fingerprint = first.phone_sealed, first.phone_fingerprint
    for name in ("opt_out", "opt_in"):
        monkeypatch.setattr(participation_end, name, broken)
    assert TextingPhone(any_clinic.app_context).write(words).kind == "unmatched"
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert message_reading.unread_count(work) == 1


def test_advice_of_the_conversation_is_not_sent_again_within_the_hour(clinic: Clinic, clock: Clock) -> None:
    """Found: the second emergency text, to which the form could not be asked on, got the same block again."""
    two_way = with_two_way_texts(clinic)
    texter = start_form_by_text(two_way)
    texter.write("大出血止不住")
    assert texter.kinds == ["question", "advice"]
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(Assessment, clinic.checkin.assessment_id).cancelled_at = work.now
    texter.write("还是大出血止不住")
    assert texter.kinds == ["question", "advice"]
    clock.move(hours=1, seconds=1)
    texter.write("又大出血止不住")
    assert texter.kinds == ["question", "advice", "advice"]
