"""Test the account pages: an administrator's actions, and a label for every access right."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.accounts import staff_accounts
from pro.features.accounts.pages import labels as accounts_labels
from tests.support.factories import Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser


def test_every_right_has_words_in_both_languages(app_context: AppContext) -> None:
    everything = set().union(*staff_accounts.RIGHTS.values())
    assert set(accounts_labels.RIGHTS) == everything
    chinese = app_context.catalogs.translator("zh_Hans")
    for words in accounts_labels.RIGHTS.values():
        assert chinese.gettext(words) != words


def test_the_table_of_rights_is_the_one_that_is_obeyed(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open("/staff/rights?lang=en")
    row = re.search(r"View participants’ phone numbers</th>(.*?)</tr>", desk.page, re.DOTALL)
    assert row is not None
    said = re.findall(r"yes|no(?=<)", row[1])
    assert said == ["yes", "yes", "yes", "no", "no", "no"]


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """Return the administrator's browser, in English."""
    here = signed_in_browser(app, seeded.staff["administrator"])
    here.open("/staff/accounts?lang=en")
    return here


def test_a_role_that_is_taken_away_in_mid_session_says_so_and_keeps_what_was_typed(
    app: Flask, app_context: AppContext, seeded: Study, desk: StaffBrowser
) -> None:
    alert = f"/staff/alerts/{report_bleeding(app_context, seeded.chinese.checkin)[0]}"
    person = seeded.staff["coordinator"]
    other = signed_in_browser(app, person)
    other.open(f"{alert}?lang=en")
    where = f"/staff/accounts/{person.id}"
    desk.open(where)
    assert desk.post(where, do="role", role="monitor", reason="").status_code == 400
    assert "Enter a short reason" in desk.page
    assert desk.post(where, do="role", role="monitor", reason="works as monitor now").location == where
    sent = {"do": "note", "text": "Called, will come at eight"}
    gone = other.post(alert, **sent)
    assert (gone.status_code, "why=role" in gone.location) == (307, True)
    other.post(gone.location, **sent)
    assert "An administrator changed your role" in other.page
    other.press(email=person.email, password=person.password)
    assert "Called, will come at eight" in other.page, "shown, though the new role may not save it"
    desk.open("/staff/accounts/changes")
    assert "coordinator → monitor" in desk.page
    assert "works as monitor now" in desk.page


def test_accounts_are_closed_opened_and_their_sessions_ended(app: Flask, seeded: Study, desk: StaffBrowser) -> None:
    nurse = seeded.staff["nurse"]
    other = signed_in_browser(app, nurse)
    where = f"/staff/accounts/{nurse.id}"
    desk.open(where)
    assert "End this session" in desk.page
    desk.post(where, do="end_all")
    assert other.open("/staff/").status_code == 303
    desk.open(where)
    assert "No active sessions" in desk.page
    desk.post(where, do="close", reason="left the hospital")
    assert StaffBrowser(app).sign_in(nurse).status_code == 401
    desk.open("/staff/accounts")
    assert "Deactivated 09:00" in desk.page
    desk.open(where)
    desk.post(where, do="reopen", reason="came back to us")
    assert StaffBrowser(app).sign_in(nurse).status_code == 303
    desk.open(where)
    desk.post(where, do="phone", phone="12")
    assert "The phone number is incomplete" in desk.page
    assert 'value="12"' in desk.page


def test_ones_own_rights_are_nobodys_to_change(seeded: Study, desk: StaffBrowser) -> None:
    where = f"/staff/accounts/{seeded.staff['administrator'].id}"
    desk.open(where)
    assert "This is your own account" in desk.page
    assert desk.post(where, do="close", reason="I want to go").status_code == 303
    desk.open(where)
    assert "you cannot change your own access rights" in desk.page


def test_a_lost_phone_is_reset_by_an_administrator(
    app: Flask, app_context: AppContext, seeded: Study, desk: StaffBrowser
) -> None:
    nurse = seeded.staff["nurse"]
    where = f"/staff/accounts/{nurse.id}"
    desk.open(where)
    assert desk.post(where, do="factor", reason="lost her phone").status_code == 303
    desk.open(where)
    assert "this was already done" in desk.page
    assert desk.post(where, do="nonsense").status_code == 400
    assert desk.open("/staff/accounts/999999").status_code == 404


def test_only_the_administrator_sees_accounts_and_sees_no_participant(
    app: Flask, seeded: Study, desk: StaffBrowser
) -> None:
    for path in (
        "/staff/accounts",
        "/staff/accounts/new",
        "/staff/accounts/changes",
        f"/staff/accounts/{seeded.staff['nurse'].id}",
    ):
        assert desk.open(path).status_code == 200
        assert "NPC-00" not in desk.page
    nurse = signed_in_browser(app, seeded.staff["nurse"])
    nurse.open("/staff/")
    assert "/staff/accounts" not in nurse.page
