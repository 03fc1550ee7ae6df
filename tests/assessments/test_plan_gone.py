"""A participant whose plan has left the catalogue writes: somebody is told, and no page falls."""

from __future__ import annotations

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.features.operations import worker_steps
from pro.models import Alert, Inbound, Message, Participant
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Clock, Study
from tests.support.staff_browser import at_desk
from tests.support.texting_phone import Texter


@pytest.fixture
def ward(house: AppContext, seeded: Study) -> Ward:
    """The Chinese participant, whose plan file was removed."""
    staff, person = seeded.staff, seeded.chinese
    with form_browser.working(house) as work:
        work.session.get_one(Participant, person.id).plan = "removed"
    return Ward(
        house, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def test_a_red_flag_is_told_by_role_and_the_safety_sentence_goes_out(ward: Ward, seeded: Study) -> None:
    texter = Texter(ward.house)
    assert texter.write("我喘不过气", deliver=False).level == Level.EMERGENCY
    [alert] = ward.rows(Alert)
    assert (alert.level, alert.plan_version) == (Level.EMERGENCY, "")
    told = {row.staff_id for row in ward.rows(Message) if row.template == "alert"}
    assert told == {seeded.staff["administrator"].id, ward.investigator.id}
    assert [row.template for row in ward.rows(Message) if row.channel == "sms"] == ["safety"]


def test_any_other_text_waits_for_a_reader_and_wishes_still_count(ward: Ward) -> None:
    texter = Texter(ward.house)
    for text in ("0", "HELP", "语言", "STOP", "START"):
        texter.write(text)
    assert [row.what for row in ward.rows(Inbound)] == ["text", "text", "text", "command", "command"]
    assert texter.kinds == ["stopped", "started"]


def test_no_page_of_staff_falls(app: Flask, ward: Ward, clock: Clock) -> None:
    Texter(ward.house).write("我喘不过气")
    [alert] = ward.rows(Alert)
    clock.move(hours=30)
    desk = at_desk(app, ward.coordinator)
    for path in (
        "/staff/",
        "/staff/inbox",
        f"/staff/inbox/{ward.participant_id}",
        f"/staff/alerts/{alert.id}",
        "/staff/participants",
        f"/staff/participants/{ward.participant_id}",
    ):
        assert desk.open(path, follow="").status_code == 200, path
    desk.open(f"/staff/inbox/{ward.participant_id}")
    assert "The study plan of this participant is no longer here" in desk.page


def test_the_worker_goes_on(ward: Ward) -> None:
    Texter(ward.house).write("我喘不过气")
    worker_steps.tick(ward.house, {}, "test:1")
    assert len(ward.rows(Alert)) == 1
