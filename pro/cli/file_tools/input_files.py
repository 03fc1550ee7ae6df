"""Shared by the file tools: the site's plan folder, and lines of text whatever program wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

DATA = Path(__file__).resolve().parents[2] / "data"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Of UTF-16 and UTF-32: what these files hold cannot be read line by line.
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
PLANS_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

plans_option = click.option(
    "--plans",
    type=PLANS_FOLDER,
    envvar="PRO_PLANS_DIR",
    help="Folder with the site's plan files; they override the built-in ones.",
)


def plan_files(plans: Path | None) -> dict[str, Path]:
    """Return plan id -> its file; a site's own file replaces a built-in one of the same name."""
    folders = [DATA / "plans", *([plans] if plans else [])]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def lexicon_file(plans: Path | None, name: str) -> Path:
    """Return the file of the lexicon ``name``: the site's own if there is one. Raises click.UsageError for none."""
    folders = [DATA / "lexicons", *([plans / "lexicons"] if plans else [])]
    known = {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
    if name not in known:
        raise click.UsageError(f"Unknown lexicon “{name}”. Available: {', '.join(known)}.")
    return known[name]


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of ``file`` without line end and byte order mark.

    A file with carriage returns only, as old programs write it, has lines too. Raises click.ClickException for UTF-16.
    """
    for number, line in enumerate(file):
        if number == 0 and line.startswith(WIDE_MARKS):
            raise click.ClickException("This file is UTF-16 text. Save it as UTF-8 and try again.")
        text = line.removeprefix(BYTE_ORDER_MARK) if number == 0 else line
        if text.endswith(b"\n"):
            yield text.rstrip(b"\r\n")
            continue
        # Only the last line has no line feed: the whole file, if it has carriage returns only.
        yield from text.removesuffix(b"\r").split(b"\r") if number == 0 else [text.rstrip(b"\r\n")]
