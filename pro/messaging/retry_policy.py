"""Decide how long the outbox retries a message that could not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to retry: the first pause, the longest pause, and the total number of tries."""

    first: timedelta
    longest: timedelta
    tries: int


# An alert is tried for about a day, at least every five minutes; any other message for about three hours.
RETRY_POLICIES: Mapping[str, RetryPolicy] = {
    "prefer_duplicate": RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), 300),
    "prefer_silence": RetryPolicy(timedelta(seconds=30), timedelta(hours=1), 10),
}
LONGEST_RETRY_AFTER = timedelta(hours=6)


def retry_pause(tries: int, repeat: str, chance: float, retry_after: float | None = None) -> timedelta:
    """Return how long to wait after failed try number ``tries`` (from 1).

    The pause doubles with every try up to the longest pause. It is then spread by ``chance`` (0 to 1) over 75 to 125 %,
    so that messages that failed together are not retried together. It is never shorter than the provider's
    ``retry_after`` in seconds.
    """
    policy = RETRY_POLICIES[repeat]
    # Twenty doublings reach any longest pause; more would only overflow.
    plain = min(policy.first * (1 << min(tries - 1, 20)), policy.longest)
    spread = plain * (0.75 + chance / 2)
    if retry_after is None:
        return spread
    return max(spread, min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER))
