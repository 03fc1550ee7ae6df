"""Clauses: a text normalised and cut into words, with the breaks between them (docs/domain.md 5).

Each Han character is a word by itself, and so is a number, a Latin word or a picture. Signs are no words: they break
the text before the word that follows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pro.core.text import numerals
from pro.core.text.red_flag_lexicon import HAN, LATIN, PICTURES, Lexicon

# How much a sign separates: a space between Han, the sign of a list, a comma, a colon or dash, the end of a sentence,
# and the dots of a pause, which separate like an end but may stand within a word: can't... breathe.
NO_BREAK, SPACE, LIST, COMMA, COLON, STOP, PAUSE = range(7)
# Clauses of a text without signs are cut after so many words, so that the work stays within bounds.
LONGEST_CLAUSE = 48
FIRST_HAN = HAN[0]
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u00b4`\u2032\uff07]")
# Signs before which and after which no number, letter or sign belongs to a word of ours.
_WORD = re.compile(
    rf"(?P<han>[{HAN}]+)|(?P<word>[{LATIN}]+(?:'[{LATIN}]+)*)|(?P<number>[0-9]{{1,9}}(?:\.[0-9]{{1,4}})?)"
    rf"|(?P<picture>[{PICTURES}])|(?P<sign>[^\s{HAN}{LATIN}0-9{PICTURES}])|(?P<line>\n)|(?P<space>[^\S\n]+)"
)
_BREAKS: Mapping[str, int] = {
    **dict.fromkeys("。.!?;…", STOP),
    **dict.fromkeys(",([{)]}", COMMA),
    **dict.fromkeys("、/", LIST),
    **dict.fromkeys(":—–~", COLON),
}
_KEPT = frozenset("&°%+")
_DOTS = frozenset(".。·")
_OUT_OF = re.compile(r"(?<=[0-9])\s?/\s?(?=[0-9])")
_HYPHEN = re.compile(rf"(?<=[{LATIN}0-9])[-\u2010\u2011](?=[{LATIN}0-9])")
_DASH = re.compile(r"\s[-\u2010-\u2015]+\s|[\u2013\u2014]+|-{2,}")
# A number after the colon belongs to the word before it: 出血：40分钟, 8:30.
_FIELD = re.compile(r":(?=\s?[0-9])")
# Words with a full stop for each space, and a Latin word typed letter by letter.
_DOTTED = re.compile(rf"(?<![{LATIN}0-9.@/])[{LATIN}']+(?:\.[{LATIN}']+){{2,}}(?![{LATIN}0-9@/])")
_SPACED_LATIN = re.compile(rf"(?<!\S)[{LATIN}](?: [{LATIN}](?!\S)){{2,}}")
_DRAWN_OUT = re.compile(rf"([{LATIN}])\1{{2,}}")
_READABLE = re.compile(f"[{LATIN}{HAN}0-9]")
# Letters and signs that are the same in every normal form, and that no test below asks about.
_EVERYDAY = re.compile("[\u4e00-\u9fa5 -@\\[-~\n\u3001\u3002\u300a-\u3011\u201c\u201d]+")
_UNSEEN = ("Mn", "Me", "Cf")
_WORDS = re.compile(r"[^\W_]+")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}])\s(?=[{HAN}])")
_SPACED_HAN = re.compile(rf"(?<![^\s])[{HAN}](?:[^\S\n][{HAN}](?![^\s])){{2,}}")
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")
_PICTURE = re.compile("[\U0001f1e6-\U0001f1ff]{2}|[^\u200d](?:\u200d[^\u200d])*")
# n't and what stands before it, where they are not one word and "not".
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
_CHINESE_NUMERALS = numerals.CHINESE - {"〇"}


class Number(NamedTuple):
    """A number in digits or Chinese numerals: its value and the place after its last word."""

    value: float
    end: int


@dataclass(frozen=True, slots=True)
class ClauseText:
    """The words of a text with their positions in ``source``, the normalised text.

    ``breaks``: what separates each word from the one before; one more, for the end. ``clauses``: the number of the
    clause of each word. ``numbers``: by the place where they begin. ``readable``: the screening can decide on the text;
    otherwise a person must read it.
    """

    source: str
    tokens: list[str]
    starts: list[int]
    ends: list[int]
    breaks: list[int]
    numbers: dict[int, Number]
    readable: bool

    def between(self, start: int, end: int) -> str:
        """Return the words from ``start`` up to ``end`` as in the text, no spaces between Han."""
        shown = " ".join(self.source[self.starts[start] : self.ends[end - 1]].split())
        return _BETWEEN_HAN.sub("", shown) if " " in shown else shown


def read_clauses(text: str, lexicon: Lexicon) -> ClauseText:
    """Return ``text`` normalised (NFKC, lower case, no accents, simplified) and cut into words.

    Never raises.
    """
    source = _HYPHEN.sub(" ", fold_text(text).translate(lexicon.simplified))
    source = _OUT_OF.sub(" out of ", _DASH.sub(" — ", _without_signatures(source, lexicon)))
    if ":" in source:
        source = _FIELD.sub(" ", source)
    if "." in source:
        source = _DOTTED.sub(lambda found: found.group().replace(".", " "), source)
    source = _SPACED_LATIN.sub(lambda found: found.group().replace(" ", ""), source)
    reader = _WordReader(source, lexicon)
    reader.read()
    tokens, breaks = reader.tokens, [*reader.breaks, STOP]
    readable = _is_readable(text, source, lexicon)
    return ClauseText(source, tokens, reader.starts, reader.ends, breaks, _numbers(tokens, breaks), readable)


class _WordReader:
    """Cuts a normalised text into words, and notes what separates each from the one before."""

    def __init__(self, source: str, lexicon: Lexicon) -> None:
        self.source = source
        self.lexicon = lexicon
        self.tokens: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.breaks: list[int] = []
        self.pending = STOP

    def read(self) -> None:
        drawn_out = _DRAWN_OUT.search(self.source) is not None
        spaced = _spaced_out(self.source)
        for match in _WORD.finditer(self.source):
            kind, piece = match.lastgroup, match.group()
            if kind == "han":
                self._add_han(piece, *match.span())
            elif kind == "space":
                if not spaced or match.start() not in spaced:
                    self.pending = max(self.pending, SPACE)
            elif kind == "line":
                self.pending = STOP
            elif kind == "sign" and piece not in _KEPT:
                is_pause = piece in _DOTS and self.source[match.end() : match.end() + 1] in _DOTS
                self.pending = max(self.pending, PAUSE if is_pause else _BREAKS.get(piece, NO_BREAK))
            elif kind == "word":
                plain = _DRAWN_OUT.sub(r"\1\1", piece) if drawn_out else piece
                self._add(_expand_contraction(plain, self.tokens, self.lexicon), *match.span())
            else:
                self._add((piece,), *match.span())

    def _add_han(self, piece: str, start: int, end: int) -> None:
        self.tokens.extend(piece)
        self.starts.extend(range(start, end))
        self.ends.extend(range(start + 1, end + 1))
        self.breaks.append(self.pending)
        self.breaks.extend([NO_BREAK] * (end - start - 1))
        self.pending = NO_BREAK

    def _add(self, words: tuple[str, ...], start: int, end: int) -> None:
        # A space between Latin words separates nothing.
        if self.pending == SPACE and self.tokens and self.tokens[-1] < FIRST_HAN:
            self.pending = NO_BREAK
        for word in words:
            self.tokens.append(word)
            self.starts.append(start)
            self.ends.append(end)
            self.breaks.append(self.pending)
            self.pending = NO_BREAK


def _spaced_out(source: str) -> set[int]:
    """Return the places of spaces in Han characters that were typed one by one: 没 有 流 鼻 血."""
    if " " not in source:
        return set()
    return {
        match.start() + place
        for match in _SPACED_HAN.finditer(source)
        for place, sign in enumerate(match.group())
        if sign.isspace()
    }


def _without_signatures(source: str, lexicon: Lexicon) -> str:
    """Return ``source`` without the lines that a phone or a mail program added."""
    if not any(beginning in source for beginning in lexicon.signatures):
        return source
    lines = source.split("\n")
    kept = []
    for line in lines:
        places = [line.find(beginning) for beginning in lexicon.signatures if beginning in line]
        kept.append(line[: min(places)] if places and len(line) - min(places) < 60 else line)
    return "\n".join(kept)


def _numbers(tokens: list[str], breaks: list[int]) -> dict[int, Number]:
    """Return the numbers among ``tokens`` by the place where they begin: 38.5, 38点5, 三十八点五, 四十."""
    wanted = {token for token in set(tokens) if token[0].isdigit() or token in _CHINESE_NUMERALS}
    found: dict[int, Number] = {}
    read, count = 0, len(tokens)
    for place in [place for place, token in enumerate(tokens) if token in wanted] if wanted else ():
        token = tokens[place]
        if place < read:
            continue
        if token[0].isdigit():
            found[place] = Number(float(token), place + 1)
        else:
            end = place + 1
            while end < count and end - place < 6 and tokens[end] in _CHINESE_NUMERALS and breaks[end] == NO_BREAK:
                end += 1
            value = numerals.parse_chinese_number("".join(tokens[place:end]))
            if value is not None:
                found[place] = Number(float(value), end)
            read = end
    for start, number in list(found.items()):
        part = found.get(number.end + 1)
        if number.end < count and tokens[number.end] == numerals.POINT and part and part.value < 10 <= number.value:
            found[start] = Number(number.value + part.value / 10, part.end)
    return found


def fold_text(text: str) -> str:
    """Return ``text`` in NFKC and lower case, without accents and invisible signs.

    It has one kind of apostrophe and one kind of line end.
    """
    plain = unicodedata.normalize("NFKC", _APOSTROPHES.sub("'", text)).lower()
    plain = plain.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    unusual = () if plain.isascii() else _unusual_signs(plain)
    if any(unicodedata.decomposition(sign) or unicodedata.category(sign) in _UNSEEN for sign in unusual):
        apart = unicodedata.normalize("NFD", plain)
        unseen = {ord(sign): None for sign in _unusual_signs(apart) if unicodedata.category(sign) in _UNSEEN}
        plain = unicodedata.normalize("NFC", apart.translate(unseen) if unseen else apart)
    return plain


def _unusual_signs(text: str) -> set[str]:
    """Return the signs of ``text`` that need a check.

    These are all but everyday Han and Chinese signs, small letters and ASCII signs.
    """
    return set(_EVERYDAY.sub("", text))


def _expand_contraction(piece: str, before: list[str], lexicon: Lexicon) -> tuple[str, ...]:
    """Return a word without contraction: can't, cant and "can t" are can + not; it's is it."""
    if piece == "t" and before and f"{before[-1]}t" in lexicon.contractions:
        written = lexicon.contractions[f"{before.pop()}t"]
        # The word before keeps its place in the text; only what it says changes.
        before.append(written[0])
        return written[1:]
    if piece.endswith("n't"):
        stem = piece[:-3]
        return (_IRREGULAR.get(stem, stem), "not") if stem else ("not",)
    piece = piece.partition("'")[0]
    return lexicon.contractions.get(piece, (piece,))


def _is_readable(text: str, source: str, lexicon: Lexicon) -> bool:
    """Return False for a text that only a person can assess.

    Such texts are empty, a recording or picture, in another script, or broken.
    """
    for sign in _unusual_signs(source):
        category = unicodedata.category(sign)
        if category in ("Cs", "Co", "Cn") or sign == "\ufffd" or sign == "\ufffc":
            return False
        if category[0] == "L" and not _READABLE.match(sign) and category != "Lm":
            return False
        if category == "Nd" and not sign.isascii():
            return False
    if not _READABLE.search(source):
        return _is_single_emoji(text)
    if _only_words(source, max(map(len, lexicon.media), default=0)) in lexicon.media:
        return False
    # A message with a recording or picture in it: "[图片] 看看这个".
    return not any(
        inside.strip() in lexicon.media for inside in re.findall(r"[\[【(<]([^\[\]【】()<>\n]{1,30})[\]】)>]", source)
    )


def _only_words(source: str, longest: int) -> str:
    """Return the words of ``source`` with spaces between them, to a little over ``longest``."""
    words = ""
    for match in _WORDS.finditer(source):
        words = f"{words} {match.group()}" if words else match.group()
        if len(words) > longest:
            break
    return words


def _is_single_emoji(text: str) -> bool:
    """Return True for one emoji, also repeated: a sign of thanks, not a report."""
    shown = [sign for sign in _SKIN.sub("", text) if unicodedata.category(sign) != "Mn" and not sign.isspace()]
    if not shown or any(unicodedata.category(sign) not in ("So", "Sm", "Sk") and sign != "\u200d" for sign in shown):
        return False
    return len(set(_PICTURE.findall("".join(shown)))) == 1
