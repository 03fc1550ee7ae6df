"""Simulate Twilio on loopback: store messages, refuse what the real one refuses.

Every request and every reply is checked against Twilio's own OpenAPI document, if that file is present.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import Headers

from tests.messaging.loopback import Answer, served

DOCUMENT = Path(__file__).parents[3] / "shared" / "reference" / "twilio-messages-openapi.json"
ORIGIN = "https://api.twilio.com"
ACCOUNT, TOKEN, NUMBER = "AC" + "a" * 32, "a-token", "+14155552345"
# The real provider's answers for certain numbers: error code, HTTP status, message.
BAD_NUMBERS = {
    "+8613800021211": (21211, 400, "Invalid 'To' Phone Number"),
    "+8613800021408": (21408, 400, "Permission to send an SMS has not been enabled for the region"),
    "+8613800021610": (21610, 400, "Attempt to send to unsubscribed recipient"),
    "+8613800021614": (21614, 400, "'To' number is not a valid mobile number"),
    "+8613800099999": (99999, 400, "Something new"),
}


@dataclass
class Asked:
    """A request in the form that the checker needs."""

    method: str
    path: str
    body: bytes
    headers: Headers
    parameters: RequestParameters
    host_url: str = ORIGIN
    content_type: str = "application/x-www-form-urlencoded"

    @property
    def full_url_pattern(self) -> str:
        return self.host_url + self.path


@dataclass
class Answered:
    """A reply in the form that the checker needs."""

    status_code: int
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass
class TwilioFake:
    """The account's state. Set ``busy`` (429 this often), ``status`` or ``mute`` for failures.

    ``retry_after``: sent with each 429. ``webhook_base``: where callbacks are really sent, whatever public address
    they are signed for. ``eager``: states reported for every message before its request is answered.
    """

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    busy: int = 0
    retry_after: str = "17"
    status: int = 201
    mute: float = 0.0
    body_error: int | None = None
    # Status and body that answer a message that was taken.
    odd_success: tuple[int, bytes] | None = None
    webhook_base: str = ""
    eager: Sequence[str] = ()
    callbacks: dict[str, str] = field(default_factory=dict)
    checker: OpenAPI | None = None
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def reply(self, path: str, body: bytes, headers: Headers) -> tuple[int, dict[str, str], bytes]:
        """Return the answer to a posted form."""
        asked = Asked("post", path, body, headers, RequestParameters(header=headers))
        if headers.get("Authorization") != "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode():
            return self._error(20003, 401, "Authenticate")
        if self.busy:
            self.busy -= 1
            status, found, text = self._error(20429, 429, "Too Many Requests")
            return status, found | {"Retry-After": self.retry_after}, text
        if self.status != 201:
            return self.status, {}, b"<html>bad gateway</html>"
        self._check_request(asked)
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        if form["To"] in BAD_NUMBERS:
            return self._error(*BAD_NUMBERS[form["To"]])
        message = self._message(form)
        self.messages.append(message)
        self.callbacks[message["sid"]] = form.get("StatusCallback", "")
        for state in self.eager:
            self.report(message["sid"], state)
        time.sleep(self.mute)
        if self.odd_success:
            return self.odd_success[0], {}, self.odd_success[1]
        data = json.dumps(message).encode()
        self._check_reply(asked, Answered(201, data))
        return 201, {}, data

    def report(self, sid: str, state: str, code: str = "") -> int:
        """Send a status callback about the message ``sid`` if it asked for one; return the status."""
        [message] = [found for found in self.messages if found["sid"] == sid]
        about = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": state, "SmsStatus": state}
        more = {"AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": message["from"], "To": message["to"]}
        return self.call(self.callbacks[sid], {**about, **more, **({"ErrorCode": code} if code else {})})

    def text(self, url: str, sid: str, sender: str, body: str) -> int:
        """Text the account's number; return the status of the webhook's answer."""
        about = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": sender, "To": NUMBER, "Body": body, "NumMedia": "0"}
        return self.call(url, about)

    def call(self, url: str, form: Mapping[str, str], token: str = TOKEN) -> int:
        """Post ``form``, signed for ``url``; return the status of the answer."""
        signature = RequestValidator(token).compute_signature(url, dict(form))
        headers = {"X-Twilio-Signature": signature, "Host": urlsplit(url).netloc}
        answer = requests.post(self.webhook_base + urlsplit(url).path, data=form, headers=headers, timeout=20)
        return answer.status_code

    def _message(self, form: Mapping[str, str]) -> dict[str, Any]:
        sid = f"SM{next(self.numbers):032x}"
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}"
        return {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
            "date_sent": None,
            "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
            "direction": "outbound-api",
            "error_code": self.body_error,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": sid,
            "status": "failed" if self.body_error else "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": form["To"],
            "uri": f"{uri}.json",
        }

    def _error(self, code: int, status: int, words: str) -> tuple[int, dict[str, str], bytes]:
        more = f"https://www.twilio.com/docs/errors/{code}"
        return status, {}, json.dumps({"code": code, "message": words, "more_info": more, "status": status}).encode()

    def _check_request(self, asked: Asked) -> None:
        if self.checker:
            try:
                self.checker.unmarshal_request(asked).raise_for_errors()
            except Exception as error:  # any failure must be visible to the test
                self.problems.append(f"request: {error!r} {error.__cause__!r}")

    def _check_reply(self, asked: Asked, answered: Answered) -> None:
        if self.checker:
            try:
                self.checker.unmarshal_response(asked, answered).raise_for_errors()
            except Exception as error:
                self.problems.append(f"reply: {error!r} {error.__cause__!r}")


@contextmanager
def twilio_fake(*, checked: bool = True) -> Iterator[TwilioFake]:
    """Run a fake on a free loopback port.

    Without ``checked`` it is fast enough for measurements.
    """
    fake = TwilioFake()
    if checked and DOCUMENT.exists():
        fake.checker = OpenAPI.from_dict(json.loads(DOCUMENT.read_text()))

    def reply(target: str, headers: Headers, body: bytes) -> Answer:
        return fake.reply(urlsplit(target).path, body, headers)

    with served(reply, fake.problems) as fake.url:
        yield fake
