"""What every provider is to the outbox: something that takes a letter, and two ways in which that can go wrong.

The reason of a failure is a key, with a detail after a colon ("phone_invalid:21211");
``message_rendering.failure_sentence`` says
it in the reader's language. It never holds an address or a text, because it is stored in clear and shown on the board.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """One message, opened for sending; ``written_at`` is when it was queued.

    ``message_id`` stays the same when it is sent again, so a duplicate is recognisable. The fields have no ``repr``: a
    traceback or a log line must not show whom it is for. ``template_id`` and ``template_params``: what the
    gateway's own register calls this text, and what fills its gaps; empty where no register is kept.
    """

    channel: str
    address: str
    subject: str
    text: str
    template: str
    params: Mapping[str, Any]
    language: str
    message_id: str
    written_at: datetime
    template_id: str = ""
    template_params: Mapping[str, str] = field(default_factory=dict)


class ProviderUnreachable(Exception):
    """Not now: try again. ``retry_after``: seconds that the provider asked for.

    ``maybe_sent``: the provider had the letter in hand when the line broke, so trying again may send it twice.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, maybe_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent


class ProviderRefused(Exception):
    """Never: the provider has said no, and asking again would not change it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender(Protocol):
    """A provider, or its twin that only shows what would be sent.

    One that may be called by several threads at once says by how many in an attribute ``at_once``.
    """

    def send(self, letter: Letter, /) -> str:
        """Hand the letter over and return the provider's reference. Raises Unreachable or Refused."""
        ...


def mail_domain(mail_from: str) -> str:
    """The domain of the sender's address, for Message-ID and greeting."""
    return parseaddr(mail_from)[1].rpartition("@")[2] or "localhost"


def to_email(letter: Letter, mail_from: str) -> EmailMessage:
    """The letter as plain UTF-8 text. Raises Refused if its address cannot stand in a header."""
    mail = EmailMessage()
    mail["From"] = mail_from
    try:
        letter.address.encode("ascii")
        mail["To"] = letter.address
    except ValueError as error:
        raise ProviderRefused("address_malformed") from error
    mail["Subject"] = letter.subject
    # The time of writing, not of this try: a late mail shows that it is late.
    mail["Date"] = format_datetime(letter.written_at)
    mail["Message-ID"] = f"<{letter.message_id}@{mail_domain(mail_from)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = letter.language.replace("_", "-")
    # Base64 for Han text: an old relay that cannot carry eight bits would spoil it.
    mail.set_content(letter.text, charset="utf-8", cte="7bit" if letter.text.isascii() else "base64")
    return mail
