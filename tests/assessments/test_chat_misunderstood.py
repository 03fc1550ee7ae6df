"""Test the chat when replies are not understood again and again, and typed readings."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.models import CallTask, Participant
from tests.support.chat_browser import ChatBrowser
from tests.support.factories import Clock, Study
from tests.support.participant_browser import stored_answers


@pytest.fixture
def begun(app: Flask, seeded: Study) -> ChatBrowser:
    """Return a phone on the first question of the Chinese check-in, in the chat."""
    phone = ChatBrowser(app)
    phone.begins(seeded.chinese.checkin)
    return phone


def tasks(app_context: AppContext) -> list[str]:
    """Return the kinds of the call tasks."""
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(CallTask.kind)))


def test_after_three_replies_that_are_not_understood_a_person_is_called_in(
    begun: ChatBrowser, app_context: AppContext
) -> None:
    for text in ("今天天气好", "我去过医院"):
        begun.replies(do="send", text=text)
        assert tasks(app_context) == []
        assert "给您打电话" not in begun.bubbles[-1]
    begun.replies(do="send", text="我老婆说")
    assert tasks(app_context) == ["answer_unclear"]
    assert any("给您打电话" in bubble and "0791-0000 0000" in bubble for bubble in begun.bubbles[-2:])
    begun.replies(do="send", text="还是不懂")
    assert tasks(app_context) == ["answer_unclear"]


def test_an_answer_in_between_starts_the_count_again(begun: ChatBrowser, app_context: AppContext, clock: Clock) -> None:
    for _question in range(3):
        for text in ("今天天气好", "我去过医院", "", "  "):
            begun.replies(do="send", text=text)
        clock.move(minutes=1)
        begun.taps_on(0)
        clock.move(minutes=1)
    assert tasks(app_context) == []


def test_a_text_that_is_too_long_counts_too(begun: ChatBrowser, app_context: AppContext) -> None:
    for _time in range(3):
        begun.replies(do="send", text="今天天气好" * 300)
    assert tasks(app_context) == ["answer_unclear"]


@pytest.mark.parametrize("text", ["停止", "不要再发了", "不想填了"])
def test_what_may_be_a_stop_is_answered_with_how_to_stop(
    begun: ChatBrowser, app_context: AppContext, text: str
) -> None:
    begun.replies(do="send", text=text)
    assert "退订" in begun.bubbles[-1]
    with transaction(app_context.engine) as session:
        assert session.scalars(select(Participant.opted_out_at)).all() == [None, None]


def test_what_the_tester_typed_is_understood(begun: ChatBrowser, seeded: Study, app_context: AppContext) -> None:
    begun.says("有一点吧")
    begun.taps_on(0)
    for text in ("走路有点喘", "有点闷", "没有", "没有晕过", "38度5"):
        # An answer that is a red flag is shown with the safety sentence, and an emergency on its page.
        assert begun.replies(do="send", text=text).status_code in (200, 303), text
        if "advice" in begun.page and 'value="understood"' in begun.page:
            begun.press(do="understood")
    stored = stored_answers(app_context, seeded.chinese.checkin)
    assert {name: stored[name] for name in ("bleed", "breath", "chest", "faint", "temp")} == {
        "bleed": 1, "breath": 2, "chest": 1, "faint": 0, "temp": 2,
    }  # fmt: skip
