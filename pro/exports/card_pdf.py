"""A participant's card for print (PDF, A4 with cut marks) and as a picture (PNG)."""

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
    """The files of one card."""

    pdf: bytes
    png: bytes


def print_card(html: str) -> PrintedCard:
    """Draw the card from ``html`` (``templates/participants/printed_card.html``).

    ``<img src="qr:TEXT">`` becomes a QR code. A separate process (``card_drawing``) draws it within 25 seconds; it gets
    the HTML on standard input, because other users of the machine can read command lines.

    Raises NotAllowed("no_card_font") if the machine has no Chinese font, NotAllowed("no_card_print") if the drawing
    libraries are missing, fail or take too long.
    """
    command = [sys.executable, "-m", "pro.exports.card_drawing"]
    try:
        # This project's own module, without a shell.
        done = subprocess.run(  # nosec B603
            command, input=html.encode(), capture_output=True, cwd=ROOT, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("card drawing failed error=%s", type(error).__name__)
        raise NotAllowed("no_card_print") from error
    if done.returncode == NO_FONT:
        raise NotAllowed("no_card_font")
    if done.returncode:
        # The last line names what is missing. The error output never holds the HTML.
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        log.error("card drawing failed status=%s detail=%s", done.returncode, last[:200])
        raise NotAllowed("no_card_print")
    files = json.loads(done.stdout)
    return PrintedCard(base64.b64decode(files["pdf"]), base64.b64decode(files["png"]))
