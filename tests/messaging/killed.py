"""A worker that dies: delivers from the database named on the command line and is killed in the middle of a call.

Run as ``python -m tests.messaging.killed URL FILE``; the letter that it handed over is written to FILE first.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from pro import db
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from pro.messaging import outbox
from pro.messaging.sender import Letter
from pro.work import House


class Fatal:
    """Takes the letter, and takes the process with it before anybody learns of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, letter: Letter) -> str:
        """Keep the letter's id; never return."""
        self._path.write_text(letter.message_id)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("the process lives on")


def house(url: str, now: datetime) -> House:
    """A house without data files at a standing clock, with the settings of the demonstration."""
    config = Config(database_url=url)
    none = MappingProxyType[object, object]({})
    return House(
        config=config,
        catalogue=Catalogue(none, none, none, none, ()),  # type: ignore[arg-type]
        catalogs=Catalogs({}),
        engine=db.make_engine(url),
        vault=db.Vault(config.data_keys, config.lookup_key),
        clock=lambda: now,
    )


if __name__ == "__main__":
    here = house(sys.argv[1], datetime.fromisoformat(sys.argv[3]))
    fatal = Fatal(Path(sys.argv[2]))
    outbox.deliver(here, {"email": fatal, "sms": fatal}, "killed")
