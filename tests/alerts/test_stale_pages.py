"""Test pages that are older than what they show: acting on what was seen, nothing typed is lost (docs/alerts.md 4)."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.models import Alert, Grading, Handover, Message
from tests.support import form_browser
from tests.support.factories import PASSWORD, Study
from tests.support.form_browser import FormBrowser
from tests.support.staff_browser import StaffBrowser, signed_in_browser


@pytest.fixture
def phone(app_context: AppContext, seeded: Study) -> FormBrowser:
    """Return a participant who has written something harmless."""
    browser = form_browser.press_start(app_context, seeded.chinese.checkin)
    browser.finish_until("last")
    browser.page("last", {"free_text": "下周三我想换时间"})
    return browser


@pytest.fixture
def nurse(app: Flask, seeded: Study) -> StaffBrowser:
    return signed_in_browser(app, seeded.staff["nurse"])


def alerts(app_context: AppContext) -> list[Alert]:
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(Alert).order_by(Alert.id)))


def shown(page: str) -> list[str]:
    """Return the ids of the alerts that a page holds, as its forms send them."""
    return sorted(set(re.findall(r'name="alert" value="(\d+)"', page)))


def test_an_old_page_takes_on_no_emergency_and_drops_no_message(
    nurse: StaffBrowser, phone: FormBrowser, app_context: AppContext
) -> None:
    (watch,) = alerts(app_context)
    nurse.open(f"/staff/alerts/{watch.id}")
    old = shown(nurse.page)
    phone.page("last", {"free_text": "大出血止不住"})
    answer = nurse.post(f"/staff/alerts/{watch.id}", do="acknowledge", alert=old)
    nurse.open(answer.location)
    assert nurse.page.index("Emergency" if "Emergency" in nurse.page else "危急") < nurse.page.index("下周三我想换时间")
    first, emergency = alerts(app_context)
    assert (first.acknowledged_at is not None, emergency.acknowledged_at) == (True, None)
    with transaction(app_context.engine) as session:
        assert {message.status for message in session.scalars(select(Message))} == {"waiting"}
    assert "大出血止不住" in nurse.page
    assert nurse.post(f"/staff/alerts/{watch.id}", do="acknowledge", alert=shown(nurse.page)).status_code == 303
    assert all(alert.acknowledged_at for alert in alerts(app_context))


def test_an_old_page_signs_no_grading_and_keeps_what_was_typed(
    app: Flask, seeded: Study, phone: FormBrowser, app_context: AppContext
) -> None:
    desk = signed_in_browser(app, seeded.staff["investigator"])
    (watch,) = alerts(app_context)
    path = f"/staff/alerts/{watch.id}/assess"
    desk.open(path)
    old = shown(desk.page)
    phone.page("last", {"free_text": "大出血止不住"})
    said = {"do": "none", "seen": "0", "none_reason": "no_symptom", "action": "only a date", "password": PASSWORD}
    assert desk.post(path, **said, alert=old).status_code == 409
    assert "Nothing was signed" in desk.page
    assert "only a date" in desk.page
    assert len(shown(desk.page)) == 2
    with transaction(app_context.engine) as session:
        assert session.scalars(select(Grading)).all() == []
    assert desk.post(path, **said, alert=shown(desk.page)).status_code == 303


def test_an_old_page_takes_over_nothing(
    nurse: StaffBrowser, app: Flask, seeded: Study, phone: FormBrowser, app_context: AppContext
) -> None:
    (watch,) = alerts(app_context)
    path = f"/staff/alerts/{watch.id}"
    nurse.open(path)
    nurse.post(path, do="acknowledge", alert=shown(nurse.page))
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open(path)
    old = shown(desk.page)
    phone.page("last", {"free_text": "大出血止不住"})
    answer = desk.post(path, do="take_over", alert=old, holder=str(seeded.staff["nurse"].id))
    assert answer.status_code == 409
    with transaction(app_context.engine) as session:
        assert session.scalars(select(Handover)).all() == []
