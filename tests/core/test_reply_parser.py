"""Test the parsing of text that is typed into one field of the form."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.core.text.reply_parser import ParsedAnswer, UnclearReply, read_field

CHECKIN = read_instruments(Path(__file__).resolve().parents[2] / "pro/data/instruments")["npc_checkin"]
TEMP, WEIGHT, FREE = (CHECKIN.items[name] for name in ("temp", "weight", "free_text"))

CODES = [
    ("0", 0),
    ("3", 3),
    ("9", 9),
    ("１", 1),
    (" 2 ", 2),
    ("　３　", 3),
    ("4", "no_such_option"),
    ("-1", "no_such_option"),
    ("01", "no_such_option"),
    ("1.0", "no_such_option"),
    ("有", "no_such_option"),
    ("", "empty"),
    (" ", "empty"),
    ("1\x00", "unreadable"),
    ("\ud800", "unreadable"),
    ("9" * 5000, "no_such_option"),
    ("٢", "no_such_option"),
]
WEIGHTS = [
    ("62.5", "62.5"),
    ("62", "62.0"),
    ("６２．５", "62.5"),
    ("62,5", "62.5"),
    ("62。5", "62.5"),
    ("62.5kg", "62.5"),
    ("62.5 KG", "62.5"),
    ("62.5 公斤", "62.5"),
    ("62.5公斤。", "62.5"),
    ("62㎏", "62.0"),
    ("125斤", "62.5"),
    ("125 斤", "62.5"),
    ("137 lb", "62.1"),
    ("62.55", "62.6"),
    ("62.54", "62.5"),
    ("25", "25.0"),
    ("250", "250.0"),
    ("24.99", "too_low"),
    ("250.01", "too_high"),
    ("49斤", "too_low"),
    ("600斤", "too_high"),
    ("625", "too_high"),
    ("-62", "not_a_number"),
    ("1e2", "not_a_number"),
    ("NaN", "not_a_number"),
    ("inf", "not_a_number"),
    ("六十", "60.0"),
    ("五十八公斤", "58.0"),
    ("体重 62 kg", "62.0"),
    ("五六十", "not_a_number"),
    ("62 63", "not_a_number"),
    ("back", "not_a_number"),
    ("62.5 stone", "not_a_number"),
    ("62.5.1", "not_a_number"),
    ("6 2", "not_a_number"),
    ("1" * 5000, "not_a_number"),
    ("62\x00", "unreadable"),
]


@pytest.mark.parametrize(("text", "expected"), CODES)
def test_option_codes(text, expected):
    assert read_field(TEMP, text) == (ParsedAnswer(expected) if isinstance(expected, int) else UnclearReply(expected))


@pytest.mark.parametrize(("text", "expected"), WEIGHTS)
def test_weights(text, expected):
    found = read_field(WEIGHT, text)
    assert found == (ParsedAnswer(Decimal(expected)) if expected[0].isdigit() else UnclearReply(expected))
    if isinstance(found, ParsedAnswer):
        assert str(found.value) == expected
        assert WEIGHT.accepts(found.value)


@pytest.mark.parametrize("item", [WEIGHT, FREE], ids=lambda item: item.id)
@pytest.mark.parametrize("text", ["", "  ", "\r\n", "　"])
def test_an_optional_field_may_stay_empty(item, text):
    assert read_field(item, text) == ParsedAnswer(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  半夜醒来\r\n枕头上都是血 ", ParsedAnswer("半夜醒来\n枕头上都是血")),
        ("字" * 500, ParsedAnswer("字" * 500)),
        (" " + "字" * 500 + "\n", ParsedAnswer("字" * 500)),
        ("字" * 501, UnclearReply("too_long")),
        ("a\x00b", UnclearReply("unreadable")),
        ("\udcff", UnclearReply("unreadable")),
        ("<b>１</b>", ParsedAnswer("<b>１</b>")),
    ],
)
def test_text_is_kept_as_written(text, expected):
    assert read_field(FREE, text) == expected


@given(st.sampled_from([item for item in CHECKIN.items.values() if item.kind != "list"]), st.text())
def test_whatever_is_typed_is_accepted_by_its_item_or_refused(item, text):
    found = read_field(item, text)
    if isinstance(found, ParsedAnswer):
        assert item.optional if found.value is None else item.accepts(found.value)
