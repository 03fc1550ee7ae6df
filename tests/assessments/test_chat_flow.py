"""Test the chat: one question at a time, in both languages, in at most two text messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pro.app_context import UnitOfWork
from pro.core.questionnaire.page_flow import Progress
from pro.core.rule_language.level import Level
from pro.features.assessments import chat_flow, chat_wording
from pro.features.assessments.chat_flow import AskedQuestion, Channel, ReplyOutcome
from pro.features.duty_roster import notifications
from pro.features.forms import form_state
from pro.features.forms.form_access import FormSession
from pro.messaging import message_rendering
from pro.models import Answer, Assessment, IncomingMessage
from tests.support.alert_clinic import Clinic
from tests.support.form_browser import FormBrowser

QUIET_ZH = ["没有", "正常", "没有", "没有", "没有", "0", "普通饭菜", "没有", "没有", "没有", "没有", "没有", "没有"]
QUIET_EN = [
    "none",
    "normal",
    "no",
    "None",
    "0",
    "0",
    "normal food",
    "no",
    "0",
    "none",
    "no",
    "None",
    "no",
]


def shorten(clinic: Clinic) -> None:
    """Return the clinic with a short check-in."""
    with clinic.start().open_session() as (_work, here):
        here.assessment.page_set = "short"


@contextmanager
def talking(browser: FormBrowser) -> Iterator[tuple[UnitOfWork, FormSession]]:
    """Yield the unit of work of one reply."""
    with browser.open_session() as (work, here):
        yield work, here


def say(
    browser: FormBrowser, text: str, channel: Channel = "chat", language: str = "zh_Hans", item: str | None = None
) -> ReplyOutcome:
    """Send one reply."""
    with talking(browser) as (work, here):
        return chat_flow.take_reply(work, here, text, channel=channel, language=language, item=item)


def now_asked(browser: FormBrowser, language: str = "zh_Hans") -> AskedQuestion:
    """Return the current question."""
    with talking(browser) as (work, here):
        return chat_flow.next_question(work, form_state.read_form(work, here, language), language)


@pytest.mark.parametrize(("language", "texts"), [("zh_Hans", QUIET_ZH), ("en", QUIET_EN)])
def test_a_whole_short_check_in_by_text(any_clinic: Clinic, language: str, texts: list[str]) -> None:
    shorten(any_clinic)
    browser = any_clinic.start(language=language)
    happened = [say(browser, text, "sms", language).what for text in texts]
    assert happened == ["answered"] * (len(texts) - 1) + ["sent"]
    assert now_asked(browser, language).kind == "done"
    form = any_clinic.rows(Assessment)[0]
    assert form.submitted_at is not None
    answers = any_clinic.rows(Answer)
    assert {row.channel for row in answers} == {"sms"}
    assert all(row.value == 0 for row in answers)
    assert any_clinic.alerts() == {}


def test_the_chat_shows_the_review_first(clinic: Clinic) -> None:
    shorten(clinic)
    browser = clinic.start()
    for text in QUIET_ZH:
        say(browser, text)
    assert now_asked(browser).kind == "review"
    assert clinic.rows(Assessment)[0].submitted_at is None
    assert say(browser, "什么意思").what == "unclear"
    assert say(browser, "1").what == "sent"
    assert say(browser, "1").why == "submitted"


@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_every_question_fits_into_two_texts(clinic: Clinic, language: str) -> None:
    """Check every question of every instrument that is asked by text.

    English uses the seven-bit alphabet only, so that it is never counted as UCS-2.
    """
    catalogue = clinic.app_context.catalogue
    seen = 0
    for instrument in catalogue.instruments.values():
        if "sms" not in instrument.channels:
            continue
        with clinic.start().open_session() as (work, here):
            form = form_state.read_form(work, here, language)
            pages = [page for page in instrument.pages if page.id in instrument.page_sets["short"]]
            for page in pages:
                for name in page.items:
                    item = instrument.items[name]
                    words = form.words
                    text = chat_wording.question_text(
                        item, words, work.app_context.catalogs.translator(language).gettext
                    )
                    options = chat_flow.reply_options(form, item, words, "")
                    step = Progress(4, 9)
                    whole = chat_wording.message_text(
                        text, options, item, step, work.app_context.catalogs.translator(language).gettext
                    )
                    seen += 1
                    assert message_rendering.count_segments(whole) <= 2, (name, len(whole))
                    assert language != "en" or message_rendering.is_gsm7(whole), name
                    assert all(f"{code} = " in whole for code in item.codes)
    assert seen == 16


def test_a_question_says_which_time_it_is_about(clinic: Clinic) -> None:
    asked = now_asked(clinic.start(language="en"), "en")
    assert asked.text == "Last 24 hours: Did you bleed from your nose, mouth or throat?"
    assert asked.options[0] == ("0", "None")
    assert asked.kind == "choice"
    assert "0 = None\n1 = Only streaks or a few drops\n" in asked.whole


def test_back_asks_the_last_question_again(clinic: Clinic) -> None:
    shorten(clinic)
    browser = clinic.start()
    say(browser, "1")
    assert now_asked(browser).item == "bleed_now"
    say(browser, "没有")
    assert say(browser, "返回").what == "back"
    assert now_asked(browser).item == "bleed_now"
    assert say(browser, "back").what == "back"
    assert now_asked(browser).item == "bleed"
    assert say(browser, "back").what == "back"
    assert now_asked(browser).item == "bleed"
    assert [row.state for row in clinic.rows(Answer)] == ["given", "given", "withdrawn", "withdrawn"]


def test_back_from_a_list_takes_back_what_it_said(clinic: Clinic) -> None:
    browser = clinic.start(language="en")
    browser.save(bleed=0, breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0, nosebleed7=0, odor=0)
    browser.save(discharge=0, headache=0, new_cn=0, sores=0)
    asked = now_asked(browser, "en")
    assert asked.kind == "list"
    assert asked.options[-1] == ("0", "None of these")
    assert say(browser, "none of these", language="en").what == "answered"
    assert "hearing" in browser.form().answers
    say(browser, "back", language="en")
    assert now_asked(browser, "en").item == "other7"
    assert "hearing" not in browser.form().answers
    assert say(browser, "1, 2", language="en").what == "answered"
    assert now_asked(browser, "en").item == "hearing"


def test_skip_is_kept_as_a_skip_and_an_unclear_text_as_nothing(clinic: Clinic) -> None:
    browser = clinic.start()
    assert say(browser, "跳过").what == "skipped"
    unclear = say(browser, "7")
    assert (unclear.what, unclear.why) == ("unclear", "no_such_option")
    assert [(row.item, row.state) for row in clinic.rows(Answer)] == [("bleed", "skipped")]
    assert say(browser, "帮助").command == "help"
    assert say(browser, "STOP").command == "stop"
    assert say(browser, "语言").command == "language"


def test_an_emergency_shows_its_advice_until_it_was_read(clinic: Clinic) -> None:
    browser = clinic.start()
    turn = say(browser, "4")
    assert (turn.what, turn.level) == ("advice", Level.EMERGENCY)
    asked = now_asked(browser)
    assert asked.kind == "advice"
    assert "120" in asked.text
    assert say(browser, "知道了").what == "answered"
    assert now_asked(browser).item == "bleed_now"


def test_back_from_the_advice_corrects_the_answer(clinic: Clinic) -> None:
    browser = clinic.start()
    say(browser, "4")
    assert say(browser, "返回").what == "back"
    assert now_asked(browser).item == "bleed"
    assert clinic.alerts()["E01"].advised_at is not None


def test_words_beside_an_answer_are_read_for_red_flags(clinic: Clinic) -> None:
    browser = clinic.start()
    turn = say(browser, "没有，但是我喘不过气")
    assert turn.level is Level.EMERGENCY
    # The page that the form shows for it, instead of the sentence.
    assert turn.form.advice is not None
    [row] = clinic.rows(IncomingMessage)
    assert row.level == Level.EMERGENCY
    alert = clinic.alerts()["TEXT"]
    assert alert.source == f"{notifications.TEXT_CASE_PREFIX}{row.id}"
    assert clinic.mails()


def test_an_option_as_a_whole_is_judged_by_the_rules_only(clinic: Clinic) -> None:
    browser = clinic.start()
    say(browser, "只有血丝或几滴")
    assert clinic.rows(IncomingMessage) == []
    assert "TEXT" not in clinic.alerts()


def test_a_reply_to_a_question_that_is_not_asked_any_more_is_not_kept(clinic: Clinic) -> None:
    browser = clinic.start()
    assert say(browser, "0", item="bleed").what == "answered"
    late = say(browser, "0", item="bleed")
    assert (late.what, late.why) == ("unclear", "moved_on")
    assert [row.item for row in clinic.rows(Answer)] == ["bleed"]


def test_a_form_begun_by_text_is_finished_on_the_web(clinic: Clinic) -> None:
    shorten(clinic)
    browser = clinic.start()
    say(browser, "0", "sms")
    browser.save(breath=0, chest=0)
    assert now_asked(browser).item == "palp"
    with browser.open_session() as (work, here):
        said = chat_flow.transcript(work, form_state.read_form(work, here, "zh_Hans"), "zh_Hans")
    assert [(line.item, line.said, line.channel) for line in said] == [
        ("bleed", "没有", "sms"),
        ("breath", "正常", "web"),
        ("chest", "没有", "web"),
    ]


def test_skip_at_the_review_sends_nothing(clinic: Clinic) -> None:
    browser = clinic.start()
    shorten(clinic)
    for text in QUIET_ZH:
        say(browser, text)
    assert now_asked(browser).kind == "review"
    for text in ("跳过", "skip"):
        assert say(browser, text).what == "unclear"
    assert clinic.rows(Assessment)[0].submitted_at is None
    assert say(browser, "1").what == "sent"
