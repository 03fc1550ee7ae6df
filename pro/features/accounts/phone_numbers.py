"""Phone numbers, checked and brought into one shape."""

from __future__ import annotations

import unicodedata

import phonenumbers

# A number typed without a country code is one of the study's own country.
DEFAULT_REGION = "CN"


def to_e164(typed: str) -> str | None:
    """The number in E.164; "" for none typed (a phone is optional); None for one that cannot be."""
    plain = unicodedata.normalize("NFKC", typed).strip()
    if not plain:
        return ""
    try:
        number = phonenumbers.parse(plain, DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region_of(number: str) -> str:
    """The country (ISO 3166-1, two letters) of an E.164 ``number``; of a short number the study's own."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, DEFAULT_REGION)) or DEFAULT_REGION
    except phonenumbers.NumberParseException:
        return DEFAULT_REGION


def is_valid_number(number: str, region: str) -> bool:
    """True if ``number`` exists in a numbering plan: an E.164 number, or a short number of ``region``."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if number.startswith("+"):
        return phonenumbers.is_valid_number(parsed)
    return phonenumbers.is_valid_short_number_for_region(parsed, region)


def is_emergency_number(number: str, region: str) -> bool:
    """True if ``number`` is dialled for an ambulance, the police or the fire brigade of ``region``."""
    return phonenumbers.is_emergency_number(number, region)


def national_digits(number: str) -> str:
    """The digits of ``number`` as they are dialled within its country, without the trunk prefix."""
    return phonenumbers.national_significant_number(phonenumbers.parse(number, DEFAULT_REGION))
