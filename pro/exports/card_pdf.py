"""A participant's card to print (PDF, A4 with cut marks) and to send (PNG)."""

from __future__ import annotations

import base64
import json
import logging
import subprocess  # nosec B404
import sys
from dataclasses import dataclass
from pathlib import Path

from pro.errors import NotAllowed

ROOT = Path(__file__).parent.parent.parent
SECONDS = 25
NO_FONT = 3

log = logging.getLogger("pro.exports")


@dataclass(frozen=True, slots=True)
class PrintedCard:
    """One card as files."""

    pdf: bytes
    png: bytes


def print_card(html: str) -> PrintedCard:
    """Draw the card that ``html`` lays out (``participants/printed_card.html``).

    ``<img src="qr:TEXT">`` becomes a QR code.

    Drawn by a process of its own (``card_drawing``), which gets the code on its standard input and nothing on its
    command
    line. NotAllowed("no_card_font") on a machine without Chinese letters, NotAllowed("no_card_print") where the
    libraries that draw are missing or fail.
    """
    command = [sys.executable, "-m", "pro.exports.card_drawing"]
    try:
        # Our own program, no shell.
        done = subprocess.run(  # nosec B603
            command, input=html.encode(), capture_output=True, cwd=ROOT, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("drawing a card failed kind=%s", type(error).__name__)
        raise NotAllowed("no_card_print") from error
    if done.returncode == NO_FONT:
        raise NotAllowed("no_card_font")
    if done.returncode:
        # The last line alone: it names what is missing; the page that was drawn is in none of them.
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        log.error("drawing a card failed status=%s: %s", done.returncode, last[:200])
        raise NotAllowed("no_card_print")
    files = json.loads(done.stdout)
    return PrintedCard(base64.b64decode(files["pdf"]), base64.b64decode(files["png"]))
