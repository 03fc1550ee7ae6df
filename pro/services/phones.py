"""Phone numbers, checked and brought into one shape."""

from __future__ import annotations

import unicodedata

import phonenumbers

# A number typed without a country code is one of the study's own country.
REGION = "CN"


def e164(typed: str) -> str | None:
    """The number in E.164; "" for none typed (nobody must have a phone); None for one that cannot be."""
    plain = unicodedata.normalize("NFKC", typed).strip()
    if not plain:
        return ""
    try:
        number = phonenumbers.parse(plain, REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
