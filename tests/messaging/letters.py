"""Build and deliver the messages of the messaging tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models.message import Message

WRITTEN = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PHONE = "+8613800138000"
ALERT: dict[str, Any] = {
    "channel": "email",
    "template": "alert",
    "repeat": "prefer_duplicate",
    "address": "n@b.example",
}
LINK = "https://epro.example.org/a/AbCdEfGhIjKlMnOpQrStUv"


def make_letter(**changes: Any) -> Letter:
    """Return an English SMS to PHONE, with ``changes``."""
    given: dict[str, Any] = {
        "channel": "sms",
        "address": PHONE,
        "subject": "",
        "text": f"Your form is ready. {LINK}",
        "template": "form_message",
        "params": {"link": LINK},
        "language": "en",
        "message_id": "0123456789abcdef0123456789abcdef",
        "written_at": WRITTEN,
    }
    return Letter(**(given | changes))


def queue_one(work: UnitOfWork, key: str = "form_message:1", **changes: Any) -> Message | None:
    """Queue a form message by SMS with ``prefer_silence``, with ``changes``."""
    given: dict[str, Any] = {
        "channel": "sms",
        "template": "form_message",
        "params": {"link": LINK},
        "language": "en",
        "address": PHONE,
        "body": f"Your form is ready. {LINK}",
        "repeat": "prefer_silence",
    }
    return outbox.queue(work, outbox.MessageDraft(dedupe_key=key, **(given | changes)))


@dataclass
class Scripted:
    """A sender that keeps every letter and then follows its script: raise a failure or return."""

    script: list[BaseException | None] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        """Store the letter; raise the script's next entry if it is a failure."""
        self.letters.append(letter)
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome
        return f"reference-{len(self.letters)}"


def queue(app_context: AppContext, key: str = "form_message:1", **changes: Any) -> int | None:
    """Queue one message in its own transaction; return its id, or None if it exists."""
    with transaction(app_context.engine) as session:
        message = queue_one(app_context.unit_of_work(session), key, **changes)
        return message.id if message else None


def rows(app_context: AppContext) -> Sequence[Message]:
    """Return every message, oldest first."""
    with transaction(app_context.engine) as session:
        return session.scalars(select(Message).order_by(Message.id)).all()


def one(app_context: AppContext) -> Message:
    """Return the only message."""
    (message,) = rows(app_context)
    return message


def deliver(app_context: AppContext, sender: Any, **options: Any) -> int:
    """Deliver both channels through ``sender``."""
    return outbox.deliver(app_context, {"email": sender, "sms": sender}, "worker-1", **options)
