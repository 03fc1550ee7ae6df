"""``flask reply``: parse typed replies as answers, without database and settings."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import click

from pro.catalogue import CatalogueError, read_instruments
from pro.catalogue.instrument_files.words import read_words
from pro.catalogue.plan_files.plan import read_plan
from pro.cli.file_tools.input_files import plan_files, plans_option, read_lines
from pro.core.questionnaire.instrument import Item, Words
from pro.core.text.reply_parser import ParsedReply, ReplyCommand, ReplyParser, UnclearReply

INSTRUMENTS = Path(__file__).resolve().parents[2] / "data" / "instruments"
TRANSLATIONS = Path(__file__).resolve().parents[3] / "translations"


@click.command("reply", short_help="Parse typed replies to one item, one reply per line.")
@click.argument("instrument")
@click.argument("item")
@click.option("--lang", default="zh_Hans", show_default=True, help="The language in which the question was asked.")
@click.argument("file", type=click.File("rb"), default="-")
@plans_option
def reply(instrument: str, item: str, lang: str, file: BinaryIO, plans: Path | None) -> None:
    """Parse texts as answers to ITEM of INSTRUMENT. Input: one text per line. Output: one JSON object per line.

    Reads FILE, or standard input, in UTF-8. Every language is understood, whichever the question was asked in. Says so
    if no plan here asks INSTRUMENT.
    """
    found_item, words = _find_item(instrument, item, lang)
    _check_asked(instrument, plans)
    parser = ReplyParser(found_item, words)
    out = sys.stdout.buffer
    for text in read_lines(file):
        # A byte that is not UTF-8 becomes a lone surrogate, which the parser never accepts in an answer.
        found = parser.parse(text.decode("utf-8", errors="surrogateescape"))
        out.write(_line(found).encode("utf-8") + b"\n")
    out.flush()


def _find_item(instrument: str, item: str, lang: str) -> tuple[Item, list[Words]]:
    """Return the item and its words in every language, ``lang`` first.

    Raises click.UsageError with the known names if the instrument, the item or the language does not exist.
    """
    try:
        known = read_instruments(INSTRUMENTS)
        if instrument not in known:
            raise click.UsageError(f"Unknown instrument “{instrument}”. Available: {', '.join(known)}.")
        if item not in known[instrument].items:
            raise click.UsageError(f"{instrument} has no item “{item}”; it has {', '.join(known[instrument].items)}.")
        paths = {path.parent.parent.name: path for path in TRANSLATIONS.glob(f"*/instruments/{instrument}.yaml")}
        if lang not in paths:
            raise click.UsageError(f"No wording in “{lang}”. Available: {', '.join(sorted(paths))}.")
        order = sorted(paths, key=lambda language: (language != lang, language))
        words = [read_words(paths[language], known[instrument], language) for language in order]
    except CatalogueError as error:
        raise click.ClickException(str(error)) from error
    return known[instrument].items[item], words


def _check_asked(instrument: str, plans: Path | None) -> None:
    """Say so if no plan, built in or of the site, asks ``instrument``."""
    try:
        instruments = read_instruments(INSTRUMENTS)
        known = [read_plan(path, instruments) for path in plan_files(plans).values()]
    except CatalogueError as error:
        raise click.ClickException(str(error)) from error
    if not any(instrument in plan.instruments for plan in known):
        click.echo(f"No plan uses {instrument}. Plans: {', '.join(plan.id for plan in known)}.", err=True)


def _line(found: ParsedReply) -> str:
    return json.dumps(_shown(found), ensure_ascii=False)


def _shown(found: ParsedReply) -> dict[str, object]:
    if isinstance(found, UnclearReply):
        return {"kind": "unclear", "why": found.why}
    if isinstance(found, ReplyCommand):
        return {"kind": "skip"} if found.command == "skip" else {"kind": "command", "command": found.command}
    value = float(found.value) if isinstance(found.value, Decimal) else found.value
    return {"kind": "value", "value": value}
