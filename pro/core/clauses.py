"""A text as words and breaks, and phrases found in it: the reading that ``pro.core.freetext`` stands on.

Every Han character is a word by itself, so spaces between Han mean nothing; Latin words are lower case without accents,
and contractions are written out. Punctuation, line ends and pictures break a clause (clinical.md 5).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from pro.core.lexicon import HAN, LATIN, Index, Lexicon, Phrase, Row, Slot

BREAK = "\n"
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u00b4`\u2032\uff07]")
_WORD = re.compile(
    rf"(?P<han>[{HAN}])|(?P<word>[{LATIN}]+(?:'[{LATIN}]+)*)|(?P<number>[0-9]{{1,9}}(?:\.[0-9]{{1,4}})?)|\n|[^\s]"
)
# Signs inside measures ("38 °C", "38+") and the hyphen of "nose-bleed" join; every other sign breaks.
_JOINS = frozenset("°%+'")
_HYPHEN = re.compile(rf"(?<=[{LATIN}0-9])[-\u2010\u2011](?=[{LATIN}0-9])")
_DRAWN_OUT = re.compile(rf"([{LATIN}])\1{{2,}}")
_READABLE = re.compile(f"[{LATIN}{HAN}0-9]")
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")
_PICTURE = re.compile("[\U0001f1e6-\U0001f1ff]{2}|[^\u200d](?:\u200d[^\u200d])*")
# n't and what stands before it, where they are not one word and "not".
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}


@dataclass(frozen=True, slots=True)
class Text:
    """A text's words with their places in ``source``, the normalised text. ``readable``: a machine may judge it."""

    source: str
    tokens: list[str]
    starts: list[int]
    ends: list[int]
    han: list[bool]
    readable: bool

    def between(self, start: int, end: int) -> str:
        """The words from ``start`` up to ``end`` as they stood in the text, without spaces between Han."""
        shown = " ".join(self.source[self.starts[start] : self.ends[end - 1]].split())
        return re.sub(rf"(?<=[{HAN}]) (?=[{HAN}])", "", shown)


class Span(NamedTuple):
    """A phrase found at the words from ``start`` up to ``end``; ``parts`` are its own words, gaps left out."""

    phrase: Phrase
    start: int
    end: int
    slot_starts: tuple[int, ...]
    parts: tuple[int, ...]


def read(text: str, lexicon: Lexicon) -> Text:
    """``text`` normalised (NFKC, lower case, no accents) and cut into words. Never raises."""
    source = _HYPHEN.sub(" ", folded(text))
    found = Text(source, [], [], [], [], _readable(text, source, lexicon))
    for match in _WORD.finditer(source):
        piece = match.group()
        if match.lastgroup == "han":
            _append(found, lexicon.alike.get(piece, piece), match, True)
        elif match.lastgroup == "word":
            for word in _written_out(piece, found.tokens, lexicon):
                _append(found, word, match, False)
        elif match.lastgroup == "number":
            _append(found, piece, match, False)
        elif piece not in _JOINS:
            _append(found, BREAK, match, False)
    return found


def with_breaks(text: Text, lexicon: Lexicon) -> Text:
    """``text`` with a break in place of every word that begins a new clause, such as "but", unless it is protected."""
    spans = find(text, lexicon.splitters)
    kept = {place for span in spans if span.phrase.kind == "protection" for place in range(span.start, span.end)}
    cut = {
        place: span.end
        for span in sorted(spans, key=lambda span: span.end)
        if span.phrase.kind == "splitter" and kept.isdisjoint(range(span.start, span.end))
        for place in range(span.start, span.end)
    }
    if not cut:
        return text
    tokens = [BREAK if place in cut else token for place, token in enumerate(text.tokens)]
    return Text(text.source, tokens, text.starts, text.ends, text.han, text.readable)


def find(text: Text, index: Index) -> list[Span]:
    """Every phrase of ``index`` in ``text``: at each place, for each choice of its first part, the longest reading."""
    spans = []
    tokens = [*text.tokens, BREAK, BREAK]
    words = index.words
    for place, token in enumerate(text.tokens):
        second = tokens[place + 1]
        entries = words.get((token,), ()) + words.get((token, second), ())
        entries += words.get((token, second, tokens[place + 2]), ())
        if not text.han[place] and token != BREAK:
            for length in index.lengths:
                if length > len(token):
                    break
                entries += index.beginnings.get(token[:length], ())
            if token[0].isdigit():
                entries += index.numbers
        for phrase, row in entries:
            # The index has held its first three words against the text, unless one of them is a pattern.
            if (len(row) > 3 or phrase.patterned) and not _row_fits(tokens, row, place):
                continue
            end = place + len(row)
            if phrase.slots:
                span = _fit(tokens, text.han, phrase, place, end)
                if span is not None:
                    spans.append(span)
            else:
                spans.append(Span(phrase, place, end, (place,), tuple(range(place, end))))
    return spans


def _fit(tokens: list[str], han: list[bool], phrase: Phrase, place: int, end: int) -> Span | None:
    """``phrase``, its first part from ``place`` to ``end``: the reading with most own words, then the smallest gaps."""
    paths: list[tuple[tuple[int, int], ...]] = [((place, end),)]
    for slot in phrase.slots:
        longer: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        for path in paths:
            for step in _next(tokens, han, slot, phrase.han, path[-1][1]):
                # One path to each step is enough: the first has the smallest gap.
                longer.setdefault(step, (*path, step))
        if not longer:
            return None
        paths = list(longer.values())
    best = max(paths, key=lambda path: (sum(end - start for start, end in path), -path[-1][1]))
    parts = tuple(at for start, end in best for at in range(start, end))
    return Span(phrase, place, best[-1][1], tuple(start for start, _ in best), parts)


def _next(tokens: list[str], han: list[bool], slot: Slot, only_han: bool, place: int) -> list[tuple[int, int]]:
    """Where ``slot`` can stand when the words before it end at ``place``."""
    steps = []
    for at in range(place, min(place + slot.gap + 1, len(han))):
        token = tokens[at]
        if token == BREAK:
            break
        for row in slot.rows.get(token, ()):
            if len(row) == 1 or _row_fits(tokens, row, at):
                steps.append((at, at + len(row)))
        if slot.open and not han[at]:
            steps += [(at, at + len(row)) for row in slot.open if _row_fits(tokens, row, at)]
        if han[at] != only_han:
            break
    return steps


def _row_fits(tokens: list[str], row: Row, place: int) -> bool:
    if place + len(row) > len(tokens):
        return False
    for step, pattern in enumerate(row):
        token = tokens[place + step]
        if pattern != token and not _word_fits(pattern, token):
            return False
    return True


def _word_fits(pattern: str, token: str) -> bool:
    """True if the open ``pattern`` takes ``token``."""
    if pattern[-1] == "*":
        return token.startswith(pattern[:-1])
    if pattern[0] == "#":
        low, _, high = pattern[1:].partition("-")
        return token[0].isdigit() and float(low) <= float(token) < float(high)
    return False


def _append(text: Text, word: str, match: re.Match[str], han: bool) -> None:
    text.tokens.append(word)
    text.starts.append(match.start())
    text.ends.append(match.end())
    text.han.append(han)


def folded(text: str) -> str:
    """``text`` in NFKC, lower case, accents and unseen signs gone, one kind of apostrophe, one kind of line end."""
    plain = unicodedata.normalize("NFKC", _APOSTROPHES.sub("'", text)).lower()
    plain = plain.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if not plain.isascii():
        apart = unicodedata.normalize("NFD", plain)
        plain = "".join(sign for sign in apart if unicodedata.category(sign) not in ("Mn", "Me", "Cf"))
        plain = unicodedata.normalize("NFC", plain)
    return plain


def _written_out(piece: str, before: list[str], lexicon: Lexicon) -> tuple[str, ...]:
    """A word without contraction: can't, cant and "can t" are can + not; it's is it."""
    piece = _DRAWN_OUT.sub(r"\1\1", piece)
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


def _readable(text: str, source: str, lexicon: Lexicon) -> bool:
    """False for what only a human can judge: nothing, a recording, a picture, other scripts, broken signs."""
    for sign in set(source):
        category = unicodedata.category(sign)
        if category in ("Cs", "Co", "Cn") or sign == "\ufffd" or sign == "\ufffc":
            return False
        if category[0] == "L" and not _READABLE.match(sign) and category != "Lm":
            return False
        if category == "Nd" and not sign.isascii():
            return False
    if not _READABLE.search(source):
        return _lone_picture(text)
    if re.sub(r"[\W_]+", " ", source).strip() in lexicon.media:
        return False
    # A message with a recording or picture in it: "[图片] 看看这个".
    return not any(
        inside.strip() in lexicon.media for inside in re.findall(r"[\[【(<]([^\[\]【】()<>\n]{1,30})[\]】)>]", source)
    )


def _lone_picture(text: str) -> bool:
    """True for one emoji, also the same one several times: a sign of thanks, not a report."""
    shown = [sign for sign in _SKIN.sub("", text) if unicodedata.category(sign) != "Mn" and not sign.isspace()]
    if not shown or any(unicodedata.category(sign) not in ("So", "Sm", "Sk") and sign != "\u200d" for sign in shown):
        return False
    return len(set(_PICTURE.findall("".join(shown)))) == 1
