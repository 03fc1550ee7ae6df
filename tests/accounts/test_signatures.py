"""Signatures: only with the password, bound to what was signed, kept with who, when and what it means."""

from __future__ import annotations

import pytest

from pro.errors import NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import Confirmed, Refusal
from pro.models import Participant, Signature
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward

CONTENT = {"term": "epistaxis", "grade": 3}


def confirmed(ward: Ward, password: str) -> Confirmed | Refusal:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        return signatures.confirm(work, password)


def signed(ward: Ward) -> Signature:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        proof = signatures.confirm(work, factories.PASSWORD)
        assert isinstance(proof, Confirmed)
        person = work.session.get_one(Participant, ward.participant_id)
        return signatures.sign(work, proof, "assessed", person, CONTENT, participant_id=person.id)


def test_a_signature_says_who_when_and_what_it_means(any_ward):
    row = signed(any_ward)
    assert (row.staff_id, row.role, row.meaning) == (any_ward.investigator.id, "investigator", "assessed")
    assert (row.subject, row.subject_id) == ("participant", any_ward.participant_id)
    assert len(row.digest) == 64
    with form_browser.working(any_ward.house) as work:
        person = work.session.get_one(Participant, any_ward.participant_id)
        (kept,) = signatures.signatures(work, person)
        assert kept.name == row.name != ""
        assert signatures.holds(kept, CONTENT)
    (event,) = any_ward.events("signature.given")
    assert (event.participant_id, event.new["digest"]) == (any_ward.participant_id, row.digest)


@pytest.mark.parametrize("other", [{}, CONTENT | {"grade": 2}, CONTENT | {"more": None}])
def test_it_holds_for_what_was_signed_and_nothing_else(ward, other):
    assert not signatures.holds(signed(ward), other)


def test_five_wrong_passwords_lock_signing_for_a_while_and_are_kept(any_ward):
    for _ in range(4):
        assert confirmed(any_ward, "wrong") == Refusal("wrong")
    for password in ("wrong", factories.PASSWORD):
        locked = confirmed(any_ward, password)
        assert isinstance(locked, Refusal)
        assert locked.why == "locked"
    assert len(any_ward.events("staff.signing_failed")) == 5
    any_ward.house.clock.move(minutes=16)
    assert confirmed(any_ward, factories.PASSWORD) == Confirmed(any_ward.investigator.id)


def test_nobody_signs_with_anothers_password_or_without_a_meaning(ward):
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        with pytest.raises(NotAllowed):
            signatures.sign(work, Confirmed(ward.investigator.id), "assessed", person, CONTENT)
        with pytest.raises(NotAllowed):
            signatures.sign(work, Confirmed(ward.nurse.id), "agreed", person, CONTENT)
    with form_browser.working(ward.house) as work, pytest.raises(NotAllowed):
        signatures.confirm(work, factories.PASSWORD)
