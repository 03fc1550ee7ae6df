"""Rows as CSV that spreadsheets open rightly: UTF-8 with its mark, RFC 4180, and no cell that runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# A cell that begins with one of these may be run when the file is opened.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """``header`` and ``rows`` as one file. A cell that could run gets an apostrophe in front."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + page.getvalue().encode()


def safe(cell: str) -> str:
    """``cell`` so that no spreadsheet runs it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
