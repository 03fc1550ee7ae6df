"""A body that breaks off or is no body gets a page from the real server, which serves on."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.support import live_system

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = FORM + "Transfer-Encoding: chunked\r\n"
BODIES = {
    "no size": (CHUNKED, b"hello\r\nworld\r\n0\r\n\r\n"),
    "huge size": (CHUNKED, b"FFFFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
    "negative size": (CHUNKED, b"-5\r\nabcde\r\n0\r\n\r\n"),
    "no terminator": (CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"),
    "breaks off": (CHUNKED, b"10\r\nabc"),
    "breaks off in a size": (CHUNKED, b"1"),
    "empty": (CHUNKED, b""),
    "binary": (CHUNKED, bytes(range(256))),
    "short": (FORM + "Content-Length: 100\r\n", b"code=1"),
    "multipart without end": (
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 60\r\n",
        b'--x\r\nContent-Disposition: form-data; name="code"\r\n\r\nabc\r\n--',
    ),
    "multipart without boundary": ("Content-Type: multipart/form-data\r\nContent-Length: 3\r\n", b"abc"),
    "bad charset": (FORM.replace("\r\n", "; charset=nonsense\r\n") + "Content-Length: 6\r\n", b"code=1"),
    "bad bytes": (FORM + "Content-Length: 12\r\n", b"code=%ff%fe1"),
}


def answer(url: str, path: str, head: str, body: bytes) -> bytes:
    """Send a POST as raw bytes, say that no more comes, and return what the server says."""
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    with socket.create_connection((host, port), timeout=40) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{head}\r\n".encode() + body)
        line.shutdown(socket.SHUT_WR)
        said = b""
        while part := line.recv(65536):
            said += part
    return said


@pytest.mark.parametrize("path", ["/", "/f/unknown/1", "/staff/sign-in", "/sms/twilio"])
@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_no_failure_of_the_program(live_site: live_system.Site, path: str, name: str) -> None:
    said = answer(live_site.url, path, *BODIES[name])
    status = said.split(b" ", 2)[1:2]
    assert status, "the server must answer"
    assert 400 <= int(status[0]) < 500, said[:300]
    assert answer(live_site.url, "/health", "Content-Length: 0\r\n", b"").startswith(b"HTTP/1.1 405")
