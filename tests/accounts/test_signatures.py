"""Test signatures: they need the password and bind content, signer, time and meaning."""

from __future__ import annotations

import pytest

from pro.errors import NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import CredentialRefusal, PasswordProof
from pro.models import Participant, Signature
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic

CONTENT = {"term": "epistaxis", "grade": 3}
SHAPES = {1: ("term", "grade")}
LATER_SHAPES = {**SHAPES, 2: ("term", "grade", "more")}


def confirmed(clinic: Clinic, password: str) -> PasswordProof | CredentialRefusal:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        return signatures.confirm_password(work, password)


def signed(clinic: Clinic) -> Signature:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, PasswordProof)
        person = work.session.get_one(Participant, clinic.participant_id)
        return signatures.sign(work, proof, "assessed", person, CONTENT, SHAPES, participant_id=person.id)


def test_a_signature_says_who_when_and_what_it_means(any_clinic):
    row = signed(any_clinic)
    assert (row.staff_id, row.role, row.meaning) == (any_clinic.investigator.id, "investigator", "assessed")
    assert (row.subject, row.subject_id) == ("participant", any_clinic.participant_id)
    assert len(row.digest) == 64
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        (kept,) = signatures.list_signatures(work, person)
        assert kept.name == row.name != ""
        assert signatures.is_content_unchanged(kept, CONTENT, SHAPES)
    (event,) = any_clinic.events("signature.signed")
    assert (event.participant_id, event.new["digest"]) == (any_clinic.participant_id, row.digest)


@pytest.mark.parametrize("other", [{"term": "", "grade": 3}, CONTENT | {"grade": 2}, CONTENT | {"grade": "3"}])
def test_it_holds_for_what_was_signed_and_nothing_else(clinic, other):
    assert not signatures.is_content_unchanged(signed(clinic), other, SHAPES)


@pytest.mark.parametrize("more", [None, "a new field"])
def test_it_holds_when_what_is_signed_gets_a_new_field(clinic, more):
    """The signature carries the version of its shape: a field that came later was not signed and does not count."""
    row = signed(clinic)
    assert row.shape == 1
    assert signatures.is_content_unchanged(row, CONTENT | {"more": more}, LATER_SHAPES)
    assert not signatures.is_content_unchanged(row, {"term": "epistaxis", "grade": 2, "more": more}, LATER_SHAPES)


@pytest.mark.parametrize("shape", [2, 3])
def test_a_signature_does_not_hold_for_another_shape(clinic, shape):
    row = signed(clinic)
    row.shape = shape
    assert not signatures.is_content_unchanged(row, CONTENT | {"more": None}, LATER_SHAPES)


def test_a_new_signature_covers_the_newest_shape(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, PasswordProof)
        person = work.session.get_one(Participant, clinic.participant_id)
        row = signatures.sign(work, proof, "assessed", person, CONTENT | {"more": "x"}, LATER_SHAPES)
        assert row.shape == 2
        assert not signatures.is_content_unchanged(row, CONTENT | {"more": "y"}, LATER_SHAPES)


def test_five_wrong_passwords_lock_signing_for_a_while_and_are_kept(any_clinic):
    for _ in range(4):
        assert confirmed(any_clinic, "wrong") == CredentialRefusal("wrong")
    for password in ("wrong", factories.PASSWORD):
        locked = confirmed(any_clinic, password)
        assert isinstance(locked, CredentialRefusal)
        assert locked.why == "locked"
    assert len(any_clinic.events("staff.signing_failed")) == 5
    any_clinic.app_context.clock.move(minutes=16)
    assert confirmed(any_clinic, factories.PASSWORD) == PasswordProof(any_clinic.investigator.id)


def test_signing_with_anothers_password_or_without_a_meaning_is_refused(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        with pytest.raises(NotAllowed):
            signatures.sign(work, PasswordProof(clinic.investigator.id), "assessed", person, CONTENT, SHAPES)
        with pytest.raises(NotAllowed):
            signatures.sign(work, PasswordProof(clinic.nurse.id), "agreed", person, CONTENT, SHAPES)
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(NotAllowed):
        signatures.confirm_password(work, factories.PASSWORD)
