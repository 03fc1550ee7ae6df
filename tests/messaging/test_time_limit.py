"""Test that no server can stretch a sending beyond its limit: one that sends a byte now and then, at every step."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from pro.messaging.providers import time_limit
from pro.messaging.providers.alibaba_sms import AlibabaSms
from pro.messaging.providers.limited_http import LimitedAdapter
from pro.messaging.providers.smtp_email import SmtpEmail
from pro.messaging.providers.twilio_sms import TwilioSms
from pro.messaging.sender_protocol import ProviderUnreachable, Sender
from tests.messaging.letters import PHONE, make_letter
from tests.support.certificate import make_certificate
from tests.support.postgres_server import free_port

# Each byte comes long before the timeout of one wait; all of them would take half a minute.
LIMIT, TIMEOUT, PAUSE, DRIPS = 0.8, 5.0, 0.1, 300
Connection = socket.socket


def drip(connection: Connection, text: bytes = b"") -> None:
    """Send ``text``, then one byte after another, until the client hangs up."""
    connection.sendall(text)
    for _byte in range(DRIPS):
        connection.sendall(b"2")
        time.sleep(PAUSE)


@contextmanager
def server(talk: Callable[[Connection], None]) -> Iterator[int]:
    """Run a server that follows ``talk`` with its first client; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.settimeout(20)
                # The client hangs up.
                with suppress(OSError):
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)


def failure_in_time(sender: Sender, **letter: Any) -> ProviderUnreachable:
    """Send a letter; return the failure, which must come within the limit."""
    began = time.monotonic()
    with pytest.raises(ProviderUnreachable) as failed:
        sender.send(make_letter(**letter))
    assert LIMIT - 0.1 < time.monotonic() - began < LIMIT + 1.5
    return failed.value


# --- email -----------------------------------------------------------------------------------------------------------

STEPS = ("220 here", "250 hello", "250 sender fine", "250 reader fine", "354 go on")
MAIL = {"channel": "email", "address": "n@b.example"}


def smtp(port: int, **changes: Any) -> SmtpEmail:
    """Return a sender with a short limit."""
    given = {"starttls": False, "timeout": TIMEOUT, "limit": LIMIT} | changes
    return SmtpEmail(host="127.0.0.1", port=port, mail_from="epro@hospital.example", **given)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (0, "time_out:connect"),
        (1, "time_out:log_in"),
        (2, "time_out:sender"),
        (3, "time_out:recipient"),
        (4, "time_out:text"),
        (5, "time_out:text"),
    ],
)
def test_a_mail_server_that_drips(step: int, reason: str) -> None:
    def talk(connection: Connection) -> None:
        for number, line in enumerate(STEPS[:step]):
            if number:
                connection.recv(4096)
            connection.sendall(f"{line}\r\n".encode())
        if step:
            connection.recv(65536)
        drip(connection, b"2")

    with server(talk) as port:
        failure = failure_in_time(smtp(port), **MAIL)
    assert (failure.reason, failure.maybe_sent) == (reason, step >= 4)


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_mail_server_that_drips_after_starttls(
    encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def talk(connection: Connection) -> None:
        for line in ("220 here", "250-hello\r\n250 STARTTLS", "220 begin"):
            connection.sendall(f"{line}\r\n".encode())
            if line != "220 begin":
                connection.recv(4096)
        if not encrypted:
            drip(connection)
        with context.wrap_socket(connection, server_side=True) as safe:
            safe.recv(4096)
            drip(safe, b"2")

    with server(talk) as port:
        # Without encryption the client sees bytes that are no handshake, and ends at once.
        if encrypted:
            assert failure_in_time(smtp(port, starttls=True), **MAIL).reason == "time_out:log_in"
        else:
            with pytest.raises(ProviderUnreachable, match="no_line:log_in"):
                smtp(port, starttls=True).send(make_letter(**MAIL))


def test_a_handshake_that_never_ends() -> None:
    def talk(connection: Connection) -> None:
        for line in ("220 here", "250-hello\r\n250 STARTTLS", "220 begin"):
            connection.sendall(f"{line}\r\n".encode())
            connection.recv(4096)
        # The head of a handshake record of 16 kB, whose content drips.
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        drip(connection)

    with server(talk) as port:
        assert failure_in_time(smtp(port, starttls=True), **MAIL).reason == "time_out:log_in"


def test_a_server_that_reads_nothing_more() -> None:
    """Check a letter that is larger than what the system buffers."""

    def talk(connection: Connection) -> None:
        connection.sendall(b"220 here\r\n")
        for line in STEPS[1:]:
            connection.recv(4096)
            connection.sendall(f"{line}\r\n".encode())
        time.sleep(LIMIT + 2)

    with server(talk) as port:
        failure = failure_in_time(smtp(port), text="word " * 4_000_000, **MAIL)
    assert (failure.reason, failure.maybe_sent) == ("time_out:text", True)


def test_leaving_a_server_takes_no_time_from_the_letter() -> None:
    def talk(connection: Connection) -> None:
        connection.sendall(b"220 here\r\n")
        for line in STEPS[1:]:
            connection.recv(4096)
            connection.sendall(f"{line}\r\n".encode())
        connection.recv(65536)
        connection.sendall(b"250 kept\r\n")
        drip(connection)

    began = time.monotonic()
    with server(talk) as port:
        assert smtp(port, limit=30).send(make_letter(**MAIL))
    assert time.monotonic() - began < 5


# --- text messages ---------------------------------------------------------------------------------------------------


def twilio(port: int) -> TwilioSms:
    """Return a sender with a short limit."""
    # The client imports its parts when they are first used, which may take longer than the limit of these tests.
    assert Client("AC", "t").messages
    return TwilioSms(
        account="AC" + "0" * 32, token="t", sender="+15005550006", api_url=f"http://127.0.0.1:{port}",
        timeout=TIMEOUT, limit=LIMIT,
    )  # fmt: skip


def alibaba(port: int) -> AlibabaSms:
    """Return a sender with a short limit."""
    return AlibabaSms(
        key_id="k", key_secret="s", sign_name="n", api_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, limit=LIMIT
    )


@pytest.mark.parametrize("sender", [twilio, alibaba])
@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]
)
def test_a_gateway_that_drips(sender: Callable[[int], Sender], begin: bytes) -> None:
    def talk(connection: Connection) -> None:
        connection.recv(65536)
        drip(connection, begin)

    with server(talk) as port:
        failure = failure_in_time(sender(port), address=PHONE, template_id="SMS_1")
    assert failure.maybe_sent
    assert failure.reason.partition(":")[0] in ("time_out", "no_line")


def test_an_encrypted_gateway_that_drips(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def talk(connection: Connection) -> None:
        with context.wrap_socket(connection, server_side=True) as safe:
            safe.recv(65536)
            drip(safe, b"HTTP/1.1 200 OK\r\nX-Slow: ")

    with server(talk) as port, requests.Session() as session:
        session.mount("https://", LimitedAdapter())
        began = time.monotonic()
        with pytest.raises(requests.RequestException), time_limit.time_limit(LIMIT):
            session.get(f"https://127.0.0.1:{port}/", verify=str(certificate), timeout=TIMEOUT)
        assert LIMIT - 0.1 < time.monotonic() - began < LIMIT + 1.5


def test_an_untrusted_gateway_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path))

    def talk(connection: Connection) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with server(talk) as port, requests.Session() as session:
        session.mount("https://", LimitedAdapter())
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://127.0.0.1:{port}/", timeout=TIMEOUT)


def test_a_connection_is_used_again_after_the_limit_of_one_call() -> None:
    """Check that what was left of one call's limit is no limit of the next call over the same connection."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    def talk(connection: Connection) -> None:
        for pause in (0.0, 0.6):
            connection.recv(65536)
            time.sleep(pause)
            connection.sendall(answer)

    with server(talk) as port, requests.Session() as session:
        session.mount("http://", LimitedAdapter())
        for limit in (0.4, 5):
            with time_limit.time_limit(limit):
                assert session.get(f"http://127.0.0.1:{port}/", timeout=TIMEOUT).json() == {}


# --- connecting ------------------------------------------------------------------------------------------------------


def addresses(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, int]) -> None:
    """Let every name have these addresses."""
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: entries)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda connection: connection.sendall(b"x")) as port:
        addresses(monkeypatch, ("127.0.0.1", free_port()), ("127.0.0.1", port))
        with time_limit.connect_within_limit("gateway.example", 1, TIMEOUT) as connection:
            assert (connection.recv(1), connection.gettimeout()) == (b"x", TIMEOUT)


def test_many_addresses_that_do_not_answer_share_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full:
        # A listener whose queue is full answers no further connection, as a firewall that drops packets.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):
            addresses(monkeypatch, *[address] * 5)
            began = time.monotonic()
            with pytest.raises(TimeoutError), time_limit.time_limit(LIMIT):
                time_limit.connect_within_limit("gateway.example", 1, 0.5)
            assert time.monotonic() - began < LIMIT + 0.5


def test_a_name_without_an_address_was_never_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses(monkeypatch)
    with pytest.raises(ProviderUnreachable, match="no_line:connect") as failed:
        twilio(1).send(make_letter())
    assert not failed.value.maybe_sent
    with requests.Session() as session:
        session.mount("http://", LimitedAdapter())
        with pytest.raises(requests.ConnectionError) as refused:
            session.get("http://gateway.example/")
    assert isinstance(refused.value.args[0].reason, NewConnectionError)


def test_a_limit_within_a_limit() -> None:
    assert time_limit.limited(3) == 3
    with time_limit.time_limit(0.5), time_limit.time_limit(60):
        assert 0 < (time_limit.limited(None) or 0) <= 0.5
        with time_limit.time_limit(-1), pytest.raises(TimeoutError):
            time_limit.limited(3)
        assert time_limit.limited(0.01) == 0.01
    assert time_limit.limited(None) is None
