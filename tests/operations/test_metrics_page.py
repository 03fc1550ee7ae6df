"""Test the Prometheus metrics: correct, parseable, without personal data, access limited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.db import transaction
from pro.features.alerts import alert_service, test_alerts
from pro.features.operations import worker_steps
from pro.messaging.sender_protocol import Letter, ProviderRefused
from pro.models import ExpectedForm, Participant
from tests.support.factories import PHONES, PLAN, Clock, Study
from tests.support.staff_browser import report_bleeding

TOKEN = "a-token-of-more-than-thirty-two-characters"


class Refusing:
    """A sender that refuses every message."""

    def send(self, _letter: Letter) -> str:
        raise ProviderRefused("address_refused")


def scraped(app: Flask) -> dict[tuple[str, ...], float]:
    """Return (name, label values in the order of their labels' names...) -> number."""
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    return {
        (sample.name.removeprefix("epro_"), *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_empty_installation_has_its_numbers(app: Flask) -> None:
    found = scraped(app)
    assert found["outbox_waiting", "email"] == found["outbox_oldest_seconds", "sms"] == 0
    assert found["alerts_open", "no", "emergency"] == 0
    assert found["participants_active",] == 0
    assert found["test_alert_state", PLAN, "passed"] == 0
    assert not any(name[0] in ("heartbeat_age_seconds", "test_alert_age_seconds") for name in found)


def test_they_say_how_it_stands(app: Flask, app_context: AppContext, clock: Clock, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        first, second = session.query(Participant).order_by(Participant.id)
        first.next_due_at, second.next_due_at = work.now - timedelta(minutes=5), work.now + timedelta(days=3650)
        for number, missed in ((1, work.now), (2, None)):
            session.add(
                ExpectedForm(
                    participant_id=first.id,
                    visit=f"rt_week.{number}",
                    kind="rt_week",
                    number=number,
                    instrument="npc_checkin",
                    opens_at=work.now,
                    due_at=work.now,
                    closes_at=work.now,
                    mandatory=True,
                    basis="actual",
                    rank=9,
                    known_at=work.now,
                    missed_at=missed,
                )
            )
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    clock.move(seconds=90)
    with transaction(app_context.engine) as session:
        alert_service.acknowledge(app_context.unit_of_work(session, seeded.staff["nurse"].actor), ids[:1])
        test_alerts.start_test_alert_now(app_context.unit_of_work(session), PLAN)
    before = scraped(app)
    assert before["visit_schedule_overdue",] == 1
    assert before["visit_schedule_overdue_seconds",] == 5 * 60 + 90
    worker_steps.run_jobs(app_context, {"email": Refusing()}, "worker-1")
    worker_steps.deliver_outbox(app_context, {"email": Refusing()}, "worker-1")
    clock.move(seconds=10)
    found = scraped(app)
    assert found["heartbeat_age_seconds", "outbox"] == 10
    assert found["alerts_open", "yes", "emergency"] == 1
    open_alerts = sum(number for name, number in found.items() if name[0] == "alerts_open")
    assert open_alerts == len(ids)
    unacknowledged = [number for name, number in found.items() if name[0] == "alert_oldest_unacknowledged_seconds"]
    assert set(unacknowledged) <= {0, 100}
    # Two emails of the test alert, and those of the unacknowledged alerts.
    assert found["outbox_failed", "email"] == 2 + 4
    assert found["outbox_waiting", "email"] == 0
    assert found["participants_active",] == 2
    assert found["forms_open",] == 4
    # The second one was found closed by the worker round.
    assert found["ledger_missed",] == 2
    assert found["visit_schedule_overdue",] == 0
    assert found["visit_schedule_overdue_seconds",] == 0
    assert found["test_alert_age_seconds", PLAN] == 10
    assert {name[2]: number for name, number in found.items() if name[0] == "test_alert_state"} == {
        "passed": 0,
        "running": 1,
        "failed": 0,
        "overdue": 0,
    }


def test_what_waits_is_counted_by_channel(app: Flask, app_context: AppContext, clock: Clock, seeded: Study) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    clock.move(seconds=30)
    found = scraped(app)
    assert (found["outbox_waiting", "email"], found["outbox_waiting", "sms"]) == (4, 0)
    assert (found["outbox_oldest_seconds", "email"], found["outbox_oldest_seconds", "sms"]) == (30, 0)


def test_the_metrics_identify_no_person(app: Flask, app_context: AppContext, seeded: Study) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    text = app.test_client().get("/metrics").get_data(as_text=True)
    for word in ("NPC-0", "example.org", PHONES["zh_Hans"][3:], "bleed", "Nurse", "participant_id"):
        assert word not in text


@pytest.mark.parametrize(
    ("token", "address", "header", "status"),
    [
        ("", "127.0.0.1", None, 200),
        ("", "::1", None, 200),
        ("", "203.0.113.9", None, 404),
        ("", "203.0.113.9", "Bearer ", 404),
        ("", "10.0.0.1", f"Bearer {TOKEN}", 404),
        (TOKEN, "203.0.113.9", None, 404),
        (TOKEN, "203.0.113.9", "Bearer", 404),
        (TOKEN, "203.0.113.9", f"Bearer {TOKEN[:-1]}", 404),
        (TOKEN, "203.0.113.9", f"Basic {TOKEN}", 404),
        (TOKEN, "203.0.113.9", "Bearer 密", 404),
        (TOKEN, "203.0.113.9", f"Bearer {TOKEN}", 200),
        (TOKEN, "127.0.0.1", None, 200),
    ],
)
def test_who_may_read_them(
    config: Config, clock: Clock, token: str, address: str, header: str | None, status: int
) -> None:
    app = create_app(replace(config, metrics_token=token), clock)
    given: Mapping[str, Any] = {"REMOTE_ADDR": address} | ({"HTTP_AUTHORIZATION": header} if header else {})
    answer = app.test_client().get("/metrics", environ_overrides=given)
    assert answer.status_code == status
    assert ("epro_" in answer.get_data(as_text=True)) == (status == 200)


def test_behind_the_proxy_the_browsers_address_counts(config: Config, clock: Clock) -> None:
    app = create_app(replace(config, proxy_hops=1), clock)
    client = app.test_client()
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404
    assert client.get("/metrics").status_code == 200
