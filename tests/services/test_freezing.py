"""Frozen: staff change nothing, participants are heard and alarm all the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from pro.errors import BadData, Frozen, NotAllowed
from pro.models import Freeze, Participant
from pro.services import enrolment, entering, freezing, planning, records, signing
from pro.services.dates import local_date
from pro.services.signing import Confirmed
from pro.work import Work
from tests import browser, make
from tests.services.ward import Ward


def proof(work: Work) -> Confirmed:
    found = signing.confirm(work, make.PASSWORD)
    assert isinstance(found, Confirmed)
    return found


def person(work: Work, ward: Ward) -> Participant:
    return work.session.get_one(Participant, ward.participant_id)


def change(ward: Ward, act: Callable[..., Freeze], *, whole: bool = False, reason: str = "visit closed") -> None:
    with browser.working(ward.house, ward.investigator.actor) as work:
        act(work, proof(work), make.PLAN, None if whole else person(work, ward), reason)


def types_a_paper_form(work: Work, ward: Ward) -> None:
    entering.for_visit(work, person(work, ward), "npc_checkin")


def sets_a_date(work: Work, ward: Ward) -> None:
    today = local_date(work.now, "Asia/Shanghai")
    planning.set_anchors(work, person(work, ward), [planning.Change("pd1_dose", 1, today)])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("act", [types_a_paper_form, sets_a_date])
def test_staff_change_nothing(any_ward, act, whole):
    change(any_ward, freezing.freeze, whole=whole)
    with browser.working(any_ward.house, any_ward.coordinator.actor) as work, pytest.raises(Frozen) as caught:
        act(work, any_ward)
    assert caught.value.details["name"] == any_ward.investigator.name
    assert caught.value.details["whole"] is whole


def test_a_frozen_study_takes_nobody_in(ward):
    change(ward, freezing.freeze, whole=True)
    with browser.working(ward.house, ward.coordinator.actor) as work, pytest.raises(Frozen):
        make.participant(work, "NPC-777")


def test_participants_are_heard_and_alarm_and_it_is_marked(any_ward, clock):
    change(any_ward, freezing.freeze)
    clock.move(minutes=1)
    any_ward.start().save(bleed=3)
    assert any_ward.alerts() != {}
    clock.move(minutes=1)
    change(any_ward, freezing.lift)
    clock.move(minutes=1)
    with browser.working(any_ward.house) as work:
        assert freezing.after_freeze(work, any_ward.participant_id) == {any_ward.checkin.assessment_id}


def test_who_leaves_can_always_leave(ward):
    change(ward, freezing.freeze)
    with browser.working(ward.house, ward.coordinator.actor) as work:
        enrolment.withdraw(work, person(work, ward), "wants to stop")
        assert person(work, ward).withdrawn_at == work.now


def test_two_freeze_at_once_and_it_is_frozen_once(any_ward):
    def freeze() -> None:
        with suppress(NotAllowed):
            change(any_ward, freezing.freeze)

    browser.at_once(freeze, freeze)
    (row,) = any_ward.rows(Freeze)
    with browser.working(any_ward.house) as work:
        (signature,) = signing.signatures(work, row)
    assert signature.meaning == "froze"


def test_lifted_everything_goes_on_and_both_signatures_stay(any_ward):
    change(any_ward, freezing.freeze)
    change(any_ward, freezing.lift, reason="a date was wrong")
    with pytest.raises(NotAllowed, match="not_frozen"):
        change(any_ward, freezing.lift)
    with browser.working(any_ward.house, any_ward.coordinator.actor) as work:
        types_a_paper_form(work, any_ward)
        (frost,) = freezing.freezes(work, make.PLAN, records.participant(work, any_ward.participant_id))
        assert [one.meaning for one in frost.signatures] == ["froze", "unfroze"]
        assert frost.lifted_at is not None
        assert frost.lifted_at - frost.frozen_at < timedelta(minutes=1)


def test_a_reason_is_needed(ward):
    with pytest.raises(BadData):
        change(ward, freezing.freeze, reason="  ")
    assert ward.rows(Freeze) == []
