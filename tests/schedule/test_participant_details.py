"""Test the correction of a participant's details, a mistaken enrolment, and the forms at a withdrawal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.errors import BadData, CodeExpired, NotAllowed, RecordFrozen
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.forms import form_access, form_issuing
from pro.features.participants import consent_records, record_freezes
from pro.features.participants.pages import participant_list
from pro.features.reports import answer_history, study_overview
from pro.features.schedule import enrolment, participant_details
from pro.features.schedule.participant_details import ParticipantDetails
from pro.models import Assessment, ExpectedForm, FormAccess, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.texting_phone import TextingPhone

NEW = "13912345678"
REASON = "a stranger answered"


def person(clinic: Clinic) -> Participant:
    return next(row for row in clinic.rows(Participant) if row.id == clinic.participant_id)


def details(clinic: Clinic, **changes: object) -> ParticipantDetails:
    """Return the details as they stand, with ``changes``."""
    row = person(clinic)
    phone = clinic.app_context.vault.open(row.phone_sealed) if row.phone_sealed else ""
    return replace(ParticipantDetails(row.participant_number, phone, row.language), **changes)  # type: ignore[arg-type]


def correct(clinic: Clinic, reason: str = REASON, seen: str = "", **changes: object) -> tuple[str, ...]:
    said = details(clinic, **changes)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        row = work.session.get_one(Participant, clinic.participant_id)
        return participant_details.correct_details(
            work, row, said, reason, seen or participant_details.details_digest(row)
        )


def refused(clinic: Clinic, **changes: object) -> object:
    with pytest.raises(BadData) as found:
        correct(clinic, **changes)  # type: ignore[arg-type]
    return found.value.details["fields"]


def cancel(clinic: Clinic, reason: str = "wrong list") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.cancel_enrolment(work, work.session.get_one(Participant, clinic.participant_id), reason)


def test_a_wrong_phone_is_corrected_with_a_reason_and_never_written_to_the_trail(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        form_issuing.send_form(
            work, work.session.get_one(Participant, any_clinic.participant_id), "npc_checkin", by="link"
        )
    assert correct(any_clinic, phone=NEW) == ("phone",)
    row = person(any_clinic)
    assert any_clinic.app_context.vault.open(row.phone_sealed or "") == f"+86{NEW}"
    (entry,) = any_clinic.events("participant.corrected")
    assert (entry.old, entry.new, entry.reason) == ({"phone": True}, {"phone": True}, REASON)
    assert NEW not in str(entry.old) + str(entry.new)
    # What waits for the old number is dropped, and what was sent to it opens nothing.
    assert [message.status for message in any_clinic.rows(Message)] == ["dropped"]
    assert all(access.revoked_at for access in any_clinic.rows(FormAccess))


def test_a_link_of_a_submitted_form_leads_to_no_next_form_after_a_correction(any_clinic):
    """Found: the old phone still opened the participant's next form by the link of a submitted one."""
    begun = any_clinic.start()
    begun.save(bleed=0)
    begun.submit()
    correct(any_clinic, phone=NEW)
    assert all(access.revoked_at for access in any_clinic.rows(FormAccess))
    for way in (any_clinic.checkin, any_clinic.qlq):
        with form_browser.unit_of_work(any_clinic.app_context) as work, pytest.raises(CodeExpired):
            form_access.open_link(work, way.token)


def test_a_new_text_finds_the_participant_by_the_corrected_phone(clinic):
    correct(clinic, phone=NEW)
    assert person(clinic).phone_fingerprint == clinic.app_context.vault.fingerprint(f"phone:+86{NEW}")


def test_number_and_language_are_corrected_until_the_first_answer(any_clinic):
    assert correct(any_clinic, participant_number="npc-099", language="en") == ("participant_number", "language")
    assert (person(any_clinic).participant_number, person(any_clinic).language) == ("NPC-099", "en")
    (entry,) = any_clinic.events("participant.corrected")
    assert entry.old == {"participant_number": "NPC-001", "language": "zh_Hans"}
    any_clinic.start().save(bleed=0)
    assert refused(any_clinic, participant_number="NPC-098") == {"participant_number": "number_has_answers"}
    assert correct(any_clinic, language="zh_Hans") == ("language",)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"phone": NEW, "reason": " "}, {"reason": "why_needed"}),
        ({"phone": NEW, "reason": "x" * 501}, {"reason": "too_long"}),
        ({"phone": "0791-88692748"}, {"phone": "phone_not_mobile"}),
        ({"phone": "12"}, {"phone": "phone_invalid"}),
        ({"language": "fr"}, {"language": "unknown"}),
        ({"participant_number": "!"}, {"participant_number": "participant_number_shape"}),
        ({"participant_number": "13912345678"}, {"participant_number": "participant_number_person"}),
        ({}, {"phone": "nothing_to_correct"}),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(clinic, changes, fields):
    assert refused(clinic, **changes) == fields
    assert clinic.events("participant.corrected") == []


def test_the_phone_of_another_participant_is_confirmed_first(clinic):
    other = clinic.another(factories.PLAN, "NPC-002")
    correct(other, phone=NEW)
    assert refused(clinic, phone=NEW) == {"phone": "phone_shared"}
    assert correct(clinic, phone=NEW, shared_phone=True) == ("phone",)
    assert clinic.events("participant.corrected")[-1].new == {"phone": True, "phone_shared": True}


def test_what_another_person_changed_meanwhile_is_not_overwritten(clinic):
    seen = participant_details.details_digest(person(clinic))
    correct(clinic, phone=NEW)
    with pytest.raises(NotAllowed) as stale:
        correct(clinic, seen=seen, phone="13812345678")
    assert stale.value.why == "stale_details"


def test_a_second_press_of_the_same_correction_is_done_once(any_clinic):
    """Found: the second press was refused as outdated, although the first one had saved what was typed."""
    seen = participant_details.details_digest(person(any_clinic))
    assert correct(any_clinic, seen=seen, phone=NEW) == ("phone",)
    assert correct(any_clinic, seen=seen, phone=NEW) == ("phone",)
    assert len(any_clinic.events("participant.corrected")) == 1
    with pytest.raises(NotAllowed):
        correct(any_clinic, seen=seen, phone="12")


def test_a_stored_landline_does_not_stop_another_correction(clinic):
    landline = "+8679188692748"
    with form_browser.unit_of_work(clinic.app_context) as work:
        row = work.session.get_one(Participant, clinic.participant_id)
        row.phone_sealed = work.vault.seal(landline)
        row.phone_fingerprint = participant_details.fingerprint_of(work, landline)
    assert correct(clinic, language="en") == ("language",)
    assert refused(clinic, phone="0791-88692749") == {"phone": "phone_not_mobile"}


def freeze(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, PasswordProof)
        row = work.session.get_one(Participant, clinic.participant_id)
        record_freezes.freeze_records(work, proof, row.plan, row, "interim analysis")


def test_a_frozen_record_keeps_its_number_and_its_phone_can_be_corrected(clinic):
    freeze(clinic)
    with pytest.raises(RecordFrozen):
        correct(clinic, participant_number="NPC-099")
    assert correct(clinic, phone=NEW) == ("phone",)


# --- enrolled by mistake ---------------------------------------------------------------------------------------------


def test_an_enrolment_by_mistake_is_taken_back_before_the_first_answer(any_clinic):
    cancel(any_clinic)
    row = person(any_clinic)
    assert (row.is_active, row.phone_sealed, row.phone_fingerprint, row.pin_hash) == (False, None, None, None)
    assert any_clinic.rows(ExpectedForm) == []
    assert {form.status for form in any_clinic.rows(Assessment)} == {"cancelled"}
    (entry,) = any_clinic.events("participant.enrolled_by_mistake")
    assert entry.reason == "wrong list"
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        (shown,) = participant_list.list_participants(work).rows
        assert shown.status == "mistake"
        figures = study_overview.count_figures(work, work.catalogue.plans[row.plan])
        assert (figures.enrolled, figures.active, figures.left_out) == (0, 0, 0)


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_a_mistaken_enrolment_needs_a_reason(clinic, reason):
    with pytest.raises(BadData):
        cancel(clinic, reason)
    assert person(clinic).is_active


def test_after_the_first_answer_it_is_a_withdrawal(clinic):
    clinic.start().save(bleed=0)
    with pytest.raises(NotAllowed) as found:
        cancel(clinic)
    assert found.value.why == "answered_already"
    assert person(clinic).is_active


def test_a_mistaken_enrolment_keeps_a_frozen_record_and_what_was_reported(clinic):
    """Found: texts and their alerts left every list together with the participant."""
    texter = TextingPhone(clinic.app_context)
    assert texter.write("我喘不过气", deliver=False).participant_id == clinic.participant_id
    with pytest.raises(NotAllowed) as found:
        cancel(clinic)
    assert found.value.why == "has_reported"
    freeze(clinic)
    with pytest.raises(RecordFrozen):
        cancel(clinic)
    assert person(clinic).is_active


# --- withdrawal ------------------------------------------------------------------------------------------------------


def test_a_withdrawal_cancels_every_open_form_those_sent_by_hand_as_well(any_clinic):
    """A form that belonged to no visit stayed open and was listed as awaited."""
    any_clinic.start().save(bleed=3, bleed_now=1)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        row = work.session.get_one(Participant, any_clinic.participant_id)
        enrolment.withdraw_consent(work, row, scope="questions", told="care goes on")
    assert {form.status for form in any_clinic.rows(Assessment)} == {"cancelled"}
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        row = work.session.get_one(Participant, any_clinic.participant_id)
        # Answers of a cancelled form are not lost.
        (form,) = answer_history.read_history(work, row, "en").forms
        assert form.answers["bleed"] == 3
        assert [entry.row.scope for entry in consent_records.list_consents(work, row)] == ["questions"]
