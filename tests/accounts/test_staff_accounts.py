"""Accounts, rights and sessions: who may do what, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import Type

from pro.errors import BadData, SignInNeeded
from pro.features.accounts import attempt_limits, staff_accounts
from pro.features.accounts.passwords import hash_secret, matches
from pro.models import ROLES, Staff, StaffSession
from tests.conftest import STRONG
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward

EMAIL = "nurse@example.org"


def sign_in(
    ward: Ward, email: str = EMAIL, password: str = factories.PASSWORD, address: str = "10.0.0.1"
) -> staff_accounts.SignIn:
    with form_browser.working(ward.house) as work:
        return staff_accounts.sign_in(work, email, password, address)


def look(ward: Ward, secret: str | None, *, touch: bool = True) -> Staff:
    with form_browser.working(ward.house) as work:
        return staff_accounts.session(work, secret, touch=touch)[0]


# --- signing in ------------------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session(any_ward):
    found = sign_in(any_ward)
    assert (found.why, found.locked_until) == ("", None)
    assert look(any_ward, found.secret).id == any_ward.nurse.id
    (event,) = any_ward.events("staff.signed_in")
    assert (event.actor, event.actor_id, event.role) == ("staff", any_ward.nurse.id, "nurse")
    (session,) = any_ward.rows(StaffSession)
    assert found.secret not in (session.fingerprint, "")
    assert len(session.fingerprint) == 64


@pytest.mark.parametrize("email", [" Nurse@Example.org ", "NURSE@EXAMPLE.ORG\n"])
def test_an_address_is_typed_as_people_type(ward, email):
    assert sign_in(ward, email).why == ""


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "wrong"),
        (EMAIL, ""),
        (EMAIL, factories.PASSWORD + " "),
        (EMAIL, factories.PASSWORD.upper()),
        ("nobody@example.org", "x"),
        ("", ""),
    ],
)
def test_a_wrong_one_says_the_same_whoever_it_is(ward, email, password):
    found = sign_in(ward, email, password)
    assert (found.why, found.staff, found.secret, found.locked_until) == ("wrong", None, None, None)
    assert len(ward.events("staff.sign_in_failed")) == (email == EMAIL)


def test_five_wrong_ones_close_the_account_there_for_a_quarter_of_an_hour_and_nowhere_else(any_ward, clock):
    start = clock.now
    for _ in range(4):
        assert sign_in(any_ward, password="wrong", address="10.0.0.9").why == "wrong"
    fifth = sign_in(any_ward, password="wrong", address="10.0.0.9")
    assert (fifth.why, fifth.locked_until) == ("locked", start + timedelta(minutes=15))
    assert sign_in(any_ward, address="10.0.0.9").why == "locked"
    # Whoever knows the nurse's e-mail cannot keep her out of her own place.
    assert sign_in(any_ward, address="10.0.0.77").why == ""
    assert sign_in(any_ward, any_ward.coordinator.email, address="10.0.0.9").why == ""
    clock.move(minutes=15)
    assert sign_in(any_ward, address="10.0.0.9").why == ""


def test_the_right_password_starts_the_count_anew(ward):
    for _ in range(3):
        for _ in range(4):
            assert sign_in(ward, password="wrong").why == "wrong"
        assert sign_in(ward).why == ""


def test_an_account_that_is_not_there_locks_in_the_same_way(ward):
    for _ in range(4):
        assert sign_in(ward, "nobody@example.org").why == "wrong"
    assert [sign_in(ward, "nobody@example.org").why for _ in range(2)] == ["locked", "locked"]


def test_thirty_wrong_ones_close_the_address_for_every_account(ward, clock):
    with form_browser.working(ward.house) as work:
        for _ in range(30):
            attempt_limits.failed(work, "password", "address:10.0.0.1")
    found = sign_in(ward)
    assert (found.why, found.locked_until) == ("locked", clock.now + timedelta(minutes=15))
    assert sign_in(ward, address="10.0.0.2").why == ""


def test_each_wrong_one_counts_for_its_address(ward):
    for number in range(30):
        sign_in(ward, f"guess{number}@example.org")
    assert sign_in(ward).why == "locked"
    assert sign_in(ward, address="10.0.0.2").why == ""


def test_a_closed_account_is_told_so_only_with_the_right_password(ward, clock):
    with form_browser.working(ward.house) as work:
        work.session.get_one(Staff, ward.nurse.id).disabled_at = clock.now
    assert sign_in(ward).why == "disabled"
    assert sign_in(ward).secret is None
    assert sign_in(ward, password="wrong").why == "wrong"


def test_nobody_is_verified_against_a_real_hash_too():
    """An unknown account costs a whole verification, so that time tells nothing."""
    assert not matches(None, "nobody has this password")
    assert matches(hash_secret("a"), "a")
    assert not matches(hash_secret("a"), "b")
    assert not matches("not a hash", "a")
    assert hash_secret("a") != hash_secret("a")
    assert hash_secret("a").startswith("$argon2id$")


def test_hashing_costs_a_guesser_dearly():
    """No less than OWASP's password storage cheat sheet asks of argon2id: 19 MiB and two passes."""
    assert STRONG.memory_cost >= 19 * 1024
    assert STRONG.time_cost >= 2
    assert STRONG.type is Type.ID


# --- sessions --------------------------------------------------------------------------------------------------------


def test_no_session_no_page(ward):
    for secret in (None, "", "x"):
        with pytest.raises(SignInNeeded) as refused:
            look(ward, secret)
        assert refused.value.why == "none"


def test_a_session_ends_after_idle_minutes(any_ward, clock):
    secret = sign_in(any_ward).secret
    clock.move(minutes=30)
    assert look(any_ward, secret)
    clock.move(minutes=30)
    assert look(any_ward, secret)
    clock.move(minutes=30, seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(any_ward, secret)
    assert refused.value.why == "idle"


def test_a_page_that_refreshes_itself_keeps_nobody_signed_in(ward, clock):
    secret = sign_in(ward).secret
    for _ in range(30):
        clock.move(minutes=1)
        look(ward, secret, touch=False)
    clock.move(seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(ward, secret, touch=False)
    assert refused.value.why == "idle"


def test_looking_writes_at_most_once_a_minute(any_ward, clock):
    secret, start = sign_in(any_ward).secret, clock.now
    for _ in range(6):
        clock.move(seconds=10)
        look(any_ward, secret)
    assert any_ward.rows(StaffSession)[0].seen_at == start
    seen = clock.move(seconds=1)
    look(any_ward, secret)
    clock.move(seconds=60)
    look(any_ward, secret)
    assert any_ward.rows(StaffSession)[0].seen_at == seen


def test_a_session_ends_after_half_a_day_however_busy(ward, clock):
    secret = sign_in(ward).secret
    for _ in range(48):
        clock.move(minutes=15)
        look(ward, secret)
    clock.move(seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(ward, secret)
    assert refused.value.why == "ended"


def test_signing_out_ends_this_session_and_no_other(any_ward):
    first, second = sign_in(any_ward).secret, sign_in(any_ward).secret
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        assert first is not None
        staff_accounts.sign_out(work, first)
        staff_accounts.sign_out(work, "x")
    with pytest.raises(SignInNeeded) as refused:
        look(any_ward, first)
    assert refused.value.why == "ended"
    assert look(any_ward, second)
    assert len(any_ward.events("staff.signed_out")) == 1


def test_all_sessions_of_a_person_can_be_ended(ward):
    secrets = [sign_in(ward).secret for _ in range(2)]
    other = sign_in(ward, ward.coordinator.email).secret
    with form_browser.working(ward.house) as work:
        staff_accounts.end_sessions(work, ward.nurse.id)
    for secret in secrets:
        with pytest.raises(SignInNeeded):
            look(ward, secret)
    assert look(ward, other).id == ward.coordinator.id


def test_closing_an_account_ends_its_sessions_at_once(ward, clock):
    secret = sign_in(ward).secret
    with form_browser.working(ward.house) as work:
        work.session.get_one(Staff, ward.nurse.id).disabled_at = clock.now
    with pytest.raises(SignInNeeded) as refused:
        look(ward, secret)
    assert refused.value.why == "ended"


# --- accounts and rights ---------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_said_at_once(ward):
    with form_browser.working(ward.house) as work, pytest.raises(BadData) as refused:
        staff_accounts.add_staff(work, "nowhere", " ", "king", "fr", "short")
    assert refused.value.details["fields"] == {
        "email": "email_invalid",
        "name": "empty",
        "role": "unknown",
        "language": "unknown",
        "password": "password_short",
    }
    with form_browser.working(ward.house) as work, pytest.raises(BadData) as refused:
        staff_accounts.add_staff(work, " NURSE@example.org", "x", "nurse", "en", factories.PASSWORD)
    assert refused.value.details["fields"] == {"email": "taken"}


@pytest.mark.parametrize(
    "email",
    [
        "a@b;c",
        "<a@b.org>",
        "a,b@c.org",
        "a@b.c>",
        "a@b\u202e",
        "ü@example.org",
        "ｎurse@example.org",
        "a@b..c",
        "a@b\0.c",
    ],
)
def test_an_address_that_no_mail_reaches_is_refused(ward, email):
    with form_browser.working(ward.house) as work:
        assert staff_accounts.wrong_fields(work, email, "x", "nurse", "en", "") == {"email": "email_invalid"}
        for fine in ("a.b+c'd@mail-1.example.org", "root@localhost", "A_1%@xn--fiqs8s.example"):
            assert staff_accounts.wrong_fields(work, fine, "x", "nurse", "en", "") == {}


def test_a_password_is_kept_as_a_hash_only(ward):
    assert all(row.password_hash.startswith("$argon2id$") for row in ward.rows(Staff))


READ = (
    "own_account see_alert see_answers see_board see_cohort see_dates see_drill see_events see_inbox see_participants"
    " see_roster see_ulcers"
)
ACT = (
    "acknowledge assign_text check_answers confirm_drill enter_answers log_call make_card note record_consent"
    " record_endoscopy reply_text see_identity send_form set_dates set_reason take_over"
)
LEAD = "edit_roster enrol report_event see_audit simulate"
NURSE = "close_alert mark_stable"


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("coordinator", f"{READ} {ACT} {LEAD} ask_correction"),
        ("investigator", f"{READ} {ACT} {LEAD} {NURSE} assess decide decide_correction export_audit freeze"),
        ("nurse", f"{READ} {ACT} {NURSE} ask_correction"),
        ("monitor", f"{READ} export_audit see_audit"),
        ("statistician", "own_account see_answers see_cohort see_dates see_events see_participants see_ulcers"),
        ("administrator", "edit_roster manage_staff own_account see_audit see_drill see_roster"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_the_rights_of_every_role(role, rights):
    everything = set().union(*staff_accounts.RIGHTS.values()) | {"no_such_right"}
    assert {right for right in everything if staff_accounts.may(role, right)} == set(rights.split())


def test_every_role_has_its_line_of_rights():
    assert set(staff_accounts.RIGHTS) == set(ROLES)
