"""Time intervals: overlap, intersection, subtraction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From ``starts`` up to but not including ``ends``, both timezone-aware and in UTC."""

    starts: datetime
    ends: datetime

    def overlaps(self, other: Interval) -> bool:
        """Return True if some point in time lies in both intervals."""
        return self.starts < other.ends and other.starts < self.ends

    def intersection(self, other: Interval) -> Interval | None:
        """Return the part of this interval that lies in ``other``; None if there is none."""
        return Interval(max(self.starts, other.starts), min(self.ends, other.ends)) if self.overlaps(other) else None


def subtract_intervals(whole: Interval, taken: Iterable[Interval]) -> list[Interval]:
    """Return the parts of ``whole`` that lie in none of ``taken``, in order.

    The parts never touch one another.
    """
    left, position = [], whole.starts
    for other in sorted(other for other in taken if other.overlaps(whole)):
        if other.starts > position:
            left.append(Interval(position, other.starts))
        position = max(position, other.ends)
    if position < whole.ends:
        left.append(Interval(position, whole.ends))
    return left
