"""Answer text: a stored answer as the participant read it on the screen."""

from __future__ import annotations

from decimal import Decimal

from pro.core.questionnaire.instrument import Item, ItemWords, Value


def answer_text(item: Item, words: ItemWords, value: Value | None) -> str:
    """Return an answer as shown on the screen: label, number with unit, or text; "" for none."""
    if value is None:
        return ""
    if item.kind == "choice" and isinstance(value, int):
        label = words.options.get(value, "")
        # Where only the lowest and highest code have labels, the number gives the position between them.
        return label if len(words.options) == len(item.codes) else f"{value} {label}".strip()
    if isinstance(value, Decimal):
        return f"{value} {words.unit}".strip()
    return str(value)
