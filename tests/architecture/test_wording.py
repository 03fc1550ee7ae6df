"""The words of instruments: complete in both languages, set as each language is set, and no licensed text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pro.catalogue import read_instruments
from pro.catalogue.instrument_files.words import read_words, required_labels
from pro.core.questionnaire.instrument import Words
from tests.support.source_files import ROOT, report

INSTRUMENTS = read_instruments(ROOT / "pro/data/instruments")
LANGUAGES = sorted(path.parent.name for path in (ROOT / "translations").glob("*/instruments"))
WORDS = {
    (name, language): read_words(ROOT / f"translations/{language}/instruments/{name}.yaml", instrument, language)
    for name, instrument in INSTRUMENTS.items()
    for language in LANGUAGES
}
HAN = re.compile("[\u3400-\u9fff]")
# Class "han" lets a Chinese line break only after punctuation and at <wbr>.
BREAKS = re.compile("<wbr>|[，。、：；？！（）“”]|[ \n]")
LONGEST_CLAUSE = 14
# What may not stand in a text, and why.
CHINESE = {
    "Chinese punctuation is full width": re.compile(r"[,;:?!()]"),
    "no typed spaces": re.compile(r"[\u3400-\u9fff] +[0-9A-Za-z]|[0-9A-Za-z] +[\u3400-\u9fff]"),
    "digits and letters are half width": re.compile("[０-９Ａ-Ｚａ-ｚ]"),
    "participants are 您": re.compile("你"),
    "no exclamation marks": re.compile("！"),
}
ENGLISH = {
    "no Chinese in English": HAN,
    "no exclamation marks": re.compile("!"),
    "English breaks by itself": re.compile("<wbr>"),
}
# The licensed text asks in whole sentences.
QUESTION = re.compile(r"[?？]|\b(?:you|your|did|have|has|were)\b|您|吗", re.IGNORECASE)


def texts_of(words: Words) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of everything that a participant can be shown."""
    yield "title", words.title
    yield from ((f"recalls.{key}", text) for key, text in words.recall_periods.items())
    for name, item in words.items.items():
        yield from ((f"{name}.{part}", getattr(item, part)) for part in ("question", "short", "hint", "unit"))
        yield from ((f"{name}.{code}", label) for code, label in item.options.items())


def texts_in(language: str) -> list[tuple[str, str]]:
    """Return (file and key, text) of every text in ``language``."""
    found = [
        (f"translations/{language}/instruments/{name}.yaml: {key}", text)
        for (name, spoken), words in WORDS.items()
        if spoken == language
        for key, text in texts_of(words)
        if text
    ]
    assert found
    return found


def broken_rules(language: str, rules: dict[str, re.Pattern[str]]) -> list[str]:
    """Return each text in ``language`` that one of ``rules`` matches."""
    texts = texts_in(language)
    return [f"{key}: {why}: {text}" for key, text in texts for why, rule in rules.items() if rule.search(text)]


def test_both_languages_are_there() -> None:
    assert LANGUAGES == ["en", "zh_Hans"]


def test_chinese_is_set_as_chinese() -> None:
    faults = broken_rules("zh_Hans", CHINESE)
    for key, text in texts_in("zh_Hans"):
        if max(len(HAN.findall(clause)) for clause in BREAKS.split(text)) > LONGEST_CLAUSE:
            faults.append(f"{key}: a clause over {LONGEST_CLAUSE} characters, put <wbr> into it: {text}")
    assert not faults, report(faults)


def test_english_is_set_as_english() -> None:
    faults = broken_rules("en", ENGLISH)
    assert not faults, report(faults)


def test_the_languages_agree_in_what_they_hold() -> None:
    faults = []
    for name, instrument in INSTRUMENTS.items():
        zh, en = WORDS[name, "zh_Hans"], WORDS[name, "en"]
        agreed = {
            "version": zh.version == en.version,
            "status": zh.status == en.status,
            "minutes": zh.minutes == en.minutes,
            "checksum": zh.checksum != en.checksum,
        }
        for item_id, item in instrument.items.items():
            chinese, english = zh.items[item_id], en.items[item_id]
            agreed |= {
                f"{item_id}: options": list(chinese.options) == list(english.options),
                f"{item_id}: required labels": set(required_labels(item)) <= set(chinese.options),
                f"{item_id}: hint": bool(chinese.hint) == bool(english.hint),
                f"{item_id}: unit": bool(chinese.unit) == bool(english.unit) == (item.kind == "number"),
            }
        faults += [f"{name}: {what}" for what, agrees in agreed.items() if not agrees]
    assert not faults, report(faults)


def test_short_names_tell_items_apart() -> None:
    faults = []
    for (name, language), words in WORDS.items():
        shorts = [item.short for item in words.items.values()]
        longest = 20 if language == "zh_Hans" else 60
        faults += [f"{language}, {name}: twice: {short}" for short in sorted(set(shorts)) if shorts.count(short) > 1]
        faults += [
            f"{language}, {name}: over {longest} characters: {short}" for short in shorts if len(short) > longest
        ]
    assert not faults, report(faults)


def test_the_status_is_honest() -> None:
    for (name, _), words in WORDS.items():
        expected = ("demonstration", "demonstration") if name == "qlq_c30" else ("not debriefed", "own")
        assert (words.status, words.licence.kind) == expected


def test_the_demonstration_wording_is_notes_not_questions() -> None:
    """Our notes are a few words each, so that no reader takes them for the licensed questions."""
    faults = []
    for language in LANGUAGES:
        for name, item in WORDS["qlq_c30", language].items.items():
            if (
                QUESTION.search(item.question)
                or len(item.question.split()) > 8
                or len(item.question) > (14 if language == "zh_Hans" else 60)
            ):
                faults.append(f"{language}, {name}: {item.question}")
    assert not faults, report(faults)


def test_ends_only_are_labelled_on_the_long_scales() -> None:
    for language in LANGUAGES:
        for name in ("Q29", "Q30"):
            assert list(WORDS["qlq_c30", language].items[name].options) == [1, 7]
