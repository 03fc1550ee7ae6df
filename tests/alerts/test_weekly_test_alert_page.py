"""The page of a test alert, its button, and where the board and /health speak of it."""

from __future__ import annotations

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.alerts import test_alerts
from pro.features.operations import worker_health, worker_steps
from pro.messaging.sender_protocol import Letter
from pro.models import WeeklyTestAlert
from tests.support.factories import PLAN, Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser


class AcceptingSender:
    """A sender that says yes."""

    def send(self, _letter: Letter) -> str:
        return "reference"


def begin_weekly_alert(app_context: AppContext) -> int:
    """A test alert, begun now; its number."""
    with transaction(app_context.engine) as session:
        return test_alerts.start_test_alert_now(app_context.unit_of_work(session), PLAN).id


def run_jobs(app_context: AppContext) -> None:
    worker_steps.run_jobs(app_context, {"email": AcceptingSender(), "sms": AcceptingSender()}, "worker-1")


def read_weekly_alert(app_context: AppContext, test_alert_id: int) -> WeeklyTestAlert:
    with transaction(app_context.engine) as session:
        return session.get_one(WeeklyTestAlert, test_alert_id)


def test_the_link_of_the_mail_leads_through_the_door_to_the_button(
    app: Flask, app_context: AppContext, clock: Clock, seeded: Study
) -> None:
    number = begin_weekly_alert(app_context)
    run_jobs(app_context)
    desk = StaffBrowser(app)
    answer = desk.open(f"/staff/test-alerts/{number}")
    assert answer.location == f"/staff/sign-in?next=/staff/test-alerts/{number}"
    nurse = seeded.staff["nurse"]
    desk.open(answer.location)
    assert "每周警报演练" in desk.page or "weekly test alert" in desk.page
    assert desk.sign_in(nurse, path=answer.location).location == f"/staff/test-alerts/{number}"
    desk.open(f"/staff/test-alerts/{number}")
    for words in ("不涉及任何受试者", ">确认收到</button>", "Nurse", "Investigator", "已发出", "进行中"):
        assert words in desk.page, words
    assert "NPC-0" not in desk.page
    assert desk.post(f"/staff/test-alerts/{number}").status_code == 303
    desk.open(f"/staff/test-alerts/{number}")
    assert "谢谢，已确认收到警报演练。" in desk.page
    assert ">确认收到</button>" not in desk.page
    found = read_weekly_alert(app_context, number)
    assert (found.confirmed_by, found.confirmed_at) == (nurse.id, clock.now)
    desk.post(f"/staff/test-alerts/{number}")
    desk.open(f"/staff/test-alerts/{number}")
    assert "该次演练已有人确认，未作更改" in desk.page


def test_the_board_leads_to_it_while_it_runs_and_is_red_when_it_failed(
    app: Flask, app_context: AppContext, clock: Clock, seeded: Study
) -> None:
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open("/staff/")
    assert "test alert" not in desk.page
    number = begin_weekly_alert(app_context)
    run_jobs(app_context)
    desk.open("/staff/")
    assert "The weekly test alert is in progress." in desk.page
    assert f'href="/staff/test-alerts/{number}"' in desk.page
    clock.move(minutes=20)
    desk.open("/staff/")
    clock.move(minutes=20)
    desk.open("/staff/")
    clock.move(minutes=20)
    run_jobs(app_context)
    desk.open("/staff/")
    assert "a real alert might not arrive" in desk.page
    assert "Not confirmed in time." in desk.page
    desk.open(f"/staff/test-alerts/{number}")
    assert "Failed" in desk.page
    assert desk.post(f"/staff/test-alerts/{number}").status_code == 303
    desk.open("/staff/")
    assert "a real alert might not arrive" not in desk.page


def test_a_week_without_one_is_red_on_the_board(app: Flask, clock: Clock, seeded: Study) -> None:
    clock.move(days=9)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/")
    assert "No weekly test alert for more than a week." in desk.page


def test_an_administrator_may_look_but_not_confirm(app: Flask, app_context: AppContext, seeded: Study) -> None:
    number = begin_weekly_alert(app_context)
    desk = signed_in_browser(app, seeded.staff["administrator"])
    assert desk.open(f"/staff/test-alerts/{number}").status_code == 200
    assert "Confirm receipt" not in desk.page
    assert "Recipients" in desk.page
    assert desk.post(f"/staff/test-alerts/{number}").status_code == 403
    assert read_weekly_alert(app_context, number).confirmed_at is None


@pytest.mark.parametrize("number", ["7", "0"])
def test_one_that_is_not_there(app: Flask, seeded: Study, number: str) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    assert desk.open(f"/staff/test-alerts/{number}").status_code == 404
    desk.open("/staff/")
    assert desk.post(f"/staff/test-alerts/{number}").status_code == 404


def test_one_that_told_nobody_has_no_button(app: Flask, app_context: AppContext, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        row = WeeklyTestAlert(plan=PLAN, week="2026-W10", started_at=app_context.clock(), failed_at=app_context.clock())
        row.failure = "not_an_emergency"
        session.add(row)
    desk = signed_in_browser(app, seeded.staff["investigator"])
    desk.open("/staff/test-alerts/1")
    assert "This test alert notified nobody, so it cannot be confirmed" in desk.page
    assert "Confirm receipt" not in desk.page
    assert desk.post("/staff/test-alerts/1").status_code == 303
    assert "it cannot be confirmed" in desk.open("/staff/test-alerts/1").get_data(as_text=True)
    assert read_weekly_alert(app_context, 1).confirmed_at is None


def test_health_names_it(app: Flask, app_context: AppContext, clock: Clock, seeded: Study) -> None:
    number = begin_weekly_alert(app_context)
    run_jobs(app_context)
    client = app.test_client()
    assert client.get("/health").status_code == 200
    clock.move(hours=1)
    run_jobs(app_context)
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (503, {"ok": False, "troubles": ["test_alert"]})
    signed_in_browser(app, seeded.staff["nurse"]).post(f"/staff/test-alerts/{number}")
    assert client.get("/health").status_code == 200
    assert "test_alerts" in worker_health.LOOPS
