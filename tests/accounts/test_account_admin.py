"""Test account administration: changes are audited and take effect at once.

The last administrator cannot be locked out.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pro.errors import BadData, CodeExpired, NotAllowed, NotFound, SignInNeeded
from pro.features.accounts import account_admin, invitations, staff_accounts
from pro.models import StaffInvitation, StaffMember, StaffSession
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account


@dataclass(frozen=True)
class Office:
    """A clinic with two administrators."""

    clinic: Clinic
    first: Account
    second: Account


def office(clinic: Clinic) -> Office:
    with form_browser.unit_of_work(clinic.app_context) as work:
        first = factories.account(work, "administrator", email="one@example.org")
        return Office(clinic, first, factories.account(work, "administrator", email="two@example.org"))


def signed_in(clinic: Clinic, person: Account) -> str:
    with form_browser.unit_of_work(clinic.app_context) as work:
        secret = staff_accounts.sign_in(work, person.email, person.password, "10.0.0.1", "phone").secret
        assert secret is not None
        return secret


def test_a_new_role_holds_at_once_and_says_why(any_clinic):
    here = office(any_clinic)
    secret = signed_in(any_clinic, any_clinic.nurse)
    with form_browser.unit_of_work(any_clinic.app_context, here.first.actor) as work:
        account_admin.change_role(work, any_clinic.nurse.id, "monitor", "  moved to monitoring ")
    with form_browser.unit_of_work(any_clinic.app_context) as work, pytest.raises(SignInNeeded) as gone:
        staff_accounts.read_session(work, secret)
    assert gone.value.why == "role"
    (event,) = any_clinic.events("staff.role_changed")
    assert (event.old, event.new, event.reason) == ({"role": "nurse"}, {"role": "monitor"}, "moved to monitoring")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        newest = account_admin.list_rights_changes(work)[0]
    assert (newest.whom, newest.by, newest.old, newest.new) == ("Nurse", "Administrator", "nurse", "monitor")


@pytest.mark.parametrize(
    ("role", "reason", "fields"),
    [
        ("nurse", "a good reason", {"role": "same_role"}),
        ("king", "a good reason", {"role": "unknown"}),
        ("monitor", " abc ", {"reason": "reason_short"}),
        ("monitor", "x" * 501, {"reason": "too_long"}),
        ("", "", {"role": "unknown", "reason": "reason_short"}),
    ],
)
def test_what_cannot_be_is_said_at_the_field_and_changes_nothing(clinic, role, reason, fields):
    here = office(clinic)
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work, pytest.raises(BadData) as refused:
        account_admin.change_role(work, clinic.nurse.id, role, reason)
    assert refused.value.details["fields"] == fields
    assert not clinic.events("staff.role_changed")


def test_staff_cannot_change_their_own_rights(clinic):
    here = office(clinic)
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work:
        for act in (
            lambda: account_admin.change_role(work, here.first.id, "nurse", "I want it"),
            lambda: account_admin.deactivate_account(work, here.first.id, "I want it"),
            lambda: account_admin.reset_factor(work, here.first.id, "I want it"),
        ):
            with pytest.raises(NotAllowed, match="own_account"):
                act()


def test_a_closed_account_is_out_and_may_come_back(any_clinic):
    here = office(any_clinic)
    secret = signed_in(any_clinic, any_clinic.nurse)
    with form_browser.unit_of_work(any_clinic.app_context, here.first.actor) as work:
        assert account_admin.deactivate_account(work, any_clinic.nurse.id, "left the hospital")
        assert not account_admin.deactivate_account(work, any_clinic.nurse.id, "left the hospital")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        with pytest.raises(SignInNeeded):
            staff_accounts.read_session(work, secret)
        assert staff_accounts.sign_in(work, any_clinic.nurse.email, factories.PASSWORD, "10.0.0.1").why == "disabled"
    with form_browser.unit_of_work(any_clinic.app_context, here.first.actor) as work:
        assert account_admin.reactivate_account(work, any_clinic.nurse.id, "came back to us")
        assert not account_admin.reactivate_account(work, any_clinic.nurse.id, "came back to us")
    assert signed_in(any_clinic, any_clinic.nurse)


def test_two_administrators_who_close_one_another_leave_one(any_clinic):
    here = office(any_clinic)
    refused: list[str] = []

    def close(by: Account, whom: Account) -> None:
        try:
            with form_browser.unit_of_work(any_clinic.app_context, by.actor) as work:
                account_admin.deactivate_account(work, whom.id, "they must go")
        except NotAllowed as error:
            refused.append(error.why)

    form_browser.run_concurrently(lambda: close(here.first, here.second), lambda: close(here.second, here.first))
    assert refused == ["last_administrator"]
    left = [row for row in any_clinic.rows(StaffMember) if row.role == "administrator" and row.disabled_at is None]
    assert len(left) == 1


def test_a_phone_is_sealed_and_its_change_recorded_without_it(clinic):
    here = office(clinic)
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work:
        account_admin.set_phone(work, clinic.nurse.id, "138 0013 8001")
        assert account_admin.account_row(work, clinic.nurse.id)[1] == "+8613800138001"
        with pytest.raises(BadData):
            account_admin.set_phone(work, clinic.nurse.id, "12")
    (event,) = clinic.events("staff.phone_changed")
    assert (event.old, event.new) == ({"phone": False}, {"phone": True})


def test_sessions_are_listed_and_ended_one_by_one_or_all(clinic, clock):
    secrets = [signed_in(clinic, clinic.nurse) for _ in range(3)]
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        listed = account_admin.list_sessions(work, clinic.nurse.id, current_id=1)
        assert [(row.id, row.device, row.here) for row in listed] == [
            (3, "phone", False),
            (2, "phone", False),
            (1, "phone", True),
        ]
        assert staff_accounts.end_session(work, clinic.nurse.id, 2)
        assert not staff_accounts.end_session(work, clinic.nurse.id, 2)
        assert not staff_accounts.end_session(work, clinic.investigator.id, 3), "a number of somebody else's"
        assert staff_accounts.end_sessions(work, clinic.nurse.id, except_id=1) == 1
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert staff_accounts.read_session(work, secrets[0])[1].id == 1
        for secret in secrets[1:]:
            with pytest.raises(SignInNeeded):
                staff_accounts.read_session(work, secret)
    clock.move(minutes=31)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert account_admin.list_sessions(work, clinic.nurse.id) == [], "idle ones have ended by themselves"
    assert len([row for row in clinic.rows(StaffSession) if row.ended_at is None]) == 1


# --- invitations -----------------------------------------------------------------------------------------------------


def invited(clinic: Clinic, here: Office, email: str = "new@example.org") -> str:
    """Return an invitation's token, from its email."""
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work:
        invitations.invite_staff(work, email, "New", "nurse", "en", "13800138001")
    return str(clinic.mails("staff_invitation")[-1].params["link"]).rpartition("/")[2]


def test_two_browsers_accept_one_invitation_and_one_account_comes_of_it(any_clinic):
    here = office(any_clinic)
    token = invited(any_clinic, here)
    late: list[Exception] = []

    def accept() -> None:
        try:
            with form_browser.unit_of_work(any_clinic.app_context) as work:
                invitations.accept_invitation(work, token, "a quite long sentence", "phone")
        except CodeExpired as error:
            late.append(error)

    form_browser.run_concurrently(accept, accept)
    assert [error.args for error in late] == [("used",)]
    assert len([row for row in any_clinic.rows(StaffMember) if row.email == "new@example.org"]) == 1


def test_a_button_pressed_twice_sends_one_invitation(any_clinic):
    here = office(any_clinic)
    again: list[object] = []

    def invite(by: Account) -> None:
        try:
            with form_browser.unit_of_work(any_clinic.app_context, by.actor) as work:
                invitations.invite_staff(work, "new@example.org", "New", "nurse", "en")
        except BadData as error:
            again.append(error.details["fields"])

    form_browser.run_concurrently(lambda: invite(here.first), lambda: invite(here.first))
    assert again == [{"email": "invited"}]
    assert len(any_clinic.rows(StaffInvitation)) == 1


def test_sending_an_old_invitation_again_ends_every_other_link_to_the_same_account(clinic, clock):
    here = office(clinic)
    invited(clinic, here)
    clock.move(hours=73)
    second = invited(clinic, here)
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work:
        invitations.resend_invitation(work, min(row.id for row in clinic.rows(StaffInvitation)))
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(CodeExpired, match="revoked"):
        invitations.read_open_invitation(work, second)
    assert [row.state(clock.now) for row in clinic.rows(StaffInvitation)].count("open") == 1


def test_the_mail_holds_no_name_and_the_link_is_kept_as_a_fingerprint(clinic):
    token = invited(clinic, office(clinic))
    (mail,) = clinic.mails("staff_invitation")
    assert (mail.to, mail.params.keys()) == ("new@example.org", {"link"})
    assert "New" not in mail.subject
    assert "nurse" not in mail.body
    (row,) = clinic.rows(StaffInvitation)
    assert token not in row.fingerprint


def test_taking_back_stops_the_mail_that_has_not_left(clinic):
    here = office(clinic)
    token = invited(clinic, here)
    with form_browser.unit_of_work(clinic.app_context, here.first.actor) as work:
        (listed,) = invitations.recent_invitations(work)
        assert (listed.state, listed.mail, listed.by) == ("open", "waiting", "Administrator")
        invitations.revoke_invitation(work, listed.row.id)
    assert clinic.mails("staff_invitation")[0].row.status == "dropped"
    with form_browser.unit_of_work(clinic.app_context) as work:
        with pytest.raises(CodeExpired, match="revoked"):
            invitations.read_open_invitation(work, token)
        with pytest.raises(NotFound):
            invitations.read_open_invitation(work, token + "x")
