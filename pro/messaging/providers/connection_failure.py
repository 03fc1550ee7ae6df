"""What a broken line means for a letter, where a provider's client speaks HTTP by requests."""

from __future__ import annotations

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from pro.messaging.sender_protocol import ProviderUnreachable


def failure_of_connection(error: requests.RequestException) -> ProviderUnreachable:
    """Whether the line broke before the letter was on its way, or after."""
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    never_left = requests.ConnectTimeout | requests.exceptions.ProxyError | requests.exceptions.SSLError
    if isinstance(error, never_left) or isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return ProviderUnreachable("no_line:connect")
    return ProviderUnreachable(
        "time_out:text" if isinstance(error, requests.Timeout) else "no_line:text", maybe_sent=True
    )
