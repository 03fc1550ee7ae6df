"""Test SMS by Alibaba Cloud's official client, against a fake that checks its signatures."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pro.messaging.providers.alibaba_codes import CODES, failure_of_code, reason_of
from pro.messaging.providers.alibaba_sms import AlibabaSms
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, ProviderUnsure
from tests.messaging import alibaba_fake
from tests.messaging.alibaba_fake import KEY_ID, KEY_SECRET, SIGN_NAME, AlibabaFake
from tests.messaging.letters import make_letter
from tests.support.form_browser import frequent_thread_switches, run_concurrently
from tests.support.postgres_server import free_port


@pytest.fixture
def fake() -> Iterator[AlibabaFake]:
    """Yield a fake without failures."""
    with alibaba_fake.alibaba_fake() as found:
        yield found
        assert found.problems == []


def sender(url: str, **changes: Any) -> AlibabaSms:
    """Return a sender that talks to the fake."""
    given: dict[str, Any] = {"key_id": KEY_ID, "key_secret": KEY_SECRET, "sign_name": SIGN_NAME, "timeout": 5}
    return AlibabaSms(api_url=url, **(given | changes))


def letter(**changes: Any) -> Letter:
    """Return a letter whose text is registered."""
    given: dict[str, Any] = {"template_id": "SMS_1001", "template_params": {"code": "AB2C-34DE"}}
    return make_letter(**(given | changes))


def refused(sms: AlibabaSms, one: Letter) -> ProviderUnreachable | ProviderRefused:
    """Send the letter and return its failure."""
    with pytest.raises((ProviderUnreachable, ProviderRefused)) as caught:
        sms.send(one)
    assert isinstance(caught.value, ProviderUnreachable | ProviderRefused)
    return caught.value


def test_the_check_of_signatures_agrees_with_the_document() -> None:
    """Check the worked example of the provider's signature documentation."""
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    target = "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
    found = alibaba_fake.signature("YourAccessKeySecret", "POST", target, headers, ";".join(headers), b"")
    assert found == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_text_goes_by_its_registered_name_and_its_reference_comes_back(fake: AlibabaFake) -> None:
    one = letter(template_params={"code": "三 A&B=c+d~*'/é😀"})
    reference = sender(fake.url).send(one)
    [message] = fake.messages
    assert message["BizId"] == reference
    assert (message["PhoneNumbers"], message["SignName"], message["TemplateCode"]) == (
        "13800138000",
        SIGN_NAME,
        "SMS_1001",
    )
    assert json.loads(message["TemplateParam"]) == one.template_params
    assert message["OutId"] == one.message_id
    assert one.text not in message.values()


def test_a_text_without_gaps_needs_no_parameters(fake: AlibabaFake) -> None:
    sender(fake.url).send(letter(template_id="SMS_1002", template_params={}))
    assert "TemplateParam" not in fake.messages[0]


def test_a_text_that_is_not_registered_never_leaves(fake: AlibabaFake) -> None:
    found = refused(sender(fake.url), letter(template_id=""))
    assert (type(found), found.reason) == (ProviderRefused, "not_registered")
    assert fake.nonces == set()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("+14155552345", "region_not_allowed"),
        ("+85251234567", "region_not_allowed"),
        ("13800138000", "region_not_allowed"),
        ("+8679186692345", "phone_not_mobile"),
        ("+861380013800", "phone_not_mobile"),
        ("+8613800138000\n", "phone_not_mobile"),
        ("+86١٣٨٠٠١٣٨٠٠٠", "phone_not_mobile"),
    ],
)
def test_only_mobile_phones_of_mainland_china(fake: AlibabaFake, address: str, reason: str) -> None:
    found = refused(sender(fake.url), letter(address=address))
    assert (type(found), found.reason) == (ProviderRefused, reason)
    assert fake.nonces == set()


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"address": "+8613800000001"}, ProviderRefused, "phone_invalid:isv.MOBILE_NUMBER_ILLEGAL"),
        ({"address": "+8613800000002"}, ProviderRefused, "phone_blocked:isv.BLACK_KEY_CONTROL_LIMIT"),
        ({"address": "+8613800000003"}, ProviderUnreachable, "too_many:isv.BUSINESS_LIMIT_CONTROL"),
        ({"address": "+8613800000004"}, ProviderRefused, "provider_refused:isv.SOMETHING_NEW"),
        ({"address": "+8613800000005"}, ProviderUnreachable, "provider_unsure:isp.SOMETHING_NEW"),
        ({"template_id": "SMS_9"}, ProviderRefused, "not_registered:isv.SMS_TEMPLATE_ILLEGAL"),
        ({"template_params": {}}, ProviderRefused, "not_registered:isv.TEMPLATE_MISSING_PARAMETERS"),
    ],
)
def test_a_no_is_a_no_in_our_words(fake: AlibabaFake, changes: dict[str, Any], kind: type, reason: str) -> None:
    found = refused(sender(fake.url), letter(**changes))
    assert (type(found), found.reason) == (kind, reason)
    assert not getattr(found, "maybe_sent", False)
    assert fake.messages == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key_secret": "another"}, "log_in_refused:SignatureDoesNotMatch"),
        ({"key_id": "another"}, "log_in_refused:InvalidAccessKeyId.NotFound"),
        ({"key_id": ""}, "log_in_refused:InvalidCredentials"),
        ({"sign_name": "别家医院"}, "sender_refused:isv.SMS_SIGNATURE_ILLEGAL"),
    ],
)
def test_wrong_settings_wait_to_be_mended(fake: AlibabaFake, changes: dict[str, str], reason: str) -> None:
    found = refused(sender(fake.url, **changes), letter())
    assert (type(found), found.reason, getattr(found, "maybe_sent", None)) == (ProviderUnreachable, reason, False)
    assert fake.messages == []


@pytest.mark.parametrize(("wait", "seconds"), [("17000", 17.0), ("", None), ("soon", None)])
def test_a_busy_provider_says_when_to_come_back(fake: AlibabaFake, wait: str, seconds: float | None) -> None:
    fake.busy, fake.wait = 1, wait
    found = refused(sender(fake.url), letter())
    assert isinstance(found, ProviderUnreachable)
    assert (found.reason, found.retry_after, found.maybe_sent) == ("server_busy:Throttling.User", seconds, False)
    assert sender(fake.url).send(letter()) == fake.messages[0]["BizId"]


@pytest.mark.parametrize("body", [b'{"Code": "InternalError", "Message": "x"}', b"<html>bad gateway</html>", b"[]"])
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_broken_gateway_may_have_sent_it(fake: AlibabaFake, status: int, body: bytes) -> None:
    fake.status, fake.body = status, body
    found = refused(sender(fake.url), letter())
    assert isinstance(found, ProviderUnreachable)
    assert found.maybe_sent
    # One request, whatever the answer: the client must not retry by itself.
    assert len(fake.nonces) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hotel</html>",
        b"",
        b"[]",
        b"[1]",
        b'"OK"',
        b"null",
        b"{}",
        b"\xff",
        b'{"Code": "OK"}',
        b'{"Code": "OK", "BizId": {}}',
        b'{"Code": "OK", "BizId": 5}',
        b'{"Code": ["OK"], "BizId": "1"}',
    ],
)
def test_a_success_that_proves_nothing_is_unsure(fake: AlibabaFake, body: bytes) -> None:
    fake.body = body
    found = refused(sender(fake.url), letter())
    assert isinstance(found, ProviderUnsure)
    assert found.reason == "answer_unclear:200"


def test_no_answer_in_time_may_have_been_sent() -> None:
    with alibaba_fake.alibaba_fake() as fake:
        fake.mute = 1.0
        found = refused(sender(fake.url, timeout=0.2), letter())
        assert isinstance(found, ProviderUnreachable)
        assert (found.reason, found.maybe_sent) == ("time_out:text", True)
        assert len(fake.messages) == 1


def test_a_refused_connection_was_certainly_not_sent() -> None:
    found = refused(sender(f"http://127.0.0.1:{free_port()}"), letter())
    assert isinstance(found, ProviderUnreachable)
    assert (found.reason, found.maybe_sent) == ("no_line:connect", False)


def test_every_code_keeps_its_name_for_the_it_department() -> None:
    wrong = []
    for code, (unreachable, reason) in CODES.items():
        found = failure_of_code(code, 200)
        if not (
            found.reason == reason_of(code) == f"{reason}:{code}"
            and isinstance(found, ProviderUnreachable) == unreachable
        ):
            wrong.append((code, found))
    assert not wrong


@pytest.mark.parametrize(
    ("status", "kind", "maybe"),
    [(0, ProviderUnreachable, False), (200, ProviderUnreachable, True), (400, ProviderRefused, None),
     (401, ProviderUnreachable, False),
     (403, ProviderUnreachable, False), (404, ProviderRefused, None),
     (408, ProviderUnreachable, False), (429, ProviderUnreachable, False),
     (500, ProviderUnreachable, True), (503, ProviderUnreachable, False)],
)  # fmt: skip
def test_no_code_is_judged_by_the_status(status: int, kind: type, maybe: bool | None) -> None:
    for code in ("", "two words", "x" * 99, "汉"):
        found = failure_of_code(code, status)
        assert isinstance(found, kind)
        assert getattr(found, "maybe_sent", None) == maybe
        assert re.fullmatch(rf"[a-z_]+:{status}", found.reason)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("MOBILE_NOT_ON_SERVICE", "phone_unreachable:MOBILE_NOT_ON_SERVICE"),
        ("MK:0012", "phone_unreachable:MK:0012"),
        ("MOBILE_IN_BLACK", "phone_blocked:MOBILE_IN_BLACK"),
        ("XA:0001", "provider_refused:XA:0001"),
        ("", "provider_refused"),
        ("13800138000 said 我喘不过气", "provider_refused"),
    ],
)
def test_a_receipts_code_in_our_words(code: str, reason: str) -> None:
    assert reason_of(code) == reason


def test_the_log_knows_neither_phone_nor_text(
    fake: AlibabaFake,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Logs the client's every request.
    monkeypatch.setenv("DEBUG", "sdk")
    with caplog.at_level(logging.DEBUG):
        sender(fake.url).send(letter())
        refused(sender(fake.url), letter(address="+8613800000001"))
        refused(sender(f"http://127.0.0.1:{free_port()}"), letter())
    written = caplog.text + "".join(capfd.readouterr())
    secrets = ("13800138000", "13800000001", "AB2C", KEY_ID, KEY_SECRET, "PhoneNumbers")
    assert [secret for secret in secrets if secret in written] == []
    assert len(fake.messages) == 1


def test_several_threads_get_each_its_own_answer(fake: AlibabaFake) -> None:
    sms = sender(fake.url)
    found: dict[str, str] = {}

    def send(thread: int) -> None:
        for number in range(15):
            code = f"{thread}.{number}"
            found[code] = sms.send(letter(template_params={"code": code}))

    with frequent_thread_switches():
        run_concurrently(*(partial(send, thread) for thread in range(sms.at_once)))
    assert found == {json.loads(one["TemplateParam"])["code"]: one["BizId"] for one in fake.messages}
    assert len(found) == 15 * sms.at_once


def test_the_application_starts_without_the_client() -> None:
    code = (
        "import sys\n"
        "for name in ('alibabacloud_dysmsapi20170525', 'alibabacloud_tea_openapi', 'darabonba', 'Tea'):\n"
        "    sys.modules[name] = None\n"
        "from pro.config import Config\n"
        "from pro.errors import ConfigError\n"
        "from pro.messaging.providers import provider_choice\n"
        "import app\n"
        "assert app.create_app(Config(database_url='sqlite://'))\n"
        "assert set(provider_choice.choose_senders(Config())) == {'email', 'sms'}\n"
        "try:\n"
        "    Config.from_env({'PRO_SMS': 'alibaba'})\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        "PRO_SMS is alibaba, but its packages are not installed: run `sh deploy/install.sh requirements-alibaba.txt`."
    )
