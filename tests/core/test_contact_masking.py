"""Test which contact details are masked in free text, and what stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.core.text.contact_masking import MASK, mask_contacts

GONE = [
    "13800138000",
    "+86 138 0013 8000",
    "138-0013-8000",
    "138.0013.8000",
    "(0791) 8669-2748",
    "１３８００１３８０００",
    "一三八零零一三八零零零",
    "幺三八 〇〇幺三 八〇〇〇",
    "138\u200b0013\u200b8000",
    "１３８－００１３－８０００",
    "138,0013,8000",
    "138，0013， 8000",
    "138、0013、8000",
    "138: 0013: 8000",
    "138_0013_8000",
    "138~0013～8000",
    "138\u00ad0013\u200d8000",
    "xiulan.wang @ mail.example",
    "xiulan.wang [at] mail.example",
    "36010219800101123X",
    "86692748",
    "xiulan.wang@mail.example",
    "xiulan＠mail.example.cn",
    "138,0013,8000",
    "138、0013、8000",
    "138_0013_8000",
    "wang@医院.com",
]
LEFT = [
    "",
    "pressed the wrong button",
    "2026-03-02",
    "2026-03-02 09:00",
    "2026/3/2, then 2026/3/9",
    "grade 3, 50 Gy in 25",
    "38.5 / 37.2 / 36.9",
    "NPC-001",
    "days 1, 3, 5, 7, 9, 11, 13 and 15",
    "第3、5、7、9、11、13、15天",
    "called 09:00, 12:30, 17:45 and 20:15",
    "2026-03-02, 2026-03-05、2026-03-09",
    "在3月2日09:00问过",
    "第一次、第二次、第三次",
]


@pytest.mark.parametrize("number", GONE)
def test_a_number_or_an_address_is_covered_wherever_it_stands(number):
    assert mask_contacts(number) == MASK
    assert mask_contacts(f"请打{number}，谢谢") == f"请打{MASK}，谢谢"


@pytest.mark.parametrize("text", LEFT)
def test_what_is_nobodys_number_stays(text):
    assert mask_contacts(text) == text


@given(st.text("0123456789", min_size=7, max_size=18), st.sampled_from(["", " ", "-", ".", "·", " - "]))
def test_no_separator_saves_a_number(digits, between):
    found = mask_contacts(f"x {between.join(digits)} y")
    assert sum(sign.isdigit() for sign in found) < 7 or found == f"x {digits} y"
