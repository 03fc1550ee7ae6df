"""Test the second factor: a code works once, guessing is limited, a phone can be lost."""

from __future__ import annotations

from dataclasses import replace

import pyotp
import pytest
from sqlalchemy import select

from pro.app_context import AppContext, UnitOfWork
from pro.errors import NotAllowed
from pro.features.accounts import second_factor, staff_accounts
from pro.features.accounts.second_factor import VerifiedCode
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.accounts.staff_accounts import StaffLogin
from pro.models import AccessAttempt, RecoveryCode, StaffMember, StaffSession
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account


def code_of(secret: str, clinic: Clinic, steps: int = 0) -> str:
    """Return the code that the app shows ``steps`` half minutes from now."""
    app = pyotp.TOTP(secret)
    return app.generate_otp(app.timecode(clinic.app_context.clock()) + steps)


def begin(app_context: AppContext, person: Account) -> int:
    """Sign in with the right password; return the session's id."""
    with form_browser.unit_of_work(app_context) as work:
        tried = staff_accounts.sign_in(work, person.email, person.password, "10.0.0.1", "computer")
        work.session.flush()
        assert tried.entry is not None
        return tried.entry.session.id


def entry(work: UnitOfWork, session_id: int) -> StaffLogin:
    found = work.session.get_one(StaffSession, session_id)
    return StaffLogin(work.session.get_one(StaffMember, found.staff_id), found)


def set_up(clinic: Clinic, person: Account) -> tuple[str, tuple[str, ...]]:
    """Set up a phone; return its secret and the recovery codes."""
    number = begin(clinic.app_context, person)
    with form_browser.unit_of_work(clinic.app_context, person.actor) as work:
        offer = second_factor.make_factor_offer(work, work.session.get_one(StaffMember, person.id))
        codes = second_factor.set_up_factor(work, entry(work, number), offer, code_of(offer.secret, clinic, -1))
        assert not isinstance(codes, CredentialRefusal)
        return offer.secret, codes


def verify(clinic: Clinic, session_id: int, typed: str) -> VerifiedCode | CredentialRefusal:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return second_factor.verify_code(work, entry(work, session_id), typed)


def pending(clinic: Clinic, session_id: int) -> str:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return staff_accounts.pending_step(work, entry(work, session_id))


def required(clinic: Clinic) -> Clinic:
    return replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, second_factor=True))
    )


def test_the_password_alone_opens_half_a_session(any_clinic):
    secret, _codes = set_up(any_clinic, any_clinic.nurse)
    number = begin(any_clinic.app_context, any_clinic.nurse)
    assert pending(any_clinic, number) == "code"
    assert [event.subject_id for event in any_clinic.events("staff.password_correct")] == [any_clinic.nurse.id]
    assert verify(any_clinic, number, code_of(secret, any_clinic)) == VerifiedCode()
    assert pending(any_clinic, number) == ""
    assert len(any_clinic.events("staff.signed_in")) == 2


@pytest.mark.parametrize(("steps", "right"), [(-3, False), (-2, False), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(clinic, steps, right):
    secret, _codes = set_up(clinic, clinic.nurse)
    # The code that confirmed the phone was that of the half minute before now, and cannot be used again.
    found = verify(clinic, begin(clinic.app_context, clinic.nurse), code_of(secret, clinic, steps))
    assert (found == VerifiedCode()) == right


def test_a_code_is_taken_once_and_no_older_one_after_it(clinic, clock):
    secret, _codes = set_up(clinic, clinic.nurse)
    now = code_of(secret, clinic)
    assert verify(clinic, begin(clinic.app_context, clinic.nurse), f" {now[:3]} {now[3:]} ") == VerifiedCode()
    again = begin(clinic.app_context, clinic.nurse)
    assert verify(clinic, again, now) == CredentialRefusal("used")
    assert verify(clinic, again, code_of(secret, clinic, -1)) == CredentialRefusal("used")
    assert not clinic.rows(AccessAttempt), "an honest second press is no guess"
    clock.move(seconds=30)
    assert verify(clinic, again, code_of(secret, clinic)) == VerifiedCode()


def test_the_same_code_from_two_browsers_at_once_lets_one_in(any_clinic):
    secret, _codes = set_up(any_clinic, any_clinic.nurse)
    code = code_of(secret, any_clinic)
    sessions = [begin(any_clinic.app_context, any_clinic.nurse) for _ in range(2)]
    found: list[VerifiedCode | CredentialRefusal] = []
    form_browser.run_concurrently(
        *(lambda number=number: found.append(verify(any_clinic, number, code)) for number in sessions)
    )
    assert sorted(type(one).__name__ for one in found) == ["CredentialRefusal", "VerifiedCode"]


def test_a_recovery_code_from_two_browsers_at_once_lets_one_in(any_clinic):
    _secret, codes = set_up(any_clinic, any_clinic.nurse)
    sessions = [begin(any_clinic.app_context, any_clinic.nurse) for _ in range(2)]
    found: list[VerifiedCode | CredentialRefusal] = []
    form_browser.run_concurrently(
        *(lambda number=number: found.append(verify(any_clinic, number, codes[0])) for number in sessions)
    )
    assert sorted(type(one).__name__ for one in found) == ["CredentialRefusal", "VerifiedCode"]


def test_five_wrong_codes_lock_them_for_a_quarter_of_an_hour_from_everywhere(any_clinic, clock):
    secret, codes = set_up(any_clinic, any_clinic.nurse)
    number = begin(any_clinic.app_context, any_clinic.nurse)
    for _ in range(4):
        assert verify(any_clinic, number, "000000") == CredentialRefusal("wrong")
    locked = verify(any_clinic, number, "AAAAA-AAAAA")
    assert isinstance(locked, CredentialRefusal)
    assert locked.why == "locked"
    assert locked.until is not None
    for right in (code_of(secret, any_clinic), codes[0]):
        assert verify(any_clinic, begin(any_clinic.app_context, any_clinic.nurse), right) == locked
    assert len(any_clinic.events("staff.code_failed")) == 5
    clock.move(minutes=16)
    assert (
        verify(any_clinic, begin(any_clinic.app_context, any_clinic.nurse), code_of(secret, any_clinic))
        == VerifiedCode()
    )


def test_every_recovery_code_works_once_however_it_is_typed(clinic):
    _secret, codes = set_up(clinic, clinic.nurse)
    assert len(set(codes)) == 10
    for left, code in zip(range(9, -1, -1), codes, strict=True):
        typed = code.lower().replace("-", " ") if left % 2 else code
        assert verify(clinic, begin(clinic.app_context, clinic.nurse), typed) == VerifiedCode(left)
    assert verify(clinic, begin(clinic.app_context, clinic.nurse), codes[0]) == CredentialRefusal("wrong")


def test_new_recovery_codes_end_the_old_ones_and_ask_for_the_password(clinic):
    _secret, old = set_up(clinic, clinic.nurse)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        assert second_factor.renew_recovery_codes(work, clinic.nurse.id, "not this") == CredentialRefusal("wrong")
        new = second_factor.renew_recovery_codes(work, clinic.nurse.id, factories.PASSWORD)
        assert not isinstance(new, CredentialRefusal)
        assert second_factor.count_recovery_codes(work, clinic.nurse.id) == 10
    assert verify(clinic, begin(clinic.app_context, clinic.nurse), old[0]) == CredentialRefusal("wrong")
    assert verify(clinic, begin(clinic.app_context, clinic.nurse), new[0]) == VerifiedCode(9)


def test_no_secret_is_stored_in_clear(any_clinic):
    secret, codes = set_up(any_clinic, any_clinic.nurse)
    (nurse,) = [row for row in any_clinic.rows(StaffMember) if row.id == any_clinic.nurse.id]
    assert secret not in (nurse.otp_sealed or "")
    stored = {row.fingerprint for row in any_clinic.rows(RecoveryCode)}
    assert not stored & {code for given in codes for code in (given, given.replace("-", ""))}
    assert all(secret not in str((event.old, event.new)) for event in any_clinic.events("staff.factor_set"))


def test_an_offer_is_for_one_person_and_half_an_hour(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        nurse, other = (work.session.get_one(StaffMember, who.id) for who in (clinic.nurse, clinic.investigator))
        offer = second_factor.make_factor_offer(work, nurse)
        assert second_factor.read_factor_offer(work, nurse, offer.sealed) == offer
        assert second_factor.read_factor_offer(work, other, offer.sealed) is None
        assert second_factor.read_factor_offer(work, nurse, "not ours") is None
        assert offer.secret in offer.uri
    clock.move(minutes=31)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert (
            second_factor.read_factor_offer(work, work.session.get_one(StaffMember, clinic.nurse.id), offer.sealed)
            is None
        )


def test_setting_up_ends_the_other_sessions_and_a_wrong_code_sets_nothing(clinic):
    other, here = begin(clinic.app_context, clinic.nurse), begin(clinic.app_context, clinic.nurse)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        found = entry(work, here)
        offer = second_factor.make_factor_offer(work, found.staff)
        assert second_factor.set_up_factor(work, found, offer, "123456") == CredentialRefusal("wrong")
        assert found.staff.otp_sealed is None
        assert not isinstance(
            second_factor.set_up_factor(work, found, offer, code_of(offer.secret, clinic)), CredentialRefusal
        )
    ended = {row.id: row.end_reason for row in clinic.rows(StaffSession)}
    assert (ended[other], ended[here]) == ("factor", "")


@pytest.mark.parametrize(
    ("role", "asked"),
    [("nurse", True), ("coordinator", True), ("investigator", True), ("administrator", True), ("monitor", False)],
)
def test_roles_that_see_identities_or_manage_accounts_must_have_one_where_required(clinic, role, asked):
    strict = required(clinic)
    with form_browser.unit_of_work(strict.app_context) as work:
        assert staff_accounts.is_factor_required(work, role) == asked
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert not staff_accounts.is_factor_required(work, role)


def test_without_a_phone_nothing_goes_on_where_it_is_required(clinic):
    strict = required(clinic)
    number = begin(strict.app_context, strict.nurse)
    assert pending(strict, number) == "factor"
    set_up(strict, strict.nurse)
    assert pending(strict, number) == ""


def test_a_lost_phone_is_reset_by_an_administrator_and_never_by_oneself(any_clinic):
    _secret, codes = set_up(any_clinic, any_clinic.nurse)
    lasting = begin(any_clinic.app_context, any_clinic.nurse)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work, pytest.raises(NotAllowed):
        second_factor.reset_factor(work, any_clinic.nurse.id, "lost")
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        assert second_factor.reset_factor(work, any_clinic.nurse.id, "lost")
        assert not second_factor.reset_factor(work, any_clinic.nurse.id, "lost")
        assert work.session.scalar(select(StaffSession.end_reason).where(StaffSession.id == lasting)) == "factor"
    (event,) = any_clinic.events("staff.factor_reset")
    assert (event.actor_id, event.subject_id, event.reason) == (any_clinic.coordinator.id, any_clinic.nurse.id, "lost")
    assert pending(any_clinic, begin(any_clinic.app_context, any_clinic.nurse)) == ""
    assert codes
