"""Settings of the pre-dose summary: answers to review before the next dose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreDoseSettings:
    """Contents of the pre-dose summary: ``stops`` and ``items`` of ``instrument``, both in the order shown.

    ``stops``: signs that may stop a dose or the radiotherapy; the summary begins with them.
    ``weight``: the item of that instrument that holds a weight. ``scored``: the instrument whose scores are summarised;
    "" for none. ``old_days``: an answer older than that does not describe the present condition, and the summary says
    so.
    """

    instrument: str
    stops: tuple[str, ...]
    items: tuple[str, ...]
    weight: str
    scored: str
    old_days: int
