"""The example of an installation names every setting, and really starts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pro.config import Config
from pro.errors import ConfigError

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
