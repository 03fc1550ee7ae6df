"""Test the pages of data corrections, freezes and consent, without JavaScript."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.schedule import schedule_service
from pro.models import Answer, Consent, DataCorrection, Participant
from tests.support import form_browser
from tests.support.factories import PASSWORD, PLAN, Clock, Study
from tests.support.staff_browser import signed_in_browser


@pytest.fixture
def answered(app_context: AppContext, seeded: Study) -> str:
    """Return the path of the corrections of a submitted form."""
    form_browser.press_start(app_context, seeded.chinese.checkin).finish(bleed=0)
    return f"/staff/assessments/{seeded.chinese.checkin.assessment_id}/corrections"


def request(seeded: Study, **changes: str) -> dict[str, str]:
    given = {
        "item": "bleed",
        "q-bleed": "3",
        "confirmed_how": "phone",
        "confirmed_at": "2026-03-02T08:30",
        "confirmed_to": str(seeded.staff["nurse"].id),
        "reason": "pressed the wrong button",
        "password": PASSWORD,
    }
    return given | changes


def test_asked_by_one_approved_by_another_and_the_original_stays_visible(
    app: Flask, app_context: AppContext, clock: Clock, seeded: Study, answered: str
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{answered}?item=bleed")
    assert "Request a correction" in desk.page
    target = desk.post(answered, **request(seeded)).location
    desk.open("/staff/")
    assert "1 data correction awaits an investigator’s decision" in desk.page
    desk.open(target)
    assert "Approve and sign" not in desk.page
    doctor = signed_in_browser(app, seeded.staff["investigator"])
    doctor.open("/staff/corrections")
    assert "pressed" not in doctor.page
    assert "NPC-001" in doctor.page
    doctor.open(target)
    assert "pressed the wrong button" in doctor.page
    assert doctor.post(target, do="approve", note="", password="wrong").status_code == 400
    assert "The password is not correct." in doctor.page
    assert "/staff/alerts/" in doctor.post(target, do="approve", note="", password=PASSWORD).location
    doctor.open(answered)
    assert "corrected" in doctor.page
    assert "pressed the wrong button" in doctor.page
    assert doctor.post(target, do="refuse", note="late", password=PASSWORD).status_code == 409
    assert "A colleague already decided this." in doctor.page
    with transaction(app_context.engine) as session:
        assert [row.value for row in session.query(Answer).filter(Answer.item == "bleed")] == [0, 3]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"q-bleed": ""}, "Enter the new answer, or select “Not answered”"),
        ({"q-bleed": "0"}, "Same as the current answer."),
        ({"q-bleed": "9"}, "This is not a possible answer"),
        ({"confirmed_at": ""}, "Enter the date and time."),
        ({"confirmed_how": ""}, "Choose one of the options shown."),
        ({"reason": ""}, "Enter the reason."),
        ({"password": "wrong"}, "The password is not correct."),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(
    app: Flask, app_context: AppContext, seeded: Study, answered: str, changes: dict[str, str], sentence: str
) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open(f"{answered}?lang=en")
    assert desk.post(answered, **request(seeded, **changes)).status_code == 400
    assert sentence in desk.page
    assert changes.get("reason") == "" or "pressed the wrong button" in desk.page
    assert PASSWORD not in desk.page
    with transaction(app_context.engine) as session:
        assert session.query(DataCorrection).count() == 0


def test_all_that_was_left_empty_is_said_at_once(app: Flask, seeded: Study, answered: str) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{answered}?lang=en")
    bare = {"item": "bleed", "confirmed_to": str(seeded.staff["nurse"].id), "password": PASSWORD}
    assert desk.post(answered, **bare).status_code == 400
    assert "Check 4 fields" in desk.page


def test_frozen_says_who_and_when_and_lets_participants_answer(
    app: Flask, app_context: AppContext, clock: Clock, seeded: Study, answered: str
) -> None:
    clock.move(minutes=1)
    doctor = signed_in_browser(app, seeded.staff["investigator"])
    doctor.open(f"/staff/freeze/{PLAN}")
    assert doctor.post(f"/staff/freeze/{PLAN}", do="freeze", reason="", password=PASSWORD).status_code == 400
    assert doctor.post(f"/staff/freeze/{PLAN}", do="freeze", reason="lock", password=PASSWORD).status_code == 303
    doctor.open(f"/staff/freeze/{PLAN}")
    assert "Freeze" in doctor.page
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"/staff/participants/{seeded.chinese.id}/forms")
    assert "The whole study has been frozen since" in desk.page
    assert "Enter a phone interview" not in desk.page
    assert desk.post(answered, **request(seeded)).status_code == 409
    assert "Nothing was changed: the record is frozen" in desk.page
    assert "Investigator" in desk.page
    clock.move(minutes=1)
    form_browser.press_start(app_context, seeded.chinese.qlq).save(Q1=2)
    desk.open(f"/staff/participants/{seeded.chinese.id}/forms?form={seeded.chinese.qlq.assessment_id}")
    assert desk.page.count("Answered after the freeze.") == 1


def awaited(page: str) -> list[str]:
    """Return the visits and forms in the section of what is next."""
    section = page.partition("<h2>Next</h2>")[2].partition("</section>")[0]
    found = re.findall(r'<th scope="row">([^<]+)<br><span class="s">([^<]+)</span>', section)
    return [" ".join(one) for one in found]


@pytest.mark.parametrize(("scope", "may_enter"), [("questions", True), ("data", False)])
def test_of_who_withdrew_nothing_is_awaited(
    app: Flask, app_context: AppContext, seeded: Study, scope: str, may_enter: bool
) -> None:
    with transaction(app_context.engine) as session:
        schedule_service.replan_participant(
            app_context.unit_of_work(session), session.get_one(Participant, seeded.chinese.id)
        )
    record = f"/staff/participants/{seeded.chinese.id}"
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"{record}/forms")
    assert awaited(desk.page) == ["Before treatment Symptom check-in", "Before treatment QLQ-C30"]
    desk.post(f"{record}/consent", do="withdraw", scope=scope, told="care goes on")
    desk.open(f"{record}/forms")
    assert ("Withdrawal from the study Symptom check-in · optional" in awaited(desk.page)) is may_enter
    assert not any(form.startswith("Before treatment") for form in awaited(desk.page))
    assert ("you may still enter" in desk.page) is may_enter
    # A link back, and the reason as a translated text instead of its key.
    desk.open(f"{record}/consent")
    (back,) = re.findall(r'href="([^"]+kind=withdrawal[^"]*)"', desk.page)
    desk.open(back)
    assert "Remove this date" in desk.page
    assert "consent withdrawn, no more questionnaires" in desk.page


def test_consent_is_withdrawn_with_one_form(app: Flask, app_context: AppContext, seeded: Study) -> None:
    path = f"/staff/participants/{seeded.chinese.id}/consent"
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    assert "Version 1.0" in desk.page
    assert desk.post(path, do="withdraw", told="care goes on").status_code == 400
    assert "Choose what the participant wants to end." in desk.page
    assert "care goes on" in desk.page
    assert desk.post(path, do="withdraw", scope="data", told="care goes on").status_code == 303
    desk.open(path)
    assert "No more questionnaires, and no further use of existing data" in desk.page
    assert "Withdraw now" not in desk.page
    with transaction(app_context.engine) as session:
        assert session.get_one(Participant, seeded.chinese.id).withdrawn_at is not None


def test_a_new_version_of_the_consent_is_kept_beside_the_old(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    path = f"/staff/participants/{seeded.chinese.id}/consent"
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(path)
    given = {"do": "sign", "consent_version": "2.0", "consented_on": "2026-03-02", "language": "en", "way": "paper"}
    assert desk.post(path, **given).status_code == 400
    assert "Separate consent for health data is required to take part" in desk.page
    assert 'value="2.0"' in desk.page
    assert desk.post(path, **given, health_data="y").status_code == 303
    with transaction(app_context.engine) as session:
        rows = session.query(Consent).filter(Consent.participant_id == seeded.chinese.id).order_by(Consent.id)
        assert [row.version for row in rows] == ["1.0", "2.0"]
