"""Telephone numbers, numbers of papers and e-mail addresses in what somebody typed, covered."""

from __future__ import annotations

import re

MASK = "[…]"
# Numbers of telephones have seven digits and more, those of records and identity cards too.
MIN_DIGITS = 7
_DIGIT = r"[\d〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]"
_SET = r"\s\u00ad\u200b-\u200f\u2060\ufeff().\-\u2010-\u2015－（）·•*_~～"
# A comma or a colon parts numbers of a list or a time as well: between three digits and three it is part of one.
_BETWEEN = rf"(?:[{_SET}]{{0,3}}|/|(?<={_DIGIT}{{3}})[,，、:：;；|]\s?(?={_DIGIT}{{3}}))"
# A day, with its time or without: no number of anybody.
_DAY = r"(?<!\d)(?:19|20)\d{2}(?P<sign>[-/.])\d{1,2}(?P=sign)\d{1,2}(?!\d)(?:[ T]\d{1,2}:\d{2}(?::\d{2})?(?!\d))?"
_NUMBER = rf"[(（]?[+＋]?{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{{MIN_DIGITS - 1},}}[xX]?"
_AT = r"(?:\s?[@＠]\s?|\s?[\[(（]at[\])）]\s?)"
_MAIL = rf"[A-Za-z0-9._%+\-]+{_AT}[\w\-]+(?:[.．。][A-Za-z0-9\-]+)+"
_FOUND = re.compile(rf"(?P<mail>{_MAIL})|(?P<day>{_DAY})|{_NUMBER}")


def mask_contacts(text: str) -> str:
    """``text`` with every run of LEAST digits or more, in figures or in Chinese, and every e-mail address covered.

    Separators within a number do not save it; days do not count as numbers.
    """
    return _FOUND.sub(lambda found: found[0] if found["day"] else MASK, text)
