"""A drill that did not get through: found once, loud, and red until one is confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from pro.errors import BadData
from pro.features.alerts import alert_drills
from pro.features.operations import worker_steps
from pro.messaging.sender_protocol import Refused, Unreachable
from pro.models import Duty, Message, Staff
from tests.operations.test_worker_steps import Kept
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.drill_steps import (
    TO_THE_DRILL,
    Broken,
    begin,
    confirm,
    give_phone,
    states,
    the_drill,
    tick,
    troubled,
)
from tests.support.factories import PLAN, Clock


def test_nobody_confirms_it_in_time(drilled: Ward, clock: Clock) -> None:
    clock.move(minutes=59, seconds=59)
    tick(drilled)
    assert (the_drill(drilled).state, troubled(drilled)) == ("running", False)
    clock.move(seconds=1)
    tick(drilled)
    found = the_drill(drilled)
    assert (found.state, found.failure, found.failed_at) == ("failed", "not_confirmed", clock.now)
    assert troubled(drilled)
    mails = drilled.mails("drill_failed")
    assert [mail.to for mail in mails] == ["investigator@example.org", "coordinator@example.org"]
    assert mails[0].params["failure"] == "not_confirmed"
    assert "Nobody confirmed it in time." in mails[0].body
    tick(drilled)
    assert len(drilled.mails("drill_failed")) == len(drilled.events("drill.failed")) * 2 == 2
    # Late, but now they know that it arrives.
    clock.move(hours=2)
    assert confirm(drilled, drilled.nurse) is True
    assert (the_drill(drilled).state, states(drilled), troubled(drilled)) == ("passed", [], False)


def test_the_administrator_hears_of_it_too(ward: Ward, clock: Clock) -> None:
    with form_browser.working(ward.house) as work:
        factories.account(work, "administrator")
    clock.now += TO_THE_DRILL
    tick(ward)
    clock.move(hours=1)
    tick(ward)
    assert "administrator@example.org" in [mail.to for mail in ward.mails("drill_failed")]


def test_two_workers_find_a_failure_once(drilled: Ward, clock: Clock) -> None:
    clock.move(hours=1)

    def check() -> None:
        with form_browser.working(drilled.house) as work:
            alert_drills.check(work)

    form_browser.at_once(check, check, check)
    assert len(drilled.events("drill.failed")) == 1
    assert len(drilled.mails("drill_failed")) == 2


def test_a_message_that_is_refused_fails_it_at_once_even_if_another_was_confirmed(any_ward: Ward, clock: Clock) -> None:
    give_phone(any_ward, any_ward.nurse)
    clock.now += TO_THE_DRILL
    mail = Kept()
    worker_steps.tick(any_ward.house, {"email": mail, "sms": Broken(Refused("phone_unknown"))}, "worker-1")
    confirm(any_ward, any_ward.nurse)
    clock.move(seconds=5)
    tick(any_ward)
    found = the_drill(any_ward)
    assert (found.state, found.failure) == ("failed", "not_delivered")
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        page = alert_drills.drill_page(work, found.id, "en")
    assert [(told.channel, told.status) for told in page.told] == [
        ("email", "sent"),
        ("sms", "failed"),
        ("email", "sent"),
    ]
    assert "The network does not know this number." in page.told[1].reason
    clock.move(minutes=1)
    assert confirm(any_ward, any_ward.investigator) is True
    assert states(any_ward) == []


def test_a_provider_that_is_away_all_the_time(any_ward: Ward, clock: Clock) -> None:
    clock.now += TO_THE_DRILL
    away = Broken(Unreachable("no_line"))
    for _ in range(13):
        tick(any_ward, away)
        clock.move(minutes=5)
    assert (the_drill(any_ward).state, the_drill(any_ward).failure) == ("failed", "not_delivered")
    sender = Kept()
    clock.move(hours=6)
    tick(any_ward, sender)
    assert {letter.template for letter in sender.letters} == {"drill_failed"}, "nobody is woken by a drill of the day"


def test_with_nobody_on_call_others_are_told_and_it_fails(any_ward: Ward, clock: Clock) -> None:
    clock.now += TO_THE_DRILL
    with form_browser.working(any_ward.house) as work:
        work.session.scalars(select(Duty)).one().ends_at = work.now
    assert begin(any_ward) == 1
    assert (the_drill(any_ward).state, the_drill(any_ward).failure) == ("failed", "nobody_on_duty")
    assert [mail.to for mail in any_ward.mails("drill")] == ["investigator@example.org"]
    assert troubled(any_ward)


def test_answers_that_are_no_emergency_any_more_fail_at_once_and_tell_nobody(any_ward: Ward, clock: Clock) -> None:
    calm = any_ward.with_plan(lambda plan: replace(plan, rules=tuple(r for r in plan.rules if r.id != "E01")))
    clock.now += TO_THE_DRILL
    assert begin(calm) == 1
    assert (the_drill(any_ward).state, the_drill(any_ward).failure) == ("failed", "not_an_emergency")
    assert any_ward.mails("drill") == []
    assert len(any_ward.mails("drill_failed")) == 2
    with pytest.raises(BadData, match="nobody_told"):
        confirm(any_ward, any_ward.nurse)
    assert states(any_ward) == ["failed"]


def test_judging_that_breaks_is_no_emergency_either(ward: Ward, clock: Clock) -> None:
    poor = replace(ward, house=replace(ward.house, catalogue=replace(ward.house.catalogue, instruments={})))
    clock.now += TO_THE_DRILL
    assert begin(poor) == 1
    assert the_drill(ward).failure == "not_an_emergency"


def test_red_until_a_later_one_is_confirmed(drilled: Ward, clock: Clock) -> None:
    clock.move(hours=1)
    tick(drilled)
    clock.move(days=6, hours=23)
    tick(drilled)
    assert states(drilled) == ["failed", "running"]
    assert troubled(drilled)
    confirm(drilled, drilled.nurse, 2)
    assert states(drilled) == []


def test_a_week_without_a_drill_is_trouble(any_ward: Ward, clock: Clock) -> None:
    clock.move(days=8)
    assert "overdue" not in states(any_ward)
    clock.move(seconds=1)
    assert states(any_ward) == ["overdue"]
    assert troubled(any_ward)
    with form_browser.working(any_ward.house) as work:
        alert_drills.begin_now(work, PLAN)
    assert states(any_ward) == ["running"]
    confirm(any_ward, any_ward.nurse)
    clock.move(days=8)
    assert states(any_ward) == []
    clock.move(seconds=1)
    assert states(any_ward) == ["overdue"]


def test_a_new_installation_has_none_yet(ward: Ward) -> None:
    assert states(ward) == []
    assert not troubled(ward)


def test_nobody_at_all_is_told_and_that_is_a_failure(ward: Ward, clock: Clock) -> None:
    with form_browser.working(ward.house) as work:
        for person in work.session.scalars(select(Staff)):
            person.disabled_at = work.now
    clock.now += TO_THE_DRILL
    assert begin(ward) == 1
    assert the_drill(ward).failure == "nobody_on_duty"
    assert ward.rows(Message) == []
