"""Numerals in words, Chinese and English: 三, 一百二十, 五十八点五, "sixty two point five".

Up to three digits before the decimal point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

_PLAIN = "零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖两"
_DIGITS = str.maketrans(_PLAIN, "001234567891234567892")
# Every character of a Chinese number, without the decimal point.
CHINESE = frozenset(_PLAIN + "十百拾佰")
POINT = "点"

_UNITS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
ENGLISH = frozenset((*_UNITS, *_TENS, "hundred"))


def parse_chinese_number(run: str) -> Decimal | None:
    """Return the number written as ``run``; None if it is no number or ambiguous.

    Example: 二三 means "two or three".
    """
    whole, point, part = run.replace("拾", "十").replace("佰", "百").translate(_DIGITS).partition(POINT)
    number = _chinese_whole(whole)
    if number is None or not point:
        return None if number is None else Decimal(number)
    return Decimal(f"{number}.{part}") if re.fullmatch("[0-9]{1,3}", part) else None


def _chinese_whole(run: str) -> int | None:
    """Return the whole number written as ``run``, below 1000; None if it is none."""
    if re.fullmatch("[0-9]", run):
        return int(run)
    found = re.fullmatch("(?:([1-9])百)?(?:([1-9])?十([1-9])?)?", run)
    if found is not None and run:
        tens = int(found[2] or 1) * 10 if "十" in run else 0
        return int(found[1] or 0) * 100 + tens + int(found[3] or 0)
    # 一百零五 is 105, and 一百二 is 120.
    found = re.fullmatch("([1-9])百(0?)([1-9])", run)
    return int(found[1]) * 100 + int(found[3]) * (1 if found[2] else 10) if found is not None else None


def parse_english_number(words: Sequence[str]) -> tuple[Decimal, int] | None:
    """Return the number that ``words`` begin with, and its length in words; else None."""
    length, total = 0, None
    if words[:1] == ["hundred"] or (words[1:2] == ["hundred"] and 1 <= _UNITS.get(words[0], 0) <= 9):
        length = 1 if words[0] == "hundred" else 2
        total = _UNITS.get(words[0], 1) * 100
        if words[length : length + 1] == ["and"] and _below_hundred(words[length + 1 :]):
            length += 1
    rest = _below_hundred(words[length:])
    if rest is not None:
        total = (total or 0) + rest[0]
        length += rest[1]
    if total is None:
        return None
    digits = ""
    if words[length : length + 1] == ["point"]:
        for word in words[length + 1 :]:
            if not 0 <= _UNITS.get(word, -1) <= 9:
                break
            digits += str(_UNITS[word])
    return (Decimal(f"{total}.{digits}"), length + 1 + len(digits)) if digits else (Decimal(total), length)


def _below_hundred(words: Sequence[str]) -> tuple[int, int] | None:
    """Return the number below 100 that ``words`` begin with, and its length in words."""
    if not words:
        return None
    if words[0] in _UNITS:
        return _UNITS[words[0]], 1
    if words[0] not in _TENS:
        return None
    unit = _UNITS.get(words[1], 0) if len(words) > 1 else 0
    return (_TENS[words[0]] + unit, 2) if 1 <= unit <= 9 else (_TENS[words[0]], 1)
