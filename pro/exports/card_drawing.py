"""Draw a card: HTML on standard input, JSON with PDF and PNG (base64) on standard output.

``card_pdf`` starts this module as a separate process for each card, because the libraries and a Chinese font take
150 MB of memory, which would stay in the process that serves pages. Exit status 3: some characters have no font.
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
# Enough for print, small enough to send; the long side of A4 becomes 2,339 pixels.
DOTS_PER_INCH = 200
QR = "qr:"


class _Warnings(logging.Handler):
    """Keeps the warnings of the library."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class _QrCodeFetcher(URLFetcher):
    """Draws the QR code of the text after ``qr:``; fetches no file and no address."""

    def __init__(self) -> None:
        super().__init__(fail_on_errors=True)

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Return the QR code as SVG. Raises ValueError for any other address."""
        if not url.startswith(QR):
            raise ValueError("a card holds nothing but itself")
        drawing = io.BytesIO()
        code = segno.make(unquote(url.removeprefix(QR)), error="m", micro=False)
        code.save(drawing, kind="svg", xmldecl=False, border=4, scale=4)
        return URLFetcherResponse(url, drawing.getvalue(), {"Content-Type": "image/svg+xml"})


def draw_card(html: str) -> tuple[bytes, bytes]:
    """Return the PDF with embedded fonts and a PNG of its first page.

    Raises LookupError if no font has some of the characters, ValueError if the library warns of anything else.
    """
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
    """Read HTML from standard input and write the files to standard output."""
    try:
        pdf, png = draw_card(sys.stdin.buffer.read().decode())
    except LookupError:
        sys.exit(NO_FONT)
    json.dump({name: base64.b64encode(data).decode() for name, data in (("pdf", pdf), ("png", png))}, sys.stdout)


if __name__ == "__main__":
    main()
