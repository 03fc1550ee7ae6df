"""Sentences of this system that a participant quotes: they say nothing about the participant (docs/domain.md 5).

A reaction ("Liked “…”") or a quoted reply holds a question, an option, an advice or a message of ours. Questions and
messages are taken out wherever they stand; an option only where it is quoted, because it may be the report itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pro.core.text.clauses import STOP, ClauseText, Number, read_clauses
from pro.core.text.red_flag_lexicon import Lexicon

# A sentence of fewer words is taken out only where it is quoted.
SHORTEST = 6
# By so many first words a sentence is looked up.
KEY = 3
_QUOTED = re.compile(r"[“\"「『«‘]([^“”\"「」『』«»‘’]{1,600})[”\"」』»’]|(?:^|\n)[ \t]*>+([^\n]{1,600})")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnSentences:
    """Sentences of this system as rows of words: all, and those that are known by their first words anywhere."""

    quoted: frozenset[Row] = frozenset()
    anywhere: dict[Row, tuple[Row, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return True if there is a sentence to take out."""
        return bool(self.quoted)

    def take_out(self, text: ClauseText) -> ClauseText:
        """Return ``text`` without sentences of this system; what was beside them are two sentences."""
        gone = self._quoted_places(text)
        tokens = tuple(text.tokens)
        place, last = 0, len(tokens) - KEY
        while place <= last:
            for row in self.anywhere.get(tokens[place : place + KEY], ()):
                if tokens[place : place + len(row)] == row:
                    gone.update(range(place, place + len(row)))
                    place += len(row) - 1
                    break
            place += 1
        return _without(text, gone) if gone else text

    def _quoted_places(self, text: ClauseText) -> set[int]:
        gone: set[int] = set()
        at = 0
        for match in _QUOTED.finditer(text.source):
            start, end = match.span(1 if match[1] is not None else 2)
            while at < len(text.tokens) and text.starts[at] < start:
                at += 1
            stop = at
            while stop < len(text.tokens) and text.starts[stop] < end:
                stop += 1
            if tuple(text.tokens[at:stop]) in self.quoted:
                gone.update(range(at, stop))
            at = stop
        return gone


NOTHING_OF_OURS = OwnSentences()


def read_own_sentences(lexicon: Lexicon, *, said: Iterable[str], options: Iterable[str] = ()) -> OwnSentences:
    """Return ``said`` (questions, advice, messages) and ``options`` in the form that ``screen`` takes.

    The longest of sentences that begin alike come first. Make it once and keep it.
    """
    rows = {tuple(read_clauses(one, lexicon).tokens) for one in said}
    short = {tuple(read_clauses(one, lexicon).tokens) for one in options}
    anywhere: dict[Row, tuple[Row, ...]] = {}
    for row in sorted(rows, key=lambda one: (-len(one), one)):
        if len(row) >= SHORTEST:
            anywhere[row[:KEY]] = (*anywhere.get(row[:KEY], ()), row)
    return OwnSentences(frozenset(rows | short) - {()}, anywhere)


def _without(text: ClauseText, gone: set[int]) -> ClauseText:
    kept = [place for place in range(len(text.tokens)) if place not in gone]
    moved = {place: number for number, place in enumerate(kept)}
    moved[len(text.tokens)] = len(kept)
    numbers = {
        moved[place]: Number(number.value, moved[place] + number.end - place)
        for place, number in text.numbers.items()
        if place in moved and gone.isdisjoint(range(place, number.end))
    }
    breaks = [STOP if place and place - 1 in gone else text.breaks[place] for place in kept]
    return ClauseText(
        text.source,
        [text.tokens[place] for place in kept],
        [text.starts[place] for place in kept],
        [text.ends[place] for place in kept],
        [*breaks, STOP],
        numbers,
        text.readable,
    )
