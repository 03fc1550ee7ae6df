"""Red flag screening of free text (docs/domain.md 5); a person reads every text.

``screen`` finds the words of the lexicon, the frames that they make and how each is meant. A red flag whose level is
lowered is never discarded, and a text is none only if all of it is understood as harmless. The work grows with the
length of the text only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pro.core.rule_language.level import Level
from pro.core.text.clauses import ClauseText, read_clauses
from pro.core.text.own_sentences import NOTHING_OF_OURS, OwnSentences
from pro.core.text.red_flag_attributes import MarkedText, Polarity
from pro.core.text.red_flag_lexicon import FlagClass, Frame, Lexicon
from pro.core.text.red_flag_words import Spot, find_words

Status = Literal["affirmed", "near", "resolved", "negated", "hypothetical", "question", "past", "other_person"]
# How far the parts of a frame may be from its head, in words: in its clause, and in the clauses beside it.
NEAR, WIDE = 12, 36
# The most neighbours of a head that are looked at on each side.
MOST_NEIGHBOURS = 24
# How many clauses before and after a head are beside it.
BESIDE = 2


class RedFlagHit(NamedTuple):
    """A red flag that was found: its class, its words in the normalised text, its status and its level as meant."""

    class_id: str
    term: str
    status: Status
    level: Level = Level.WATCH


@dataclass(frozen=True, slots=True)
class Screening:
    """The level of a whole text and its hits in order.

    Watch without a hit: the text can only be read by a person, or was not understood as harmless.
    """

    level: Level
    hits: tuple[RedFlagHit, ...]

    @property
    def is_death(self) -> bool:
        """Whether the text says that the participant died."""
        return any(hit.class_id == "death" and hit.status == "affirmed" for hit in self.hits)

    @property
    def loudest(self) -> tuple[RedFlagHit, ...]:
        """The hits of the level of the text."""
        return tuple(hit for hit in self.hits if hit.level is self.level)


class _Around(NamedTuple):
    """The concepts around a head: before and after it in its clause, and in the clauses beside it."""

    head: int
    before: int
    after: int
    beside: int


def screen(text: str, lexicon: Lexicon, ours: OwnSentences = NOTHING_OF_OURS) -> Screening:
    """Screen ``text``, any text of any length, with ``lexicon``; ``ours`` is taken out before. Never raises."""
    words = ours.take_out(read_clauses(text, lexicon)) if ours else read_clauses(text, lexicon)
    spots = find_words(words, lexicon)
    page = MarkedText(words, spots, lexicon)
    hits = _find_hits(page, words, lexicon)
    silenced = {
        name for hit in hits if hit.status == "affirmed" for name in lexicon.classes[hit.class_id].overrides
    }
    if silenced:
        hits = [
            hit._replace(level=min(hit.level, Level.WATCH)) if hit.class_id in silenced else hit for hit in hits
        ]
    floor = Level.NONE if not hits and words.readable and _is_harmless(words, spots, lexicon) else Level.WATCH
    return Screening(max((hit.level for hit in hits), default=floor), tuple(dict.fromkeys(hits)))


def _is_harmless(words: ClauseText, spots: Sequence[Spot], lexicon: Lexicon) -> bool:
    """Return True if every word is one that says nothing."""
    at = 0
    for spot in spots:
        if spot.start != at or not spot.concepts & lexicon.calm:
            return False
        at = spot.end
    return at == len(words.tokens)


def _find_hits(page: MarkedText, words: ClauseText, lexicon: Lexicon) -> list[RedFlagHit]:
    if not page.concepts & lexicon.heads:
        return []
    known: dict[_Around, tuple[Frame, ...]] = {}
    found: dict[tuple[str, str, str], RedFlagHit] = {}
    for number, spot in enumerate(page.spots):
        if not spot.concepts & lexicon.heads:
            continue
        plain = page.polarity[number] is Polarity.AFFIRMED
        said = _frames_at(page, number, plain, known)
        everything = _frames_at(page, number, False, known) if plain and page.denies else said
        for frame in dict.fromkeys(said + everything):
            flag = lexicon.classes[frame.class_id]
            status, level = _meant(page, number, flag, frame.level)
            if frame not in said:
                # What makes it this red flag is denied: 胸不闷.
                status, level = "negated", Level.WATCH
            start, end = _extent(page, number, frame)
            term = words.between(page.spots[start].start, page.spots[end].end)
            hit = RedFlagHit(flag.id, term, status, level)
            key = (flag.id, status, term)
            if key not in found or found[key].level < level:
                found[key] = hit
    affirmed = {hit.class_id for hit in found.values() if hit.status == "affirmed"}
    said = [hit for hit in found.values() if not (hit.status == "negated" and hit.class_id in affirmed)]
    return _only_the_loudest(said)


def _only_the_loudest(hits: list[RedFlagHit]) -> list[RedFlagHit]:
    """Return the hits without those that say less than another of the same class and status."""
    highest: dict[tuple[str, str], Level] = {}
    for hit in hits:
        key = (hit.class_id, hit.status)
        highest[key] = max(highest.get(key, Level.NONE), hit.level)
    kept: dict[tuple[str, str], RedFlagHit] = {}
    for hit in hits:
        if hit.level is highest[(hit.class_id, hit.status)]:
            kept.setdefault((hit.class_id, hit.status), hit)
    return list(kept.values())


def _frames_at(
    page: MarkedText, number: int, plain: bool, known: dict[_Around, tuple[Frame, ...]]
) -> tuple[Frame, ...]:
    around = _around(page, number, plain)
    if around not in known:
        known[around] = _matching_frames(around, page.lexicon)
    return known[around]


def _around(page: MarkedText, number: int, plain: bool) -> _Around:
    """Return what is around a head; ``plain``: without what is denied."""
    spots, clauses, polarity = page.spots, page.clauses, page.polarity
    head, clause = spots[number], clauses[number]
    denied = not plain
    before = after = beside = 0
    for at in range(number - 1, max(-1, number - 1 - MOST_NEIGHBOURS), -1):
        spot = spots[at]
        distance = head.start - spot.end
        if distance > WIDE or clause - clauses[at] > BESIDE:
            break
        if denied or polarity[at] is Polarity.AFFIRMED:
            if clauses[at] == clause and distance <= NEAR:
                before |= spot.concepts
            beside |= spot.concepts
    for at in range(number + 1, min(len(spots), number + 1 + MOST_NEIGHBOURS)):
        spot = spots[at]
        distance = spot.start - head.end
        if distance > WIDE or clauses[at] - clause > BESIDE:
            break
        if denied or polarity[at] is Polarity.AFFIRMED:
            if clauses[at] == clause and distance <= NEAR:
                after |= spot.concepts
            beside |= spot.concepts
    return _Around(head.concepts, before, after, beside)


def _matching_frames(around: _Around, lexicon: Lexicon) -> tuple[Frame, ...]:
    """Return the frames that the concepts around a head make: of each class the loudest."""
    loudest: dict[str, Frame] = {}
    for frame in lexicon.frames:
        if frame.head & around.head and _fits(frame, around):
            known = loudest.get(frame.class_id)
            if known is None or known.level < frame.level:
                loudest[frame.class_id] = frame
    return tuple(loudest.values())


def _fits(frame: Frame, around: _Around) -> bool:
    for concepts, where, absent in frame.parts:
        if where == "after":
            there = around.after
        elif where == "before":
            there = around.before
        else:
            there = around.head | around.before | around.after
            if where == "beside":
                there |= around.beside
        if bool(there & concepts) is absent:
            return False
    return True


def _extent(page: MarkedText, number: int, frame: Frame) -> tuple[int, int]:
    """Return the first and the last spot of a frame: its head and the nearest of each part in the clause."""
    first = last = number
    for concepts, where, absent in frame.parts:
        if absent or where == "beside" or page.spots[number].concepts & concepts:
            continue
        for step in range(1, MOST_NEIGHBOURS):
            found = [
                at
                for at in (number - step, number + step)
                if 0 <= at < len(page.spots)
                and page.clauses[at] == page.clauses[number]
                and page.spots[at].concepts & concepts
            ]
            if found:
                first, last = min(first, *found), max(last, *found)
                break
    return first, last


def _meant(page: MarkedText, number: int, flag: FlagClass, level: Level) -> tuple[Status, Level]:
    """Return the status of a red flag and its level as meant; the order is that of docs/domain.md 5."""
    polarity = page.polarity[number]
    if polarity is Polarity.NO_MORE and flag.resolved is not None and not page.over[number] == 2:
        return "resolved", min(level, flag.resolved)
    if polarity in (Polarity.DENIED, Polarity.NO_MORE):
        return "negated", Level.WATCH
    if polarity is Polarity.ASKED:
        return "question", Level.WATCH
    if page.about_others[number]:
        return "other_person", Level.WATCH
    if page.in_the_past[number]:
        return "past", Level.WATCH
    if page.questioned[number]:
        return "question", Level.WATCH
    if page.feared[number]:
        return "hypothetical", Level.URGENT if level is Level.EMERGENCY else Level.WATCH
    if polarity is Polarity.LOOSE:
        return "negated", min(level, Level.URGENT)
    over = page.over[number]
    if flag.resolved is not None and over:
        return ("past", Level.WATCH) if over == 2 else ("resolved", min(level, flag.resolved))
    if flag.near is not None and page.is_near(number):
        return "near", min(level, flag.near)
    return "affirmed", level
