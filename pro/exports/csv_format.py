"""Rows as CSV that spreadsheets open rightly: UTF-8 with its mark, RFC 4180, and no cell that runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# A cell that begins with one of these may be run when the file is opened.
# Full-width signs, as a Chinese keyboard types them, are read like the others.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
# Blanks and marks without a width, which do not save a formula behind them.
_BLANK = re.compile(r"[\s\ufeff\u200b-\u200f\u2060]*")


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """``header`` and ``rows`` as one file. A cell that could run gets an apostrophe in front."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + page.getvalue().encode()


def escape_formula(cell: str) -> str:
    """``cell`` so that no spreadsheet runs it."""
    runs = cell.lstrip(" ").startswith(FORMULA) or _BLANK.sub("", cell, count=1).startswith(FORMULA)
    return f"'{cell}" if runs else cell
