"""Sentences that can be said in another language later: English now, and what they were made of."""

from __future__ import annotations

from collections.abc import Mapping


class EnglishOnly(str):
    """Words that exist in English only, such as a parser's own message. A page marks them as English."""

    __slots__ = ()


class Sentence(str):
    """``key`` with its ``%(name)s`` filled in: as a string it is the English; a reader's language begins at ``key``.

    A value is a word of a file, a number, another Sentence, English, or a tuple of these (a list in the sentence).
    Babel collects every key: it must stand there as a literal. Without values, ``%`` means itself.
    """

    __slots__ = ("key", "values")

    key: str
    values: dict[str, object]

    def __new__(cls, key: str, /, **values: object) -> Sentence:
        made = super().__new__(cls, key % {name: _english(value) for name, value in values.items()} if values else key)
        made.key, made.values = key, values
        return made


def by_english(*known: Sentence) -> Mapping[str, Sentence]:
    """``known`` by what they say: to find the sentence for a message that some parser made."""
    return {str(one): one for one in known}


def _english(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
