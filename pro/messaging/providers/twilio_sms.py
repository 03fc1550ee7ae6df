"""Send SMS by Twilio's official client. The only module that uses Twilio."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from pro.messaging.providers.connection_failure import failure_of_connection
from pro.messaging.providers.limited_http import LimitedAdapter
from pro.messaging.providers.time_limit import SEND_LIMIT, time_limit
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, ProviderUnsure

TIMEOUT = 20.0

# Provider code -> (may a retry help?, reason). A fault of the account or the settings can be corrected, so the letter
# is tried again; a fault of the phone or of the text is final.
CODES: dict[int, tuple[bool, str]] = {
    20003: (True, "log_in_refused"),
    20404: (True, "log_in_refused"),
    20429: (True, "server_busy"),
    21211: (False, "phone_invalid"),
    21212: (True, "sender_refused"),
    21408: (False, "region_not_allowed"),
    21606: (True, "sender_refused"),
    21610: (False, "unsubscribed"),
    21611: (True, "server_busy"),
    21612: (False, "no_route"),
    21614: (False, "phone_not_mobile"),
    21617: (False, "text_refused"),
    21659: (True, "sender_refused"),
    30001: (True, "server_busy"),
    30002: (True, "log_in_refused"),
    30003: (True, "phone_unreachable"),
    30004: (False, "phone_blocked"),
    30005: (False, "phone_unknown"),
    30006: (False, "phone_not_mobile"),
    30007: (False, "text_refused"),
    30008: (True, "provider_unsure"),
}
# The provider may have taken the letter before it answered with these.
UNSURE_STATUSES = {500, 502, 504}

# The id of a message, without which no delivery receipt can be matched.
MESSAGE_ID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")

# The client's own logger writes addresses and bodies.
_silent_logger = logging.getLogger("pro.messaging.providers.twilio_sms.client")
_silent_logger.disabled = True


class TwilioSms:
    """Send through one account.

    ``sender``: a number in E.164, or the id of a messaging service (``MG…``). ``callback_url``: where the provider
    reports the delivery status; "" for no reports. ``api_url``: address of the provider's interface, if not its own (a
    proxy or a fake). Thread-safe: each call has its own client and HTTP session, because neither is documented as safe
    for two threads.
    """

    at_once = 8

    def __init__(
        self,
        *,
        account: str,
        token: str,
        sender: str,
        api_url: str = "",
        timeout: float = TIMEOUT,
        limit: float = SEND_LIMIT,
        callback_url: str = "",
    ) -> None:
        self._more = {"status_callback": callback_url} if callback_url else {}
        self._log_in = (account, token)
        self._reached = (api_url, timeout)
        self._limit = limit
        # HTTP sessions that are not in use, with their open connections; the last returned is the first used again.
        self._idle: deque[_Http] = deque()
        self._origin = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}

    def send(self, letter: Letter) -> str:
        """Send the text and return the provider's message id.

        A success without an id, or one that cannot be read, is unsure: the letter may be on its way.
        """
        status = 0
        try:
            with time_limit(self._limit), self._http_client() as http:
                client = Client(*self._log_in, http_client=http)
                try:
                    message = client.messages.create(to=letter.address, body=letter.text, **self._origin, **self._more)
                finally:
                    status = http.status
        except TwilioRestException as error:
            raise failure_of_code(error.code, error.status) from None
        except TwilioException:
            raise ProviderUnreachable("provider_unsure", maybe_sent=True) from None
        except requests.RequestException as error:
            raise failure_of_connection(error) from None
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            # Not an answer of the provider: most likely from a proxy in between.
            if 200 <= status < 300:
                raise ProviderUnsure(status) from None
            raise ProviderUnreachable("provider_unsure", maybe_sent=True) from None
        if message.error_code in CODES:
            raise failure_of_code(message.error_code, status)
        if message.error_code is not None or not MESSAGE_ID.fullmatch(str(message.sid)):
            raise ProviderUnsure(status)
        return str(message.sid)

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _http_client(self) -> Iterator[_Http]:
        try:
            http = self._idle.pop()
        except IndexError:
            http = _Http(*self._reached)
        try:
            yield http
        finally:
            self._idle.append(http)


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """The client's HTTP session: an optional other host, no retries, and Retry-After is kept."""

    def __init__(self, api_url: str, timeout: float) -> None:
        super().__init__(timeout=timeout, logger=_silent_logger)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, LimitedAdapter())
        self._target = urlsplit(api_url) if api_url else None
        # Of the last answer; 0 before it.
        self.status = 0

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        if self._target:
            asked = urlsplit(url)
            path = self._target.path.rstrip("/") + asked.path
            url = urlunsplit((self._target.scheme, self._target.netloc, path, asked.query, ""))
        self.status = 0
        response = super().request(method, url, *args, **kwargs)
        self.status = int(response.status_code)
        if response.status_code in (429, 503):
            raise ProviderUnreachable("server_busy", _retry_after_seconds((response.headers or {}).get("Retry-After")))
        return response

    def close(self) -> None:
        if self.session:
            self.session.close()


def is_signed(token: str, url: str, form: Any, signature: str) -> bool:
    """Return True if the provider signed this POST of ``form`` to ``url`` with ``token``.

    ``url`` is the address that the provider called.
    """
    return bool(token and signature) and bool(RequestValidator(token).validate(url, form, signature))


def reason_of(code: str) -> str:
    """Return the failure for the code of a status callback, as ``Message.failure`` stores it."""
    number = int(code) if code.isascii() and code.isdigit() and len(code) < 10 else 0
    reason = CODES[number][1] if number in CODES else "provider_unsure"
    return f"{reason}:{number}" if number else reason


def failure_of_code(code: int | None, status: int) -> ProviderUnreachable | ProviderRefused:
    """Return the failure for a provider code; an unknown code is decided by the HTTP status."""
    if code in CODES:
        again, reason = CODES[code]
        return ProviderUnreachable(f"{reason}:{code}") if again else ProviderRefused(f"{reason}:{code}")
    detail = code or status
    if status in (401, 403):
        return ProviderUnreachable(f"log_in_refused:{detail}")
    if 400 <= status < 500 and status != 408:
        return ProviderRefused(f"provider_refused:{detail}")
    return ProviderUnreachable(f"provider_unsure:{detail}", maybe_sent=status in UNSURE_STATUSES)


def _retry_after_seconds(header: str | None) -> float | None:
    """Return Retry-After in seconds; this provider never sends the form with a date."""
    return float(header) if header and header.isascii() and header.isdigit() else None
