"""Test call tasks on the to-do list and the participant's page, and the logging of calls."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.accounts.staff_accounts import has_right
from pro.models import ROLES, CallTask, PhoneCall
from tests.support.alert_clinic import Clinic
from tests.support.expected_form_rows import (
    add_expected_form,
    answer_check_in,
    clear_expected_forms,
    miss_check_ins,
    record_missed_forms,
    set_clock,
)
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

# Nine in the morning of a Monday, when the study's office has just opened.
MONDAY = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
PHONE, CALL = "+86 138 0013 8000", {"outcome": "reached", "at": "2026-03-16T08:55", "text": "Feels fine & will answer"}


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant, who missed two check-ins with a suspected ulcer."""
    staff, person = seeded.staff, seeded.chinese
    made = Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )
    answer_check_in(made)
    made.mark("ulcer_status", "suspected")
    miss_check_ins(made, 5, 13)
    set_clock(app_context, MONDAY)
    return made


@pytest.fixture
def desk(app: Flask, clinic: Clinic) -> StaffBrowser:
    """Return the coordinator's browser, signed in that Monday."""
    return signed_in_browser(app, clinic.coordinator)


def task(clinic: Clinic) -> CallTask:
    return clinic.rows(CallTask)[-1]


def test_the_to_do_list_says_whom_to_phone_and_why_without_the_number(desk: StaffBrowser, clinic: Clinic) -> None:
    desk.open("/staff/")
    assert "<u>NPC-001</u> 2 check-ins missed in a row, last answered 2 Mar 09:00" in desk.page
    assert "Call today" in desk.page
    assert f'href="/staff/tasks/{task(clinic).id}"' in desk.page
    assert "tel:" not in desk.page
    desk.open("/staff/?show=calls")
    assert "Calls<b>1</b>" in desk.page
    assert desk.page.count("<li class=") == 1


def test_the_to_do_list_shows_an_overdue_call(desk: StaffBrowser, clinic: Clinic, clock: Clock) -> None:
    clock.move(minutes=29)
    desk.open("/staff/")
    assert "Should have been called" not in desk.page
    for _ in range(55):
        clock.move(minutes=29)
        desk.open("/staff/")
    desk.sign_in(clinic.coordinator)
    desk.open("/staff/")
    assert "Call overdue since yesterday 08:00" in desk.page


def test_an_empty_to_do_list_says_so_for_calls_too(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/?show=calls")
    assert "Nothing to do here" in desk.page


def test_the_task_has_all_that_a_call_needs(desk: StaffBrowser, clinic: Clinic) -> None:
    assert desk.open(f"/staff/tasks/{task(clinic).id}").status_code == 200
    assert "Please call NPC-001" in desk.page
    assert "2 check-ins missed in a row" in desk.page
    assert 'href="tel:+8613800138000"' in desk.page
    assert PHONE in desk.page
    assert "Induction, week 1" in desk.page
    assert "Did you bleed from your nose, mouth or throat?" in desk.page
    assert "Check-in missed with an ulcer or an open alert, possible loss to follow-up" in desk.page
    assert "No calls logged yet." in desk.page
    assert 'value="2026-03-16T09:00"' in desk.page
    assert [event.actor_id for event in clinic.events("participant.phone_seen")] == [clinic.coordinator.id]
    assert clinic.events("participant.seen")[-1].actor_id == clinic.coordinator.id


@pytest.mark.parametrize("role", ROLES)
def test_who_may_see_and_who_may_phone(app: Flask, clinic: Clinic, seeded: Study, role: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    path = f"/staff/tasks/{task(clinic).id}"
    assert desk.open(path).status_code == (200 if has_right(role, "see_to_do_list") else 403)
    assert ("tel:" in desk.page) == has_right(role, "see_identity")
    assert ("Save call" in desk.page or "保存通话记录" in desk.page) == has_right(role, "log_call")
    assert desk.post(path, **CALL).status_code == (303 if has_right(role, "log_call") else 403)
    assert len(clinic.rows(PhoneCall)) == has_right(role, "log_call")
    desk.open(f"/staff/participants/{clinic.participant_id}/messages")
    assert ("will answer" in desk.page) == (has_right(role, "log_call"))


def test_logging_a_call_ends_the_task_and_shows_it(desk: StaffBrowser, clinic: Clinic) -> None:
    path = f"/staff/tasks/{task(clinic).id}"
    desk.open(path)
    done = desk.post(path, **CALL)
    assert (done.status_code, done.location) == (303, path)
    (call,) = clinic.rows(PhoneCall)
    assert (call.at, call.text) == (datetime(2026, 3, 16, 0, 55, tzinfo=UTC), "Feels fine & will answer")
    desk.open(path)
    assert "Call saved." in desk.page
    assert "Done 09:00: Participant reached" in desk.page
    assert "Feels fine & will answer" in desk.page
    desk.open("/staff/")
    assert "Call today" not in desk.page
    desk.open(f"/staff/participants/{clinic.participant_id}/messages")
    assert "Feels fine & will answer" in desk.page


def test_an_unanswered_call_leaves_the_to_do_list_until_it_is_due(
    desk: StaffBrowser, clinic: Clinic, clock: Clock
) -> None:
    path = f"/staff/tasks/{task(clinic).id}"
    for tries in range(1, 4):
        desk.open(path)
        desk.post(path, outcome="no_answer", at=f"2026-03-16T09:0{tries - 1}")
        clock.move(minutes=1)
    desk.open(path)
    assert "The task will come back at a suitable time." in desk.page
    assert "3 unanswered calls" in desk.page
    assert "Contact a relative, or ask the investigator how to proceed" in desk.page
    desk.open("/staff/")
    assert "Call today" not in desk.page
    desk.open(f"/staff/participants/{clinic.participant_id}/messages")
    assert "Please call NPC-001" in desk.page


def test_a_death_is_noted_and_its_date_asked_for(desk: StaffBrowser, clinic: Clinic) -> None:
    path = f"/staff/tasks/{task(clinic).id}"
    desk.open(path)
    desk.post(path, **CALL | {"outcome": "died"})
    desk.open(path)
    assert "The date of death has not been recorded yet" in desk.page
    assert f'href="/staff/participants/{clinic.participant_id}/dates">Record it now' in desk.page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"outcome": ""}, "Choose the outcome of the call."),
        ({"outcome": "shouted"}, "Choose one of the options shown."),
        ({"at": ""}, "Enter the date and time of the call, for example 2026-11-22 14"),
        ({"at": "yesterday"}, "Enter the date and time of the call, for example 2026-11-22 14"),
        ({"at": "2026-03-16T09:01"}, "This time is in the future."),
        ({"at": "0001-01-01T00:00"}, "This is more than a year ago."),
        ({"text": "x" * 4001}, "The note is too long:"),
    ],
)
def test_what_cannot_be_taken_is_said_and_nothing_typed_is_lost(
    desk: StaffBrowser, clinic: Clinic, wrong: dict[str, str], said: str
) -> None:
    path = f"/staff/tasks/{task(clinic).id}"
    desk.open(path)
    typed = CALL | wrong
    assert desk.post(path, **typed).status_code == 400
    assert desk.page.count(said) == 2
    assert typed["text"] in desk.page
    assert (f'value="{typed["at"]}"' in desk.page) or not typed["at"]
    assert clinic.rows(PhoneCall) == []
    assert task(clinic).done_at is None


def test_a_call_can_be_logged_without_a_task(app: Flask, seeded: Study, clinic: Clinic) -> None:
    desk = signed_in_browser(app, clinic.coordinator)
    other = seeded.english.id
    desk.open(f"/staff/participants/{other}/messages")
    assert "No calls logged yet." in desk.page
    assert desk.post(f"/staff/participants/{other}/calls", **CALL | {"at": "2099-01-01T10:00"}).status_code == 400
    assert "Feels fine & will answer" in desk.page
    done = desk.post(f"/staff/participants/{other}/calls", **CALL)
    assert done.location == f"/staff/participants/{other}/messages#calls"
    (call,) = clinic.rows(PhoneCall)
    assert (call.participant_id, call.call_task_id) == (other, None)
    assert task(clinic).done_at is None
    desk.open(f"/staff/participants/{other}/calls")
    assert "Feels fine & will answer" in desk.page


def test_what_was_typed_survives_the_end_of_the_session(desk: StaffBrowser, clinic: Clinic, clock: Clock) -> None:
    for path in (f"/staff/tasks/{task(clinic).id}", f"/staff/participants/{clinic.participant_id}/calls"):
        desk.open(path)
        clock.move(minutes=31)
        gone = desk.post(path, **CALL)
        assert gone.status_code == 307
        desk.client.get("/staff/sign-in")
        assert desk.post(gone.location, **CALL).status_code == 401
        assert "Feels fine & will answer" in desk.page
        back = desk.press(email=clinic.coordinator.email, password=clinic.coordinator.password)
        assert back.status_code == 200
        assert "it is not saved yet" in desk.page
        assert "Feels fine & will answer</textarea>" in desk.page
    assert clinic.rows(PhoneCall) == []


def test_the_alert_page_explains_a_missed_check_in(desk: StaffBrowser, clinic: Clinic) -> None:
    alert = clinic.alerts()["M04"]
    assert desk.open(f"/staff/alerts/{alert.id}").status_code == 200
    assert "NPC-001 Check-in missed with an ulcer or an open alert, possible loss to follow-up" in desk.page
    assert "No answer: " in desk.page
    assert "Induction, week 2, closed yesterday 23:59 · last answer 2 Mar 09:00" in desk.page
    assert "Answers" not in desk.page
    assert f'href="/staff/tasks/{task(clinic).id}"' in desk.page
    desk.post(f"/staff/alerts/{alert.id}", do="note", text="Tried the daughter")
    desk.post(f"/staff/alerts/{alert.id}", do="acknowledge", alert=[row.id for row in clinic.alerts().values()])
    desk.open(f"/staff/alerts/{alert.id}")
    assert "Tried the daughter" in desk.page
    assert "Owner" in desk.page
    desk.open("/staff/")
    assert "M04 M03 · no form received, detected yesterday 00:08" not in desk.page
    assert "M04 M03 · no form received, detected 00:08" in desk.page


def test_one_of_the_endpoint_names_its_form(app: Flask, seeded: Study, app_context: AppContext) -> None:
    person = seeded.english
    staff = seeded.staff
    clinic = Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )
    clear_expected_forms(clinic)
    one = add_expected_form(clinic, 13, instrument="qlq_c30", kind="month_3", rank=1)
    set_clock(app_context, MONDAY)
    record_missed_forms(clinic, one)
    set_clock(app_context, datetime(2026, 3, 17, 1, 0, tzinfo=UTC))
    desk = signed_in_browser(app, staff["coordinator"])
    desk.open("/staff/")
    assert "NPC-002</u> Not answered: " in desk.page
    assert "no answers yet" in desk.page


def test_nothing_is_shown_of_a_task_that_is_not_there(desk: StaffBrowser) -> None:
    assert desk.open("/staff/tasks/99").status_code == 404
    assert desk.open("/staff/participants/99/calls").status_code == 404
