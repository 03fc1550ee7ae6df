"""Read one YAML file strictly; an error names the file, the place and what to correct."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pro.catalogue.file_errors import model_error_sentence, yaml_error_sentence
from pro.catalogue.renamed_keys import former_keys_first
from pro.core.translatable_sentence import EnglishOnly, Sentence

SafeLoader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The data files of this project nest at most six levels deep.
MAX_DEPTH = 40
Model = TypeVar("Model", bound=BaseModel)


class CatalogueError(Exception):
    """An invalid data file: ``file``, ``where`` (place in it), ``sentence`` (what to correct).

    ``where`` and ``sentence`` are a ``Sentence`` if staff can see them on a page, which is true for plan files.
    ``places``: one error for every invalid place; with one place, this error itself.
    """

    def __init__(
        self, file: Path | str, where: str, sentence: str, places: Sequence[CatalogueError] | None = None
    ) -> None:
        self.file, self.where, self.sentence = str(file), where, sentence
        self.places = (self,) if places is None else tuple(places)
        super().__init__(f"{self.file}: {self.place_and_sentence}")

    @classmethod
    def joined(cls, errors: Sequence[CatalogueError]) -> CatalogueError:
        """Return the first of ``errors`` (at least one), with the places of all."""
        first = errors[0]
        return cls(first.file, first.where, first.sentence, [place for error in errors for place in error.places])

    @property
    def problems(self) -> list[str]:
        """Return a line for every invalid place. Pages show the first only."""
        return [str(place) for place in self.places]

    @property
    def place_and_sentence(self) -> str:
        """Return place and sentence, without the file."""
        if not self.where:
            return self.sentence
        return Sentence("%(place)s: %(sentence)s", place=self.where, sentence=self.sentence)


class FilePart(BaseModel):
    """A piece of a data file: an unknown key is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictLoader(SafeLoader):
    """YAML with text, whole numbers, true, false and null only; a repeated key is an error.

    YAML 1.1 reads ``No`` as false, ``3.0`` as a number and ``2026-11-22`` as a date; in these files they are texts.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, Sentence("%(key)s appears twice", key=repr(key)), key_node.start_mark
                )
            seen.add(key)
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping


StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
StrictLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
StrictLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])


def load_yaml(path: Path, text: str | None = None) -> object:
    """Load the YAML file ``path``, or ``text`` if it is given.

    Raises CatalogueError if the file cannot be read, is not YAML, has a key twice, or has aliases, tags or more than
    MAX_DEPTH levels.
    """
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
        _check_shape(text)
        return yaml.load(text, StrictLoader)  # noqa: S506 (Loader is a safe loader)
    except (OSError, UnicodeDecodeError) as problem:
        sentence = Sentence("This file cannot be read: %(message)s.", message=EnglishOnly(problem))
        raise CatalogueError(path, "", sentence) from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = Sentence("line %(line)s, column %(column)s", line=mark.line + 1, column=mark.column + 1) if mark else ""
        raise CatalogueError(path, where, yaml_error_sentence(problem)) from problem
    except (TypeError, ValueError) as problem:
        sentence = Sentence("This is not valid YAML: %(message)s.", message=EnglishOnly(problem))
        raise CatalogueError(path, "", sentence) from problem


def _check_shape(text: str) -> None:
    # libyaml builds its tree by recursion: deep nesting would crash the process instead of raising an error.
    depth = 0
    for event in yaml.parse(text, StrictLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        mark: Any = event.start_mark
        if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            found = Sentence("an alias, or more than %(most)s levels of nesting", most=MAX_DEPTH)
            raise yaml.MarkedYAMLError(problem=found, problem_mark=mark)
        # The parser fails on a tag that does not fit its value.
        if tag := getattr(event, "tag", None):
            found = Sentence("the tag %(tag)s, which is not allowed here", tag=tag)
            raise yaml.MarkedYAMLError(problem=found, problem_mark=mark)


def parse_file(path: Path, model: type[Model], text: str | None = None) -> Model:
    """Load ``path`` (or ``text``) and validate it as ``model``.

    Raises CatalogueError with every invalid place; with ``text``, each has its line number.
    """
    data = load_yaml(path, text)
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        errors = former_keys_first(problem.errors(include_url=False))
        places = [
            CatalogueError(path, _place_text(text, error["loc"]), model_error_sentence([error])) for error in errors
        ]
        raise CatalogueError(path, places[0].where, model_error_sentence(errors), places) from problem


def _place_text(text: str | None, place: Sequence[int | str]) -> str:
    """Return ``place`` as text, with its line number if ``text`` is given."""
    where = ".".join(str(step) for step in place)
    line = _line_number(text, place) if text is not None else None
    return where if line is None else Sentence("%(path)s (line %(line)s)", path=where, line=line)


def _line_number(text: str, place: Sequence[int | str]) -> int | None:
    """Return the line (from 1) of ``place`` in ``text``.

    If ``place`` is missing: the line of the part that should hold it; None if that is the whole file.
    """
    node, line = yaml.compose(text, StrictLoader), None
    for step in place:
        if isinstance(node, yaml.MappingNode):
            inside = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            inside = {number: (value, value) for number, value in enumerate(node.value)}
        else:
            break
        # Keys of YAML nodes are text, while pydantic reports some of them as numbers.
        found = inside.get(step) or inside.get(str(step))
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
