"""Test that the pages of a frozen record show no button that is refused because of the freeze."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.features.accounts import signatures
from pro.features.participants import record_freezes
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies
from pro.models import ExpectedForm, Participant
from tests.support import factories, form_browser, known_weeks
from tests.support.factories import Clock, Study
from tests.support.staff_browser import signed_in_browser

PERSON = "/staff/participants/{id}"
# Page, button or link of a page that leads to a change, role. Each change is refused while the record is frozen.
OFFERED = [
    (f"{PERSON}/dates", 'name="do" value="treated"', "coordinator"),
    (f"{PERSON}/dates", ">Change<span", "coordinator"),
    (f"{PERSON}/dates?kind=rt_fraction&number=1", 'name="do" value="take_back"', "coordinator"),
    (f"{PERSON}/dates?kind=rt_fraction&number=1", 'name="do" value="preview"', "coordinator"),
    (f"{PERSON}/forms", 'id="reason-', "coordinator"),
    (f"{PERSON}/forms", "Phone interview", "coordinator"),
    ("/staff/ulcers/{id}", "Record: ulcer confirmed", "investigator"),
    ("/staff/corrections/form/{form}", ">Correct<", "coordinator"),
]


@pytest.fixture
def at_work(app_context: AppContext, seeded: Study, clock: Clock) -> Study:
    """Return the study with a participant in radiotherapy who has answers, missed forms and a found ulcer."""
    coordinator, person_id = seeded.staff["coordinator"].actor, seeded.chinese.id
    known_weeks.record_five_weeks(app_context, coordinator, person_id)
    today = clock.now.date()
    with form_browser.unit_of_work(app_context, coordinator) as work:
        person = work.session.get_one(Participant, person_id)
        schedule_service.set_anchors(work, person, [DateChange("rt_fraction", 1, today)])
    clock.move(days=1)
    with form_browser.unit_of_work(app_context, seeded.staff["investigator"].actor) as work:
        person = work.session.get_one(Participant, person_id)
        endoscopies.record_result(work, person, None, done_on=today, result="ulcer")
        over = select(ExpectedForm).where(ExpectedForm.closes_at < work.now, ExpectedForm.received_at.is_(None))
        for row in work.session.scalars(over):
            row.missed_at = work.now
    return seeded


def freeze(app_context: AppContext, study: Study) -> None:
    with form_browser.unit_of_work(app_context, study.staff["investigator"].actor) as work:
        person = work.session.get_one(Participant, study.chinese.id)
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, signatures.PasswordProof)
        record_freezes.freeze_records(work, proof, person.plan, person, "interim analysis")


@pytest.mark.parametrize(("address", "button", "role"), OFFERED)
def test_a_frozen_record_shows_no_button_that_will_refuse(
    app: Flask, app_context: AppContext, at_work: Study, address: str, button: str, role: str
) -> None:
    """Pages offered "Treated today", "Correct" or 'id="reason-', and every press ended on the page of the refusal."""
    desk = signed_in_browser(app, at_work.staff[role])
    person_id = at_work.chinese.id
    desk.open(PERSON.format(id=person_id) + "/forms")
    (opened, *_more) = re.findall(r'href="([^"#]+\?form=\d+)', desk.page)
    desk.open(opened)
    (form,) = re.findall(r'href="([^"]+)">Data corrections<span', desk.page)
    path = form if "{form}" in address else address.format(id=person_id)
    assert desk.open(path).status_code == 200
    assert button in desk.page, "the test looks for a button that is never there"
    freeze(app_context, at_work)
    assert desk.open(path).status_code == 200
    assert button not in desk.page


def test_a_death_can_be_recorded_in_a_frozen_record(app: Flask, app_context: AppContext, at_work: Study) -> None:
    freeze(app_context, at_work)
    desk = signed_in_browser(app, at_work.staff["nurse"])
    path = PERSON.format(id=at_work.chinese.id) + "/dates"
    desk.open(f"{path}?kind=death")
    assert 'name="do" value="preview"' in desk.page


def test_a_frozen_study_takes_no_enrolment(app: Flask, app_context: AppContext, at_work: Study) -> None:
    desk = signed_in_browser(app, at_work.staff["coordinator"])
    desk.open("/staff/participants")
    assert ">Enrol a participant<" in desk.page
    with form_browser.unit_of_work(app_context, at_work.staff["investigator"].actor) as work:
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, signatures.PasswordProof)
        record_freezes.freeze_records(work, proof, factories.PLAN, None, "database lock")
    desk.open("/staff/participants")
    assert ">Enrol a participant<" not in desk.page
