"""CTCAE terms (``pro/data/terms/*.yaml``) and their words (docs/domain.md 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.clinical.adverse_events import Term, TermList, TermsByName, TermWords

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Grade = Annotated[int, Field(strict=True, ge=1, le=5)]
DEATH = 5


class TermFile(FilePart):
    """One term: its name in the standard and the grades that it has there."""

    english: Text
    grades: tuple[Grade, ...] = Field(min_length=1)
    specify: bool = Field(
        False, description="The term stands for others: the clinician who chooses it must specify which"
    )


class TermsFile(FilePart):
    """A whole list of terms. ``suspects``: key of a plan's rules -> terms to offer, the closest first."""

    id: Name
    version: Text
    verified: bool = Field(description="True once a second person compared it with the standard")
    terms: dict[Name, TermFile] = Field(min_length=1)
    report_hours: int = Field(24, ge=1, le=720, description="Hours within which a serious adverse event is reported")
    suspects: dict[Name, tuple[Name, ...]] = {}


class TermWordsFile(FilePart):
    """A term in one language; grade 5 is named once for all."""

    name: Text
    grades: dict[Grade, Text]


class TermsWordsFile(FilePart):
    """The words of a list of terms in one language."""

    id: Name
    language: str
    death: Text
    terms: dict[Name, TermWordsFile]


def read_terms(path: Path) -> TermList:
    """Read the list of terms in ``path``.

    Raises CatalogueError for grades that are not in order and for a suggested term that does not exist.
    """
    file = parse_file(path, TermsFile)
    if file.id != path.stem:
        raise CatalogueError(path, "id", f"It must be the file’s name, “{path.stem}”.")
    for name, term in file.terms.items():
        if list(term.grades) != sorted(set(term.grades)):
            raise CatalogueError(path, f"terms.{name}.grades", "Give each grade once, the lowest first.")
    for key, offered in file.suspects.items():
        for name in offered:
            if name not in file.terms:
                raise CatalogueError(path, f"suspects.{key}", f"There is no term “{name}”.")
    terms = {name: Term(name, term.english, term.grades, term.specify) for name, term in file.terms.items()}
    suspects = MappingProxyType(dict(file.suspects))
    return TermList(file.id, file.version, file.verified, MappingProxyType(terms), suspects, file.report_hours)


def read_term_words(path: Path, terms: TermList, language: str) -> Mapping[str, TermWords]:
    """Read the words of every term in ``language``; return term -> words.

    Raises CatalogueError for a term or a grade without words, and for words without term or grade.
    """
    file = parse_file(path, TermsWordsFile)
    if (file.id, file.language) != (terms.id, language):
        raise CatalogueError(path, "", f"These are not the words of “{terms.id}” in “{language}”.")
    for name in sorted(terms.terms.keys() ^ file.terms.keys()):
        sentence = "These words belong to no term." if name in file.terms else "This term has no words."
        raise CatalogueError(path, f"terms.{name}", sentence)
    found = {}
    for name, words in file.terms.items():
        wanted = set(terms.terms[name].grades) - {DEATH}
        if wanted != set(words.grades):
            raise CatalogueError(path, f"terms.{name}.grades", f"It needs words for {sorted(wanted)} and no others.")
        meant = {**words.grades, **({DEATH: file.death} if DEATH in terms.terms[name].grades else {})}
        found[name] = TermWords(words.name, MappingProxyType(dict(sorted(meant.items()))))
    return MappingProxyType(TermsByName(found))
