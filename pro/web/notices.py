"""Notices: one sentence after a post, shown once on the next page. Each feature adds its own in ``pages/labels.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, flash, url_for
from markupsafe import Markup

from pro.web import labels, request_context

Values = Mapping[str, Any]


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802  as N_, for a sentence with a number
    """Mark a sentence and its plural for translation without translating them yet; the number is ``%(num)s``."""
    return one, many


@dataclass(frozen=True, slots=True)
class Link:
    """A link behind the sentence. ``address`` makes its URL from the values of the notice."""

    words: str
    address: Callable[[Values], str]


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence. ``forms``: singular, and plural where it counts. ``good``: what was meant to happen has happened.

    ``fill``: values that are made of the given ones, or of the study; the given ones fill the other gaps.
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
    """Add a notice; ValueError if ``key`` has one. ``sentence``: marked by ``N_``, or by ``NN_`` if it counts."""
    if key in NOTICES:
        raise ValueError(f"two notices for {key}")
    NOTICES[key] = Notice((sentence,) if isinstance(sentence, str) else sentence, good, fill, link)


def notify(key: str, **values: Any) -> None:
    """Say the notice ``key`` once on the next page.

    ``values`` fill its gaps: ``at`` is a time as ISO text, ``count`` chooses the plural and is ``%(num)s``.
    """
    flash({"key": key, **values})  # type: ignore[arg-type]


def page_address(endpoint: str, *, anchor: str | None = None, of: str) -> Callable[[Values], str]:
    """Make the address of ``endpoint`` from the value called ``of``, which is also the name in the address."""
    return lambda said: url_for(endpoint, _anchor=anchor, **{of: said[of]})


def name_or_words(empty: str) -> Callable[[Values], Values]:
    """Fill in ``name``, and where it is empty the words ``empty``, which are marked by ``N_``."""
    return lambda said: {"name": said["name"] or request_context.translator().gettext(empty)}


def is_good(said: Values) -> bool:
    """True if the notice says that something went as it was meant to."""
    return said["key"] in NOTICES and NOTICES[said["key"]].good


def notice_shown(said: Values, now: datetime) -> Markup:
    """The sentence of a notice in the page's language; empty for one that this version does not know any more."""
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
    # Sentences are ours, as in templates; what fills them is escaped.
    shown = Markup(sentence) % values  # noqa: S704
    if notice.link is None:
        return shown
    return shown + Markup(' <a href="{}">{}</a>').format(notice.link.address(said), words.gettext(notice.link.words))


def install(app: Flask) -> None:
    """Let the layout of staff pages show notices."""
    app.jinja_env.globals.update(notice_shown=notice_shown, notice_is_good=is_good)
