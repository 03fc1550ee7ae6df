"""Define what the outbox expects of every provider: a sender and its failures.

The reason of a failure is a key with a detail after a colon ("phone_invalid:21211");
``message_rendering.failure_sentence`` translates it. It never holds an address or a text, because it is stored in clear
and shown on the to-do list.
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

    ``message_id`` stays the same when the message is sent again, so that a duplicate is recognisable. The class has no
    ``repr``: a traceback or a log line must not show the recipient. ``template_id`` and ``template_params``: the
    approved template in the gateway's register and the values of its placeholders; empty without a register.
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
    """The message cannot be sent now; try again.

    ``retry_after``: seconds that the provider asks for. ``maybe_sent``: the connection failed after the provider had
    the letter, so that a retry may send it twice.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, maybe_sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent


class ProviderRefused(Exception):
    """The provider refused the message for good; a retry would not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderUnsure(ProviderRefused):
    """The provider said yes in a way that proves nothing: success without a reference, or an unreadable success.

    The letter is never sent again, an alert neither: it may have arrived. It is stored as failed, so that staff see it
    and, for an alert, the next person is notified, or the other channel is used.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"answer_unclear:{status}")


class Sender(Protocol):
    """A provider, or a replacement that only shows the messages.

    A sender that several threads may call at once says how many in an attribute ``at_once``.
    """

    def send(self, letter: Letter, /) -> str:
        """Send the letter and return the provider's reference.

        Raises ProviderUnreachable, ProviderRefused or ProviderUnsure.
        """
        ...


def mail_domain(mail_from: str) -> str:
    """Return the domain of the sender's address, for Message-ID and greeting."""
    return parseaddr(mail_from)[1].rpartition("@")[2] or "localhost"


def to_email(letter: Letter, mail_from: str) -> EmailMessage:
    """Return the letter as a plain UTF-8 email.

    Raises ProviderRefused if the address cannot stand in a header.
    """
    mail = EmailMessage()
    mail["From"] = mail_from
    try:
        letter.address.encode("ascii")
        mail["To"] = letter.address
    except ValueError as error:
        raise ProviderRefused("address_malformed") from error
    mail["Subject"] = letter.subject
    # When the message was written, not when it was sent: the reader sees that a late email is late.
    mail["Date"] = format_datetime(letter.written_at)
    mail["Message-ID"] = f"<{letter.message_id}@{mail_domain(mail_from)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = letter.language.replace("_", "-")
    # Base64 for Chinese text: an old relay that cannot carry eight bits would corrupt it.
    mail.set_content(letter.text, charset="utf-8", cte="7bit" if letter.text.isascii() else "base64")
    return mail
