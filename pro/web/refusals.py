"""Refusals: sentences for staff on why an action was refused and what to do.

This module holds the shared ones; each feature adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping


def N_(text: str) -> str:  # noqa: N802  name that gettext tools search for
    """Mark ``text`` for translation, without translating it."""
    return text


# By the ``why`` of a failure or of a field. Each feature adds its refusals in ``pages/labels.py``.
REFUSALS: dict[str, str] = {
    "unknown": N_("Please choose one of those shown."),
    "date_needed": N_("Please give the date as year, month and day, such as 2026-11-22."),
    "call_outcome": N_("Please choose what came of the call."),
    "call_at": N_("Please give the day and the time of the call, such as 2026-11-22 14:30."),
    "call_in_future": N_("This time has not come yet. Please check when you called."),
    "call_long_ago": N_("This is more than a year ago. Please check when you called."),
    "too_long": N_("This text is too long. Please shorten it."),
    "plan_gone": N_("The study plan of this participant is no longer installed, so no form can be sent or entered."),
    "why_needed": N_("Please write the reason."),
}


def add(sentences: Mapping[str, str]) -> Mapping[str, str]:
    """Add the refusals of a feature and return them. Raise ValueError for a key already used."""
    duplicates = sentences.keys() & REFUSALS.keys()
    if duplicates:
        raise ValueError(f"refused twice: {sorted(duplicates)}")
    REFUSALS.update(sentences)
    return sentences
