"""Test consent: its versions, and a withdrawal that takes effect at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from pro.errors import BadData, CodeExpired, NotAllowed
from pro.features.forms import form_access, form_issuing
from pro.features.participants import consent_records
from pro.features.schedule import enrolment, participation_end, schedule_service
from pro.models import Anchor, Consent, Message, Participant
from tests.schedule.test_enrolment import enrol, wrong
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN

TOLD = "care goes on; whom to call"


def withdraw(clinic: Clinic, scope: str = "questions", told: str = TOLD) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        enrolment.withdraw_consent(work, person, scope=scope, told=told)


def test_enrolment_records_what_was_signed(clinic):
    person = enrol(clinic, consent_version=" 2.1 ")
    row = clinic.rows(Consent)[-1]
    assert (row.participant_id, row.version, row.signed_on) == (person.id, "2.1", date(2026, 3, 2))
    assert row.health_data_at == row.recorded_at
    assert row.recorded_by == clinic.coordinator.id


def test_enrolment_without_consent_for_health_data_is_refused(clinic):
    assert wrong(clinic, health_data=False) == {"health_data": "no_health_data"}
    assert wrong(clinic, consent_version=" ") == {"consent_version": "consent_version"}


def test_a_new_version_is_a_new_row(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        given: dict[str, Any] = {
            "signed_on": date(2026, 3, 2),
            "language": "zh_Hans",
            "way": "witness",
            "health_data": True,
        }
        consent_records.record_consent(work, person, version="2.0", **given)
        with pytest.raises(BadData):
            consent_records.record_consent(work, person, version="3.0", **(given | {"health_data": False}))
        assert [entry.row.version for entry in consent_records.list_consents(work, person)] == ["2.0", "1.0"]


@pytest.mark.parametrize("scope", ["questions", "data"])
def test_a_withdrawal_takes_effect_at_once_and_says_what_was_told(any_clinic, scope):
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        form_issuing.send_form(work, person, "npc_checkin", by="link")
    withdraw(any_clinic, scope)
    person = any_clinic.rows(Participant)[0]
    assert person.withdrawn_at is not None
    (row,) = any_clinic.rows(Consent)
    assert (row.scope, row.information, row.withdrawn_by) == (scope, TOLD, any_clinic.nurse.id)
    assert [anchor.kind for anchor in any_clinic.rows(Anchor)][-1] == "withdrawal"
    queued = [row for row in any_clinic.rows(Message) if row.participant_id == person.id]
    assert queued
    assert all(row.dropped_at is not None for row in queued)
    with form_browser.unit_of_work(any_clinic.app_context) as work, pytest.raises(CodeExpired):
        form_access.open_link(work, any_clinic.checkin.token)


def test_a_withdrawal_by_date_marks_the_consent_too(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, clinic.participant_id), "asked to stop")
    (row,) = clinic.rows(Consent)
    assert row.withdrawn_at is not None
    assert (row.scope, row.information) == ("", "")


def test_the_extent_of_an_earlier_withdrawal_can_still_be_recorded(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(
            work, work.session.get_one(Participant, any_clinic.participant_id), "told the nurse"
        )
    (before,) = any_clinic.rows(Consent)
    any_clinic.app_context.clock.move(days=1)
    withdraw(any_clinic, "data")
    (row,) = any_clinic.rows(Consent)
    assert (row.scope, row.information) == ("data", TOLD)
    # The date and author of the end of participation stay as they were.
    assert (row.withdrawn_at, row.withdrawn_by) == (before.withdrawn_at, before.withdrawn_by)
    assert [event.new["scope"] for event in any_clinic.events("consent.withdrawn")] == ["", "data"]


def test_at_once_is_one_withdrawal_and_the_second_learns_of_it(any_clinic):
    refused: list[NotAllowed] = []

    def press(scope: str) -> None:
        try:
            withdraw(any_clinic, scope)
        except NotAllowed as refusal:
            refused.append(refusal)

    form_browser.run_concurrently(lambda: press("questions"), lambda: press("data"))
    (second,) = refused
    assert (second.why, second.details["name"]) == ("withdrawn_already", "Nurse")
    assert len(any_clinic.events("consent.withdrawn")) == 1
    assert len(any_clinic.events("participant.withdrawn")) == 1


def test_who_has_left_signs_nothing_new(clinic):
    withdraw(clinic)
    with (
        form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work,
        pytest.raises(NotAllowed, match="left"),
    ):
        consent_records.record_consent(
            work,
            work.session.get_one(Participant, clinic.participant_id),
            version="2.0",
            signed_on=date(2026, 3, 2),
            language="en",
            way="paper",
            health_data=True,
        )


@pytest.mark.parametrize(
    ("scope", "told", "problem"),
    [("", TOLD, {"scope": "scope_needed"}), ("data", " ", {"told": "told_needed"})],
)
def test_extent_and_what_was_told_are_needed(clinic, scope, told, problem):
    with pytest.raises(BadData) as refused:
        withdraw(clinic, scope, told)
    assert refused.value.details["fields"] == problem
    assert clinic.rows(Participant)[0].withdrawn_at is None


def take_back(clinic: Clinic, reason: str = "the wrong participant") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        schedule_service.set_anchors(work, person, [schedule_service.DateChange("withdrawal", 0, None)], reason=reason)


def entries(clinic: Clinic) -> list[consent_records.ConsentEntry]:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return consent_records.list_consents(work, work.session.get_one(Participant, clinic.participant_id))


def test_a_withdrawal_that_is_taken_back_leaves_its_row_and_a_consent_that_stands(any_clinic, clock):
    withdraw(any_clinic, "data")
    clock.move(hours=1)
    take_back(any_clinic)
    person = any_clinic.rows(Participant)[0]
    assert person.withdrawn_at is None
    stands, ended = entries(any_clinic)
    assert (ended.withdrawn_by, ended.row.scope, ended.row.information, ended.is_restored) == (
        "Nurse",
        "data",
        TOLD,
        False,
    )
    assert (stands.row.withdrawn_at, stands.is_restored, stands.reason) == (None, True, "the wrong participant")
    assert (stands.recorded_by, stands.row.recorded_at) == ("Coordinator", clock.now)
    assert (stands.row.version, stands.row.signed_on, stands.row.health_data_at) == (
        ended.row.version,
        ended.row.signed_on,
        ended.row.health_data_at,
    )
    (event,) = any_clinic.events("consent.restored")
    assert (event.reason, event.actor_id) == ("the wrong participant", any_clinic.coordinator.id)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        form_issuing.send_form(work, work.session.get_one(Participant, person.id), "npc_checkin", by="link")


def test_withdrawn_for_good_after_that_no_consent_stands(any_clinic, clock):
    for hour in range(2):
        clock.move(hours=1)
        withdraw(any_clinic, told=f"told {hour}")
        clock.move(hours=1)
        if not hour:
            take_back(any_clinic)
    assert [(entry.row.information, entry.is_restored) for entry in entries(any_clinic)] == [
        ("told 1", True),
        ("told 0", False),
    ]
    assert all(entry.row.withdrawn_at for entry in entries(any_clinic))


def test_what_was_asked_for_by_a_withdrawal_that_was_taken_back_is_asked_no_more(any_clinic, clock):
    def unused() -> list[int]:
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            return consent_records.no_further_use(work, PLAN)

    withdraw(any_clinic, "data")
    assert unused() == [any_clinic.participant_id]
    clock.move(hours=1)
    take_back(any_clinic)
    assert unused() == []
    clock.move(hours=1)
    withdraw(any_clinic, "questions")
    assert unused() == []


def test_taken_back_by_two_at_once_one_consent_stands(any_clinic):
    withdraw(any_clinic)

    def attempt() -> None:
        with suppress(BadData):
            take_back(any_clinic)

    form_browser.run_concurrently(attempt, attempt)
    assert [entry.row.withdrawn_at is None for entry in entries(any_clinic)] == [True, False]
    assert len(any_clinic.events("participant.returned")) == 1


def test_what_was_withdrawn_before_stays_withdrawn(any_clinic, clock):
    """Check that reversing a death reverses no withdrawal."""
    clock.move(hours=1)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        participation_end.end_participation(work, person, died=True, reason="by mistake")
        participation_end.resume_participation(work, person, died=True, reason="by mistake")
    assert [(entry.row.withdrawn_at, entry.is_restored) for entry in entries(any_clinic)] == [(None, False)]
