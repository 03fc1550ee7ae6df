"""``flask score``: score forms in a CSV, without database and settings."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from pro.catalogue import read_instruments
from pro.exports.score_csv import HeaderRefused, ScoredRow, scored_rows

# Characters. The CSV reader takes no cell of more than 131,072.
LONGEST_LINE = 1_000_000
INSTRUMENTS = Path(__file__).resolve().parents[2] / "data" / "instruments"


@click.command("score", short_help="Score a CSV of questionnaire forms.")
@click.argument("instrument")
@click.argument("file", type=click.File("rb"), default="-")
@click.pass_context
def score(context: click.Context, instrument: str, file: BinaryIO) -> None:
    """Score a CSV file of forms. Input: columns Q1...Q30 and any others. Output: scale scores.

    Reads FILE, or standard input, in UTF-8. Ends with status 1 if a row was bad (its column "error" says why), 2 if the
    file cannot be scored at all. Says which separator was guessed and which columns were replaced. "qlq_c30" means
    version 3.0.
    """
    known = read_instruments(INSTRUMENTS)
    scorable = sorted(name for name, found in known.items() if found.scales)
    if instrument not in scorable:
        why = "has no scales" if instrument in known else "is not an instrument"
        click.echo(f"“{instrument}” {why}. Can be scored: {', '.join(scorable)}.", err=True)
        context.exit(2)
    lines = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    tally, refusal = RowCounter(), ""
    try:
        rows = scored_rows(known[instrument], lines_of(lines), lambda sentence: click.echo(sentence, err=True))
        csv.writer(out, lineterminator="\n").writerows(tally.counted(rows))
        out.flush()
    except HeaderRefused as refused:
        refusal = str(refused)
    finally:
        # The caller owns both streams. Without detach() the wrappers would close them.
        lines.detach()
        out.detach()
    if refusal:
        click.echo(refusal, err=True)
        context.exit(2)
    if tally.bad:
        click.echo(f"{tally.bad} of {tally.rows} rows could not be scored: see the column “error”.", err=True)
        context.exit(1)


def lines_of(file: TextIO) -> Iterator[str]:
    """Yield the lines of ``file``, the end of a line that is too long left out: its row is bad, not the memory full."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            line = file.readline(LONGEST_LINE)


class RowCounter:
    """Counts rows of a stream: ``rows`` without the header, ``bad`` those with an error."""

    def __init__(self) -> None:
        self.rows = -1
        self.bad = 0

    def counted(self, rows: Iterator[ScoredRow]) -> Iterator[list[str]]:
        """Yield the cells of each row and count it."""
        for row in rows:
            self.rows += 1
            self.bad += row.bad
            yield row.cells
