"""Read the check-in and its wording once, for the tests of the reply parser."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pro.catalogue import read_instruments
from pro.catalogue.instrument_files.words import read_words
from pro.core.text.reply_parser import ParsedReply, ReplyParser

ROOT = Path(__file__).resolve().parents[2]
CHECKIN = read_instruments(ROOT / "pro/data/instruments")["npc_checkin"]
ITEMS = CHECKIN.items
SPOKEN = [
    read_words(ROOT / f"translations/{language}/instruments/npc_checkin.yaml", CHECKIN, language)
    for language in ("zh_Hans", "en")
]


@cache
def parser_of(item: str) -> ReplyParser:
    """Return the parser of ``item`` for both languages."""
    return ReplyParser(ITEMS[item], SPOKEN)


def parse(item: str, text: str) -> ParsedReply:
    """Parse ``text`` as an answer to ``item``."""
    return parser_of(item).parse(text)
