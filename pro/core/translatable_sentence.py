"""Translatable sentences: English text that keeps its gettext key and values."""

from __future__ import annotations

from collections.abc import Mapping


class EnglishOnly(str):
    """Text that exists in English only, such as a parser's message. Pages mark it as English."""

    __slots__ = ()


class Sentence(str):
    """``key`` with its ``%(name)s`` filled in; as a string it is the English sentence.

    ``key`` and ``values`` are kept, so that the sentence can be translated later. A value is a word of a file, a
    number, another Sentence, an EnglishOnly, or a tuple of these (a list in the sentence). Babel collects every key, so
    a key must be a literal. Without values, ``%`` is an ordinary character.
    """

    __slots__ = ("key", "values")

    key: str
    values: dict[str, object]

    def __new__(cls, key: str, /, **values: object) -> Sentence:
        made = super().__new__(cls, key % {name: _english(value) for name, value in values.items()} if values else key)
        made.key, made.values = key, values
        return made


def by_english(*known: Sentence) -> Mapping[str, Sentence]:
    """Return ``known`` by their English text, to find the sentence for a parser's message."""
    return {str(one): one for one in known}


def _english(value: object) -> str:
    """Return ``value`` as in the English sentence; commas separate the parts of a tuple."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
