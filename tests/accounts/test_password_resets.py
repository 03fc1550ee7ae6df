"""Test the way back in for staff who forgot their password: one link, once, for half an hour, telling nothing."""

from __future__ import annotations

import logging
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.accounts import password_resets
from pro.features.operations import worker_steps
from pro.messaging.providers import provider_choice
from pro.models import AuditEntry, Message, PasswordReset, StaffMember
from tests.accounts.test_login_step_pages import code_of, set_up
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser

FORGOT = "/staff/forgot-password"
NEW = "a quite long sentence"


def ask(app: Flask, email: str) -> StaffBrowser:
    """Ask for a link with the form that the sign-in page leads to; return the browser on the page that follows."""
    desk = StaffBrowser(app)
    desk.open("/staff/sign-in?lang=en")
    assert f'href="{FORGOT}"' in desk.page
    desk.open(FORGOT)
    answer = desk.press(email=email)
    assert (answer.status_code, answer.location) == (303, f"{FORGOT}?sent=1")
    desk.open(answer.location)
    return desk


def work_off(app_context: AppContext) -> None:
    """Let the worker answer what was asked for."""
    worker_steps.run_jobs(app_context, provider_choice.choose_senders(app_context.config), "test:1")


def links(app_context: AppContext) -> list[str]:
    """Return the paths in the emails, oldest first."""
    with transaction(app_context.engine) as session:
        rows = session.scalars(select(Message).where(Message.template == "staff_reset").order_by(Message.id)).all()
        bodies = [app_context.vault.open(row.body_sealed) for row in rows]
    return [re.findall(r"https?://[^/\s]+(/staff/reset/\S+)", body)[0] for body in bodies]


def actions(app_context: AppContext) -> list[tuple[str, str]]:
    """Return (actor, action) of the audit entries about passwords and sessions."""
    with transaction(app_context.engine) as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [(row.actor, row.action) for row in rows if row.action.startswith("staff.")]


def test_the_emailed_link_sets_a_new_password_once_and_ends_all_other_sessions(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    nurse = seeded.staff["nurse"]
    there = signed_in_browser(app, nurse)
    ask(app, f"  {nurse.email.upper()} ")
    work_off(app_context)
    (link,) = links(app_context)
    new = StaffBrowser(app)
    for _scanner in range(3):
        assert new.open(f"{link}?lang=en").status_code == 200
    assert new.press(password="short", again="short").status_code == 400
    assert "at least 12 characters" in new.page
    assert new.press(password=nurse.email, again=nurse.email).status_code == 400
    assert new.press(password=NEW, again="another sentence").status_code == 400
    assert there.open("/staff/").status_code == 200, "nothing ends before the password is set"
    assert new.press(password=NEW, again=NEW).location == "/staff/"
    new.open("/staff/")
    assert "Your new password is set" in new.page
    assert there.open("/staff/").status_code == 303
    assert StaffBrowser(app).sign_in(nurse).status_code == 401
    assert StaffBrowser(app).sign_in(nurse, NEW).location == "/staff/"
    late = StaffBrowser(app)
    assert late.open(f"{link}?lang=en").status_code == 410
    assert "already been used" in late.page
    assert late.post(link, password="yet another sentence", again="yet another sentence").status_code == 410
    assert StaffBrowser(app).sign_in(nurse, NEW).location == "/staff/"
    told = actions(app_context)
    assert ("system", "staff.reset_sent") in told
    assert ("staff", "staff.password_reset") in told
    assert told.count(("staff", "staff.password_reset")) == 1


def test_the_changes_of_rights_name_it(app: Flask, app_context: AppContext, seeded: Study) -> None:
    ask(app, seeded.staff["nurse"].email)
    work_off(app_context)
    StaffBrowser(app).open(links(app_context)[0])
    desk = StaffBrowser(app)
    desk.open(links(app_context)[0])
    desk.press(password=NEW, again=NEW)
    admin = signed_in_browser(app, seeded.staff["administrator"])
    admin.open("/staff/accounts/changes?lang=en")
    assert "Link for a new password sent by email" in admin.page
    assert "New password set by an emailed link" in admin.page


def test_a_link_ends_after_half_an_hour(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    ask(app, seeded.staff["nurse"].email)
    work_off(app_context)
    (link,) = links(app_context)
    clock.move(minutes=29)
    assert StaffBrowser(app).open(link).status_code == 200
    clock.move(minutes=2)
    desk = StaffBrowser(app)
    assert desk.open(f"{link}?lang=en").status_code == 410
    assert "The 30 minutes have passed" in desk.page
    assert desk.open("/staff/reset/nothing").status_code == 404


def test_a_new_password_ends_the_links_that_were_not_used(app: Flask, app_context: AppContext, seeded: Study) -> None:
    nurse = seeded.staff["nurse"]
    for _time in range(2):
        ask(app, nurse.email)
    work_off(app_context)
    first, second = links(app_context)
    assert StaffBrowser(app).open(second).status_code == 200, "the email that came first may be opened last"
    desk = StaffBrowser(app)
    desk.open(first)
    desk.press(password=NEW, again=NEW)
    assert StaffBrowser(app).open(second).status_code == 410
    ask(app, nurse.email)
    work_off(app_context)
    desk.open("/staff/me/password")
    assert desk.press(old=NEW, new="yet another sentence", again="yet another sentence").status_code == 303
    assert StaffBrowser(app).open(links(app_context)[-1]).status_code == 410


def test_the_second_factor_stays_required(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    person = seeded.staff["coordinator"]
    desk = signed_in_browser(app, person)
    desk.open("/staff/me/second-factor")
    secret, _codes = set_up(desk, app_context)
    ask(app, person.email)
    work_off(app_context)
    new = StaffBrowser(app)
    new.open(links(app_context)[0])
    assert new.press(password=NEW, again=NEW).location.startswith("/staff/code")
    for path in ("/staff/", "/staff/participants", "/staff/me"):
        assert new.open(path).location.startswith("/staff/code"), path
    new.open("/staff/code?lang=en")
    assert new.press(code=code_of(secret, app_context)).location == "/staff/"
    assert new.open("/staff/").status_code == 200


def test_a_role_that_must_have_a_second_factor_sets_it_up_first(
    app: Flask, app_context: AppContext, seeded: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = replace(app_context, config=replace(app_context.config, second_factor=True))
    monkeypatch.setitem(app.extensions, "app_context", asking)
    ask(app, seeded.staff["coordinator"].email)
    work_off(asking)
    new = StaffBrowser(app)
    new.open(links(asking)[0])
    assert new.press(password=NEW, again=NEW).location.startswith("/staff/me/second-factor")


def test_the_answer_tells_nothing_about_accounts(app: Flask, app_context: AppContext, seeded: Study) -> None:
    """The sentence, the status, and every statement on the database are the same, so the time is too."""
    with transaction(app_context.engine) as session:
        gone = session.scalars(select(StaffMember).where(StaffMember.role == "statistician")).one()
        gone.disabled_at, away = app_context.clock(), gone.email
    found = []
    for email in (seeded.staff["nurse"].email, away, "nobody.here@example.org"):
        desk = StaffBrowser(app)
        desk.open(f"{FORGOT}?lang=en")
        with record_queries(app.extensions["app_context"].engine) as asked:
            answer = desk.press(email=email)
        page = StaffBrowser(app)
        page.open(f"{answer.location}&lang=en")
        found.append((answer.status_code, answer.location, asked, re.sub(r'value="[^"]+"', "", page.page)))
    assert found[0][2], "the statements were recorded"
    assert found[0] == found[1] == found[2]
    assert "If this address has an active account" in found[0][3]
    with transaction(app_context.engine) as session:
        assert len(session.scalars(select(PasswordReset)).all()) == 3
        assert session.scalars(select(Message)).all() == []
    work_off(app_context)
    with transaction(app_context.engine) as session:
        (row,) = session.scalars(select(PasswordReset)).all()
        assert (row.staff_id, row.email_sealed) == (seeded.staff["nurse"].id, None)
        assert len(session.scalars(select(Message).where(Message.template == "staff_reset")).all()) == 1


def test_a_deactivated_account_cannot_use_a_link_that_it_got_before(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    ask(app, seeded.staff["nurse"].email)
    work_off(app_context)
    with transaction(app_context.engine) as session:
        session.get_one(StaffMember, seeded.staff["nurse"].id).disabled_at = app_context.clock()
    (link,) = links(app_context)
    desk = StaffBrowser(app)
    assert desk.open(link).status_code == 410
    assert desk.post(link, password=NEW, again=NEW).status_code == 410


def test_requests_are_limited_by_address_and_by_network(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    email = seeded.staff["nurse"].email
    for _time in range(password_resets.ADDRESS_REQUESTS + 2):
        ask(app, email)
    work_off(app_context)
    assert len(links(app_context)) == password_resets.ADDRESS_REQUESTS
    for number in range(password_resets.NETWORK_REQUESTS - password_resets.ADDRESS_REQUESTS - 2):
        ask(app, f"unknown{number}@example.org")
    desk = StaffBrowser(app)
    desk.open(f"{FORGOT}?lang=en")
    for asked in (email, "unknown@example.org"):
        assert desk.press(email=asked).status_code == 429
        assert "Too many requests" in desk.page
    clock.move(minutes=16)
    ask(app, email)
    work_off(app_context)
    assert len(links(app_context)) == password_resets.ADDRESS_REQUESTS + 1


def test_requests_that_were_not_answered_do_not_keep_the_owner_waiting(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    """A person who knows the address asks on and on; the owner gets a link 15 minutes after the answered ones."""
    email, limit = seeded.staff["nurse"].email, password_resets.ADDRESS_REQUESTS
    for _time in range(limit):
        ask(app, email)
    clock.move(minutes=10)
    for _time in range(limit):
        ask(app, email)
    work_off(app_context)
    assert len(links(app_context)) == limit
    clock.move(minutes=6)
    ask(app, email)
    work_off(app_context)
    assert len(links(app_context)) == limit + 1


def test_a_locked_sign_in_opens_with_the_new_password(app: Flask, app_context: AppContext, seeded: Study) -> None:
    nurse = seeded.staff["nurse"]
    desk = StaffBrowser(app)
    for _time in range(5):
        desk.sign_in(nurse, "wrong wrong wrong")
    assert StaffBrowser(app).sign_in(nurse).status_code == 429
    ask(app, nurse.email)
    work_off(app_context)
    new = StaffBrowser(app)
    new.open(links(app_context)[0])
    new.press(password=NEW, again=NEW)
    assert StaffBrowser(app).sign_in(nurse, NEW).status_code == 303


def test_a_typing_error_is_named_and_counts_nothing(app: Flask, app_context: AppContext) -> None:
    desk = StaffBrowser(app)
    for typed in ("", "zhao", "a b@example.org", "x" * 300 + "@example.org"):
        desk.open(f"{FORGOT}?lang=en")
        assert desk.press(email=typed).status_code == 400
        assert 'id="errors"' in desk.page
    with transaction(app_context.engine) as session:
        assert session.scalars(select(PasswordReset)).all() == []


def test_no_address_and_no_token_is_logged_or_sent_on(
    app: Flask,
    app_context: AppContext,
    seeded: Study,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    nurse = seeded.staff["nurse"]
    ask(app, nurse.email)
    work_off(app_context)
    (link,) = links(app_context)
    token = link.rpartition("/")[2]
    desk = StaffBrowser(app)
    answer = desk.open(link)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert nurse.email not in desk.page, "who finds the link learns no address"
    done = desk.press(password=NEW, again=NEW)
    assert token not in done.location
    written = caplog.text + "".join(capfd.readouterr())
    assert [secret for secret in (token, nurse.email, NEW) if secret in written] == []
    with transaction(app_context.engine) as session:
        entries = session.scalars(select(AuditEntry)).all()
        assert not any(token in str([row.old, row.new, row.reason]) for row in entries)
        assert not any(nurse.email in str([row.old, row.new, row.reason]) for row in entries)
        rows = session.scalars(select(PasswordReset)).all()
        assert all(token not in str(row.fingerprint) for row in rows)


def test_the_servers_log_no_link_of_staff() -> None:
    root = Path(__file__).parents[2]
    redact = runpy.run_path(str(root / "deploy" / "gunicorn.conf.py"))["redact"]
    nginx = (root / "deploy" / "nginx.conf").read_text("utf-8")
    for start in ("/staff/invitation/", "/staff/reset/"):
        assert redact(f"Error handling request {start}abc-DEF_1?lang=en") == f"Error handling request {start}-"
        assert re.search(rf"~\^{start} +{start}-;", nginx)


def test_text_that_waits_on_the_sign_in_page_stays_there(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    path = f"/staff/participants/{seeded.chinese.id}/messages"
    desk.open(path)
    clock.move(minutes=31)
    sent = {"text": "I shall call you at eight", "do": "free"}
    desk.post(desk.post(path, **sent).location, **sent)
    assert f'href="{FORGOT}" target=_blank' in desk.page
    assert factories.PASSWORD not in desk.page
