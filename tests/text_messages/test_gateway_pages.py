"""Staff pages behind an SMS gateway that sends approved texts only: what would be refused is not offered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.models import Message
from tests.support.alert_ward import Ward
from tests.support.factories import Clock, Study
from tests.support.staff_browser import Desk, at_desk

EXAMPLE = Path(__file__).parents[2] / "deploy" / "gateway.example.yaml"


@pytest.fixture
def ward(house: AppContext, seeded: Study) -> Ward:
    """The Chinese participant and the people of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Ward(
        house, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def desk_behind(file: Path, config: Config, ward: Ward, clock: Clock) -> Desk:
    """The coordinator, who reads English, in an installation with the gateway file."""
    mainland = replace(config, sms="alibaba", base_url="https://epro.example.org", gateway_file=file)
    return at_desk(create_app(mainland, clock), ward.coordinator)


def test_no_link_is_offered_and_none_is_sent(config: Config, ward: Ward, clock: Clock) -> None:
    desk = desk_behind(EXAMPLE, config, ward, clock)
    address = f"/staff/participants/{ward.participant_id}"
    desk.open(address)
    assert "By SMS, with a code for the web address on the card" in desk.page
    assert "By SMS, with a link" not in desk.page
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="link").status_code == 400
    assert ward.rows(Message) == []
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="code").status_code == 303


def test_a_form_over_the_budget_says_so_and_stands_among_the_messages(
    config: Config, ward: Ward, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(EXAMPLE.read_text("utf-8").replace("per_day: 4", "per_day: 1", 1), encoding="utf-8")
    desk = desk_behind(file, config, ward, clock)
    address = f"/staff/participants/{ward.participant_id}"
    desk.open(address)
    desk.post(f"{address}/send", instrument="npc_checkin", by="code")
    clock.move(minutes=2)
    assert desk.post(f"{address}/send", instrument="npc_checkin", by="code").status_code == 409
    assert "as many messages today as it may get. Please phone, or show the code here." in desk.page
    assert [row.status for row in ward.rows(Message)] == ["waiting", "dropped"]
    desk.open(address)
    assert "This number has had as many messages today as it may get. Phone." in desk.page


def test_fixed_replies_only(config: Config, ward: Ward, clock: Clock) -> None:
    desk = desk_behind(EXAMPLE, config, ward, clock)
    address = f"/staff/inbox/{ward.participant_id}"
    desk.open(address)
    assert 'value="staff_call"' in desk.page
    assert "Own words cannot be sent by this installation’s SMS provider." in desk.page
    for _time in range(2):
        assert desk.post(address, do="fixed", kind="staff_call").status_code == 303
        clock.move(minutes=2)
    assert desk.post(address, do="fixed", kind="staff_call").status_code == 400
    assert "This number got this text too often within a day" in desk.page
    assert [row.failure for row in ward.rows(Message)] == ["", "", "identical"]
    desk.open(address)
    assert "The provider would reject it. Phone." in desk.page
