"""The inbox, a conversation, a text of an unknown number; and where else staff meet texts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.features.accounts.staff_accounts import may
from pro.features.participants.pages import participant_page
from pro.features.schedule import participation_end
from pro.models import ROLES, Alert, Inbound, Message
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Clock, Study
from tests.support.staff_browser import Desk, at_desk, bleeds
from tests.support.stored_texts import BLEEDS, STRANGER, emergency, texted


@pytest.fixture
def ward(house: AppContext, seeded: Study) -> Ward:
    """The Chinese participant and the people of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Ward(
        house, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


@pytest.fixture
def desk(app: Flask, ward: Ward) -> Desk:
    """The coordinator, who reads English."""
    return at_desk(app, ward.coordinator)


def thread(ward: Ward) -> str:
    return f"/staff/inbox/{ward.participant_id}"


def test_an_empty_inbox_says_so(desk: Desk) -> None:
    desk.open("/staff/inbox")
    assert "Nobody has written yet." in desk.page
    desk.open("/staff/inbox?show=unread")
    assert "All texts are read." in desk.page
    desk.open("/staff/inbox?show=unknown")
    assert "No text of an unknown number waits." in desk.page
    assert ">Texts</a>" in desk.page


def test_the_inbox_has_unknown_numbers_on_top_and_counts(desk: Desk, ward: Ward) -> None:
    texted(ward, "What time <tomorrow>?")
    number = emergency(ward)
    desk.open("/staff/inbox")
    assert ">Texts (2)</a>" in desk.page
    assert desk.page.index("Unknown number</b>") < desk.page.index("NPC-001</b>")
    assert "1 text to read" in desk.page
    assert "What time <tomorrow>?" in desk.page
    assert f'href="/staff/inbox/unmatched/{number}"' in desk.page
    assert "大出血" not in desk.page
    assert STRANGER not in desk.page
    desk.open("/staff/inbox?show=unread")
    assert "Unknown number</b>" not in desk.page
    desk.open("/staff/inbox?show=unknown")
    assert "NPC-001" not in desk.page


def test_a_text_is_never_markup(app: Flask, ward: Ward) -> None:
    texted(ward, "<script>alert(1)</script>")
    desk = at_desk(app, ward.coordinator)
    for path in ("/staff/inbox", thread(ward), "/staff/"):
        raw = desk.client.get(path).get_data(as_text=True)
        assert "<script>alert" not in raw
        assert "&lt;script&gt;alert" in raw


def test_the_conversation_reads_both_ways(desk: Desk, ward: Ward, clock: Clock) -> None:
    desk.open(f"/staff/participants/{ward.participant_id}")
    assert f'href="{thread(ward)}"' in desk.page
    desk.post(f"/staff/participants/{ward.participant_id}/send", instrument="npc_checkin", by="link")
    clock.move(minutes=2)
    texted(ward, "嗯", what="unclear")
    desk.open(thread(ward))
    assert desk.page.index("Invitation with a link") < desk.page.index("嗯")
    assert "****" in desk.page
    assert "/a/" not in desk.page
    assert "Not understood" in desk.page
    assert "not read yet" in desk.page
    assert "Waiting to be sent" in desk.page
    assert 'href="tel:+8613800138000"' in desk.page


@pytest.mark.parametrize("role", ROLES)
def test_who_may_read_and_who_may_answer(app: Flask, ward: Ward, seeded: Study, role: str) -> None:
    texted(ward, "嗯")
    stranger = emergency(ward)
    desk = at_desk(app, seeded.staff[role])
    for path in ("/staff/inbox", thread(ward), f"/staff/inbox/unmatched/{stranger}"):
        assert desk.open(path).status_code == (200 if may(role, "see_inbox") else 403)
        assert ("tel:" in desk.page) == (may(role, "see_identity") and path != "/staff/inbox")
    desk.open(thread(ward))
    assert ('value="fixed"' in desk.page) == may(role, "reply_text")
    assert desk.post(thread(ward), do="read").status_code == (303 if may(role, "reply_text") else 403)
    given = {"do": "set_aside", "reason": "advertising"}
    wanted = 303 if may(role, "assign_text") else 403
    assert desk.post(f"/staff/inbox/unmatched/{stranger}", **given).status_code == wanted


def test_marked_as_read(desk: Desk, ward: Ward) -> None:
    number, later = texted(ward), 0
    desk.open(thread(ward))
    assert "1 text waits to be read, since 09:00." in desk.page
    later = texted(ward)
    assert desk.post(thread(ward), do="read", shown=[number, "x", "9" * 30]).status_code == 303
    desk.open(thread(ward))
    assert "1 text is marked as read." in desk.page
    assert "read by Coordinator, 09:00" in desk.page
    assert [row.id for row in ward.rows(Inbound) if row.read_at is None] == [later], "what was not shown was not read"
    desk.post(thread(ward), do="read", shown=[number])
    desk.open(thread(ward))
    assert "These texts had been read before." in desk.page


def test_a_fixed_reply_goes_out_and_marks_what_it_answers(desk: Desk, ward: Ward) -> None:
    number = texted(ward)
    desk.open(thread(ward))
    assert "您好，方便时请给我们打电话：0791-0000 0000。急事请打120。" in desk.page
    assert 'value="free"' not in desk.page
    assert desk.post(thread(ward), do="fixed", kind="staff_call", shown=[number]).status_code == 303
    (message,) = ward.rows(Message)
    assert message.template == "staff_call"
    assert ward.rows(Inbound)[0].read_by == ward.coordinator.id
    desk.open(thread(ward))
    assert "The text is on its way." in desk.page
    assert re.search(r"Coordinator · 09:00 · Please call us", desk.page)


def test_nothing_chosen(desk: Desk, ward: Ward) -> None:
    number = texted(ward)
    for data in ({}, {"kind": "staff_text"}, {"kind": "invitation"}):
        assert desk.post(thread(ward), do="fixed", shown=[number], **data).status_code == 400
        assert "Please choose" in desk.page
    assert desk.post(thread(ward), do="free", text="hello").status_code == 400
    assert "Own words cannot be sent" in desk.page
    assert desk.post(thread(ward), do="dance").status_code == 400
    assert ward.rows(Message) == []
    assert ward.rows(Inbound)[0].read_at is None


@pytest.fixture
def two_way(ward: Ward, clock: Clock) -> Desk:
    """The coordinator where texts go both ways."""
    config = replace(ward.house.config, sms_two_way=True)
    return at_desk(create_app(config, clock), ward.coordinator)


def test_own_words(two_way: Desk, ward: Ward) -> None:
    number = texted(ward)
    two_way.open(thread(ward))
    assert two_way.post(thread(ward), do="free", text="明天八点来，<不用>空腹", shown=[number]).status_code == 303
    two_way.open(thread(ward))
    assert "明天八点来，<不用>空腹" in two_way.page


def test_own_words_that_are_too_long_stay_and_say_how_long(two_way: Desk, ward: Ward) -> None:
    assert two_way.post(thread(ward), do="free", text="长" * 200).status_code == 400
    assert "This text would take 4 SMS; at most 2 can be sent." in two_way.page
    assert "长" * 200 in two_way.page
    assert two_way.post(thread(ward), do="free", text=" ").status_code == 400
    assert "The text is empty." in two_way.page


def test_own_words_outlive_the_session(two_way: Desk, ward: Ward, clock: Clock) -> None:
    two_way.open(thread(ward))
    clock.move(minutes=45)
    answer = two_way.post(thread(ward), do="free", text="明天八点来")
    assert answer.status_code == 307
    two_way.post(answer.location, text="明天八点来")
    assert "明天八点来" in two_way.page
    person = ward.coordinator
    answer = two_way.press(email=person.email, password=person.password)
    assert answer.status_code == 200
    assert "it is not sent yet" in two_way.page
    assert "明天八点来</textarea>" in two_way.page
    assert ward.rows(Message) == []


def test_who_wants_no_messages_gets_none(desk: Desk, ward: Ward) -> None:
    with form_browser.working(ward.house) as work:
        participation_end.opt_out(work, participant_page.participant(work, ward.participant_id))
    desk.open(thread(ward))
    assert "This participant wants no messages. Please phone instead." in desk.page
    assert 'value="fixed"' not in desk.page
    assert desk.post(thread(ward), do="fixed", kind="staff_call").status_code == 400
    assert ward.rows(Message) == []


def test_an_unknown_number_is_filed(desk: Desk, ward: Ward) -> None:
    number = emergency(ward)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    assert "我大出血了" in desk.page
    assert "heavy bleeding" in desk.page
    assert f'href="tel:{STRANGER}"' in desk.page
    assert desk.post(path, do="assign", participant="", reason="").status_code == 400
    assert "Please choose who wrote it." in desk.page
    assert "Please write the reason." in desk.page
    assert desk.post(path, do="assign", participant="x", reason="Asked & sure").status_code == 400
    assert "Asked & sure" in desk.page
    done = desk.post(path, do="assign", participant=ward.participant_id, reason="Asked & sure")
    assert (done.status_code, done.location) == (303, thread(ward))
    desk.open(thread(ward))
    assert "The text is filed here." in desk.page
    assert "我大出血了" in desk.page
    desk.open(path)
    assert "Filed under NPC-001 by Coordinator, 09:00: Asked & sure" in desk.page
    assert 'value="assign"' not in desk.page
    assert desk.post(path, do="assign", participant=ward.participant_id, reason="again").status_code == 303
    desk.open(path)
    assert "somebody had filed this text already" in desk.page


def test_an_unknown_number_is_set_aside(desk: Desk, ward: Ward) -> None:
    number = texted(ward, "买车险吗", known=False)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    assert desk.post(path, do="set_aside", reason=" ").status_code == 400
    assert "Please write the reason." in desk.page
    assert desk.post(path, do="set_aside", reason="advertising").location == "/staff/inbox"
    desk.open("/staff/inbox")
    assert "The text is set aside." in desk.page
    assert "Unknown number</b>" not in desk.page
    assert desk.post(path, do="dance").status_code == 400


@pytest.mark.parametrize("path", ["/staff/inbox/99", "/staff/inbox/unmatched/99"])
def test_nobody_there(desk: Desk, path: str) -> None:
    assert desk.open(path).status_code == 404
    assert desk.post(path, do="read").status_code in (400, 404)


def test_the_board_shows_what_is_to_be_read_by_level(desk: Desk, ward: Ward, clock: Clock) -> None:
    texted(ward)
    emergency(ward)
    desk.open("/staff/")
    assert "Texts to read 2" in desk.page
    assert '<li class="e">' in desk.page
    assert "Sounds like an emergency: please read it now" in desk.page
    assert "Waits for more than a working day" not in desk.page
    clock.move(days=1, minutes=1)
    desk.sign_in(ward.coordinator)
    desk.open("/staff/?show=texts")
    assert desk.page.count("Waits for more than a working day") == 2
    assert desk.page.count("Read it now</a>") == 1
    assert "<title>(1) To do</title>" in desk.page
    assert "Forms awaited 4" not in desk.page


def test_an_empty_board_says_so_for_texts(desk: Desk) -> None:
    desk.open("/staff/?show=texts")
    assert "Nothing here to be done" in desk.page


def test_the_alert_of_a_text_shows_it_and_names_what_was_seen(desk: Desk, ward: Ward) -> None:
    number = emergency(ward)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    desk.post(path, do="assign", participant=ward.participant_id, reason="asked")
    (alert,) = ward.rows(Alert)
    desk.open(f"/staff/alerts/{alert.id}")
    assert "Text received 09:00" in desk.page
    assert "我大出血了" in desk.page
    assert "heavy bleeding</b> (“大出血”): said so" in desk.page
    assert "What was answered" not in desk.page
    assert f'href="{thread(ward)}"' in desk.page
    desk.open("/staff/")
    assert "written by SMS, noticed 09:00" in desk.page
    for mail in ward.mails() + ward.mails("inbound_unknown"):
        assert "大出血" not in mail.subject + mail.body


def test_the_alert_of_a_forms_text_shows_it(desk: Desk, ward: Ward) -> None:
    ward.start().finish(free_text="没有大出血")
    desk.open(f"/staff/alerts/{ward.alerts()['TEXT'].id}")
    assert '<blockquote class="quote kept">没有大出血</blockquote>' in desk.page
    assert "heavy bleeding</b>: said not to be so" in desk.page
    desk.open(thread(ward))
    assert "没有大出血" in desk.page
    assert f"/staff/participants/{ward.participant_id}#form-{ward.checkin.assessment_id}" in desk.page
    desk.open(f"/staff/participants/{ward.participant_id}")
    assert f'id="form-{ward.checkin.assessment_id}"' in desk.page


def test_an_alert_without_a_text_says_nothing_of_one(desk: Desk, ward: Ward) -> None:
    (first, *_rest) = bleeds(ward.house, ward.checkin)
    desk.open(f"/staff/alerts/{first}")
    assert "What was written" not in desk.page


def test_the_page_in_chinese(app: Flask, ward: Ward) -> None:
    texted(ward, "发烧", what="unclear", level=Level.URGENT, hits=BLEEDS)
    desk = at_desk(app, ward.nurse)
    desk.open(thread(ward))
    for words in ("与NPC-001的短信", "没看懂", "大出血", "未读", "发送这条短信"):
        assert words in desk.page
