"""Lexicon files (``pro/data/lexicons/*.yaml``): red flags in free text (docs/domain.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.rule_language.level import Level
from pro.core.text.red_flag_lexicon import (
    FlagClass,
    Kind,
    Lexicon,
    LexiconPhrase,
    PhraseError,
    build_index,
    parse_lexicon_phrase,
)

AlertLevelName = Literal["watch", "urgent", "emergency"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(?:_[A-Za-z]+)*$")]
Sign = Annotated[str, Field(min_length=1, max_length=1)]
Word = Annotated[str, Field(pattern=r"^[a-z]+$")]
Phrases = Annotated[tuple[Text, ...], Field(min_length=1)]


class FlagClassFile(FilePart):
    """One class of red flags. What is left out follows docs/domain.md 5."""

    level: AlertLevelName
    hypothetical: AlertLevelName | None = Field(None, description="Default: urgent for an emergency class, else watch")
    resolved: AlertLevelName | None = Field(None, description="Default: urgent for an emergency class, else watch")
    resolved_anywhere: bool = Field(
        False, description="“It stopped” counts anywhere in the text, not in the clause alone"
    )
    near: AlertLevelName | None = Field(
        None, description="Level of “almost”; left out: almost means nothing for this class"
    )
    terms: dict[Language, Phrases] = Field(min_length=1)


class LexiconFile(FilePart):
    """A whole lexicon file. How a phrase is written stands at the top of the shipped one."""

    id: Name
    version: Text
    classes: dict[Name, FlagClassFile] = Field(min_length=1)
    groups: dict[Name, Phrases] = {}
    direct_cues: Phrases
    fillers: Phrases
    window: int = Field(ge=0, le=20)
    window_cues: Phrases
    barriers: Phrases
    not_cues: Phrases
    resolved: Phrases
    not_resolved: Phrases
    returned: Phrases
    hypothetical: Phrases
    not_hypothetical: Phrases
    near_words: Phrases
    not_near: Phrases
    splitters: Phrases
    protections: Phrases
    harmless: tuple[Text, ...] = ()
    alike: dict[Sign, Sign] = {}
    contractions: dict[Word, Text] = {}
    media: tuple[Text, ...] = ()


LISTS: Mapping[str, Kind] = MappingProxyType(
    {
        "direct_cues": "direct_cue",
        "fillers": "filler",
        "window_cues": "window_cue",
        "barriers": "barrier",
        "not_cues": "not_a_cue",
        "resolved": "resolved",
        "not_resolved": "not_resolved",
        "returned": "return",
        "hypothetical": "hypothetical",
        "not_hypothetical": "not_hypothetical",
        "near_words": "near",
        "not_near": "not_near",
        "harmless": "harmless",
    }
)


def read_lexicon(path: Path) -> Lexicon:
    """Read the lexicon in ``path``.

    Raises CatalogueError that names the place and what to correct, also within a phrase.
    """
    file = parse_file(path, LexiconFile)
    if file.id != path.stem:
        raise CatalogueError(path, "id", f"The file is called {path.name} but its id is “{file.id}”: use one name.")
    for name, members in file.groups.items():
        if any("{" in member for member in members):
            raise CatalogueError(path, f"groups.{name}", "A group cannot hold a group: write its words out.")
    for sign, other in file.alike.items():
        if other in file.alike:
            raise CatalogueError(path, f"alike.{sign}", f"“{other}” is itself replaced; name what it is replaced by.")
    found = _terms(path, file)
    for name, kind in LISTS.items():
        found += _phrases(path, file, name, getattr(file, name), kind)
    splitters = _phrases(path, file, "splitters", file.splitters, "splitter")
    protections = _phrases(path, file, "protections", file.protections, "protection")
    return Lexicon(
        id=file.id,
        version=file.version,
        classes=MappingProxyType({name: _flag_class(name, flag) for name, flag in file.classes.items()}),
        phrases=build_index(found),
        splitters=build_index(splitters),
        protections=build_index(protections),
        alike=MappingProxyType(dict(file.alike)),
        contractions=MappingProxyType({word: tuple(text.split()) for word, text in file.contractions.items()}),
        media=frozenset(file.media),
        window=file.window,
    )


def _flag_class(name: str, flag: FlagClassFile) -> FlagClass:
    lowered = "urgent" if flag.level == "emergency" else "watch"
    return FlagClass(
        id=name,
        level=Level.of(flag.level),
        hypothetical=Level.of(flag.hypothetical or lowered),
        resolved=Level.of(flag.resolved or lowered),
        resolved_anywhere=flag.resolved_anywhere,
        near=Level.of(flag.near) if flag.near else None,
    )


def _terms(path: Path, file: LexiconFile) -> list[LexiconPhrase]:
    found = []
    for name, flag in file.classes.items():
        for language, terms in flag.terms.items():
            found += _phrases(path, file, f"classes.{name}.terms.{language}", terms, "term", name)
    return found


def _phrases(
    path: Path, file: LexiconFile, where: str, sources: Iterable[str], kind: Kind, class_id: str = ""
) -> list[LexiconPhrase]:
    found = []
    seen: set[str] = set()
    for number, source in enumerate(sources, start=1):
        if source in seen:
            raise CatalogueError(path, f"{where}, number {number}", f"“{source}” is there twice.")
        seen.add(source)
        try:
            found.append(parse_lexicon_phrase(source, kind, file.groups, file.alike, class_id))
        except PhraseError as problem:
            raise CatalogueError(path, f"{where}, number {number}", str(problem)) from problem
    return found
