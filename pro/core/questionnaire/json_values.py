"""Answers and words between the core's values and what a JSON column can hold."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from pro.core.questionnaire.instrument import Item, ItemWords, Licence, Value, Words


def store_value(value: Value | None) -> Any:
    """A value as JSON: a Decimal as its exact text, a tuple of ids as a list, the rest as it is."""
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def read_value(item: Item, stored: Any) -> Value | None:
    """The value that ``store_value`` stored for ``item``."""
    if stored is None:
        return None
    if item.kind == "number":
        return Decimal(str(stored))
    if item.kind == "list":
        return tuple(stored)
    return int(stored) if item.kind == "choice" else str(stored)


def store_words(words: Words) -> dict[str, Any]:
    """Words as JSON; option codes become text."""
    items = {
        name: {
            "question": item.question,
            "short": item.short,
            "hint": item.hint,
            "options": {str(code): label for code, label in item.options.items()},
            "unit": item.unit,
        }
        for name, item in words.items.items()
    }
    return {
        "instrument": words.instrument,
        "instrument_version": words.instrument_version,
        "language": words.language,
        "version": words.version,
        "status": words.status,
        "licence": asdict(words.licence) | {"languages": list(words.licence.languages)},
        "title": words.title,
        "minutes": words.minutes,
        "recalls": dict(words.recalls),
        "items": items,
        "checksum": words.checksum,
    }


def read_words(stored: dict[str, Any]) -> Words:
    """The words that ``store_words`` stored."""
    items = {
        name: ItemWords(
            question=item["question"],
            short=item["short"],
            hint=item["hint"],
            options={int(code): label for code, label in item["options"].items()},
            unit=item["unit"],
        )
        for name, item in stored["items"].items()
    }
    licence = Licence(**(stored["licence"] | {"languages": tuple(stored["licence"]["languages"])}))
    return Words(**(stored | {"items": items, "licence": licence}))
