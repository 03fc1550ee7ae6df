"""Test Twilio's signed callbacks over HTTP: repeated, at once, too early, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.db import Base, transaction
from pro.features.text_messages import delivery_receipts
from pro.messaging.providers.twilio_sms import TwilioSms
from pro.models import Alert, AuditEntry, CallTask, IncomingMessage, Message, Participant
from tests.messaging.letters import Scripted, deliver, queue_one
from tests.messaging.twilio_fake import ACCOUNT, NUMBER, TOKEN, TwilioFake, twilio_fake
from tests.support import factories
from tests.support.factories import PHONES, Clock
from tests.support.form_browser import run_concurrently
from tests.support.http_server import run_http_server

PUBLIC = "https://epro.example.org"
STATUS = f"{PUBLIC}/sms/twilio/status"
LOST = ("undelivered", "failed")


@dataclass
class TwilioSystem:
    """An application on a port, its simulated provider, and one participant."""

    app: Flask
    provider: TwilioFake
    sender: TwilioSms
    participant_id: int

    @property
    def app_context(self) -> AppContext:
        found = self.app.extensions["app_context"]
        assert isinstance(found, AppContext)
        return found

    def sends(self, key: str) -> str:
        """Send a message; return the provider's id for it."""
        with transaction(self.app_context.engine) as session:
            assert (
                queue_one(self.app_context.unit_of_work(session), key, participant_id=self.participant_id) is not None
            )
        assert deliver(self.app_context, self.sender) == 1
        return str(self.provider.messages[-1]["sid"])

    def receive_states(self, sid: str, *states: str) -> None:
        """Call back with each state in turn."""
        for state in states:
            assert self.provider.report(sid, state, "30008" if state in LOST else "") == 200

    def rows(self, model: type[Base]) -> list[Any]:
        """Return every row of a table."""
        with transaction(self.app_context.engine) as session:
            return list(session.scalars(select(model).order_by(*model.__mapper__.primary_key)))

    def message(self, sid: str) -> Message:
        """Return the message with the provider's id ``sid``."""
        return next(row for row in self.rows(Message) if row.reference == sid)

    def times(self, action: str) -> int:
        """Count the audit entries of ``action``."""
        return sum(event.action == action for event in self.rows(AuditEntry))


@pytest.fixture
def installed(any_url: str, config: Config, clock: Clock) -> Iterator[TwilioSystem]:
    """Return an application with a Twilio account, behind its public address."""
    account: dict[str, Any] = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_from": NUMBER}
    app = create_app(replace(config, database_url=any_url, sms="twilio", base_url=PUBLIC, **account), clock)
    app_context = app.extensions["app_context"]
    with transaction(app_context.engine) as session:
        person = factories.participant(app_context.unit_of_work(session)).id
    with run_http_server(app) as url, twilio_fake() as provider:
        provider.webhook_base = url
        sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender=NUMBER, api_url=provider.url, callback_url=STATUS)
        with closing(sender):
            yield TwilioSystem(app, provider, sender, person)
        assert provider.problems == []


ORDERS: list[tuple[tuple[str, ...], str, str]] = [
    (("queued", "sending", "sent", "delivered"), "delivered", ""),
    (("delivered", "sent", "queued"), "delivered", ""),
    (("delivered", "undelivered", "failed"), "delivered", ""),
    (("undelivered", "delivered", "undelivered"), "delivered", ""),
    (("failed", "sent", "delivered", "read"), "delivered", ""),
    (("sent", "undelivered", "sent"), "failed", "provider_unsure:30008"),
    (("failed", "undelivered", "queued"), "failed", "provider_unsure:30008"),
    (("queued", "sent"), "sent", ""),
    (("no such state", ""), "sent", ""),
]


def test_a_message_ends_rightly_whatever_the_order_and_however_often(installed: TwilioSystem) -> None:
    sids = [installed.sends(f"order:{number}") for number in range(len(ORDERS))]
    for sid, (states, status, failure) in zip(sids, ORDERS, strict=True):
        installed.receive_states(sid, *(state for state in states for _twice in range(2)))
        found = installed.message(sid)
        assert (found.status, found.failure) == (status, failure), states
    assert installed.times("message.delivered") == sum(status == "delivered" for _states, status, _why in ORDERS)
    assert installed.times("message.failed") == 4
    assert {row.participant_id for row in installed.rows(Message)} == {installed.participant_id}


def test_callbacks_at_once_move_a_message_once(installed: TwilioSystem) -> None:
    sid = installed.sends("order:1")
    run_concurrently(
        *(partial(installed.receive_states, sid, state) for state in ("sent", "delivered", "undelivered", "delivered"))
    )
    assert installed.message(sid).status == "delivered"
    assert installed.times("message.delivered") == 1
    assert installed.times("message.failed") <= 1


@pytest.mark.parametrize(("state", "status"), [("delivered", "delivered"), ("undelivered", "failed")])
def test_a_receipt_that_is_faster_than_our_own_hand_is_not_lost(
    installed: TwilioSystem, state: str, status: str
) -> None:
    installed.provider.eager = ("sent", state, state)
    sid = installed.sends("order:1")
    with transaction(installed.app_context.engine) as session:
        assert delivery_receipts.act_on_failures(installed.app_context.unit_of_work(session)) == 1
    assert installed.message(sid).status == status
    installed.receive_states(sid, "sent")
    assert installed.message(sid).status == status


def test_an_unreachable_phone_is_one_task_and_an_unsubscribed_one_is_none(installed: TwilioSystem) -> None:
    sids = [installed.sends(f"order:{number}") for number in range(2)]
    for _twice in range(2):
        assert installed.provider.report(sids[0], "undelivered", "30005") == 200
        assert installed.provider.report(sids[1], "failed", "21610") == 200
    assert [task.kind for task in installed.rows(CallTask)] == ["phone_unreachable"]
    assert installed.message(sids[0]).failure == "phone_unknown:30005"
    [person] = installed.rows(Participant)
    assert person.opted_out_at is not None


def test_an_unsigned_or_unknown_callback_changes_nothing(installed: TwilioSystem) -> None:
    sid = installed.sends("order:1")
    form = {"MessageSid": sid, "MessageStatus": "failed", "ErrorCode": "30005"}
    assert installed.provider.call(STATUS, form, token="another") == 403
    assert installed.provider.call(f"{PUBLIC}/sms/twilio", form | {"From": NUMBER}, token="another") == 403
    assert installed.provider.call(STATUS, form | {"MessageSid": "SM" + "f" * 32}) == 200
    assert (installed.message(sid).status, installed.rows(CallTask), installed.rows(IncomingMessage)) == (
        "sent",
        [],
        [],
    )


def test_a_text_that_is_brought_many_times_at_once_is_one_text(installed: TwilioSystem) -> None:
    text = partial(installed.provider.text, f"{PUBLIC}/sms/twilio", "SM" + "e" * 32, PHONES["zh_Hans"], "我喘不过气")
    answers: list[int] = []
    run_concurrently(*[lambda: answers.append(text())] * 4)
    answers.append(text())
    assert answers == [200] * 5
    assert len(installed.rows(IncomingMessage)) == len(installed.rows(Alert)) == 1
    assert deliver(installed.app_context, Scripted()) >= 1
    assert [row.template for row in installed.rows(Message)].count("safety") == 1
