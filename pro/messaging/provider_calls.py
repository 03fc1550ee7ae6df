"""Run calls to the providers, several at once, each in its own thread and within a time limit.

Uses no database: the ``subject`` of a call is only stored with it and returned with its outcome. A call that is over
its limit is abandoned: it is reported as ended without an outcome and no longer counts as one of its sender's calls.
Its thread goes on, and its late outcome is reported as well. A thread cannot be ended from outside, so the number of
abandoned threads is bounded: each one beyond ``at_once`` takes the place of a call.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

from pro.messaging.sender_protocol import ProviderRefused, ProviderUnreachable, Sender
from pro.models.message import Message

Subject = TypeVar("Subject")
Outcome = TypeVar("Outcome")
# Seconds after which a call is abandoned. The senders' own limit is shorter, because they know what was sent by then.
CALL_LIMIT = 45.0
# Calls that begin together end together: wait this many seconds so that one transaction stores them all.
LINGER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that this worker has claimed, as it was when claimed; ``by`` names this claim and no other."""

    message: Message
    by: str


@dataclass(frozen=True, slots=True)
class SentOutcome:
    """The provider accepted the message."""

    reference: str


CallOutcome = SentOutcome | ProviderUnreachable | ProviderRefused


@dataclass(frozen=True, slots=True)
class EndedCall(Generic[Subject, Outcome]):
    """A call that has ended, and its outcome; None if it is over its limit and goes on."""

    channel: str
    subject: Subject
    outcome: Outcome | None


@dataclass(slots=True, eq=False)
class _Call(Generic[Subject, Outcome]):
    channel: str
    subject: Subject
    ends_at: float
    future: Future[Outcome]
    abandoned: bool = False


class CallPool(Generic[Subject, Outcome]):
    """Calls that are under way, or ended and not released yet. One thread starts and releases them."""

    def __init__(self, limit: float = CALL_LIMIT, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._calls: tuple[_Call[Subject, Outcome], ...] = ()

    @property
    def busy(self) -> int:
        """Return how many calls are under way, or ended and not released, late outcomes included."""
        return sum(not call.abandoned or call.future.done() for call in self._calls)

    def free(self, channel: str, sender: Sender | None, ended: Sequence[EndedCall[Subject, Outcome]] = ()) -> int:
        """Return how many more letters ``sender`` takes once the calls ``ended`` are released.

        The total is the sender's ``at_once``, or 1 if it has none.
        """
        at_once = _most_calls(sender)
        over = {id(one.subject) for one in ended if one.outcome is None}
        gone = {id(one.subject) for one in ended if one.outcome is not None}
        calls = [call for call in self._calls if call.channel == channel and id(call.subject) not in gone]
        held = sum(not call.abandoned and id(call.subject) not in over for call in calls)
        return max(0, at_once - held - max(0, len(calls) - held - at_once))

    def is_blocked(self, channel: str, sender: Sender | None) -> bool:
        """Return True if abandoned calls that never end have taken every place of ``sender``."""
        hanging = sum(call.channel == channel and call.abandoned and not call.future.done() for call in self._calls)
        return hanging >= 2 * _most_calls(sender)

    def held(self) -> list[Subject]:
        """Return the subjects of the calls that are not released."""
        return [call.subject for call in self._calls if not call.abandoned]

    def running(self) -> list[Subject]:
        """Return the subjects of the calls within their limit that are not released. Any thread may ask."""
        now = self._monotonic()
        return [call.subject for call in self._calls if not call.abandoned and now < call.ends_at]

    def start_call(self, channel: str, subject: Subject, call: Callable[[], Outcome]) -> None:
        """Start ``call`` at once."""
        future: Future[Outcome] = Future()
        _run_in_thread(partial(_run, future, call))
        self._calls += (_Call(channel, subject, self._monotonic() + self._limit, future),)

    def wait(self, seconds: float, *, every: bool = False) -> bool:
        """Wait until a call (or ``every`` call) has ended or is over its limit. Return False after ``seconds``."""
        end = time.monotonic() + seconds
        calls = [call for call in self._calls if not call.abandoned or call.future.done()]
        while True:
            now, left = self._monotonic(), end - time.monotonic()
            open_calls = [call for call in calls if not call.future.done() and now < call.ends_at]
            ended = len(calls) - len(open_calls)
            if not open_calls or (ended and not every) or left <= 0:
                break
            first = min(left, *(call.ends_at - now for call in open_calls))
            wait([call.future for call in open_calls], first, ALL_COMPLETED if every else FIRST_COMPLETED)
        if ended and open_calls and not every:
            wait([call.future for call in open_calls], LINGER_SECONDS, ALL_COMPLETED)
        return not open_calls if every else bool(ended)

    def ended(self) -> list[EndedCall[Subject, Outcome]]:
        """Return the calls that ended or are over their limit and were not released. Raises what a call raised."""
        now = self._monotonic()
        found: list[EndedCall[Subject, Outcome]] = []
        for call in self._calls:
            if call.future.done():
                found.append(EndedCall(call.channel, call.subject, call.future.result()))
            elif now >= call.ends_at and not call.abandoned:
                found.append(EndedCall(call.channel, call.subject, None))
        return found

    def release(self, ended: Sequence[EndedCall[Subject, Outcome]]) -> None:
        """Free the calls whose outcomes are stored."""
        over = {id(one.subject) for one in ended if one.outcome is None}
        stored = {id(one.subject) for one in ended if one.outcome is not None}
        for call in self._calls:
            call.abandoned = call.abandoned or id(call.subject) in over
        self._calls = tuple(call for call in self._calls if id(call.subject) not in stored)

    def close(self) -> None:
        """Wait until every call has ended or is over its limit. Ended calls stay available to be stored."""
        self.wait(math.inf, every=True)


def _most_calls(sender: Sender | None) -> int:
    return int(getattr(sender, "at_once", 1))


def _run(future: Future[Outcome], call: Callable[[], Outcome]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


# The threads that have nothing to do, each by the queue that it waits at. Starting a thread costs a tenth of a call.
_idle: deque[SimpleQueue[Callable[[], None]]] = deque()


def _run_in_thread(work: Callable[[], None]) -> None:
    """Run ``work`` at once in an idle thread, or in a new one if there is none."""
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        # A daemon, so that a call that never ends cannot hold up the end of the process.
        threading.Thread(target=_work_on, args=(queue,), name="provider-call", daemon=True).start()
    queue.put(work)


def _work_on(queue: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        queue.get()()
        _idle.append(queue)
