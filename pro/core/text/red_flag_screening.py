"""Red flag screening of free text (docs/domain.md 5); a person reads every text.

``screen`` finds the words of the lexicon, the frames that they make and how each is meant. A red flag whose level is
lowered is never discarded, and a text is none only if all of it is understood as harmless. The work grows with the
length of the text only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pro.core.rule_language.level import Level
from pro.core.text.clauses import ClauseText, read_clauses
from pro.core.text.own_sentences import NOTHING_OF_OURS, OwnSentences
from pro.core.text.red_flag_attributes import OVER_FOR_LONG, MarkedText, Polarity
from pro.core.text.red_flag_lexicon import PICTURES, Frame, Lexicon
from pro.core.text.red_flag_words import Spot, find_words

_PICTURE = re.compile(f"[{PICTURES}]")
Status = Literal["affirmed", "near", "resolved", "negated", "hypothetical", "question", "past", "other_person"]
# How far the parts of a frame may be from its head, in words: in its clause, and in the clauses beside it.
NEAR, WIDE = 12, 36
# The most neighbours of a head that are looked at on each side.
MOST_NEIGHBOURS = 16
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


# The concepts of a head, before and after it in its clause, and in the clauses beside it.
_Around = tuple[int, int, int, int]


def screen(text: str, lexicon: Lexicon, ours: OwnSentences = NOTHING_OF_OURS) -> Screening:
    """Screen ``text``, any text of any length, with ``lexicon``; ``ours`` is taken out before. Never raises."""
    words = ours.take_out(read_clauses(text, lexicon)) if ours else read_clauses(text, lexicon)
    spots = find_words(words, lexicon)
    page = MarkedText(words, spots, lexicon)
    hits = _find_hits(page, words, lexicon)
    silenced = {name for hit in hits if hit.status == "affirmed" for name in lexicon.classes[hit.class_id].overrides}
    if silenced:
        hits = _find_hits(page, words, lexicon, silenced)
    floor = Level.NONE if not hits and words.readable and _is_harmless(words, spots, lexicon) else Level.WATCH
    return Screening(max((hit.level for hit in hits), default=floor), tuple(dict.fromkeys(hits)))


def first_class(hits: Iterable[RedFlagHit], lexicon: Lexicon) -> str:
    """Return the class of the emergency whose advice comes first; "" if none is one.

    The order is that of the classes in the lexicon: bleeding and airway before suicide, suicide before the rest.
    """
    loud = [hit.class_id for hit in hits if hit.level is Level.EMERGENCY]
    return min(loud, key=lambda name: lexicon.classes[name].priority, default="")


def _is_harmless(words: ClauseText, spots: Sequence[Spot], lexicon: Lexicon) -> bool:
    """Return True if every word is one that says nothing, or the text is one picture: thumbs up."""
    if words.tokens and all(_PICTURE.fullmatch(token) for token in words.tokens):
        return True
    at = 0
    for spot in spots:
        if spot.start != at or not spot.concepts & lexicon.calm:
            return False
        at = spot.end
    return at == len(words.tokens)


def _find_hits(
    page: MarkedText, words: ClauseText, lexicon: Lexicon, silenced: Set[str] = frozenset()
) -> list[RedFlagHit]:
    """Return the hit of the highest level of each class and status, in the order of the text.

    What is said again, after a class was affirmed at its highest level, is not looked at. Classes in ``silenced`` are
    not loud, unless the writer speaks of himself: who reports a death may be ill as well.
    """
    found: dict[tuple[str, Status], tuple[Level, int, Frame]] = {}
    settled: dict[str, Level] = {}
    for number, frame, denied in _matches(page, lexicon, settled):
        # What makes it this red flag may be denied beside the head: 胸不闷.
        status: Status = "negated"
        level = Level.WATCH
        if not denied:
            status, level = _read_status(page, number, lexicon, frame)
            if frame.class_id in silenced and not page.of_the_writer[number]:
                level = min(level, Level.WATCH)
        known = found.get((frame.class_id, status))
        if known is None or known[0] < level:
            found[(frame.class_id, status)] = (level, number, frame)
            if status == "affirmed":
                settled[frame.class_id] = level
    affirmed = {class_id for class_id, status in found if status == "affirmed"}
    hits = []
    for (class_id, status), (level, number, frame) in found.items():
        if status == "negated" and class_id in affirmed:
            continue
        start, end = _extent(page, number, frame)
        hits.append(RedFlagHit(class_id, words.between(page.spots[start].start, page.spots[end].end), status, level))
    return hits


def _matches(page: MarkedText, lexicon: Lexicon, settled: Mapping[str, Level]) -> Iterator[tuple[int, Frame, bool]]:
    """Yield the spot of each head, its frame, and whether the frame holds only by what is denied beside it.

    Frames of no higher level than their class in ``settled`` are left out.
    """
    possible: dict[int, tuple[int, list[Frame]]] = {}
    spots, heads = page.spots, lexicon.heads
    near = [number for number, spot in enumerate(spots) if spot.concepts & lexicon.framed]
    for place, number in enumerate(near):
        concepts = spots[number].concepts
        if not concepts & heads:
            continue
        weight = sum(settled.values())
        seen, frames = possible.get(concepts, (-1, []))
        if seen != weight:
            frames = [
                frame
                for frame in lexicon.frames_of(concepts)
                if page.concepts & frame.needed == frame.needed and settled.get(frame.class_id, -1) < frame.level
            ]
            possible[concepts] = (weight, frames)
        if not frames:
            continue
        everything, plain = _around(page, near, place)
        if page.polarity[number] is not Polarity.AFFIRMED:
            plain = everything
        said = _matching_frames(plain, frames)
        for frame in said:
            yield number, frame, False
        if everything != plain:
            classes = {frame.class_id for frame in said}
            for frame in _matching_frames(everything, frames):
                if frame.class_id not in classes:
                    yield number, frame, True


def _around(page: MarkedText, near: Sequence[int], place: int) -> tuple[_Around, _Around]:
    """Return the concepts around a head: all of them, and those that are not denied."""
    spots, clauses, polarity = page.spots, page.clauses, page.polarity
    number = near[place]
    head, end, concepts = spots[number]
    clause = clauses[number]
    before = after = beside = hidden_before = hidden_after = hidden_beside = 0
    for at in reversed(near[max(0, place - MOST_NEIGHBOURS) : place]):
        spot = spots[at]
        if clause - clauses[at] > BESIDE or head - spot.end > WIDE:
            break
        inside = clauses[at] == clause and head - spot.end <= NEAR
        if polarity[at] is Polarity.AFFIRMED or (clauses[at] < clause and clause in page.news):
            beside |= spot.concepts
            if inside:
                before |= spot.concepts
        else:
            hidden_beside |= spot.concepts
            if inside:
                hidden_before |= spot.concepts
    for at in near[place + 1 : place + 1 + MOST_NEIGHBOURS]:
        spot = spots[at]
        if clauses[at] - clause > BESIDE or spot.start - end > WIDE:
            break
        inside = clauses[at] == clause and spot.start - end <= NEAR
        if polarity[at] is Polarity.AFFIRMED:
            beside |= spot.concepts
            if inside:
                after |= spot.concepts
        else:
            hidden_beside |= spot.concepts
            if inside:
                hidden_after |= spot.concepts
    plain = (concepts, before, after, beside)
    if not hidden_beside:
        return plain, plain
    return (concepts, before | hidden_before, after | hidden_after, beside | hidden_beside), plain


def _matching_frames(around: _Around, frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return the frames that the concepts around a head make: of each class the highest level, which comes first."""
    head, before, after, beside = around
    inside = head | before | after
    wide = inside | beside
    found: dict[str, Frame] = {}
    for frame in frames:
        if wide & frame.needed != frame.needed or frame.class_id in found:
            continue
        for concepts, where, absent in frame.parts:
            there = inside if where == "here" else wide if where == "beside" else after if where == "after" else before
            if bool(there & concepts) is absent:
                break
        else:
            found[frame.class_id] = frame
    return tuple(found.values())


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


def _read_status(page: MarkedText, number: int, lexicon: Lexicon, frame: Frame) -> tuple[Status, Level]:
    """Return the status of a red flag and its level as meant; the order is that of docs/domain.md 5."""
    flag, level = lexicon.classes[frame.class_id], frame.level
    polarity = page.polarity[number]
    if polarity is Polarity.NO_MORE and flag.resolved is not None and page.over[number] != OVER_FOR_LONG:
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
        return ("past", Level.WATCH) if over == OVER_FOR_LONG else ("resolved", min(level, flag.resolved))
    if flag.near is not None and page.is_near(number):
        return "near", min(level, flag.near)
    return "affirmed", level
