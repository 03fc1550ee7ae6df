"""Send SMS by Alibaba Cloud's official client, to phones of mainland China.

The only module that uses the client, which comes with ``requirements-alibaba.txt``. The text itself is not sent: it was
registered with the provider before, and a letter names its template and the values of the placeholders.
"""

from __future__ import annotations

import json
import logging
import re
from traceback import walk_tb
from urllib.parse import urlsplit

import requests
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import SendSmsRequest
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.core import DaraCore
from darabonba.exceptions import ResponseException, UnretryableException
from darabonba.runtime import RuntimeOptions

from pro.messaging.providers.alibaba_codes import failure_of_code
from pro.messaging.providers.connection_failure import failure_of_connection
from pro.messaging.providers.limited_http import LimitedAdapter
from pro.messaging.providers.time_limit import SEND_LIMIT, time_limit
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, ProviderUnsure

API_URL = "https://dysmsapi.aliyuncs.com"
TIMEOUT = 20.0
MOBILE = re.compile(r"\+86(1[0-9]{10})")

# The client's own loggers write addresses and texts when an environment variable named DEBUG says so.
for _name in ("darabonba-core", "alibabacloud-tea"):
    logging.getLogger(_name).disabled = True


def _is_discreet(record: logging.LogRecord) -> bool:
    return "PhoneNumbers=" not in record.getMessage()


# The client puts the phone number into the address of its request, and this logger writes addresses.
logging.getLogger("urllib3.connectionpool").addFilter(_is_discreet)


def _make_adapter(_prefix: str, _tls_min_version: str | None = None, pool_size: int | None = None) -> LimitedAdapter:
    return LimitedAdapter(pool_maxsize=pool_size or AlibabaSms.at_once)


# The client makes its HTTP sessions itself and asks this function for what connects them.
DaraCore.get_adapter = staticmethod(_make_adapter)


class AlibabaSms:
    """Send through one account. ``sign_name``: the signature registered with the provider.

    ``api_url``: scheme and host of the interface, if not the provider's own (a proxy or a fake). Thread-safe: a call
    stores nothing in the client, and the client's connection pool is made for several threads.
    """

    at_once = 8

    def __init__(
        self,
        *,
        key_id: str,
        key_secret: str,
        sign_name: str,
        api_url: str = "",
        timeout: float = TIMEOUT,
        limit: float = SEND_LIMIT,
    ) -> None:
        reached = urlsplit(api_url or API_URL)
        self._client = Client(
            Config(
                access_key_id=key_id,
                access_key_secret=key_secret,
                endpoint=reached.netloc,
                protocol=reached.scheme.upper(),
                region_id="cn-hangzhou",
            )
        )
        self._sign_name = sign_name
        self._limit = limit
        milliseconds = int(timeout * 1000)
        self._runtime = RuntimeOptions(autoretry=False, connect_timeout=milliseconds, read_timeout=milliseconds)

    def send(self, letter: Letter) -> str:
        """Send the letter and return the provider's ``BizId``, which its receipts repeat.

        A success without it, or one that cannot be read, is unsure: the letter may be on its way.
        """
        if not letter.template_id:
            raise ProviderRefused("not_registered")
        try:
            with time_limit(self._limit):
                answer = self._client.send_sms_with_options(self._request(letter), self._runtime)
        except ResponseException as error:
            wait = getattr(error, "retry_after", None)
            seconds = wait / 1000 if wait else None
            raise failure_of_code(str(error.code), int(error.status_code or 0), seconds) from None
        except UnretryableException as error:
            raise _failure_without_answer(error) from None
        code, reference = getattr(answer.body, "code", None), getattr(answer.body, "biz_id", None)
        if code and code != "OK" and isinstance(code, str):
            raise failure_of_code(code, 200)
        if code != "OK" or not reference or not isinstance(reference, str):
            # Not an answer of the provider: most likely a proxy in between.
            raise ProviderUnsure(int(answer.status_code or 200))
        return reference

    def _request(self, letter: Letter) -> SendSmsRequest:
        mobile = MOBILE.fullmatch(letter.address)
        if mobile is None:
            raise ProviderRefused("phone_not_mobile" if letter.address.startswith("+86") else "region_not_allowed")
        params = json.dumps(dict(letter.template_params), ensure_ascii=False) if letter.template_params else None
        return SendSmsRequest(
            phone_numbers=mobile[1],
            sign_name=self._sign_name,
            template_code=letter.template_id,
            template_param=params,
            out_id=letter.message_id,
        )


def _failure_without_answer(error: UnretryableException) -> ProviderUnreachable | ProviderUnsure:
    """Return the failure for a missing or unreadable answer."""
    # The client wraps the error of the connection in an error of its own.
    cause = error.inner_exception.__context__
    if isinstance(cause, requests.RequestException) and not isinstance(cause, ValueError):
        return failure_of_connection(cause)
    status = _status_of_answer(error.inner_exception)
    return ProviderUnsure(status) if 200 <= status < 300 else ProviderUnreachable("provider_unsure", maybe_sent=True)


def _status_of_answer(problem: BaseException) -> int:
    """Return the HTTP status of the answer that could not be read; 0 if there was none.

    The client drops the status, but the frame in which it read the answer still has it.
    """
    for frame, _line in walk_tb(problem.__traceback__):
        status = getattr(frame.f_locals.get("_response"), "status_code", None)
        if isinstance(status, int):
            return status
    return 0
