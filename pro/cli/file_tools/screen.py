"""``flask screen``: find red flags in texts, without database and settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

import click

from pro.catalogue import CatalogueError
from pro.catalogue.lexicon_files import read_lexicon
from pro.cli.file_tools.input_files import lexicon_file, plans_option, read_lines
from pro.core.text.red_flag_screening import Screening
from pro.core.text.red_flag_screening import screen as screen_text


@click.command("screen", short_help="Screen texts for red flags, one text per line.")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--lexicon", "name", default="npc_freetext", show_default=True, help="Name of the lexicon.")
@plans_option
def screen(file: BinaryIO, name: str, plans: Path | None) -> None:
    """Screen texts for red flags. Input: one text per line. Output: one JSON object per line with level and hits.

    Reads FILE, or standard input, in UTF-8. A line that is not UTF-8 is at least "watch": a human must read it.
    """
    try:
        lexicon = read_lexicon(lexicon_file(plans, name))
    except CatalogueError as error:
        raise click.ClickException(str(error)) from error
    out = sys.stdout.buffer
    for text in read_lines(file):
        # Bytes that are not UTF-8 become U+FFFD; the screening marks such a text as unreadable.
        found = screen_text(text.decode("utf-8", errors="replace"), lexicon)
        out.write(_line(found).encode("utf-8", errors="replace") + b"\n")
    out.flush()


def _line(found: Screening) -> str:
    hits = [{"class": hit.class_id, "term": hit.term, "status": hit.status} for hit in found.hits]
    return json.dumps({"level": found.level.word, "hits": hits}, ensure_ascii=False)
