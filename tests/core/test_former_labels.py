"""Test that labels of earlier wordings are still understood, because people go on using them."""

from __future__ import annotations

import pytest

from pro.core.text.reply_parser import ParsedAnswer
from tests.core.checkin import ITEMS, parse

# item, code, label of an option in an earlier wording.
LABELS: list[tuple[str, int, str]] = [
    ("bleed", 2, "比几滴多，10分钟内止住"),
    ("bleed", 4, "很多（满口、一杯或浸湿毛巾）"),
    ("breath", 2, "穿衣等轻微活动就气短"),
    ("temp", 0, "Below 37.5 °C or no fever feeling"),
    ("temp", 0, "低于37.5℃或没觉得发热"),
    ("temp", 9, "Felt hot or had chills, did not measure"),
    ("temp", 9, "觉得发热或发冷，没有量"),
    ("swallow", 1, "软食"),
    ("swallow", 2, "只能喝流食"),
    ("swallow", 4, "什么都咽不下，连口水也不行"),
    ("odor", 2, "Clear"),
    ("odor", 3, "很重，冲洗后仍有"),
    ("hearing", 1, "稍差"),
    ("hearing", 3, "听不清正常说话"),
    ("dry_mouth", 4, "干得无法吃东西"),
    ("trismus", 1, "Tight, eat as usual"),
    ("trismus", 1, "有点紧，能正常吃"),
    ("trismus", 2, "只能小口或软食"),
    ("skin", 2, "Sore, wet peeling in the folds"),
    ("skin", 2, "皱褶处湿烂"),
    ("skin", 3, "大片湿烂或一碰就出血"),
    ("nausea", 1, "Mild, eat as usual"),
    ("nausea", 1, "轻，吃饭如常"),
    ("nausea", 3, "几乎吃喝不了"),
    ("appetite", 0, "None"),
    ("appetite", 1, "稍差"),
    ("appetite", 2, "明显减少"),
    ("fatigue", 0, "None"),
    ("fatigue", 1, "休息后好转"),
    ("fatigue", 2, "Rest does not help, hard to do housework or shop"),
    ("fatigue", 2, "休息也不好，家务购物困难"),
    ("fatigue", 3, "Hard to wash or dress"),
    ("fatigue", 3, "洗漱穿衣困难"),
    ("fatigue", 4, "整天卧床"),
    ("cough", 3, "Severe, stops sleep or self-care"),
    ("cough", 3, "重，影响睡眠或自理"),
    ("itch", 3, "All the time, stops sleep"),
    ("itch", 3, "一直痒，影响睡眠"),
    ("weak", 2, "Moderate, stairs or getting up is hard"),
    ("weak", 2, "中，上楼或起身困难"),
]
# item, its name in lists of an earlier wording.
NAMES = [("pain", "Pain elsewhere"), ("nausea", "Feeling sick"), ("diarrhea", "腹泻"), ("hearing", "hearing")]


@pytest.mark.parametrize(("item", "code", "label"), LABELS, ids=[f"{item}-{label}" for item, _code, label in LABELS])
def test_a_former_label_still_means_its_option(item: str, code: int, label: str) -> None:
    assert parse(item, label) == ParsedAnswer(code)


@pytest.mark.parametrize(("item", "name"), NAMES)
def test_a_former_name_still_means_its_item_in_a_list(item: str, name: str) -> None:
    assert item in ITEMS["other7"].lists
    assert parse("other7", name) == ParsedAnswer((item,), whole=True)
