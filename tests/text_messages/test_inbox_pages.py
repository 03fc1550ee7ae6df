"""Test the inbox, a conversation, a text of an unknown number, and links to texts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.features.accounts.staff_accounts import has_right
from pro.features.participants.pages import participant_page
from pro.features.schedule import participation_end
from pro.models import ROLES, Alert, IncomingMessage, Message
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser
from tests.support.stored_texts import BLEEDS, STRANGER, store_emergency_text, store_text


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant and the staff of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


@pytest.fixture
def desk(app: Flask, clinic: Clinic) -> StaffBrowser:
    """Return the coordinator's browser, in English."""
    return signed_in_browser(app, clinic.coordinator)


def thread(clinic: Clinic) -> str:
    return f"/staff/participants/{clinic.participant_id}/messages"


def test_an_empty_inbox_says_so(desk: StaffBrowser) -> None:
    desk.open("/staff/inbox")
    assert "No text messages received yet." in desk.page
    desk.open("/staff/inbox?show=unread")
    assert "All text messages have been read." in desk.page
    desk.open("/staff/inbox?show=unknown")
    assert "No text message from unknown numbers to handle." in desk.page
    assert ">Text messages</a>" in desk.page


def test_the_inbox_has_unknown_numbers_on_top_and_counts(desk: StaffBrowser, clinic: Clinic) -> None:
    store_text(clinic, "What time <tomorrow>?")
    number = store_emergency_text(clinic)
    desk.open("/staff/inbox")
    assert '>Text messages<b class="cnt">2<' in desk.page
    assert desk.page.index("Unknown number</b>") < desk.page.index("NPC-001</b>")
    assert "1 unread text message" in desk.page
    assert "What time <tomorrow>?" in desk.page
    assert f'href="/staff/inbox/unmatched/{number}"' in desk.page
    assert "大出血" not in desk.page
    assert STRANGER not in desk.page
    desk.open("/staff/inbox?show=unread")
    assert "Unknown number</b>" not in desk.page
    desk.open("/staff/inbox?show=unknown")
    assert "NPC-001" not in desk.page


def test_a_text_is_never_markup(app: Flask, clinic: Clinic) -> None:
    store_text(clinic, "<script>alert(1)</script>")
    desk = signed_in_browser(app, clinic.coordinator)
    for path in ("/staff/inbox", thread(clinic), "/staff/"):
        raw = desk.client.get(path).get_data(as_text=True)
        assert "<script>alert" not in raw
        # The to-do list shows no words of a participant at all.
        assert ("&lt;script&gt;alert" in raw) is (path != "/staff/")


def test_the_conversation_reads_both_ways(desk: StaffBrowser, clinic: Clinic, clock: Clock) -> None:
    desk.open(f"/staff/participants/{clinic.participant_id}")
    assert f'href="{thread(clinic)}"' in desk.page
    desk.post(f"/staff/participants/{clinic.participant_id}/send", instrument="npc_checkin", by="link")
    clock.move(minutes=2)
    store_text(clinic, "嗯", what="unclear")
    desk.open(thread(clinic))
    assert desk.page.index("Form message with link") < desk.page.index("嗯")
    assert "****" in desk.page
    assert "/a/" not in desk.page
    assert "Not understood" in desk.page
    assert "unread" in desk.page
    assert "Queued" in desk.page
    assert 'href="tel:+8613800138000"' in desk.page


@pytest.mark.parametrize("role", ROLES)
def test_who_may_read_and_who_may_answer(app: Flask, clinic: Clinic, seeded: Study, role: str) -> None:
    store_text(clinic, "嗯")
    stranger = store_emergency_text(clinic)
    desk = signed_in_browser(app, seeded.staff[role])
    for path in ("/staff/inbox", f"/staff/inbox/unmatched/{stranger}"):
        assert desk.open(path).status_code == (200 if has_right(role, "see_inbox") else 403)
        assert ("tel:" in desk.page) == (has_right(role, "see_identity") and path != "/staff/inbox")
    assert desk.open(thread(clinic)).status_code == (200 if has_right(role, "see_participants") else 403)
    assert ("tel:" in desk.page) == has_right(role, "see_identity")
    # The tab has a conversation only for those who may read it.
    assert ("Text messages</h2>" in desk.page or "短信</h2>" in desk.page) == has_right(role, "see_inbox")
    desk.open(thread(clinic))
    assert ('value="fixed"' in desk.page) == has_right(role, "reply_text")
    assert desk.post(thread(clinic), do="read").status_code == (303 if has_right(role, "reply_text") else 403)
    given = {"do": "set_aside", "reason": "advertising"}
    wanted = 303 if has_right(role, "assign_text") else 403
    assert desk.post(f"/staff/inbox/unmatched/{stranger}", **given).status_code == wanted


def test_marked_as_read(desk: StaffBrowser, clinic: Clinic) -> None:
    number, later = store_text(clinic), 0
    desk.open(thread(clinic))
    assert "1 unread text message since 09:00." in desk.page
    later = store_text(clinic)
    assert desk.post(thread(clinic), do="read", shown=[number, "x", "9" * 30]).status_code == 303
    desk.open(thread(clinic))
    assert "1 text message marked as read." in desk.page
    assert "read by Coordinator, 09:00" in desk.page
    assert [row.id for row in clinic.rows(IncomingMessage) if row.read_at is None] == [later], (
        "what was not shown was not read"
    )
    desk.post(thread(clinic), do="read", shown=[number])
    desk.open(thread(clinic))
    assert "These text messages were already read." in desk.page


def test_a_fixed_reply_goes_out_and_marks_what_it_answers(desk: StaffBrowser, clinic: Clinic) -> None:
    number = store_text(clinic)
    desk.open(thread(clinic))
    assert "您好，有空请给我们回个电话：0791-0000 0000。急事请打120。" in desk.page
    assert 'value="free"' not in desk.page
    assert desk.post(thread(clinic), do="fixed", kind="staff_call", shown=[number]).status_code == 303
    (message,) = clinic.rows(Message)
    assert message.template == "staff_call"
    assert clinic.rows(IncomingMessage)[0].read_by == clinic.coordinator.id
    desk.open(thread(clinic))
    assert "The text message is being sent." in desk.page
    assert re.search(r"Coordinator · 09:00 · Callback request", desk.page)


def test_nothing_chosen(desk: StaffBrowser, clinic: Clinic) -> None:
    number = store_text(clinic)
    choose, unknown = "Choose a text message.", "Choose one of the options shown."
    for data, sentence in (({}, choose), ({"kind": "staff_text"}, unknown), ({"kind": "form_message"}, unknown)):
        assert desk.post(thread(clinic), do="fixed", shown=[number], **data).status_code == 400
        assert sentence in desk.page
    assert desk.post(thread(clinic), do="free", text="hello").status_code == 400
    assert "The SMS provider does not accept free-text messages" in desk.page
    assert desk.post(thread(clinic), do="dance").status_code == 400
    assert clinic.rows(Message) == []
    assert clinic.rows(IncomingMessage)[0].read_at is None


@pytest.fixture
def two_way(clinic: Clinic, clock: Clock) -> StaffBrowser:
    """Return the coordinator's browser where two-way texts are allowed."""
    config = replace(clinic.app_context.config, sms_two_way=True)
    return signed_in_browser(create_app(config, clock), clinic.coordinator)


def test_own_words(two_way: StaffBrowser, clinic: Clinic) -> None:
    number = store_text(clinic)
    two_way.open(thread(clinic))
    assert two_way.post(thread(clinic), do="free", text="明天八点来，<不用>空腹", shown=[number]).status_code == 303
    two_way.open(thread(clinic))
    assert "明天八点来，<不用>空腹" in two_way.page


def test_own_words_that_are_too_long_stay_and_say_how_long(two_way: StaffBrowser, clinic: Clinic) -> None:
    assert two_way.post(thread(clinic), do="free", text="长" * 200).status_code == 400
    assert "This text needs 4 text messages; at most 2 are allowed." in two_way.page
    assert "长" * 200 in two_way.page
    assert two_way.post(thread(clinic), do="free", text=" ").status_code == 400
    assert "The message is empty." in two_way.page


def test_own_words_outlive_the_session(two_way: StaffBrowser, clinic: Clinic, clock: Clock) -> None:
    two_way.open(thread(clinic))
    clock.move(minutes=45)
    answer = two_way.post(thread(clinic), do="free", text="明天八点来")
    assert answer.status_code == 307
    two_way.post(answer.location, text="明天八点来")
    assert "明天八点来" in two_way.page
    person = clinic.coordinator
    answer = two_way.press(email=person.email, password=person.password)
    assert answer.status_code == 200
    assert "it has not been sent" in two_way.page
    assert "明天八点来</textarea>" in two_way.page
    assert clinic.rows(Message) == []


def test_who_wants_no_messages_gets_none(desk: StaffBrowser, clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        participation_end.opt_out(work, participant_page.read_participant(work, clinic.participant_id))
    desk.open(thread(clinic))
    assert "This participant has opted out of messages. Please phone instead." in desk.page
    assert 'value="fixed"' not in desk.page
    assert desk.post(thread(clinic), do="fixed", kind="staff_call").status_code == 400
    assert clinic.rows(Message) == []


def test_an_unknown_number_is_filed(desk: StaffBrowser, clinic: Clinic) -> None:
    number = store_emergency_text(clinic)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    assert "我大出血了" in desk.page
    assert "bleeding" in desk.page
    assert f'href="tel:{STRANGER}"' in desk.page
    assert desk.post(path, do="assign", participant="", reason="").status_code == 400
    assert "Choose the sender." in desk.page
    assert "Enter the reason." in desk.page
    assert desk.post(path, do="assign", participant="x", reason="Asked & sure").status_code == 400
    assert "Asked & sure" in desk.page
    done = desk.post(path, do="assign", participant=clinic.participant_id, reason="Asked & sure")
    assert (done.status_code, done.location) == (303, thread(clinic))
    desk.open(thread(clinic))
    assert "The text message has been assigned to this participant and marked as read." in desk.page
    assert "我大出血了" in desk.page
    desk.open(path)
    assert "Assigned to NPC-001 by Coordinator, 09:00: Asked & sure" in desk.page
    assert 'value="assign"' not in desk.page
    assert desk.post(path, do="assign", participant=clinic.participant_id, reason="again").status_code == 303
    desk.open(path)
    assert "this text message was already assigned" in desk.page


def test_an_unknown_number_is_set_aside(desk: StaffBrowser, clinic: Clinic) -> None:
    number = store_text(clinic, "买车险吗", known=False)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    assert desk.post(path, do="set_aside", reason=" ").status_code == 400
    assert "Enter the reason." in desk.page
    assert desk.post(path, do="set_aside", reason="advertising").location == "/staff/inbox"
    desk.open("/staff/inbox")
    assert "The text message has been dismissed as unrelated." in desk.page
    assert "Unknown number</b>" not in desk.page
    assert desk.post(path, do="dance").status_code == 400


@pytest.mark.parametrize("path", ["/staff/participants/99/messages", "/staff/inbox/unmatched/99"])
def test_unknown_conversations_are_not_found(desk: StaffBrowser, path: str) -> None:
    assert desk.open(path).status_code == 404
    assert desk.post(path, do="read").status_code in (400, 404)


def test_the_to_do_list_shows_unread_texts_by_level(desk: StaffBrowser, clinic: Clinic, clock: Clock) -> None:
    store_text(clinic)
    store_emergency_text(clinic)
    desk.open("/staff/")
    assert len(re.findall(r'<li class="[eun]">', desk.page)) == 2
    assert '<li class="e">' in desk.page
    assert "Possible emergency: please read it now" in desk.page
    assert "Waiting for more than one working day" not in desk.page
    clock.move(days=1, minutes=1)
    desk.sign_in(clinic.coordinator)
    desk.open("/staff/?show=texts")
    assert desk.page.count("Waiting for more than one working day") == 2
    assert desk.page.count("Read now</a>") == 1
    # Both are to be done now: the emergency, and the text that waited for more than a working day.
    assert "<title>(2) To do</title>" in desk.page
    assert "Forms awaiting completion 4" not in desk.page


def test_an_empty_to_do_list_says_so_for_texts(desk: StaffBrowser) -> None:
    desk.open("/staff/?show=texts")
    assert "Nothing to do here" in desk.page


def test_the_alert_of_a_text_shows_it_and_names_what_was_seen(desk: StaffBrowser, clinic: Clinic) -> None:
    number = store_emergency_text(clinic)
    path = f"/staff/inbox/unmatched/{number}"
    desk.open(path)
    desk.post(path, do="assign", participant=clinic.participant_id, reason="asked")
    (alert,) = clinic.rows(Alert)
    desk.open(f"/staff/alerts/{alert.id}")
    assert "Text message received 09:00" in desk.page
    assert "我大出血了" in desk.page
    assert "bleeding</b> (“大出血”): stated" in desk.page
    assert "Answers" not in desk.page
    assert f'href="{thread(clinic)}"' in desk.page
    desk.open("/staff/")
    assert "text message, detected 09:00" in desk.page
    for mail in clinic.mails() + clinic.mails("unknown_sender"):
        assert "大出血" not in mail.subject + mail.body


def test_the_alert_of_a_forms_text_shows_it(desk: StaffBrowser, clinic: Clinic) -> None:
    clinic.start().finish(free_text="没有大出血")
    desk.open(f"/staff/alerts/{clinic.alerts()['TEXT'].id}")
    assert '<blockquote class="quote kept">没有大出血</blockquote>' in desk.page
    assert "bleeding</b>: denied" in desk.page
    desk.open(thread(clinic))
    assert "没有大出血" in desk.page
    own = f"/staff/participants/{clinic.participant_id}/forms?form={clinic.checkin.assessment_id}"
    assert f"{own}#form-{clinic.checkin.assessment_id}" in desk.page
    desk.open(own)
    assert f'id="form-{clinic.checkin.assessment_id}"' in desk.page


def test_an_alert_without_a_text_says_nothing_of_one(desk: StaffBrowser, clinic: Clinic) -> None:
    (first, *_rest) = report_bleeding(clinic.app_context, clinic.checkin)
    desk.open(f"/staff/alerts/{first}")
    assert "Text messages and free text" not in desk.page


def test_the_page_in_chinese(app: Flask, clinic: Clinic) -> None:
    store_text(clinic, "发烧", what="unclear", level=Level.URGENT, hits=BLEEDS)
    desk = signed_in_browser(app, clinic.nurse)
    desk.open(thread(clinic))
    for words in ("短信回复", "未识别", "大出血", "未读", "发送该短信"):
        assert words in desk.page
