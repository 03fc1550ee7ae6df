"""Numbers of rows in addresses and hidden fields."""

from __future__ import annotations

# Of an INTEGER column; PostgreSQL refuses to compare a larger number with one.
LARGEST_ID = 2**31 - 1


def read_id(text: str) -> int | None:
    """Return the row id in ``text``; None if it is none: not ASCII digits, or larger than any id."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None
