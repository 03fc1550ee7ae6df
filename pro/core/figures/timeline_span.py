"""A span on a participant's timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """An event with a duration, such as an adverse event.

    ``ends``: None while it is ongoing. ``text``: its label. ``grades``: (first day, grade) of each grading by a
    clinician, in order. ``event_id``: id of the adverse event, or 0.
    """

    starts: date
    ends: date | None
    text: str
    grades: tuple[tuple[date, int], ...] = ()
    event_id: int = 0
