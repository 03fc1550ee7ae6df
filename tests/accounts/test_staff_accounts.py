"""Test accounts, access rights and sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import Type

from pro.errors import BadData, SignInNeeded
from pro.features.accounts import attempt_limits, staff_accounts
from pro.features.accounts.passwords import hash_secret, is_secret_correct
from pro.models import ROLES, StaffMember, StaffSession
from tests.conftest import PRODUCTION_HASHER
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic

EMAIL = "nurse@example.org"


def sign_in(
    clinic: Clinic, email: str = EMAIL, password: str = factories.PASSWORD, address: str = "10.0.0.1"
) -> staff_accounts.SignInResult:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return staff_accounts.sign_in(work, email, password, address)


def look(clinic: Clinic, secret: str | None, *, touch: bool = True) -> StaffMember:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return staff_accounts.read_session(work, secret, touch=touch)[0]


# --- signing in ------------------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session(any_clinic):
    found = sign_in(any_clinic)
    assert (found.why, found.locked_until) == ("", None)
    assert look(any_clinic, found.secret).id == any_clinic.nurse.id
    (event,) = any_clinic.events("staff.signed_in")
    assert (event.actor, event.actor_id, event.role) == ("staff", any_clinic.nurse.id, "nurse")
    (session,) = any_clinic.rows(StaffSession)
    assert found.secret not in (session.fingerprint, "")
    assert len(session.fingerprint) == 64


@pytest.mark.parametrize("email", [" Nurse@Example.org ", "NURSE@EXAMPLE.ORG\n"])
def test_an_address_is_typed_as_people_type(clinic, email):
    assert sign_in(clinic, email).why == ""


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
def test_a_wrong_password_gives_the_same_answer_for_every_account(clinic, email, password):
    found = sign_in(clinic, email, password)
    assert (found.why, found.staff, found.secret, found.locked_until) == ("wrong", None, None, None)
    assert len(clinic.events("staff.sign_in_failed")) == (email == EMAIL)


def test_five_wrong_ones_close_the_account_there_for_a_quarter_of_an_hour_and_nowhere_else(any_clinic, clock):
    start = clock.now
    for _ in range(4):
        assert sign_in(any_clinic, password="wrong", address="10.0.0.9").why == "wrong"
    fifth = sign_in(any_clinic, password="wrong", address="10.0.0.9")
    assert (fifth.why, fifth.locked_until) == ("locked", start + timedelta(minutes=15))
    assert sign_in(any_clinic, address="10.0.0.9").why == "locked"
    # A person who knows the nurse's email address must not be able to lock the nurse out.
    assert sign_in(any_clinic, address="10.0.0.77").why == ""
    assert sign_in(any_clinic, any_clinic.coordinator.email, address="10.0.0.9").why == ""
    clock.move(minutes=15)
    assert sign_in(any_clinic, address="10.0.0.9").why == ""


def test_the_right_password_resets_the_count(clinic):
    for _ in range(3):
        for _ in range(4):
            assert sign_in(clinic, password="wrong").why == "wrong"
        assert sign_in(clinic).why == ""


def test_an_account_that_is_not_there_locks_in_the_same_way(clinic):
    for _ in range(4):
        assert sign_in(clinic, "nobody@example.org").why == "wrong"
    assert [sign_in(clinic, "nobody@example.org").why for _ in range(2)] == ["locked", "locked"]


def test_thirty_wrong_ones_close_the_address_for_every_account(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        for _ in range(30):
            attempt_limits.count_failure(work, "password", "address:10.0.0.1")
    found = sign_in(clinic)
    assert (found.why, found.locked_until) == ("locked", clock.now + timedelta(minutes=15))
    assert sign_in(clinic, address="10.0.0.2").why == ""


def test_each_wrong_one_counts_for_its_address(clinic):
    for number in range(30):
        sign_in(clinic, f"guess{number}@example.org")
    assert sign_in(clinic).why == "locked"
    assert sign_in(clinic, address="10.0.0.2").why == ""


def test_a_closed_account_is_told_so_only_with_the_right_password(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = clock.now
    assert sign_in(clinic).why == "disabled"
    assert sign_in(clinic).secret is None
    assert sign_in(clinic, password="wrong").why == "wrong"


def test_an_unknown_account_is_verified_against_a_real_hash_too():
    """Check that an unknown account costs a complete verification: timing reveals nothing."""
    assert not is_secret_correct(None, "nobody has this password")
    assert is_secret_correct(hash_secret("a"), "a")
    assert not is_secret_correct(hash_secret("a"), "b")
    assert not is_secret_correct("not a hash", "a")
    assert hash_secret("a") != hash_secret("a")
    assert hash_secret("a").startswith("$argon2id$")


def test_hashing_costs_a_guesser_dearly():
    """Check OWASP's minimum of the password storage cheat sheet: 19 MiB and two passes."""
    assert PRODUCTION_HASHER.memory_cost >= 19 * 1024
    assert PRODUCTION_HASHER.time_cost >= 2
    assert PRODUCTION_HASHER.type is Type.ID


# --- sessions --------------------------------------------------------------------------------------------------------


def test_no_session_no_page(clinic):
    for secret in (None, "", "x"):
        with pytest.raises(SignInNeeded) as refused:
            look(clinic, secret)
        assert refused.value.why == "none"


def test_a_session_ends_after_idle_minutes(any_clinic, clock):
    secret = sign_in(any_clinic).secret
    clock.move(minutes=30)
    assert look(any_clinic, secret)
    clock.move(minutes=30)
    assert look(any_clinic, secret)
    clock.move(minutes=30, seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(any_clinic, secret)
    assert refused.value.why == "idle"


def test_a_refreshing_page_does_not_prolong_the_session(clinic, clock):
    secret = sign_in(clinic).secret
    for _ in range(30):
        clock.move(minutes=1)
        look(clinic, secret, touch=False)
    clock.move(seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(clinic, secret, touch=False)
    assert refused.value.why == "idle"


def test_looking_writes_at_most_once_a_minute(any_clinic, clock):
    secret, start = sign_in(any_clinic).secret, clock.now
    for _ in range(6):
        clock.move(seconds=10)
        look(any_clinic, secret)
    assert any_clinic.rows(StaffSession)[0].seen_at == start
    seen = clock.move(seconds=1)
    look(any_clinic, secret)
    clock.move(seconds=60)
    look(any_clinic, secret)
    assert any_clinic.rows(StaffSession)[0].seen_at == seen


def test_a_session_ends_after_half_a_day_however_busy(clinic, clock):
    secret = sign_in(clinic).secret
    for _ in range(48):
        clock.move(minutes=15)
        look(clinic, secret)
    clock.move(seconds=1)
    with pytest.raises(SignInNeeded) as refused:
        look(clinic, secret)
    assert refused.value.why == "ended"


def test_signing_out_ends_this_session_and_no_other(any_clinic):
    first, second = sign_in(any_clinic).secret, sign_in(any_clinic).secret
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        assert first is not None
        staff_accounts.sign_out(work, first)
        staff_accounts.sign_out(work, "x")
    with pytest.raises(SignInNeeded) as refused:
        look(any_clinic, first)
    assert refused.value.why == "ended"
    assert look(any_clinic, second)
    assert len(any_clinic.events("staff.signed_out")) == 1


def test_all_sessions_of_a_person_can_be_ended(clinic):
    secrets = [sign_in(clinic).secret for _ in range(2)]
    other = sign_in(clinic, clinic.coordinator.email).secret
    with form_browser.unit_of_work(clinic.app_context) as work:
        staff_accounts.end_sessions(work, clinic.nurse.id)
    for secret in secrets:
        with pytest.raises(SignInNeeded):
            look(clinic, secret)
    assert look(clinic, other).id == clinic.coordinator.id


def test_closing_an_account_ends_its_sessions_at_once(clinic, clock):
    secret = sign_in(clinic).secret
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = clock.now
    with pytest.raises(SignInNeeded) as refused:
        look(clinic, secret)
    assert refused.value.why == "ended"


# --- accounts and rights ---------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_said_at_once(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(BadData) as refused:
        staff_accounts.add_staff(work, "nowhere", " ", "king", "fr", "short")
    assert refused.value.details["fields"] == {
        "email": "email_invalid",
        "name": "empty",
        "role": "unknown",
        "language": "unknown",
        "password": "password_short",
    }
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(BadData) as refused:
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
def test_an_address_that_no_mail_reaches_is_refused(clinic, email):
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert staff_accounts.account_problems(work, email, "x", "nurse", "en", "") == {"email": "email_invalid"}
        for fine in ("a.b+c'd@mail-1.example.org", "root@localhost", "A_1%@xn--fiqs8s.example"):
            assert staff_accounts.account_problems(work, fine, "x", "nurse", "en", "") == {}


def test_a_password_is_kept_as_a_hash_only(clinic):
    assert all(row.password_hash.startswith("$argon2id$") for row in clinic.rows(StaffMember))


READ = (
    "own_account see_adverse_events see_alert see_answers see_dates see_inbox see_participants see_roster"
    " see_study_overview see_test_alert see_to_do_list see_ulcers"
)
ACT = (
    "acknowledge assign_text verify_answers confirm_test_alert correct_details enter_answers log_call make_card note"
    " record_consent"
    " record_endoscopy reply_text see_identity send_form set_dates set_reason take_over"
)
LEAD = "edit_roster enrol report_event see_audit simulate"
NURSE = "close_alert mark_stable"


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("coordinator", f"{READ} {ACT} {LEAD} answer_query ask_correction"),
        (
            "investigator",
            f"{READ} {ACT} {LEAD} {NURSE} answer_query assess decide decide_correction export_audit freeze",
        ),
        ("nurse", f"{READ} {ACT} {NURSE} ask_correction"),
        ("monitor", f"{READ} ask_query export_audit see_audit"),
        (
            "statistician",
            "own_account see_answers see_study_overview see_dates see_adverse_events see_participants see_ulcers",
        ),
        ("administrator", "edit_roster manage_staff own_account see_audit see_test_alert see_roster"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_the_rights_of_every_role(role, rights):
    everything = set().union(*staff_accounts.RIGHTS.values()) | {"no_such_right"}
    assert {right for right in everything if staff_accounts.has_right(role, right)} == set(rights.split())


def test_every_role_has_its_line_of_rights():
    assert set(staff_accounts.RIGHTS) == set(ROLES)
