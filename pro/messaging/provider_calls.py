"""Run calls to the providers, several at once, each in its own thread.

Uses no database: the ``subject`` of a call is only stored with it and returned with its outcome.
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
# Calls that begin together end together: wait this many seconds so that one transaction stores them all.
LINGER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that this worker has claimed for the length of the lease, as it was when claimed."""

    message: Message
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SentOutcome:
    """The provider accepted the message."""

    reference: str


@dataclass(frozen=True, slots=True)
class EndedCall(Generic[Subject, Outcome]):
    """A call that has ended, and its outcome."""

    channel: str
    subject: Subject
    outcome: Outcome


class CallPool(Generic[Subject, Outcome]):
    """Calls that are under way, or ended and not released yet. Not thread-safe."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._calls: dict[Future[Outcome], tuple[str, Subject]] = {}

    @property
    def busy(self) -> int:
        """Return how many calls are under way, or ended and not released."""
        return len(self._calls)

    def free(self, channel: str, sender: Sender | None) -> int:
        """Return how many more letters ``sender`` takes now.

        The total is the sender's ``at_once``, or 1 if it has none.
        """
        held = sum(name == channel for name, _subject in self._calls.values())
        return max(0, int(getattr(sender, "at_once", 1)) - held)

    def start_call(self, channel: str, subject: Subject, call: Callable[[], Outcome]) -> None:
        """Start ``call`` at once."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, "line")
        self._calls[self._pool.submit(call)] = (channel, subject)

    def wait(self, seconds: float, *, every: bool = False) -> bool:
        """Wait until a call (or ``every`` call) has ended. Return False after ``seconds``."""
        done, rest = wait(self._calls, seconds, ALL_COMPLETED if every else FIRST_COMPLETED)
        if done and rest and not every:
            wait(self._calls, LINGER_SECONDS, ALL_COMPLETED)
        return not rest if every else bool(done)

    def ended(self) -> list[EndedCall[Subject, Outcome]]:
        """Return the calls that ended and were not released. Raises what a call raised."""
        return [
            EndedCall(name, subject, future.result())
            for future, (name, subject) in list(self._calls.items())
            if future.done()
        ]

    def release(self, ended: Sequence[EndedCall[Subject, Outcome]]) -> None:
        """Free the calls whose outcomes are stored."""
        stored = {id(one.subject) for one in ended}
        self._calls = {future: call for future, call in self._calls.items() if id(call[1]) not in stored}

    def close(self) -> None:
        """Wait for every call and stop the threads. Ended calls stay available to be stored."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
