"""Score forms in a CSV row by row, in constant memory (docs/domain.md 1.3 and 1.4).

Columns may be in any order; every item of the instrument must have one. The output has the other columns first,
unchanged and in their order, then the scores; it has no items, and replaces columns that have the name of an output.
An empty cell is a missing answer. Any other value than a whole number in range makes the row bad: column ``error``
gives the reason and the scores are empty.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter

from pro.core.questionnaire.instrument import Instrument, Item, Scale
from pro.core.questionnaire.scoring import scale_score, summary_score
from pro.exports.csv_records import BadRecord, RecordReader, split_header

ERROR = "error"
# A byte that is not UTF-8, decoded with "surrogateescape".
_UNDECODABLE = re.compile("[\ud800-\udfff]")
# Chinese keyboards type full-width digits. Other characters that look like digits are refused.
_HALF_WIDTH = str.maketrans("０１２３４５６７８９", "0123456789")
_WHOLE = re.compile("[0-9]{1,9}")
_LONGEST_SHOWN = 20
_SEPARATOR_NAMES = {";": "semicolons", "\t": "tabs", "|": "“|”", "，": "full-width commas"}
# Letters that are two bytes in UTF-8, alone in their word: the bytes may as well be Chinese words in GB18030.
_TWO_BYTE_WORD = re.compile("(?<![A-Za-z0-9\u0080-\u07ff])[\u0080-\u07ff]+(?![A-Za-z0-9\u0080-\u07ff])")
_SYMBOLS = re.compile("[\u00a0-\u00bf×÷]+")
_HALF_WORD = re.compile("[A-Za-z0-9]")
# In an old file a lone carriage return ends a line; a CSV writer would not put it into quotation marks.
_LONE_RETURN = re.compile("\r(?!\n)")
_LONGER = re.compile("[\u0800-\ud7ff\ue000-\U0010ffff]")
_LOST = "\ufffd"


class HeaderRefused(Exception):
    """The file cannot be scored. The text is a sentence that says what to correct."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One row of the output. ``bad``: it has an error instead of scores."""

    cells: list[str]
    bad: bool = False


def scored_rows(
    instrument: Instrument, lines: Iterable[str], note: Callable[[str], None] = lambda _sentence: None
) -> Iterator[ScoredRow]:
    """Yield the header of the output, then one row for each row of the CSV ``lines``.

    ``lines`` keep their line ends; bytes that are not UTF-8 are lone surrogates. Empty lines are skipped. ``note`` gets
    a sentence about what the reader of the output should know: a guessed separator, replaced columns. Raises
    HeaderRefused with the first row.
    """
    source = iter(lines)
    first = next(source, "")
    marked = first.startswith("\ufeff")
    first = first.removeprefix("\ufeff")
    if not first.strip("\r\n"):
        items = ", ".join(instrument.items)
        raise HeaderRefused(f"The first line is empty. It must name all items: {items}.")
    try:
        header, separator = split_header(first, instrument.items)
    except csv.Error as problem:
        raise HeaderRefused(f"The first line is not CSV: {problem}.") from problem
    scorer = _Scorer(instrument, header, marked)
    if separator != ",":
        note(f"The columns are read as separated by {_SEPARATOR_NAMES[separator]}; the output has commas.")
    if scorer.replaced:
        note(f"Columns of the file that are replaced by computed ones: {', '.join(scorer.replaced)}.")
    yield ScoredRow([*scorer.passed_names, *scorer.outputs])
    for row in RecordReader(source, separator, scorer.width).records():
        yield scorer.bad(row.cells, row.why) if isinstance(row, BadRecord) else scorer.score(row)


def shortest_decimal(value: float | None) -> str:
    """Return the shortest decimal that reads back as the same float; "" for None.

    It never has an exponent. Examples: 75, 83.33333333333333.
    """
    if value is None:
        return ""
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


@dataclass(frozen=True, slots=True)
class _Column:
    """One scale of the output.

    ``key``: takes the cells of its items from a row. ``known``: those cells -> the score as text and as number.
    """

    scale: Scale
    key: Callable[[Sequence[str]], object]
    known: dict[object, tuple[str, float | None]]


class _Scorer:
    """Scores the rows of one file; computes each combination of cells only once."""

    def __init__(self, instrument: Instrument, header: Sequence[str], marked: bool = False) -> None:
        self.instrument = instrument
        # The file begins with a byte order mark, so that its encoding is certain.
        self.marked = marked
        self.items: list[Item] = list(instrument.items.values())
        self.outputs = [*instrument.scales, *([instrument.summary.id] if instrument.summary else []), ERROR]
        names = _check_header([name.strip() for name in header], [item.id for item in self.items])
        self.width = len(names)
        self.places = [names.index(item.id) for item in self.items]
        taken = {*instrument.items, *self.outputs}
        self.passed = [place for place, name in enumerate(names) if name not in taken]
        self.passed_names = [header[place] for place in self.passed]
        self.replaced = [name for name in names if name in self.outputs]
        order = {item.id: place for place, item in enumerate(self.items)}
        self.columns = [
            _Column(scale, itemgetter(*(order[item] for item in scale.items)), {})
            for scale in instrument.scales.values()
        ]
        self.plain = [frozenset(("", *map(str, item.codes))) for item in self.items]

    def score(self, row: list[str]) -> ScoredRow:
        """Return the output row of ``row``, with scores or with an error."""
        if len(row) != self.width:
            return self.bad(row, f"the header has {self.width} columns, this row has {len(row)}")
        answers = [row[place].strip() for place in self.places]
        try:
            found = [column.known[column.key(answers)] for column in self.columns]
        except KeyError:
            learned = self.score_new_cells(answers)
            if isinstance(learned, str):
                return self.bad(row, learned)
            found = learned
        cells = [row[place] for place in self.passed]
        if any("\r" in cell for cell in cells):
            cells = [_LONE_RETURN.sub("\n", cell) for cell in cells]
        wrong = self.text_problem(cells)
        if wrong:
            return self.bad(row, wrong)
        cells += [text for text, _ in found]
        if self.instrument.summary is not None:
            values = {column.scale.id: value for column, (_, value) in zip(self.columns, found, strict=True)}
            cells.append(shortest_decimal(summary_score(self.instrument.summary, values).value))
        cells.append("")
        return ScoredRow(cells)

    def text_problem(self, cells: Sequence[str]) -> str:
        """Return why the words of ``cells`` may not be what was written; "" if they are."""
        text = "\n".join(cells)
        if text.isascii() and "\0" not in text:
            return ""
        if _UNDECODABLE.search(text):
            return "this row is not UTF-8 text; save the file as CSV UTF-8"
        if "\0" in text:
            return "this row has a NUL character; save the file as CSV UTF-8"
        if _LOST in text:
            return f"words of this row were lost before (“{_LOST}”); save the file again from its source as CSV UTF-8"
        if not self.marked and not _LONGER.search(text):
            for cell, word in ((one, word) for one in cells for word in _TWO_BYTE_WORD.findall(one)):
                other = _as_chinese(word)
                # A measurement such as "5 ± 2" is plain enough.
                if other and not (_SYMBOLS.fullmatch(word) and _HALF_WORD.search(cell)):
                    return f"“{word}” may be “{other}” in another encoding; save the file as CSV UTF-8"
        return ""

    def score_new_cells(self, cells: Sequence[str]) -> list[tuple[str, float | None]] | str:
        """Compute all scores for new ``cells``; return a sentence if a cell is invalid."""
        answers: dict[str, int | None] = {}
        wrong = []
        for item, cell in zip(self.items, cells, strict=True):
            answer = _parse_answer(item, cell)
            if isinstance(answer, str):
                wrong.append(answer)
            else:
                answers[item.id] = answer
        if wrong:
            return "; ".join(wrong)
        # Only plain codes are kept, so that unusual spellings cannot fill the memory.
        keep = all(cell in plain for cell, plain in zip(cells, self.plain, strict=True))
        found = []
        for column in self.columns:
            value = scale_score(self.instrument, column.scale, answers).value
            found.append((shortest_decimal(value), value))
            if keep:
                column.known[column.key(cells)] = found[-1]
        return found

    def bad(self, row: Sequence[str], error: str) -> ScoredRow:
        """Return the output row of ``row`` with ``error``; scores and missing cells are empty."""
        passed = [
            _LONE_RETURN.sub("\n", _UNDECODABLE.sub(_LOST, row[place])).replace("\0", _LOST) if place < len(row) else ""
            for place in self.passed
        ]
        return ScoredRow([*passed, *[""] * (len(self.outputs) - 1), error], bad=True)


def _as_chinese(word: str) -> str:
    """Return ``word`` as its bytes read in GB18030 if these are Chinese characters only; else ""."""
    try:
        other = word.encode().decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return other if all("\u4e00" <= letter <= "\u9fff" for letter in other) else ""


def _parse_answer(item: Item, cell: str) -> int | str | None:
    """Return the answer in ``cell``, None if it is empty, or a sentence if it is invalid."""
    if not cell:
        return None
    folded = cell.translate(_HALF_WIDTH)
    if _WHOLE.fullmatch(folded) and int(folded) in item.codes:
        return int(folded)
    shown = _UNDECODABLE.sub("\ufffd", cell)
    shown = shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
    return f"{item.id}: “{shown}” is not a whole number from {min(item.codes)} to {max(item.codes)}"


def _check_header(names: list[str], wanted: list[str]) -> list[str]:
    """Return ``names`` if the header is usable. Raises HeaderRefused otherwise."""
    if any(map(_UNDECODABLE.search, names)) or any("\x00" in name for name in names):
        raise HeaderRefused("The first line is not UTF-8 text. Save the file as CSV UTF-8 and try again.")
    missing = [name for name in wanted if name not in names]
    if missing:
        curly = " Put names into straight quotation marks, or none." if any("“" in name for name in names) else ""
        raise HeaderRefused(f"The first line must name all {len(wanted)} items; missing: {', '.join(missing)}.{curly}")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        shown = ", ".join(f"“{name}”" if name else "a column without a name" for name in twice)
        raise HeaderRefused(f"Every column needs a name of its own; there more than once: {shown}.")
    return names
