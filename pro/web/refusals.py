"""Refusals: sentences for staff on why an action was refused and what to do.

This module holds the shared ones; each feature adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from pro.i18n import CONTEXT_END


def N_(text: str) -> str:  # noqa: N802  name that gettext tools search for
    """Mark ``text`` for translation, without translating it."""
    return text


def NP_(context: str, text: str) -> str:  # noqa: N802  like N_, for a text with several meanings
    """Mark ``text`` for translation in the sense of ``context``; gettext takes the result as it takes ``text``."""
    return f"{context}{CONTEXT_END}{text}"


# By the ``why`` of a failure or of a field. Each feature adds its refusals in ``pages/labels.py``.
REFUSALS: dict[str, str] = {
    "unknown": N_("Choose one of the options shown."),
    "date_needed": N_("Enter the date as year, month and day, for example 2026-11-22."),
    "call_outcome": N_("Choose the outcome of the call."),
    "call_at": N_("Enter the date and time of the call, for example 2026-11-22 14:30."),
    "call_in_future": N_("This time is in the future. Check the time of the call."),
    "call_long_ago": N_("This is more than a year ago. Check the time of the call."),
    "too_long": N_("The text is too long. Shorten it."),
    "plan_gone": N_("The study plan of this participant is no longer installed, so no form can be sent or entered."),
    "why_needed": N_("Enter the reason."),
}


def add(sentences: Mapping[str, str]) -> Mapping[str, str]:
    """Add the refusals of a feature and return them. Raise ValueError for a key already used."""
    duplicates = sentences.keys() & REFUSALS.keys()
    if duplicates:
        raise ValueError(f"refused twice: {sorted(duplicates)}")
    REFUSALS.update(sentences)
    return sentences
