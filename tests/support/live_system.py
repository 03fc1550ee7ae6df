"""The whole system as it runs for people: gunicorn and the worker as processes, and a real mail server beside them."""

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

from app import ROOT, make_house
from pro import db
from pro.app_context import AppContext
from pro.config import Config
from tests.support.certificate import make_certificate
from tests.support.postgres_server import free_port

USER, PASSWORD = "epro", "a-mail-password"


@dataclass
class Mailbox:
    """What the mail server was handed, in order, with the time of each."""

    letters: list[tuple[float, EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keep a letter."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        letter = message_from_bytes(content, policy=policy.default)
        self.letters.append((time.monotonic(), letter))
        return "250 kept"

    def wait(self, fits: Callable[[EmailMessage], bool], seconds: float = 15) -> EmailMessage:
        """The first letter that fits, as soon as it is there. AssertionError after ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _at, letter in list(self.letters):
                if fits(letter):
                    return letter
            time.sleep(0.05)
        raise AssertionError(f"no such letter among {[str(letter['Subject']) for _at, letter in self.letters]}")


@dataclass
class Site:
    """A running system. ``house`` is a house of the test's own on the same database, to build participants with."""

    url: str
    app_context: AppContext
    mailbox: Mailbox
    logs: Path
    web_pid: int
    worker_pid: int


@contextmanager
def mail_server(folder: Path) -> Iterator[tuple[Mailbox, int, Path]]:
    """A mail server that insists on STARTTLS and a log-in: its mailbox, port, and certificate to trust."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        # handled=False: aiosmtpd itself answers a refused log-in; otherwise the client would hang.
        return AuthResult(success=right, handled=False)

    # aiosmtpd warns about itself at every log-in.
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
    """This process's environment with ``PRO_*`` settings and nothing of a proxy."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PRO_") and not k.lower().endswith("_proxy")}
    return plain | {"PYTHONWARNINGS": "default"} | {name: str(value) for name, value in settings.items()}


@contextmanager
def running_process(arguments: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end, asked first, killed after ten seconds."""
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
    """gunicorn's command line for this application."""
    sizes = ["--workers", str(workers), "--threads", "4"]
    return ["gunicorn", "--no-control-socket", *sizes, "--bind", f"127.0.0.1:{port}", "app:create_app()"]


def wait_for(url: str, seconds: float = 30) -> None:
    """Return when ``url`` answers 200. AssertionError after ``seconds``."""
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
    """Start everything on a fresh database in ``folder`` (or on ``database_url``), and stop it at the end.

    ``more``: settings that differ.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    database_url = database_url or f"sqlite:///{folder / 'pro.sqlite3'}"
    with mail_server(folder) as (mailbox, mail_port, certificate):
        env = environment(
            PRO_DATABASE_URL=database_url,
            PRO_VAR_DIR=folder,
            PRO_BASE_URL=url,
            PRO_MAIL="smtp",
            PRO_SMTP_PORT=mail_port,
            PRO_SMTP_USER=USER,
            PRO_SMTP_PASSWORD=PASSWORD,
            PRO_SMS="file",
            SSL_CERT_FILE=certificate,
        ) | dict(more or {})
        app_context = make_house(Config.from_env(env))
        db.upgrade(app_context.engine)
        web = running_process(gunicorn(port, workers), env, folder / "web.log")
        worker = running_process(["flask", "tick", "--forever"], env, folder / "worker.log")
        try:
            with web as web_process, worker as worker_process:
                wait_for(f"{url}/health")
                yield Site(url, app_context, mailbox, folder, web_process.pid, worker_process.pid)
        finally:
            app_context.engine.dispose()
