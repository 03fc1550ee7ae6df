"""The words that participants read: complete in both languages, short clauses in Chinese, nobody else's text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pro.catalogue import read_instruments
from pro.catalogue.instrument_files.words import read_words, required_labels

ROOT = Path(__file__).resolve().parents[2]
INSTRUMENTS = read_instruments(ROOT / "pro/data/instruments")
LANGUAGES = sorted(path.parent.name for path in (ROOT / "translations").glob("*/instruments"))
WORDS = {
    (name, language): read_words(ROOT / f"translations/{language}/instruments/{name}.yaml", instrument, language)
    for name, instrument in INSTRUMENTS.items()
    for language in LANGUAGES
}
HAN = re.compile("[\u3400-\u9fff]")
# Class "han" lets a Chinese line break only after punctuation and at <wbr> (look.md, "Chinese and English type").
BREAKS = re.compile("<wbr>|[，。、：；？！（）“”]|[ \n]")
LONGEST_CLAUSE = 14


def texts(words):
    """(where, text) of everything that a participant can be shown."""
    yield "title", words.title
    yield from ((f"recalls.{key}", text) for key, text in words.recalls.items())
    for name, item in words.items.items():
        yield from ((f"{name}.{part}", getattr(item, part)) for part in ("question", "short", "hint", "unit"))
        yield from ((f"{name}.{code}", label) for code, label in item.options.items())


def every(language):
    return [
        pytest.param(text, id=f"{name}-{where}")
        for (name, spoken), words in WORDS.items()
        if spoken == language
        for where, text in texts(words)
        if text
    ]


def test_both_languages_are_there():
    assert LANGUAGES == ["en", "zh_Hans"]


@pytest.mark.parametrize("text", every("zh_Hans"))
def test_chinese_is_set_as_chinese(text):
    longest = max(len(HAN.findall(clause)) for clause in BREAKS.split(text))
    assert longest <= LONGEST_CLAUSE, f"put <wbr> into “{text}”"
    assert not re.search(r"[,;:?!()]", text), "Chinese punctuation is full width"
    assert not re.search(r"[\u3400-\u9fff] +[0-9A-Za-z]|[0-9A-Za-z] +[\u3400-\u9fff]", text), "no typed spaces"
    assert not re.search("[０-９Ａ-Ｚａ-ｚ]", text), "digits and letters are half width"
    assert "你" not in text, "participants are 您"
    assert "！" not in text


@pytest.mark.parametrize("text", every("en"))
def test_english_has_no_chinese_in_it(text):
    assert not HAN.search(text)
    assert "!" not in text
    assert "<wbr>" not in text


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=lambda instrument: instrument.id)
def test_the_languages_agree_in_what_they_hold(instrument):
    zh, en = WORDS[instrument.id, "zh_Hans"], WORDS[instrument.id, "en"]
    assert zh.version == en.version
    assert zh.status == en.status
    assert zh.minutes == en.minutes
    assert zh.checksum != en.checksum
    for name, item in instrument.items.items():
        assert list(zh.items[name].options) == list(en.items[name].options)
        assert set(required_labels(item)) <= set(zh.items[name].options)
        assert bool(zh.items[name].hint) == bool(en.items[name].hint)
        assert bool(zh.items[name].unit) == bool(en.items[name].unit) == (item.kind == "number")


@pytest.mark.parametrize("words", WORDS.values(), ids=lambda words: f"{words.instrument}-{words.language}")
def test_short_names_tell_items_apart(words):
    shorts = [item.short for item in words.items.values()]
    assert len(set(shorts)) == len(shorts)
    assert max(map(len, shorts)) <= (20 if words.language == "zh_Hans" else 60)


def test_the_status_is_honest():
    for (name, _), words in WORDS.items():
        expected = ("demonstration", "demonstration") if name == "qlq_c30" else ("not debriefed", "own")
        assert (words.status, words.licence.kind) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demonstration_wording_is_notes_not_questions(language):
    """The licensed text asks the patient in whole sentences; ours is a few words each, so nobody mistakes it."""
    for item in WORDS["qlq_c30", language].items.values():
        assert not re.search(r"[?？]|\b(?:you|your|did|have|has|were)\b|您|吗", item.question, re.IGNORECASE)
        assert len(item.question.split()) <= 8
        assert len(item.question) <= (14 if language == "zh_Hans" else 60)


def test_ends_only_are_labelled_on_the_long_scales():
    for language in LANGUAGES:
        for name in ("Q29", "Q30"):
            assert list(WORDS["qlq_c30", language].items[name].options) == [1, 7]
