"""Signatures: only with the password, bound to what was signed, kept with who, when and what it means."""

from __future__ import annotations

import pytest

from pro.errors import NotAllowed
from pro.models import Participant, Signature
from pro.services import signing
from pro.services.signing import Confirmed, Refusal
from tests import browser, make
from tests.services.ward import Ward

CONTENT = {"term": "epistaxis", "grade": 3}


def confirmed(ward: Ward, password: str) -> Confirmed | Refusal:
    with browser.working(ward.house, ward.investigator.actor) as work:
        return signing.confirm(work, password)


def signed(ward: Ward) -> Signature:
    with browser.working(ward.house, ward.investigator.actor) as work:
        proof = signing.confirm(work, make.PASSWORD)
        assert isinstance(proof, Confirmed)
        person = work.session.get_one(Participant, ward.participant_id)
        return signing.sign(work, proof, "assessed", person, CONTENT, participant_id=person.id)


def test_a_signature_says_who_when_and_what_it_means(any_ward):
    row = signed(any_ward)
    assert (row.staff_id, row.role, row.meaning) == (any_ward.investigator.id, "investigator", "assessed")
    assert (row.subject, row.subject_id) == ("participant", any_ward.participant_id)
    assert len(row.digest) == 64
    with browser.working(any_ward.house) as work:
        person = work.session.get_one(Participant, any_ward.participant_id)
        (kept,) = signing.signatures(work, person)
        assert kept.name == row.name != ""
        assert signing.holds(kept, CONTENT)
    (event,) = any_ward.events("signature.given")
    assert (event.participant_id, event.new["digest"]) == (any_ward.participant_id, row.digest)


@pytest.mark.parametrize("other", [{}, CONTENT | {"grade": 2}, CONTENT | {"more": None}])
def test_it_holds_for_what_was_signed_and_nothing_else(ward, other):
    assert not signing.holds(signed(ward), other)


def test_five_wrong_passwords_lock_signing_for_a_while_and_are_kept(any_ward):
    for _ in range(4):
        assert confirmed(any_ward, "wrong") == Refusal("wrong")
    for password in ("wrong", make.PASSWORD):
        locked = confirmed(any_ward, password)
        assert isinstance(locked, Refusal)
        assert locked.why == "locked"
    assert len(any_ward.events("staff.signing_failed")) == 5
    any_ward.house.clock.move(minutes=16)
    assert confirmed(any_ward, make.PASSWORD) == Confirmed(any_ward.investigator.id)


def test_nobody_signs_with_anothers_password_or_without_a_meaning(ward):
    with browser.working(ward.house, ward.nurse.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        with pytest.raises(NotAllowed):
            signing.sign(work, Confirmed(ward.investigator.id), "assessed", person, CONTENT)
        with pytest.raises(NotAllowed):
            signing.sign(work, Confirmed(ward.nurse.id), "agreed", person, CONTENT)
    with browser.working(ward.house) as work, pytest.raises(NotAllowed):
        signing.confirm(work, make.PASSWORD)
