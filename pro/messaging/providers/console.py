"""Replace the providers in demonstrations: print each message, or write it to a file."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TextIO

from pro.messaging.sender_protocol import Letter, to_email


class ConsoleSender:
    """Write the complete message to ``stream`` (default: the terminal).

    For demonstrations only: the links in messages give access.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, letter: Letter) -> str:
        """Print the letter and return a reference made of its id."""
        stream = self._stream or sys.stdout
        head = f"--- {letter.channel} to {letter.address} ({letter.template})"
        lines = [head, *([letter.subject] if letter.subject else []), letter.text.rstrip("\n"), "---"]
        stream.write("\n".join(lines) + "\n")
        stream.flush()
        return f"console:{letter.message_id}"


class FileSender:
    """Write each message as one file into ``folder``: ``.eml`` for email, ``.txt`` for SMS.

    The file names sort by time.
    """

    def __init__(self, folder: Path, mail_from: str) -> None:
        self._folder = folder
        self._mail_from = mail_from

    def send(self, letter: Letter) -> str:
        """Write the letter and return the name of the file, which appears complete or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if letter.channel == "email":
            ending, content = "eml", to_email(letter, self._mail_from).as_bytes()
        else:
            ending, content = "txt", f"To: {letter.address}\n\n{letter.text}\n".encode()
        # The random part makes a letter that is sent twice visible as two files.
        stem = f"{letter.written_at:%Y%m%dT%H%M%S}-{letter.template}-{letter.message_id[:8]}-{secrets.token_hex(3)}"
        unfinished = self._folder / f".{stem}.part"
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        finished = unfinished.rename(self._folder / f"{stem}.{ending}")
        return finished.name
