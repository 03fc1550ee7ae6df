"""Do expensive work once for all processes of a parallel run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def shared_folder(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder that ``fill`` filled once for all processes of this run; treat it as read only.

    The first process that needs it fills it, and the others wait. If ``fill`` raises, the next process tries again.
    """
    base = factory.getbasetemp()
    # Under xdist each process has its own folder in that of the run.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir(exist_ok=True)
            fill(folder)
            done.touch()
    return folder
