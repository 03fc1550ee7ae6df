"""Words of the interface: catalogs, a translator for a given language, and dates."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE_LANGUAGE = "en"
LANGUAGES = ("zh_Hans", "en")
HTML_CODES: Mapping[str, str] = {"zh_Hans": "zh-Hans-CN", "en": "en"}
LANGUAGE_NAMES: Mapping[str, str] = {"zh_Hans": "中文", "en": "English"}
# Ends the context in the key of a text with several meanings, as in compiled catalogs.
CONTEXT_END = "\x04"


class SourceCatalog(NullTranslations):
    """The catalog of the source language: every text stands for itself, without its context."""

    def gettext(self, message: str) -> str:
        """Return ``message`` without its context."""
        return message.rpartition(CONTEXT_END)[2]


class CatalogWithContexts(Translations):
    """A catalog whose ``gettext`` also takes a text that was marked with its context."""

    def gettext(self, message: str) -> str:
        """Return the translation of ``message``, or ``message`` without its context."""
        return super().gettext(message).rpartition(CONTEXT_END)[2]


@dataclass(frozen=True, slots=True)
class Catalogs:
    """The words of the interface in every language."""

    by_language: Mapping[str, NullTranslations]

    def translator(self, language: str) -> Translator:
        """Return the translator for ``language``, or for another language if the interface lacks it."""
        spoken = choose_language(language, self.by_language)
        return Translator(spoken, self.by_language[spoken])


@dataclass(frozen=True, slots=True)
class Translator:
    """gettext in one language, independent of requests and global state."""

    language: str
    catalog: NullTranslations

    @property
    def html_code(self) -> str:
        """Return the language tag for ``<html lang>``."""
        return HTML_CODES[self.language]

    @property
    def other(self) -> str:
        """Return the language that the language switch offers."""
        return next(code for code in LANGUAGES if code != self.language)

    def gettext(self, text: str, **values: object) -> str:
        """Translate ``text``, which may be marked with a context, and fill in ``%(name)s``."""
        found = self.catalog.gettext(text)
        return found % values if values else found

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """Translate the plural form for ``number``, which is filled in as ``%(num)s``."""
        return self.catalog.ngettext(one, many, number) % {"num": number, **values}

    def when(self, at: datetime, zone: str, pattern: str) -> str:
        """Format ``at`` in time zone ``zone`` by a Babel ``pattern``, which is translated first."""
        local = at.astimezone(ZoneInfo(zone))
        return format_datetime(local, self.gettext(pattern), locale=Locale.parse(self.language))


def read_catalogs(folder: Path) -> Catalogs:
    """Read ``<folder>/<language>/LC_MESSAGES/messages.po``; the source language needs no file."""
    found: dict[str, NullTranslations] = {}
    for language in LANGUAGES:
        path = folder / language / "LC_MESSAGES" / "messages.po"
        if language == SOURCE_LANGUAGE and not path.exists():
            found[language] = SourceCatalog()
            continue
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
        compiled = BytesIO()
        write_mo(compiled, catalog)
        compiled.seek(0)
        found[language] = CatalogWithContexts(compiled)
    return Catalogs(found)


def choose_language(wished: str, available: Collection[str]) -> str:
    """Return the language of ``available`` for a reader of ``wished``; ``available`` is not empty.

    The same language, else the same language of another place ("en_GB" reads "en"), else the first of ``LANGUAGES``
    that is there, else the first by name. Every place that lacks a language falls back by this function.
    """
    if wished in available:
        return wished
    base = re.split("[-_]", wished, maxsplit=1)[0].lower()
    near = sorted(code for code in available if base and re.split("[-_]", code, maxsplit=1)[0].lower() == base)
    return next((code for code in (*near, *LANGUAGES) if code in available), "") or min(available)


def negotiate_language(*wishes: str | None) -> str:
    """Return the first supported language of ``wishes``, else the default language.

    A wish is a code of ``LANGUAGES``, an HTML language tag or an Accept-Language header.
    """
    for wish in wishes:
        for part in (wish or "").split(","):
            tag = part.split(";")[0].strip().lower().replace("_", "-")
            if tag.startswith("zh"):
                return "zh_Hans"
            if tag.startswith("en"):
                return "en"
    return LANGUAGES[0]
