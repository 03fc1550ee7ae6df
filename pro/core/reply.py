"""What a person typed or pressed, read as one item's value. Nothing is guessed: what is not plain is ``Unclear``."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from pro.core.instrument import Item, Value

Why = Literal["empty", "no_such_option", "not_a_number", "too_low", "too_high", "too_long", "unreadable"]

# What a typed unit is worth in the unit that is stored (1 jin = 0.5 kg by law; 1 lb = 0.45359237 kg, taken as 0.4536).
UNITS: dict[str, dict[str, Decimal]] = {
    "kg": {
        "": Decimal(1),
        "kg": Decimal(1),
        "kgs": Decimal(1),
        "kilo": Decimal(1),
        "kilos": Decimal(1),
        "公斤": Decimal(1),
        "千克": Decimal(1),
        "斤": Decimal("0.5"),
        "市斤": Decimal("0.5"),
        "lb": Decimal("0.4536"),
        "lbs": Decimal("0.4536"),
        "磅": Decimal("0.4536"),
    },
}
_NUMBER = re.compile(r"([0-9]{1,6}(?:[.,。][0-9]{1,6})?) *([^\s0-9.,]*)")
# No message, database column or export can carry these.
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that its item accepts. None only for an optional item left empty."""

    value: Value | None


@dataclass(frozen=True, slots=True)
class Unclear:
    """No value. ``why`` is a key that the page or the message turns into a sentence saying what to do."""

    why: Why


def read(item: Item, text: str) -> Given | Unclear:
    """``text`` as an answer to ``item``: an option's code, a number with or without a unit, or a text."""
    if _UNREADABLE.search(text):
        return Unclear("unreadable")
    plain = text.strip()
    if not plain:
        return Given(None) if item.optional else Unclear("empty")
    if item.kind == "text":
        return _text(item, plain)
    folded = unicodedata.normalize("NFKC", plain).strip().lower()
    return _number(item, folded) if item.kind == "number" else _code(item, folded)


def _code(item: Item, folded: str) -> Given | Unclear:
    for code in item.codes:
        if folded == str(code):
            return Given(code)
    return Unclear("no_such_option")


def _number(item: Item, folded: str) -> Given | Unclear:
    found = _NUMBER.fullmatch(folded)
    factors = UNITS.get(item.unit, {"": Decimal(1)})
    if found is None or found[2].rstrip("。") not in factors or item.minimum is None or item.maximum is None:
        return Unclear("not_a_number")
    number = Decimal(re.sub("[,。]", ".", found[1])) * factors[found[2].rstrip("。")]
    # The bounds are held against what was typed, not against its rounding.
    if number < item.minimum:
        return Unclear("too_low")
    if number > item.maximum:
        return Unclear("too_high")
    return Given(number.quantize(Decimal(1).scaleb(-item.decimals), ROUND_HALF_UP))


def _text(item: Item, plain: str) -> Given | Unclear:
    text = plain.replace("\r\n", "\n").replace("\r", "\n")
    return Given(text) if len(text) <= item.max_length else Unclear("too_long")
