"""Times that staff took to respond to alerts, and how many responses were in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

# Of the dots that are drawn; the count and the median are of all.
MOST_DOTS = 400


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """How staff responded to the alerts of one level.

    ``step``: "acknowledge" or "contact". ``limit``: minutes; 0 if it differs from alert to alert. ``n``: responses;
    ``median``: their median in minutes, None without any. ``in_time`` of ``due``: responses within the limit, of the
    alerts that had one or whose limit has passed. ``dots``: minutes of the newest responses.
    """

    level: int
    step: str
    limit: int
    n: int
    median: float | None
    in_time: int
    due: int
    dots: tuple[int, ...]


def response_times(
    level: int, step: str, limit: int, alerts: Iterable[tuple[datetime, datetime, datetime | None]], now: datetime
) -> ResponseTimes:
    """Return the figures of one level and step.

    ``alerts``: (raised, due, response or None) of each case, the oldest first.
    """
    minutes: list[int] = []
    in_time = due = 0
    for raised_at, due_at, responded_at in alerts:
        if responded_at is None:
            due += due_at < now
            continue
        due += 1
        in_time += responded_at <= due_at
        minutes.append(max(0, (responded_at - raised_at) // timedelta(minutes=1)))
    middle = float(median(minutes)) if minutes else None
    return ResponseTimes(level, step, limit, len(minutes), middle, in_time, due, tuple(minutes[-MOST_DOTS:]))
