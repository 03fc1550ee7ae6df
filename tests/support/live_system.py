"""Run the complete system: gunicorn and the worker as processes, and a real mail server."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from app import ROOT, make_app_context
from pro import db
from pro.app_context import AppContext
from pro.config import Config
from tests.support.certificate import make_certificate
from tests.support.postgres_server import free_port

USER, PASSWORD = "epro", "a-mail-password"


@dataclass
class Mailbox:
    """The emails that the mail server received, in order, with the time of each."""

    letters: list[tuple[float, EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Store an email."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        letter = message_from_bytes(content, policy=policy.default)
        self.letters.append((time.monotonic(), letter))
        return "250 kept"

    def wait(self, fits: Callable[[EmailMessage], bool], seconds: float = 15) -> EmailMessage:
        """Return the first matching email as soon as it arrives.

        Raises AssertionError after ``seconds``.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _at, letter in list(self.letters):
                if fits(letter):
                    return letter
            time.sleep(0.05)
        raise AssertionError(f"no such letter among {[str(letter['Subject']) for _at, letter in self.letters]}")


@dataclass
class Site:
    """A running system. ``app_context``: a context of the test on the same database."""

    url: str
    app_context: AppContext
    mailbox: Mailbox
    logs: Path
    web_pid: int
    worker_pid: int


@contextmanager
def mail_server(folder: Path) -> Iterator[tuple[Mailbox, int, Path]]:
    """Run a mail server that requires STARTTLS and a login.

    Yields its mailbox, its port, and the certificate to trust.
    """
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        # handled=False: aiosmtpd itself answers a refused login; otherwise the client would hang.
        return AuthResult(success=right, handled=False)

    # aiosmtpd warns about itself at every login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=check,
    )
    controller.start()
    try:
        yield mailbox, port, certificate
    finally:
        controller.stop()


def environment(**settings: str | int | Path) -> dict[str, str]:
    """Return this process's environment with ``PRO_*`` settings and without proxy settings."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PRO_") and not k.lower().endswith("_proxy")}
    return plain | {"PYTHONWARNINGS": "default"} | {name: str(value) for name, value in settings.items()}


@contextmanager
def running_process(arguments: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process; terminate it at the end, and kill it after ten seconds."""
    with log.open("ab") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)


def gunicorn(port: int, workers: int = 1) -> list[str]:
    """Return gunicorn's command line for this application."""
    sizes = ["--workers", str(workers), "--threads", "4"]
    return ["gunicorn", "--no-control-socket", *sizes, "--bind", f"127.0.0.1:{port}", "app:create_app()"]


def wait_for(url: str, seconds: float = 120) -> None:
    """Wait until ``url`` answers 200. Raises AssertionError after ``seconds``."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with opener.open(url, timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {seconds} s")


@contextmanager
def running_system(
    folder: Path, database_url: str = "", workers: int = 1, more: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Start the system on a fresh database in ``folder``; stop it at the end.

    ``database_url``: an existing database instead; ``more``: settings that differ.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    database_url = database_url or f"sqlite:///{folder / 'pro.sqlite3'}"
    with mail_server(folder) as (mailbox, mail_port, certificate):
        env = environment(
            PRO_DATABASE_URL=database_url,
            PRO_VAR_DIR=folder,
            PRO_BASE_URL=url,
            PRO_EMAIL="smtp",
            PRO_SMTP_PORT=mail_port,
            PRO_SMTP_USER=USER,
            PRO_SMTP_PASSWORD=PASSWORD,
            PRO_SMS="file",
            SSL_CERT_FILE=certificate,
        ) | dict(more or {})
        app_context = make_app_context(Config.from_env(env))
        db.upgrade(app_context.engine)
        web = running_process(gunicorn(port, workers), env, folder / "web.log")
        worker = running_process(["flask", "worker", "--forever"], env, folder / "worker.log")
        try:
            with web as web_process, worker as worker_process:
                wait_for(f"{url}/health")
                yield Site(url, app_context, mailbox, folder, web_process.pid, worker_process.pid)
        finally:
            app_context.engine.dispose()
