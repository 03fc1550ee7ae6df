"""Test records in a browser: a correction by two people, and a withdrawal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from pro.db import transaction
from pro.models import Answer, Assessment
from tests.journeys.accessibility import violations
from tests.journeys.people import PLACES, JourneyParticipant, JourneyStaff
from tests.support import factories, form_browser
from tests.support.factories import PASSWORD, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_button_is_corrected_by_two_people(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], place: str
) -> None:
    with transaction(live_site.app_context.engine) as session:
        work = live_site.app_context.unit_of_work(session)
        way = factories.form(work, factories.participant(work, f"JREC-{place.upper()}", language="en"))
    form_browser.press_start(live_site.app_context, way, language="en").finish(bleed=0)
    desk = nurse("coordinator", **PLACES[place])
    desk.opens(f"{live_site.url}/staff/")
    desk.page.goto(f"{live_site.url}/staff/assessments/{way.assessment_id}/corrections?item=bleed&lang=en")
    page = desk.page
    page.locator("#q-bleed-1").check()
    page.locator("input[name=confirmed_how][value=phone]").check()
    page.fill("input[name=confirmed_at]", "2026-03-01T08:00")
    page.fill("textarea[name=reason]", "pressed the wrong button")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Request and sign").click()
    expect(page.get_by_role("status").first).to_contain_text("An investigator will decide")
    address = page.url
    doctor = nurse("investigator", **PLACES[place])
    doctor.opens(f"{live_site.url}/staff/")
    doctor.page.goto(address)
    assert not violations(doctor.page)
    doctor.page.fill("input[name=password]", PASSWORD)
    doctor.page.locator("button[value=approve]").click()
    expect(doctor.page.get_by_role("status").first).to_contain_text("Approved and signed")
    doctor.page.goto(f"{live_site.url}/staff/assessments/{way.assessment_id}/corrections")
    expect(doctor.page.locator("main")).to_contain_text("pressed the wrong button")
    with transaction(live_site.app_context.engine) as session:
        query = select(Answer.value).where(Answer.assessment_id == way.assessment_id, Answer.item == "bleed")
        assert list(session.scalars(query.order_by(Answer.id))) == [0, 1]


@pytest.mark.parametrize("place", PLACES)
def test_who_withdraws_is_left_alone_at_once(
    live_site: Site,
    study: Study,
    new_participant: Callable[..., JourneyParticipant],
    nurse: Callable[..., JourneyStaff],
    place: str,
) -> None:
    me = new_participant()
    me.opens_the_link().starts()
    with transaction(live_site.app_context.engine) as session:
        newest = select(Assessment.participant_id).order_by(Assessment.id.desc()).limit(1)
        person = session.scalar(newest)
    desk = nurse("coordinator", **PLACES[place])
    desk.opens(f"{live_site.url}/staff/participants/{person}/consent?lang=en")
    desk.page.locator("#withdraw summary").click()
    desk.page.locator("input[name=scope][value=questions]").check()
    desk.page.fill("textarea[name=told]", "care goes on as before")
    desk.page.locator("button[value=withdraw]").click()
    expect(desk.page.get_by_role("status").first).to_contain_text("in effect")
    me.page.goto(me.link)
    expect(me.page.locator("button[name=by]")).to_have_count(0)
    desk.page.goto(f"{live_site.url}/staff/participants/{person}")
    expect(desk.page.locator("main")).to_contain_text("Withdrawn")
