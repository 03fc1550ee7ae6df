"""Lines to the providers: each holds one call, in a thread of its own; several letters are on their way at once.

No database in here: what a call is about (``subject``) is only kept beside it and handed back with its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pro.messaging.sender_protocol import Sender
from pro.models.message import Message

Subject = TypeVar("Subject")
Outcome = TypeVar("Outcome")
# More threads than all senders together ever take.
MAX_THREADS = 64
# Calls that begin together end together: waited for so long, in seconds, so that one transaction stores them all.
LINGER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours for the length of the lease, as it was when it was claimed."""

    message: Message
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SentOutcome:
    """A provider's yes."""

    reference: str


@dataclass(frozen=True, slots=True)
class EndedCall(Generic[Subject, Outcome]):
    """A call that is over, and what came of it."""

    channel: str
    subject: Subject
    outcome: Outcome


class CallPool(Generic[Subject, Outcome]):
    """Calls that are under way and calls that ended and were not ``forgotten`` yet. For one thread to hold."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._calls: dict[Future[Outcome], tuple[str, Subject]] = {}

    @property
    def busy(self) -> int:
        """How many calls are under way, or ended and not forgotten."""
        return len(self._calls)

    def free(self, channel: str, sender: Sender | None) -> int:
        """How many letters more ``sender`` takes now: as many in all as it says (``at_once``), else one."""
        held = sum(name == channel for name, _subject in self._calls.values())
        return max(0, int(getattr(sender, "at_once", 1)) - held)

    def start_call(self, channel: str, subject: Subject, call: Callable[[], Outcome]) -> None:
        """Begin ``call`` at once."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, "line")
        self._calls[self._pool.submit(call)] = (channel, subject)

    def wait(self, seconds: float, *, every: bool = False) -> bool:
        """Wait until a call has ended (or ``every`` one). False if that took longer than ``seconds``."""
        done, rest = wait(self._calls, seconds, ALL_COMPLETED if every else FIRST_COMPLETED)
        if done and rest and not every:
            wait(self._calls, LINGER_SECONDS, ALL_COMPLETED)
        return not rest if every else bool(done)

    def ended(self) -> list[EndedCall[Subject, Outcome]]:
        """The calls that are over, until they are forgotten. Raises what a call raised."""
        return [
            EndedCall(name, subject, future.result())
            for future, (name, subject) in list(self._calls.items())
            if future.done()
        ]

    def release(self, ended: Sequence[EndedCall[Subject, Outcome]]) -> None:
        """Their lines are free again: what came of them is stored."""
        stored = {id(one.subject) for one in ended}
        self._calls = {future: call for future, call in self._calls.items() if id(call[1]) not in stored}

    def close(self) -> None:
        """Wait for every call and let the threads go. What ended is still there to be stored."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
