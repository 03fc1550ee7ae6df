"""The weekly synthetic alert: begun once a week in working hours, told like an emergency, and confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import alert_drills
from pro.features.duty_roster import notifications
from pro.models import Drill, Duty, Message, Staff
from tests.operations.test_worker_steps import Kept
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.drill_steps import TO_THE_DRILL, begin, confirm, give_phone, states, the_drill, tick, troubled
from tests.support.factories import PLAN, Clock

# --- begun -----------------------------------------------------------------------------------------------------------


def test_it_begins_at_its_time_and_tells_who_would_be_told(any_ward: Ward, clock: Clock) -> None:
    give_phone(any_ward, any_ward.nurse)
    clock.now += TO_THE_DRILL - timedelta(seconds=1)
    sender = Kept()
    tick(any_ward, sender)
    assert any_ward.rows(Drill) == []
    clock.move(seconds=1)
    tick(any_ward, sender)
    found = the_drill(any_ward)
    assert (found.plan, found.week, found.number, found.state) == (PLAN, "2026-W10", 0, "running")
    assert [(letter.template, letter.address) for letter in sender.letters] == [
        ("drill", "nurse@example.org"),
        ("drill_sms", "+8613700137000"),
        ("drill", "investigator@example.org"),
    ]
    assert sender.letters[0].params == {"level": "emergency", "link": "http://127.0.0.1:8000/staff/drills/1"}
    assert (sender.letters[0].language, sender.letters[2].language) == ("zh_Hans", "en")
    (event,) = any_ward.events("drill.begun")
    assert (event.actor, event.participant_id, (event.new or {})["week"]) == ("system", None, "2026-W10")
    assert any_ward.alerts() == {}
    for _ in range(3):
        clock.move(minutes=5)
        tick(any_ward, sender)
    assert len(any_ward.rows(Drill)) == 1
    assert len(sender.letters) == 3


def test_no_text_message_where_the_installation_sends_none(ward: Ward, clock: Clock) -> None:
    give_phone(ward, ward.nurse)
    clock.now += TO_THE_DRILL
    quiet = replace(ward, house=replace(ward.house, config=replace(ward.house.config, sms="none")))
    assert begin(quiet) == 1
    assert {message.channel for message in ward.rows(Message)} == {"email"}


def test_four_workers_begin_one(any_ward: Ward, clock: Clock) -> None:
    clock.now += TO_THE_DRILL
    form_browser.at_once(*(lambda: begin(any_ward) for _ in range(4)))
    assert len(any_ward.rows(Drill)) == len(any_ward.events("drill.begun")) == 1
    assert len(any_ward.mails("drill")) == 2


def test_one_a_week_and_over_the_years_end(any_ward: Ward, clock: Clock) -> None:
    clock.now += TO_THE_DRILL
    with form_browser.working(any_ward.house) as work:
        work.session.scalars(select(Duty)).one().ends_at = datetime(2028, 1, 1, tzinfo=UTC)
    for _ in range(3):
        assert begin(any_ward) == 1
        assert begin(any_ward) == 0
        clock.move(days=7)
    clock.now = datetime(2026, 12, 30, 2, 0, tzinfo=UTC)
    assert begin(any_ward) == 1
    clock.now = datetime(2027, 1, 4, 2, 0, tzinfo=UTC)  # Monday of 2027-W01: last week's was held
    assert begin(any_ward) == 0
    clock.now = datetime(2027, 1, 6, 2, 0, tzinfo=UTC)
    assert begin(any_ward) == 1
    weeks = [row.week for row in any_ward.rows(Drill)]
    assert weeks == ["2026-W10", "2026-W11", "2026-W12", "2026-W53", "2027-W01"]


def test_a_worker_that_was_down_makes_up_for_it_but_never_at_night(any_ward: Ward, clock: Clock) -> None:
    clock.now += TO_THE_DRILL + timedelta(hours=10)  # 20:00
    assert begin(any_ward) == 0
    clock.move(hours=7)  # 03:00 on Thursday
    assert begin(any_ward) == 0
    clock.move(hours=8)  # 11:00
    assert begin(any_ward) == 1
    assert the_drill(any_ward).week == "2026-W10"


def test_in_a_zone_where_the_clocks_change(any_ward: Ward, clock: Clock) -> None:
    """Berlin: ten o'clock is 09:00 UTC on 25 March 2026 and 08:00 UTC a week later."""
    there = any_ward.with_plan(lambda plan: replace(plan, settings=replace(plan.settings, time_zone="Europe/Berlin")))
    for day, hour in ((25, 9), (32, 8)):
        clock.now = datetime(2026, 3, 1, hour, 0, tzinfo=UTC) + timedelta(days=day - 1, seconds=-1)
        assert begin(there) == 0
        clock.move(seconds=1)
        assert begin(there) == 1
    assert [row.week for row in any_ward.rows(Drill)] == ["2026-W13", "2026-W14"]


def test_a_clock_that_jumps_back_an_hour_begins_nothing_again(drilled: Ward, clock: Clock) -> None:
    clock.move(hours=-1)
    tick(drilled)
    clock.move(hours=1)
    tick(drilled)
    assert len(drilled.rows(Drill)) == 1
    assert len(drilled.mails("drill")) == 2


def test_a_turn_before_the_first_account_is_not_made_up(ward: Ward, clock: Clock) -> None:
    clock.move(hours=1)
    assert begin(ward) == 0  # Monday 10:00; last Wednesday there was nobody


def test_a_plan_without_a_drill_has_none(ward: Ward, clock: Clock) -> None:
    quiet = ward.with_plan(lambda plan: replace(plan, drilling=None))
    clock.move(days=30)
    assert begin(quiet) == 0
    assert not troubled(quiet) or states(quiet) == []
    with form_browser.working(quiet.house) as work, pytest.raises(BadData, match="no_drill"):
        alert_drills.begin_now(work, PLAN)


def test_by_hand_at_any_hour_beside_the_weeks_own(any_ward: Ward, clock: Clock) -> None:
    clock.move(hours=12)
    for _ in range(2):
        with form_browser.working(any_ward.house) as work:
            alert_drills.begin_now(work, PLAN)
    clock.now += TO_THE_DRILL - timedelta(hours=12)
    assert begin(any_ward) == 1
    assert [(row.week, row.number) for row in any_ward.rows(Drill)] == [
        ("2026-W10", 1),
        ("2026-W10", 2),
        ("2026-W10", 0),
    ]
    with form_browser.working(any_ward.house) as work, pytest.raises(BadData, match="no_plan"):
        alert_drills.begin_now(work, "no_such_plan")


def test_its_messages_go_first_and_are_tried_again_like_an_alerts(drilled: Ward, clock: Clock) -> None:
    assert {message.repeat for message in drilled.rows(Message)} == {"prefer_duplicate"}
    with form_browser.working(drilled.house, drilled.coordinator.actor) as work:
        for number in range(3):
            params = {"rows": [{"study_number": "NPC-001", "link": "x"}]}
            staff = work.session.get_one(Staff, drilled.nurse.id)
            notifications.send(work, staff, "alert_digest", params, f"quiet:{number}")
        alert_drills.begin_now(work, PLAN)
    sender = Kept()
    tick(drilled, sender)
    templates = [letter.template for letter in sender.letters]
    assert templates[:3] == ["drill", "drill_sms", "drill"]
    assert set(templates[3:]) == {"alert_digest"}


# --- confirmed -------------------------------------------------------------------------------------------------------


def test_one_who_was_told_confirms_it(drilled: Ward, clock: Clock) -> None:
    assert states(drilled) == ["running"]
    clock.move(minutes=3)
    assert confirm(drilled, drilled.nurse) is True
    found = the_drill(drilled)
    assert (found.state, found.confirmed_at, found.confirmed_by) == ("passed", clock.now, drilled.nurse.id)
    assert states(drilled) == []
    assert confirm(drilled, drilled.investigator) is False
    assert the_drill(drilled).confirmed_by == drilled.nurse.id
    (event,) = drilled.events("drill.confirmed")
    assert (event.actor_id, event.participant_id) == (drilled.nurse.id, None)
    clock.move(hours=5)
    tick(drilled)
    assert the_drill(drilled).failed_at is None
    assert drilled.mails("drill_failed") == []


def test_who_has_neither_the_right_nor_the_message_cannot(drilled: Ward) -> None:
    with form_browser.working(drilled.house) as work:
        monitor = factories.account(work, "monitor")
    with pytest.raises(NotAllowed):
        confirm(drilled, monitor)
    with pytest.raises(NotFound):
        confirm(drilled, drilled.nurse, 99)
    assert the_drill(drilled).state == "running"


def test_whoever_is_on_call_may_confirm_whatever_the_role(ward: Ward, clock: Clock) -> None:
    with form_browser.working(ward.house) as work:
        monitor = factories.account(work, "monitor")
        factories.duty(work, monitor)
    clock.now += TO_THE_DRILL
    begin(ward)
    assert confirm(ward, monitor) is True
