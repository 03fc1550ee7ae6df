"""What the pre-dose card of a study holds: the answers to look at before the next dose is given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreDoseSettings:
    """``items`` of ``instrument`` in the order in which they are shown; ``weight`` is its item that holds a weight.

    ``scored``: the instrument whose scores are summed up; "" for none. ``old_days``: an answer older than that does not
    tell how somebody is today, and the card says so.
    """

    instrument: str
    items: tuple[str, ...]
    weight: str
    scored: str
    old_days: int
