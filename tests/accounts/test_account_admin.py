"""Accounts in an administrator's hands: every change is audited, holds at once, and never locks the last one out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pro.errors import BadData, CodeExpired, NotAllowed, NotFound, SignInNeeded
from pro.features.accounts import account_admin, invitations, staff_accounts
from pro.models import Staff, StaffInvitation, StaffSession
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account


@dataclass(frozen=True)
class Office:
    """A ward with two administrators."""

    ward: Ward
    first: Account
    second: Account


def office(ward: Ward) -> Office:
    with form_browser.working(ward.house) as work:
        first = factories.account(work, "administrator", email="one@example.org")
        return Office(ward, first, factories.account(work, "administrator", email="two@example.org"))


def signed_in(ward: Ward, person: Account) -> str:
    with form_browser.working(ward.house) as work:
        secret = staff_accounts.sign_in(work, person.email, person.password, "10.0.0.1", "phone").secret
        assert secret is not None
        return secret


def test_a_new_role_holds_at_once_and_says_why(any_ward):
    here = office(any_ward)
    secret = signed_in(any_ward, any_ward.nurse)
    with form_browser.working(any_ward.house, here.first.actor) as work:
        account_admin.change_role(work, any_ward.nurse.id, "monitor", "  moved to monitoring ")
    with form_browser.working(any_ward.house) as work, pytest.raises(SignInNeeded) as gone:
        staff_accounts.session(work, secret)
    assert gone.value.why == "role"
    (event,) = any_ward.events("staff.role_changed")
    assert (event.old, event.new, event.reason) == ({"role": "nurse"}, {"role": "monitor"}, "moved to monitoring")
    with form_browser.working(any_ward.house) as work:
        newest = account_admin.changes(work)[0]
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
def test_what_cannot_be_is_said_at_the_field_and_changes_nothing(ward, role, reason, fields):
    here = office(ward)
    with form_browser.working(ward.house, here.first.actor) as work, pytest.raises(BadData) as refused:
        account_admin.change_role(work, ward.nurse.id, role, reason)
    assert refused.value.details["fields"] == fields
    assert not ward.events("staff.role_changed")


def test_nobody_changes_their_own_rights(ward):
    here = office(ward)
    with form_browser.working(ward.house, here.first.actor) as work:
        for act in (
            lambda: account_admin.change_role(work, here.first.id, "nurse", "I want it"),
            lambda: account_admin.close(work, here.first.id, "I want it"),
            lambda: account_admin.reset_factor(work, here.first.id, "I want it"),
        ):
            with pytest.raises(NotAllowed, match="own_account"):
                act()


def test_a_closed_account_is_out_and_may_come_back(any_ward):
    here = office(any_ward)
    secret = signed_in(any_ward, any_ward.nurse)
    with form_browser.working(any_ward.house, here.first.actor) as work:
        assert account_admin.close(work, any_ward.nurse.id, "left the hospital")
        assert not account_admin.close(work, any_ward.nurse.id, "left the hospital")
    with form_browser.working(any_ward.house) as work:
        with pytest.raises(SignInNeeded):
            staff_accounts.session(work, secret)
        assert staff_accounts.sign_in(work, any_ward.nurse.email, factories.PASSWORD, "10.0.0.1").why == "disabled"
    with form_browser.working(any_ward.house, here.first.actor) as work:
        assert account_admin.reopen(work, any_ward.nurse.id, "came back to us")
        assert not account_admin.reopen(work, any_ward.nurse.id, "came back to us")
    assert signed_in(any_ward, any_ward.nurse)


def test_two_administrators_who_close_one_another_leave_one(any_ward):
    here = office(any_ward)
    refused: list[str] = []

    def close(by: Account, whom: Account) -> None:
        try:
            with form_browser.working(any_ward.house, by.actor) as work:
                account_admin.close(work, whom.id, "they must go")
        except NotAllowed as error:
            refused.append(error.why)

    form_browser.at_once(lambda: close(here.first, here.second), lambda: close(here.second, here.first))
    assert refused == ["last_administrator"]
    left = [row for row in any_ward.rows(Staff) if row.role == "administrator" and row.disabled_at is None]
    assert len(left) == 1


def test_a_phone_is_sealed_and_its_change_recorded_without_it(ward):
    here = office(ward)
    with form_browser.working(ward.house, here.first.actor) as work:
        account_admin.set_phone(work, ward.nurse.id, "138 0013 8001")
        assert account_admin.account_row(work, ward.nurse.id)[1] == "+8613800138001"
        with pytest.raises(BadData):
            account_admin.set_phone(work, ward.nurse.id, "12")
    (event,) = ward.events("staff.phone_changed")
    assert (event.old, event.new) == ({"phone": False}, {"phone": True})


def test_sessions_are_listed_and_ended_one_by_one_or_all(ward, clock):
    secrets = [signed_in(ward, ward.nurse) for _ in range(3)]
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        listed = account_admin.sessions(work, ward.nurse.id, here=1)
        assert [(row.id, row.device, row.here) for row in listed] == [
            (3, "phone", False),
            (2, "phone", False),
            (1, "phone", True),
        ]
        assert staff_accounts.end_session(work, ward.nurse.id, 2)
        assert not staff_accounts.end_session(work, ward.nurse.id, 2)
        assert not staff_accounts.end_session(work, ward.investigator.id, 3), "a number of somebody else's"
        assert staff_accounts.end_sessions(work, ward.nurse.id, but=1) == 1
    with form_browser.working(ward.house) as work:
        assert staff_accounts.session(work, secrets[0])[1].id == 1
        for secret in secrets[1:]:
            with pytest.raises(SignInNeeded):
                staff_accounts.session(work, secret)
    clock.move(minutes=31)
    with form_browser.working(ward.house) as work:
        assert account_admin.sessions(work, ward.nurse.id) == [], "idle ones have ended by themselves"
    assert len([row for row in ward.rows(StaffSession) if row.ended_at is None]) == 1


# --- invitations -----------------------------------------------------------------------------------------------------


def invited(ward: Ward, here: Office, email: str = "new@example.org") -> str:
    """An invitation's token, from its mail."""
    with form_browser.working(ward.house, here.first.actor) as work:
        invitations.invite(work, email, "New", "nurse", "en", "13800138001")
    return str(ward.mails("staff_invitation")[-1].params["link"]).rpartition("/")[2]


def test_two_browsers_accept_one_invitation_and_one_account_comes_of_it(any_ward):
    here = office(any_ward)
    token = invited(any_ward, here)
    late: list[Exception] = []

    def accept() -> None:
        try:
            with form_browser.working(any_ward.house) as work:
                invitations.accept(work, token, "a quite long sentence", "phone")
        except CodeExpired as error:
            late.append(error)

    form_browser.at_once(accept, accept)
    assert [error.args for error in late] == [("used",)]
    assert len([row for row in any_ward.rows(Staff) if row.email == "new@example.org"]) == 1


def test_a_button_pressed_twice_sends_one_invitation(any_ward):
    here = office(any_ward)
    again: list[object] = []

    def invite(by: Account) -> None:
        try:
            with form_browser.working(any_ward.house, by.actor) as work:
                invitations.invite(work, "new@example.org", "New", "nurse", "en")
        except BadData as error:
            again.append(error.details["fields"])

    form_browser.at_once(lambda: invite(here.first), lambda: invite(here.first))
    assert again == [{"email": "invited"}]
    assert len(any_ward.rows(StaffInvitation)) == 1


def test_sending_an_old_invitation_again_ends_every_other_link_to_the_same_account(ward, clock):
    here = office(ward)
    invited(ward, here)
    clock.move(hours=73)
    second = invited(ward, here)
    with form_browser.working(ward.house, here.first.actor) as work:
        invitations.resend(work, min(row.id for row in ward.rows(StaffInvitation)))
    with form_browser.working(ward.house) as work, pytest.raises(CodeExpired, match="revoked"):
        invitations.opened(work, second)
    assert [row.state(clock.now) for row in ward.rows(StaffInvitation)].count("open") == 1


def test_the_mail_names_nobody_and_the_link_is_kept_as_a_fingerprint(ward):
    token = invited(ward, office(ward))
    (mail,) = ward.mails("staff_invitation")
    assert (mail.to, mail.params.keys()) == ("new@example.org", {"link"})
    assert "New" not in mail.subject
    assert "nurse" not in mail.body
    (row,) = ward.rows(StaffInvitation)
    assert token not in row.fingerprint


def test_taking_back_stops_the_mail_that_has_not_left(ward):
    here = office(ward)
    token = invited(ward, here)
    with form_browser.working(ward.house, here.first.actor) as work:
        (listed,) = invitations.recent_invitations(work)
        assert (listed.state, listed.mail, listed.by) == ("open", "waiting", "Administrator")
        invitations.revoke(work, listed.id)
    assert ward.mails("staff_invitation")[0].row.status == "dropped"
    with form_browser.working(ward.house) as work:
        with pytest.raises(CodeExpired, match="revoked"):
            invitations.opened(work, token)
        with pytest.raises(NotFound):
            invitations.opened(work, token + "x")
