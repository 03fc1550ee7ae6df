"""Test what the participant is told: what changed, who was told, what comes next, how to correct an answer."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.db import transaction
from pro.messaging import outbox
from pro.models import Alert, Assessment, IncomingMessage
from tests.support.chat_browser import ChatBrowser
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, answer_until_list
from tests.support.texting_phone import RecordingSmsSender


@pytest.fixture
def begun(app: Flask, seeded: Study) -> ParticipantBrowser:
    """Return a phone on the first question of the English check-in."""
    phone = ParticipantBrowser(app)
    phone.start(seeded.english.checkin)
    return phone


def to_the_review(phone: ParticipantBrowser, **answers: int) -> None:
    """Answer everything with 0, or as ``answers`` says, up to the review."""
    answer_until_list(phone, **answers)
    phone.press(do="none")
    phone.press(do="next", weight="", free_text="")
    assert phone.heading == "Check your answers, then send"


def is_sent(app_context: AppContext, seeded: Study) -> bool:
    """Return whether the check-in was submitted."""
    with transaction(app_context.engine) as session:
        return session.get_one(Assessment, seeded.english.checkin.assessment_id).submitted_at is not None


# --- an outdated review ----------------------------------------------------------------------------------------------


def test_an_outdated_review_shows_what_changed_before_it_sends(
    app: Flask, begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    to_the_review(begun)
    other = ParticipantBrowser(app)
    other.start(seeded.english.checkin, by="helped")
    other.open(f"/f/{seeded.english.checkin.ref}/2?from=review")
    other.press(value=1)
    answer = begun.press(do="send")
    assert answer.status_code == 200
    assert not is_sent(app_context, seeded)
    assert "Not sent yet: something has changed" in begun.page
    assert begun.page.count("<strong>Changed</strong>") == 1
    assert "<dt>Breathing <strong>Changed</strong></dt>" in begun.page
    assert begun.press(do="send").status_code == 303
    assert is_sent(app_context, seeded)


def test_a_review_that_does_not_say_what_it_showed_is_shown_again(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    to_the_review(begun)
    for seen in ("", "x", "9" * 30, "1"):
        assert begun.post(begun.at, do="send", seen=seen).status_code == 200
        assert not is_sent(app_context, seeded)


def test_an_outdated_chat_shows_what_changed_before_it_sends(
    app: Flask, seeded: Study, app_context: AppContext
) -> None:
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin)
    while chat.item:
        if 'class="chip"' in chat.page and chat.item != "other7":
            chat.taps_on(0)
        else:
            chat.replies(do="none" if chat.item == "other7" else "skip")
    other = ParticipantBrowser(app)
    other.start(seeded.english.checkin)
    other.open(f"/f/{seeded.english.checkin.ref}/2?from=review")
    other.press(value=1)
    assert chat.replies(value=1).status_code == 200
    assert not is_sent(app_context, seeded)
    assert "Breathing: Short of breath when walking fast or upstairs." in chat.bubbles[-1]
    assert chat.replies(value=1).status_code == 303
    assert is_sent(app_context, seeded)


@pytest.mark.parametrize(("text", "is_kept"), [("大出血止不住", True), ("there is a foul smell", True), ("1", False)])
def test_what_is_typed_to_a_question_that_another_phone_answered_is_read(
    app: Flask, seeded: Study, app_context: AppContext, text: str, is_kept: bool
) -> None:
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin)
    while chat.item != "free_text":
        if 'class="chip"' in chat.page and chat.item != "other7":
            chat.taps_on(0)
        else:
            chat.replies(do="none" if chat.item == "other7" else "skip")
    other = ChatBrowser(app)
    other.begins(seeded.english.checkin)
    assert other.item == "free_text"
    assert other.replies(do="skip").status_code == 303
    assert other.item == ""
    with transaction(app_context.engine) as session:
        before = len(session.scalars(select(IncomingMessage)).all())
    assert chat.replies(do="send", text=text).status_code == 200
    assert not is_sent(app_context, seeded)
    with transaction(app_context.engine) as session:
        assert len(session.scalars(select(IncomingMessage)).all()) == before + is_kept
        levels = [alert.level for alert in session.scalars(select(Alert)) if alert.level >= Level.URGENT]
    if text == "大出血止不住":
        # The same page that the form shows for it.
        assert levels == [Level.EMERGENCY]
        assert 'name="do" value="understood"' in chat.page
        return
    assert levels == ([Level.URGENT] if is_kept else [])
    assert f"You: {text}" in chat.bubbles
    assert "Not sent yet" in chat.bubbles[-1]
    assert ("Do not wait for us" in chat.page) is is_kept
    assert chat.replies(value=1).status_code == 303
    assert is_sent(app_context, seeded)


def test_the_review_says_that_the_form_is_not_sent_without_network(
    app: Flask, begun: ParticipantBrowser, seeded: Study
) -> None:
    assert "This is not saved yet" in begun.page
    to_the_review(begun)
    assert "The form is not sent yet" in begun.page
    assert "Not sent yet, please tap again." in begun.page
    assert "not saved yet" not in begun.page.lower()
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin)
    assert chat.item == ""
    assert "The form is not sent yet" in chat.page


# --- the team was told -----------------------------------------------------------------------------------------------


def test_an_urgent_answer_is_followed_by_what_the_team_knows(
    app: Flask, begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0)
    assert "the team" not in begun.page
    begun.tap(2)
    assert "We are telling the team about your answers now." in begun.page
    senders = {"sms": RecordingSmsSender(), "email": RecordingSmsSender()}
    outbox.deliver(app_context, senders, "test:1")
    begun.open(f"/f/{seeded.english.checkin.ref}/3")
    assert "The team has been told about your answers." in begun.page
    assert 'href="tel:120"' in begun.page
    # On resuming in another browser, and in the chat.
    again = ParticipantBrowser(app)
    again.open(seeded.english.checkin.path)
    assert "The team has been told about your answers." in again.page
    chat = ChatBrowser(app)
    chat.begins(seeded.english.checkin)
    assert "The team has been told about your answers." in chat.page


def test_what_was_not_sent_is_not_called_told(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    begun.tap(0)
    begun.tap(2)
    outbox.deliver(app_context, {}, "test:1")
    begun.open(f"/f/{seeded.english.checkin.ref}/3")
    assert "has been told" not in begun.page
    with transaction(app_context.engine) as session:
        for alert in session.query(Alert):
            alert.acknowledged_at = app_context.clock()
            alert.acknowledged_by = seeded.staff["nurse"].id
    begun.open(f"/f/{seeded.english.checkin.ref}/3")
    assert "The team has been told about your answers." in begun.page


def test_an_emergency_after_a_message_about_an_urgent_answer_is_not_called_told(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    """Found: the message about an earlier urgent answer was taken for one about the emergency."""
    senders = {"sms": RecordingSmsSender(), "email": RecordingSmsSender()}
    page = f"/f/{seeded.english.checkin.ref}/3"
    begun.tap(0)
    begun.tap(2)
    outbox.deliver(app_context, senders, "test:1")
    clock.move(minutes=1)
    begun.open(f"/f/{seeded.english.checkin.ref}/2")
    begun.tap(3)
    begun.press(do="understood")
    begun.open(page)
    assert "We are telling the team about your answers now." in begun.page
    assert "has been told" not in begun.page
    outbox.deliver(app_context, senders, "test:1")
    begun.open(page)
    assert "The team has been told about your answers." in begun.page


def test_an_acknowledged_urgent_answer_does_not_stand_for_a_later_emergency(
    begun: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    begun.tap(0)
    begun.tap(2)
    with transaction(app_context.engine) as session:
        for alert in session.query(Alert):
            alert.acknowledged_at = app_context.clock()
            alert.acknowledged_by = seeded.staff["nurse"].id
    clock.move(minutes=1)
    while begun.shown != "swallow":
        begun.tap(1 if begun.shown == "faint" else 0)
        if 'class="sos' in begun.page:
            begun.press(do="understood")
    assert "We are telling the team about your answers now." in begun.page


# --- after sending ---------------------------------------------------------------------------------------------------


def test_the_link_of_a_sent_form_leads_to_the_next_one(
    app: Flask, begun: ParticipantBrowser, seeded: Study, app_context: AppContext
) -> None:
    to_the_review(begun)
    begun.press(do="send")
    again = ParticipantBrowser(app)
    again.open(seeded.english.checkin.path)
    assert "You have one more form; here it is." in again.page
    answer = again.press(by="self")
    assert answer.headers["Location"].startswith(f"/f/{seeded.english.qlq.ref}/")
    # A page that showed another form starts nothing.
    stale = ParticipantBrowser(app)
    stale.open(seeded.english.checkin.path)
    assert stale.post(seeded.english.checkin.path, by="self").status_code == 200


def test_after_an_emergency_the_link_shows_it_first(app: Flask, begun: ParticipantBrowser, seeded: Study) -> None:
    begun.tap(4)
    begun.press(do="understood")
    to_the_review(begun)
    begun.press(do="send")
    again = ParticipantBrowser(app)
    again.open(seeded.english.checkin.path)
    assert again.heading == "We already have this form"
    assert "the team about your answers" in again.page
    again.open(f"{seeded.english.checkin.path}?next=1")
    assert again.press(by="self").headers["Location"].startswith(f"/f/{seeded.english.qlq.ref}/")


def test_the_last_page_repeats_the_steps_and_says_how_to_correct_an_answer(begun: ParticipantBrowser) -> None:
    begun.tap(4)
    [steps] = [begun.page[begun.page.index('<ol class="steps">') : begun.page.index("</ol>")]]
    begun.press(do="understood")
    to_the_review(begun)
    begun.press(do="send")
    assert steps in begun.page
    assert "Was an answer wrong, or do you want to add something? Call us" in begun.page
