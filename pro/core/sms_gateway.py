"""What an SMS gateway takes: texts that were approved as a whole, or any; with links or without; so many a day.

An approved text has gaps, written ``${name}``. A message is sent only if one of the approved texts, with its gaps
filled from the message's parameters, is the message to the letter (expectations.md 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

# Our default: more than a whole check-in by text needs, and a stop for whatever runs in circles.
PER_DAY = 60
# Kinds of message with a link of their own each time, and the kind that says the same with a code.
CODE_VARIANTS: Mapping[str, str] = MappingProxyType(
    {"invitation": "invitation_code", "reminder": "reminder_code", "onward_link": "onward_code"}
)
# Kinds that hold what nobody can have approved before: staff's own words, and what a conversation says.
FREE_TEXT_KINDS = ("staff_text", "question", "advice", "thanks")
# Stands for the gateway's name of a text until the gateway has given one.
UNNAMED_TEMPLATE = "FILL-IN"
# Why a gateway is not even asked, as ``Message.failure``.
REASONS = ("not_registered", "text_differs", "link_not_allowed")

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")
# What a phone or a carrier would take for a link, with or without https. Han text around it is no part of it.
_LINK = re.compile(
    r"(?:https?://|www\.)[!-~]+"
    r"|(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:(?:cn|com|net|org|top|info)(?![\w-])(?:/[!-~]*)?|[a-z]{2,}/[!-~]*)",
    re.IGNORECASE | re.ASCII,
)


def find_links(text: str) -> tuple[str, ...]:
    """Everything in ``text`` that may be taken for a link."""
    return tuple(_LINK.findall(text))


@dataclass(frozen=True)
class ApprovedText:
    """One text that the gateway approved for a kind of message in one language; ``id`` is the gateway's name for it."""

    message: str
    language: str
    id: str
    text: str

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """The names of the gaps, each once, in the order of the text."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.text)))

    def filled(self, params: Mapping[str, object]) -> str | None:
        """The text with ``params`` in its gaps; None if one of them is no parameter."""
        if not params.keys() >= set(self.gaps):
            return None
        return _PLACEHOLDER.sub(lambda gap: str(params[gap[1]]), self.text)


class TextNotAllowed(Exception):
    """A text that this gateway must not be given; ``why`` is one of REASONS."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class SmsGateway:
    """The rules of the gateway that this installation sends by.

    ``provider``: "" without a file, when everything may be sent. ``links``: whether a text may hold a link that stands
    in no approved text. ``templates_only``: nothing goes but approved texts. ``signature``: what the gateway puts
    before every text. ``per_day``: text messages to one number in a day. ``identical_per_day``: the same words to one
    number within 24 hours; None: no limit. ``refused_words``: words for which gateways are known to refuse a text.
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
        """The approved texts of a kind of message, in one language or in any."""
        return tuple(one for one in self.templates if one.message == message and language in ("", one.language))

    def accepts(self, message: str, language: str = "") -> bool:
        """Whether messages of this kind may be offered at all."""
        if message in CODE_VARIANTS and not self.links:
            return False
        return not self.templates_only or bool(self.entries(message, language))

    def match(self, message: str, language: str, text: str, params: Mapping[str, object]) -> ApprovedText | None:
        """The approved text that ``text`` is; None where this kind needs none. Raises Unfit."""
        entries = self.entries(message, language)
        if not entries and self.templates_only:
            raise TextNotAllowed("not_registered")
        found = next((one for one in entries if one.filled(params) == text), None)
        if entries and found is None:
            raise TextNotAllowed("text_differs")
        if not self.links and any(link not in (found.text if found else "") for link in find_links(text)):
            raise TextNotAllowed("link_not_allowed")
        return found
