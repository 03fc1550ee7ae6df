"""Limit the time of a whole conversation with a provider, not only of each wait within it.

A server that sends one byte every ten seconds never exceeds a socket's timeout. Within ``time_limit``, sockets of the
two classes wait for no longer than what is left of the limit, whichever library uses them.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Seconds for one sending. Shorter than the limit of the call (``provider_calls.CALL_LIMIT``), so that the sender can
# still say what was sent.
SEND_LIMIT = 40.0


class _Deadline(threading.local):
    at: float | None = None


_deadline = _Deadline()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit what this thread does with its sockets within the block; a limit around it stays in force."""
    outer = _deadline.at
    end = time.monotonic() + seconds
    _deadline.at = end if outer is None else min(end, outer)
    try:
        yield
    finally:
        _deadline.at = outer


def limited(timeout: float | None) -> float | None:
    """Return ``timeout``, or what is left of the limit if that is less.

    Raises TimeoutError if nothing is left.
    """
    if _deadline.at is None:
        return timeout
    left = _deadline.at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit of the sending has passed")
    return left if timeout is None else min(timeout, left)


@contextmanager
def _within_limit(connection: socket.socket) -> Iterator[None]:
    own = connection.gettimeout()
    allowed = limited(own)
    if allowed == own:
        yield
        return
    connection.settimeout(allowed)
    try:
        yield
    finally:
        connection.settimeout(own)


class LimitedSocket(socket.socket):
    """A socket whose every wait counts against the time limit."""

    def recv(self, *args: Any) -> bytes:
        """Receive within the limit."""
        with _within_limit(self):
            return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Receive within the limit."""
        with _within_limit(self):
            return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        """Send within the limit."""
        with _within_limit(self):
            return super().send(*args)

    def sendall(self, *args: Any) -> None:
        """Send everything within the limit."""
        with _within_limit(self):
            super().sendall(*args)


class LimitedTlsSocket(ssl.SSLSocket):
    """An encrypted socket whose every wait counts against the time limit, its handshake included."""

    def do_handshake(self, block: bool = False) -> None:
        """Agree on the encryption within the limit."""
        with _within_limit(self):
            super().do_handshake(block)

    def recv(self, *args: Any) -> bytes:
        """Receive within the limit."""
        with _within_limit(self):
            return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Receive within the limit."""
        with _within_limit(self):
            return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        """Send within the limit; ``sendall`` calls this."""
        with _within_limit(self):
            return super().send(*args)


def connect_within_limit(host: str, port: int, timeout: float | None) -> LimitedSocket:
    """Connect to the first address of ``host`` that answers, each within ``timeout`` and all within the limit.

    Raises OSError if none does.
    """
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = LimitedSocket(family, kind, protocol)
        try:
            connection.settimeout(limited(timeout))
            connection.connect(address)
            connection.settimeout(timeout)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure
