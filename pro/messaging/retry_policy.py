"""How long the outbox goes on trying a message that could not be handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to go on trying: first pause, longest pause, and how many tries in all."""

    first: timedelta
    longest: timedelta
    tries: int


# An alert is tried for about a day, never more than five minutes apart; anything else for about three hours.
RETRY_POLICIES: Mapping[str, RetryPolicy] = {
    "prefer_duplicate": RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), 300),
    "prefer_silence": RetryPolicy(timedelta(seconds=30), timedelta(hours=1), 10),
}
LONGEST_RETRY_AFTER = timedelta(hours=6)


def retry_pause(tries: int, repeat: str, chance: float, retry_after: float | None = None) -> timedelta:
    """How long to wait after try number ``tries`` (from 1) that failed.

    Doubles from try to try up to the longest pause, then spread by ``chance`` (0 to 1) over 75 to 125 %, so that what
    failed together does not come back together. Never shorter than the provider's ``retry_after`` in seconds.
    """
    patience = RETRY_POLICIES[repeat]
    # Twenty doublings reach any longest pause; more would only overflow.
    plain = min(patience.first * (1 << min(tries - 1, 20)), patience.longest)
    spread = plain * (0.75 + chance / 2)
    if retry_after is None:
        return spread
    return max(spread, min(timedelta(seconds=retry_after), LONGEST_RETRY_AFTER))
