"""Simulate Alibaba Cloud's SMS on loopback: check signatures, store messages, push.

The signature is computed from the provider's documentation of signature version 3 (ACS3-HMAC-SHA256) and the received
request, without the official client.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from darabonba.core import DaraCore
from werkzeug.datastructures import Headers

from tests.messaging.loopback import Answer, served

KEY_ID, KEY_SECRET, SIGN_NAME = "LTAI-not-a-real-one", "a-key-secret", "南昌某医院"
WEBHOOK_KEY = "k3y-" + "0123456789abcdef" * 2
ALGORITHM = "ACS3-HMAC-SHA256"
# The real provider's codes for certain numbers.
BAD_NUMBERS = {
    "13800000001": "isv.MOBILE_NUMBER_ILLEGAL",
    "13800000002": "isv.BLACK_KEY_CONTROL_LIMIT",
    "13800000003": "isv.BUSINESS_LIMIT_CONTROL",
    "13800000004": "isv.SOMETHING_NEW",
    "13800000005": "isp.SOMETHING_NEW",
}
# Registered templates, and the placeholders that each requires.
TEMPLATES = {"SMS_1001": {"code"}, "SMS_1002": set[str]()}
REPORTED = "2026-03-02 09:00:00"


def encode(text: str) -> str:
    """Encode as RFC 3986: letters, digits and -_.~ stay."""
    return quote(text, safe="-_.~")


def signature(secret: str, method: str, target: str, headers: Mapping[str, str], signed: str, body: bytes) -> str:
    """Return the documented signature of this request. ``headers``: lower-case names."""
    parts = urlsplit(target)
    pairs = sorted((encode(name), encode(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{headers[name].strip()}\n" for name in signed.split(";")),
            signed,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


@dataclass
class AlibabaFake:
    """The account's state; ``busy``, ``status``, ``code``, ``mute``, ``body`` cause failures."""

    url: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    # How often to answer "too many requests". With ``wait`` the answer says for how many milliseconds.
    busy: int = 0
    wait: str = ""
    status: int = 200
    code: str = ""
    mute: float = 0.0
    body: bytes | None = None
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def reply(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to a request."""
        refused = self._refuse_unsigned(method, target, headers, body)
        if refused:
            return self._error(400 if refused != "InvalidAccessKeyId.NotFound" else 404, refused)
        if self.busy:
            self.busy -= 1
            status, _none, text = self._error(400, "Throttling.User")
            return status, {"x-acs-retry-after": self.wait} if self.wait else {}, text
        if self.status != 200:
            return self.status, {}, self.body or b"<html>bad gateway</html>"
        asked = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        code = self.code or self._judge(headers, asked)
        if code != "OK":
            return 200, {}, json.dumps({"Code": code, "Message": "words", "RequestId": "R"}).encode()
        biz_id = f"{next(self.numbers):018d}^0"
        self.messages.append({**asked, "BizId": biz_id})
        time.sleep(self.mute)
        said = {"Code": "OK", "Message": "OK", "RequestId": "R", "BizId": biz_id}
        return 200, {}, json.dumps(said).encode() if self.body is None else self.body

    def _refuse_unsigned(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> str:
        """Return the real provider's code for a request with a bad signature; "" for a good one."""
        pattern = rf"{ALGORITHM} Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{{64}})"
        found = re.fullmatch(pattern, headers.get("authorization", ""))
        if found is None:
            return "IncompleteSignature"
        credential, signed, given = found.groups()
        if credential != KEY_ID:
            return "InvalidAccessKeyId.NotFound"
        must = {name for name in headers if name.startswith("x-acs-")} | ({"host", "content-type"} & set(headers))
        if not must <= set(signed.split(";")) or signed.split(";") != sorted(signed.split(";")):
            return "IncompleteSignature"
        if headers["x-acs-content-sha256"] != hashlib.sha256(body).hexdigest():
            return "SignatureDoesNotMatch"
        if given != signature(KEY_SECRET, method, target, headers, signed, body):
            return "SignatureDoesNotMatch"
        at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC) - at) > timedelta(minutes=15):
            return "InvalidTimeStamp.Expired"
        if headers["x-acs-signature-nonce"] in self.nonces:
            return "SignatureNonceUsed"
        self.nonces.add(headers["x-acs-signature-nonce"])
        return ""

    def _judge(self, headers: Mapping[str, str], asked: Mapping[str, str]) -> str:
        if (headers.get("x-acs-action"), headers.get("x-acs-version")) != ("SendSms", "2017-05-25"):
            self.problems.append(f"asked for {headers.get('x-acs-action')} {headers.get('x-acs-version')}")
        if not re.fullmatch("1[0-9]{10}", asked["PhoneNumbers"]):
            return "isv.MOBILE_NUMBER_ILLEGAL"
        if asked["PhoneNumbers"] in BAD_NUMBERS:
            return BAD_NUMBERS[asked["PhoneNumbers"]]
        if asked["SignName"] != SIGN_NAME:
            return "isv.SMS_SIGNATURE_ILLEGAL"
        gaps = TEMPLATES.get(asked["TemplateCode"])
        if gaps is None:
            return "isv.SMS_TEMPLATE_ILLEGAL"
        given = json.loads(asked.get("TemplateParam", "{}"))
        if not all(isinstance(value, str) for value in given.values()):
            return "isv.INVALID_JSON_PARAM"
        return "OK" if gaps <= set(given) else "isv.TEMPLATE_MISSING_PARAMETERS"

    def _error(self, status: int, code: str) -> Answer:
        said = {"Code": code, "Message": "words", "RequestId": "R", "HostId": "dysmsapi.aliyuncs.com"}
        return status, {}, json.dumps(said).encode()


def receipt(reference: str, code: str = "DELIVERED", **changes: Any) -> dict[str, Any]:
    """Return a delivery receipt, as the provider documents SmsReport."""
    return {
        "phone_number": "13800138000",
        "send_time": REPORTED,
        "report_time": REPORTED,
        "success": code == "DELIVERED",
        "err_code": code,
        "err_msg": "words",
        "sms_size": "1",
        "biz_id": reference,
        "out_id": "0123456789abcdef",
    } | changes


def reply_text(words: str, number: int, phone: str = "13800138000", **changes: Any) -> dict[str, Any]:
    """Return an incoming text, as the provider documents SmsUp."""
    return {
        "phone_number": phone,
        "content": words,
        "send_time": REPORTED,
        "dest_code": "1234",
        "sequence_id": str(number),
    } | changes


def push(site: str, entries: object, key: str = WEBHOOK_KEY, method: str = "POST") -> tuple[int, Any]:
    """Call our webhook as the provider does; return the status and the answer."""
    body = None if method == "GET" else entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    headers = {"Content-Type": "application/json;charset=UTF-8"} if body is not None else {}
    request = urllib.request.Request(f"{site}/sms/alibaba/{key}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read()
        is_json = error.headers.get_content_type() == "application/json"
        return error.code, json.loads(text) if is_json else text.decode()


@contextmanager
def alibaba_fake() -> Iterator[AlibabaFake]:
    """Run a fake on a free loopback port."""
    fake = AlibabaFake()

    def reply(target: str, headers: Headers, body: bytes) -> Answer:
        return fake.reply("POST", target, {name.lower(): value for name, value in headers.items()}, body)

    with served(reply, fake.problems) as fake.url:
        try:
            yield fake
        finally:
            # The client keeps its connections for the whole process.
            while DaraCore._sessions:
                DaraCore._sessions.popitem()[1].close()
