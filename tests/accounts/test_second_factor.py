"""The second factor: a code counts once, guessing stops, a lost phone is no end."""

from __future__ import annotations

from dataclasses import replace

import pyotp
import pytest
from sqlalchemy import select

from pro.app_context import AppContext, UnitOfWork
from pro.errors import NotAllowed
from pro.features.accounts import second_factor, staff_accounts
from pro.features.accounts.second_factor import Proven
from pro.features.accounts.signatures import Refusal
from pro.features.accounts.staff_accounts import StaffLogin
from pro.models import Attempt, RecoveryCode, Staff, StaffSession
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account


def code_of(secret: str, ward: Ward, steps: int = 0) -> str:
    """What the app shows, ``steps`` half minutes from now."""
    app = pyotp.TOTP(secret)
    return app.generate_otp(app.timecode(ward.house.clock()) + steps)


def begin(house: AppContext, person: Account) -> int:
    """The password was right; the number of the session."""
    with form_browser.working(house) as work:
        tried = staff_accounts.sign_in(work, person.email, person.password, "10.0.0.1", "computer")
        work.session.flush()
        assert tried.entry is not None
        return tried.entry.session.id


def entry(work: UnitOfWork, session_id: int) -> StaffLogin:
    found = work.session.get_one(StaffSession, session_id)
    return StaffLogin(work.session.get_one(Staff, found.staff_id), found)


def set_up(ward: Ward, person: Account) -> tuple[str, tuple[str, ...]]:
    """A phone that is set up: its secret and the recovery codes."""
    number = begin(ward.house, person)
    with form_browser.working(ward.house, person.actor) as work:
        offer = second_factor.offer(work, work.session.get_one(Staff, person.id))
        codes = second_factor.set_up(work, entry(work, number), offer, code_of(offer.secret, ward, -1))
        assert not isinstance(codes, Refusal)
        return offer.secret, codes


def verify(ward: Ward, session_id: int, typed: str) -> Proven | Refusal:
    with form_browser.working(ward.house) as work:
        return second_factor.verify(work, entry(work, session_id), typed)


def pending(ward: Ward, session_id: int) -> str:
    with form_browser.working(ward.house) as work:
        return staff_accounts.pending(work, entry(work, session_id))


def required(ward: Ward) -> Ward:
    return replace(ward, house=replace(ward.house, config=replace(ward.house.config, second_factor=True)))


def test_the_password_alone_opens_half_a_session(any_ward):
    secret, _codes = set_up(any_ward, any_ward.nurse)
    number = begin(any_ward.house, any_ward.nurse)
    assert pending(any_ward, number) == "code"
    assert [event.subject_id for event in any_ward.events("staff.password_given")] == [any_ward.nurse.id]
    assert verify(any_ward, number, code_of(secret, any_ward)) == Proven()
    assert pending(any_ward, number) == ""
    assert len(any_ward.events("staff.signed_in")) == 2


@pytest.mark.parametrize(("steps", "right"), [(-3, False), (-2, False), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(ward, steps, right):
    secret, _codes = set_up(ward, ward.nurse)
    # The code that proved the phone was that of the half minute before now, and is used up.
    found = verify(ward, begin(ward.house, ward.nurse), code_of(secret, ward, steps))
    assert (found == Proven()) == right


def test_a_code_is_taken_once_and_no_older_one_after_it(ward, clock):
    secret, _codes = set_up(ward, ward.nurse)
    now = code_of(secret, ward)
    assert verify(ward, begin(ward.house, ward.nurse), f" {now[:3]} {now[3:]} ") == Proven()
    again = begin(ward.house, ward.nurse)
    assert verify(ward, again, now) == Refusal("used")
    assert verify(ward, again, code_of(secret, ward, -1)) == Refusal("used")
    assert not ward.rows(Attempt), "an honest second press is no guess"
    clock.move(seconds=30)
    assert verify(ward, again, code_of(secret, ward)) == Proven()


def test_the_same_code_from_two_browsers_at_once_lets_one_in(any_ward):
    secret, _codes = set_up(any_ward, any_ward.nurse)
    code = code_of(secret, any_ward)
    sessions = [begin(any_ward.house, any_ward.nurse) for _ in range(2)]
    found: list[Proven | Refusal] = []
    form_browser.at_once(*(lambda number=number: found.append(verify(any_ward, number, code)) for number in sessions))
    assert sorted(type(one).__name__ for one in found) == ["Proven", "Refusal"]


def test_a_recovery_code_from_two_browsers_at_once_lets_one_in(any_ward):
    _secret, codes = set_up(any_ward, any_ward.nurse)
    sessions = [begin(any_ward.house, any_ward.nurse) for _ in range(2)]
    found: list[Proven | Refusal] = []
    form_browser.at_once(
        *(lambda number=number: found.append(verify(any_ward, number, codes[0])) for number in sessions)
    )
    assert sorted(type(one).__name__ for one in found) == ["Proven", "Refusal"]


def test_five_wrong_codes_lock_them_for_a_quarter_of_an_hour_from_everywhere(any_ward, clock):
    secret, codes = set_up(any_ward, any_ward.nurse)
    number = begin(any_ward.house, any_ward.nurse)
    for _ in range(4):
        assert verify(any_ward, number, "000000") == Refusal("wrong")
    locked = verify(any_ward, number, "AAAAA-AAAAA")
    assert isinstance(locked, Refusal)
    assert locked.why == "locked"
    assert locked.until is not None
    for right in (code_of(secret, any_ward), codes[0]):
        assert verify(any_ward, begin(any_ward.house, any_ward.nurse), right) == locked
    assert len(any_ward.events("staff.code_failed")) == 5
    clock.move(minutes=16)
    assert verify(any_ward, begin(any_ward.house, any_ward.nurse), code_of(secret, any_ward)) == Proven()


def test_every_recovery_code_works_once_however_it_is_typed(ward):
    _secret, codes = set_up(ward, ward.nurse)
    assert len(set(codes)) == 10
    for left, code in zip(range(9, -1, -1), codes, strict=True):
        typed = code.lower().replace("-", " ") if left % 2 else code
        assert verify(ward, begin(ward.house, ward.nurse), typed) == Proven(left)
    assert verify(ward, begin(ward.house, ward.nurse), codes[0]) == Refusal("wrong")


def test_new_recovery_codes_end_the_old_ones_and_ask_for_the_password(ward):
    _secret, old = set_up(ward, ward.nurse)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        assert second_factor.fresh_codes(work, ward.nurse.id, "not this") == Refusal("wrong")
        new = second_factor.fresh_codes(work, ward.nurse.id, factories.PASSWORD)
        assert not isinstance(new, Refusal)
        assert second_factor.codes_left(work, ward.nurse.id) == 10
    assert verify(ward, begin(ward.house, ward.nurse), old[0]) == Refusal("wrong")
    assert verify(ward, begin(ward.house, ward.nurse), new[0]) == Proven(9)


def test_nothing_that_opens_a_door_is_stored_in_clear(any_ward):
    secret, codes = set_up(any_ward, any_ward.nurse)
    (nurse,) = [row for row in any_ward.rows(Staff) if row.id == any_ward.nurse.id]
    assert secret not in (nurse.otp_sealed or "")
    stored = {row.fingerprint for row in any_ward.rows(RecoveryCode)}
    assert not stored & {code for given in codes for code in (given, given.replace("-", ""))}
    assert all(secret not in str((event.old, event.new)) for event in any_ward.events("staff.factor_set"))


def test_an_offer_is_for_one_person_and_half_an_hour(ward, clock):
    with form_browser.working(ward.house) as work:
        nurse, other = (work.session.get_one(Staff, who.id) for who in (ward.nurse, ward.investigator))
        offer = second_factor.offer(work, nurse)
        assert second_factor.offered(work, nurse, offer.sealed) == offer
        assert second_factor.offered(work, other, offer.sealed) is None
        assert second_factor.offered(work, nurse, "not ours") is None
        assert offer.secret in offer.uri
    clock.move(minutes=31)
    with form_browser.working(ward.house) as work:
        assert second_factor.offered(work, work.session.get_one(Staff, ward.nurse.id), offer.sealed) is None


def test_setting_up_ends_the_other_sessions_and_a_wrong_code_sets_nothing(ward):
    other, here = begin(ward.house, ward.nurse), begin(ward.house, ward.nurse)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        found = entry(work, here)
        offer = second_factor.offer(work, found.staff)
        assert second_factor.set_up(work, found, offer, "123456") == Refusal("wrong")
        assert found.staff.otp_sealed is None
        assert not isinstance(second_factor.set_up(work, found, offer, code_of(offer.secret, ward)), Refusal)
    ended = {row.id: row.ended_why for row in ward.rows(StaffSession)}
    assert (ended[other], ended[here]) == ("factor", "")


@pytest.mark.parametrize(
    ("role", "asked"),
    [("nurse", True), ("coordinator", True), ("investigator", True), ("administrator", True), ("monitor", False)],
)
def test_whoever_sees_identities_or_manages_accounts_must_have_one_where_it_is_required(ward, role, asked):
    strict = required(ward)
    with form_browser.working(strict.house) as work:
        assert staff_accounts.factor_required(work, role) == asked
    with form_browser.working(ward.house) as work:
        assert not staff_accounts.factor_required(work, role)


def test_without_a_phone_nothing_goes_on_where_it_is_required(ward):
    strict = required(ward)
    number = begin(strict.house, strict.nurse)
    assert pending(strict, number) == "factor"
    set_up(strict, strict.nurse)
    assert pending(strict, number) == ""


def test_a_lost_phone_is_forgotten_by_somebody_else_and_never_by_oneself(any_ward):
    _secret, codes = set_up(any_ward, any_ward.nurse)
    lasting = begin(any_ward.house, any_ward.nurse)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work, pytest.raises(NotAllowed):
        second_factor.reset(work, any_ward.nurse.id, "lost")
    with form_browser.working(any_ward.house, any_ward.coordinator.actor) as work:
        assert second_factor.reset(work, any_ward.nurse.id, "lost")
        assert not second_factor.reset(work, any_ward.nurse.id, "lost")
        assert work.session.scalar(select(StaffSession.ended_why).where(StaffSession.id == lasting)) == "factor"
    (event,) = any_ward.events("staff.factor_reset")
    assert (event.actor_id, event.subject_id, event.reason) == (any_ward.coordinator.id, any_ward.nurse.id, "lost")
    assert pending(any_ward, begin(any_ward.house, any_ward.nurse)) == ""
    assert codes
