"""One page in several languages: the words and the dates of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from pro.core.study_plan import PlanWords
from pro.i18n import HTML_CODES, Translator
from pro.web import request_context, typography


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """One language of an error page: the study's words in it, and ``say`` for the sentences."""

    translator: Translator
    words: PlanWords
    first: bool

    @property
    def code(self) -> str:
        """The language as it stands in ``lang``."""
        return HTML_CODES[self.translator.language]

    @property
    def gap(self) -> str:
        """What stands between two sentences: nothing in Chinese."""
        return typography.sentence_gap(self.translator.language)

    def say(self, text: str, **values: object) -> Markup:
        """``text`` in this language. What translators wrote is trusted, the values are escaped."""
        return Markup(self.translator.gettext(text)) % values  # noqa: S704

    def when(self, at: datetime, pattern: str) -> str:
        """``at`` in the page's zone and this language."""
        return self.translator.when(at, request_context.state().zone, pattern)
