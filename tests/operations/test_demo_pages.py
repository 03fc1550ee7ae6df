"""Open the pages of the staff side on the demonstration, as each role: they open, and have something to show."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from app import create_app
from pro.app_context import AppContext
from pro.features.accounts.staff_accounts import RIGHTS
from pro.features.operations import demo_study
from pro.features.reports import study_overview
from pro.models import (
    AdverseEvent,
    Alert,
    Assessment,
    CallTask,
    DataCorrection,
    IncomingMessage,
    Participant,
    Query,
    Shift,
    StaffMember,
    WeeklyTestAlert,
)
from pro.web.page_registry import PAGES
from tests.support import form_browser
from tests.support.staff_browser import StaffBrowser

SIGN_INS = {role: email for email, _name, role, _language in reversed(demo_study.STAFF)}
# Words that only the empty form of a list or a figure has.
EMPTY = ("No alerts yet", "No participants yet", "No answers yet", "No adverse event recorded")


@pytest.fixture
def demo_app(demo_context: AppContext) -> Flask:
    """Return the application on the filled demonstration, with the study's figures counted."""
    study_overview.renew_due(demo_context)
    return create_app(demo_context.config, now=demo_context.clock)


def sign_in(app: Flask, role: str) -> StaffBrowser:
    """Return a browser in which a role of the demonstration is signed in."""
    desk = StaffBrowser(app)
    answer = desk.post("/staff/sign-in", email=SIGN_INS[role], password=demo_study.PASSWORD)
    assert answer.status_code == 303
    return desk


def ids(app_context: AppContext) -> dict[str, list[object]]:
    """Return the values of the placeholders of addresses: every participant, and all of the rest."""
    with form_browser.unit_of_work(app_context) as work:

        def every(column: InstrumentedAttribute[int], *which: ColumnElement[bool]) -> list[object]:
            return list(work.session.scalars(select(column).where(*which).order_by(column)))

        return {
            "participant_id": every(Participant.id),
            "alert_id": every(Alert.id, Alert.level >= 2),
            "event_id": every(AdverseEvent.id),
            "staff_id": every(StaffMember.id),
            "test_alert_id": every(WeeklyTestAlert.id),
            "call_task_id": every(CallTask.id),
            "shift_id": every(Shift.id)[-1:],
            "correction_id": every(DataCorrection.id),
            "query_id": every(Query.id),
            "assessment_id": every(Assessment.id, Assessment.completion_mode == "paper"),
            "incoming_message_id": every(IncomingMessage.id, IncomingMessage.kind == "unmatched"),
            "plan": [demo_study.PLAN],
            "instrument": ["npc_checkin"],
        }


def addresses(rule: str, values: dict[str, list[object]]) -> list[str]:
    """Return the addresses of a page, one for each value of its first placeholder."""
    found = re.findall(r"<(?:[^:>]+:)?(\w+)>", rule)
    plain = re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule)
    if not found:
        return [plain]
    return [plain.format(**{**{name: values[name][0] for name in found}, found[0]: one}) for one in values[found[0]]]


@pytest.mark.parametrize("role", SIGN_INS)
def test_every_page_of_a_role_opens_with_content(demo_app: Flask, demo_context: AppContext, role: str) -> None:
    desk, values, opened = sign_in(demo_app, role), ids(demo_context), 0
    for page in PAGES.values():
        if page.right not in RIGHTS[role]:
            continue
        found = addresses(page.rule, values)
        # Every participant for one role; the first and last for the others.
        for address in found if role == "investigator" else {found[0], found[-1]}:
            answer = desk.open(f"{address}?lang=en")
            # A correction, a form or a freeze of a withdrawn participant may be refused, never broken.
            assert answer.status_code in (200, 303, 404, 409), (address, answer.status_code)
            opened += answer.status_code == 200
            assert not any(words in desk.page for words in EMPTY), address
    assert opened >= {"administrator": 6, "statistician": 12}.get(role, 25)


def test_pages_of_the_study_have_figures(demo_app: Flask) -> None:
    desk = sign_in(demo_app, "investigator")
    desk.open("/staff/study-overview?lang=en")
    assert desk.page.count("<svg") >= 2
    desk.open("/staff/participants?lang=en")
    assert len(set(re.findall(r"NC-0[0-9]{2}", desk.page))) == 23
    desk.open("/staff/adverse-events?lang=en")
    assert desk.page.count("<tr") > 15


def test_the_page_of_sign_ins_lists_every_role_and_opens_a_form(demo_app: Flask) -> None:
    desk = StaffBrowser(demo_app)
    for language in ("en", "zh_Hans"):
        assert desk.open(f"/staff/try?lang={language}").status_code == 200
        assert all(email in desk.page for email in SIGN_INS.values())
        assert demo_study.PASSWORD in desk.page
    answer = desk.post("/staff/try", language="zh_Hans")
    assert answer.status_code == 303
    assert desk.open(answer.headers["Location"]).status_code == 200


def test_what_the_page_of_sign_ins_points_at_is_there(demo_app: Flask) -> None:
    desk = StaffBrowser(demo_app)
    desk.open("/staff/try?lang=en")
    for role, email in SIGN_INS.items():
        section = desk.page.partition(email)[2].partition("</section>")[0]
        targets = re.findall(r'href="[^"]*next=([^"&]+)"', section)
        assert targets, role
        signed_in = sign_in(demo_app, role)
        for target in targets:
            assert signed_in.open(target.replace("%2F", "/")).status_code == 200, (role, target)


def test_without_a_demonstration_there_is_no_such_page(app: Flask, client: FlaskClient) -> None:
    assert client.get("/staff/try").status_code == 404


def test_in_production_there_is_no_such_page(demo_context: AppContext) -> None:
    production = replace(demo_context, config=replace(demo_context.config, production=True))
    with form_browser.unit_of_work(production) as work:
        assert not demo_study.holds_demonstration(work)
