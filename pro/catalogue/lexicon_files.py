"""Lexicon files (``pro/data/lexicons/*.yaml``): red flags in free text (docs/domain.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.rule_language.level import Level
from pro.core.text.red_flag_lexicon import (
    LOWERING,
    ROLES,
    FlagClass,
    Frame,
    Lexicon,
    PhraseError,
    Row,
    WordNode,
    is_han,
    one_letter_less,
    parse_frame,
    parse_words,
    sound_of,
)

CHARACTERS = Path(__file__).resolve().parents[1] / "data" / "characters"
# The shortest Chinese word that is found by its sound as well, and the shortest Latin one that is found mistyped.
SHORTEST_SOUND, SHORTEST_TYPO = 3, 6
# The shortest Chinese word that is found in pinyin, and the shortest Latin one that is found with letters swapped.
SHORTEST_PINYIN, SHORTEST_SWAPPED = 2, 4
# Speakers and typists of the south mix these sounds.
ALIKE_SOUNDS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ing", "in"), ("eng", "en"))

AlertLevelName = Literal["watch", "urgent", "emergency"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(?:_[A-Za-z]+)*$")]
Sign = Annotated[str, Field(min_length=1, max_length=1)]
Word = Annotated[str, Field(pattern=r"^[a-z]+$")]
Phrases = Annotated[tuple[Text, ...], Field(min_length=1)]


class FlagClassFile(FilePart):
    """One class of red flags: its frames by level, the highest level first."""

    frames: dict[AlertLevelName, Phrases] = Field(min_length=1)
    near: AlertLevelName | None = Field(None, description="Level of “almost”; left out: the word lowers nothing")
    resolved: AlertLevelName | None = Field(None, description="Level of what is over; left out: it lowers nothing")
    overrides: tuple[Name, ...] = Field((), description="Classes that are not loud beside this one")


class LexiconFile(FilePart):
    """A whole lexicon file. How words and frames are written stands at the top of the shipped one."""

    id: Name
    version: Text
    classes: dict[Name, FlagClassFile] = Field(
        min_length=1, description="In the order in which their advice comes first"
    )
    groups: dict[Name, Phrases] = {}
    words: dict[Name, dict[Language, Phrases]] = Field(min_length=1, description="Concept -> its words by language")
    bare: tuple[Name, ...] = Field((), description="Concepts that may stand in a denied list, beside heads of frames")
    never_listed: tuple[Name, ...] = Field((), description="Concepts that are never part of a denied list")
    passed: tuple[Name, ...] = Field((), description="Concepts over which a denial reaches its red flag")
    calm: tuple[Name, ...] = Field((), description="Concepts that say nothing: a text of them alone is none")
    by_sound: tuple[Name, ...] = Field((), description="Concepts whose Chinese words are found by their sound as well")
    correct: tuple[Word, ...] = Field((), description="Words that look like a mistyped one and are none")
    alike: dict[Sign, Sign] = Field({}, description="Characters that count as others, beside the traditional ones")
    contractions: dict[Word, Text] = {}
    media: tuple[Text, ...] = ()
    signatures: tuple[Text, ...] = Field((), description="Beginnings of lines that a phone or mail program adds")


def read_lexicon(path: Path) -> Lexicon:
    """Read the lexicon in ``path``.

    Raises CatalogueError that names the place and what to correct, also within a word or a frame.
    """
    file = parse_file(path, LexiconFile)
    if file.id != path.stem:
        raise CatalogueError(path, "id", f"The file is called {path.name} but its id is “{file.id}”: use one name.")
    missing = [name for name in ROLES if name not in file.words]
    if missing:
        raise CatalogueError(path, "words", f"The concept {missing[0]} has no words; the screening needs it.")
    for name, members in file.groups.items():
        if any("{" in member for member in members):
            raise CatalogueError(path, f"groups.{name}", "A group cannot hold a group: write its words out.")
    for sign, other in file.alike.items():
        if other in file.alike:
            raise CatalogueError(path, f"alike.{sign}", f"“{other}” is itself replaced; name what it is replaced by.")
    bits = {name: 1 << number for number, name in enumerate(file.words)}
    rows = {name: [*_rows(path, file, name)] for name in file.words}
    frames = tuple(_frames(path, file, bits))
    terms = _all_bits(one.head for one in frames if _is_term(one))
    syllables = _syllables()
    loud = _raising_concepts(file)
    raising = _raising(file, rows, loud)
    latin = frozenset(token for found in rows.values() for row in found for token in row if token[0].isalpha())
    return Lexicon(
        id=file.id,
        version=file.version,
        classes=MappingProxyType({name: _flag_class(file, name) for name in file.classes}),
        bits=MappingProxyType(bits),
        words=_tree(rows, bits),
        sounds=_sounds(path, file, rows, bits, syllables),
        pinyin=_pinyin(rows, bits, loud, syllables),
        frames=frames,
        heads=_all_bits(frame.head for frame in frames),
        framed=_all_bits(bits for frame in frames for bits in (frame.head, *(part.concepts for part in frame.parts))),
        bare=(_bits_of(path, "bare", file.bare, bits) | terms)
        & ~_bits_of(path, "never_listed", file.never_listed, bits),
        passed=_bits_of(path, "passed", file.passed, bits),
        calm=_bits_of(path, "calm", file.calm, bits),
        terms=terms,
        silencing=_all_bits(one.head for one in frames if file.classes[one.class_id].overrides),
        denying=frozenset(row[0] for name in ("deny", "scarcely") for row in rows[name] if len(row) == 1),
        stems=frozenset(token[:-1] for token in latin if token.endswith("*")),
        latin=latin,
        typos=MappingProxyType(_typos(raising, file.correct)),
        swapped=MappingProxyType(_swapped(raising, latin, file.correct)),
        correct=frozenset(file.correct),
        syllables=MappingProxyType(syllables),
        spelled=MappingProxyType(_spelled()),
        simplified=MappingProxyType(_simplified() | {ord(sign): other for sign, other in file.alike.items()}),
        contractions=MappingProxyType({word: tuple(text.split()) for word, text in file.contractions.items()}),
        media=frozenset(file.media),
        signatures=tuple(file.signatures),
    )


def _flag_class(file: LexiconFile, name: str) -> FlagClass:
    flag = file.classes[name]
    return FlagClass(
        id=name,
        level=max(map(Level.of, flag.frames)),
        near=Level.of(flag.near) if flag.near else None,
        resolved=Level.of(flag.resolved) if flag.resolved else None,
        overrides=frozenset(flag.overrides),
        priority=list(file.classes).index(name),
    )


def _rows(path: Path, file: LexiconFile, concept: str) -> Iterator[Row]:
    for language, sources in file.words[concept].items():
        seen: set[str] = set()
        for number, source in enumerate(sources, start=1):
            where = f"words.{concept}.{language}, number {number}"
            if source in seen:
                raise CatalogueError(path, where, f"“{source}” appears twice.")
            seen.add(source)
            try:
                yield from parse_words(source, file.groups)
            except PhraseError as problem:
                raise CatalogueError(path, where, str(problem)) from problem


def _frames(path: Path, file: LexiconFile, bits: Mapping[str, int]) -> Iterator[Frame]:
    for class_id, flag in file.classes.items():
        for level, sources in flag.frames.items():
            for number, source in enumerate(sources, start=1):
                try:
                    yield parse_frame(source, class_id, Level.of(level), bits)
                except PhraseError as problem:
                    where = f"classes.{class_id}.frames.{level}, number {number}"
                    raise CatalogueError(path, where, str(problem)) from problem
        for other in flag.overrides:
            if other not in file.classes:
                raise CatalogueError(path, f"classes.{class_id}.overrides", f"There is no class “{other}”.")


def _is_term(frame: Frame) -> bool:
    """Return True if the head says it all: what a list of denied terms may hold."""
    return all(part.absent for part in frame.parts)


def _all_bits(found: Iterable[int]) -> int:
    bits = 0
    for one in found:
        bits |= one
    return bits


def _bits_of(path: Path, where: str, names: Iterable[str], bits: Mapping[str, int]) -> int:
    unknown = [name for name in names if name not in bits]
    if unknown:
        raise CatalogueError(path, where, f"There is no concept “{unknown[0]}”.")
    return _all_bits(bits[name] for name in names)


def _tree(rows: Mapping[str, Iterable[Row]], bits: Mapping[str, int]) -> WordNode:
    root = WordNode()
    for name, found in rows.items():
        for row in found:
            root.add(row, bits[name])
    return root


def _sounds(
    path: Path, file: LexiconFile, rows: Mapping[str, Iterable[Row]], bits: Mapping[str, int], table: Mapping[str, str]
) -> WordNode:
    _bits_of(path, "by_sound", file.by_sound, bits)
    root = WordNode()
    for name in file.by_sound:
        for row in rows[name]:
            sounds = sound_of("".join(row), table) if len(row) >= SHORTEST_SOUND and all(map(is_han, row)) else None
            if sounds:
                root.add(sounds, bits[name], "".join(row))
    return root


def _concepts(flags: Iterable[FlagClassFile]) -> set[str]:
    """Return the concepts that must be there in a frame of ``flags``."""
    return {
        name.lstrip("<>~")
        for flag in flags
        for sources in flag.frames.values()
        for source in sources
        for part in source.replace(" ", "").split("+")
        if not part.startswith("!")
        for name in part.split("|")
    }


def _raising_concepts(file: LexiconFile) -> set[str]:
    """Return the concepts that make a red flag and neither lower one nor report a death."""
    silencing = _concepts(flag for flag in file.classes.values() if flag.overrides)
    return _concepts(flag for flag in file.classes.values() if not flag.overrides) - silencing - {*LOWERING, *file.calm}


def _raising(file: LexiconFile, rows: Mapping[str, Sequence[Row]], loud: Set[str]) -> set[str]:
    """Return the Latin tokens that can only raise the level of a text: those alone are looked for in mistyped words.

    None is by itself a word that lowers, hides or silences: "mention" is no "mentions", "decreased" no "deceased".
    """
    quiet = {*LOWERING, *file.calm} | _concepts(flag for flag in file.classes.values() if flag.overrides)
    alone = {row[0] for name in quiet for row in rows[name] if len(row) == 1}
    return {
        token for name in loud for row in rows[name] for token in row if token[0].isalpha() and not is_han(token)
    } - alone


def _swapped(raising: Iterable[str], latin: Set[str], correct: Sequence[str]) -> dict[str, str]:
    """Return the words with two letters in the wrong order, the first in its place: chset -> chest."""
    found: dict[str, str] = {}
    for word in sorted(raising):
        plain = word.rstrip("*")
        if not SHORTEST_SWAPPED <= len(plain) < SHORTEST_TYPO:
            continue
        for place in range(1, len(plain) - 1):
            other = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
            if other != plain and other not in latin and other not in correct:
                found.setdefault(other, word)
    return found


def _pinyin(
    rows: Mapping[str, Sequence[Row]], bits: Mapping[str, int], loud: Iterable[str], table: Mapping[str, str]
) -> WordNode:
    """Return the tree of the sounds of all Chinese words that may be part of a red flag."""
    root = WordNode()
    for name in sorted(loud):
        for row in rows[name]:
            sounds = sound_of("".join(row), table) if len(row) >= SHORTEST_PINYIN and all(map(is_han, row)) else None
            if sounds:
                root.add(sounds, bits[name])
    return root


def _typos(latin: Iterable[str], correct: Iterable[str]) -> dict[str, str]:
    """Return what a mistyped word may have been.

    By the word without one of its letters, because a typo and its word have such a rest in common.
    """
    found: dict[str, str] = {}
    for word in sorted(latin):
        plain = word.rstrip("*")
        if len(plain) >= SHORTEST_TYPO and plain not in correct:
            for rest in (plain, *one_letter_less(plain)):
                found.setdefault(rest, word)
    return found


@cache
def _simplified() -> dict[int, str]:
    pairs = _table("simplified.txt").split()
    return {ord(pair[0]): pair[1] for pair in pairs}


def _sound(spelled: str) -> str:
    for part, alike in ALIKE_SOUNDS:
        spelled = spelled.replace(part, alike)
    return spelled


@cache
def _syllables() -> dict[str, str]:
    lines = (line.split() for line in _table("syllables.txt").splitlines())
    return {character: _sound(spelled) for spelled, characters in lines for character in characters}


@cache
def _spelled() -> dict[str, str]:
    """Return the sound of each syllable of pinyin, as it is spelled and as it is often misspelled."""
    lines = (line.split() for line in _table("syllables.txt").splitlines())
    found = {spelled: _sound(spelled) for spelled, _ in lines if spelled.isascii()}
    return {sound: sound for sound in found.values()} | found


def _table(name: str) -> str:
    lines = (CHARACTERS / name).read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))
