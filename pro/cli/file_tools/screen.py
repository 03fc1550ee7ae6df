"""``flask screen``: find red flags in texts, without database and settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

import click

from pro.catalogue.lexicon_files import read_lexicon
from pro.core.text.red_flag_screening import Screening
from pro.core.text.red_flag_screening import screen as screen_text

LEXICON = Path(__file__).resolve().parents[2] / "data" / "lexicons" / "npc_freetext.yaml"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@click.command("screen", short_help="Look for red flags in texts, one a line.")
@click.argument("file", type=click.File("rb"), default="-")
def screen(file: BinaryIO) -> None:
    """Look for red flags in texts: one text a line in, one JSON object a line out with its level and hits.

    Reads FILE, or standard input, in UTF-8. A line that is not UTF-8 is at least "watch": a human must read it.
    """
    lexicon = read_lexicon(LEXICON)
    out = sys.stdout.buffer
    for number, line in enumerate(file):
        text = line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
        # Bytes that are not UTF-8 become U+FFFD; the screening marks such a text as unreadable.
        found = screen_text(text.rstrip(b"\r\n").decode("utf-8", errors="replace"), lexicon)
        out.write(_line(found).encode("utf-8", errors="replace") + b"\n")
    out.flush()


def _line(found: Screening) -> str:
    hits = [{"class": hit.class_id, "term": hit.term, "status": hit.status} for hit in found.hits]
    return json.dumps({"level": found.level.word, "hits": hits}, ensure_ascii=False)
