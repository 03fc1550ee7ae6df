"""An answer as it was read on screen."""

from __future__ import annotations

from decimal import Decimal

from pro.core.questionnaire.instrument import Item, ItemWords, Value


def answer_text(item: Item, words: ItemWords, value: Value | None) -> str:
    """A value as it was read on screen: an option's label, a number with its unit, a text as typed; "" for none."""
    if value is None:
        return ""
    if item.kind == "choice" and isinstance(value, int):
        label = words.options.get(value, "")
        # Where only the ends have words, the number says where between them.
        return label if len(words.options) == len(item.codes) else f"{value} {label}".strip()
    if isinstance(value, Decimal):
        return f"{value} {words.unit}".strip()
    return str(value)
