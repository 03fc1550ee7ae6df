"""Errors in rule conditions: the reason, the column, and a suggested word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pro.core.translatable_sentence import EnglishOnly, Sentence, by_english

# Messages of Python's parser for common mistakes. Any other message is shown in its English original.
_SYNTAX = by_english(
    Sentence("invalid syntax"),
    Sentence("'(' was never closed"),
    Sentence("unmatched ')'"),
    Sentence("invalid decimal literal"),
    Sentence("unterminated string literal (detected at line 1)"),
)
_CHARACTER = "invalid character "


class RuleError(ValueError):
    """A condition that is not valid; ``column`` (from 1) and a ``sentence`` with the reason."""

    def __init__(self, column: int, sentence: Sentence) -> None:
        super().__init__(f"column {column}: {sentence}")
        self.column = column
        self.sentence = sentence


def syntax_error_sentence(message: str) -> Sentence:
    """Return the sentence for a ``message`` of Python's parser about a condition."""
    if message.startswith(_CHARACTER):
        # The most frequent case: commas and brackets typed on a Chinese keyboard.
        return Sentence(
            "this is not a condition (invalid character %(character)s)", character=message[len(_CHARACTER) :]
        )
    return Sentence("this is not a condition (%(message)s)", message=_SYNTAX.get(message, EnglishOnly(message)))


def suggest_known_word(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that suggests a similar known word; "" if none is similar."""
    near = difflib.get_close_matches(word, list(known), 1)
    return Sentence("; did you mean “%(near)s”?", near=near[0]) if near else ""
