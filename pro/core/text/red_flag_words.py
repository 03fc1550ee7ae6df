"""Words of a red flag lexicon in a text: from left to right, at each place the longest.

A longer word hides what it holds: 血 in 血压 is no blood, 没 in 没力气 denies nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from pro.core.text.clauses import SPACE, ClauseText
from pro.core.text.red_flag_lexicon import Lexicon, WordNode, one_letter_less

# A Chinese word that is found by its sound has at most this share of its characters wrong.
SHARE_WRONG = 2 / 3


class Spot(NamedTuple):
    """A word of the lexicon at the words from ``start`` up to ``end`` of a text, and the bits of its concepts."""

    start: int
    end: int
    concepts: int


def find_words(text: ClauseText, lexicon: Lexicon) -> list[Spot]:
    """Return the words of ``lexicon`` in ``text``; none overlaps another."""
    tokens, numbers = text.tokens, text.numbers
    others = _other_readings(tokens, lexicon)
    beginnings, numbered = lexicon.words.next, bool(lexicon.words.numbers)
    heard, sounds = lexicon.sounds.next, lexicon.syllables
    spots: list[Spot] = []
    place, count = 0, len(tokens)
    while place < count:
        token = tokens[place]
        end = concepts = 0
        if token in beginnings or token in others or (numbered and place in numbers):
            end, concepts = _longest(text, lexicon.words, others, place)
        if end - place < 3 and (sound := sounds.get(token)) is not None and sound in heard:
            heard_end, heard_concepts = _longest_heard(text, lexicon, place)
            if heard_end > max(end, place):
                end, concepts = heard_end, heard_concepts
        if concepts:
            spots.append(Spot(place, end, concepts))
            place = end
        else:
            place += 1
    return spots


def _other_readings(tokens: list[str], lexicon: Lexicon) -> dict[str, tuple[str, ...]]:
    """Return what Latin words stand for beside themselves: their beginnings, and what they may be mistyped from."""
    found: dict[str, tuple[str, ...]] = {}
    for token in set(tokens):
        if not token[0].isalpha() or token >= "\u2e80":
            continue
        stems = tuple(f"{token[:size]}*" for size in range(len(token), 1, -1) if token[:size] in lexicon.stems)
        if not stems and len(token) >= 5 and token not in lexicon.latin and token not in lexicon.correct:
            stems = _typo(token, lexicon)
        if stems:
            found[token] = stems
    return found


def _typo(token: str, lexicon: Lexicon) -> tuple[str, ...]:
    for rest in (token, *sorted(one_letter_less(token))):
        word = lexicon.typos.get(rest)
        if word is not None and abs(len(word.rstrip("*")) - len(token)) <= 1:
            return (word,)
    return ()


def _longest(text: ClauseText, root: WordNode, others: dict[str, tuple[str, ...]], place: int) -> tuple[int, int]:
    """Return where the longest word from ``place`` ends, and its concepts; zeros if there is none."""
    tokens, breaks, numbers = text.tokens, text.breaks, text.numbers
    best = concepts = 0
    waiting = [(root, place)]
    count = len(tokens)
    while waiting:
        node, at = waiting.pop()
        if node.concepts and at > best:
            best, concepts = at, node.concepts
        elif node.concepts and at == best:
            concepts |= node.concepts
        if at >= count or (at > place and breaks[at] > SPACE):
            continue
        token = tokens[at]
        following = node.next.get(token)
        if following is not None:
            waiting.append((following, at + 1))
        if token in others:
            for other in others[token]:
                following = node.next.get(other)
                if following is not None:
                    waiting.append((following, at + 1))
        if node.numbers and at in numbers:
            number = numbers[at]
            waiting += [(after, number.end) for low, high, after in node.numbers if low <= number.value < high]
    return best, concepts


def _longest_heard(text: ClauseText, lexicon: Lexicon, place: int) -> tuple[int, int]:
    """Return where the longest word that sounds like the text from ``place`` ends, and its concepts."""
    tokens, breaks, syllables = text.tokens, text.breaks, lexicon.syllables
    node: WordNode | None = lexicon.sounds
    best = concepts = 0
    at, count = place, len(tokens)
    while node is not None and at < count and (at == place or breaks[at] <= SPACE):
        node = node.next.get(syllables.get(tokens[at], ""))
        at += 1
        if node is not None and node.concepts and _is_near(tokens[place:at], node, lexicon):
            best, concepts = at, node.concepts
    return best, concepts


def _is_near(heard: list[str], node: WordNode, lexicon: Lexicon) -> bool:
    """Return True if enough characters of a word are as they should be, and no other denies: 胸不闷 is not 胸部闷."""
    denying = lexicon.bits["deny"]
    for written in node.written:
        wrong = [sign for sign, right in zip(heard, written, strict=True) if sign != right]
        said = (lexicon.words.next.get(sign) for sign in wrong)
        if len(wrong) <= len(written) * SHARE_WRONG and not any(one and one.concepts & denying for one in said):
            return True
    return False
