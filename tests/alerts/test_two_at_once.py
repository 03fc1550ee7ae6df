"""Two people press at the same moment, on both engines: one is first, the other reads who; nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import create_app
from pro.app_context import AppContext
from pro.db import Base, transaction
from pro.models import (
    Alert,
    AlertClosure,
    AlertNote,
    ClinicalFact,
    Consent,
    DataCorrection,
    Endoscopy,
    Freeze,
    Grading,
    Handover,
    SignedDecision,
)
from tests.support import factories, form_browser
from tests.support.factories import PASSWORD, Account, Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

JUDGED = {"do": "assess", "shown": ":epistaxis", "term": "another", "another": "epistaxis", "grade": "2"}
JUDGED |= {
    "onset_date": "2026-03-02",
    "serious": "no",
    "not_serious": "seen at once",
    "attribution": "radiotherapy",
    "password": PASSWORD,
}
FINDING = {"done_on": "2026-03-02", "result": "ulcer", "grade": "3"}


@dataclass(frozen=True)
class TwoInvestigators:
    """The small study with a second investigator, behind an application on one of the engines."""

    app: Flask
    app_context: AppContext
    study: Study
    second: Account

    def rows(self, model: type[Base]) -> list[Any]:
        """Every row of a table, oldest first."""
        with transaction(self.app_context.engine) as session:
            return list(session.scalars(select(model).order_by(*model.__mapper__.primary_key)))

    def desk(self, role: str) -> StaffBrowser:
        """Somebody of ``role`` at a browser of their own; "second": the other investigator."""
        return signed_in_browser(self.app, self.second if role == "second" else self.study.staff[role])

    def alert(self) -> str:
        """The page of the alerts of a bleeding."""
        if not self.rows(Alert):
            report_bleeding(self.app_context, self.study.chinese.checkin)
        found = self.rows(Alert)
        return f"/staff/alerts/{found[0].id}"


@pytest.fixture
def installed(any_app_context: AppContext, clock: Clock) -> Iterator[TwoInvestigators]:
    """Both engines in turn."""
    study = factories.study(any_app_context)
    with transaction(any_app_context.engine) as session:
        second = factories.account(
            any_app_context.unit_of_work(session), "investigator", email="zhou@example.org", name="Zhou"
        )
    app = create_app(any_app_context.config, clock)
    app.testing = True
    yield TwoInvestigators(app, any_app_context, study, second)
    app.extensions["app_context"].engine.dispose()


def acknowledged(installed: TwoInvestigators) -> str:
    path = installed.alert()
    press(installed.desk("coordinator"), path, do="acknowledge")
    return path


def judged(installed: TwoInvestigators) -> str:
    path = acknowledged(installed)
    desk = installed.desk("investigator")
    desk.open(f"{path}/assess")
    assert send(desk, f"{path}/assess", **JUDGED, action="packed").status_code == 303
    return path


def breathless(installed: TwoInvestigators) -> str:
    form_browser.press_start(installed.app_context, installed.study.chinese.checkin).save(bleed=0, breath=2)
    return acknowledged(installed)


def ulcers(installed: TwoInvestigators) -> str:
    return f"/staff/ulcers/{installed.study.chinese.id}"


def endoscopy(installed: TwoInvestigators) -> str:
    press(installed.desk("coordinator"), ulcers(installed), do="ask")
    return ulcers(installed)


def asked(installed: TwoInvestigators) -> str:
    form_browser.press_start(installed.app_context, installed.study.chinese.checkin).finish(bleed=0)
    path = f"/staff/assessments/{installed.study.chinese.checkin.assessment_id}/corrections"
    desk = installed.desk("coordinator")
    desk.open(path)
    given = {"item": "bleed", "q-bleed": "3", "confirmed_how": "phone", "confirmed_at": "2026-03-02T08:30"}
    given |= {"confirmed_to": str(installed.study.staff["nurse"].id), "reason": "wrong button", "password": PASSWORD}
    return str(desk.post(path, **given).location)


def person(installed: TwoInvestigators, part: str) -> str:
    return f"/staff/participants/{installed.study.chinese.id}/{part}"


def send(desk: StaffBrowser, path: str, **typed: object) -> TestResponse:
    """Post what the page holds in its hidden fields, and what is typed."""
    hidden: dict[str, Any] = {}
    for name, value in re.findall(r'<input[^>]*type="hidden"[^>]*name="([\w-]+)"[^>]* value="([^"]*)"', desk.page):
        hidden.setdefault(name, []).append(value)
    for name, value in re.findall(r'<input[^>]*name="([\w-]+)" type="hidden" value="([^"]*)"', desk.page):
        hidden.setdefault(name, [value])
    hidden = {name: sorted(set(found)) if name == "alert" else found[0] for name, found in hidden.items()}
    return desk.post(path, **{**hidden, **typed})


def press(desk: StaffBrowser, path: str, **typed: object) -> TestResponse:
    """Open a page and press a button on it."""
    desk.open(path)
    return send(desk, path, **typed)


@dataclass(frozen=True)
class Act:
    """What two ``people`` do at once. ``begin``: what came before, and the address; ``typed``: by whom ({who} is filled
    in); ``made``: what there is one more of; ``sentence``: what the second reads, with the first's {name}; ``kept``:
    what of the second's own words must stand on that page.
    """

    begin: Callable[[TwoInvestigators], str]
    people: tuple[str, str]
    typed: Mapping[str, Any]
    made: type[Base]
    sentence: str
    kept: str = ""
    page: str = ""


DOCTORS = ("investigator", "second")
ACTS = {
    "acknowledge": Act(
        TwoInvestigators.alert,
        ("nurse", "coordinator"),
        {"do": "acknowledge"},
        Alert,
        "{name} already acknowledged this at 09:00",
    ),
    "take over": Act(
        acknowledged, ("nurse", "investigator"), {"do": "take_over"}, Handover, "{name} has been the owner since 09:00"
    ),
    "grade": Act(
        acknowledged,
        DOCTORS,
        {**JUDGED, "action": "words of {who}"},
        Grading,
        "{name} assessed this participant at 09:00, while you were working",
        "words of {who}",
        "/assess",
    ),
    "close": Act(
        judged,
        ("nurse", "investigator"),
        {"do": "close", "disposition": "no_action", "reason": "words of {who}"},
        AlertClosure,
        "{name} already closed this at 09:00",
        "words of {who}",
    ),
    "known and stable": Act(
        breathless,
        ("nurse", "investigator"),
        {"do": "stable", "items": "breath", "reason": "words of {who}"},
        ClinicalFact,
        "{name} already marked this at 09:00",
        "words of {who}",
    ),
    "endoscopy asked": Act(
        ulcers, ("nurse", "coordinator"), {"do": "ask"}, Endoscopy, "Nothing was saved: {name} was faster, 09:00"
    ),
    "endoscopy done": Act(
        endoscopy,
        ("nurse", "investigator"),
        {"do": "done", **FINDING, "finding": "words of {who}"},
        Endoscopy,
        "Nothing was saved: {name} was faster, 09:00",
        "words of {who}",
    ),
    "decision": Act(
        ulcers,
        DOCTORS,
        {
            "do": "decide",
            "decision-about": "ulcer",
            "decision-choice": "stop",
            "decision-reason": "words of {who}",
            "decision-password": PASSWORD,
        },
        SignedDecision,
        "{name}",
        "words of {who}",
    ),
    "correction": Act(
        asked,
        DOCTORS,
        {"do": "approve", "note": "words of {who}", "password": PASSWORD},
        DataCorrection,
        "Approved by {name}, 09:00",
        "words of {who}",
    ),
    "freeze": Act(
        lambda place: person(place, "freeze"),
        DOCTORS,
        {"do": "freeze", "reason": "words of {who}", "password": PASSWORD},
        Freeze,
        "{name}",
        "words of {who}",
    ),
    "withdrawal": Act(
        lambda place: person(place, "consent"),
        ("nurse", "coordinator"),
        {"do": "withdraw", "scope": "data", "told": "words of {who}"},
        Consent,
        "{name} already recorded the withdrawal at 09:00",
        "words of {who}",
    ),
}
# Rows that are there before, and are changed instead of added.
CHANGED: Mapping[type[Base], Callable[[Any], object]] = {
    Alert: lambda row: row.acknowledged_by,
    DataCorrection: lambda row: row.decided_by,
    Consent: lambda row: row.withdrawn_by,
}


def done_by(row: Any) -> int:
    """The number of whoever made or changed a row."""
    names = (
        "acknowledged_by",
        "decided_by",
        "withdrawn_by",
        "recorded_by",
        "requested_by",
        "made_by",
        "frozen_by",
        "staff_id",
    )
    return next(number for name in names if (number := getattr(row, name, None)))


@pytest.mark.parametrize("what", ACTS)
def test_of_two_at_once_one_is_first_and_the_other_reads_who(installed: TwoInvestigators, what: str) -> None:
    act = ACTS[what]
    path = act.begin(installed)
    desks = {who: installed.desk(who) for who in act.people}
    accounts = {who: installed.second if who == "second" else installed.study.staff[who] for who in act.people}
    before = len(installed.rows(act.made))
    for desk in desks.values():
        desk.open(f"{path}{act.page}?lang=en")
    answers: dict[str, TestResponse] = {}

    def go(who: str) -> None:
        typed = {name: text.format(who=who) if isinstance(text, str) else text for name, text in act.typed.items()}
        answers[who] = send(desks[who], path + act.page, **typed)

    form_browser.run_concurrently(*(lambda who=who: go(who) for who in act.people))
    rows = installed.rows(act.made)
    touched = [row for row in rows if CHANGED[act.made](row)] if act.made in CHANGED else rows[before:]
    if act.made is Endoscopy:
        touched = rows
    doers = {done_by(row) for row in touched}
    (first,) = [who for who in act.people if accounts[who].id in doers]
    (second,) = [who for who in act.people if who != first]
    assert len(touched) == (len(rows) if act.made is Alert else 1)
    assert answers[first].status_code == 303
    if answers[second].status_code == 303:
        desks[second].open(str(answers[second].location))
    else:
        assert answers[second].status_code == 409
    assert act.sentence.format(name=accounts[first].name) in desks[second].page
    assert act.kept.format(who=second) in desks[second].page
    assert PASSWORD not in desks[second].page


def test_two_notes_at_once_are_two_notes(installed: TwoInvestigators) -> None:
    path = installed.alert()
    desks = [installed.desk(role) for role in ("nurse", "coordinator")]
    for desk in desks:
        desk.open(path)
    notes = [lambda desk=desk, n=n: send(desk, path, do="note", text=f"note {n}") for n, desk in enumerate(desks)]
    form_browser.run_concurrently(*notes)
    assert sorted(row.text for row in installed.rows(AlertNote)) == ["note 0", "note 1"]
    for desk in desks:
        desk.open(path)
        assert "note 0" in desk.page
        assert "note 1" in desk.page
