"""Words in a language that may be missing: another language is taken, and the gap is listed.

Every look-up of words goes through these mappings, so that no page and no message fails because of a language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pro.i18n import LANGUAGES, choose_language

Found = TypeVar("Found")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class LanguageGap:
    """Words that are missing in ``language`` and are shown in ``shown_in`` instead.

    ``part``: plan, instrument, terms or interface; ``name``: id of the plan, instrument or list of terms.
    """

    part: Literal["plan", "instrument", "terms", "interface"]
    name: str
    language: str
    shown_in: str

    @property
    def sentence(self) -> str:
        """Return the gap as a sentence for the person who starts the system."""
        what = {"plan": f"Plan {self.name}", "instrument": f"Instrument {self.name}", "terms": f"Terms {self.name}"}
        return f"{what.get(self.part, 'The interface')} has no words in “{self.language}”: shown in “{self.shown_in}”."


class WordsByLanguage(Mapping[tuple[str, str], Found], Generic[Found]):
    """Words by (id, language).

    ``words[id, language]`` always has a value: the words in that language, else in another one that the id has, else
    what ``absent`` makes of id and language. As with a defaultdict, ``get`` returns the default for an unknown id, and
    ``in`` tells whether there are words in exactly this language.
    """

    __slots__ = ("_absent", "_languages", "_words")

    def __init__(self, words: Mapping[tuple[str, str], Found], absent: Callable[[str, str], Found]) -> None:
        self._words = dict(words)
        self._absent = absent
        self._languages: dict[str, list[str]] = {}
        for name, language in self._words:
            self._languages.setdefault(name, []).append(language)

    def languages_of(self, name: str) -> tuple[str, ...]:
        """Return the languages in which ``name`` has words."""
        return tuple(self._languages.get(name, ()))

    def __getitem__(self, key: tuple[str, str]) -> Found:
        found = self._words.get(key)
        if found is not None:
            return found
        name, language = key
        spoken = self._languages.get(name)
        return self._words[name, choose_language(language, spoken)] if spoken else self._absent(name, language)

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        """Return ``self[key]``; ``default`` for an id that has words in no language."""
        return self[key] if key[0] in self._languages else default

    def __contains__(self, key: object) -> bool:
        return key in self._words

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


class ByLanguage(Mapping[str, Found], Generic[Found]):
    """Values by language; a language without a value gets that of another one. Not empty."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Found]) -> None:
        self._values = dict(values)

    def __getitem__(self, language: str) -> Found:
        return self._values[choose_language(language, self._values)]

    def get(self, language: str, default: Any = None) -> Any:
        """Return ``self[language]``; ``default`` if there is no language at all."""
        return self[language] if self._values else default

    def __contains__(self, language: object) -> bool:
        return language in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def find_gaps(
    part: Literal["plan", "instrument"], words: WordsByLanguage[Any], wanted: Mapping[str, Iterable[str]]
) -> list[LanguageGap]:
    """Return the gaps of ``words``. ``wanted``: id -> languages that its readers may have."""
    return [
        LanguageGap(part, name, language, choose_language(language, words.languages_of(name)))
        for name, languages in wanted.items()
        for language in dict.fromkeys(languages)
        if (name, language) not in words and words.languages_of(name)
    ]


def reader_languages(more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the languages of the interface, and ``more``."""
    return tuple(dict.fromkeys((*LANGUAGES, *more)))
