"""Why something was refused, in sentences that staff can act on: what features share, and what each of them adds."""

from __future__ import annotations

from collections.abc import Mapping


def N_(text: str) -> str:  # noqa: N802  the name that gettext tools know
    """Mark ``text`` for translation without translating it yet."""
    return text


# By the ``why`` of a failure or of a field. A feature adds its own in ``pages/labels.py``.
REFUSALS: dict[str, str] = {
    "unknown": N_("Please choose one of those shown."),
    "date_needed": N_("Please give the date as year, month and day, such as 2026-11-22."),
    "call_outcome": N_("Please choose what came of the call."),
    "call_at": N_("Please give the day and the time of the call, such as 2026-11-22 14:30."),
    "call_in_future": N_("This time has not come yet. Please check when you called."),
    "call_long_ago": N_("This is more than a year ago. Please check when you called."),
    "too_long": N_("This text is too long. Please shorten it."),
    "why_needed": N_("Please write the reason."),
}


def add(sentences: Mapping[str, str]) -> Mapping[str, str]:
    """Add a feature's refusals and return them; ValueError for a key that has a sentence already."""
    double = sentences.keys() & REFUSALS.keys()
    if double:
        raise ValueError(f"refused twice: {sorted(double)}")
    REFUSALS.update(sentences)
    return sentences
