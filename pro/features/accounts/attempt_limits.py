"""Counting failed tries at secrets, so that guessing stops (limits live in the database: every process sees them)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from pro.app_context import UnitOfWork
from pro.models import AccessAttempt

LOCK_DURATION = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more tries a key has; ``until`` is set (UTC) while it has none."""

    left: int
    until: datetime | None


def allowance(work: UnitOfWork, kind: str, key: str, limit: int) -> Allowance:
    """What is left of ``limit`` failed tries in 15 minutes for ``key`` (an address or an account, in clear)."""
    since = work.now - LOCK_DURATION
    query = select(AccessAttempt.at).where(
        AccessAttempt.kind == kind, AccessAttempt.key == _fingerprint(work, kind, key), AccessAttempt.at > since
    )
    times = sorted(work.session.scalars(query))
    left = max(limit - len(times), 0)
    return Allowance(left, None if left else times[-limit] + LOCK_DURATION)


def count_failure(work: UnitOfWork, kind: str, key: str) -> None:
    """Count one failed try."""
    work.session.add(AccessAttempt(kind=kind, key=_fingerprint(work, kind, key), at=work.now))


def reset_failures(work: UnitOfWork, kind: str, key: str) -> None:
    """Start counting anew: the right secret was given."""
    work.session.execute(
        delete(AccessAttempt).where(AccessAttempt.kind == kind, AccessAttempt.key == _fingerprint(work, kind, key))
    )


def _fingerprint(work: UnitOfWork, kind: str, key: str) -> str:
    return work.vault.fingerprint(f"attempt:{kind}:{key}")
