"""Convert answers and wording to JSON and back, for JSON columns."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from pro.core.questionnaire.instrument import Item, ItemsByName, ItemWords, Licence, Value, Words


def store_value(value: Value | None) -> Any:
    """Return a value as JSON: a Decimal as exact text, a tuple of ids as a list.

    Other values are returned unchanged.
    """
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def read_value(item: Item, stored: Any) -> Value | None:
    """Return the value of ``item`` that ``store_value`` stored."""
    if stored is None:
        return None
    if item.kind == "number":
        return Decimal(str(stored))
    if item.kind == "list":
        return tuple(stored)
    return int(stored) if item.kind == "choice" else str(stored)


def store_words(words: Words) -> dict[str, Any]:
    """Return the wording as JSON; option codes become text, synonyms are left out."""
    items = {
        name: {
            "question": item.question,
            "short": item.short,
            "hint": item.hint,
            "options": {str(code): label for code, label in item.options.items()},
            "unit": item.unit,
            # Only where there is one, so that wording without it is stored as before.
            **({"proxy": item.proxy} if item.proxy else {}),
            **({"proxy_short": item.proxy_short} if item.proxy_short else {}),
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
        "recall_periods": dict(words.recall_periods),
        "items": items,
        "checksum": words.checksum,
    }


def read_words(stored: dict[str, Any]) -> Words:
    """Return the wording that ``store_words`` stored."""
    items = {
        name: ItemWords(
            question=item["question"],
            short=item["short"],
            hint=item["hint"],
            options={int(code): label for code, label in item["options"].items()},
            unit=item["unit"],
            proxy=item.get("proxy", ""),
            proxy_short=item.get("proxy_short", ""),
        )
        for name, item in stored["items"].items()
    }
    licence = Licence(**(stored["licence"] | {"languages": tuple(stored["licence"]["languages"])}))
    return Words(**(stored | {"items": ItemsByName(items), "licence": licence}))
