"""Instrument: items, pages, scales, and the wording of a questionnaire in one language.

Structure (codes, branching, scales) and wording are separate: the structure is read once from ``pro/data/instruments``,
the wording from ``translations/<language>/instruments`` or from a licensed file. Everything is frozen; ``catalogue``
builds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from pro.core.rule_language.conditions import Condition

# A value that an item accepts: an option's code, a number, a text, or the ids ticked on a list page.
Value = int | Decimal | str | tuple[str, ...]
# item id -> value; None = skipped on purpose; an absent key = not answered yet.
Answers = Mapping[str, Value | None]

Kind = Literal["choice", "number", "text", "list"]
Direction = Literal["functional", "symptom", "global"]


@dataclass(frozen=True, slots=True)
class MeasuredRange:
    """Readings of an instrument, such as a thermometer, that stand for the codes of a choice.

    ``steps``: (lowest reading, code), ascending. ``end``: readings from here on are no answer. ``unit``: their unit.
    """

    unit: str
    steps: tuple[tuple[Decimal, int], ...]
    end: Decimal

    def code_of(self, reading: Decimal) -> int | None:
        """Return the code that ``reading`` stands for; None outside the range."""
        codes = [code for lowest, code in self.steps if lowest <= reading < self.end]
        return codes[-1] if codes else None


@dataclass(frozen=True, slots=True)
class Item:
    """One item. ``codes``: stored codes of an ordered choice, never positions.

    ``ask_if``: condition for asking it; where that is false, a missing answer counts as ``implied`` (docs/domain.md
    3.4.2). ``ordinal_codes``: codes that have a rank of severity (all but, for example, "felt hot, did not measure").
    ``max_length``: characters of a text. ``measured``: readings that may be typed instead of a code.
    """

    id: str
    kind: Kind
    recall_period: str
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
    measured: MeasuredRange | None = None

    def accepts(self, value: object) -> bool:
        """Return True if ``value`` is a valid answer to this item.

        Valid is a known code, a number in range, a text of at most ``max_length`` characters, or ids of the list, each
        once.
        """
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
        """Return True if ``value`` is a finite number within the bounds."""
        if not isinstance(value, int | Decimal) or self.minimum is None or self.maximum is None:
            return False
        number = Decimal(value)
        return number.is_finite() and self.minimum <= number <= self.maximum


@dataclass(frozen=True, slots=True)
class Page:
    """One page: a single item, a list ("which of these did you have?"), or optional fields."""

    id: str
    items: tuple[str, ...]
    kind: Literal["single", "list", "fields"] = "single"


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale: its items, their range (highest - lowest code), and its direction."""

    id: str
    items: tuple[str, ...]
    range: int
    direction: Direction


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary score: unweighted mean of scale scores, some reversed (100 - score).

    It is missing unless all scales have a score (docs/domain.md 1.4).
    """

    id: str
    scales: tuple[str, ...]
    reversed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One questionnaire in one version.

    ``groups``: named sets of items for rules (``graded``, ``block_a``). ``channels``: web, chat, sms. ``sms_pages``:
    the page set for text messages. ``stale_hours``: recall period -> hours after which its answers in an unfinished
    form no longer describe the current day, and are asked again when the participant continues.
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

    def mildest_code(self, item: str) -> int:
        """Return the code of the mildest answer to ``item``: the lowest, on a global scale the highest."""
        codes = self.items[item].ordinal_codes or self.items[item].codes or (0,)
        is_global = any(scale.direction == "global" for scale in self.scales.values() if item in scale.items)
        return max(codes) if is_global else min(codes)

    def steps_above_mildest(self, item: str, value: object) -> int | None:
        """Return how many steps of its own scale ``value`` stands above the mildest answer; None if it has no rank."""
        codes = self.items[item].ordinal_codes
        if isinstance(value, bool) or not isinstance(value, int) or value not in codes:
            return None
        return abs(codes.index(value) - codes.index(self.mildest_code(item)))

    def page_of(self, item: str) -> Page:
        """Return the page that asks ``item`` in full; raise KeyError for an unknown item."""
        for page in self.pages:
            if item in page.items:
                return page
        raise KeyError(item)


@dataclass(frozen=True, slots=True)
class ItemWords:
    """The wording of an item: question, short name, hint, and a label for each code.

    ``short`` is used on the review page, on list pages and for staff. ``question`` may hold ``<wbr>`` where a Chinese
    line may break. A code without a label is shown as its number. ``synonyms``: other words for an option in a typed
    reply; never shown. For a list they are synonyms of the code 0, "none of these". ``proxy``: the question as it is
    put to a proxy, about the participant; "" where ``question`` addresses no one. ``proxy_short``: likewise for
    ``short``. ``other_names``: names besides ``short`` that may be typed for the item in a list; never shown.
    """

    question: str
    short: str
    hint: str = ""
    options: Mapping[int, str] = field(default_factory=dict)
    unit: str = ""
    synonyms: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    proxy: str = ""
    proxy_short: str = ""
    other_names: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The question without break marks, for titles, emails and exports."""
        return self.question.replace("<wbr>", "")


class ItemsByName(dict[str, ItemWords]):
    """Words of items; an item that the instrument no longer has is shown by its id.

    ``get`` and ``in`` work as in any dict.
    """

    def __missing__(self, name: str) -> ItemWords:
        """Return words that consist of ``name``."""
        return ItemWords(name, name)


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a wording.

    ``kind``: own, demonstration or licensed; only a licensed wording has the other fields.
    """

    kind: Literal["own", "demonstration", "licensed"]
    holder: str = ""
    reference: str = ""
    study: str = ""
    languages: tuple[str, ...] = ()
    expires: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The wording of an instrument in one language; ``checksum`` (SHA-256 hex) identifies it.

    ``minutes``: time that a form takes. ``recall_periods``: recall period -> its text. ``staff_title``: name for staff.
    """

    instrument: str
    instrument_version: str
    language: str
    version: str
    status: str
    licence: Licence
    title: str
    minutes: int
    recall_periods: Mapping[str, str]
    items: Mapping[str, ItemWords]
    checksum: str = ""
    staff_title: str = ""

    @property
    def has_proxy_wording(self) -> bool:
        """True if there are questions about the participant, for a proxy. Licensed wording has none."""
        return any(item.proxy for item in self.items.values())

    def for_proxy(self) -> Words:
        """Return the wording as it is put to a proxy: questions, and names on the review page and in lists."""
        items = {
            name: replace(item, question=item.proxy or item.question, short=item.proxy_short or item.short)
            for name, item in self.items.items()
        }
        return replace(self, items=items)
