"""Test the staff pages behind an SMS gateway that accepts approved texts only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.models import Message
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

EXAMPLE = Path(__file__).parents[2] / "deploy" / "gateway.example.yaml"


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant and the staff of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def desk_behind(file: Path, config: Config, clinic: Clinic, clock: Clock) -> StaffBrowser:
    """Return the coordinator's browser, in English, with the gateway file."""
    mainland = replace(config, sms="alibaba", base_url="https://epro.example.org", gateway_file=file)
    return signed_in_browser(create_app(mainland, clock), clinic.coordinator)


def test_no_link_is_offered_and_none_is_sent(config: Config, clinic: Clinic, clock: Clock) -> None:
    desk = desk_behind(EXAMPLE, config, clinic, clock)
    address = f"/staff/participants/{clinic.participant_id}"
    desk.open(f"{address}/forms")
    assert "By text message, with a code for the address on the card" in desk.page
    assert "By text message, with a link" not in desk.page
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="link").status_code == 400
    assert clinic.rows(Message) == []
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="code").status_code == 303


def test_a_form_over_the_daily_limit_says_so_and_is_among_the_messages(
    config: Config, clinic: Clinic, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(EXAMPLE.read_text("utf-8").replace("per_day: 4", "per_day: 1", 1), encoding="utf-8")
    desk = desk_behind(file, config, clinic, clock)
    address = f"/staff/participants/{clinic.participant_id}"
    desk.open(address)
    desk.post(f"{address}/send", instrument="npc_checkin", by="code")
    clock.move(minutes=2)
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="code").status_code == 409
    assert "The daily message limit for this number has been reached. Please phone, or show the code here." in desk.page
    assert [row.status for row in clinic.rows(Message)] == ["waiting", "dropped"]
    desk.open(f"{address}/messages")
    assert "The daily message limit for this number has been reached. Please phone." in desk.page


def test_fixed_replies_only(config: Config, clinic: Clinic, clock: Clock) -> None:
    desk = desk_behind(EXAMPLE, config, clinic, clock)
    address = f"/staff/participants/{clinic.participant_id}/messages"
    desk.open(address)
    assert 'value="staff_call"' in desk.page
    assert "The SMS provider does not accept free-text messages." in desk.page
    for _time in range(2):
        assert desk.post(address, do="fixed", kind="staff_call").status_code == 303
        clock.move(minutes=2)
    assert desk.post(address, do="fixed", kind="staff_call").status_code == 400
    assert "This number received this text too often in one day" in desk.page
    assert [row.failure for row in clinic.rows(Message)] == ["", "", "identical"]
    desk.open(address)
    assert "the provider would reject it. Please phone." in desk.page
