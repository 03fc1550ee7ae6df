"""Test frozen records: closed to staff; participants still answer and raise alerts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, RecordFrozen
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.assessments import data_entry
from pro.features.participants import record_freezes
from pro.features.participants.pages import participant_page
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import enrolment, schedule_service
from pro.models import Freeze, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic


def proof(work: UnitOfWork) -> PasswordProof:
    found = signatures.confirm_password(work, factories.PASSWORD)
    assert isinstance(found, PasswordProof)
    return found


def person(work: UnitOfWork, clinic: Clinic) -> Participant:
    return work.session.get_one(Participant, clinic.participant_id)


def change(clinic: Clinic, act: Callable[..., Freeze], *, whole: bool = False, reason: str = "visit closed") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        act(work, proof(work), factories.PLAN, None if whole else person(work, clinic), reason)


def types_a_paper_form(work: UnitOfWork, clinic: Clinic) -> None:
    data_entry.find_expected_form(work, person(work, clinic), "npc_checkin")


def sets_a_date(work: UnitOfWork, clinic: Clinic) -> None:
    today = local_date(work.now, "Asia/Shanghai")
    schedule_service.set_anchors(work, person(work, clinic), [schedule_service.DateChange("pd1_dose", 1, today)])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("act", [types_a_paper_form, sets_a_date])
def test_staff_change_nothing(any_clinic, act, whole):
    change(any_clinic, record_freezes.freeze_records, whole=whole)
    with (
        form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work,
        pytest.raises(RecordFrozen) as caught,
    ):
        act(work, any_clinic)
    assert caught.value.details["name"] == any_clinic.investigator.name
    assert caught.value.details["whole"] is whole


def test_a_frozen_study_enrols_no_participant(clinic):
    change(clinic, record_freezes.freeze_records, whole=True)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work, pytest.raises(RecordFrozen):
        factories.participant(work, "NPC-777")


def test_participants_are_heard_and_alarm_and_it_is_marked(any_clinic, clock):
    change(any_clinic, record_freezes.freeze_records)
    clock.move(minutes=1)
    any_clinic.start().save(bleed=3)
    assert any_clinic.alerts() != {}
    clock.move(minutes=1)
    change(any_clinic, record_freezes.unfreeze_records)
    clock.move(minutes=1)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert record_freezes.forms_answered_while_frozen(work, any_clinic.participant_id) == {
            any_clinic.checkin.assessment_id
        }


def test_who_leaves_can_always_leave(clinic):
    change(clinic, record_freezes.freeze_records)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, person(work, clinic), "wants to stop")
        assert person(work, clinic).withdrawn_at == work.now


def test_two_freeze_at_once_and_it_is_frozen_once(any_clinic):
    def freeze() -> None:
        with suppress(NotAllowed):
            change(any_clinic, record_freezes.freeze_records)

    form_browser.run_concurrently(freeze, freeze)
    (row,) = any_clinic.rows(Freeze)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        (signature,) = signatures.list_signatures(work, row)
    assert signature.meaning == "froze"


def test_lifted_everything_goes_on_and_both_signatures_stay(any_clinic):
    change(any_clinic, record_freezes.freeze_records)
    change(any_clinic, record_freezes.unfreeze_records, reason="a date was wrong")
    with pytest.raises(NotAllowed, match="not_frozen"):
        change(any_clinic, record_freezes.unfreeze_records)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        types_a_paper_form(work, any_clinic)
        (frost,) = record_freezes.list_freezes(
            work, factories.PLAN, participant_page.read_participant(work, any_clinic.participant_id)
        )
        assert [one.meaning for one in frost.signatures] == ["froze", "unfroze"]
        assert frost.row.unfrozen_at is not None
        assert frost.row.unfrozen_at - frost.row.frozen_at < timedelta(minutes=1)


def test_a_reason_is_needed(clinic):
    with pytest.raises(BadData):
        change(clinic, record_freezes.freeze_records, reason="  ")
    assert clinic.rows(Freeze) == []
