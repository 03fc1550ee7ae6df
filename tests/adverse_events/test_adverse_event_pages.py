"""Test the handling of an alert: assessing, closing, refusals, kept input."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from pro.app_context import AppContext
from pro.db import Base, transaction
from pro.models import AdverseEvent, Alert, AlertClosure, Grading, PhoneCall
from tests.support.factories import PASSWORD, Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

JUDGED = {
    "do": "assess",
    "seen": "0",
    "shown": ":epistaxis",
    "term": "another",
    "another": "epistaxis",
    "grade": "2",
    "onset_date": "2026-03-02",
    "attribution": ["radiotherapy"],
    "serious": "no",
    "not_serious": "a known scab",
    "action": "packed the nose",
    "password": PASSWORD,
}


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the investigator's browser, signed in."""
    return signed_in_browser(app, seeded.staff["investigator"])


@pytest.fixture
def alerts(app_context: AppContext, seeded: Study) -> list[int]:
    """Return the ids of an emergency's alerts, highest level first."""
    return report_bleeding(app_context, seeded.chinese.checkin)


def rows(app_context: AppContext, model: type[Base]) -> list[Any]:
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(model)))


def taken(desk: StaffBrowser, alerts: list[int]) -> str:
    path = f"/staff/alerts/{alerts[0]}"
    desk.open(path)
    desk.post(path, do="acknowledge", alert=alerts)
    return path


def assess(desk: StaffBrowser, path: str, **said: Any) -> TestResponse:
    """Post a grading from a page that shows every alert of the case as it is now."""
    desk.open(f"{path}/assess")
    return desk.post(f"{path}/assess", alert=re.findall(r'name="alert" value="(\d+)"', desk.page), **said)


def test_an_alert_is_called_about_assessed_and_closed(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int]
) -> None:
    path = taken(desk, alerts)
    assert desk.post(path, do="call", outcome="reached", at="2026-03-02T09:00", text="better").status_code == 303
    assert [call.source for call in rows(app_context, PhoneCall)] == [rows(app_context, Alert)[0].source]
    desk.open(f"{path}/assess")
    assert "Pharyngeal hemorrhage" in desk.page
    assert not re.search(r'name="grade"[^>]* checked', desk.page)
    assert assess(desk, path, **JUDGED).location == path
    desk.open(path)
    assert "assessed and signed by Investigator" in desk.page
    shown = set(re.findall(r'name="alert" value="(\d+)"', desk.page))
    ended = {"do": "close", "alert": sorted(shown), "disposition": "admitted"}
    assert desk.post(path, **ended, not_serious="a planned night").location == "/staff/"
    assert {alert.disposition for alert in rows(app_context, Alert)} == {"admitted"}
    desk.open(path)
    assert "Admitted to hospital" in desk.page
    assert "Not serious, because: a planned night" in desk.page
    assert 'value="close"' not in desk.page
    for page in (
        "/staff/adverse-events",
        "/staff/adverse-events/1",
        "/staff/adverse-events/discordance",
        "/staff/participants/1/events",
    ):
        assert desk.open(page).status_code == 200
        assert "Epistaxis" in desk.page or page.endswith("discordance")


REFUSED = [
    ({"grade": "4", "another": "dry_mouth", "shown": ":dry_mouth"}, "This term has no such grade"),
    ({"onset_date": "2026-03-03"}, "This date is in the future"),
    ({"onset_date": "soon"}, "Enter the date as year, month and day, for example 2026-11-22"),
    ({"serious": "yes", "action": ""}, "For a serious adverse event, enter the action taken"),
    (
        {"serious": "yes", "awareness_time": ""},
        "Enter the date and time the site became aware of the serious adverse event",
    ),
    ({"shown": ":headache"}, "These are the grades of the newly chosen term"),
    ({"password": "wrong"}, "The password is not correct"),
    ({"password": ""}, "Enter your password to sign"),
    ({"another": ""}, "Choose a term"),
    ({"attribution": []}, "Choose the possible cause, or “Other” if none fits"),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_a_refusal_stands_at_its_field_and_loses_nothing(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int], change: dict[str, Any], sentence: str
) -> None:
    path = taken(desk, alerts)
    answer = assess(desk, path, **(JUDGED | {"action": "kept words"} | change))
    assert answer.status_code == 400
    assert sentence in desk.page
    assert ("kept words" in desk.page) == (change.get("action") != "")
    assert PASSWORD not in desk.page
    assert rows(app_context, Grading) == []


def test_grade_4_that_is_not_serious_is_asked_about_before_it_is_signed(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int]
) -> None:
    """A haemorrhage of grade 4 was signed as not serious without a word."""
    path = taken(desk, alerts)
    said = JUDGED | {"grade": "4", "not_serious": ""}
    assert assess(desk, path, **said).status_code == 400
    assert "Confirm: not a serious adverse event?" in desk.page
    assert "Grade 4 is often life-threatening." in desk.page
    assert "The answers that triggered this alert suggest a danger to life." in desk.page
    assert rows(app_context, Grading) == []
    assert assess(desk, path, **(said | {"not_serious": "an old scar"})).status_code == 303
    assert [(one.serious, one.not_serious) for one in rows(app_context, Grading)] == [(False, "an old scar")]
    desk.open(path)
    assert "an old scar" in desk.page


def test_grade_4_that_is_serious_starts_the_clock_and_stands_on_the_to_do_list(
    desk: StaffBrowser, alerts: list[int]
) -> None:
    path = taken(desk, alerts)
    said = JUDGED | {"grade": "4", "serious": "yes", "awareness_time": "2026-03-02T09:00"}
    assert assess(desk, path, **said).status_code == 303
    assert desk.post(path, do="close", alert=alerts, disposition="admitted").location == "/staff/"
    desk.open("/staff/")
    assert "No unacknowledged alerts." not in desk.page
    assert "SAE" in desk.page


def test_an_admission_without_a_serious_event_is_asked_about(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int]
) -> None:
    """The alert was closed as "admitted", and the list then said that nothing was waiting."""
    path = taken(desk, alerts)
    assess(desk, path, **JUDGED)
    ended = {"do": "close", "alert": alerts, "disposition": "admitted"}
    assert desk.post(path, **ended).status_code == 400
    assert "Confirm: this admission is not a serious adverse event?" in desk.page
    assert f'href="{path}/assess">Assess as serious' in desk.page
    assert rows(app_context, AlertClosure) == []


def test_another_term_shows_its_grades_and_keeps_the_rest(desk: StaffBrowser, alerts: list[int]) -> None:
    path = taken(desk, alerts)
    answer = assess(desk, path, **(JUDGED | {"do": "term", "another": "syncope"}))
    assert answer.status_code == 200
    assert re.findall(r'name="grade" id="[^"]+" value="(\d)"', desk.page) == ["3"]
    assert "packed the nose" in desk.page


def test_the_second_to_assess_sees_the_first_and_keeps_what_was_typed(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int]
) -> None:
    path = taken(desk, alerts)
    assess(desk, path, **JUDGED)
    answer = assess(desk, path, **(JUDGED | {"grade": "3", "action": "other words"}))
    assert answer.status_code == 409
    assert "Investigator assessed this participant at" in desk.page
    assert "other words" in desk.page
    assert 'name="seen" type="hidden" value="1"' in desk.page
    assert len(rows(app_context, Grading)) == 1


def test_whether_it_is_new_is_asked_where_an_event_goes_on(
    desk: StaffBrowser, app_context: AppContext, alerts: list[int]
) -> None:
    path = taken(desk, alerts)
    assess(desk, path, **JUDGED)
    again = JUDGED | {"seen": "1"}
    assert assess(desk, path, **again).status_code == 400
    assert "Choose one of the options shown" in desk.page
    known = again | {"event": "1", "shown": "1:epistaxis", "from_on": "2026-03-02"}
    assert assess(desk, path, **known).status_code == 303
    assert len(rows(app_context, AdverseEvent)) == 1


def test_closing_says_what_is_missing_and_who_was_first(
    desk: StaffBrowser, app: Flask, app_context: AppContext, seeded: Study, alerts: list[int], clock: Clock
) -> None:
    nurse = signed_in_browser(app, seeded.staff["nurse"])
    path = taken(desk, alerts)
    assert nurse.post(path, do="close", alert=alerts, disposition="watching", reason="typed").status_code == 400
    assert "typed" in nurse.page
    assert rows(app_context, AlertClosure) == []
    assess(desk, path, **JUDGED)
    desk.post(path, do="close", alert=alerts, disposition="outpatient")
    clock.move(minutes=2)
    assert nurse.post(path, do="close", alert=alerts, disposition="watching", reason="typed").status_code == 409
    assert "Investigator" in nurse.page
    assert len(rows(app_context, AlertClosure)) == 1


def test_a_session_that_ended_loses_nothing_but_the_password(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, alerts: list[int], clock: Clock
) -> None:
    path = taken(desk, alerts)
    clock.move(hours=13)
    answer = assess(desk, path, **JUDGED)
    assert answer.status_code == 307
    assert desk.post(answer.location, **JUDGED).status_code == 401
    assert PASSWORD not in desk.page
    assert "packed the nose" in desk.page
    person = seeded.staff["investigator"]
    desk.press(email=person.email, password=person.password)
    assert "packed the nose" in desk.page
    assert re.search(r'id="grade-\d" value="2" checked', desk.page)
    assert rows(app_context, Grading) == []


def test_who_may_not_assess_or_close_is_told_so(
    app: Flask, seeded: Study, app_context: AppContext, alerts: list[int]
) -> None:
    for role in ("coordinator", "monitor"):
        desk = signed_in_browser(app, seeded.staff[role])
        path = f"/staff/alerts/{alerts[0]}"
        desk.open(path)
        assert "Assess and sign" not in desk.page
        assert desk.post(path, do="close", alert=alerts, disposition="watching").status_code == 403
        assert desk.open(f"{path}/assess").status_code == 403


def test_an_event_is_recorded_by_hand_graded_again_reported_and_ended(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    path = f"/staff/participants/{seeded.chinese.id}/adverse-events/new"
    desk.open(path)
    serious = {"serious": "yes", "awareness_time": "2026-03-02T08:00"}
    where = desk.post(path, **(JUDGED | serious)).location
    desk.open(where)
    assert "report by tomorrow 08:00" in desk.page
    assert "Mon 2 Mar" in desk.page
    assert "The signature does not match this content" not in desk.page
    again = JUDGED | {"seen": "1", "shown": "1:epistaxis", "event": "1", "grade": "1", "from_on": "2026-03-02"}
    assert desk.post(where, **again).status_code == 303
    assert [row.ctcae_grade for row in rows(app_context, Grading)] == [2, 1]
    desk.post(where, do="report")
    assert desk.post(where, do="end", end_date="2026-03-01").status_code == 400
    desk.post(where, do="end", end_date="2026-03-02")
    (event,) = rows(app_context, AdverseEvent)
    assert event.reported_at is not None
    assert str(event.end_date) == "2026-03-02"


def test_the_reader_of_another_language_sees_both(app: Flask, seeded: Study, alerts: list[int]) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"/staff/alerts/{alerts[0]}")
    assert '<span class="s" lang="zh-Hans-CN">您的鼻子、嘴或喉咙有没有出血' in desk.page
    assert "Small print: the wording shown to the participant." in desk.page
