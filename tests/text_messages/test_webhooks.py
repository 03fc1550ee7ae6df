"""Test the webhooks: requests with a valid signature only."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from app import create_app
from pro.app_context import AppContext
from pro.config import Config
from pro.db import Base, transaction
from pro.features.alerts import message_reading
from pro.models import Alert, Answer, IncomingMessage, Message
from tests.messaging.twilio_fake import ACCOUNT, NUMBER, TOKEN
from tests.support import factories
from tests.support.factories import PHONES, Clock, Study

PUBLIC = "https://epro.example.org"
SECRET = "我喘不过气-MY-SECRET-WORDS"


@pytest.fixture
def sms_app(config: Config, clock: Clock) -> Iterator[Flask]:
    """Return an application with a Twilio account, behind its public address."""
    settings = replace(
        config,
        sms="twilio",
        twilio_account=ACCOUNT,
        twilio_token=TOKEN,
        twilio_from=NUMBER,
        base_url=PUBLIC,
        sms_two_way=True,
    )
    app = create_app(settings, clock)
    app.testing = True
    yield app
    app.extensions["app_context"].engine.dispose()


@pytest.fixture
def sms_study(sms_app: Flask) -> Study:
    """Build a study in the same database."""
    return factories.study(app_context_of(sms_app))


def app_context_of(app: Flask) -> AppContext:
    found = app.extensions["app_context"]
    assert isinstance(found, AppContext)
    return found


def form_of(text: str, sid: str = "SM" + "1" * 32, **more: str) -> dict[str, str]:
    """Return the form that the provider posts for a text."""
    return {
        "MessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": PHONES["zh_Hans"],
        "To": NUMBER,
        "Body": text,
        "NumMedia": "0",
        **more,
    }


def post(
    app: Flask,
    form: Mapping[str, str],
    path: str = "/sms/twilio",
    *,
    signature: str | None = None,
    signed_for: str = PUBLIC,
    **headers: str,
) -> TestResponse:
    """Post as the provider does."""
    signed = RequestValidator(TOKEN).compute_signature(f"{signed_for}{path}", dict(form))
    headers = {"X-Twilio-Signature": signed if signature is None else signature, **headers}
    return app.test_client().post(path, data=form, headers=headers)


def rows(app: Flask, model: type[Base]) -> list[Any]:
    """Return every row of a table."""
    with transaction(app_context_of(app).engine) as session:
        return list(session.scalars(select(model).order_by(*model.__mapper__.primary_key)))


def test_a_signed_text_is_kept_and_answered_with_nothing(sms_app: Flask, sms_study: Study) -> None:
    answer = post(sms_app, form_of("我喘不过气"))
    assert answer.status_code == 200
    assert answer.mimetype == "text/xml"
    assert answer.get_data(as_text=True).endswith("<Response></Response>")
    [row] = rows(sms_app, IncomingMessage)
    assert app_context_of(sms_app).vault.open(row.text_sealed) == "我喘不过气"
    assert row.participant_id == sms_study.chinese.id
    assert [alert.source for alert in rows(sms_app, Alert)] == [f"inbound:{row.id}"]
    assert "advice" in [message.template for message in rows(sms_app, Message)]


def test_the_same_text_again_changes_nothing(sms_app: Flask, sms_study: Study) -> None:
    for _ in range(3):
        assert post(sms_app, form_of("流鼻血")).status_code == 200
    assert len(rows(sms_app, IncomingMessage)) == len(rows(sms_app, Alert)) == 1
    assert [row.template for row in rows(sms_app, Message)].count("safety") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"signature": ""},
        {"signature": "bm90aGluZw=="},
        {"signature": "é"},
        {"signed_for": "https://evil.example.org"},
        {"signed_for": "http://epro.example.org"},
        {"signed_for": "http://localhost", "Host": "localhost"},
    ],
)
@pytest.mark.parametrize("path", ["/sms/twilio", "/sms/twilio/status"])
def test_what_is_not_signed_for_our_address_stays_outside(
    sms_app: Flask, sms_study: Study, change: dict[str, str], path: str
) -> None:
    assert post(sms_app, form_of("0"), path, **change).status_code == 403
    assert rows(sms_app, IncomingMessage) == []


def test_a_claimed_host_does_not_matter(sms_app: Flask, sms_study: Study) -> None:
    assert post(sms_app, form_of("0"), Host="evil.example.org").status_code == 200


def test_a_text_that_was_tampered_with_stays_outside(sms_app: Flask, sms_study: Study) -> None:
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/sms/twilio", form_of("0"))
    assert post(sms_app, form_of("4"), signature=signature).status_code == 403
    assert post(sms_app, form_of("0", From="+8613700137000"), signature=signature).status_code == 403


def test_without_the_provider_there_is_no_webhook(app: Flask) -> None:
    assert post(app, form_of("0"), signed_for="http://127.0.0.1:8000").status_code == 403


@pytest.mark.parametrize("text", ["", " ", "😀👍🏽", "长" * 3400, "x" * 10_000, "\x00", "\u202e0", "０"])
def test_any_body_is_kept_and_nothing_breaks(sms_app: Flask, sms_study: Study, text: str) -> None:
    assert post(sms_app, form_of(text)).status_code == 200
    [row] = rows(sms_app, IncomingMessage)
    assert app_context_of(sms_app).vault.open(row.text_sealed) == text.replace("\x00", "")


def test_a_picture_without_words_is_kept(sms_app: Flask, sms_study: Study) -> None:
    form = form_of("", NumMedia="1", MediaUrl0="https://api.twilio.com/media/1", MediaContentType0="image/jpeg")
    assert post(sms_app, form).status_code == 200
    assert len(rows(sms_app, IncomingMessage)) == 1


@pytest.mark.parametrize("text", ["0", "HELP", ""])
def test_a_picture_beside_an_answer_waits_for_a_reader(sms_app: Flask, sms_study: Study, text: str) -> None:
    assert post(sms_app, form_of(text, NumMedia="2")).status_code == 200
    [row] = rows(sms_app, IncomingMessage)
    assert message_reading.is_unread(row)
    assert {"class": "picture", "status": "attached"} in row.red_flags


@pytest.mark.parametrize("files", ["", "0", "-1", "x", "٣", "99999999999"])
def test_without_a_picture_nothing_is_said_of_one(sms_app: Flask, sms_study: Study, files: str) -> None:
    assert post(sms_app, form_of("HELP", NumMedia=files)).status_code == 200
    [row] = rows(sms_app, IncomingMessage)
    assert not message_reading.is_unread(row)


def test_a_body_that_no_provider_sends_is_refused(sms_app: Flask, sms_study: Study) -> None:
    assert post(sms_app, form_of("x" * 100_000)).status_code in (403, 413)
    client = sms_app.test_client()
    assert client.post("/sms/twilio", json=form_of("0")).status_code == 403
    assert client.post("/sms/twilio").status_code == 403
    assert client.get("/sms/twilio").status_code == 405
    assert rows(sms_app, IncomingMessage) == []


def test_a_text_without_number_or_name_gets_its_quick_answer(sms_app: Flask, sms_study: Study) -> None:
    assert post(sms_app, {"Body": "0"}).status_code == 200
    assert rows(sms_app, IncomingMessage) == []


def test_a_receipt_moves_the_message(sms_app: Flask, sms_study: Study) -> None:
    post(sms_app, form_of("流鼻血"))
    with transaction(app_context_of(sms_app).engine) as session:
        message = session.scalars(select(Message).where(Message.template == "safety")).one()
        message.reference, message.sent_at = "SM" + "2" * 32, app_context_of(sms_app).clock()
    form = {"MessageSid": "SM" + "2" * 32, "MessageStatus": "undelivered", "ErrorCode": "30003"}
    assert post(sms_app, form, "/sms/twilio/status").status_code == 200
    [found] = [row for row in rows(sms_app, Message) if row.template == "safety"]
    assert (found.status, found.failure) == ("failed", "phone_unreachable:30003")


def test_nothing_of_a_text_stands_in_a_log(
    sms_app: Flask, sms_study: Study, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    post(sms_app, form_of(SECRET))
    post(sms_app, form_of(SECRET, sid="SM3", From="+8613700137000"))
    post(sms_app, form_of(SECRET), signature="wrong")
    written = caplog.text + "".join(capfd.readouterr())
    for secret in (SECRET, "MY-SECRET", "喘不过气", PHONES["zh_Hans"][3:], "13700137000", TOKEN):
        assert secret not in written
    assert rows(sms_app, Answer) == []
