"""Licensed wording as one CSV table that a study coordinator fills in with a spreadsheet.

UTF-8, columns ``item,code,text,short``. A row with an item and no code is the question of that item (``short``: its
name on the review page; empty: the question). A row with an item and a code is one option. The first rows are not
questions and have the name of a field in ``code``: ``licence`` (holder, reference, study, languages, expires, label),
``form`` (instrument_version, version, title, minutes) and ``recall_period`` (each recall period).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

from pro.catalogue.instrument_files.words import required_labels, with_checksum, wording_problems
from pro.core.questionnaire.instrument import Instrument, ItemsByName, ItemWords, Licence, Words

COLUMNS = ("item", "code", "text", "short")
LICENCE_FIELDS = {
    "holder": "Who holds the rights?",
    "reference": "The number of the agreement",
    "study": "The study that the agreement names",
    "languages": "Languages it allows, as zh_Hans or en, parted by spaces",
    "expires": "Last day, as 2027-12-31",
    "label": "The licensor's name for this version and translation",
}
FORM_FIELDS = {
    "instrument_version": "Version that this wording is for",
    "version": "Your own number for this file",
    "title": "Title shown above the questions",
    "minutes": "About how many minutes it takes",
}
# Most characters of a question or an option. A longer text shows that the file is not a wording table.
LONGEST_TEXT = 2000


class WordingRefused(Exception):
    """A wording file cannot be used. ``sentences``: every problem, one sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("\n".join(sentences))


def template_csv(instrument: Instrument, language: str) -> str:
    """Return an empty wording table: a row for each field, item and option, without texts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in LICENCE_FIELDS:
        writer.writerow(("licence", name, language if name == "languages" else "", ""))
    for name in FORM_FIELDS:
        writer.writerow(("form", name, instrument.version if name == "instrument_version" else "", ""))
    for recall in _recalls(instrument):
        writer.writerow(("recall_period", recall, "", ""))
    for item in instrument.items.values():
        writer.writerow((item.id, "", "", ""))
        for code in item.codes:
            writer.writerow((item.id, code, "", ""))
    return out.getvalue()


def parse_csv(instrument: Instrument, language: str, text: str, today: date) -> Words:
    """Parse the licensed words in the CSV ``text``.

    Raises WordingRefused that lists every missing, unknown, repeated or empty row, and a licence that is incomplete,
    does not cover ``language`` or expired before ``today``.
    """
    table = _read(text)
    fields = table.fields
    wrong = list(table.wrong)
    wrong += _missing_fields(fields["licence"], LICENCE_FIELDS, "licence")
    wrong += _missing_fields(fields["form"], FORM_FIELDS, "form")
    licence = _licence(fields["licence"])
    wrong += licence_problems(licence, language, today)
    minutes = fields["form"].get("minutes", "")
    if minutes and not (minutes.isascii() and minutes.isdigit() and 0 < int(minutes[:4]) < 1000):
        wrong.append(f"Row “form,minutes”: “{minutes}” is not a whole number of minutes.")
    items, option_problems = _items(instrument, table)
    wrong += option_problems
    form = fields["form"]
    words = Words(
        instrument=instrument.id,
        instrument_version=form.get("instrument_version", ""),
        language=language,
        version=form.get("version", ""),
        status="licensed",
        licence=licence,
        title=form.get("title", ""),
        minutes=int(minutes[:4]) if minutes.isascii() and minutes.isdigit() else 0,
        recall_periods=MappingProxyType(fields["recall_period"]),
        items=MappingProxyType(ItemsByName(items)),
    )
    if "title" in form:
        wrong += [f"{problem.where}: {problem.sentence}" for problem in wording_problems(instrument, words)]
    if wrong:
        raise WordingRefused(list(dict.fromkeys(wrong)))
    return with_checksum(words)


def licence_problems(licence: Licence, language: str, today: date) -> list[str]:
    """Return why ``licence`` does not allow ``language`` on ``today``; empty if it does."""
    if licence.kind != "licensed":
        return ["This wording has no licence: load the licensed wording, or stay in demonstration mode."]
    found = []
    if licence.languages and language not in licence.languages:
        found.append(f"The licence names {', '.join(licence.languages)}, not {language}.")
    if licence.expires:
        try:
            last = date.fromisoformat(licence.expires)
        except ValueError:
            return [*found, f"Row “licence,expires”: “{licence.expires}” is not a date such as 2027-12-31."]
        if last < today:
            found.append(f"The licence ended on {licence.expires}.")
    return found


@dataclass
class _WordingTable:
    """The rows of the CSV by kind. ``wrong``: a sentence for every row that is invalid."""

    fields: dict[str, dict[str, str]] = field(default_factory=lambda: {"licence": {}, "form": {}, "recall_period": {}})
    questions: dict[str, tuple[str, str]] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def _read(text: str) -> _WordingTable:
    table = _WordingTable()
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    seen: set[tuple[str, str]] = set()
    try:
        header = tuple(cell.strip().lower() for cell in next(reader, []))
        if header[: len(COLUMNS)] != COLUMNS:
            raise WordingRefused([f"The first row must be {','.join(COLUMNS)}: keep it as the template has it."])
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            item, code, words, short = (cells + [""] * len(COLUMNS))[: len(COLUMNS)]
            if (item, code) in seen:
                table.wrong.append(f"Line {reader.line_num}: the row “{_name(item, code)}” appears twice.")
            elif len(words) > LONGEST_TEXT or len(short) > LONGEST_TEXT:
                table.wrong.append(f"Line {reader.line_num}: a text has more than {LONGEST_TEXT} characters.")
            seen.add((item, code))
            _place(table, item, code, words, short)
    except csv.Error as problem:
        raise WordingRefused([f"Line {reader.line_num}: this is not CSV ({problem})."]) from problem
    return table


def _place(table: _WordingTable, item: str, code: str, words: str, short: str) -> None:
    if item in table.fields:
        table.fields[item][code] = words
    elif code:
        table.options.setdefault(item, {})[code] = words
    else:
        table.questions[item] = (words, short)


def _missing_fields(given: Mapping[str, str], wanted: Mapping[str, str], kind: Literal["licence", "form"]) -> list[str]:
    missing = [f"Row “{kind},{name}” is missing or empty: {wanted[name]}." for name in wanted if not given.get(name)]
    return missing + [f"There is no row “{kind},{name}” in the template." for name in given if name not in wanted]


def _licence(fields: Mapping[str, str]) -> Licence:
    languages = tuple(fields.get("languages", "").replace(",", " ").replace("，", " ").split())
    plain = {name: fields.get(name, "") for name in LICENCE_FIELDS if name != "languages"}
    return Licence("licensed", languages=languages, **plain)


def _items(instrument: Instrument, table: _WordingTable) -> tuple[dict[str, ItemWords], list[str]]:
    items: dict[str, ItemWords] = {}
    wrong = [f"There is no item “{name}”." for name in table.options if name not in instrument.items]
    for name, (question, short) in table.questions.items():
        item = instrument.items.get(name)
        options: dict[int, str] = {}
        for code, label in table.options.get(name, {}).items():
            known = next((number for number in item.codes if str(number) == code), None) if item else None
            if item is not None and known is None:
                wrong.append(f"“{name}” has no option {code}.")
            elif item is not None and known is not None and (label or known in required_labels(item)):
                options[known] = label
        items[name] = ItemWords(question, short or question, options=MappingProxyType(options))
    return items, wrong


def _recalls(instrument: Instrument) -> list[str]:
    return list(dict.fromkeys(item.recall_period for item in instrument.items.values() if item.recall_period))


def _name(item: str, code: str) -> str:
    return f"{item},{code}" if code else item
