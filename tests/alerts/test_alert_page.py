"""The page of an alert: the way to the ulcer's case, and who was told of it."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.db import transaction
from pro.models import Message
from tests.support import factories
from tests.support.factories import Study
from tests.support.staff_browser import report_bleeding, signed_in_browser


def section(page: str) -> str:
    """The list of messages, without marks."""
    found = re.search(r'id="messages">.*?</section>', page, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0]))


@pytest.mark.parametrize(("role", "status"), [("nurse", 200), ("monitor", 200), ("investigator", 200)])
def test_an_alert_of_an_ulcer_leads_to_its_case(
    app: Flask, app_context: AppContext, seeded: Study, role: str, status: int
) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        factories.save_answers(work, factories.open_form_session(work, seeded.chinese.checkin), odor=3)
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/alerts/1")
    (link,) = re.findall(r'href="(/staff/ulcers/\d+)"', desk.page)
    assert desk.open(link).status_code == status


def test_an_alert_of_something_else_does_not(app: Flask, app_context: AppContext, seeded: Study) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open(f"/staff/alerts/{ids[0]}")
    assert not re.findall(r'href="(/staff/ulcers/\d+)"', desk.page)


@pytest.mark.parametrize(
    ("language", "failed", "waiting", "roles"),
    [
        ("en", "not sent, no more attempts", "queued", ("To: research nurse", "To: investigator")),
        ("zh_Hans", "未发出，已停止重试", "等待发送", ("收件人：研究护士", "收件人：研究者")),
    ],
)
def test_the_messages_are_a_list_by_role_what_failed_first_and_without_an_address(
    app: Flask, app_context: AppContext, seeded: Study, language: str, failed: str, waiting: str, roles: tuple[str, str]
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    with transaction(app_context.engine) as session:
        for message in session.query(Message).filter_by(staff_id=seeded.staff["investigator"].id):
            message.failed_at, message.failure = app_context.clock(), "address_refused"
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open(f"/staff/alerts/{ids[0]}?lang={language}")
    words = section(desk.page)
    assert all(role in words for role in roles)
    assert words.index(failed) < words.index(waiting)
    assert "@" not in words
    assert seeded.staff["investigator"].email not in desk.page
