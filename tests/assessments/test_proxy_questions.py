"""Test that a proxy is asked about the participant, and nobody else is."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from tests.support.chat_browser import ChatBrowser
from tests.support.factories import Study
from tests.support.participant_browser import ParticipantBrowser


def test_a_proxy_is_asked_about_the_participant(app: Flask, seeded: Study) -> None:
    for way, asked, note in (
        (
            seeded.english.checkin,
            "Did the participant bleed from nose, mouth or throat?",
            "You answer for the participant.",
        ),
        (seeded.chinese.checkin, "病人本人的鼻子、嘴或喉咙有没有出血？", "您在替病人本人回答。"),
    ):
        phone = ParticipantBrowser(app)
        phone.start(way, by="proxy")
        assert phone.heading == asked
        assert note in phone.page


@pytest.mark.parametrize("by", ["self", "helped"])
def test_a_participant_is_asked_directly(app: Flask, seeded: Study, by: str) -> None:
    phone = ParticipantBrowser(app)
    phone.start(seeded.english.checkin, by=by)
    assert phone.heading == "Did you bleed from your nose, mouth or throat?"
    assert "You answer for the participant" not in phone.page


def test_a_proxy_in_the_chat_is_asked_about_the_participant_in_the_thread_too(app: Flask, seeded: Study) -> None:
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin, by="proxy")
    chat.taps_on(0)
    assert "Did the participant bleed from nose, mouth or throat?" in chat.bubbles[1]
    assert "How is the participant breathing?" in chat.bubbles[-1]


def test_licensed_wording_stays_and_a_note_says_whom_it_is_about(app: Flask, seeded: Study) -> None:
    phone = ParticipantBrowser(app)
    phone.start(seeded.english.qlq, by="proxy")
    assert "“You” in the questions means the participant." in phone.page


def test_no_question_to_a_proxy_says_you(app_context: AppContext) -> None:
    for language, word in (("en", r"\byou|\byour"), ("zh_Hans", "您")):
        words = app_context.catalogue.words["npc_checkin", language]
        for name, item in words.for_proxy().items.items():
            for said in (item.question, item.short):
                assert not re.search(word, said, re.IGNORECASE), (language, name, said)


def test_staff_and_participant_see_the_short_name_as_before(app_context: AppContext) -> None:
    words = app_context.catalogue.words["npc_checkin", "en"]
    assert words.items["selfharm"].short == "Thoughts of ending your life"
    assert words.for_proxy().items["selfharm"].short == "Thoughts of ending their life"
