"""Phrasebook: split a typed reply into tokens and find the known phrases in it.

``pro.core.text.reply_parser`` decides on the result. Every Han character is a word by itself, and traditional
characters count as their simplified forms. Text that is no phrase, no number and no punctuation is ``unknown``: nothing
is skipped without notice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from pro.core.text import numerals
from pro.core.text.clauses import fold_text
from pro.core.text.red_flag_lexicon import HAN, LATIN

TokenKind = Literal["han", "word", "number", "sign", "break", "ask", "picture", "other"]
SenseKind = Literal["option", "affirm", "chatter", "mark", "command", "unit", "member", "and"]
SpanKind = Literal["number", "unknown", "sign", "break", "ask", "picture"] | SenseKind

_PIECE = re.compile(
    rf"(?P<han>[{HAN}])|(?P<word>[{LATIN}]+(?:'[{LATIN}]+)*)|(?P<number>[0-9]+(?:[.,。][0-9]+)*)"
    r"|(?P<break>\n|[—―]{2,}|[-_=]{3,})|(?P<space>\s+)|(?P<mark>.)",
    re.DOTALL,
)
# ①③ are two numbers; so are two keycap signs.
_APART = re.compile(
    "[\u2070-\u2079\u2080-\u2089\u00b2\u00b3\u00b9\u00bc-\u00be\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]|[0-9]\ufe0f?\u20e3"
)
DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212~\u301c\u223c")
_WAVES = frozenset("~\u301c\u223c")
_NEUTRAL = frozenset("#=`|")
_SIGNS = frozenset("%/\\&@*^_")
# Traditional characters in labels, synonyms, commands and filler words; and 疼 counts as 痛 (docs/domain.md 5).
_SIMPLE = str.maketrans(
    "沒無嚴輕點個還過頭體溫腫難厲氣喘飯軟嚥別發熱燒覺說話覆複選擇項應該對謝請幫語換訂閱開啟顯劇較絲帶塊時間內濕爛縮響壞聽"
    "張紅開來幾樣們總從樓動靜綫線麼會題後僅僅護師醫兩貳參叄陸週麽並種陣斷續連繼乾淨隻祇達到歲實際稱況裡裏態現進給見問觸傷暈臥噁疼",
    "没无严轻点个还过头体温肿难厉气喘饭软咽别发热烧觉说话复复选择项应该对谢请帮语换订阅开启显剧较丝带块时间内湿烂缩响坏听"
    "张红开来几样们总从楼动静线线么会题后仅仅护师医两贰叁叁陆周么并种阵断续连继干净只只达到岁实际称况里里态现进给见问触伤晕卧恶痛",
)


class Token(NamedTuple):
    """One word, number or sign.

    ``glued``: no space separates it from the number or Latin word before.
    """

    kind: TokenKind
    text: str
    glued: bool


class Sense(NamedTuple):
    """The meaning of a phrase; ``label``: it is the option as shown, not a synonym."""

    kind: SenseKind
    values: frozenset[object] = frozenset()
    label: bool = False


class ReplyPhrase(NamedTuple):
    """The words of a phrase; ``loose``: positions before which punctuation is optional."""

    words: tuple[str, ...]
    loose: frozenset[int]
    sense: Sense


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A phrase, number or single token; ``number`` None: no number, or not readable."""

    kind: SpanKind
    words: tuple[str, ...]
    sense: Sense | None = None
    number: Decimal | None = None


PhraseBook = Mapping[str, tuple[ReplyPhrase, ...]]


def tokenize(text: str) -> list[Token]:
    """Return the tokens of ``text``. Never raises.

    Spaces are removed; a hyphen within a Latin word counts as a space.
    """
    source = "".join(map(_digit, fold_text(_APART.sub(r" \g<0> ", text)))).translate(_SIMPLE)
    found: list[Token] = []
    end = -1
    for piece in _PIECE.finditer(source):
        kind, said = piece.lastgroup, piece.group()
        if kind == "space":
            continue
        before = found[-1].kind if found and end == piece.start() else None
        end = piece.end()
        if kind == "mark":
            sort = _sign_kind(source, piece.start(), said)
            if sort is not None:
                found.append(Token(sort, said, False))
        elif kind == "number" and before == "word":
            # "B3" is not a number.
            found.append(Token("other", said, True))
        elif kind == "han":
            found.append(Token("han", said, False))
        elif kind == "word":
            found.append(Token("word", said, before == "number"))
        elif kind == "number":
            found.append(Token("number", said, False))
        else:
            found.append(Token("break", said, False))
    return found


def simplify(text: str) -> str:
    """Return ``text`` as it is compared: lower case, half width, simplified characters."""
    return fold_text(text).translate(_SIMPLE)


def _digit(sign: str) -> str:
    """Return the ASCII digit of a sign such as ❸, which NFKC does not change."""
    return (
        str(unicodedata.digit(sign))
        if unicodedata.category(sign) == "No" and unicodedata.digit(sign, -1) >= 0
        else sign
    )


def _sign_kind(source: str, position: int, sign: str) -> TokenKind | None:
    """Return the kind of a single sign; None for a hyphen within a word, which is a space."""
    before, after = source[position - 1 : position], source[position + 1 : position + 2]
    if sign in DASHES:
        if sign in _WAVES:
            # 好的~ is a friendly tone, 1~2 is a range.
            rest = source[position + 1 :].lstrip()[:1]
            return "sign" if rest.isdigit() or (rest in numerals.CHINESE and rest) else "break"
        return None if re.match(f"[{LATIN}]", before) and re.match(f"[{LATIN}]", after) else "sign"
    if sign == "°":
        # 38.5°C is a number with its unit.
        return None
    if sign == "?":
        return "ask"
    if sign == ":" and before.isdigit() and after.isdigit():
        return "sign"
    category = unicodedata.category(sign)
    if sign in _SIGNS or (category in ("Sc", "Sm") and sign not in _NEUTRAL):
        return "sign"
    if sign in _NEUTRAL or category[0] in "PZ":
        return "break"
    return "picture" if category in ("So", "Sk") else "other"


def parse_phrase(text: str, sense: Sense) -> ReplyPhrase | None:
    """Return ``text`` as a phrase; None if it has no word."""
    words: list[str] = []
    loose: set[int] = set()
    made = tokenize(text)
    # "1–2" alone is also a range of codes, so it is the label only with the same dash. "1–2 times" matches any dash.
    bare = all(token.kind in ("number", "sign", "break") for token in made)
    for token in made:
        if token.kind in ("break", "ask", "picture"):
            loose.add(len(words))
        else:
            words.append("-" if token.text in DASHES and not bare else token.text)
    return ReplyPhrase(tuple(words), frozenset(loose - {0, len(words)}), sense) if words else None


def make_phrasebook(entries: Iterable[tuple[str, Sense]]) -> PhraseBook:
    """Return the phrases of ``entries`` by first word, longest first.

    A text with two senses of one kind gets both.
    """
    merged: dict[tuple[str, ...], ReplyPhrase] = {}
    for text, sense in entries:
        made = parse_phrase(text, sense)
        if made is None:
            continue
        known = merged.get(made.words)
        if known is not None and known.sense.kind == sense.kind:
            both = Sense(sense.kind, known.sense.values | sense.values, known.sense.label or sense.label)
            made = ReplyPhrase(made.words, known.loose | made.loose, both)
        merged[made.words] = made
    by_word: dict[str, list[ReplyPhrase]] = {}
    for made in sorted(merged.values(), key=lambda one: -len(one.words)):
        by_word.setdefault(made.words[0], []).append(made)
    return {word: tuple(phrases) for word, phrases in by_word.items()}


def find_spans(text: list[Token], books: Iterable[PhraseBook]) -> list[TokenSpan]:
    """Return ``text`` as spans without gaps: at each position the longest phrase or number.

    Of equally long ones that of the earlier book counts.
    """
    books = tuple(books)
    spans: list[TokenSpan] = []
    position = 0
    while position < len(text):
        span, length = _number(text, position)
        for book in books:
            for made in book.get(text[position].text, ()):
                if len(made.words) > len(span.words) or span.kind not in ("number", *_PHRASE_KINDS):
                    end = _match_end(text, position, made)
                    if end:
                        span, length = TokenSpan(made.sense.kind, made.words, made.sense), end - position
                        break
        spans.append(span)
        position += length
    return spans


_PHRASE_KINDS: tuple[SenseKind, ...] = ("option", "affirm", "chatter", "mark", "command", "unit", "member", "and")


def _match_end(text: list[Token], place: int, made: ReplyPhrase) -> int:
    """Return the position after ``made`` if it is at ``place``; else 0."""
    # "3a" does not contain "a"; "62kg" is 62 kg, and "3severe" is copied from a list of options.
    if text[place].glued and made.sense.kind not in ("unit", "option"):
        return 0
    for step, word in enumerate(made.words):
        while step in made.loose and place < len(text) and text[place].kind in ("break", "ask"):
            place += 1
        if place >= len(text) or (text[place].text != word and (word != "-" or text[place].text not in DASHES)):
            return 0
        place += 1
    return place


def _number(text: list[Token], place: int) -> tuple[TokenSpan, int]:
    """Return the number or single token at ``place``, and its length in tokens."""
    token = text[place]
    if token.kind == "number":
        if [one.kind for one in text[place + 1 : place + 3]] == ["han", "number"] and text[
            place + 1
        ].text == numerals.POINT:
            said = f"{token.text}.{text[place + 2].text}"
            return TokenSpan("number", (said,), number=_decimal(said)), 3
        return TokenSpan("number", (token.text,), number=_decimal(token.text)), 1
    if token.kind == "han" and token.text in numerals.CHINESE:
        end = place
        while end < len(text) and (text[end].text in numerals.CHINESE or _is_point(text, end, place)):
            end += 1
        run = tuple(one.text for one in text[place:end])
        return TokenSpan("number", run, number=numerals.parse_chinese_number("".join(run))), len(run)
    if token.kind == "word" and token.text in numerals.ENGLISH:
        words = [one.text if one.kind == "word" else "" for one in text[place : place + 12]]
        found = numerals.parse_english_number(words)
        if found is not None:
            return TokenSpan("number", tuple(words[: found[1]]), number=found[0]), found[1]
    kind: SpanKind = token.kind if token.kind in ("sign", "break", "ask", "picture") else "unknown"
    return TokenSpan(kind, (token.text,)), 1


def _is_point(text: list[Token], place: int, start: int) -> bool:
    """Return True if ``place`` is a decimal point between Chinese digits."""
    after = text[place + 1].text if place + 1 < len(text) else ""
    return place > start and text[place].text == numerals.POINT and after in numerals.CHINESE


def _decimal(said: str) -> Decimal | None:
    """Return a number in figures; None if it has two separators or too many digits."""
    # 62,5 has a decimal comma; 62,63 may be two numbers.
    if not re.fullmatch("[0-9]{1,6}(?:[.。][0-9]{1,6}|,[0-9])?", said):
        return None
    return Decimal(re.sub("[,。]", ".", said))
