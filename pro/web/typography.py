"""Typography of both languages."""

from __future__ import annotations

from markupsafe import Markup, escape


def sentence_gap(language: str) -> str:
    """Return the separator between two sentences: "" in Chinese, else a space."""
    return "" if language.startswith("zh") else " "


def breakable(text: str) -> Markup:
    """Return ``text`` escaped, except its ``<wbr>`` tags."""
    return Markup(str(escape(text)).replace("&lt;wbr&gt;", "<wbr>"))  # noqa: S704  escaped just before
