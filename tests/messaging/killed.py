"""Run a worker that is killed in the middle of a provider call.

Run as ``python -m tests.messaging.killed URL FILE NOW [NUMBER]``. It delivers from the database at URL; each letter
that it sends is first written to FILE, one a line. With NUMBER it takes four at once and dies at that many.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter, Sender


class Fatal:
    """A sender that kills the process before the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, letter: Letter) -> str:
        """Store the letter's id; never return."""
        self._path.write_text(letter.message_id)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("the process lives on")


class FatalLater:
    """A sender of four letters at once that kills the process at number ``last``."""

    at_once = 4

    def __init__(self, path: Path, last: int) -> None:
        self._file = path.open("a", buffering=1)
        self._last = last
        self._four = threading.Barrier(self.at_once, self._meet)
        self._met = 0

    def _meet(self) -> None:
        self._met += self.at_once
        if self._met >= self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def send(self, letter: Letter) -> str:
        """Store the letter's id; return when four calls have come together."""
        self._file.write(f"{letter.message_id}\n")
        self._four.wait(60)
        return letter.message_id


def bare_app_context(url: str, now: datetime) -> AppContext:
    """Return an application context without data files, with a fixed clock."""
    config = Config(database_url=url)
    none = MappingProxyType[object, object]({})
    return AppContext(
        config=config,
        catalogue=Catalogue(none, none, none, none, ()),  # type: ignore[arg-type]
        catalogs=Catalogs({}),
        engine=db.make_engine(url),
        vault=db.Vault(config.data_keys, config.lookup_key),
        clock=lambda: now,
    )


if __name__ == "__main__":
    here = bare_app_context(sys.argv[1], datetime.fromisoformat(sys.argv[3]))
    heard = Path(sys.argv[2])
    fatal: Sender = FatalLater(heard, int(sys.argv[4])) if len(sys.argv) > 4 else Fatal(heard)
    outbox.deliver(here, {"email": fatal, "sms": fatal}, "killed", 1000)
