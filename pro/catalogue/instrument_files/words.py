"""Words of an instrument in one language: their YAML file, and checks before display.

Licensed words come as CSV (``licensed_wording``) and pass the same checks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from pro.catalogue.instrument_files.structure import ONLY_VERSION
from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.questionnaire.instrument import Instrument, Item, ItemsByName, ItemWords, Licence, Words
from pro.core.text import reply_parser

# A scale with this many options or more needs labels at its two ends only (QLQ-C30 items 29-30: docs/domain.md 1.1).
ENDS_ONLY_FROM = 7
_GROUP = re.compile(r"\{([a-z_]+)\}")
_MARKUP = re.compile(r"<(?!wbr>)[A-Za-z/!]|\x00")


class LicenceFile(FilePart):
    """The licence block of licensed wording."""

    kind: Literal["licensed"]
    holder: str
    reference: str
    study: str
    languages: tuple[str, ...] = Field(min_length=1)
    expires: date
    label: str


class ItemWordsFile(FilePart):
    """One item's words. ``options`` may be the name of a set in ``option_sets``."""

    question: str = Field(description="<wbr> marks where a Chinese line may break")
    short: str = Field(description="Name on the review page, on the list page and for staff")
    hint: str = ""
    options: str | dict[int, str] = {}
    unit: str = ""
    proxy: str = Field("", description="The question about the participant, for a proxy, where it says “you”")
    proxy_short: str = Field("", description="The short name for a proxy, where ``short`` says “you”")
    synonyms: dict[int, tuple[str, ...]] = Field(
        default={},
        description="Other words for an option in a typed reply; {name} puts in each word of a group of synonym_groups",
    )
    other_names: tuple[str, ...] = Field(
        default=(), description="Names besides ``short`` that may be typed for the item where it stands in a list"
    )


class WordsFile(FilePart):
    """A whole words file, ``translations/<language>/instruments/<instrument>.yaml``."""

    instrument: str
    instrument_version: str
    language: str
    version: str
    status: str = Field(min_length=1, description="How far the words were tested; shown to staff")
    licence: Literal["own", "demonstration"] | LicenceFile
    title: str
    staff_title: str = Field("", description="Name of the questionnaire for staff, where it is not the title")
    minutes: int = Field(gt=0)
    recall_periods: dict[str, str] = {}
    option_sets: dict[str, dict[int, str]] = {}
    synonym_groups: dict[str, tuple[str, ...]] = {}
    synonym_sets: dict[str, dict[int, tuple[str, ...]]] = Field(
        default={}, description="By the name of an option set: synonyms for every item that has these options"
    )
    items: dict[str, ItemWordsFile]


def read_words(path: Path, instrument: Instrument, language: str) -> Words:
    """Read the words in ``path``.

    Raises CatalogueError if words are missing, unknown or of another instrument, version or language.
    """
    file = parse_file(path, WordsFile)
    if file.language != language:
        sentence = f"This file is in the folder of {language}, but its language is “{file.language}”."
        raise CatalogueError(path, "language", sentence)
    for name in file.synonym_sets.keys() - file.option_sets.keys():
        raise CatalogueError(path, f"synonym_sets.{name}", f"There is no set called “{name}” in option_sets.")
    items: dict[str, ItemWords] = {}
    for item_id, raw in file.items.items():
        options = raw.options
        if isinstance(options, str):
            if options not in file.option_sets:
                sentence = f"There is no set called “{options}” in option_sets."
                raise CatalogueError(path, f"items.{item_id}.options", sentence)
            options = file.option_sets[options]
        synonyms = read_synonyms(path, file, item_id)
        items[item_id] = ItemWords(
            raw.question,
            raw.short,
            raw.hint,
            MappingProxyType(dict(options)),
            raw.unit,
            MappingProxyType(synonyms),
            raw.proxy,
            raw.proxy_short,
            raw.other_names,
        )
    words = with_checksum(
        Words(
            instrument=file.instrument,
            instrument_version=file.instrument_version,
            language=file.language,
            version=file.version,
            status=file.status,
            licence=_licence(file.licence),
            title=file.title,
            staff_title=file.staff_title,
            minutes=file.minutes,
            recall_periods=MappingProxyType(dict(file.recall_periods)),
            items=MappingProxyType(ItemsByName(items)),
        )
    )
    for problem in wording_problems(instrument, words):
        raise CatalogueError(path, problem.where, problem.sentence)
    return words


def read_synonyms(path: Path, file: WordsFile, item_id: str) -> dict[int, tuple[str, ...]]:
    """Return code -> synonyms of the item's option set and of the item, with groups expanded.

    Raises CatalogueError for an unknown group.
    """
    raw = file.items[item_id]
    shared = file.synonym_sets.get(raw.options, {}) if isinstance(raw.options, str) else {}
    synonyms: dict[int, tuple[str, ...]] = {}
    for code, texts in (*shared.items(), *raw.synonyms.items()):
        for text in texts:
            for name in _GROUP.findall(text):
                if name not in file.synonym_groups:
                    sentence = f"There is no group called “{name}” in synonym_groups."
                    raise CatalogueError(path, f"items.{item_id}.synonyms.{code}", sentence)
            synonyms[code] = synonyms.get(code, ()) + _expand_groups(text, file.synonym_groups)
    return {code: tuple(dict.fromkeys(texts)) for code, texts in synonyms.items()}


def _expand_groups(text: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return ``text`` with every member of each group in it: “{not}痛” gives 不痛, 没痛 and so on."""
    # The pattern has one group, so every second part is the name of one.
    parts = [groups[part] if place % 2 else (part,) for place, part in enumerate(_GROUP.split(text))]
    return tuple("".join(chosen) for chosen in product(*parts))


def _licence(raw: str | LicenceFile) -> Licence:
    if not isinstance(raw, LicenceFile):
        return Licence("own" if raw == "own" else "demonstration")
    return Licence("licensed", raw.holder, raw.reference, raw.study, raw.languages, raw.expires.isoformat(), raw.label)


def with_checksum(words: Words) -> Words:
    """Return ``words`` with the SHA-256 of everything that participants see.

    Synonyms are not included: participants never see them, so a new synonym does not change the questionnaire.
    """
    items = {
        item_id: {
            "question": item.question,
            "short": item.short,
            "hint": item.hint,
            "unit": item.unit,
            "options": {str(code): label for code, label in item.options.items()},
            # Only where there is one, so that wording without it keeps its checksum.
            **({"proxy": item.proxy} if item.proxy else {}),
            **({"proxy_short": item.proxy_short} if item.proxy_short else {}),
        }
        for item_id, item in words.items.items()
    }
    text = {
        "instrument": words.instrument,
        "instrument_version": words.instrument_version,
        "language": words.language,
        "title": words.title,
        "recall_periods": dict(words.recall_periods),
        "items": items,
    }
    canonical = json.dumps(text, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return replace(words, checksum=hashlib.sha256(canonical.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class WordingProblem:
    """One problem of the words: its place and a sentence."""

    where: str
    sentence: str


def wording_problems(instrument: Instrument, words: Words) -> Iterator[WordingProblem]:
    """Yield every problem for which ``words`` must not be shown for ``instrument``."""
    if words.instrument != instrument.id:
        yield WordingProblem("instrument", f"This is the wording of “{words.instrument}”, not of “{instrument.id}”.")
    expected = ONLY_VERSION.get(instrument.id, instrument.version)
    if words.instrument_version != expected:
        yield WordingProblem(
            "instrument_version",
            f"The words must say that they are for version {expected} of {instrument.id}; "
            f"they say “{words.instrument_version}”.",
        )
    yield from _text(("title", words.title))
    recalls = {item.recall_period for item in instrument.items.values() if item.recall_period}
    yield from _name_problems("recall_periods", words.recall_periods, recalls, "recall period")
    yield from _text(*((f"recall_periods.{key}", text) for key, text in words.recall_periods.items()))
    yield from _name_problems("items", words.items, instrument.items, "item")
    for item_id, item in words.items.items():
        if item_id in instrument.items:
            yield from _item_problems(instrument.items[item_id], item)


def _item_problems(item: Item, words: ItemWords) -> Iterator[WordingProblem]:
    where = f"items.{item.id}"
    yield from _text((f"{where}.question", words.question), (f"{where}.short", words.short))
    for place, text in (("proxy", words.proxy), ("proxy_short", words.proxy_short), ("hint", words.hint)):
        if _MARKUP.search(text):
            yield WordingProblem(f"{where}.{place}", "No markup but <wbr> may stand in a text.")
    for code, label in words.options.items():
        if code not in item.codes:
            yield WordingProblem(f"{where}.options.{code}", f"“{item.id}” has no option {code}.")
        yield from _text((f"{where}.options.{code}", label))
    for code in required_labels(item):
        if code not in words.options:
            yield WordingProblem(f"{where}.options", f"The text of option {code} of “{item.id}” is missing.")
    yield from _synonym_problems(item, words)


def _synonym_problems(item: Item, words: ItemWords) -> Iterator[WordingProblem]:
    codes = (0,) if item.kind == "list" else item.codes
    for code, synonyms in words.synonyms.items():
        where = f"items.{item.id}.synonyms.{code}"
        if code not in codes:
            yield WordingProblem(where, f"“{item.id}” has no option {code}.")
        for synonym in synonyms:
            wrong = reply_parser.synonym_problem(synonym)
            if wrong is not None:
                yield WordingProblem(where, f"“{synonym}” {wrong}.")
    yield from ambiguous_synonyms(item.id, [words])


def ambiguous_synonyms(item_id: str, spoken: Sequence[ItemWords]) -> Iterator[WordingProblem]:
    """Yield every synonym that stands for two options of the item.

    ``spoken``: the item's words in one or more languages. They are checked together, because a reply may be in any
    language.
    """
    labels = [(reply_parser.normal_spelling(label), code) for words in spoken for code, label in words.options.items()]
    codes = dict(labels)
    for words in spoken:
        for code, synonyms in words.synonyms.items():
            for synonym in synonyms:
                other = codes.setdefault(reply_parser.normal_spelling(synonym), code)
                if other != code:
                    yield WordingProblem(
                        f"items.{item_id}.synonyms.{code}", f"“{synonym}” already stands for option {other}."
                    )


def required_labels(item: Item) -> tuple[int, ...]:
    """Return the codes that need a label: all codes, or the two ends of a long scale."""
    return item.codes if len(item.codes) < ENDS_ONLY_FROM else (item.codes[0], item.codes[-1])


def _name_problems(
    where: str, given: Mapping[str, object], wanted: Iterable[str], kind: str
) -> Iterator[WordingProblem]:
    wanted = list(wanted)
    for name in wanted:
        if name not in given:
            yield WordingProblem(where, f"The words of the {kind} “{name}” are missing.")
    for name in given:
        if name not in wanted:
            yield WordingProblem(f"{where}.{name}", f"There is no {kind} called “{name}”.")


def _text(*places: tuple[str, str]) -> Iterator[WordingProblem]:
    for where, text in places:
        if not text.strip():
            yield WordingProblem(where, "The text is empty.")
        elif _MARKUP.search(text):
            yield WordingProblem(where, "No markup but <wbr> may stand in a text.")
