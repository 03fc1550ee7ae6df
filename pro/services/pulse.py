"""Is the worker alive? Every loop of its round leaves a heartbeat."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from pro.models import Heartbeat
from pro.work import Work

LOOPS = ("judge_idle", "digests", "outbox", "audit")
STALE = timedelta(seconds=60)


def beat(work: Work, name: str) -> None:
    """Leave a heartbeat for ``name``."""
    found = work.session.get(Heartbeat, name)
    if found is None:
        work.session.add(Heartbeat(name=name, at=work.now))
    else:
        found.at = work.now


def quiet_loops(work: Work) -> list[str]:
    """The loops that have not come round for a minute."""
    beats = {row.name: row.at for row in work.session.scalars(select(Heartbeat))}
    return [name for name in LOOPS if name not in beats or work.now - beats[name] > STALE]
