"""Test numbers in words, in both languages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.text.numerals import CHINESE, parse_chinese_number, parse_english_number

UNITS = "零一二三四五六七八九"
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
ONES = "zero one two three four five six seven eight nine".split()
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_chinese(number: int) -> str:
    """Return ``number`` below 1000 as it is read aloud."""
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    said = f"{UNITS[hundreds]}百" if hundreds else ""
    if tens:
        said += ("" if tens == 1 and not hundreds else UNITS[tens]) + "十"
    elif hundreds and units:
        said += "零"
    return said + (UNITS[units] if units or not number else "")


def in_english(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [ONES[hundreds], "hundred"] if hundreds else []
    if rest or not number:
        words += ["and"] if hundreds else []
        words += [ONES[rest]] if rest < 10 else [TEENS[rest - 10]] if rest < 20 else [TENS[rest // 10]]
        words += [ONES[rest % 10]] if rest >= 20 and rest % 10 else []
    return words


def test_every_number_below_a_thousand_in_both_languages():
    for number in range(1000):
        assert parse_chinese_number(in_chinese(number)) == number
        words = in_english(number)
        assert parse_english_number(words) == (Decimal(number), len(words))


@pytest.mark.parametrize(
    ("run", "number"),
    [
        ("六十点五", "60.5"),
        ("五十八点二五", "58.25"),
        ("一百二", "120"),
        ("两百零二", "202"),
        ("一百十五", "115"),
        ("贰佰壹拾", "210"),
        ("〇点五", "0.5"),
    ],
)
def test_said_in_other_ways(run, number):
    assert parse_chinese_number(run) == Decimal(number)


@pytest.mark.parametrize(
    "run",
    [
        "",
        "二三",
        "五六十",
        "一二零",
        "十十",
        "百",
        "百十",
        "一百百",
        "一百零二十",
        "十零",
        "六十点",
        "点五",
        "三点五点",
        "百二",
    ],
)
def test_what_is_no_number_or_two(run):
    assert parse_chinese_number(run) is None


@pytest.mark.parametrize("words", [[], ["and"], ["point", "five"], ["thousand"], ["a"], [""]])
def test_what_begins_no_number(words):
    assert parse_english_number(words) is None


@pytest.mark.parametrize(
    ("text", "number", "length"),
    [
        ("sixty two point five kg", "62.5", 4),
        ("one two", "1", 1),
        ("one hundred and", "100", 2),
        ("hundred twenty", "120", 2),
        ("fifty point", "50", 1),
        ("twenty ten", "20", 1),
        ("ten hundred", "10", 1),
    ],
)
def test_only_as_many_words_as_say_it(text, number, length):
    assert parse_english_number(text.split()) == (Decimal(number), length)


@given(st.text(alphabet=sorted(CHINESE | {"点"}), max_size=12))
def test_nothing_breaks_it_and_no_number_has_four_digits(run):
    found = parse_chinese_number(run)
    assert found is None or 0 <= found < 1000
