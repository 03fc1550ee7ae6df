"""Count failed attempts at passwords, codes and PINs; lock a key at its limit, or only slow it down.

The counts are in the database, because every process must see them. Passwords lock. Codes and PINs of participants do
not, because many phones of a ward share one address: their answers only become slower, and a correct code always opens.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from pro.app_context import UnitOfWork
from pro.models import AccessAttempt

LOCK_DURATION = timedelta(minutes=15)
# Wrong codes or PINs of one browser that are answered at once; each further answer takes longer.
QUICK_TRIES = 10
DELAY_STEP = 0.25
LONGEST_DELAY = 2.0
# Wrong codes and PINs of the whole system in LOCK_DURATION from which on an alarm says that codes may be guessed.
CEILING = 200
PARTICIPANT_KINDS = ("code", "pin")
# An IPv6 subscriber has at least a /64, so addresses within it are one visitor.
IPV6_PREFIX = 64


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


def network_of(address: str) -> str:
    """Return ``address`` as attempts are counted: IPv4 as it is, IPv6 by its /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))


def delay_after(work: UnitOfWork, kind: str, key: str) -> float:
    """Return for how many seconds the answer to another failed attempt of ``key`` is held back."""
    since = work.now - LOCK_DURATION
    query = select(func.count()).where(
        AccessAttempt.kind == kind, AccessAttempt.key == _fingerprint(work, kind, key), AccessAttempt.at > since
    )
    number = work.session.scalar(query) or 0
    return min(max(number - QUICK_TRIES, 0) * DELAY_STEP, LONGEST_DELAY)


def count_guesses(work: UnitOfWork) -> int:
    """Return the number of wrong codes and PINs of the whole system in 15 minutes if it reaches CEILING, else 0."""
    query = select(func.count()).where(
        AccessAttempt.kind.in_(PARTICIPANT_KINDS), AccessAttempt.at > work.now - LOCK_DURATION
    )
    number = work.session.scalar(query) or 0
    return number if number >= CEILING else 0


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
