"""The example of an installation names every setting, and really starts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pro.config import Config
from pro.errors import ConfigError
from tests.postgres import free_port

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
    assert all(re.search(r"SECRET_KEY|LOOKUP_KEY|DATA_KEYS", problem) for problem in refusal.value.problems)
    assert refusal.value.problems


def test_a_service_file_names_what_is_there() -> None:
    for unit in ("epro-web.service", "epro-worker.service"):
        text = (ROOT / "deploy" / unit).read_text(encoding="utf-8")
        assert "ProtectSystem=strict" in text
        assert "User=epro" in text
    assert "deploy/gunicorn.conf.py app:create_app()" in (ROOT / "deploy" / "epro-web.service").read_text()
    assert "flask tick --forever" in (ROOT / "deploy" / "epro-worker.service").read_text()


def test_half_a_request_does_not_keep_the_pages_from_ending(sqlite_url: str, tmp_path: Path) -> None:
    """A browser that holds a line open must not make gunicorn kill its worker, half a minute later."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers", "1"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", "app:create_app()"],
            cwd=ROOT,
            env={**os.environ, "PRO_DATABASE_URL": sqlite_url, "PRO_VAR_DIR": str(tmp_path)},
            stderr=log,
            start_new_session=True,
        )
        try:
            line = answering(port)
            line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            time.sleep(0.5)
            # As Ctrl-C does it: to the master and to its workers.
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(timeout=15) == 0
            line.close()
        finally:
            process.kill()
            process.wait()
    assert (tmp_path / "log").read_text() == ""


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
