"""Test other modes of completion: phone interview, paper with verification, and proxy."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from pro.db import transaction
from pro.models import Answer, Assessment, Participant, Score
from tests.journeys.people import JourneyParticipant, JourneyStaff
from tests.journeys.test_checkin import number_on, stored
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
NewPatient = Callable[..., JourneyParticipant]
NewNurse = Callable[..., JourneyStaff]
DESK = {"viewport": {"width": 1280, "height": 900}, "is_mobile": False, "has_touch": False}


def person(site: Site, number: str) -> int:
    with transaction(site.app_context.engine) as session:
        return session.scalars(select(Participant.id).where(Participant.participant_number == number)).one()


def chooses(page: Page, item: str, code: int | str) -> None:
    page.locator(f"label.pick:has(input[name=q-{item}][value='{code}'])").click()


def test_a_nurse_phones_and_what_she_hears_is_an_alert_at_once(
    live_site: Site, study: Study, new_participant: NewPatient, nurse: NewNurse
) -> None:
    number = number_on(new_participant().opens_the_link())
    who = person(live_site, number)
    here = nurse("nurse", **DESK).opens(f"{live_site.url}/staff/participants/{who}/forms?lang=en")
    here.page.locator("#enter a", has_text="Phone interview").first.click()
    page = here.page
    page.locator("input[name=answered_by][value=self]").check()

    # Questions that do not apply are hidden; a digit chooses an option and goes on.
    expect(page.locator("input[name=q-bleed_now]").first).to_be_hidden()
    expect(page.locator("input[name=q-pain]").first).to_be_hidden()
    page.locator("input[name=q-bleed]").first.focus()
    page.keyboard.press("4")
    expect(page.locator("input[name=q-bleed_now]").first).to_be_focused()
    page.keyboard.press("1")
    expect(page.locator("input[name=q-breath]").first).to_be_focused()
    chooses(page, "other7", "pain")
    expect(page.locator("input[name=q-pain]").first).to_be_visible()
    chooses(page, "pain", 2)
    expect(page.locator("input[name=q-pain_int]").first).to_be_visible()
    # If it is no longer ticked, its answers are not submitted.
    chooses(page, "other7", "pain")
    expect(page.locator("input[name=q-pain_int]").first).to_be_hidden()
    chooses(page, "other7", "none")
    page.get_by_role("button", name="Save and evaluate").click()

    expect(page.locator(".hero h1")).to_contain_text(number)
    expect(page.locator(".hero")).to_contain_text("in a phone interview")
    expect(page.locator("main")).to_contain_text("tell the participant to call 120")
    addresses = {study.staff[role].email for role in ("nurse", "investigator")}
    for address in addresses:
        live_site.mailbox.wait(lambda mail: number in str(mail["Subject"]) and address in str(mail["To"]))  # noqa: B023
    form, answers, alerts = stored(live_site, number)
    assert (form.completion_mode, form.entered_by) == ("phone", study.staff["nurse"].id)
    assert (answers["bleed"].value, answers["bleed"].channel, answers["pain"].value) == (4, "phone", 0)
    assert "pain_int" not in answers
    assert "E01" in {alert.rule for alert in alerts}


def test_paper_is_typed_by_one_and_compared_by_another(
    live_site: Site, study: Study, new_participant: NewPatient, nurse: NewNurse
) -> None:
    number = number_on(new_participant("zh_Hans", "qlq_c30").opens_the_link())
    who = person(live_site, number)
    first = nurse("nurse").opens(f"{live_site.url}/staff/participants/{who}/enter/qlq_c30?mode=paper")
    page = first.page
    page.locator("input[name=answered_by][value=helped]").check()
    with transaction(live_site.app_context.engine) as session:
        now = live_site.app_context.unit_of_work(session).now + timedelta(hours=8) - timedelta(minutes=5)
    page.locator("input[name=day]").fill(f"{now:%Y-%m-%d}")
    page.locator("input[name=time]").fill(f"{now:%H:%M}")
    for n in range(1, 31):
        chooses(page, f"Q{n}", 2)
    page.locator("form.entry button[type=submit]").click()
    expect(page.locator("main")).to_contain_text("纸质问卷已保存并判定，须由另一位同事核对")

    second = nurse("investigator", **DESK).opens(f"{live_site.url}/staff/?show=papers")
    second.page.locator("li", has_text=number).get_by_role("link").click()
    expect(second.page.locator("main")).to_contain_text("answered with help")
    second.page.locator("select[name=q-Q9]").select_option("4")
    second.page.locator("input[name=reason]").fill("misread")
    second.page.locator("input[name=compared]").check()
    second.page.locator("form.entry button[type=submit]").click()
    expect(second.page.locator("main")).to_contain_text("The paper form has been corrected and evaluated again")
    form, answers, alerts = stored(live_site, number)
    assert (form.verified_by, answers["Q9"].value) == (study.staff["investigator"].id, 4)
    assert "Q03" in {alert.rule for alert in alerts}
    with transaction(live_site.app_context.engine) as session:
        rows = session.scalars(select(Answer.value).where(Answer.assessment_id == form.id, Answer.item == "Q9")).all()
        pain = session.scalars(
            select(Score.value).where(Score.assessment_id == form.id, Score.scale == "PA").order_by(Score.id)
        ).all()
    assert rows == [2, 4]
    assert [round(value or 0, 1) for value in pain] == [33.3, 66.7]


def test_a_proxys_answers_are_kept_and_not_scored(
    live_site: Site, study: Study, new_participant: NewPatient, nurse: NewNurse
) -> None:
    me = new_participant("en", "qlq_c30").opens_the_link()
    found = re.search(r"J\w+-\d{3}", me.page.locator("main").inner_text())
    assert found is not None
    number = found[0]
    me.starts("proxy").answers_the_rest({"Q8": 4}).sends()
    here = nurse("investigator", **DESK).opens(f"{live_site.url}/staff/participants/{person(live_site, number)}/forms")
    here.page.locator("a[href*='form=']").first.click()
    expect(here.page.locator("article")).to_contain_text("Proxy-reported: not scored.")
    with transaction(live_site.app_context.engine) as session:
        form = session.scalars(select(Assessment).where(Assessment.answered_by == "proxy")).one()
        assert session.scalars(select(Score).where(Score.assessment_id == form.id)).all() == []
    assert "Q01" in {alert.rule for alert in stored(live_site, number)[2]}
