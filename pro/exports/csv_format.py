"""CSV for spreadsheets: UTF-8 with byte order mark, RFC 4180, no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# A spreadsheet may run a cell that begins with one of these as a formula. Chinese keyboards type full-width
# signs, which count too.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
# Spaces and zero-width characters: a spreadsheet skips them, so a formula after them would run too.
_BLANK = re.compile(r"[\s\ufeff\u200b-\u200f\u2060]*")


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return ``header`` and ``rows`` as one file, each cell passed through ``escape_formula``."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + page.getvalue().encode()


def escape_formula(cell: str) -> str:
    """Return ``cell``, with a leading apostrophe if a spreadsheet could run it as a formula."""
    runs = cell.lstrip(" ").startswith(FORMULA) or _BLANK.sub("", cell, count=1).startswith(FORMULA)
    return f"'{cell}" if runs else cell
