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

ERROR = "error"
# A byte that is not UTF-8, decoded with "surrogateescape".
_UNDECODABLE = re.compile("[\ud800-\udfff]")
# Chinese keyboards type full-width digits. Other characters that look like digits are refused.
_HALF_WIDTH = str.maketrans("０１２３４５６７８９", "0123456789")
_WHOLE = re.compile("[0-9]{1,9}")
_LONGEST_SHOWN = 20


class HeaderRefused(Exception):
    """The file cannot be scored. The text is a sentence that says what to correct."""


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One row of the output. ``bad``: it has an error instead of scores."""

    cells: list[str]
    bad: bool = False


def scored_rows(instrument: Instrument, lines: Iterable[str]) -> Iterator[ScoredRow]:
    """Yield the header of the output, then one row for each row of the CSV ``lines``.

    ``lines`` keep their line ends; bytes that are not UTF-8 are lone surrogates. Empty lines are skipped. Raises
    HeaderRefused with the first row.
    """
    reader = csv.reader(lines)
    try:
        header = next(reader, [])
    except csv.Error as problem:
        raise HeaderRefused(f"The first line is not CSV: {problem}.") from problem
    if header:
        header[0] = header[0].removeprefix("\ufeff")
    scorer = _Scorer(instrument, header)
    yield ScoredRow([*scorer.passed_names, *scorer.outputs])
    while True:
        try:
            row = next(reader, None)
        except csv.Error as problem:
            yield scorer.bad([], f"line {reader.line_num}: this is not CSV ({problem})")
            continue
        if row is None:
            return
        if row:
            yield scorer.score(row)


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

    def __init__(self, instrument: Instrument, header: Sequence[str]) -> None:
        self.instrument = instrument
        self.items: list[Item] = list(instrument.items.values())
        self.outputs = [*instrument.scales, *([instrument.summary.id] if instrument.summary else []), ERROR]
        names = _check_header([name.strip() for name in header], [item.id for item in self.items])
        self.width = len(names)
        self.places = [names.index(item.id) for item in self.items]
        taken = {*instrument.items, *self.outputs}
        self.passed = [place for place, name in enumerate(names) if name not in taken]
        self.passed_names = [header[place] for place in self.passed]
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
        if any(map(_UNDECODABLE.search, cells)):
            return self.bad(row, "this row is not UTF-8 text; save the file as CSV UTF-8")
        cells += [text for text, _ in found]
        if self.instrument.summary is not None:
            values = {column.scale.id: value for column, (_, value) in zip(self.columns, found, strict=True)}
            cells.append(shortest_decimal(summary_score(self.instrument.summary, values).value))
        cells.append("")
        return ScoredRow(cells)

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
        passed = [_UNDECODABLE.sub("\ufffd", row[place]) if place < len(row) else "" for place in self.passed]
        return ScoredRow([*passed, *[""] * (len(self.outputs) - 1), error], bad=True)


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
        raise HeaderRefused(f"The first line must name all {len(wanted)} items; missing: {', '.join(missing)}.")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        shown = ", ".join(f"“{name}”" if name else "a column without a name" for name in twice)
        raise HeaderRefused(f"Every column needs a name of its own; there more than once: {shown}.")
    return names
