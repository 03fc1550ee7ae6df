"""No text that a person reads uses a word that the glossary avoids.

``tests/data/forbidden_terms.csv`` has one row for each phrase: the glossary's term, the language, the phrase, the term
to use, the longer phrases in which it may stand, and why. A row without a phrase names a term that cannot be tested.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import click
import polib
import pytest
import yaml
from flask import Flask

from tests.support.commands import load_commands
from tests.support.source_files import ROOT, report

TERMS = ROOT / "tests" / "data" / "forbidden_terms.csv"
GLOSSARY = ROOT / "docs" / "glossary.md"
# The glossary names the words itself; the changelog and the decisions tell how things were once called.
NOT_READ = {GLOSSARY, ROOT / "CHANGELOG.md", ROOT / "docs" / "decisions.md"}
HAN = re.compile(r"[\u3400-\u9fff]")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
# What participants type, never what they read.
TYPED = ("synonyms", "synonym_groups", "synonym_sets")


@dataclass(frozen=True)
class Forbidden:
    """A row of the list. ``allowed``: longer phrases in which ``phrase`` may stand."""

    term: str
    language: str
    phrase: str
    use: str
    allowed: tuple[str, ...]
    why: str

    def is_in(self, text: str) -> bool:
        """Return True if ``text`` has the phrase outside the allowed ones."""
        for longer in self.allowed:
            text = re.sub(_pattern(longer), "…", text, flags=re.IGNORECASE)
        return re.search(_pattern(self.phrase), text, re.IGNORECASE) is not None


def _pattern(phrase: str) -> str:
    """Return the pattern of whole words; Chinese has no spaces between words."""
    before, after = (r"(?<![A-Za-z])" if phrase[0].isascii() else ""), (r"(?![A-Za-z])" if phrase[-1].isascii() else "")
    return before + re.escape(phrase) + after


@cache
def forbidden() -> tuple[Forbidden, ...]:
    """Return every row of the list, those that cannot be tested too."""
    with TERMS.open(encoding="utf-8", newline="") as file:
        return tuple(
            Forbidden(
                row["term"],
                row["language"],
                row["phrase"],
                row["use"],
                tuple(one for one in re.split(r"\s*[;；]\s*", row["allowed"]) if one),
                row["why"],
            )
            for row in csv.DictReader(file)
        )


def phrases() -> tuple[Forbidden, ...]:
    """Return the rows that have a phrase."""
    return tuple(row for row in forbidden() if row.phrase)


@cache
def interface_texts() -> tuple[tuple[str, str], ...]:
    """Return (place, text) of every message and its translation, and of the wording files."""
    found: list[tuple[str, str]] = []
    for path in sorted((ROOT / "translations").glob("*/LC_MESSAGES/messages.po")):
        for entry in polib.pofile(str(path), encoding="utf-8"):
            texts = (entry.msgid, entry.msgid_plural, entry.msgstr, *entry.msgstr_plural.values())
            found += [(f"{path.relative_to(ROOT)}:{entry.linenum}", text) for text in texts if text]
    for path in sorted((ROOT / "translations").glob("*/*/*.yaml")):
        loaded = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
        found += [(f"{path.relative_to(ROOT)} {where}", text) for where, text in strings_of(loaded)]
    return tuple((where, PLACEHOLDER.sub("…", text.replace("<wbr>", ""))) for where, text in found)


def strings_of(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, text) of every text in a loaded file that is shown."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in TYPED:
                yield from strings_of(inner, f"{where}.{key}".strip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from strings_of(inner, f"{where}.{place}")


@cache
def document_texts() -> tuple[tuple[str, str], ...]:
    """Return (file:line, paragraph) of every documentation page, without code."""
    found: list[tuple[str, str]] = []
    for path in sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")} - NOT_READ):
        text = CODE.sub(lambda code: "…" + "\n" * code.group().count("\n"), path.read_text("utf-8"))
        line = 1
        for paragraph in re.split(r"(\n(?=[-|#\d\n]))", text):
            if paragraph.strip():
                found.append((f"{path.relative_to(ROOT)}:{line}", " ".join(paragraph.split())))
            line += paragraph.count("\n")
    return tuple(found)


def help_texts(command: click.Command, name: str = "flask") -> Iterator[tuple[str, str]]:
    """Yield (command, text) of the help of ``command`` and of all below it."""
    for text in (command.help, command.short_help, *(getattr(one, "help", None) for one in command.params)):
        if text:
            yield name, " ".join(text.split())
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            if not inner.hidden:
                yield from help_texts(inner, f"{name} {below}")


def faults(texts: tuple[tuple[str, str], ...]) -> list[str]:
    """Return one line for each text that uses a word of the list."""
    found = []
    for where, text in texts:
        for row in phrases():
            if (row.language == "en" or HAN.search(text)) and row.is_in(text):
                found.append(f"{where}: “{row.phrase}”; the glossary says “{row.use}”: {text[:120]}")
    return found


def test_no_message_and_no_wording_uses_a_forbidden_term() -> None:
    assert len(interface_texts()) > 5000
    assert not faults(interface_texts()), report(faults(interface_texts()))


def test_no_documentation_page_uses_a_forbidden_term() -> None:
    assert len(document_texts()) > 300
    assert not faults(document_texts()), report(faults(document_texts()))


def test_no_command_uses_a_forbidden_term(app: Flask) -> None:
    commands = load_commands(app).commands.items()
    texts = tuple(text for name, command in commands for text in help_texts(command, f"flask {name}"))
    assert len(texts) > 60
    assert not faults(texts), report(faults(texts))


def test_every_term_of_the_glossary_is_in_the_list_or_named_as_not_testable() -> None:
    rows = [line.split("|")[1].strip() for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("| ")]
    terms = [term for term in rows if term != "English"]
    assert len(terms) > 150
    assert len(set(terms)) == len(terms), "a term has two rows in the glossary"
    listed = {row.term for row in forbidden()}
    assert listed == set(terms), f"missing: {set(terms) - listed}, unknown: {listed - set(terms)}"
    mute = [row for row in forbidden() if not row.phrase]
    assert not [row.term for row in mute if not row.why], "say why a term cannot be tested"
    assert not {row.term for row in mute} & {row.term for row in phrases()}


def test_the_list_itself_is_sound() -> None:
    wrong = []
    for row in phrases():
        if row.language not in ("en", "zh") or not row.use or not row.is_in(f"({row.phrase})"):
            wrong.append(f"{row.term}: language, term to use and phrase are needed")
        if row.use == row.phrase or bool(HAN.search(row.phrase)) != (row.language == "zh"):
            wrong.append(f"“{row.phrase}” is not of the language {row.language}, or is its own replacement")
        if row.allowed and not row.why:
            wrong.append(f"“{row.phrase}”: say why it may stand in {row.allowed}")
        wrong += [
            f"“{one}” does not hold “{row.phrase}”" for one in row.allowed if row.phrase.lower() not in one.lower()
        ]
        if row.is_in(f"({row.use})"):
            wrong.append(f"“{row.use}” is to be used for “{row.phrase}”, and holds it")
    listed = [(row.language, row.phrase.lower()) for row in phrases()]
    wrong += [f"“{phrase}” is listed twice" for phrase in {one for one in listed if listed.count(one) > 1}]
    assert not wrong, report(wrong)


def test_every_exception_is_needed() -> None:
    every = [text.lower() for _where, text in (*interface_texts(), *document_texts())]
    idle = [
        f"{row.phrase}: {one}"
        for row in phrases()
        for one in row.allowed
        if not any(re.search(_pattern(one.lower()), text) for text in every)
    ]
    assert not idle, report(idle)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Nobody has it", "nobody has it"),
        ("Your STUDY NUMBER is NC-001.", "study number"),
        ("请尽快处理", "尽快"),
        ("由协调员填写", "协调员"),
    ],
)
def test_a_forbidden_term_is_found(text: str, phrase: str) -> None:
    assert any(f"“{phrase}”" in fault for fault in faults((("here", text),)))


@pytest.mark.parametrize("text", ["由研究协调员填写", "Please call us and tell us how you are.", "The studious number"])
def test_a_term_inside_an_allowed_phrase_or_a_longer_word_is_no_fault(text: str) -> None:
    assert faults((("here", text),)) == []
