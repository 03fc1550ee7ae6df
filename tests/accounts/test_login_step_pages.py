"""Test the sign-in pages: second factor, first password, invitation, unsaved text."""

from __future__ import annotations

import re
from dataclasses import replace

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.accounts.pages import page_guard
from pro.models import AlertNote, Message, StaffMember
from tests.support import factories, form_browser
from tests.support.factories import Account, Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

ME, FACTOR = "/staff/me", "/staff/me/second-factor"


def code_of(secret: str, app_context: AppContext, steps: int = 0) -> str:
    """Return the code that the authenticator app shows."""
    phone = pyotp.TOTP(secret)
    return phone.generate_otp(phone.timecode(app_context.clock()) + steps)


def set_up(desk: StaffBrowser, app_context: AppContext) -> tuple[str, list[str]]:
    """Set up the second factor on the open page; return the secret and the recovery codes."""
    key = re.search(r'class="code key-text">(.*?)</p>', desk.page)
    assert key is not None
    secret = "".join(re.findall(r"[A-Z2-7]{4}", re.sub(r"<[^>]+>", "", key[1])))
    assert desk.press(code=code_of(secret, app_context, -1)).status_code == 200
    return secret, re.findall(r"<li>([0-9A-Z]{5}-[0-9A-Z]{5})</li>", desk.page)


@pytest.fixture
def strict(app: Flask, app_context: AppContext, monkeypatch: pytest.MonkeyPatch) -> AppContext:
    """Return the same application with the second factor required."""
    asking = replace(app_context, config=replace(app_context.config, second_factor=True))
    monkeypatch.setitem(app.extensions, "app_context", asking)
    return asking


def new_account(app_context: AppContext, role: str = "nurse") -> Account:
    with form_browser.unit_of_work(app_context) as work:
        return factories.account(work, role, email=f"new-{role}@example.org", own_password=False)


def test_where_it_is_required_nothing_opens_before_the_phone_is_set_up(
    app: Flask, strict: AppContext, seeded: Study
) -> None:
    desk = StaffBrowser(app)
    assert desk.sign_in(seeded.staff["coordinator"]).location == f"{FACTOR}?next=/staff/"
    for path in ("/staff/", ME, "/staff/participants", "/staff/rights"):
        assert desk.open(path).location.startswith(FACTOR)
    desk.open(f"{FACTOR}?lang=en")
    assert '<svg viewBox="0 0' in desk.page
    assert 'style="' not in desk.page
    _secret, codes = set_up(desk, strict)
    assert len(codes) == 10
    assert desk.open("/staff/").status_code == 200


def test_a_role_that_sees_no_identities_needs_none(app: Flask, strict: AppContext, seeded: Study) -> None:
    assert StaffBrowser(app).sign_in(seeded.staff["monitor"]).location == "/staff/"


def test_the_password_leads_to_the_code_and_the_code_to_the_page(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(FACTOR)
    secret, codes = set_up(desk, app_context)
    there = StaffBrowser(app)
    assert there.sign_in(seeded.staff["coordinator"], path="/staff/sign-in?next=/staff/participants").location == (
        "/staff/code?next=/staff/participants"
    )
    assert there.open("/staff/participants").location == "/staff/code?next=/staff/participants"
    there.open("/staff/code?next=/staff/participants&lang=en")
    assert there.press(code="123456").status_code == 401
    assert "The code is not correct" in there.page
    assert "123456" not in there.page
    assert there.press(code=code_of(secret, app_context)).location == "/staff/participants"
    assert there.open("/staff/participants").status_code == 200
    lost = StaffBrowser(app)
    lost.sign_in(seeded.staff["coordinator"])
    lost.open("/staff/code?lang=en")
    assert lost.press(code=codes[3].lower()).location == "/staff/"
    lost.open("/staff/")
    assert "9 left" in lost.page


def test_half_a_session_ends_after_ten_minutes(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(FACTOR)
    set_up(desk, app_context)
    there = StaffBrowser(app)
    there.sign_in(seeded.staff["coordinator"])
    clock.move(minutes=11)
    assert "/staff/sign-in" in there.open("/staff/code").location


def test_a_note_survives_both_steps(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    person = seeded.staff["coordinator"]
    desk = signed_in_browser(app, person)
    desk.open(FACTOR)
    secret, _codes = set_up(desk, app_context)
    path = f"/staff/alerts/{ids[0]}"
    desk.open(path)
    clock.move(minutes=31)
    sent = {"do": "note", "text": "Called, will come at eight"}
    desk.post(desk.post(path, **sent).location, **sent)
    gone = desk.press(email=person.email, password=person.password)
    assert (gone.status_code, gone.location.split("?")[0]) == (307, "/staff/code")
    carried = {"kept.do": "note", "kept.text": sent["text"], "kept_to": path, "kept_whose": str(person.id)}
    desk.post(gone.location, email=person.email, password=person.password, **carried)
    assert "not saved yet" in desk.page or "没有保存" in desk.page
    gone = desk.press(code=code_of(secret, app_context))
    assert (gone.status_code, gone.location.split("?")[0]) == (307, "/staff/unsaved-text")
    assert desk.post(gone.location, **carried).status_code == 200
    assert f"{sent['text']}</textarea>" in desk.page
    with transaction(app_context.engine) as session:
        assert session.scalars(select(AlertNote)).all() == []


def test_any_form_is_kept_and_waits_for_a_fresh_press(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    person = seeded.staff["coordinator"]
    desk = signed_in_browser(app, person)
    desk.open("/staff/participants/new?lang=en")
    clock.move(minutes=31)
    plan = factories.PLAN
    typed = {"plan": plan, "participant_number": "NC-777", "phone": "13800138777", "language": "en", "pin": "8642"}
    typed["consented_on"] = "2026-03-02"
    desk.post(desk.post("/staff/participants/new", **typed).location, **typed)
    assert "8642" not in desk.page
    assert desk.press(email=person.email, password=person.password).status_code == 200
    assert "Not saved yet" in desk.page
    assert "NC-777" not in _numbers(desk), "nothing has been done with it"
    desk.open("/staff/participants/new")
    # The page was left, so the unsaved text is discarded.
    desk.open("/staff/participants")
    assert "NC-777" not in desk.page


def _numbers(desk: StaffBrowser) -> str:
    """Read the list of participants without leaving the page."""
    return desk.client.get("/staff/participants").get_data(as_text=True)


def test_a_kept_form_is_sent_by_its_button(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    person = seeded.staff["administrator"]
    desk = signed_in_browser(app, person)
    desk.open("/staff/accounts/new?lang=en")
    clock.move(minutes=31)
    typed = {"name": "Wang Fang", "email": "wang@example.org", "role": "nurse", "language": "zh_Hans", "phone": ""}
    desk.post(desk.post("/staff/accounts/new", **typed).location, **typed)
    assert desk.press(email=person.email, password=person.password).status_code == 200
    assert "Wang Fang" in desk.page
    assert desk.press().location == "/staff/accounts"
    desk.open("/staff/accounts")
    assert "wang@example.org" in desk.page


def test_what_one_person_typed_is_not_shown_to_another(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/participants/new?lang=en")
    clock.move(minutes=31)
    typed = {"participant_number": "NC-777", "phone": "13800138777"}
    desk.post(desk.post("/staff/participants/new", **typed).location, **typed)
    monitor = seeded.staff["monitor"]
    assert desk.press(email=monitor.email, password=monitor.password).status_code == 303
    desk.open("/staff/")
    assert "Another person typed here before" in desk.page
    assert "13800138777" not in desk.page


def test_a_password_made_by_an_administrator_is_changed_first(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    person = new_account(app_context, "monitor")
    desk = StaffBrowser(app)
    assert desk.sign_in(person).location == "/staff/me/password?next=/staff/"
    assert desk.open("/staff/").location == "/staff/me/password?next=/staff/"
    for new, again, sentence in (
        ("short", "short", "at least 12 characters"),
        (factories.PASSWORD, factories.PASSWORD, "This is your current password"),
        (person.email, person.email, "The password must not be the email address"),
        ("a quite long sentence", "another long sentence", "The passwords do not match"),
    ):
        desk.open("/staff/me/password?lang=en")
        assert desk.press(old=factories.PASSWORD, new=new, again=again).status_code == 400
        assert sentence in desk.page
    assert desk.press(old="wrong wrong wrong", new="a quite long sentence", again="a quite long sentence").status_code
    assert "The password is not correct" in desk.page
    done = desk.press(old=factories.PASSWORD, new="a quite long sentence", again="a quite long sentence")
    assert done.location == "/staff/"
    assert desk.open("/staff/").status_code == 200
    assert StaffBrowser(app).sign_in(person, "a quite long sentence").location == "/staff/"
    assert StaffBrowser(app).sign_in(person).status_code == 401


def test_changing_the_password_ends_the_other_sessions(app: Flask, seeded: Study) -> None:
    here, there = (signed_in_browser(app, seeded.staff["nurse"]) for _ in range(2))
    here.open("/staff/me/password")
    assert here.press(old=factories.PASSWORD, new="a quite long sentence", again="a quite long sentence").location == ME
    assert here.open("/staff/").status_code == 200
    assert there.open("/staff/").status_code == 303


def invitation_link(app_context: AppContext) -> str:
    with transaction(app_context.engine) as session:
        message = session.scalars(select(Message).where(Message.template == "staff_invitation")).all()[-1]
        body = app_context.vault.open(message.body_sealed)
    found = re.search(r"(/staff/invitation/\S+)", body)
    assert found is not None
    return found[1]


def test_an_invitation_becomes_an_account_once(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["administrator"])
    desk.open("/staff/accounts/new?lang=en")
    assert desk.press(name="", email="nurse@example.org", phone="12").status_code == 400
    for sentence in (
        "An account with this email already exists",
        "Enter the name shown to colleagues",
        "The phone number is incomplete",
    ):
        assert sentence in desk.page
    desk.open("/staff/accounts/new")
    invited = {"name": "Zhao", "email": " Zhao@Example.org ", "role": "monitor", "language": "zh_Hans"}
    assert desk.press(**invited).location == "/staff/accounts"
    desk.open("/staff/accounts/new")
    assert desk.press(**invited).status_code == 400
    assert "This person has already been invited" in desk.page
    link = invitation_link(app_context)
    new = StaffBrowser(app)
    for _scanner in range(3):
        assert new.open(link).status_code == 200
    assert "设置您的账号" in new.page
    assert new.press(password="short", again="short").status_code == 400
    assert new.press(password="a quite long sentence", again="a quite long sentence").location == "/staff/"
    assert new.open("/staff/").status_code == 200
    late = StaffBrowser(app)
    assert late.open(f"{link}?lang=en").status_code == 410
    assert "This invitation has already been used" in late.page
    assert late.open("/staff/invitation/nothing").status_code == 404
    with transaction(app_context.engine) as session:
        account = session.scalars(select(StaffMember).where(StaffMember.email == "zhao@example.org")).one()
        assert (account.role, account.language) == ("monitor", "zh_Hans")
        assert account.password_changed_at is not None


def test_an_invitation_that_was_taken_back_or_sent_again_or_is_too_old_opens_nothing(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["administrator"])
    desk.open("/staff/accounts/new")
    desk.press(name="Zhao", email="zhao@example.org", role="nurse", language="en")
    first = invitation_link(app_context)
    desk.open("/staff/accounts")
    number = re.search(r'name="invitation" value="(\d+)"', desk.page)
    assert number is not None
    assert desk.post("/staff/accounts", do="resend", invitation=number[1]).status_code == 303
    second = invitation_link(app_context)
    assert second != first
    assert StaffBrowser(app).open(first).status_code == 410
    assert StaffBrowser(app).open(second).status_code == 200
    clock.move(hours=73)
    assert StaffBrowser(app).open(second).status_code == 410


def test_the_page_can_ask_how_long_it_lasts_without_lasting_longer(app: Flask, seeded: Study, clock: Clock) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open("/staff/")
    assert 'data-ends="1800"' in desk.page
    clock.move(minutes=20)
    asked = desk.open("/staff/me/here", **{page_guard.REFRESH_HEADER: "1"})
    assert asked.get_json() == {"left": 600}
    clock.move(minutes=5)
    assert desk.open("/staff/me/here", **{page_guard.REFRESH_HEADER: "1"}).get_json() == {"left": 300}
    desk.client.get("/staff/me/here", headers={page_guard.REFRESH_HEADER: "1"})
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.client.get("/staff/sign-in").text)
    assert token is not None
    assert desk.client.post("/staff/me/here", data={"csrf_token": token[1]}).get_json() == {"left": 1800}
