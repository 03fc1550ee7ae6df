"""Test synonyms of options: their syntax in a wording file, and errors at the start."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pro.catalogue import CatalogueError, read_catalogue
from pro.catalogue.instrument_files.words import ambiguous_synonyms, with_checksum
from pro.core.questionnaire.instrument import ItemWords
from tests.core.checkin import SPOKEN

ROOT = Path(__file__).resolve().parents[2]
ZH, EN = (f"translations/{language}/instruments/npc_checkin.yaml" for language in ("zh_Hans", "en"))
FAINT = "差点, 差一点, 差点晕"
BROKEN = [
    (ZH, FAINT, "晕倒了", "items.faint.synonyms.1", "“晕倒了” already stands for option 2."),
    (ZH, FAINT, "晕倒过", "items.faint.synonyms.2", "“晕倒过” already stands for option 1."),
    (ZH, FAINT, "暈倒了。", "items.faint.synonyms.1", "already stands for option 2."),
    # The English file is read first, and both are accepted.
    (ZH, FAINT, "Passed out", "items.faint.synonyms.1", "“Passed out” already stands for option 2."),
    (ZH, FAINT, "fainted", "items.faint.synonyms.1", "“fainted” already stands for option 2."),
    (ZH, FAINT, "返回", "items.faint.synonyms.1", "“返回” is the command “back”."),
    (ZH, FAINT, "Stop", "items.faint.synonyms.1", "“Stop” is the command “stop”."),
    (ZH, FAINT, "２", "items.faint.synonyms.1", "“２” is a number"),
    (ZH, FAINT, "一", "items.faint.synonyms.1", "“一” is a number"),
    (ZH, FAINT, "'。'", "items.faint.synonyms.1", "“。” has no word in it."),
    (ZH, FAINT, '"{nearly}"', "items.faint.synonyms.1", "There is no group called “nearly”"),
    (ZH, "      1: [差点,", "      5: [差点,", "items.faint.synonyms.5", "has no option 5"),
    (
        ZH,
        'synonyms: {0: ["{none}", 以上都没有',
        'synonyms: {1: ["{none}", 以上都没有',
        "items.other7.synonyms.1",
        "no option 1",
    ),
    (ZH, '  severity3: {0: ["{none}"]', '  severity5: {0: ["{none}"]', "synonym_sets.severity5", "no set called"),
    (EN, "1: [nearly, almost", "1: [almost, skip", "items.faint.synonyms.1", "“skip” is the command “skip”."),
]


@pytest.mark.parametrize(("file", "old", "new", "where", "says"), BROKEN, ids=[f"{b[3]}-{b[2]}" for b in BROKEN])
def test_a_synonym_with_two_meanings_stops_the_start(
    tmp_path: Path, file: str, old: str, new: str, where: str, says: str
) -> None:
    for folder in ("pro/data/instruments", "pro/data/plans", "pro/data/lexicons", "translations"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    text = (tmp_path / file).read_text("utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_catalogue(tmp_path / "pro/data/instruments", tmp_path / "translations", [tmp_path / "pro/data/plans"])
    assert refused.value.file == str(tmp_path / file)
    assert refused.value.where == where
    assert says in refused.value.sentence


def test_synonyms_come_from_groups_from_the_option_set_and_from_the_item() -> None:
    chinese = SPOKEN[0].items
    assert {"没有", "头不痛"} <= set(chinese["headache"].synonyms[0])
    assert {"有点", "有点慌", "心稍微有点慌"} <= set(chinese["palp"].synonyms[1])
    assert set(chinese["neuro"].synonyms[1]) < set(chinese["bleed_now"].synonyms[1])
    assert "头不痛" not in chinese["pain"].synonyms[0]


def test_synonyms_do_not_change_the_checksum_of_what_is_shown() -> None:
    words = SPOKEN[0]
    deaf = {name: replace(item, synonyms={}) for name, item in words.items.items()}
    assert with_checksum(replace(words, items=deaf)).checksum == words.checksum


def test_one_word_for_one_option_in_both_languages_is_fine() -> None:
    one = ItemWords("?", "?", "", {0: "No", 1: "Yes"}, "", {1: ("是", "yes")})
    other = ItemWords("?", "?", "", {0: "没有", 1: "是"}, "", {1: ("YES",)})
    assert list(ambiguous_synonyms("x", [one, other])) == []
