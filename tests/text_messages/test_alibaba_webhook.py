"""Test Alibaba Cloud's webhook over HTTP: key, several entries, repeats, no loss."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.db import Base, transaction
from pro.features.operations import worker_steps
from pro.messaging.providers.alibaba_sms import AlibabaSms
from pro.models import Alert, AuditEntry, CallTask, IncomingMessage, Message
from tests.messaging.alibaba_fake import (
    KEY_ID,
    KEY_SECRET,
    SIGN_NAME,
    WEBHOOK_KEY,
    alibaba_fake,
    push,
    receipt,
    reply_text,
)
from tests.messaging.letters import make_letter, queue_one
from tests.support import factories
from tests.support.factories import PHONES, Clock, Study
from tests.support.form_browser import run_concurrently
from tests.support.http_server import run_http_server

PHONE = PHONES["zh_Hans"].removeprefix("+86")
OTHER = PHONES["en"].removeprefix("+86")
SECRET = "我喘不过气-MY-SECRET-WORDS"
TAKEN = (200, {"code": 0, "msg": "OK"})


@dataclass
class AlibabaSystem:
    """An application behind a real server."""

    app: Flask
    url: str
    study: Study

    @property
    def app_context(self) -> AppContext:
        found = self.app.extensions["app_context"]
        assert isinstance(found, AppContext)
        return found

    def push(self, *entries: object, **more: Any) -> tuple[int, Any]:
        """Call the webhook as the provider does."""
        return push(self.url, list(entries), **more)

    def rows(self, model: type[Base]) -> list[Any]:
        """Return every row of a table."""
        with transaction(self.app_context.engine) as session:
            return list(session.scalars(select(model).order_by(*model.__mapper__.primary_key)))

    def sent(self, *references: str) -> None:
        """Store a sent message to the Chinese participant under each reference."""
        with transaction(self.app_context.engine) as session:
            work = self.app_context.unit_of_work(session)
            for reference in references:
                message = queue_one(work, reference, participant_id=self.study.chinese.id)
                assert message is not None
                message.reference, message.sent_at = reference, work.now


@pytest.fixture
def installed(config: Config, clock: Clock) -> Iterator[AlibabaSystem]:
    """Return an application with an Alibaba Cloud account, on its own port."""
    app = create_app(replace(config, sms="alibaba", alibaba_webhook_key=WEBHOOK_KEY), clock)
    with run_http_server(app) as url:
        yield AlibabaSystem(app, url, factories.study(app.extensions["app_context"]))


def test_a_text_is_kept_read_and_answered(installed: AlibabaSystem) -> None:
    assert installed.push(reply_text("我喘不过气", 7, PHONE)) == TAKEN
    [row] = installed.rows(IncomingMessage)
    assert (row.provider_id, row.participant_id) == ("alibaba:7", installed.study.chinese.id)
    assert installed.app_context.vault.open(row.text_sealed) == "我喘不过气"
    assert installed.app_context.vault.open(row.address_sealed) == PHONES["zh_Hans"]
    assert [alert.source for alert in installed.rows(Alert)] == [f"inbound:{row.id}"]
    assert "safety" in [message.template for message in installed.rows(Message)]


def test_the_same_push_again_changes_nothing(installed: AlibabaSystem) -> None:
    for _time in range(3):
        assert installed.push(reply_text("流鼻血", 7, PHONE), reply_text("流鼻血", 7, PHONE)) == TAKEN
    assert len(installed.rows(IncomingMessage)) == len(installed.rows(Alert)) == 1
    assert [row.template for row in installed.rows(Message)].count("safety") == 1


def test_the_same_push_twice_at_once_is_one_text(installed: AlibabaSystem) -> None:
    run_concurrently(*[partial(installed.push, reply_text("流鼻血", 7, PHONE))] * 4)
    assert installed.push(reply_text("流鼻血", 7, PHONE)) == TAKEN
    assert len(installed.rows(IncomingMessage)) == len(installed.rows(Alert)) == 1


def test_the_providers_number_names_the_text(installed: AlibabaSystem) -> None:
    numbers = [1234567890, "1234567891", "9" * 40]
    assert installed.push(*(reply_text("好", 0, PHONE, sequence_id=number) for number in numbers)) == TAKEN
    assert [row.provider_id for row in installed.rows(IncomingMessage)] == [f"alibaba:{number}" for number in numbers]


def test_a_text_without_a_usable_number_is_known_by_what_it_says(installed: AlibabaSystem) -> None:
    for number in (None, "", "9" * 99):
        for content in ("好", "好", "不好"):
            assert installed.push(reply_text(content, 0, PHONE, sequence_id=number)) == TAKEN
    names = [row.provider_id for row in installed.rows(IncomingMessage)]
    assert len(set(names)) == len(names) == 2
    assert all(len(name) <= 64 for name in names)


def test_every_text_is_acted_on_in_its_own_name(installed: AlibabaSystem) -> None:
    texts = [reply_text("流鼻血", 1, PHONE), reply_text("hello", 2, "13711112222"), reply_text("hello", 3, OTHER)]
    assert installed.push(*texts) == TAKEN
    found = [(event.actor, event.actor_id) for event in installed.rows(AuditEntry) if event.action == "text.received"]
    people = (installed.study.chinese.id, installed.study.english.id)
    assert found == [("participant", people[0]), ("system", None), ("participant", people[1])]


BROKEN: list[object] = [
    *(7, None, "x", [], {"content": "流鼻血"}),
    *(reply_text("x", 9, phone_number=True), reply_text("x", 9, content={"a": 1}), reply_text("x", 9, sequence_id=[1])),
    *(receipt("b", success="yes"), receipt(""), receipt("b", biz_id=["b"])),
]


def test_one_broken_entry_loses_none_of_the_others(installed: AlibabaSystem) -> None:
    references = [f"{number}^0" for number in range(len(BROKEN))]
    installed.sent(*references)
    for number, (broken, reference) in enumerate(zip(BROKEN, references, strict=True)):
        entries = [
            reply_text("流鼻血", 10 + number, PHONE),
            broken,
            receipt(reference),
            reply_text("x", 50 + number, OTHER),
        ]
        status, said = installed.push(*entries)
        assert (status, said["code"]) == (500, 500), broken
    assert len(installed.rows(IncomingMessage)) == 2 * len(BROKEN)
    assert {row.status for row in installed.rows(Message) if row.reference} == {"delivered"}


def test_what_broke_half_way_is_taken_whole_when_it_comes_again(installed: AlibabaSystem) -> None:
    with transaction(installed.app_context.engine) as session:
        stop = "BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        session.execute(text(f"CREATE TRIGGER broken BEFORE INSERT ON alert {stop}"))
    texts = [reply_text("hello", 1, OTHER), reply_text("我喘不过气", 2, PHONE), reply_text("hello", 3, OTHER)]
    assert installed.push(*texts)[0] == 500
    # If the second had been stored without its alert, the next call would have taken it for a repeat.
    assert [row.provider_id for row in installed.rows(IncomingMessage)] == ["alibaba:1", "alibaba:3"]
    with transaction(installed.app_context.engine) as session:
        session.execute(text("DROP TRIGGER broken"))
    assert installed.push(*texts) == TAKEN
    assert sorted(row.provider_id for row in installed.rows(IncomingMessage)) == ["alibaba:1", "alibaba:2", "alibaba:3"]
    assert len(installed.rows(Alert)) == 1


def test_a_message_goes_out_and_its_receipt_and_answer_come_back(installed: AlibabaSystem) -> None:
    with alibaba_fake() as fake:
        sms = AlibabaSms(key_id=KEY_ID, key_secret=KEY_SECRET, sign_name=SIGN_NAME, api_url=fake.url)
        address = PHONES["zh_Hans"]
        reference = sms.send(make_letter(address=address, template_id="SMS_1002"))
        installed.sent(reference)
        assert installed.push(receipt(reference, phone_number=PHONE)) == TAKEN
        assert installed.push(reply_text("退订", 1, fake.messages[0]["PhoneNumbers"])) == TAKEN
    assert [row.status for row in installed.rows(Message) if row.reference] == ["delivered"]
    assert [row.kind for row in installed.rows(IncomingMessage)] == ["command"]


def test_receipts_move_messages_whatever_their_order(installed: AlibabaSystem) -> None:
    installed.sent("111^0", "222^0", "333^0")
    failed = partial(receipt, code="MOBILE_NOT_ON_SERVICE")
    assert installed.push(receipt("111^0"), failed("222^0"), failed("333^0")) == TAKEN
    assert installed.push(failed("111^0"), receipt("222^0"), failed("333^0"), receipt("111^0")) == TAKEN
    found = {row.reference: (row.status, row.failure) for row in installed.rows(Message) if row.reference}
    assert found == {
        "111^0": ("delivered", ""),
        "222^0": ("delivered", ""),
        "333^0": ("failed", "phone_unreachable:MOBILE_NOT_ON_SERVICE"),
    }
    assert installed.rows(CallTask), "somebody must phone"


def test_a_receipt_that_comes_before_its_message_is_kept(installed: AlibabaSystem) -> None:
    assert installed.push(receipt("111^0", err_code=None)) == TAKEN
    installed.sent("111^0")
    worker_steps.run_jobs(installed.app_context, {}, "test:1")
    assert [row.status for row in installed.rows(Message) if row.reference] == ["delivered"]


def test_news_of_templates_is_no_trouble(installed: AlibabaSystem) -> None:
    news = {"template_code": "SMS_1001", "template_status": "approved", "template_type": "通知短信"}
    assert installed.push(news, {"sign_name": "x", "sign_status": "approved"}, {}) == TAKEN
    assert installed.push() == TAKEN
    assert installed.rows(IncomingMessage) == []


def test_any_words_are_kept_and_nothing_breaks(installed: AlibabaSystem) -> None:
    given = ["", " ", "😀👍🏽", "\ud83d", "长" * 3400, "\x00", "\u202e0", 3]
    assert installed.push(*(reply_text("", number, OTHER, content=said) for number, said in enumerate(given))) == TAKEN
    kept = [installed.app_context.vault.open(row.text_sealed) for row in installed.rows(IncomingMessage)]
    assert kept == [str(said).replace("\x00", "").replace("\ud83d", "?") for said in given]


def test_what_is_no_list_is_not_taken(installed: AlibabaSystem) -> None:
    for body in (b"", b"x", b"{}", b"null", b"7", b"\xff", b"[" * 100_000, b'[{"content": "x"'):
        status, said = push(installed.url, body)
        assert (status, said["code"]) == (400, 400), body[:20]
    assert installed.push(reply_text("x" * 300_000, 1, PHONE))[0] == 413
    assert installed.rows(IncomingMessage) == []


def test_calls_without_the_key_are_refused(installed: AlibabaSystem) -> None:
    for key in ("x", WEBHOOK_KEY[:-1], WEBHOOK_KEY + "0", WEBHOOK_KEY.upper(), "%E2%82%AC", "-"):
        for method in ("GET", "POST"):
            assert installed.push(reply_text("流鼻血", 1, PHONE), key=key, method=method)[0] == 403, key
    assert installed.rows(IncomingMessage) == []


def test_the_provider_may_check_the_address(installed: AlibabaSystem) -> None:
    assert installed.push(method="GET") == TAKEN


@pytest.mark.parametrize(
    "changes", [{"sms": "twilio"}, {"sms": "file"}, {"alibaba_webhook_key": ""}, {"alibaba_webhook_key": "k" * 31}]
)
def test_without_the_provider_or_a_long_key_there_is_no_webhook(
    config: Config, clock: Clock, changes: dict[str, Any]
) -> None:
    settings = replace(replace(config, sms="alibaba", alibaba_webhook_key=WEBHOOK_KEY), **changes)
    app = create_app(settings, clock)
    key = settings.alibaba_webhook_key or "-"
    assert app.test_client().post(f"/sms/alibaba/{key}", json=[]).status_code == 403
    app.extensions["app_context"].engine.dispose()


def test_nothing_of_a_push_stands_in_a_log(
    installed: AlibabaSystem, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    installed.push(reply_text(SECRET, 1, PHONE), {"content": SECRET}, reply_text(SECRET, 2, "13711112222"))
    installed.push(reply_text(SECRET, 3, PHONE), key="k" * 40)
    push(installed.url, SECRET.encode())
    installed.push(reply_text("x" * 300_000, 4, PHONE))
    with transaction(installed.app_context.engine) as session:
        session.execute(
            text("CREATE TRIGGER broken BEFORE INSERT ON incoming_message BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    assert installed.push(reply_text(SECRET, 5, PHONE))[0] == 500
    written = caplog.text + "".join(capfd.readouterr())
    assert "could not be taken" in written
    for secret in (SECRET, "MY-SECRET", "喘不过气", PHONE, "13711112222", WEBHOOK_KEY, "k" * 40):
        assert secret not in written
