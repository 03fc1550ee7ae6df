"""Rules of an SMS gateway: approved texts, links, daily limits.

An approved text has placeholders, written ``${name}``. Where only approved texts are allowed, a message is sent only if
one of them, with its placeholders filled from the message's parameters, equals the message exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

# Default of the product: more than a complete check-in by text message needs, and a limit for replies that loop.
PER_DAY = 60
# Kinds of message that carry a link -> the kind with the same content that carries an access code.
CODE_VARIANTS: Mapping[str, str] = MappingProxyType(
    {"form_message": "form_message_code", "reminder": "reminder_code", "onward_link": "onward_code"}
)
# Kinds whose text cannot be approved in advance: texts that staff write, and messages of a conversation.
FREE_TEXT_KINDS = ("staff_text", "question", "advice", "thanks")
# Placeholder for the gateway's id of a template until the gateway has assigned one.
UNNAMED_TEMPLATE = "FILL-IN"
# Values of ``Message.failure`` for a message that is refused before it reaches the gateway.
REASONS = ("not_registered", "text_differs", "link_not_allowed")

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")
# Text that a phone or a carrier may treat as a link, with or without https. Han characters around it are not part of
# it.
_LINK = re.compile(
    r"(?:https?://|www\.)[!-~]+"
    r"|(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:(?:cn|com|net|org|top|info)(?![\w-])(?:/[!-~]*)?|[a-z]{2,}/[!-~]*)",
    re.IGNORECASE | re.ASCII,
)


def find_links(text: str) -> tuple[str, ...]:
    """Return every part of ``text`` that may be treated as a link."""
    return tuple(_LINK.findall(text))


@dataclass(frozen=True)
class ApprovedText:
    """An approved template of one kind of message in one language; ``id``: the gateway's id."""

    message: str
    language: str
    id: str
    text: str

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """The names of the placeholders, each once, in the order of the text."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.text)))

    def filled(self, params: Mapping[str, object]) -> str | None:
        """Return the text with ``params`` in its placeholders; None if a parameter is missing."""
        if not params.keys() >= set(self.gaps):
            return None
        return _PLACEHOLDER.sub(lambda gap: str(params[gap[1]]), self.text)


class TextNotAllowed(Exception):
    """The gateway does not accept this text; ``why`` is one of ``REASONS``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class SmsGateway:
    """The gateway rules of this system.

    ``provider``: "" without a gateway file; then every text may be sent. ``links``: whether a text may contain a link
    that is not part of an approved text. ``templates_only``: only approved texts may be sent. ``signature``: the prefix
    that the gateway adds to every text. ``per_day``: maximum of text messages to one number in a day.
    ``identical_per_day``: maximum of identical texts to one number within 24 hours; None: no limit. ``refused_words``:
    words for which gateways are known to refuse a text.
    """

    provider: str = ""
    links: bool = True
    templates_only: bool = False
    signature: str = ""
    per_day: int = PER_DAY
    identical_per_day: int | None = None
    refused_words: tuple[str, ...] = ()
    templates: tuple[ApprovedText, ...] = ()

    def entries(self, message: str, language: str = "") -> tuple[ApprovedText, ...]:
        """Return the approved texts of a kind of message, in ``language`` or in any ("")."""
        return tuple(one for one in self.templates if one.message == message and language in ("", one.language))

    def accepts(self, message: str, language: str = "") -> bool:
        """Return whether messages of this kind may be sent at all."""
        if message in CODE_VARIANTS and not self.links:
            return False
        return not self.templates_only or bool(self.entries(message, language))

    def match(self, message: str, language: str, text: str, params: Mapping[str, object]) -> ApprovedText | None:
        """Return the approved text that ``text`` equals; None if this kind needs none.

        Raise TextNotAllowed if no text is approved for a kind that needs one, if ``text`` differs from every approved
        text, or if it contains a link that the gateway does not allow.
        """
        entries = self.entries(message, language)
        if not entries and self.templates_only:
            raise TextNotAllowed("not_registered")
        found = next((one for one in entries if one.filled(params) == text), None)
        if entries and found is None:
            raise TextNotAllowed("text_differs")
        if not self.links and any(link not in (found.text if found else "") for link in find_links(text)):
            raise TextNotAllowed("link_not_allowed")
        return found
