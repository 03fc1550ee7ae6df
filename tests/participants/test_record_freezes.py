"""Frozen: staff change nothing, participants are heard and alarm all the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.errors import BadData, Frozen, NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import Confirmed
from pro.features.assessments import data_entry
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_page
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import enrolment, schedule_service
from pro.models import Freeze, Participant
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward


def proof(work: UnitOfWork) -> Confirmed:
    found = signatures.confirm(work, factories.PASSWORD)
    assert isinstance(found, Confirmed)
    return found


def person(work: UnitOfWork, ward: Ward) -> Participant:
    return work.session.get_one(Participant, ward.participant_id)


def change(ward: Ward, act: Callable[..., Freeze], *, whole: bool = False, reason: str = "visit closed") -> None:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        act(work, proof(work), factories.PLAN, None if whole else person(work, ward), reason)


def types_a_paper_form(work: UnitOfWork, ward: Ward) -> None:
    data_entry.for_visit(work, person(work, ward), "npc_checkin")


def sets_a_date(work: UnitOfWork, ward: Ward) -> None:
    today = local_date(work.now, "Asia/Shanghai")
    schedule_service.set_anchors(work, person(work, ward), [schedule_service.DateChange("pd1_dose", 1, today)])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("act", [types_a_paper_form, sets_a_date])
def test_staff_change_nothing(any_ward, act, whole):
    change(any_ward, record_freezes.freeze, whole=whole)
    with form_browser.working(any_ward.house, any_ward.coordinator.actor) as work, pytest.raises(Frozen) as caught:
        act(work, any_ward)
    assert caught.value.details["name"] == any_ward.investigator.name
    assert caught.value.details["whole"] is whole


def test_a_frozen_study_takes_nobody_in(ward):
    change(ward, record_freezes.freeze, whole=True)
    with form_browser.working(ward.house, ward.coordinator.actor) as work, pytest.raises(Frozen):
        factories.participant(work, "NPC-777")


def test_participants_are_heard_and_alarm_and_it_is_marked(any_ward, clock):
    change(any_ward, record_freezes.freeze)
    clock.move(minutes=1)
    any_ward.start().save(bleed=3)
    assert any_ward.alerts() != {}
    clock.move(minutes=1)
    change(any_ward, record_freezes.lift)
    clock.move(minutes=1)
    with form_browser.working(any_ward.house) as work:
        assert record_freezes.after_freeze(work, any_ward.participant_id) == {any_ward.checkin.assessment_id}


def test_who_leaves_can_always_leave(ward):
    change(ward, record_freezes.freeze)
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        enrolment.withdraw(work, person(work, ward), "wants to stop")
        assert person(work, ward).withdrawn_at == work.now


def test_two_freeze_at_once_and_it_is_frozen_once(any_ward):
    def freeze() -> None:
        with suppress(NotAllowed):
            change(any_ward, record_freezes.freeze)

    form_browser.at_once(freeze, freeze)
    (row,) = any_ward.rows(Freeze)
    with form_browser.working(any_ward.house) as work:
        (signature,) = signatures.signatures(work, row)
    assert signature.meaning == "froze"


def test_lifted_everything_goes_on_and_both_signatures_stay(any_ward):
    change(any_ward, record_freezes.freeze)
    change(any_ward, record_freezes.lift, reason="a date was wrong")
    with pytest.raises(NotAllowed, match="not_frozen"):
        change(any_ward, record_freezes.lift)
    with form_browser.working(any_ward.house, any_ward.coordinator.actor) as work:
        types_a_paper_form(work, any_ward)
        (frost,) = record_freezes.freezes(
            work, factories.PLAN, participant_page.participant(work, any_ward.participant_id)
        )
        assert [one.meaning for one in frost.signatures] == ["froze", "unfroze"]
        assert frost.lifted_at is not None
        assert frost.lifted_at - frost.frozen_at < timedelta(minutes=1)


def test_a_reason_is_needed(ward):
    with pytest.raises(BadData):
        change(ward, record_freezes.freeze, reason="  ")
    assert ward.rows(Freeze) == []
