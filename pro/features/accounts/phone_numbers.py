"""Validate phone numbers and convert them to E.164."""

from __future__ import annotations

import unicodedata

import phonenumbers

# Country of numbers typed without a country code (ISO 3166-1).
DEFAULT_REGION = "CN"
# In some countries mobile and landline numbers look alike.
MOBILE_TYPES = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


def to_e164(typed: str) -> str | None:
    """Return a typed number in E.164, "" if none was typed, None if it is invalid."""
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


def mobile_problem(typed: str) -> str:
    """Return why a typed number cannot get text messages, or "" (also if none was typed).

    One of "phone_invalid", "phone_not_mobile".
    """
    number = to_e164(typed)
    if number is None:
        return "phone_invalid"
    if not number or phonenumbers.number_type(phonenumbers.parse(number, DEFAULT_REGION)) in MOBILE_TYPES:
        return ""
    return "phone_not_mobile"


def region_of(number: str) -> str:
    """Return the country of ``number`` (E.164) as two letters of ISO 3166-1.

    A short or unreadable number gets DEFAULT_REGION.
    """
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, DEFAULT_REGION)) or DEFAULT_REGION
    except phonenumbers.NumberParseException:
        return DEFAULT_REGION


def is_valid_number(number: str, region: str) -> bool:
    """Return True if ``number`` is assigned in a numbering plan.

    ``number``: in E.164, or a short number of ``region``.
    """
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if number.startswith("+"):
        return phonenumbers.is_valid_number(parsed)
    return phonenumbers.is_valid_short_number_for_region(parsed, region)


def is_emergency_number(number: str, region: str) -> bool:
    """Return True if ``number`` reaches ambulance, police or fire brigade in ``region``."""
    return phonenumbers.is_emergency_number(number, region)


def national_digits(number: str) -> str:
    """Return the digits of ``number`` for national dialling, without the trunk prefix."""
    return phonenumbers.national_significant_number(phonenumbers.parse(number, DEFAULT_REGION))
