"""Every word of the interface is translated, with the same placeholders, and the files are up to the code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polib
import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import _parse_mapping_toml as parse_mapping

from pro.catalogue import Catalogue
from pro.i18n import LANGUAGES, SOURCE_LANGUAGE
from tests.support.source_files import ROOT, place, report

TRANSLATIONS = ROOT / "translations"
TRANSLATED = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd%]|\{(\w*)\}")
HAN = re.compile(r"[\u3400-\u9fff]")
# Where a Chinese line may break: at marked places and after punctuation.
BREAK = re.compile(r"<wbr>|[，。；：？！、（）「」“”…—,;:?!()\s]")
CLAUSE = 14

Text = tuple[str | None, str, str]


@cache
def extracted() -> frozenset[Text]:
    """Return every text that code and templates show, as (context, text, plural)."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        methods, options = parse_mapping(file, filename="pyproject.toml", style="pyproject.toml")
    found: set[Text] = set()
    for _file, _line, text, _comments, context in extract_from_dir(
        ROOT, methods, options, keywords=DEFAULT_KEYWORDS, directory_filter=lambda path: Path(path).name[0] not in "._"
    ):
        one, many = (text[0], text[1]) if isinstance(text, tuple) else (text, "")
        if one:
            found.add((context, one, many))
    return frozenset(found)


def entries(path: Path) -> list[polib.POEntry]:
    """Return the entries of a .po or .pot file that are in use."""
    return [entry for entry in polib.pofile(str(path), encoding="utf-8") if not entry.obsolete]


def placeholders(text: str) -> list[str]:
    """Return the placeholders of a text in alphabetical order: languages put them in other places."""
    return sorted(match.group() for match in PLACEHOLDER.finditer(text))


def test_the_template_holds_exactly_the_words_of_the_code() -> None:
    template = {(e.msgctxt, e.msgid, e.msgid_plural) for e in entries(TRANSLATIONS / "messages.pot")}
    missing, gone = extracted() - template, template - extracted()
    assert not missing, f"run `make messages`; not collected yet: {sorted(text for _c, text, _p in missing)}"
    assert not gone, f"run `make messages`; no longer in the code: {sorted(text for _c, text, _p in gone)}"
    assert template


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_word_is_translated(language: str) -> None:
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    found = {(e.msgctxt, e.msgid, e.msgid_plural): e for e in entries(path)}
    assert set(found) == set(extracted()), "run `make messages`, then translate what is new"
    faults = []
    for entry in found.values():
        where = f"{place(path, entry.linenum)}: {entry.msgid!r}"
        texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        faults += [f"{where} is only guessed"] * entry.fuzzy
        faults += [f"{where} has no plural forms"] * (not texts)
        faults += [f"{where} is not translated"] * (not all(text.strip() for text in texts))
    assert not faults, report(faults)


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_equal(language: str) -> None:
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    faults = []
    for entry in entries(path):
        wanted = placeholders(entry.msgid_plural or entry.msgid)
        texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        wrong = [text for text in texts if text and placeholders(text) != wanted]
        faults += [f"{place(path, entry.linenum)}: {entry.msgid!r}: {text!r}" for text in wrong]
    assert not faults, report(faults)


@pytest.mark.parametrize("language", TRANSLATED)
def test_chinese_is_written_for_china(language: str) -> None:
    half = re.compile(r"[\u3400-\u9fff][,;:?!](?!\w)|[\u3400-\u9fff]\.(?:\s|$)")
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    faults = []
    for entry in entries(path):
        texts = list(entry.msgstr_plural.values()) or [entry.msgstr]
        faults += [f"{place(path, entry.linenum)}: half width: {text}" for text in texts if half.search(text)]
    assert not faults, report(faults)


def test_instruments_have_their_words_in_every_language(catalogue: Catalogue) -> None:
    for instrument in catalogue.instruments.values():
        for language in LANGUAGES:
            words = catalogue.words[instrument.id, language]
            assert set(words.items) == set(instrument.items)
            for item_id, item in instrument.items.items():
                spoken = words.items[item_id]
                assert spoken.question.strip()
                assert spoken.short.strip()
                if item.kind == "choice" and set(spoken.options) != set(item.codes):
                    # A scale of numbers has words at its ends only.
                    assert set(spoken.options) == {min(item.codes), max(item.codes)}, (language, item_id)


def test_plans_have_their_words_in_every_language(catalogue: Catalogue) -> None:
    for plan in catalogue.plans.values():
        for language in LANGUAGES:
            words = catalogue.plan_words[plan.id, language]
            assert set(words.rules) >= {rule.id for rule in plan.rules}
            assert set(words.suspects) >= {rule.suspects for rule in plan.rules if rule.suspects}
            assert set(words.advice) >= {rule.advice for rule in plan.rules if rule.advice}


def test_a_chinese_question_breaks_only_between_clauses(catalogue: Catalogue) -> None:
    long = []
    for (instrument, language), words in catalogue.words.items():
        if not language.startswith("zh"):
            continue
        for item_id, item in words.items.items():
            long += [
                f"{instrument}.{item_id}: {clause} ({len(HAN.findall(clause))})"
                for clause in BREAK.split(item.question)
                if len(HAN.findall(clause)) > CLAUSE
            ]
    assert not long, "mark a place to break with <wbr>:\n" + "\n".join(long)
