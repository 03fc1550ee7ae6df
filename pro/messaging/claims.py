"""Keep the claims of a living worker, and find those of a dead one.

A worker renews its claims while their calls run: ``Message.claimed_at`` is moved, ``claimed_by`` stays. A claim is free
``lease`` seconds after the last renewal. The clock of the machine may be set meanwhile. Therefore a worker that goes on
for long also counts by its own monotonic clock for how long it has seen a claim unchanged: a clock that is set forward
frees no claim that is renewed, and a clock that is set back keeps none that is not.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging.provider_calls import CALL_LIMIT, CallOutcome, CallPool, Claim
from pro.models.message import Message

log = logging.getLogger(__name__)
# Of the worker's name as much as fits into the column with the rest; a host name may be longer.
WORKER_LETTERS = 40


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim as its row has it: id, ``claimed_by`` and ``claimed_at``."""

    message_id: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTimes:
    """Seconds: between two renewals, until a claim is free after the last one, and until a call is abandoned.

    ``retry``: until a renewal that failed is tried again. ``wait``: how long a delivery waits for a call; a longer call
    is stored by a later one, because other work is due too.
    """

    renew: float = 15.0
    lease: float = 60.0
    limit: float = CALL_LIMIT
    retry: float = 1.0
    wait: float = 0.25


class ProviderCalls(CallPool[Claim, CallOutcome]):
    """The calls that a worker keeps from one ``deliver`` to the next, and the renewal of their claims.

    A provider that hangs therefore blocks nothing else. The renewal runs in a thread with its own connection, because
    the worker's other jobs may take long.
    """

    def __init__(self, times: ClaimTimes | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.times = times or ClaimTimes()
        super().__init__(self.times.limit, monotonic)
        self._renewal: threading.Event | None = None
        self._renewal_lock = threading.Lock()
        # Each claim as it was last seen -> when it was first seen so.
        self._seen: dict[StoredClaim, float] = {}

    def start_renewing(self, app_context: AppContext) -> None:
        """Renew the claims of the calls, also of those that start later, until none is within its limit."""
        with self._renewal_lock:
            if self._renewal is None:
                self._renewal = threading.Event()
                threading.Thread(
                    target=self._renew_until, args=(app_context, self._renewal), name="claim-renewal", daemon=True
                ).start()

    def stop_renewing(self) -> None:
        """Renew no more claims."""
        with self._renewal_lock:
            if self._renewal is not None:
                self._renewal.set()
                self._renewal = None

    def _renew_until(self, app_context: AppContext, stopped: threading.Event) -> None:
        pause = self.times.renew
        while not stopped.wait(pause):
            began = time.monotonic()
            with self._renewal_lock:
                claims = self.running()
                if not claims:
                    # A later call starts another thread.
                    self._renewal = None
                    return
            try:
                complete = renew_claims(app_context, claims)
            except Exception as error:
                complete = False
                log.error("claims not renewed error=%s", type(error).__name__)
            pause = max(0.0, self.times.renew - (time.monotonic() - began)) if complete else self.times.retry

    def find_lapsed(self, claims: Sequence[StoredClaim], now: datetime, *, by_clock_alone: bool) -> list[StoredClaim]:
        """Return those ``claims`` of other workers that are free at ``now``.

        ``claims``: every claim that is stored. ``by_clock_alone``: these calls are not kept until the next delivery.
        """
        ours = {claim.by for claim in self.held()}
        monotonic = self._monotonic()
        self._seen = {claim: self._seen.get(claim, monotonic) for claim in claims}
        lapsed = []
        for claim, first_seen in self._seen.items():
            unchanged = monotonic - first_seen
            expired = claim.at < now - timedelta(seconds=self.times.lease)
            # Two renewals missed: then it was not the clock that was set forward.
            confirmed = by_clock_alone or unchanged > 2 * self.times.renew
            if claim.by not in ours and ((expired and confirmed) or unchanged > self.times.lease):
                lapsed.append(claim)
        return lapsed


def new_claim_name(worker: str) -> str:
    """Return a value for ``claimed_by`` that no other claim has."""
    return f"{worker[:WORKER_LETTERS]}:{secrets.token_hex(8)}"


def read_claims(session: Session) -> list[StoredClaim]:
    """Return every claim that is stored, those of finished messages included."""
    query = select(Message.id, Message.claimed_by, Message.claimed_at).where(Message.claimed_at.is_not(None))
    return [StoredClaim(number, by or "", at) for number, by, at in session.execute(query) if at is not None]


def renew_claims(app_context: AppContext, claims: Sequence[Claim]) -> bool:
    """Renew ``claims`` that still hold; return False if a row was locked, so that it has to be tried again."""
    if not claims:
        return True
    pairs = [(claim.message.id, claim.by) for claim in claims]
    held = tuple_(Message.id, Message.claimed_by).in_(pairs)
    with transaction(app_context.engine) as session:
        # In the order of the rows and without waiting, so that the renewal and the storing of outcomes cannot block
        # each other.
        found = session.scalars(select(Message.id).where(held).order_by(Message.id).with_for_update(skip_locked=True))
        free = found.all()
        session.execute(
            update(Message)
            .where(Message.id.in_(free))
            .values(claimed_at=app_context.clock())
            .execution_options(synchronize_session=False)
        )
    return len(free) == len(pairs)
