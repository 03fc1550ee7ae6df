"""What staff send to a participant by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.errors import BadData, NotAllowed
from pro.features.schedule import participation_end
from pro.features.text_messages import staff_replies
from pro.messaging import message_templates
from pro.models import Message, Participant
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Clock


def two_way(ward: Ward) -> Ward:
    return replace(ward, house=replace(ward.house, config=replace(ward.house.config, sms_two_way=True)))


def send(ward: Ward, kind: str = "staff_call", text: str = "", language: str = "zh_Hans") -> Message | None:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        person.language = language
        return staff_replies.reply(work, person, kind, text)


@pytest.mark.parametrize("kind", staff_replies.FIXED)
def test_a_fixed_text_goes_through_the_outbox_in_their_language(ward: Ward, kind: str) -> None:
    send(ward, kind)
    (mail,) = ward.mails(kind)
    assert mail.to == "+8613800138000"
    assert "0791-0000 0000" in mail.body
    assert "120" in mail.body
    assert (mail.row.channel, mail.row.language, mail.row.participant_id) == ("sms", "zh_Hans", ward.participant_id)
    assert mail.row.not_after is not None
    (event,) = ward.events(staff_replies.REPLIED)
    assert (event.actor_id, event.new) == (ward.nurse.id, {"template": kind})


@pytest.mark.parametrize("language", ["zh_Hans", "en"])
def test_the_choice_shows_what_will_go_out(ward: Ward, language: str) -> None:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        person.language = language
        said = staff_replies.fixed(work, person)
        for kind in staff_replies.FIXED:
            staff_replies.reply(work, person, kind)
    assert {kind: ward.mails(kind)[0].body for kind in said} == said
    assert all(message_templates.segments(text) <= 2 for text in said.values())


def test_pressed_twice_it_goes_once_and_later_again(any_ward: Ward, clock: Clock) -> None:
    form_browser.at_once(lambda: send(any_ward), lambda: send(any_ward))
    assert len(any_ward.mails("staff_call")) == 1
    assert send(any_ward, "staff_soon") is not None
    clock.move(minutes=2)
    assert send(any_ward) is not None


def test_own_words_where_texts_go_both_ways(ward: Ward) -> None:
    send(two_way(ward), staff_replies.FREE, "  您好，明天八点来。 ")
    (mail,) = ward.mails(staff_replies.FREE)
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
        (True, "invitation", "", {"kind": "unknown"}),
        (True, "", "", {"kind": "unknown"}),
    ],
)
def test_what_is_refused(ward: Ward, both_ways: bool, kind: str, text: str, fields: dict[str, str]) -> None:
    with pytest.raises(BadData) as refusal:
        send(two_way(ward) if both_ways else ward, kind, text)
    assert refusal.value.details["fields"] == fields
    assert ward.rows(Message) == []


@pytest.mark.parametrize(("text", "segments"), [("您" * 135, 3), ("a" * 440, 3), ("a" * 320, 3), ("Ja–" * 50, 3)])
def test_a_text_that_is_too_long_says_how_many(ward: Ward, text: str, segments: int) -> None:
    with pytest.raises(BadData) as refusal:
        send(two_way(ward), staff_replies.FREE, text, "en" if text.isascii() else "zh_Hans")
    assert refusal.value.details["segments"] == segments


@pytest.mark.parametrize("text", ["您" * 100, "a" * 290, "line one\nline two"])
def test_two_are_fine(ward: Ward, text: str) -> None:
    assert send(two_way(ward), staff_replies.FREE, text, "en" if text.isascii() else "zh_Hans") is not None


@pytest.mark.parametrize("why", ["died", "withdrawn", "opted_out", "no_phone", "no_sms"])
def test_to_whom_nothing_can_be_sent(ward: Ward, why: str) -> None:
    with form_browser.working(ward.house) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        if why in ("died", "withdrawn"):
            participation_end.leave(work, person, died=why == "died", reason="told")
        elif why == "opted_out":
            participation_end.opt_out(work, person)
        elif why == "no_phone":
            person.phone_sealed = None
    if why == "no_sms":
        ward = replace(ward, house=replace(ward.house, config=replace(ward.house.config, sms="none")))
    with pytest.raises(NotAllowed) as refusal:
        send(ward)
    assert refusal.value.why == f"reply_{why}"
    assert ward.rows(Message) == []
