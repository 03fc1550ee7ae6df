"""Test the pages that correct a participant's details, and the ways that lead there."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.participants import record_freezes
from pro.models import Participant
from tests.support import form_browser
from tests.support.factories import PASSWORD, PHONES, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser
from tests.support.texting_phone import TextingPhone


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the coordinator's browser, signed in."""
    return signed_in_browser(app, seeded.staff["coordinator"])


@pytest.fixture
def path(seeded: Study) -> str:
    return f"/staff/participants/{seeded.chinese.id}/details"


def seen(page: str) -> str:
    (found,) = re.findall(r'name="seen"[^>]*value="(\w+)"', page)
    return found


def test_a_phone_is_corrected_on_the_page(desk: StaffBrowser, path: str, seeded: Study) -> None:
    desk.open(path)
    said = {
        "do": "correct",
        "seen": seen(desk.page),
        "participant_number": seeded.chinese.participant_number,
        "phone": "13912345678",
        "language": "zh_Hans",
        "reason": "",
    }
    assert desk.post(path, **said).status_code == 400
    assert "13912345678" in desk.page
    assert desk.post(path, **(said | {"reason": "new phone"})).status_code == 303
    desk.open(path.removesuffix("/details"))
    assert "Links and access codes sent to the old number no longer work" in desk.page
    assert "139 1234 5678" in desk.page
    # A second press of the same page is no conflict.
    assert desk.post(path, **(said | {"reason": "new phone"})).status_code == 303
    desk.open(path.removesuffix("/details"))
    assert "Links and access codes sent to the old number no longer work" in desk.page
    assert desk.post(path, **(said | {"phone": "13812345678", "reason": "again"})).status_code == 409
    assert "These details were changed in the meantime." in desk.page


def test_a_shared_phone_is_named_and_must_be_ticked(desk: StaffBrowser, path: str, seeded: Study) -> None:
    desk.open(path)
    said = {
        "do": "correct",
        "seen": seen(desk.page),
        "participant_number": seeded.chinese.participant_number,
        "phone": PHONES["en"],
        "language": "zh_Hans",
        "reason": "they share it",
    }
    assert 'name="shared_phone"' not in desk.page
    assert desk.post(path, **said).status_code == 400
    assert "Another participant has the same phone number." in desk.page
    assert f"<b>{seeded.english.participant_number}</b>" in desk.page
    assert desk.post(path, **said, shared_phone="y").status_code == 303


def test_enrolment_warns_of_a_second_participant_on_the_same_phone(desk: StaffBrowser, seeded: Study) -> None:
    desk.open("/staff/participants/new")
    said = {
        "plan": "npc_reirradiation",
        "participant_number": "NPC-050",
        "phone": PHONES["en"],
        "language": "en",
        "pin": "2468",
        "consented_on": "2026-03-02",
        "consent_version": "1.0",
        "health_data": "y",
    }
    assert desk.post("/staff/participants/new", **said).status_code == 400
    assert f"<b>{seeded.english.participant_number}</b>" in desk.page
    assert desk.post("/staff/participants/new", **said, shared_phone="y").status_code == 303


def test_a_wrong_number_leads_to_the_correction(
    app: Flask, app_context: AppContext, desk: StaffBrowser, seeded: Study, path: str
) -> None:
    calls = path.replace("details", "calls")
    desk.open(calls)
    assert desk.post(calls, outcome="wrong_number", at="2026-03-02T09:00", text="").status_code == 303
    desk.open(path.removesuffix("/details"))
    assert f'<a href="{path}">Correct the number now</a>' in desk.page
    alert = f"/staff/alerts/{report_bleeding(app_context, seeded.chinese.checkin)[0]}"
    desk.open(alert)
    assert desk.post(alert, do="call", outcome="wrong_number", at="2026-03-02T09:00", text="").status_code == 303
    desk.open(alert)
    assert f'<a href="{path}">Correct the number now</a>' in desk.page


def test_a_mistaken_enrolment_is_taken_back_on_the_page(
    app: Flask, app_context: AppContext, desk: StaffBrowser, seeded: Study, path: str
) -> None:
    desk.open(path)
    assert "Cancel the enrolment" in desk.page
    assert desk.post(path, do="mistake", mistake_reason=" ").status_code == 400
    assert desk.post(path, do="mistake", mistake_reason="wrong list").status_code == 303
    desk.open(path.removesuffix("/details"))
    assert "Enrolled by mistake" in desk.page
    desk.open("/staff/participants")
    assert "Enrolled by mistake" in desk.page
    with transaction(app_context.engine) as session:
        assert session.get_one(Participant, seeded.chinese.id).withdrawn_at is not None
    nurse = signed_in_browser(app, seeded.staff["nurse"])
    nurse.open(path)
    assert nurse.post(path, do="mistake", mistake_reason="x").status_code == 403


def test_a_frozen_record_or_one_with_a_text_has_no_button(
    app_context: AppContext, desk: StaffBrowser, seeded: Study, path: str
) -> None:
    TextingPhone(app_context, PHONES["zh_Hans"]).write("你好")
    desk.open(path)
    assert "Cancel the enrolment" not in desk.page
    assert desk.post(path, do="mistake", mistake_reason="x").status_code == 409
    assert "This participant has an alert or a text message, so the enrolment cannot be cancelled" in desk.page
    path = path.replace(str(seeded.chinese.id), str(seeded.english.id))
    desk.open(path)
    assert "Cancel the enrolment" in desk.page
    with form_browser.unit_of_work(app_context, seeded.staff["investigator"].actor) as work:
        proof = signatures.confirm_password(work, PASSWORD)
        assert isinstance(proof, PasswordProof)
        row = work.session.get_one(Participant, seeded.english.id)
        record_freezes.freeze_records(work, proof, row.plan, row, "interim analysis")
    desk.open(path)
    assert "Cancel the enrolment" not in desk.page
    assert desk.post(path, do="mistake", mistake_reason="x").status_code == 409
    with transaction(app_context.engine) as session:
        assert session.get_one(Participant, seeded.english.id).withdrawn_at is None


def test_after_the_first_answer_no_button_takes_the_enrolment_back(
    app_context: AppContext, desk: StaffBrowser, seeded: Study, path: str
) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(path)
    assert "Cancel the enrolment" not in desk.page
    assert "Answers are stored under this number, so it cannot be changed." in desk.page
    assert desk.post(path, do="mistake", mistake_reason="x").status_code == 409
    assert "This participant has answered, so the enrolment cannot be cancelled." in desk.page
