"""Pages in several languages: the words and dates of each language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from pro.core.study_plan import PlanWords
from pro.i18n import HTML_CODES, Translator
from pro.web import request_context, typography


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """One language of a page: the study's words in it, and ``say`` to translate sentences.

    ``first``: True for the language that stands first on the page.
    """

    translator: Translator
    words: PlanWords
    first: bool

    @property
    def code(self) -> str:
        """Return the language code for the ``lang`` attribute."""
        return HTML_CODES[self.translator.language]

    @property
    def gap(self) -> str:
        """Return the separator between two sentences: "" in Chinese."""
        return typography.sentence_gap(self.translator.language)

    def say(self, text: str, **values: object) -> Markup:
        """Return ``text`` in this language. Translations are trusted, ``values`` are escaped."""
        return Markup(self.translator.gettext(text)) % values  # noqa: S704

    def when(self, at: datetime, pattern: str) -> str:
        """Return ``at`` in the page's zone and this language."""
        return self.translator.when(at, request_context.state().zone, pattern)
