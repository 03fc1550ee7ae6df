"""Clauses: split a text into words and breaks, and find phrases of a lexicon in it.

``pro.core.text.red_flag_screening`` uses the result. Every Han character is a word by itself, so spaces between Han
mean nothing; Latin words are lower case without accents, and contractions are written out. Punctuation, line ends and
pictures break a clause (docs/domain.md 5).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from pro.core.text.red_flag_lexicon import (
    HAN,
    LATIN,
    Lexicon,
    LexiconEntry,
    LexiconPhrase,
    PhraseIndex,
    PhraseSlot,
    Row,
)

BREAK = "\n"
_FIRST_HAN = HAN[0]
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u00b4`\u2032\uff07]")
# White space but for the line end, as a class, because a run of one class is much quicker than one of choices.
_SPACE = "\t\x0b-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Every sign is a Han character or a break, but for those in measures ("38 °C", "38+") and the hyphen of "nose-bleed".
_WORD = re.compile(
    rf"(?P<signs>[^{_SPACE}{LATIN}0-9°%+']+)|(?P<word>[{LATIN}]+(?:'[{LATIN}]+)*)|[0-9]{{1,9}}(?:\.[0-9]{{1,4}})?"
)
_HAN = re.compile(f"[{HAN}]+")
_HYPHEN = re.compile(rf"(?<=[{LATIN}0-9])[-\u2010\u2011](?=[{LATIN}0-9])")
_DRAWN_OUT = re.compile(rf"([{LATIN}])\1{{2,}}")
_READABLE = re.compile(f"[{LATIN}{HAN}0-9]")
# Letters and signs that are the same in every normal form, and that no test below asks about.
_EVERYDAY = re.compile("[\u4e00-\u9fa5 -@\\[-~\n\u3001\u3002\u300a-\u3011\u201c\u201d]+")
_UNSEEN = ("Mn", "Me", "Cf")
_WORDS = re.compile(r"[^\W_]+")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")
_PICTURE = re.compile("[\U0001f1e6-\U0001f1ff]{2}|[^\u200d](?:\u200d[^\u200d])*")
# n't and what stands before it, where they are not one word and "not".
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}


@dataclass(frozen=True, slots=True)
class ClauseText:
    """The words of a text with their positions in ``source``, the normalised text.

    ``readable``: the screening can decide on the text; otherwise a person must read it.
    """

    source: str
    tokens: list[str]
    starts: list[int]
    ends: list[int]
    han: list[bool]
    readable: bool

    def between(self, start: int, end: int) -> str:
        """Return the words from ``start`` up to ``end`` as in the text, no spaces between Han."""
        piece = self.source[self.starts[start] : self.ends[end - 1]]
        if piece.isalnum():
            return piece
        shown = " ".join(piece.split())
        return _BETWEEN_HAN.sub("", shown) if " " in shown else shown


class PhraseSpan(NamedTuple):
    """A phrase found at the words from ``start`` up to ``end``.

    ``parts``: positions of its own words, gaps left out.
    """

    phrase: LexiconPhrase
    start: int
    end: int
    slot_starts: tuple[int, ...]
    parts: Sequence[int]


# A span without the detour by keywords: most of the work of a text that is full of red flags is making them.
_new_tuple = tuple.__new__


def read_clauses(text: str, lexicon: Lexicon) -> ClauseText:
    """Return ``text`` normalised (NFKC, lower case, no accents) and cut into words.

    Never raises.
    """
    source = _HYPHEN.sub(" ", fold_text(text))
    drawn_out = _DRAWN_OUT.search(source) is not None
    signs = {sign: lexicon.alike.get(sign, sign) for sign in "".join(_HAN.findall("".join(set(source))))}
    tokens: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    han: list[bool] = []
    for match in _WORD.finditer(source):
        piece = match.group()
        start, end = match.span()
        if match.lastgroup == "signs":
            tokens.extend(map(signs.get, piece, repeat(BREAK)))
            han.extend(map(signs.__contains__, piece))
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
            continue
        words: tuple[str, ...] = (piece,)
        if match.lastgroup == "word":
            words = _expand_contraction(_DRAWN_OUT.sub(r"\1\1", piece) if drawn_out else piece, tokens, lexicon)
        for word in words:
            tokens.append(word)
            starts.append(start)
            ends.append(end)
            han.append(False)
    return ClauseText(source, tokens, starts, ends, han, _is_readable(text, source, lexicon))


def with_breaks(text: ClauseText, lexicon: Lexicon) -> ClauseText:
    """Return ``text`` with a break at every word that begins a new clause, such as "but".

    Protected words are kept.
    """
    spans = find_phrases(text, lexicon.splitters)
    if not spans:
        return text
    protections = find_phrases(text, lexicon.protections)
    kept = {place for span in protections for place in range(span.start, span.end)}
    cut = {
        place for span in spans if kept.isdisjoint(range(span.start, span.end)) for place in range(span.start, span.end)
    }
    if not cut:
        return text
    tokens = [BREAK if place in cut else token for place, token in enumerate(text.tokens)]
    return ClauseText(text.source, tokens, text.starts, text.ends, text.han, text.readable)


def find_phrases(text: ClauseText, index: PhraseIndex) -> list[PhraseSpan]:
    """Return every phrase of ``index`` in ``text``.

    At each position, for each choice of the first part of a phrase, it is the longest reading.
    """
    spans: list[PhraseSpan] = []
    tokens = (*text.tokens, BREAK, BREAK)
    starts, opens = index.starts, index.opening.match
    known = set(tokens)
    # No beginning of a word and no number is a Han character; comparing is quicker than matching.
    opened = {token: _open_matches(index, token) for token in known if token < _FIRST_HAN and opens(token)}
    begun = known.intersection(starts).union(opened)
    if not begun:
        return spans
    for place in [place for place, token in enumerate(tokens) if token in begun]:
        token = tokens[place]
        entries: tuple[LexiconEntry, ...] = ()
        if token in starts:
            entries, pairs = starts[token]
            if tokens[place + 1] in pairs:
                entries, triples = pairs[tokens[place + 1]]
                if tokens[place + 2] in triples:
                    entries = triples[tokens[place + 2]]
        if token in opened:
            entries += opened[token]
        window: Row = ()
        begin = 0
        for phrase, row, length, checked, gate, reach in entries:
            end = place + length
            if gate is not None:
                if end != begin or reach != len(window):
                    begin, window = end, tokens[end : end + reach]
                if gate.isdisjoint(window):
                    continue
            if not checked and not _row_fits(tokens, row, place):
                continue
            if not phrase.slots:
                spans.append(_new_tuple(PhraseSpan, (phrase, place, end, (place,), range(place, end))))
            elif (span := _fit_phrase(tokens, text.han, phrase, place, end)) is not None:
                spans.append(span)
    return spans


def _open_matches(index: PhraseIndex, token: str) -> tuple[LexiconEntry, ...]:
    """Return the entries that may begin at ``token`` by a word's beginning or a number."""
    entries: tuple[LexiconEntry, ...] = ()
    for length in index.lengths:
        if length > len(token):
            break
        entries += index.beginnings.get(token[:length], ())
    return entries + index.numbers if token[0].isdigit() else entries


def _fit_phrase(tokens: Row, han: list[bool], phrase: LexiconPhrase, place: int, end: int) -> PhraseSpan | None:
    """Return ``phrase`` with its first part from ``place`` to ``end``, or None.

    Of several readings it is the one with most own words, then with the smallest gaps.
    """
    if len(phrase.slots) == 1:
        return _fit_two_parts(tokens, han, phrase, place, end)
    steps = _next_ends(tokens, han, phrase.slots[0], phrase.han, end)
    paths: list[tuple[tuple[int, int], ...]] = [((place, end), step) for step in dict.fromkeys(steps)]
    for slot in phrase.slots[1:]:
        longer: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        for path in paths:
            for step in _next_ends(tokens, han, slot, phrase.han, path[-1][1]):
                # One path to each step is enough: the first has the smallest gap.
                if step not in longer:
                    longer[step] = (*path, step)
        if not longer:
            return None
        paths = list(longer.values())
    best = max(paths, key=lambda path: (sum(map(_step_length, path)), -path[-1][1]))
    parts = tuple([at for start, end in best for at in range(start, end)])
    return PhraseSpan(phrase, place, best[-1][1], tuple([start for start, _ in best]), parts)


def _fit_two_parts(tokens: Row, han: list[bool], phrase: LexiconPhrase, place: int, end: int) -> PhraseSpan | None:
    """Return what ``_fit_phrase`` returns, faster, for the many phrases of two parts."""
    slot = phrase.slots[0]
    rows, opens, plain, only_han = slot.rows, slot.open, slot.plain, phrase.han
    start = length = 0
    for at in range(end, min(end + slot.gap + 1, len(han))):
        token = tokens[at]
        # The longest come first; of those with as many words the first place has the smallest gap.
        if token in rows:
            for row in rows[token]:
                if len(row) <= length:
                    break
                if tokens[at : at + len(row)] == row or (not plain and _row_fits(tokens, row, at)):
                    start, length = at, len(row)
                    break
        if opens and not han[at]:
            for row in opens:
                if len(row) > length and _row_fits(tokens, row, at):
                    start, length = at, len(row)
        if length == slot.longest or han[at] != only_han or token == BREAK:
            break
    if not length:
        return None
    stop = start + length
    if length == 1 and end == place + 1:
        return _new_tuple(PhraseSpan, (phrase, place, stop, (place, start), (place, start)))
    return _new_tuple(PhraseSpan, (phrase, place, stop, (place, start), (*range(place, end), *range(start, stop))))


def _step_length(step: tuple[int, int]) -> int:
    return step[1] - step[0]


def _next_ends(tokens: Row, han: list[bool], slot: PhraseSlot, only_han: bool, place: int) -> list[tuple[int, int]]:
    """Return where ``slot`` fits when the words before it end at ``place``."""
    steps = []
    for at in range(place, min(place + slot.gap + 1, len(han))):
        token = tokens[at]
        for row in slot.rows.get(token, ()):
            if tokens[at : at + len(row)] == row or (not slot.plain and _row_fits(tokens, row, at)):
                steps.append((at, at + len(row)))
        if slot.open and not han[at]:
            steps += [(at, at + len(row)) for row in slot.open if _row_fits(tokens, row, at)]
        if han[at] != only_han or token == BREAK:
            break
    return steps


def _row_fits(tokens: Row, row: Row, place: int) -> bool:
    if place + len(row) > len(tokens):
        return False
    for step, pattern in enumerate(row):
        token = tokens[place + step]
        if pattern != token and not _word_fits(pattern, token):
            return False
    return True


def _word_fits(pattern: str, token: str) -> bool:
    """Return True if the open ``pattern`` matches ``token``."""
    if pattern[-1] == "*":
        return token.startswith(pattern[:-1])
    if pattern[0] == "#":
        low, _, high = pattern[1:].partition("-")
        return token[0].isdigit() and float(low) <= float(token) < float(high)
    return False


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
    """Return False for a text that only a person can judge.

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
