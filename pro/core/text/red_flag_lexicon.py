"""Red flag lexicon: the frozen types, and the notation of its words and frames (docs/domain.md 5).

A *word* is one or more tokens that stand together; it carries *concepts* such as ``blood`` or ``deny``. Its notation is
a row of parts: ``流/淌 血`` is 流血 and 淌血. A part has choices with ``/`` between them, of which ``-`` is none;
``{name}`` stands for a group of choices, ``+`` joins the tokens of one choice, ``*`` at the end of a Latin word for any
ending, ``#38-43`` for a number from 38 up to but without 43, in digits or Chinese numerals, ``$`` for the end of the
clause (or a space between Han), with which a word ends.

A *frame* is a row of concepts that together mean a red flag: ``blood + much``. The first is its head. A part is
``a|b`` (either), ``>a`` (after the head), ``<a`` (before it), ``~a`` (in the clauses beside it too), ``!a`` (absent
from the clause) or ``!~a`` (absent from the clauses beside it too).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from pro.core.rule_language.level import Level

# Han as Unicode counts it, with the two signs that stand for characters.
HAN = "\u2e80-\u2fd5\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LATIN = "a-z\u00df-\u024f\u1e00-\u1eff"
# Pictures that words of the lexicon may be: 🆘, 🩸.
PICTURES = "\u2600-\u27bf\U0001f000-\U0001faff"
_HAN = re.compile(f"[{HAN}]")
# The end of a clause, or a space between Han, as the last token of a word.
END = "$"
_TOKEN = re.compile(rf"#[0-9.]+-[0-9.]+|[{LATIN}]+\*?|[0-9]+(?:\.[0-9]+)?|[{HAN}{PICTURES}&°%]|\$")
_CHOICE = re.compile(rf"(?:[{LATIN}{HAN}{PICTURES}0-9+*.#&°%$-]|\{{[a-z_0-9]+\}})+")
# Words that one line of the notation may stand for.
MOST_WORDS = 4000

Row = tuple[str, ...]
# The concepts that the program itself knows; a lexicon must have them all. Those of the first list lower a red flag,
# or let a denial reach further; a mistyped word is never read as one of them.
LOWERING = (
    "deny",
    "ceased",
    "ceased_end",
    "ask",
    "filler",
    "joint",
    "over",
    "past",
    "long_ago",
    "others",
    "feared",
    "risk",
    "risk_noun",
    "cause",
    "question",
    "asked_noun",
    "asks_first",
    "near",
    "idiom",
    "lists",
    "answer_no",
    "courtesy",
    "third_person",
    "relative",
    "gone",
)
ROLES = (
    *LOWERING,
    "wish",
    "but",
    "ongoing",
    "again",
    "now",
    "own",
    "statement",
    "event",
    "never",
    "degree",
    "less",
    "bound",
    "habit",
    "scarcely",
    "yes",
    "retract",
    "compare",
    "more",
    "much",
    "because",
    "first_person",
)


class PhraseError(ValueError):
    """A word or a frame that cannot be parsed; the text is a sentence with the reason."""


@dataclass(slots=True)
class WordNode:
    """A place in the tree of words. ``concepts``: bits of the word that ends here, 0 for none.

    ``closing``: bits of the word that ends here and needs the end of its clause. ``written``: the words that end here,
    where the tree is one of sounds.
    """

    next: dict[str, WordNode] = field(default_factory=dict)
    numbers: tuple[tuple[float, float, WordNode], ...] = ()
    concepts: int = 0
    closing: int = 0
    written: tuple[str, ...] = ()

    def add(self, row: Sequence[str], concepts: int, written: str = "") -> None:
        """Add a word: its tokens, the bits of its concepts and, by sound, how it is written."""
        node = self
        is_closing = row[-1] == END
        for token in row[:-1] if is_closing else row:
            node = node._number(token) if token[0] == "#" else node.next.setdefault(token, WordNode())
        if is_closing:
            node.closing |= concepts
        else:
            node.concepts |= concepts
        if written:
            node.written = (*node.written, written)

    def _number(self, token: str) -> WordNode:
        low, high = map(float, token[1:].split("-"))
        for known_low, known_high, node in self.numbers:
            if (known_low, known_high) == (low, high):
                return node
        node = WordNode()
        self.numbers = (*self.numbers, (low, high, node))
        return node


class FramePart(NamedTuple):
    """Concepts of which one must stand at ``where`` from the head: here, before, after or beside."""

    concepts: int
    where: str
    absent: bool


class Frame(NamedTuple):
    """Concepts that together mean a red flag of ``class_id`` at ``level``, by the bits of the head and its parts.

    ``needed``: bits that must all be there, so that most frames are passed over at once.
    """

    class_id: str
    level: Level
    head: int
    parts: tuple[FramePart, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class FlagClass:
    """A class of red flags. ``level``: the highest of its frames.

    ``near``: the level of "almost"; ``resolved``: the level of what is over; None: the word lowers nothing.
    ``overrides``: the classes that are not loud beside it. ``priority``: which class's advice comes first.
    """

    id: str
    level: Level
    near: Level | None
    resolved: Level | None
    overrides: frozenset[str]
    priority: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Everything that ``pro.core.text.red_flag_screening`` needs.

    ``bits``: concept -> its bit. Bits of concepts: ``heads`` of frames, ``framed`` in any part of one, ``bare`` in
    a denied list, ``passed`` by a denial on its way, ``calm`` say nothing; ``terms`` say all of a red flag;
    ``silencing`` the heads of the classes that override others. ``denying``: tokens that deny by themselves.
    ``stems``: beginnings of words; ``typos``: a word with one letter left out -> the word that was meant;
    ``swapped``: the same for two letters in the wrong order. ``syllables``: Han character -> its sound;
    ``spelled``: pinyin -> sound. ``simplified``: for ``str.translate``.
    """

    id: str
    version: str
    classes: Mapping[str, FlagClass]
    bits: Mapping[str, int]
    words: WordNode
    sounds: WordNode
    pinyin: WordNode
    frames: tuple[Frame, ...]
    heads: int
    framed: int
    bare: int
    passed: int
    calm: int
    terms: int
    silencing: int
    denying: frozenset[str]
    stems: frozenset[str]
    latin: frozenset[str]
    typos: Mapping[str, str]
    swapped: Mapping[str, str]
    correct: frozenset[str]
    syllables: Mapping[str, str]
    spelled: Mapping[str, str]
    simplified: Mapping[int, str]
    contractions: Mapping[str, Row]
    media: frozenset[str]
    signatures: tuple[str, ...]
    _frames_of: dict[int, tuple[Frame, ...]] = field(default_factory=dict)

    def frames_of(self, concepts: int) -> tuple[Frame, ...]:
        """Return the frames whose head a word of ``concepts`` may be, the highest level first.

        Kept: there are no more sets of concepts than words of the lexicon.
        """
        found = self._frames_of.get(concepts)
        if found is None:
            chosen = [frame for frame in self.frames if frame.head & concepts]
            found = tuple(sorted(chosen, key=lambda frame: -frame.level))
            self._frames_of[concepts] = found
        return found


def parse_words(source: str, groups: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    """Yield the rows of tokens that ``source`` stands for.

    Raises PhraseError if it is empty, has a sign that means nothing or names an unknown group.
    """
    parts = [[*_choices(source, part, groups)] for part in source.split()]
    size = 1
    for part in parts:
        size *= len(part)
    if size > MOST_WORDS:
        raise PhraseError(f"“{source}”: stands for {size} words, more than {MOST_WORDS}.")
    found = 0
    for rows in product(*parts):
        row = tuple(token for one in rows for token in one)
        if row and END not in row[:-1]:
            found += 1
            yield row
    if not found or source.startswith(END):
        raise PhraseError(f"“{source}”: a word has at least one letter, and {END} only at its end.")


def _choices(source: str, part: str, groups: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    for choice in part.split("/"):
        if choice == "-":
            yield ()
            continue
        if not _CHOICE.fullmatch(choice):
            raise PhraseError(f"“{source}”: “{choice}” is empty or has a sign that means nothing here.")
        named = re.search(r"\{([a-z_0-9]+)\}", choice)
        if named is None:
            yield tuple(_TOKEN.findall(choice))
            continue
        if named[1] not in groups:
            raise PhraseError(f"“{source}”: there is no group “{named[1]}”; known are {', '.join(sorted(groups))}.")
        for member in groups[named[1]]:
            filled = choice[: named.start()] + member.replace(" ", "+") + choice[named.end() :]
            yield from [()] if filled == "-" else _choices(source, filled, groups)


def parse_frame(source: str, class_id: str, level: Level, bits: Mapping[str, int]) -> Frame:
    """Parse ``source``; raises PhraseError if it names an unknown concept or begins with a mark."""
    parts = [_frame_part(source, part.strip(), bits) for part in source.split("+")]
    head = parts[0]
    if head.where != "here" or head.absent:
        raise PhraseError(f"“{source}”: the first concept of a frame has no mark.")
    needed = 0
    for one in parts[1:]:
        if not one.absent and one.concepts.bit_count() == 1:
            needed |= one.concepts
    return Frame(class_id, level, head.concepts, tuple(parts[1:]), needed)


def _frame_part(source: str, part: str, bits: Mapping[str, int]) -> FramePart:
    absent = part.startswith("!")
    names = part.removeprefix("!")
    where = {">": "after", "<": "before", "~": "beside"}.get(names[:1], "here")
    concepts = 0
    for name in (names if where == "here" else names[1:]).split("|"):
        if name not in bits:
            raise PhraseError(f"“{source}”: there is no concept “{name}”.")
        concepts |= bits[name]
    return FramePart(concepts, where, absent)


def sound_of(written: str, syllables: Mapping[str, str]) -> Row | None:
    """Return the sounds of Han characters; None if one is unknown or a sign is no Han."""
    found = tuple(syllables.get(sign, "") for sign in written)
    return found if all(found) else None


def is_han(token: str) -> bool:
    """Return True if ``token`` is a Han character."""
    return _HAN.match(token) is not None


def one_letter_less(word: str) -> Iterable[str]:
    """Return ``word`` with each of its letters but the first left out."""
    return {word[:place] + word[place + 1 :] for place in range(1, len(word))}
