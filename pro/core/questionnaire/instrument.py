"""The shape of a questionnaire: items, pages, scales, and its words in one language.

Structure (codes, branching, scales) and words are apart: structure is read once from ``pro/data/instruments``, words
from ``translations/<language>/instruments`` or from a licensed file. Everything is frozen; ``catalogue`` builds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from pro.core.rule_language.conditions import Condition

# What a participant can answer: an option's code, a number, a text, or the ids ticked on a list page.
Value = int | Decimal | str | tuple[str, ...]
# item id -> value; None = skipped on purpose; an absent key = not answered yet.
Answers = Mapping[str, Value | None]

Kind = Literal["choice", "number", "text", "list"]
Direction = Literal["functional", "symptom", "global"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question. ``codes`` are an ordered choice's option codes as they are stored, never positions.

    ``ask_if`` decides whether it is asked; where that is false the item counts as ``implied`` (docs/domain.md 3.4.2).
    ``ordinal_codes`` are the codes that stand on the severity order (all but, say, "felt hot, did not measure").
    """

    id: str
    kind: Kind
    recall: str
    codes: tuple[int, ...] = ()
    ordinal_codes: tuple[int, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int = 0
    unit: str = ""
    max_length: int = 0
    optional: bool = False
    ask_if: Condition | None = None
    implied: int | None = None
    lists: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """True if ``value`` may be stored here: a known code, a number in range, a text that fits, listed ids."""
        if isinstance(value, bool):
            return False
        if self.kind == "choice":
            return isinstance(value, int) and value in self.codes
        if self.kind == "number":
            return self._accepts_number(value)
        if self.kind == "text":
            return isinstance(value, str) and len(value) <= self.max_length
        return isinstance(value, tuple) and set(value) <= set(self.lists) and len(set(value)) == len(value)

    def _accepts_number(self, value: object) -> bool:
        if not isinstance(value, int | Decimal) or self.minimum is None or self.maximum is None:
            return False
        number = Decimal(value)
        return number.is_finite() and self.minimum <= number <= self.maximum


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown at once: one item, one list ("which of these did you have?"), or a few optional fields."""

    id: str
    items: tuple[str, ...]
    kind: Literal["single", "list", "fields"] = "single"


@dataclass(frozen=True, slots=True)
class Scale:
    """A multi-item or single-item scale: the items that it is the mean of, their range (max - min), its direction."""

    id: str
    items: tuple[str, ...]
    range: int
    direction: Direction


@dataclass(frozen=True, slots=True)
class Summary:
    """The unweighted mean of scale scores, some reversed (100 - score); all must be present (docs/domain.md 1.4)."""

    id: str
    scales: tuple[str, ...]
    reversed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One questionnaire in one version. ``groups`` name sets of items for rules (``graded``, ``block_a``).

    ``channels``: web, chat, sms; ``sms_pages``: the page set that goes by text message.

    ``stale_hours``: recall period -> after how many hours its answers no longer speak of the day on which a form left
    unfinished is gone on with; they are asked again then.
    """

    id: str
    version: str
    items: Mapping[str, Item]
    pages: tuple[Page, ...]
    scales: Mapping[str, Scale] = field(default_factory=dict)
    summary: Summary | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channels: tuple[str, ...] = ("web",)
    sms_pages: str = ""
    stale_hours: Mapping[str, int] = field(default_factory=dict)
    licence_required: bool = False
    scoring: str = ""

    def page_of(self, item: str) -> Page:
        """The page on which ``item`` is answered in full. KeyError for an unknown item."""
        for page in self.pages:
            if item in page.items:
                return page
        raise KeyError(item)


@dataclass(frozen=True, slots=True)
class ItemWords:
    """An item's words: the question, a short name (review page, list page, staff), a hint, and a label for each code.

    ``question`` may hold ``<wbr>`` where a Chinese line may break. A code without a label shows its number.
    ``synonyms`` are other words for an option that a typed reply may use; they are never shown. A list has them for
    the code 0, "none of these".
    """

    question: str
    short: str
    hint: str = ""
    options: Mapping[int, str] = field(default_factory=dict)
    unit: str = ""
    synonyms: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def plain(self) -> str:
        """The question without break marks, for titles, mails and exports."""
        return self.question.replace("<wbr>", "")


@dataclass(frozen=True, slots=True)
class Licence:
    """Who allows the words to be used. ``kind``: own, demonstration or licensed; only the last has other fields."""

    kind: Literal["own", "demonstration", "licensed"]
    holder: str = ""
    reference: str = ""
    study: str = ""
    languages: tuple[str, ...] = ()
    expires: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """An instrument's words in one language. ``checksum`` (SHA-256 hex) identifies exactly this text."""

    instrument: str
    instrument_version: str
    language: str
    version: str
    status: str
    licence: Licence
    title: str
    minutes: int
    recalls: Mapping[str, str]
    items: Mapping[str, ItemWords]
    checksum: str = ""
