"""Test the tabs of a participant: header, primary action, what each tab shows to whom."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.accounts import staff_accounts
from pro.features.participants.pages import participant_header, participant_page
from pro.features.participants.pages.participant_header import ACTIONS
from pro.features.schedule import missed_forms, schedule_service
from pro.features.schedule.schedule_service import DateChange
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

TABS = ("", "/timeline", "/forms", "/messages", "/events", "/records")


@pytest.fixture
def ward(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant of the study whose pages are opened."""
    staff, person = seeded.staff, seeded.chinese
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def record(clinic: Clinic, *changes: DateChange) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        schedule_service.set_anchors(work, person, changes, reason="so it is")


def primary(clinic: Clinic, role: str = "coordinator") -> str:
    account = {"coordinator": clinic.coordinator, "nurse": clinic.nurse}[role]
    with form_browser.unit_of_work(clinic.app_context, account.actor) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        return participant_header.read_header(work, person, "en").primary


@pytest.mark.parametrize("role", sorted(staff_accounts.RIGHTS))
def test_the_first_action_that_applies_and_that_the_role_may_do(role: str) -> None:
    order = list(ACTIONS)
    for chosen in itertools.product((True, False), repeat=len(order)):
        applies = dict(zip(order, chosen, strict=True))
        found = participant_header.choose_action(applies, role)
        may = [one for one in order if applies[one] and staff_accounts.has_right(role, ACTIONS[one])]
        assert found == (may[0] if may else "")


def test_the_primary_action_follows_what_is_open(any_clinic: Clinic, clock: Clock) -> None:
    clinic = any_clinic
    assert primary(clinic) == "send", "the baseline forms are open"
    # Monday 2 March 2026: a working day.
    clock.move(days=21)
    today = clock.now.date()
    record(
        clinic,
        DateChange("induction_day1", 0, today - timedelta(days=20)),
        DateChange("rt_fraction", 1, today - timedelta(days=1)),
    )
    assert primary(clinic) == "treatment"
    record(clinic, DateChange("ulcer_suspected", 1, today))
    assert primary(clinic) != "treatment", "during an ulcer the page does not ask for the next fraction"
    record(clinic, DateChange("ulcer_cleared", 1, today))
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        missed_forms.make_call_task(work, person, "call", "call:1")
    assert primary(clinic) == "call_overdue"
    clinic.start().save(bleed=4)
    assert primary(clinic) == "alert"
    clinic.acknowledge()
    assert primary(clinic, "nurse") == "alert", "the owner goes on with it"
    assert primary(clinic) == "call_overdue", "a colleague owns the alert"


@pytest.mark.parametrize("role", ["coordinator", "investigator", "nurse", "monitor", "statistician"])
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_has_the_header_and_only_what_the_role_may_see(
    app: Flask, seeded: Study, app_context: AppContext, role: str, tab: str
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    path = f"/staff/participants/{seeded.english.id}"
    assert desk.open(f"{path}{tab}?lang=en").status_code == 200
    main = desk.page.partition("<main")[2].partition("</main>")[0]
    assert '<p class="stage">Before treatment' in main
    for title in ("Open alerts", "Next visit", "Last contact"):
        assert f"<dt>{title}</dt>" in main
    current = re.findall(r'href="([^"]+)" aria-current="?page"?>', main)
    assert current == [f"{path}{tab}"]
    assert {f"{path}{one}" for one in TABS} <= set(re.findall(r'href="([^"]+)"', main))
    may = staff_accounts.RIGHTS[role]
    assert ("tel:" in main) is ("see_identity" in may)
    assert main.count('class="btn"') <= 1 + main.count('<details class="confirm"'), "one filled button outside of folds"
    if tab == "/messages":
        assert ("Reply by text message" in main) is ("see_inbox" in may)
        assert ("Phone calls" in main) is ("see_to_do_list" in may)
        assert "Sent messages" in main
    if not may & {"send_form", "log_call", "set_dates", "acknowledge"}:
        assert 'class="btn"' not in main


@pytest.mark.parametrize("tab", TABS)
def test_opening_a_tab_is_recorded_once(ward: Clinic, app: Flask, tab: str) -> None:
    desk = signed_in_browser(app, ward.coordinator)
    assert desk.open(f"/staff/participants/{ward.participant_id}{tab}").status_code == 200
    assert len(ward.events("participant.seen")) == 1
    assert len(ward.events("participant.phone_seen")) >= 1, "the header shows the phone"


def test_the_summary_before_a_dose_is_within_reach_of_every_tab(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    path = f"/staff/participants/{seeded.english.id}"
    for tab in TABS:
        desk.open(f"{path}{tab}?lang=en")
        assert f"{path}/pre-dose.pdf" in desk.page, tab


def test_the_header_says_what_is_open_and_what_was_heard_last(ward: Clinic, app: Flask, clock: Clock) -> None:
    ward.start().finish(odor=3)
    clock.move(hours=2)
    desk = signed_in_browser(app, ward.nurse)
    desk.open(f"/staff/participants/{ward.participant_id}/records?lang=en")
    strip = desk.page.partition('<dl class="strip">')[2].partition("</dl>")[0]
    assert "Urgent" in strip
    assert "<b>1</b>" in strip
    assert "answered a form" in strip
    assert "Acknowledge the alert</a>" in desk.page


def test_the_address_in_emails_leads_to_the_tab(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{seeded.english.id}"
    for old, new in (
        (f"/staff/inbox/{seeded.english.id}", f"{path}/messages"),
        (f"/staff/inbox/{seeded.english.id}?show=everything", f"{path}/messages?show=everything"),
    ):
        assert desk.open(old).location == new


def test_the_opened_form_has_answers_and_closed_scores(app: Flask, app_context: AppContext, seeded: Study) -> None:
    form_browser.press_start(app_context, seeded.english.qlq).finish(**{f"Q{number}": 2 for number in range(1, 29)})
    desk = signed_in_browser(app, seeded.staff["monitor"])
    path = f"/staff/participants/{seeded.english.id}/forms?lang=en"
    desk.open(path)
    assert "Opened:" not in desk.page
    desk.open(f"{path}&form={seeded.english.qlq.assessment_id}")
    opened = desk.page.partition(f'id="form-{seeded.english.qlq.assessment_id}"')[2].partition("</article>")[0]
    assert "Opened: QLQ-C30" in opened
    assert re.search(r"<details><summary>\d+ scores", opened)
    assert "<details open><summary>Answers" in opened
    other = seeded.chinese.checkin.assessment_id
    assert desk.open(f"{path}&form={other}").status_code == 404, "another participant's form"


def test_the_phase_stands_in_the_rows_of_the_to_do_list(ward: Clinic, app: Flask, clock: Clock) -> None:
    clock.move(days=7)
    record(ward, DateChange("induction_day1", 0, clock.now.date() - timedelta(days=3)))
    ward.start().save(bleed=4)
    desk: StaffBrowser = signed_in_browser(app, ward.nurse)
    desk.open("/staff/?lang=en")
    assert '<span class="s">Induction, day 4</span>' in desk.page
    desk.open(f"/staff/participants/{ward.participant_id}?lang=en")
    assert '<p class="stage">Induction, day 4' in desk.page
    desk.open(f"/staff/alerts/{ward.alerts()['E01'].id}?lang=en")
    assert "<b>Induction, day 4</b>" in desk.page
