"""Test the messages that staff send to a participant by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.errors import BadData, NotAllowed
from pro.features.schedule import participation_end
from pro.features.text_messages import staff_replies
from pro.messaging import message_rendering
from pro.models import Message, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock


def two_way(clinic: Clinic) -> Clinic:
    return replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, sms_two_way=True))
    )


def send(clinic: Clinic, kind: str = "staff_call", text: str = "", language: str = "zh_Hans") -> Message | None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        person.language = language
        return staff_replies.send_reply(work, person, kind, text)


@pytest.mark.parametrize("kind", staff_replies.FIXED)
def test_a_fixed_text_goes_through_the_outbox_in_their_language(clinic: Clinic, kind: str) -> None:
    send(clinic, kind)
    (mail,) = clinic.mails(kind)
    assert mail.to == "+8613800138000"
    assert "0791-0000 0000" in mail.body
    assert "120" in mail.body
    assert (mail.row.channel, mail.row.language, mail.row.participant_id) == ("sms", "zh_Hans", clinic.participant_id)
    assert mail.row.not_after is not None
    (event,) = clinic.events(staff_replies.REPLIED)
    assert (event.actor_id, event.new) == (clinic.nurse.id, {"template": kind})


@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_the_choice_shows_what_will_go_out(clinic: Clinic, language: str) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        person.language = language
        said = staff_replies.fixed_texts(work, person)
        for kind in staff_replies.FIXED:
            staff_replies.send_reply(work, person, kind)
    assert {kind: clinic.mails(kind)[0].body for kind in said} == said
    assert all(message_rendering.count_segments(text) <= 2 for text in said.values())


def test_pressed_twice_it_goes_once_and_later_again(any_clinic: Clinic, clock: Clock) -> None:
    form_browser.run_concurrently(lambda: send(any_clinic), lambda: send(any_clinic))
    assert len(any_clinic.mails("staff_call")) == 1
    assert send(any_clinic, "staff_soon") is not None
    clock.move(minutes=2)
    assert send(any_clinic) is not None


def test_own_words_where_texts_go_both_ways(clinic: Clinic) -> None:
    send(two_way(clinic), staff_replies.FREE, "  您好，明天八点来。 ")
    (mail,) = clinic.mails(staff_replies.FREE)
    assert mail.body.endswith("您好，明天八点来。")
    assert mail.row.dedupe_key.count("您") == 0


@pytest.mark.parametrize(
    ("both_ways", "kind", "text", "fields"),
    [
        (False, staff_replies.FREE, "hello", {"text": "reply_fixed_only"}),
        (True, staff_replies.FREE, "  ", {"text": "reply_empty"}),
        (True, staff_replies.FREE, "a\x00b", {"text": "unreadable"}),
        (True, staff_replies.FREE, "您" * 135, {"text": "reply_too_long"}),
        (True, staff_replies.FREE, "a" * 400, {"text": "reply_too_long"}),
        (True, "form_message", "", {"kind": "unknown"}),
        (True, "", "", {"kind": "unknown"}),
    ],
)
def test_what_is_refused(clinic: Clinic, both_ways: bool, kind: str, text: str, fields: dict[str, str]) -> None:
    with pytest.raises(BadData) as refusal:
        send(two_way(clinic) if both_ways else clinic, kind, text)
    assert refusal.value.details["fields"] == fields
    assert clinic.rows(Message) == []


@pytest.mark.parametrize(("text", "segments"), [("您" * 135, 3), ("a" * 430, 3), ("a" * 320, 3), ("Ja–" * 50, 3)])
def test_a_text_that_is_too_long_says_how_many(clinic: Clinic, text: str, segments: int) -> None:
    with pytest.raises(BadData) as refusal:
        send(two_way(clinic), staff_replies.FREE, text, "en" if text.isascii() else "zh_Hans")
    assert refusal.value.details["segments"] == segments


@pytest.mark.parametrize("text", ["您" * 100, "a" * 270, "line one\nline two"])
def test_two_are_fine(clinic: Clinic, text: str) -> None:
    assert send(two_way(clinic), staff_replies.FREE, text, "en" if text.isascii() else "zh_Hans") is not None


@pytest.mark.parametrize("why", ["died", "withdrawn", "opted_out", "no_phone", "no_sms"])
def test_to_whom_nothing_can_be_sent(clinic: Clinic, why: str) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        if why in ("died", "withdrawn"):
            participation_end.end_participation(work, person, died=why == "died", reason="told")
        elif why == "opted_out":
            participation_end.opt_out(work, person)
        elif why == "no_phone":
            person.phone_sealed = None
    if why == "no_sms":
        clinic = replace(
            clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, sms="none"))
        )
    with pytest.raises(NotAllowed) as refusal:
        send(clinic)
    assert refusal.value.why == f"reply_{why}"
    assert clinic.rows(Message) == []
