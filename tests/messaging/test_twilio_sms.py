"""Test SMS by Twilio's official client, against a fake with state."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial

import pytest

from pro.messaging.providers.twilio_sms import CODES, TwilioSms, failure_of_code
from pro.messaging.sender_protocol import ProviderRefused, ProviderUnreachable, ProviderUnsure
from tests.messaging.letters import LINK, PHONE, make_letter
from tests.messaging.twilio_fake import ACCOUNT, BAD_NUMBERS, DOCUMENT, NUMBER, TOKEN, TwilioFake, twilio_fake
from tests.support.form_browser import frequent_thread_switches, run_concurrently
from tests.support.postgres_server import free_port


@pytest.fixture
def fake() -> Iterator[TwilioFake]:
    """Yield a fake without failures.

    A request or reply that violates Twilio's own document fails the test.
    """
    with twilio_fake() as found:
        yield found
        assert found.problems == []


@pytest.fixture
def sms(fake: TwilioFake) -> Iterator[TwilioSms]:
    """Return a sender that talks to the fake."""
    sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender=NUMBER, api_url=fake.url, timeout=5)
    yield sender
    sender.close()


def test_a_text_arrives_whole_and_its_reference_comes_back(fake: TwilioFake, sms: TwilioSms) -> None:
    text = f"您好，有份表等您填。{LINK} & 100%"
    reference = sms.send(make_letter(text=text))
    assert [(m["to"], m["from"], m["body"], m["sid"]) for m in fake.messages] == [(PHONE, NUMBER, text, reference)]


def test_requests_and_replies_keep_to_the_providers_document(fake: TwilioFake, sms: TwilioSms) -> None:
    if not DOCUMENT.exists():
        pytest.skip("../shared/reference/twilio-messages-openapi.json is absent")
    assert fake.checker is not None
    sms.send(make_letter())
    with pytest.raises(ProviderRefused):
        sms.send(make_letter(address=next(iter(BAD_NUMBERS))))
    assert fake.problems == []


def test_the_document_check_can_fail() -> None:
    if not DOCUMENT.exists():
        pytest.skip("../shared/reference/twilio-messages-openapi.json is absent")
    with twilio_fake() as fake:
        sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender="MG-not-an-id", api_url=fake.url)
        sender.send(make_letter())
        sender.close()
        assert [problem.partition(":")[0] for problem in fake.problems] == ["request", "reply"]


def test_a_messaging_service_is_named_instead_of_a_number(fake: TwilioFake) -> None:
    service = "MG" + "b" * 32
    sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender=service, api_url=fake.url)
    sender.send(make_letter())
    sender.close()
    assert (fake.messages[0]["messaging_service_sid"], fake.messages[0]["from"]) == (service, None)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("+8613800021211", "phone_invalid:21211"),
        ("+8613800021408", "region_not_allowed:21408"),
        ("+8613800021610", "unsubscribed:21610"),
        ("+8613800021614", "phone_not_mobile:21614"),
        ("+8613800099999", "provider_refused:99999"),
    ],
)
def test_a_number_that_will_never_do_is_refused(fake: TwilioFake, sms: TwilioSms, number: str, reason: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        sms.send(make_letter(address=number))
    assert refused.value.reason == reason
    assert fake.messages == []


@pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("", None), ("Thu, 01 Jan 2026 00:00:00 GMT", None)])
def test_a_busy_provider_says_when_to_come_back(
    fake: TwilioFake, sms: TwilioSms, header: str, seconds: float | None
) -> None:
    fake.busy, fake.retry_after = 1, header
    with pytest.raises(ProviderUnreachable) as busy:
        sms.send(make_letter())
    assert (busy.value.reason, busy.value.retry_after, busy.value.maybe_sent) == ("server_busy", seconds, False)
    assert sms.send(make_letter()) == fake.messages[0]["sid"]


def test_a_wrong_token_waits_to_be_mended(fake: TwilioFake) -> None:
    sender = TwilioSms(account=ACCOUNT, token="another", sender=NUMBER, api_url=fake.url)
    with pytest.raises(ProviderUnreachable) as failed:
        sender.send(make_letter())
    sender.close()
    assert (failed.value.reason, failed.value.maybe_sent) == ("log_in_refused:20003", False)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_broken_gateway_may_have_sent_it(fake: TwilioFake, sms: TwilioSms, status: int) -> None:
    fake.status = status
    with pytest.raises(ProviderUnreachable) as failed:
        sms.send(make_letter())
    assert failed.value.maybe_sent


def test_no_answer_in_time_may_have_been_sent() -> None:
    with twilio_fake() as fake:
        fake.mute = 1.0
        sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender=NUMBER, api_url=fake.url, timeout=0.2)
        with pytest.raises(ProviderUnreachable) as failed:
            sender.send(make_letter())
        sender.close()
        assert (failed.value.reason, failed.value.maybe_sent) == ("time_out:text", True)
        assert len(fake.messages) == 1


def test_a_refused_connection_was_certainly_not_sent() -> None:
    sender = TwilioSms(account=ACCOUNT, token=TOKEN, sender=NUMBER, api_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ProviderUnreachable) as failed:
        sender.send(make_letter())
    sender.close()
    assert (failed.value.reason, failed.value.maybe_sent) == ("no_line:connect", False)


ODD_SUCCESSES = [
    b"<html>welcome to the hotel</html>",
    b"",
    b"{}",
    b"[1]",
    b'"OK"',
    b"null",
    b"1",
    b"\xff\xfe",
    b'{"sid": null}',
    b'{"sid": 5}',
    b'{"sid": "queued"}',
    b'{"sid": {"a": 1}}',
    b'{"sid": "SM0123456789abcdef0123456789abcdef", "error_code": "soon"}',
    b'{"sid": "SM0123456789abcdef0123456789abcdef", "error_code": 99999}',
    b"[" * 3000 + b"]" * 3000,
]


@pytest.mark.parametrize("body", ODD_SUCCESSES)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_that_proves_nothing_is_unsure(fake: TwilioFake, sms: TwilioSms, body: bytes, status: int) -> None:
    fake.odd_success = (status, body)
    with pytest.raises(ProviderUnsure) as failed:
        sms.send(make_letter())
    assert failed.value.reason == f"answer_unclear:{status}"
    assert isinstance(failed.value, ProviderRefused), "the outbox sends no refused letter again"


def test_a_yes_with_an_error_in_it_is_no_yes(fake: TwilioFake, sms: TwilioSms) -> None:
    fake.body_error = 30006
    with pytest.raises(ProviderRefused) as refused:
        sms.send(make_letter())
    assert refused.value.reason == "phone_not_mobile:30006"


@pytest.mark.parametrize("code", [30003, 20003, 20429, 21606])
def test_codes_that_may_pass(code: int) -> None:
    assert isinstance(failure_of_code(code, 400), ProviderUnreachable)


@pytest.mark.parametrize("code", [21211, 21408, 21610, 21614, 30005, 30006])
def test_codes_that_are_final(code: int) -> None:
    assert isinstance(failure_of_code(code, 400), ProviderRefused)


def test_every_code_keeps_its_number_for_the_it_department() -> None:
    assert [code for code in CODES if not failure_of_code(code, 400).reason.endswith(f":{code}")] == []


@pytest.mark.parametrize(
    ("status", "kind", "maybe"),
    [(400, ProviderRefused, None), (401, ProviderUnreachable, False), (403, ProviderUnreachable, False),
     (408, ProviderUnreachable, False),
     (404, ProviderRefused, None), (500, ProviderUnreachable, True), (503, ProviderUnreachable, False)],
)  # fmt: skip
def test_an_unknown_code_is_judged_by_the_status(status: int, kind: type, maybe: bool | None) -> None:
    found = failure_of_code(None, status)
    assert isinstance(found, kind)
    assert getattr(found, "maybe_sent", None) == maybe


def test_the_log_knows_neither_phone_nor_text(
    fake: TwilioFake, sms: TwilioSms, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        sms.send(make_letter())
        with pytest.raises(ProviderRefused):
            sms.send(make_letter(address="+8613800021610"))
    assert not any(secret in caplog.text for secret in (PHONE[1:], "13800021610", LINK, TOKEN))
    assert len(fake.messages) == 1


def test_several_threads_get_each_its_own_answer(fake: TwilioFake, sms: TwilioSms) -> None:
    found: dict[str, str] = {}

    def send(thread: int) -> None:
        for number in range(15):
            text = f"{thread}.{number}"
            found[text] = sms.send(make_letter(text=text))

    with frequent_thread_switches():
        run_concurrently(*(partial(send, thread) for thread in range(sms.at_once)))
    assert found == {message["body"]: message["sid"] for message in fake.messages}
    assert len(found) == 15 * sms.at_once
