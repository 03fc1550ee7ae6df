"""Test email with a real SMTP server, and with a connection that fails at every step."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pro.messaging.providers.smtp_email import SmtpEmail
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable
from tests.messaging.letters import make_letter
from tests.support.certificate import make_certificate
from tests.support.postgres_server import free_port

USER, PASSWORD, FROM = "epro", "a-mail-password", "ePRO 试验 <epro@hospital.example>"


@dataclass
class Postbox:
    """The emails that the server received, and its answer at each step instead of "250"."""

    says: dict[str, str] = field(default_factory=dict)
    letters: list[EmailMessage] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)

    async def handle_MAIL(self, _s: Any, _e: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        """Store the sender's address."""
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(self, _s: Any, _e: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        """Store the recipient's address."""
        envelope.rcpt_tos.append(address)
        return self.says.get("RCPT", "250 OK")

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Store the email."""
        if "DATA" in self.says:
            return self.says["DATA"]
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        self.tls.append(session.ssl is not None)
        return "250 kept"


@dataclass
class Server:
    """A running server and its address."""

    postbox: Postbox
    port: int

    def sender(self, **changes: Any) -> SmtpEmail:
        """Return a sender with the right settings, or with ``changes``."""
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "mail_from": FROM,
            "user": USER,
            "password": PASSWORD,
            "timeout": 5,
        }
        return SmtpEmail(**(given | changes))


def check_log_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    """Check the login.

    handled=False: aiosmtpd itself answers a refused login; otherwise the client would hang.
    """
    right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a server that requires STARTTLS and a login, and whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    postbox, port = Postbox(), free_port()
    controller = Controller(
        postbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=check_log_in,
    )
    controller.start()
    yield Server(postbox, port)
    controller.stop()


def make_mail(**changes: Any) -> Letter:
    """Return a Chinese alert, with ``changes``."""
    return make_letter(
        **{
            "channel": "email",
            "address": "nurse@hospital.example",
            "subject": "危急：NC-007有新警报待确认",
            "text": "危急：NC-007 有新警报待确认\n\nhttps://epro.example.org/staff/alerts/42\n",
            "template": "alert",
            "language": "zh_Hans",
        }
        | changes
    )


def test_a_mail_arrives_encrypted_and_whole(server: Server) -> None:
    reference = server.sender().send(make_mail())
    (mail,) = server.postbox.letters
    assert server.postbox.tls == [True]
    assert mail["Subject"] == "危急：NC-007有新警报待确认"
    assert mail["From"] == "ePRO 试验 <epro@hospital.example>"
    assert mail["To"] == "nurse@hospital.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Mon, 02 Mar 2026 01:00:00 +0000"
    assert mail["Message-ID"] == reference == "<0123456789abcdef0123456789abcdef@hospital.example>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    assert mail.get_content().splitlines() == make_mail().text.splitlines()


def test_a_mail_that_is_sent_again_can_be_recognised(server: Server) -> None:
    for _time in range(2):
        server.sender().send(make_mail())
    assert len({mail["Message-ID"] for mail in server.postbox.letters}) == 1


def test_english_is_readable_as_it_stands(server: Server) -> None:
    server.sender().send(make_mail(subject="Urgent: alert", text="A line\n.\nthe last line\n", language="en"))
    assert server.postbox.letters[0]["Content-Transfer-Encoding"] == "7bit"
    assert server.postbox.letters[0].get_content().splitlines() == ["A line", ".", "the last line"]


@pytest.mark.parametrize(
    ("step", "reply", "failure", "reason"),
    [
        ("MAIL", "451 later", ProviderUnreachable, "server_busy:451"),
        ("MAIL", "550 not you", ProviderUnreachable, "sender_refused:550"),
        ("RCPT", "450 greylisted", ProviderUnreachable, "server_busy:450"),
        ("RCPT", "452 full", ProviderUnreachable, "server_busy:452"),
        ("RCPT", "530 log in", ProviderUnreachable, "log_in_refused:530"),
        ("RCPT", "550 no such person", ProviderRefused, "address_refused:550"),
        ("RCPT", "553 not allowed", ProviderRefused, "address_refused:553"),
        ("DATA", "451 later", ProviderUnreachable, "server_busy:451"),
        ("DATA", "554 unwanted", ProviderRefused, "text_refused:554"),
    ],
)
def test_each_answer_becomes_one_of_two_failures(
    server: Server, step: str, reply: str, failure: type[ProviderUnreachable] | type[ProviderRefused], reason: str
) -> None:
    server.postbox.says[step] = reply
    with pytest.raises(failure) as failed:
        server.sender().send(make_mail())
    assert getattr(failed.value, "reason", "") == reason
    assert getattr(failed.value, "maybe_sent", False) is False
    assert server.postbox.letters == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "log_in_refused"),
        ({"user": ""}, "log_in_refused:530"),
        ({"starttls": False, "user": ""}, "log_in_refused:530"),
        ({"starttls": False}, "not_supported"),
    ],
)
def test_wrong_settings_wait_to_be_mended(server: Server, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderUnreachable) as failed:
        server.sender(**changes).send(make_mail())
    assert failed.value.reason == reason


def test_an_unknown_certificate_is_not_trusted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ProviderUnreachable) as failed:
        server.sender().send(make_mail())
    assert failed.value.reason == "certificate"
    assert server.postbox.letters == []


def test_a_certificate_for_another_name_is_not_trusted(server: Server) -> None:
    with pytest.raises(ProviderUnreachable) as failed:
        server.sender(host="localhost").send(make_mail())
    assert failed.value.reason == "certificate"


@pytest.mark.parametrize("address", ["护士@hospital.example", "a@b.example\r\nBcc: c@d.example"])
def test_an_address_that_cannot_be_written_is_refused(server: Server, address: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        server.sender().send(make_mail(address=address))
    assert refused.value.reason == "address_malformed"


def test_no_failure_tells_the_address(server: Server) -> None:
    server.postbox.says["RCPT"] = "550 nurse@hospital.example is unknown"
    with pytest.raises(ProviderRefused) as refused:
        server.sender().send(make_mail())
    assert "nurse@" not in f"{refused.value!r} {refused.value.__cause__!r}"


@contextmanager
def broken_line(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that follows ``talk`` with its first client, then closes; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            caller, _address = listener.accept()
            with caller:
                caller.settimeout(10)
                talk(caller)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)


def say(caller: socket.socket, *lines: str) -> None:
    """Send each line after receiving one."""
    for line in lines:
        caller.recv(4096)
        caller.sendall(f"{line}\r\n".encode())


def plain_sender(port: int) -> SmtpEmail:
    """Return a sender without encryption and login, with a short timeout."""
    return SmtpEmail(host="127.0.0.1", port=port, mail_from=FROM, starttls=False, timeout=0.5)


def test_a_refused_connection_is_tried_again() -> None:
    with pytest.raises(ProviderUnreachable) as failed:
        plain_sender(free_port()).send(make_mail())
    assert (failed.value.reason, failed.value.maybe_sent) == ("no_line:connect", False)


@pytest.mark.parametrize("banner", ["421 too busy", "554 go away"])
def test_a_server_that_does_not_want_to_talk_is_tried_again(banner: str) -> None:
    with (
        broken_line(lambda caller: caller.sendall(f"{banner}\r\n".encode())) as port,
        pytest.raises(ProviderUnreachable) as failed,
    ):
        plain_sender(port).send(make_mail())
    assert failed.value.reason == f"server_busy:{banner[:3]}"


def test_a_silent_server_is_not_waited_for_for_ever() -> None:
    done = threading.Event()
    with broken_line(lambda _caller: (done.wait(10), None)[1]) as port:
        with pytest.raises(ProviderUnreachable) as failed:
            plain_sender(port).send(make_mail())
        done.set()
    assert (failed.value.reason, failed.value.maybe_sent) == ("time_out:connect", False)


def test_a_line_that_breaks_before_the_text_was_certainly_not_sent() -> None:
    def talk(caller: socket.socket) -> None:
        caller.sendall(b"220 here\r\n")
        say(caller, "250 here", "250 sender fine")
        caller.recv(4096)

    with broken_line(talk) as port, pytest.raises(ProviderUnreachable) as failed:
        plain_sender(port).send(make_mail())
    assert (failed.value.reason, failed.value.maybe_sent) == ("no_line:recipient", False)


@pytest.mark.parametrize("silent", [True, False])
def test_a_line_that_breaks_after_the_text_may_have_been_sent(silent: bool) -> None:
    done = threading.Event()

    def talk(caller: socket.socket) -> None:
        caller.sendall(b"220 here\r\n")
        say(caller, "250 here", "250 sender fine", "250 reader fine", "354 go on")
        caller.recv(65536)
        if silent:
            done.wait(10)

    with broken_line(talk) as port:
        with pytest.raises(ProviderUnreachable) as failed:
            plain_sender(port).send(make_mail())
        done.set()
    assert (failed.value.reason, failed.value.maybe_sent) == ("time_out:text" if silent else "no_line:text", True)


def test_a_line_that_breaks_after_the_yes_changes_nothing() -> None:
    def talk(caller: socket.socket) -> None:
        caller.sendall(b"220 here\r\n")
        say(caller, "250 here", "250 sender fine", "250 reader fine", "354 go on", "250 kept")

    with broken_line(talk) as port:
        assert plain_sender(port).send(make_mail()).startswith("<0123456789abcdef")
