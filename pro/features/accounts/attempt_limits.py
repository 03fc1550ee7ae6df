"""Count failed attempts at passwords, codes and PINs, and lock a key at its limit.

The counts are in the database, because every process must see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from pro.app_context import UnitOfWork
from pro.models import AccessAttempt

LOCK_DURATION = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Number of attempts left for a key; ``until``: end of the lock in UTC while it is 0."""

    left: int
    until: datetime | None


def allowance(work: UnitOfWork, kind: str, key: str, limit: int) -> Allowance:
    """Return how many of ``limit`` failed attempts in 15 minutes are left for ``key``.

    ``kind``: what is attempted ("password", "code", "pin", "signing", "factor"). ``key``: an address or an account, in
    clear text.
    """
    since = work.now - LOCK_DURATION
    query = select(AccessAttempt.at).where(
        AccessAttempt.kind == kind, AccessAttempt.key == _fingerprint(work, kind, key), AccessAttempt.at > since
    )
    times = sorted(work.session.scalars(query))
    left = max(limit - len(times), 0)
    return Allowance(left, None if left else times[-limit] + LOCK_DURATION)


def count_failure(work: UnitOfWork, kind: str, key: str) -> None:
    """Count one failed attempt for ``key``."""
    work.session.add(AccessAttempt(kind=kind, key=_fingerprint(work, kind, key), at=work.now))


def reset_failures(work: UnitOfWork, kind: str, key: str) -> None:
    """Delete the failed attempts of ``key`` after a correct password, code or PIN."""
    work.session.execute(
        delete(AccessAttempt).where(AccessAttempt.kind == kind, AccessAttempt.key == _fingerprint(work, kind, key))
    )


def _fingerprint(work: UnitOfWork, kind: str, key: str) -> str:
    """Return the stored form of ``key``, which may name a person or an address."""
    return work.vault.fingerprint(f"attempt:{kind}:{key}")
