"""Red flag lexicon: the frozen types, and the notation in which its phrases are written.

A phrase is a row of parts with spaces between them. A part is one word or several choices (``left/right``). Between the
parts of a Chinese phrase up to three Han characters may stand; the parts of an English one follow each other directly,
and ``_`` lets up to three words stand there. ``+`` joins the words of one choice, ``*`` at the end of a word stands for
any ending, ``#38-43`` for a number from 38 up to but without 43, ``{name}`` for a named group of choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Literal, NamedTuple

from pro.core.rule_language.level import Level

Kind = Literal[
    "term",
    "direct_cue",
    "window_cue",
    "filler",
    "not_a_cue",
    "barrier",
    "resolved",
    "not_resolved",
    "return",
    "hypothetical",
    "not_hypothetical",
    "near",
    "not_near",
    "harmless",
    "splitter",
    "protection",
]
# Han as Unicode counts it, with the two signs that stand for characters.
HAN = "\u2e80-\u2fd5\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LATIN = "a-z\u00df-\u024f\u1e00-\u1eff"
# Up to 3 Han characters between the parts of a Chinese term: docs/domain.md 5. The same for English words, by `_`.
GAP = 3
_HAN = re.compile(f"[{HAN}]")
_PIECE = re.compile(rf"#[0-9.]+-[0-9.]+|[{LATIN}]+\*?|[0-9]+(?:\.[0-9]+)?|[{HAN}]")
_PART = re.compile(rf"(?:[{LATIN}{HAN}0-9+*/.#-]|\{{[a-z_]+\}})+")


class PhraseError(ValueError):
    """A phrase that cannot be parsed; the text is a sentence with the reason."""


Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhraseSlot:
    """One part of a phrase after at most ``gap`` other words: its choices, each a row of word patterns, by first word.

    Of one first word the longest stand first. ``open`` are the choices that begin with a pattern instead of a word;
    ``plain``: no other choice has a pattern; ``longest`` is the most words of a choice.
    """

    rows: Mapping[str, tuple[Row, ...]]
    open: tuple[Row, ...]
    gap: int
    plain: bool
    longest: int


@dataclass(frozen=True, slots=True)
class LexiconPhrase:
    """One phrase, what it is there for, and (terms only) the id of its class. ``han``: Han alone may fill its gaps.

    ``first`` are the choices of its first part, ``slots`` the parts after it. ``patterned``: ``first`` has a pattern.
    """

    source: str
    kind: Kind
    first: tuple[Row, ...]
    slots: tuple[PhraseSlot, ...]
    han: bool
    patterned: bool
    class_id: str = ""


@dataclass(frozen=True, slots=True)
class FlagClass:
    """A class of red flags and the level of a hit by its status; a negated hit is always watch (docs/domain.md 5).

    ``resolved_anywhere``: a word like "stopped" counts wherever it stands in the text, not in the hit's clause alone.
    ``near`` is None where "almost" means nothing.
    """

    id: str
    level: Level
    hypothetical: Level
    resolved: Level
    resolved_anywhere: bool
    near: Level | None


class LexiconEntry(NamedTuple):
    """A phrase with one choice of its first part, ``row``, of ``length`` words.

    ``checked``: having found it by its words, all of ``row`` is there. ``gate`` are the words of which one must stand
    among the next ``reach`` for the phrase to go on; None: any may.
    """

    phrase: LexiconPhrase
    row: Row
    length: int
    checked: bool
    gate: frozenset[str] | None
    reach: int


# By a second word: what begins with the first or with both, and by a third word what begins with one, two or three.
Pairs = dict[str, tuple[tuple[LexiconEntry, ...], dict[str, tuple[LexiconEntry, ...]]]]


@dataclass(frozen=True, slots=True)
class PhraseIndex:
    """Phrases, each with one choice of its first part, by how that begins: up to three words, or a word's beginning.

    ``lengths`` are those of the beginnings; ``numbers`` begin with any number. ``opening`` matches a word that a
    beginning or a number may stand for: most words are told by it, and by ``starts``, to begin nothing.
    """

    starts: Mapping[str, tuple[tuple[LexiconEntry, ...], Pairs]]
    beginnings: Mapping[str, tuple[LexiconEntry, ...]]
    lengths: tuple[int, ...]
    numbers: tuple[LexiconEntry, ...]
    opening: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Everything that ``pro.core.text.red_flag_screening`` needs. ``alike`` and ``contractions`` are applied to words
    before matching.

    ``window``: how many words an English negation reaches. ``media``: words that stand for a recording or a picture.
    """

    id: str
    version: str
    classes: Mapping[str, FlagClass]
    phrases: PhraseIndex
    splitters: PhraseIndex
    protections: PhraseIndex
    alike: Mapping[str, str]
    contractions: Mapping[str, tuple[str, ...]]
    media: frozenset[str]
    window: int


def build_index(phrases: Iterable[LexiconPhrase]) -> PhraseIndex:
    """Return ``phrases`` arranged by their first words.

    So a text is read once however many phrases there are.
    """
    words: dict[Row, list[LexiconEntry]] = {}
    beginnings: dict[str, list[LexiconEntry]] = {}
    numbers: list[LexiconEntry] = []
    for found in phrases:
        for row in found.first:
            entry = _entry(found, row)
            if row[0].startswith("#"):
                numbers.append(entry)
            elif row[0].endswith("*"):
                beginnings.setdefault(row[0][:-1], []).append(entry)
            else:
                plain = tuple(takewhile(lambda pattern: not is_open(pattern), row))
                words.setdefault(plain[:3], []).append(entry)
    openings = [*map(re.escape, sorted(beginnings)), *(["[0-9]"] if numbers else [])]
    return PhraseIndex(
        starts=_starts(words),
        beginnings=MappingProxyType({word: tuple(entries) for word, entries in beginnings.items()}),
        lengths=tuple(sorted({len(word) for word in beginnings})),
        numbers=tuple(numbers),
        # Without any, a pattern that matches nothing.
        opening=re.compile("|".join(openings) or "(?!)"),
    )


def _entry(phrase: LexiconPhrase, row: Row) -> LexiconEntry:
    checked = len(row) <= 3 and not phrase.patterned
    if not phrase.slots:
        return LexiconEntry(phrase, row, len(row), checked, None, 0)
    slot = phrase.slots[0]
    return LexiconEntry(phrase, row, len(row), checked, None if slot.open else frozenset(slot.rows), slot.gap + 1)


def _starts(words: Mapping[Row, Iterable[LexiconEntry]]) -> dict[str, tuple[tuple[LexiconEntry, ...], Pairs]]:
    """Return ``words``, each up to three, as a tree."""
    starts: dict[str, tuple[tuple[LexiconEntry, ...], Pairs]] = {}
    # The shorter first, so that a branch is there before what grows on it, and holds all that its stem holds.
    for plain in sorted(words, key=len):
        entries = tuple(words[plain])
        if len(plain) == 1:
            starts[plain[0]] = (entries, {})
            continue
        stem, pairs = starts.setdefault(plain[0], ((), {}))
        if len(plain) == 2:
            pairs[plain[1]] = (stem + entries, {})
        else:
            branch, triples = pairs.setdefault(plain[1], (stem, {}))
            triples[plain[2]] = branch + entries
    return starts


def is_open(pattern: str) -> bool:
    """Return True if ``pattern`` matches many words: any ending, or a range of numbers."""
    return pattern.endswith("*") or pattern.startswith("#")


def parse_lexicon_phrase(
    source: str,
    kind: Kind,
    groups: Mapping[str, Sequence[str]],
    alike: Mapping[str, str],
    class_id: str = "",
) -> LexiconPhrase:
    """Parse ``source`` as a phrase.

    Raise PhraseError if it is empty, mixes signs wrongly or names an unknown group.
    """
    parts: list[tuple[tuple[Row, ...], int]] = []
    gap = 0
    for part in source.split():
        if part == "_":
            if not parts or gap:
                raise PhraseError(f"“{source}”: _ stands between two parts, once.")
            gap = GAP
            continue
        if not _PART.fullmatch(part):
            raise PhraseError(f"“{source}”: “{part}” has a sign that means nothing here.")
        choices = [row for choice in part.split("/") for row in _choice(source, choice, groups, alike)]
        parts.append((tuple(dict.fromkeys(choices)), gap))
        gap = 0
    if not parts or gap:
        raise PhraseError(f"“{source}”: a phrase begins and ends with a word.")
    # Seen in the words and not in the source, where a group may hide them.
    han = any(_HAN.match(word) for rows, _ in parts for row in rows for word in row)
    slots = tuple(_slot(rows, GAP if han else before) for rows, before in parts[1:])
    patterned = any(is_open(word) for row in parts[0][0] for word in row)
    return LexiconPhrase(source, kind, parts[0][0], slots, han, patterned, class_id)


def _slot(rows: Sequence[Row], gap: int) -> PhraseSlot:
    by_word: dict[str, list[Row]] = {}
    patterns = []
    for row in rows:
        if is_open(row[0]):
            patterns.append(row)
        else:
            by_word.setdefault(row[0], []).append(row)
    longest_first = {word: tuple(sorted(found, key=len, reverse=True)) for word, found in by_word.items()}
    plain = not any(is_open(word) for found in by_word.values() for row in found for word in row)
    return PhraseSlot(longest_first, tuple(patterns), gap, plain, max(map(len, rows)))


def _choice(source: str, choice: str, groups: Mapping[str, Sequence[str]], alike: Mapping[str, str]) -> list[Row]:
    """Return the rows of word patterns of one choice; several if it names a group."""
    named = re.search(r"\{([a-z_]+)\}", choice)
    if named is None:
        row = tuple(alike.get(piece, piece) for piece in _PIECE.findall(choice))
        if not row or row[0] == "*":
            raise PhraseError(f"“{source}”: a choice is empty.")
        return [row]
    if named[1] not in groups:
        raise PhraseError(f"“{source}”: there is no group “{named[1]}”; known are {', '.join(sorted(groups))}.")
    before, after = choice[: named.start()], choice[named.end() :]
    rows: list[Row] = []
    for member in groups[named[1]]:
        rows += _choice(source, f"{before}{member.replace(' ', '+')}{after}", groups, alike)
    return rows
