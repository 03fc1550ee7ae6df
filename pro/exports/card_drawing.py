"""Draws a card: a page of HTML on standard input becomes JSON with a PDF and a PNG (base64) on standard output.

A program of its own, started by ``card_pdf`` for each card: these libraries and a Chinese font take 150 MB, which must
not stay in the process that serves pages. Exit status 3: the machine has no font for some of the letters.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
from typing import Any
from urllib.parse import unquote

import pypdfium2
import segno
from weasyprint import HTML
from weasyprint.urls import URLFetcher, URLFetcherResponse

NO_FONT = 3
# Fine enough to print and small enough to send; a page of A4 becomes 2,339 pixels wide.
DOTS_PER_INCH = 200
QR = "qr:"


class _Warnings(logging.Handler):
    """Keeps what the library complains about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class _QrCodeFetcher(URLFetcher):
    """Gives the QR code of what follows ``qr:`` as a drawing. Nothing else is ever fetched: no file, no network."""

    def __init__(self) -> None:
        super().__init__(fail_on_errors=True)

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """The drawing. ValueError for any other address."""
        if not url.startswith(QR):
            raise ValueError("a card holds nothing but itself")
        drawing = io.BytesIO()
        code = segno.make(unquote(url.removeprefix(QR)), error="m", micro=False)
        code.save(drawing, kind="svg", xmldecl=False, border=4, scale=4)
        return URLFetcherResponse(url, drawing.getvalue(), {"Content-Type": "image/svg+xml"})


def draw_card(html: str) -> tuple[bytes, bytes]:
    """(PDF with its letters embedded, PNG of its first page). LookupError if letters would be missing."""
    warnings = _Warnings()
    logging.getLogger("weasyprint").addHandler(warnings)
    pdf = HTML(string=html, url_fetcher=_QrCodeFetcher()).write_pdf(pdf_variant="pdf/ua-1")
    if any(".notdef" in said for said in warnings.said):
        raise LookupError("no font for some letters")
    if warnings.said:
        raise ValueError("; ".join(warnings.said))
    image = pypdfium2.PdfDocument(pdf)[0].render(scale=DOTS_PER_INCH / 72).to_pil().convert("L")
    drawing = io.BytesIO()
    image.save(drawing, "PNG", optimize=True, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return pdf, drawing.getvalue()


def main() -> None:
    """Standard input to standard output."""
    try:
        pdf, png = draw_card(sys.stdin.buffer.read().decode())
    except LookupError:
        sys.exit(NO_FONT)
    json.dump({name: base64.b64encode(data).decode() for name, data in (("pdf", pdf), ("png", png))}, sys.stdout)


if __name__ == "__main__":
    main()
