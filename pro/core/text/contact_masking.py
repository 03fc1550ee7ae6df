"""Contact masking: phone numbers, document numbers and email addresses in typed text."""

from __future__ import annotations

import re

MASK = "[…]"
# Phone numbers have seven digits or more, as have numbers of records and identity cards.
MIN_DIGITS = 7
_DIGIT = r"[\d〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]"
_SET = r"\s\u00ad\u200b-\u200f\u2060\ufeff().\-\u2010-\u2015－（）·•*_~～"
# A comma or a colon also separates the numbers of a list or a time: only between three digits and three digits it is
# part of one number.
_BETWEEN = rf"(?:[{_SET}]{{0,3}}|/|(?<={_DIGIT}{{3}})[,，、:：;；|]\s?(?={_DIGIT}{{3}}))"
# A date, with or without a time, is not a contact.
_DAY = r"(?<!\d)(?:19|20)\d{2}(?P<sign>[-/.])\d{1,2}(?P=sign)\d{1,2}(?!\d)(?:[ T]\d{1,2}:\d{2}(?::\d{2})?(?!\d))?"
_NUMBER = rf"[(（]?[+＋]?{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{{MIN_DIGITS - 1},}}[xX]?"
_AT = r"(?:\s?[@＠]\s?|\s?[\[(（]at[\])）]\s?)"
_MAIL = rf"[A-Za-z0-9._%+\-]+{_AT}[\w\-]+(?:[.．。][A-Za-z0-9\-]+)+"
_FOUND = re.compile(rf"(?P<mail>{_MAIL})|(?P<day>{_DAY})|{_NUMBER}")


def mask_contacts(text: str) -> str:
    """Return ``text`` with contact numbers and email addresses replaced by ``MASK``.

    A contact number is a run of ``MIN_DIGITS`` digits or more, in figures or in Chinese, with or without separators.
    Dates are kept.
    """
    return _FOUND.sub(lambda found: found[0] if found["day"] else MASK, text)
