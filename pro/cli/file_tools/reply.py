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
from pro.cli.file_tools.screen import BYTE_ORDER_MARK
from pro.core.questionnaire.instrument import Item, Words
from pro.core.text.reply_parser import ParsedReply, ReplyCommand, ReplyParser, UnclearReply

INSTRUMENTS = Path(__file__).resolve().parents[2] / "data" / "instruments"
TRANSLATIONS = Path(__file__).resolve().parents[3] / "translations"


@click.command("reply", short_help="Read typed texts as answers to one item, one a line.")
@click.argument("instrument")
@click.argument("item")
@click.option("--lang", default="zh_Hans", show_default=True, help="The language in which the question was asked.")
@click.argument("file", type=click.File("rb"), default="-")
def reply(instrument: str, item: str, lang: str, file: BinaryIO) -> None:
    """Read texts as answers to ITEM of INSTRUMENT: one text a line in, one JSON object a line out.

    Reads FILE, or standard input, in UTF-8. Every language is understood, whichever the question was asked in.
    """
    parser = ReplyParser(*_find_item(instrument, item, lang))
    out = sys.stdout.buffer
    for number, line in enumerate(file):
        text = line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
        # A byte that is not UTF-8 becomes a lone surrogate, which the parser never accepts in an answer.
        found = parser.parse(text.rstrip(b"\r\n").decode("utf-8", errors="surrogateescape"))
        out.write(_line(found).encode("utf-8") + b"\n")
    out.flush()


def _find_item(instrument: str, item: str, lang: str) -> tuple[Item, list[Words]]:
    """Return the item and its words in every language, ``lang`` first.

    Raises click.UsageError with the known names if the instrument, the item or the language does not exist.
    """
    try:
        known = read_instruments(INSTRUMENTS)
        if instrument not in known:
            raise click.UsageError(f"There is no instrument “{instrument}”; there are {', '.join(known)}.")
        if item not in known[instrument].items:
            raise click.UsageError(f"{instrument} has no item “{item}”; it has {', '.join(known[instrument].items)}.")
        paths = {path.parent.parent.name: path for path in TRANSLATIONS.glob(f"*/instruments/{instrument}.yaml")}
        if lang not in paths:
            raise click.UsageError(f"There are no words in “{lang}”; there are {', '.join(sorted(paths))}.")
        order = sorted(paths, key=lambda language: (language != lang, language))
        words = [read_words(paths[language], known[instrument], language) for language in order]
    except CatalogueError as error:
        raise click.ClickException(str(error)) from error
    return known[instrument].items[item], words


def _line(found: ParsedReply) -> str:
    return json.dumps(_shown(found), ensure_ascii=False)


def _shown(found: ParsedReply) -> dict[str, object]:
    if isinstance(found, UnclearReply):
        return {"kind": "unclear", "why": found.why}
    if isinstance(found, ReplyCommand):
        return {"kind": "skip"} if found.command == "skip" else {"kind": "command", "command": found.command}
    value = float(found.value) if isinstance(found.value, Decimal) else found.value
    return {"kind": "value", "value": value}
