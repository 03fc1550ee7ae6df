"""QR codes as SVG inside a page, without an image to fetch and without styles."""

from __future__ import annotations

from importlib import import_module


def qr_code_svg(text: str) -> str:
    """Return ``text`` as one ``<svg>`` element, dark on light in every colour scheme."""
    # Imported at the first use, because most processes never draw a QR code.
    code = import_module("segno").make(text, error="m", micro=False)
    return str(code.svg_inline(svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff"))
