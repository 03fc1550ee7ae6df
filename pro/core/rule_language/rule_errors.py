"""Why a condition is refused, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pro.core.translatable_sentence import EnglishOnly, Sentence, by_english

# What Python's parser says of the slips that people make; what stands nowhere here is said in its own English.
_SYNTAX = by_english(
    Sentence("invalid syntax"),
    Sentence("'(' was never closed"),
    Sentence("unmatched ')'"),
    Sentence("invalid decimal literal"),
    Sentence("unterminated string literal (detected at line 1)"),
)
_CHARACTER = "invalid character "


class RuleError(ValueError):
    """A condition that cannot be accepted: ``column`` (from 1) where it goes wrong, and a ``sentence`` saying why."""

    def __init__(self, column: int, sentence: Sentence) -> None:
        super().__init__(f"column {column}: {sentence}")
        self.column = column
        self.sentence = sentence


def syntax_error_sentence(message: str) -> Sentence:
    """Python's ``message`` about what cannot be read as a condition."""
    if message.startswith(_CHARACTER):
        # Commas and brackets of a Chinese keyboard are what is met here most.
        return Sentence(
            "this is not a condition (invalid character %(character)s)", character=message[len(_CHARACTER) :]
        )
    return Sentence("this is not a condition (%(message)s)", message=_SYNTAX.get(message, EnglishOnly(message)))


def suggest_known_word(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown ``word``: which known one may have been meant; empty if none is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return Sentence("; did you mean “%(near)s”?", near=near[0]) if near else ""
