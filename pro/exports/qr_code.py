"""A QR code as a drawing that stands in a page: no image to fetch, no style of its own."""

from __future__ import annotations

from importlib import import_module


def qr_code_svg(text: str) -> str:
    """``text`` as one ``<svg>`` element, dark on light whatever the page's colours are."""
    # Loaded by the first code that is drawn: most processes never draw one.
    code = import_module("segno").make(text, error="m", micro=False)
    return str(code.svg_inline(svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff"))
