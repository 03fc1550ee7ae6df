"""How texts of both languages are set."""

from __future__ import annotations

from markupsafe import Markup, escape


def sentence_gap(language: str) -> str:
    """What stands between two sentences: nothing in Chinese, whose full stop brings its own room."""
    return "" if language.startswith("zh") else " "


def breakable(text: str) -> Markup:
    """``text`` escaped, but with its ``<wbr>`` marks alive."""
    return Markup(str(escape(text)).replace("&lt;wbr&gt;", "<wbr>"))  # noqa: S704  escaped just before
