"""Notices: one sentence after a post, shown once on the next page.

Each feature adds its notices in ``pages/labels.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, flash, url_for
from markupsafe import Markup

from pro.web import labels, request_context

Values = Mapping[str, Any]


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802  like N_, for a sentence with a number
    """Mark a sentence and its plural for translation, without translating them.

    The number is ``%(num)s``.
    """
    return one, many


@dataclass(frozen=True, slots=True)
class Link:
    """A link after the sentence. ``address`` returns its URL from the values of the notice."""

    words: str
    address: Callable[[Values], str]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice.

    ``forms``: the sentence, or its singular and plural. ``good``: True if it reports success. ``fill`` returns
    placeholder values that are computed from the given values or the study; the given values fill the rest.
    """

    forms: tuple[str, ...]
    good: bool = False
    fill: Callable[[Values], Values] | None = None
    link: Link | None = None


NOTICES: dict[str, Notice] = {}


def add(
    key: str,
    sentence: str | tuple[str, str],
    *,
    good: bool = False,
    fill: Callable[[Values], Values] | None = None,
    link: Link | None = None,
) -> None:
    """Add the notice ``key``. Raise ValueError if ``key`` already has one.

    ``sentence`` is marked by ``N_``, or by ``NN_`` if it has a plural.
    """
    if key in NOTICES:
        raise ValueError(f"two notices for {key}")
    NOTICES[key] = Notice((sentence,) if isinstance(sentence, str) else sentence, good, fill, link)


def notify(key: str, **values: Any) -> None:
    """Show the notice ``key`` once on the next page.

    ``values`` fill its placeholders: ``at`` is a time as ISO text, ``count`` chooses the plural and fills ``%(num)s``.
    """
    flash({"key": key, **values})  # type: ignore[arg-type]


def page_address(endpoint: str, *, anchor: str | None = None, of: str) -> Callable[[Values], str]:
    """Return a function that builds the URL of ``endpoint`` from the values of a notice.

    ``of`` names both the value and the URL parameter.
    """
    return lambda values: url_for(endpoint, _anchor=anchor, **{of: values[of]})


def name_or_words(empty: str) -> Callable[[Values], Values]:
    """Return a ``fill`` function for ``name``; ``empty``, marked by ``N_``, replaces no name."""
    return lambda values: {"name": values["name"] or request_context.translator().gettext(empty)}


def is_good(said: Values) -> bool:
    """Return True if the notice reports success."""
    return said["key"] in NOTICES and NOTICES[said["key"]].good


def notice_shown(said: Values, now: datetime) -> Markup:
    """Return the sentence of a notice in the page's language.

    Empty for a notice that this version of the application does not know.
    """
    notice = NOTICES.get(said["key"])
    if notice is None:
        return Markup("")
    words = request_context.translator().catalog
    values = dict(said)
    if "at" in said:
        values["at"] = labels.moment_shown(labels.parse_instant(said["at"]), now)
    if len(notice.forms) == 2:
        values["num"] = said["count"]
        sentence = words.ngettext(*notice.forms, said["count"])
    else:
        sentence = words.gettext(notice.forms[0])
    values |= notice.fill(said) if notice.fill else {}
    # Sentences come from the source code, as in templates; the values are escaped.
    shown = Markup(sentence) % values  # noqa: S704
    if notice.link is None:
        return shown
    return shown + Markup(' <a href="{}">{}</a>').format(notice.link.address(said), words.gettext(notice.link.words))


def install(app: Flask) -> None:
    """Register the functions that the layout of staff pages uses to show notices."""
    app.jinja_env.globals.update(notice_shown=notice_shown, notice_is_good=is_good)
