"""Test the ulcer pages without JavaScript: access by role, refusals, kept input."""

from __future__ import annotations

import re
from datetime import date

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies
from pro.models import Endoscopy, Participant, SignedDecision
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

OVERVIEW = "/staff/ulcers"
TODAY = date(2026, 3, 2)


@pytest.fixture
def one(seeded: Study) -> str:
    """Return the address of the Chinese participant's page."""
    return f"{OVERVIEW}/{seeded.chinese.id}"


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the investigator's browser on the ulcer overview."""
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open(f"{OVERVIEW}?lang=en")
    return desk


def suspected(app_context: AppContext, study: Study) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        factories.save_answers(work, factories.open_form_session(work, study.chinese.checkin), odor=3)


def dated(app_context: AppContext, study: Study, *kinds: str) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session, study.staff["coordinator"].actor)
        person = session.get_one(Participant, study.chinese.id)
        changes = [DateChange(kind, 0 if kind == "induction_day1" else 1, TODAY) for kind in kinds]
        schedule_service.set_anchors(work, person, changes)


def count(app_context: AppContext, model: type[SignedDecision] | type[Endoscopy]) -> int:
    with transaction(app_context.engine) as session:
        return session.query(model).count()


def seen_in(page: str) -> dict[str, str]:
    """Return the hidden fields that name the displayed state."""
    return dict(re.findall(r'name="([\w-]*seen)"[^>]* value="(\w+)"', page))


def study_post(desk: StaffBrowser, **given: str) -> int:
    data = {"choice": "pause", "reason": "Three of ten", "password": factories.PASSWORD} | given
    fields = {f"{factories.PLAN}-{name}": text for name, text in data.items()}
    return desk.post(OVERVIEW, plan=factories.PLAN, do="decide", **{**seen_in(desk.page), **fields}).status_code


def decide(desk: StaffBrowser, path: str, **given: str) -> int:
    data = {"about": "ulcer", "choice": "stop", "reason": "Bone is bare", "password": factories.PASSWORD} | given
    fields = {f"decision-{name}": text for name, text in data.items()}
    return desk.post(path, do="decide", **{**seen_in(desk.page), **fields}).status_code


def test_an_empty_overview_is_good_news_and_says_whose_numbers_these_are(desk: StaffBrowser) -> None:
    assert "No suspected or confirmed ulcer, and no 50 Gy response assessment due soon" in desk.page
    assert "0 of the first 10 treated participants" in desk.page
    assert "These numbers are demonstration defaults" in desk.page


@pytest.mark.parametrize("role", ["monitor", "statistician"])
def test_readers_see_everything_but_identities_and_no_button(
    app: Flask, app_context: AppContext, seeded: Study, one: str, role: str
) -> None:
    suspected(app_context, seeded)
    desk = signed_in_browser(app, seeded.staff[role])
    for path in (f"{OVERVIEW}?lang=en", one):
        assert desk.open(path).status_code == 200
        assert "NPC-001" in desk.page
        assert "UL2" in desk.page
        assert seeded.chinese.phone not in desk.page
        assert "Request an endoscopy" not in desk.page
        assert "Sign decision" not in desk.page
    assert desk.post(one, do="ask").status_code == 403
    assert desk.post(OVERVIEW, plan=factories.PLAN).status_code == 403


def test_from_suspicion_to_a_result_and_what_it_offers(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, one: str
) -> None:
    suspected(app_context, seeded)
    desk.open(OVERVIEW)
    assert "suspected from the answers (UL2)" in desk.page
    assert "no endoscopy requested" in desk.page
    desk.open(one)
    assert re.search(r'href="/staff/alerts/\d+">View the alert', desk.page)
    assert desk.post(one, do="ask").status_code == 303
    desk.open(one)
    assert "Endoscopy requested." in desk.page
    (number,) = re.findall(r'id="endoscopy"[^>]*value="(\d+)"', desk.page)
    given = {"endoscopy": number, "done_on": "2026-03-02", "result": "ulcer", "grade": "3", "finding": "left wall"}
    assert desk.post(one, do="done", **given).status_code == 303
    desk.open(one)
    assert "Result saved. Nothing else was changed." in desk.page
    assert "Suspected ulcer" in desk.page
    link = f"/staff/participants/{seeded.chinese.id}/dates?kind=ulcer_confirmed&on=2026-03-02#form"
    assert f'href="{link}"' in desk.page
    desk.open(link)
    assert 'value="2026-03-02"' in desk.page
    dated(app_context, seeded, "induction_day1", "ulcer_confirmed")
    desk.open(OVERVIEW)
    assert "1 of the first 10 treated participants" in desk.page
    assert "Confirmed ulcer" in desk.page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"done_on": "2026-03-03"}, "This date is in the future."),
        ({"done_on": ""}, "Enter the date as year, month and day, for example 2026-11-22"),
        ({"done_on": "soon"}, "Enter the date as year, month and day, for example 2026-11-22"),
        ({"result": ""}, "Enter the result of the endoscopy."),
        ({"result": "normal"}, "Only an ulcer or necrosis is graded."),
        ({"finding": "x" * 4001}, "The text is too long: at most 4000 characters."),
    ],
)
def test_a_result_that_cannot_be_is_refused_and_stays_typed(
    given: dict[str, str], words: str, desk: StaffBrowser, app_context: AppContext, one: str
) -> None:
    data = {"done_on": "2026-03-02", "result": "ulcer", "grade": "4", "finding": "left wall"} | given
    assert desk.post(one, do="done", **data).status_code == 400
    assert words in desk.page
    assert data["finding"] in desk.page
    assert re.search(r'name="grade"[^>]*value="4" checked', desk.page)
    assert count(app_context, Endoscopy) == 0


def test_an_endoscopy_is_offered_only_the_grades_of_its_term(desk: StaffBrowser, one: str) -> None:
    """The form offered grades 1 and 2, which pharyngeal necrosis does not have."""
    desk.open(one)
    assert re.findall(r'name="grade"[^>]*value="(\d?)"', desk.page) == ["", "3", "4", "5"]


def test_a_conflict_with_an_earlier_record_keeps_what_was_typed(
    desk: StaffBrowser, app_context: AppContext, one: str
) -> None:
    desk.post(one, do="ask")
    desk.open(one)
    (number,) = re.findall(r'id="endoscopy"[^>]*value="(\d+)"', desk.page)
    data = {"endoscopy": number, "done_on": "2026-03-02", "result": "unclear"}
    assert desk.post(one, do="done", **data).status_code == 303
    assert desk.post(one, do="done", **data, finding="right wall").status_code == 409
    assert "Investigator was faster" in desk.page
    assert "right wall" in desk.page
    assert 'id="endoscopy" name="endoscopy" type="hidden" value=""' in desk.page
    assert desk.post(one, do="take_back", endoscopy=number, why="").status_code == 400
    assert "Enter the reason for cancelling." in desk.page
    assert desk.post(one, do="take_back", endoscopy=number, why="wrong file").status_code == 303
    assert desk.open(one).status_code == 200
    assert "Cancelled by Investigator" in desk.page


def test_a_decision_is_signed_and_stands_with_its_name(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, one: str
) -> None:
    suspected(app_context, seeded)
    desk.open(one)
    assert decide(desk, one) == 303
    desk.open(one)
    assert "The decision has been signed." in desk.page
    assert "Stop radiotherapy" in desk.page
    assert "Decided and signed by Investigator (investigator)" in desk.page
    assert "The signature does not match this content" not in desk.page
    desk.open(OVERVIEW)
    assert "Decided: Stop radiotherapy" in desk.page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"choice": ""}, "Choose your decision."),
        ({"reason": " "}, "Enter the reason for this decision."),
        ({"password": ""}, "Enter your password"),
        ({"password": "wrong"}, "The password is not correct."),
        ({"reason": "y" * 4001}, "The text is too long: at most 4000 characters."),
    ],
)
def test_a_decision_that_lacks_something_is_refused_and_stays_typed(
    given: dict[str, str], words: str, desk: StaffBrowser, app_context: AppContext, seeded: Study, one: str
) -> None:
    suspected(app_context, seeded)
    desk.open(one)
    assert decide(desk, one, **given) == 400
    assert words in desk.page
    assert given.get("reason", "Bone is bare") in desk.page
    assert factories.PASSWORD not in desk.page
    desk.open(OVERVIEW)
    assert study_post(desk, **given) == 400
    assert words in desk.page
    assert given.get("reason", "Three of ten") in desk.page
    assert count(app_context, SignedDecision) == 0


def test_five_wrong_passwords_say_when_signing_goes_on(desk: StaffBrowser, one: str) -> None:
    desk.open(one)
    for _ in range(5):
        assert decide(desk, one, password="wrong") == 400
    assert "Too many wrong passwords. You can sign again after 09:15." in desk.page


def test_a_stale_page_signs_nothing_and_loses_nothing(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, one: str
) -> None:
    desk.open(one)
    suspected(app_context, seeded)
    assert decide(desk, one) == 409
    assert "Not signed: the record has changed" in desk.page
    assert "Bone is bare" in desk.page
    assert "Suspected ulcer" in desk.page
    assert decide(desk, one) == 303
    desk.open(OVERVIEW)
    dated(app_context, seeded, "induction_day1", "ulcer_confirmed")
    assert study_post(desk) == 409
    assert "Three of ten" in desk.page
    assert "not graded: may count" in desk.page
    assert count(app_context, SignedDecision) == 1
    assert study_post(desk) == 303
    desk.open(OVERVIEW)
    assert "Pause the study" in desk.page


def test_a_reached_step_says_the_consequence_loudly(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session, seeded.staff["coordinator"].actor)
        people = [session.get_one(Participant, seeded.chinese.id)]
        people += [factories.participant(work, f"NPC-01{number}", phone="") for number in range(2)]
        for person in people:
            kinds = (("induction_day1", 0), ("ulcer_confirmed", 1))
            schedule_service.set_anchors(work, person, [DateChange(kind, number, TODAY) for kind, number in kinds])
            endoscopies.record_result(work, person, None, done_on=TODAY, result="necrosis", grade="4")
    desk.open(OVERVIEW)
    assert re.search(r"Reached: +3 of the first 10 treated participants +\(rule: 3\)", " ".join(desk.page.split()))
    assert "<b>No new participants are treated until" in desk.page
    assert "3 more would reach it" in desk.page


@pytest.mark.parametrize("role", ["nurse", "coordinator"])
def test_who_is_no_investigator_asks_but_does_not_decide(
    app: Flask, app_context: AppContext, seeded: Study, one: str, role: str
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open(f"{one}?lang=en")
    assert "Only an investigator can decide." in desk.page
    assert desk.post(one, do="ask").status_code == 303
    assert desk.post(one, do="decide").status_code == 403
    assert desk.post(OVERVIEW, plan=factories.PLAN, do="decide").status_code == 403
    assert (count(app_context, Endoscopy), count(app_context, SignedDecision)) == (1, 0)


def test_an_overdue_endoscopy_is_on_the_to_do_list(
    desk: StaffBrowser, clock: Clock, seeded: Study, app: Flask, one: str
) -> None:
    desk.post(one, do="ask")
    clock.move(days=4)
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open("/staff/?show=endoscopies&lang=en")
    assert "An endoscopy was requested; no result has been recorded." in desk.page
    assert f'href="{one}"' in desk.page
    desk.open(OVERVIEW)
    assert "overdue" in desk.page


@pytest.mark.parametrize(
    "data",
    [{}, {"do": "delete"}, {"do": "done", "endoscopy": "x"}, {"do": "take_back"}, {"do": "done", "endoscopy": "²"}],
)
def test_a_post_that_no_page_sends_is_refused(data: dict[str, str], desk: StaffBrowser, one: str) -> None:
    assert desk.post(one, **data).status_code == 400
    assert desk.post(OVERVIEW, plan="other").status_code == 400
    assert desk.open(f"{OVERVIEW}/999999").status_code == 404


@pytest.mark.parametrize(
    ("language", "graded", "counts", "term"),
    [
        ("en", "Grade 3", "graded, not recorded as confirmed: may count", "Pharyngeal necrosis"),
        ("zh_Hans", "3级", "已分级，未登记确诊：可能计入", "咽部坏死"),
    ],
)
def test_a_grading_is_on_the_overview_with_its_author_and_what_is_left_to_do(
    desk: StaffBrowser,
    app_context: AppContext,
    seeded: Study,
    one: str,
    language: str,
    graded: str,
    counts: str,
    term: str,
) -> None:
    factories.sign_grading(app_context, seeded.staff["investigator"], seeded.chinese.id)
    desk.open(f"{OVERVIEW}?lang={language}")
    assert counts in desk.page
    assert term in desk.page
    desk.open(one)
    assert graded in desk.page
    assert "Investigator" in desk.page
    assert 'href="/staff/adverse-events/1"' in desk.page
    assert f"/staff/participants/{seeded.chinese.id}/dates?kind=ulcer_confirmed&on=2026-03-02#form" in desk.page
    dated(app_context, seeded, "induction_day1", "ulcer_confirmed")
    desk.open(OVERVIEW)
    assert counts not in desk.page
    assert re.search(r"<b>(1 of the first 10 treated participants|前10例接受治疗的受试者中1例)", desk.page)
