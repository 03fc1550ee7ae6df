"""Stretches of time: what is left of one when others are taken away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From ``starts`` up to but not including ``ends``, both aware and in UTC."""

    starts: datetime
    ends: datetime

    def overlaps(self, other: Interval) -> bool:
        """True if some moment lies in both."""
        return self.starts < other.ends and other.starts < self.ends

    def intersection(self, other: Interval) -> Interval | None:
        """The part of this stretch that lies in ``other``; None if there is none."""
        return Interval(max(self.starts, other.starts), min(self.ends, other.ends)) if self.overlaps(other) else None


def subtract_intervals(whole: Interval, taken: Iterable[Interval]) -> list[Interval]:
    """What of ``whole`` lies in none of ``taken``, in order, never touching one another."""
    left, at = [], whole.starts
    for other in sorted(other for other in taken if other.overlaps(whole)):
        if other.starts > at:
            left.append(Interval(at, other.starts))
        at = max(at, other.ends)
    if at < whole.ends:
        left.append(Interval(at, whole.ends))
    return left
