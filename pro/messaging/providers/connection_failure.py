"""Classify a failed connection, for provider clients that use the requests library."""

from __future__ import annotations

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from pro.messaging.sender_protocol import ProviderUnreachable


def failure_of_connection(error: requests.RequestException) -> ProviderUnreachable:
    """Return whether the connection failed before the letter was sent, or possibly after."""
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    never_left = requests.ConnectTimeout | requests.exceptions.ProxyError | requests.exceptions.SSLError
    if isinstance(error, never_left) or isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return ProviderUnreachable("no_line:connect")
    return ProviderUnreachable(
        "time_out:text" if isinstance(error, requests.Timeout) else "no_line:text", maybe_sent=True
    )
