"""Read the records of a CSV without letting an open quotation mark swallow the records after it.

A quoted cell may hold line breaks. If a quotation mark is opened and never closed, or closed by a curly one, the text
up to the next quotation mark would become one cell, and other people's rows with it. A line that is a whole record by
itself therefore ends an open cell.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

QUOTE = '"'
OPEN_QUOTE = "a quotation mark is opened and not closed"
# Lines that one quoted cell may have.
MOST_LINES = 200
# Characters shown of a cell that cannot be read.
LONGEST_CELL = 200
SEPARATORS = (",", ";", "\t", "|", "，")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be read. ``why`` names its line; ``cells``: what could be separated, perhaps none."""

    why: str
    cells: tuple[str, ...] = ()


@dataclass
class RecordReader:
    """Records of ``lines``, which keep their line ends; ``width`` is the number of columns.

    ``first_line``: the number of the first line in its file.
    """

    lines: Iterator[str]
    separator: str
    width: int
    first_line: int = 2
    _waiting: deque[str] = field(default_factory=deque)
    _open: deque[BadRecord] = field(default_factory=deque)
    # Number of lines that the CSV reader has taken, and the last of them.
    _taken: int = 0
    _newest: str = ""

    def __post_init__(self) -> None:
        """Compile the pattern of a line whose quotation marks are all in order."""
        cell = f'(?:"(?:[^"]|"")*"|[^"{re.escape(self.separator)}\r\n]*)'
        self._in_order = re.compile(f"{cell}(?:{re.escape(self.separator)}{cell})*[\r\n]*")

    def records(self) -> Iterator[list[str] | BadRecord]:
        """Yield every record; empty lines are left out."""
        reader = csv.reader(self._closed_lines(), delimiter=self.separator, strict=True)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as problem:
                yield BadRecord(self._at_line(f"this is not CSV ({problem})"), self._plain_cells(self._newest))
                continue
            if row is None:
                return
            if row:
                yield row
            elif self._open:
                yield self._open.popleft()

    def _next_line(self) -> str | None:
        return self._waiting.popleft() if self._waiting else next(self.lines, None)

    def _closed_lines(self) -> Iterator[str]:
        """Yield lines for the CSV reader; an empty one in place of a line that leaves a quotation mark open."""
        for line in self._whole_lines():
            self._taken += 1
            self._newest = line
            yield line

    def _whole_lines(self) -> Iterator[str]:
        """Yield the lines of ``_closed_lines``, uncounted."""
        while (line := self._next_line()) is not None:
            if QUOTE not in line or self._in_order.fullmatch(line) or not self._leaves_open(line, False):
                yield line
                continue
            block, closed = [line], False
            while len(block) < MOST_LINES and not closed:
                more = self._next_line()
                if more is None:
                    break
                if self._is_record(more):
                    self._waiting.appendleft(more)
                    break
                block.append(more)
                closed = not self._leaves_open(more, True)
            if closed:
                yield from block
                continue
            found = tuple(next(csv.reader([line], delimiter=self.separator)))
            self._open.append(BadRecord(self._at_line(OPEN_QUOTE, ahead=1), found))
            self._waiting.extendleft(reversed(block[1:]))
            yield "\n"

    def _at_line(self, why: str, ahead: int = 0) -> str:
        """Return ``why`` with the number of the line, ``ahead`` of the last one that was taken."""
        return f"line {self.first_line - 1 + self._taken + ahead}: {why}"

    def _plain_cells(self, line: str) -> tuple[str, ...]:
        """Return the cells of a line that is not CSV, so that its row can be found: cut at every separator."""
        return tuple(cell.strip(f"{QUOTE}\r\n")[:LONGEST_CELL] for cell in line.split(self.separator)[: self.width])

    def _is_record(self, line: str) -> bool:
        """Return True if ``line`` is a whole record by itself."""
        if self.width < 2 or line.count(self.separator) < self.width - 1 or not self._in_order.fullmatch(line):
            return False
        return len(next(csv.reader([line], delimiter=self.separator))) == self.width

    def _leaves_open(self, line: str, inside: bool) -> bool:
        """Return whether a quoted cell is open at the end of ``line``. ``inside``: one is open at its beginning."""
        at_start, place = not inside, 0
        while place < len(line):
            letter = line[place]
            if inside:
                if letter == QUOTE and line[place + 1 : place + 2] == QUOTE:
                    place += 1
                elif letter == QUOTE:
                    inside = False
            elif letter == self.separator:
                at_start = True
                place += 1
                continue
            elif letter == QUOTE and at_start:
                inside = True
            at_start = False
            place += 1
        return inside


def split_header(line: str, wanted: Iterable[str]) -> tuple[list[str], str]:
    """Return the cells of the first line and the separator, the one that finds most of the names ``wanted``.

    Raises csv.Error if the line is not CSV.
    """
    wanted, problem = set(wanted), csv.Error()
    found: list[tuple[int, list[str], str]] = []
    for separator in SEPARATORS:
        try:
            cells = next(csv.reader([line], delimiter=separator, strict=True), [])
        except csv.Error as error:
            problem = error
            continue
        found.append((len(wanted & {cell.strip() for cell in cells}), cells, separator))
    if not found:
        raise problem
    _number, cells, separator = max(found, key=lambda one: one[0])
    return cells, separator
