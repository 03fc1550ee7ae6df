"""The example of an installation names every setting, and really starts."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pro.config import Config
from pro.errors import ConfigError
from tests.app.test_config import SAFE
from tests.support.postgres_server import free_port

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "deploy" / "env.example"


class Recorder(dict[str, str]):
    """An environment that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Note the question; know nothing."""
        self.asked.add(key)
        return default


def settings() -> dict[str, str]:
    """The settings of the example."""
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def test_the_example_names_every_setting_and_no_other() -> None:
    asked = Recorder()
    Config.from_env(asked)
    assert set(settings()) == {name for name in asked.asked if name.startswith("PRO_")}


def test_the_example_is_refused_until_its_secrets_are_changed() -> None:
    with pytest.raises(ConfigError) as refusal:
        Config.from_env(settings())
    assert {problem.split()[0] for problem in refusal.value.problems} == {
        "PRO_BASE_URL",
        "PRO_DATABASE_URL",
        "PRO_DATA_KEYS",
        "PRO_LOOKUP_KEY",
        "PRO_EMAIL_FROM",
        "PRO_SECRET_KEY",
        "PRO_SMTP_HOST",
        "PRO_SMTP_PASSWORD",
        "PRO_SMTP_USER",
        "PRO_TWILIO_ACCOUNT",
        "PRO_TWILIO_FROM",
        "PRO_TWILIO_TOKEN",
    }
    # A value is never repeated: it may be half a secret.
    assert not [problem for problem in refusal.value.problems if "CHANGE-ME" in problem]


def test_a_service_file_names_what_is_there() -> None:
    for unit in ("epro-web.service", "epro-worker.service"):
        text = (ROOT / "deploy" / unit).read_text(encoding="utf-8")
        assert "ProtectSystem=strict" in text
        assert "User=epro" in text
    assert "deploy/gunicorn.conf.py app:create_app()" in (ROOT / "deploy" / "epro-web.service").read_text()
    assert "flask worker --forever" in (ROOT / "deploy" / "epro-worker.service").read_text()


def production(*arguments: str, port: int) -> list[str]:
    """The command of the service file, on a port of this machine."""
    bind = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "gunicorn", "--config", *arguments, "--bind", bind, "app:create_app()"]


def start(folder: Path, **settings: str) -> tuple[int, str, list[bytes]]:
    """Start the production command with ``settings`` until it ends: its status, what it prints, what systemd hears."""
    heard = []
    given = {"NOTIFY_SOCKET": str(folder / "notify"), "PRO_MODE": "production", "PRO_VAR_DIR": str(folder)}
    given["PRO_DATABASE_URL"] = f"sqlite:///{folder}/none.sqlite3"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(given["NOTIFY_SOCKET"])
        systemd.setblocking(False)
        done = subprocess.run(
            production("deploy/gunicorn.conf.py", port=free_port()),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | given | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(systemd.recv(1024))
    return done.returncode, done.stdout + done.stderr, heard


def test_a_refused_start_ends_with_its_status_and_says_everything_once(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    plans.mkdir()
    (plans / "second.yaml").write_text("id: second\nsettings: {hotline: 12-34}\n", encoding="utf-8")
    days = tmp_path / "days.yaml"
    days.write_text("off: [2027-02-31]\n", encoding="utf-8")
    status, printed, heard = start(
        tmp_path, PRO_SECRET_KEY="short", PRO_PLANS_DIR=str(plans), PRO_DAYS_FILE=str(days), PRO_SMTP_PORT="mail"
    )
    assert status == 3
    assert heard == []
    for found in ("PRO_SECRET_KEY must", "PRO_SMTP_PORT must", "second.yaml: rules:", "second.yaml: settings.hotline:"):
        assert printed.count(found) == 1, printed
    assert printed.count("“2027-02-31” is not a date") == 1
    assert printed.count("This does not start") == 1


def test_a_refused_start_names_demonstration_data_and_old_tables_beside_the_settings(tmp_path: Path) -> None:
    status, printed, heard = start(tmp_path, PRO_SECRET_KEY="short", PRO_DATA_KEYS="none")
    assert (status, heard) == (3, [])
    for found in (
        "PRO_SECRET_KEY must",
        "PRO_DATA_KEYS has a value",
        "settings.demonstration is true",
        "settings.hotline is no telephone number",
        "The database schema is outdated",
    ):
        assert printed.count(found) == 1, printed


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    plans, port = tmp_path / "plans", free_port()
    plans.mkdir()
    text = (ROOT / "pro/data/plans/npc_reirradiation.yaml").read_text(encoding="utf-8")
    text = text.replace("demonstration: true", "demonstration: false").replace("+8679100000000", "+8679186543210")
    (plans / "npc_reirradiation.yaml").write_text(text.replace("0791-0000 0000", "0791-8654 3210"), encoding="utf-8")
    away = f"postgresql+psycopg://epro:a-pass@127.0.0.1:{port}/epro"
    settings = SAFE | {"PRO_PLANS_DIR": str(plans), "PRO_DATABASE_URL": away}
    status, printed, heard = start(tmp_path, **settings)
    # Not 3, so systemd tries again: the database of a machine that starts may be up a minute later.
    assert status == 75, printed
    assert "The database of PRO_DATABASE_URL does not answer" in printed
    assert "a-pass" not in printed
    assert heard == []


def test_a_worker_ends_with_the_status_that_it_ends_with(tmp_path: Path) -> None:
    """Without the check before (another configuration, a HUP), a refused worker still stops its master."""
    (tmp_path / "gunicorn.conf.py").write_text(
        (ROOT / "deploy/gunicorn.conf.py").read_text(encoding="utf-8") + "\ndel on_starting\n", encoding="utf-8"
    )
    done = subprocess.run(
        production(str(tmp_path / "gunicorn.conf.py"), "--workers", "1", port=free_port()),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PRO_MODE": "production", "PRO_SECRET_KEY": "short"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("This does not start") == 1


@contextlib.contextmanager
def gunicorn_runs(sqlite_url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start gunicorn with the settings of an installation; its log is the file ``log`` of ``folder``."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers", "1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "app:create_app()"],
            cwd=ROOT,
            env={**os.environ, "PRO_DATABASE_URL": sqlite_url, "PRO_VAR_DIR": str(folder)},
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait()


def test_half_a_request_does_not_keep_the_pages_from_ending(sqlite_url: str, tmp_path: Path) -> None:
    """A browser that holds a line open must not make gunicorn kill its worker, half a minute later."""
    with gunicorn_runs(sqlite_url, tmp_path) as (process, port):
        line = answering(port)
        line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        time.sleep(0.5)
        # As Ctrl-C does it: to the master and to its workers.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=15) == 0
        line.close()
    assert (tmp_path / "log").read_text() == ""


def test_a_refused_body_may_arrive_whole(sqlite_url: str, tmp_path: Path) -> None:
    """The connection is not reset while nginx still sends: it would lose the answer and show its own 503 page."""
    with gunicorn_runs(sqlite_url, tmp_path) as (_process, port):
        line = answering(port)
        for path, status, size in (("/nowhere", b"404", 200_000), ("/", b"413", 600_000)):
            line.close()
            line = socket.create_connection(("127.0.0.1", port), timeout=10)
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
            line.sendall(head.encode() + b"x" * (size // 2))
            assert line.recv(65536).startswith(b"HTTP/1.1 " + status)
            for _piece in range(4):
                time.sleep(0.1)
                line.sendall(b"x" * (size // 8))
        line.close()


def answering(port: int) -> socket.socket:
    """A line to ``port``, over which one page was asked for and came."""
    end = time.monotonic() + 60
    while True:
        try:
            line = socket.create_connection(("127.0.0.1", port), timeout=10)
            line.sendall(b"GET /no-such-page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 404")
            return line
        except OSError:
            assert time.monotonic() < end, "gunicorn did not answer in a minute"
            time.sleep(0.2)


def test_nginx_passes_no_numbers_on() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert re.search(r"location = /metrics \{\s*return 404;\s*\}", text)


@pytest.mark.journey
def test_the_example_starts() -> None:
    if not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    done = subprocess.run(
        ["sh", "deploy/try.sh"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "It works." in done.stdout
