"""Test the pages of data entry and of the verification of paper forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.assessments import answer_service
from pro.features.forms import form_access
from pro.models import Answer, Assessment, Participant
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser
from tests.support.staff_browser import StaffBrowser, signed_in_browser

HEAD = {"mode": "phone", "answered_by": "self", "day": "2026-03-02", "time": "08:30", "language": "zh_Hans"}


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the coordinator's browser, signed in, in English."""
    return signed_in_browser(app, seeded.staff["coordinator"])


@pytest.fixture
def address(seeded: Study) -> str:
    """Return the address where the Chinese participant's check-in is entered."""
    return f"/staff/participants/{seeded.chinese.id}/enter/npc_checkin"


def state_on(desk: StaffBrowser) -> str:
    found = re.search(r'name="state" value="([^"]+)"', desk.page)
    assert found is not None
    return found[1]


def enter(desk: StaffBrowser, address: str, state: str = "", **more: Any) -> TestResponse:
    """Open the page and submit it with ``more``: head fields by name, questions by item."""
    if not state:
        desk.open(address)
        state = state_on(desk)
    given = {name if name in HEAD else f"q-{name}": value for name, value in more.items()}
    return desk.post(address, **{**HEAD, "state": state, **given})


def forms(app_context: AppContext, seeded: Study) -> list[Assessment]:
    with transaction(app_context.engine) as session:
        query = select(Assessment).where(
            Assessment.participant_id == seeded.chinese.id, Assessment.submitted_at.is_not(None)
        )
        return list(session.scalars(query.order_by(Assessment.id)))


def stored(app_context: AppContext) -> dict[str, Any]:
    with transaction(app_context.engine) as session:
        return {row.item: row.value for row in session.scalars(select(Answer).order_by(Answer.id))}


def test_the_page_has_every_question_and_nothing_chosen(desk: StaffBrowser, address: str) -> None:
    desk.open(address + "?mode=phone")
    assert desk.page.count('class="ask') == 42 - 1  # the self-harm question is off
    chosen = re.findall(r'name="([\w-]+)"[^>]* checked', desk.page)
    assert chosen == ["mode", "language"]
    assert 'value="2026-03-02"' in desk.page
    assert 'value="09:00"' in desk.page
    assert "only if “Bleeding” is not “None”" in desk.page
    assert "only if ticked under “Tiredness" in desk.page
    assert "Short of breath at rest" in desk.page
    desk.open(address + "?mode=paper")
    assert 'value="2026-03-02"' not in desk.page


def test_an_emergency_leads_to_its_alert_and_says_what_to_do(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study
) -> None:
    answer = enter(desk, address, bleed=4, bleed_now=1, other7=["hearing"], hearing=2, weight="６０斤")
    assert answer.status_code == 303
    assert answer.location.startswith("/staff/alerts/")
    desk.open(answer.location)
    assert "tell the participant to call 120" in desk.page
    assert "in a phone interview" in desk.page
    assert "Answered 08:30" in desk.page
    assert "entered by Coordinator, 09:00" in desk.page
    (form,) = forms(app_context, seeded)
    assert (form.completion_mode, form.language, form.identified_by) == ("phone", "zh_Hans", "staff")
    kept = stored(app_context)
    assert (kept["bleed"], kept["hearing"], kept["tinnitus"], kept["weight"]) == (4, 2, 0, "30.0")
    assert "breath" not in kept


def test_a_quiet_interview_leads_back_to_the_participant(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study
) -> None:
    nothing = dict.fromkeys(("bleed", "breath", "chest", "palp", "faint", "temp", "swallow", "neuro"), 0)
    quiet = nothing | dict.fromkeys(("nosebleed7", "odor", "discharge", "headache", "new_cn", "sores"), 0)
    answer = enter(desk, address, "", **quiet, other7="none")
    assert answer.location == f"/staff/participants/{seeded.chinese.id}/forms"
    desk.open(answer.location)
    assert "The interview has been saved and evaluated." in desk.page
    (opened, *_older) = re.findall(r"/forms\?form=(\d+)", desk.page)
    desk.open(f"{answer.location}?form={opened}")
    assert "entered by Coordinator" in desk.page


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"day": "2026-03-09"}, "Answers cannot be in the future"),
        ({"day": "2026-03-01"}, "before the participant’s consent"),
        ({"day": "yesterday"}, "Enter the date as year, month and day, for example 2026-11-22"),
        ({"time": "half nine"}, "Enter the time as hours and minutes, for example 14"),
        ({"answered_by": ""}, "Choose who answered"),
        ({"mode": "web"}, "Choose one of the options shown"),
        ({"weight": "600"}, "The value is too high"),
        ({"weight": "heavy"}, "Enter a number"),
        ({"free_text": "x" * 501}, "too long"),
        ({"bleed": 0, "bleed_now": 1}, "Bleeding right now</b>: This question is not asked"),
        ({"pain": 2}, "This question is not asked because of other answers"),
        ({"other7": ["pain", "none"]}, "“None of these” is selected together with others"),
        ({"breath": 9}, "This is not a possible answer"),
    ],
)
def test_what_cannot_be_taken_is_said_and_nothing_typed_is_lost(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study, more: dict[str, Any], sentence: str
) -> None:
    assert enter(desk, address, **{"swallow": 3, "free_text": "咽不下", **more}).status_code == 400
    assert sentence in desk.page
    assert 'value="3" checked' in desk.page
    if "free_text" not in more:
        assert ">咽不下</textarea>" in desk.page
    for name, value in more.items():
        if name in ("weight", "bleed_now", "pain"):
            assert re.search(rf'name="q-{name}"[^>]*value="{value}"', desk.page)
    assert forms(app_context, seeded) == []
    assert stored(app_context) == {}


def test_nothing_answered_is_not_a_form(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study
) -> None:
    assert enter(desk, address).status_code == 400
    assert "No question has been answered yet." in desk.page
    assert enter(desk, address, bleed="skip").status_code == 400
    assert forms(app_context, seeded) == []


def test_what_came_in_meanwhile_is_shown_before_it_is_typed_over(
    desk: StaffBrowser, app: Flask, address: str, app_context: AppContext, seeded: Study
) -> None:
    desk.open(address)
    before = state_on(desk)
    phone = ParticipantBrowser(app)
    phone.start(seeded.chinese.checkin)
    phone.tap(1)
    assert enter(desk, address, before, bleed=4).status_code == 409
    assert "New answers arrived while you were typing, so nothing was saved" in desk.page
    assert "answered 1 question" in desk.page
    assert "Already answered: Only streaks or a few drops" in desk.page
    assert 'id="q-bleed-4" value="4" checked' in desk.page
    assert forms(app_context, seeded) == []
    assert enter(desk, address, state_on(desk), bleed=4).status_code == 303
    assert stored(app_context)["bleed"] == 4


def test_the_second_press_does_not_make_a_second_form(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study
) -> None:
    desk.open(address)
    state = state_on(desk)
    assert enter(desk, address, state, bleed=1).status_code == 303
    assert enter(desk, address, state, bleed=1).status_code == 409
    assert len(forms(app_context, seeded)) == 1


def test_entry_is_refused_after_death_or_withdrawal(
    desk: StaffBrowser, address: str, app_context: AppContext, seeded: Study
) -> None:
    for column, sentence in (("withdrawn_at", "Only the withdrawal form can be entered"), ("died_at", "has died")):
        with transaction(app_context.engine) as session:
            setattr(session.get_one(Participant, seeded.chinese.id), column, app_context.clock())
        for answer in (desk.open(address), desk.post(address, **HEAD)):
            assert (answer.status_code, answer.location) == (303, f"/staff/participants/{seeded.chinese.id}/forms")
        desk.open(answer.location)
        assert sentence in desk.page
        assert "/enter/" not in desk.page


def test_paper_is_on_the_to_do_list_until_another_person_has_verified_it(
    desk: StaffBrowser, app: Flask, address: str, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    answer = enter(desk, address, mode="paper", breath=1, swallow="skip", weight="58", other7=["pain"], pain=1)
    desk.open(answer.location)
    (form,) = forms(app_context, seeded)
    check = f"/staff/assessments/{form.id}/check"
    desk.open("/staff/?show=papers")
    assert "Paper forms to verify<b>1</b>" in desk.page
    assert check not in desk.page  # not for the person who entered it
    desk.open(check)
    assert "You entered this form yourself" in desk.page
    assert "<select" not in desk.page
    assert desk.post(check, compared="y").status_code == 409

    second = signed_in_browser(app, seeded.staff["investigator"])
    second.open("/staff/?show=papers")
    assert check in second.page
    second.open(check)
    assert "Entered: Short of breath when walking fast or upstairs" in second.page
    assert "Entered: left blank" in second.page
    same = {"q-weight": "58.0", "q-other7": "pain"}
    assert second.post(check, **same).status_code == 400
    assert "Confirm that you have verified every answer against the original" in second.page
    assert second.post(check, compared="y", **{**same, "q-breath": 2}).status_code == 400
    assert "Enter the reason for the corrections" in second.page
    assert '<option value="2" selected' in second.page
    clock.move(minutes=5)
    answer = second.post(check, compared="y", reason="misread", **{**same, "q-breath": 2, "q-weight": "85"})
    assert answer.status_code == 303
    kept = stored(app_context)
    assert (kept["breath"], kept["weight"], kept["pain"]) == (2, "85.0", 1)
    second.open("/staff/?show=papers")
    assert "Nothing to do here" in second.page
    second.open(f"/staff/participants/{seeded.chinese.id}/forms?form={check.split('/')[3]}")
    assert "verified against the original by Investigator" in second.page
    second.open(check)
    assert "Verified against the original by Investigator" in second.page
    assert second.post(check, compared="y", **same).status_code == 409


def test_agreement_changes_no_answer(
    desk: StaffBrowser, app: Flask, address: str, app_context: AppContext, seeded: Study
) -> None:
    enter(desk, address, mode="paper", breath=0, other7="none")
    (form,) = forms(app_context, seeded)
    before = stored(app_context)
    second = signed_in_browser(app, seeded.staff["investigator"])
    check = f"/staff/assessments/{form.id}/check"
    second.open(check)
    assert second.post(check, compared="y", **{"q-other7": "none"}).status_code == 303
    assert stored(app_context) == before
    with transaction(app_context.engine) as session:
        assert len(session.scalars(select(Answer)).all()) == len(before)


def test_a_proxy_starts_on_the_phone_and_is_not_scored(
    desk: StaffBrowser, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    phone = ParticipantBrowser(app)
    phone.open(seeded.chinese.qlq.path)
    assert 'value="proxy"' in phone.page
    assert phone.press(by="proxy").status_code == 303
    phone.tap(2)
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        assessment = session.get_one(Assessment, seeded.chinese.qlq.assessment_id)
        assert assessment.answered_by == "proxy"
        (row,) = session.scalars(select(Answer))
        assert row.answered_by == "proxy"
        here = factories.open_form_session(work, seeded.chinese.qlq, answered_by="self")
        assert isinstance(here, form_access.FormSession)
        answer_service.submit_form(work, here, "zh_Hans")
    desk.open(f"/staff/participants/{seeded.chinese.id}/forms?form={seeded.chinese.qlq.assessment_id}")
    assert "Proxy-reported: not scored." in desk.page
    assert "answered by someone else on the participant’s behalf" in desk.page
    assert "Scores, 0 to 100" not in desk.page
