"""A stretch of a participant's timeline, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """Something that lasts, as an adverse event: from ``starts`` to ``ends`` (None: it goes on), in words.

    ``grades``: from which day on a clinician gave it which, in order; ``event_id``: of the adverse event, or 0.
    """

    starts: date
    ends: date | None
    text: str
    grades: tuple[tuple[date, int], ...] = ()
    event_id: int = 0
