"""Whoever is shut out in the middle of typing, or types what cannot be, reads why and keeps every word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.features.accounts import account_admin, staff_accounts
from pro.models import AlertClosure, AlertNote, Consent, Endoscopy, Freeze, Grading, PhoneCall, SignedDecision
from tests.support.factories import PASSWORD, PLAN, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

MINE = "these are my own words"
LONG = f"{MINE} " + "long " * 1000
ALERT, ULCER, PERSON = "/staff/alerts/1", "/staff/ulcers/1", "/staff/participants/1"
DECIDED = {"decision-about": "ulcer", "decision-choice": "stop", "decision-password": PASSWORD}
# What an investigator types -> its address and fields; {words} stands for what is typed freely.
FORMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "note": (ALERT, {"do": "note", "text": "{words}"}),
    "call": (ALERT, {"do": "call", "outcome": "reached", "at": "2026-03-02T09:00", "text": "{words}"}),
    "close": (ALERT, {"do": "close", "alert": "1", "disposition": "no_action", "reason": "{words}"}),
    "grading": (
        f"{ALERT}/assess",
        {"do": "assess", "seen": "0", "term": "another", "another": "epistaxis", "action": "{words}"},
    ),
    "endoscopy": (ULCER, {"do": "done", "done_on": "2026-03-02", "result": "ulcer", "finding": "{words}"}),
    "decision": (ULCER, {"do": "decide", "decision-reason": "{words}", **DECIDED}),
    "freeze": (f"/staff/freeze/{PLAN}", {"do": "freeze", "reason": "{words}", "password": PASSWORD}),
    "withdrawal": (f"{PERSON}/consent", {"do": "withdraw", "scope": "", "told": "{words}"}),
}
TABLES = (AlertNote, PhoneCall, AlertClosure, Consent, SignedDecision, Endoscopy, Freeze, Grading)


def filled(name: str, words: str) -> tuple[str, dict[str, Any]]:
    path, fields = FORMS[name]
    return path, {field: text.format(words=words) for field, text in fields.items()}


def counted(app_context: AppContext) -> list[int]:
    """How many rows there are of all that these forms make."""
    with transaction(app_context.engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


@pytest.fixture
def desk(app: Flask, app_context: AppContext, seeded: Study) -> StaffBrowser:
    """The investigator, with an alert."""
    report_bleeding(app_context, seeded.chinese.checkin)
    return signed_in_browser(app, seeded.staff["investigator"])


def role_taken(work: UnitOfWork, staff_id: int) -> None:
    account_admin.change_role(work, staff_id, "monitor", "works elsewhere now")


def closed(work: UnitOfWork, staff_id: int) -> None:
    account_admin.deactivate_account(work, staff_id, "left the hospital")


def ended(work: UnitOfWork, staff_id: int) -> None:
    staff_accounts.end_sessions(work, staff_id)


# Who types it -> the address and what no hand types there, but a program can send.
NONSENSE: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "holder": ("investigator", ALERT, {"do": "take_over", "holder": "9" * 5000}),
    "event": ("investigator", f"{ALERT}/assess", {"do": "assess", "seen": "0", "event": "9" * 5000}),
    "event too far": ("investigator", f"{ALERT}/assess", {"do": "assess", "seen": "0", "event": "9" * 30}),
    "grade": ("investigator", f"{ALERT}/assess", {"do": "assess", "seen": "0", "grade": "9" * 5000}),
    "seen": (
        "investigator",
        f"{ALERT}/assess",
        {"do": "assess", "seen": "9" * 5000, "term": "epistaxis", "grade": "2", "onset_date": "2026-03-02"}
        | {"attribution": "rt", "serious": "no", "action": "watched", "password": PASSWORD},
    ),
    "absence": ("coordinator", "/staff/roster", {"do": "back", "absence": "²"}),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_number_that_is_none_breaks_nothing(desk: StaffBrowser, app: Flask, seeded: Study, what: str) -> None:
    role, path, fields = NONSENSE[what]
    answer = signed_in_browser(app, seeded.staff[role]).post(path, **fields)
    assert answer.status_code in (400, 404), answer.status_code


def test_a_nul_is_dropped_from_what_staff_type(desk: StaffBrowser, app_context: AppContext) -> None:
    desk.open(ALERT)
    assert desk.post(ALERT, do="note", text="seen\0 by me").status_code == 303
    with transaction(app_context.engine) as session:
        assert session.scalars(select(AlertNote.text)).one() == "seen by me"
    desk.open("/staff/participants?find=NPC%00-001")
    assert 'value="NPC-001"' in desk.page


LOSSES = {"role": role_taken, "closed": closed, "ended elsewhere": ended}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_shut_out_in_mid_session_nothing_is_done_and_every_word_is_carried(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, form: str, loss: str
) -> None:
    path, fields = filled(form, MINE)
    desk.open(path)
    shut: Callable[[UnitOfWork, int], None] = LOSSES[loss]
    with transaction(app_context.engine) as session:
        shut(app_context.unit_of_work(session, seeded.staff["administrator"].actor), seeded.staff["investigator"].id)
    before = counted(app_context)
    gone = desk.post(path, **fields)
    assert (gone.status_code, gone.location.split("?")[0]) == (307, "/staff/sign-in")
    assert ("why=role" in gone.location) is (loss == "role")
    # A browser goes there with what it had posted.
    answer = desk.post(f"{gone.location}&lang=en", **fields)
    assert answer.status_code == 401
    assert f'value="{MINE}"' in desk.page
    assert PASSWORD not in desk.page
    assert counted(app_context) == before


@pytest.mark.parametrize("role", ["monitor", "statistician", "administrator", "coordinator"])
def test_with_another_role_the_words_are_shown_and_the_act_is_refused(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, role: str
) -> None:
    path, fields = filled("freeze", MINE)
    desk.open(path)
    person = seeded.staff["investigator"]
    with transaction(app_context.engine) as session:
        account_admin.change_role(
            app_context.unit_of_work(session, seeded.staff["administrator"].actor),
            person.id,
            role,
            "works elsewhere now",
        )
    gone = desk.post(path, **fields)
    desk.post(f"{gone.location}&lang=en", **fields)
    assert desk.press(email=person.email, password=PASSWORD).status_code in (200, 307)
    assert MINE in desk.page
    assert desk.post(path, **fields).status_code == 403
    assert "/staff/" in desk.page


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", ["", LONG])
def test_empty_or_endless_is_refused_in_the_readers_language_with_all_that_was_typed(
    desk: StaffBrowser, app_context: AppContext, form: str, words: str, language: str
) -> None:
    path, fields = filled(form, words)
    if not words:
        # What a call or an endoscopy found may stay empty; then something else is missing.
        fields |= {"outcome": "", "result": ""}
    desk.open(f"{path}?lang={language}")
    if "alert" in fields:
        fields["alert"] = sorted(set(re.findall(r'name="alert" value="(\d+)"', desk.page)))
    before = counted(app_context)
    assert desk.post(path, **fields).status_code == 400
    assert 'role="alert"' in desk.page
    main = desk.page.partition("<main")[2].partition("<script")[0]
    assert bool(re.search(r"\b(?:Enter|Choose) ", main)) is (language == "en") or words
    assert words.strip()[:4000] in desk.page
    assert PASSWORD not in desk.page
    assert counted(app_context) == before
