"""Words of a red flag lexicon in a text: from left to right, at each place the longest.

A longer word hides what it holds: 血 in 血压 is no blood, 没 in 没力气 denies nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pro.core.text.clauses import FIRST_HAN, PAUSE, SPACE, ClauseText
from pro.core.text.red_flag_lexicon import Lexicon, WordNode, one_letter_less

# A Chinese word that is found by its sound has at most this share of its characters wrong.
SHARE_WRONG = 2 / 3
# A word of so many characters that is written right is not looked for by its sound.
SHORTEST_BY_SOUND = 3
# The shortest Latin word of which two letters may be swapped.
SHORTEST_MISTYPED = 4
# The longest Latin word that is read as pinyin, and how many syllables a text in pinyin has at least.
LONGEST_PINYIN, LEAST_PINYIN = 24, 2


class Spot(NamedTuple):
    """A word of the lexicon at the words from ``start`` up to ``end`` of a text, and the bits of its concepts."""

    start: int
    end: int
    concepts: int


# A spot without the detour by keywords: a text full of red flags has hundreds.
_new_spot = tuple.__new__


def find_words(text: ClauseText, lexicon: Lexicon) -> list[Spot]:
    """Return the words of ``lexicon`` in ``text``; none overlaps another."""
    tokens, breaks = text.tokens, text.breaks
    distinct = set(tokens)
    others = _other_readings(distinct, lexicon)
    # Not intersection(): it would go through all first words of the lexicon.
    begun = {token for token in distinct if token in lexicon.words.next}.union(others)
    numbers = text.numbers if lexicon.words.numbers else {}
    sounds = {token: lexicon.syllables[token] for token in distinct if token in lexicon.syllables}
    heard = lexicon.sounds.next
    spots = [] if any(token >= FIRST_HAN for token in distinct) else _read_pinyin(text, lexicon)
    if spots:
        return spots
    place, count = 0, len(tokens)
    while place < count:
        token = tokens[place]
        end = concepts = 0
        if token in begun or place in numbers:
            end, concepts = _longest(text, lexicon.words, others, place)
        if end - place < SHORTEST_BY_SOUND and place + 1 < count and token in sounds and sounds[token] in heard:
            following = sounds.get(tokens[place + 1])
            if following in heard[sounds[token]].next and breaks[place + 1] <= SPACE:
                sound_end, sound_concepts = _longest_by_sound(text, lexicon, sounds, place)
                if sound_end > max(end, place):
                    end, concepts = sound_end, sound_concepts
        if concepts:
            spots.append(_new_spot(Spot, (place, end, concepts)))
            place = end
        else:
            place += 1
    return spots


def _other_readings(tokens: Iterable[str], lexicon: Lexicon) -> dict[str, tuple[str, ...]]:
    """Return what Latin words stand for beside themselves: their beginnings, and what they may be mistyped from."""
    found: dict[str, tuple[str, ...]] = {}
    for token in tokens:
        if not token[0].isalpha() or token >= FIRST_HAN:
            continue
        stems = tuple(f"{token[:size]}*" for size in range(len(token), 1, -1) if token[:size] in lexicon.stems)
        if (
            not stems
            and len(token) >= SHORTEST_MISTYPED
            and token not in lexicon.latin
            and token not in lexicon.correct
        ):
            stems = _typo(token, lexicon)
        if stems:
            found[token] = stems
    return found


def _typo(token: str, lexicon: Lexicon) -> tuple[str, ...]:
    swapped = lexicon.swapped.get(token)
    if swapped is not None:
        return (swapped,)
    if len(token) == SHORTEST_MISTYPED:
        return ()
    for rest in (token, *sorted(one_letter_less(token))):
        word = lexicon.typos.get(rest)
        if word is not None and abs(len(word.rstrip("*")) - len(token)) <= 1:
            return (word,)
    return ()


def _longest(text: ClauseText, root: WordNode, others: dict[str, tuple[str, ...]], place: int) -> tuple[int, int]:
    """Return where the longest word from ``place`` ends, and its concepts; zeros if there is none."""
    tokens, breaks, numbers = text.tokens, text.breaks, text.numbers
    best = concepts = 0
    count = len(tokens)
    node, at = root, place
    # One way on is the rule; numbers and words with several readings have more.
    while at < count and tokens[at] not in others and not (node.numbers and at in numbers):
        following = node.next.get(tokens[at]) if at == place or breaks[at] <= SPACE or breaks[at] == PAUSE else None
        if following is None:
            return best, concepts
        node = following
        at += 1
        if node.concepts:
            best, concepts = at, node.concepts
        if node.closing and breaks[at]:
            best, concepts = at, node.closing | node.concepts
    waiting = [(node, at)]
    while waiting:
        node, at = waiting.pop()
        found = node.concepts | (node.closing if breaks[at] else 0)
        if found and at >= best:
            best, concepts = at, found | (concepts if at == best else 0)
        if at >= count or (at > place and SPACE < breaks[at] < PAUSE):
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


def _longest_by_sound(text: ClauseText, lexicon: Lexicon, sounds: Mapping[str, str], place: int) -> tuple[int, int]:
    """Return where the longest word that sounds like the text from ``place`` ends, and its concepts."""
    tokens, breaks = text.tokens, text.breaks
    node: WordNode | None = lexicon.sounds
    best = concepts = 0
    at, count = place, len(tokens)
    while node is not None and at < count and (at == place or breaks[at] <= SPACE):
        node = node.next.get(sounds.get(tokens[at], ""))
        at += 1
        if node is not None and node.concepts and _is_near(tokens[place:at], node, lexicon):
            best, concepts = at, node.concepts
    return best, concepts


def _is_near(heard: list[str], node: WordNode, lexicon: Lexicon) -> bool:
    """Return True if enough characters of a word are as they should be, and no other denies: 胸不闷 is not 胸部闷."""
    denying = lexicon.bits["deny"]
    opening = lexicon.words.next.get(heard[0])
    if opening is not None and opening.concepts & denying:
        return False
    for written in node.written:
        wrong = [sign for sign, right in zip(heard, written, strict=True) if sign != right]
        said = (lexicon.words.next.get(sign) for sign in wrong)
        if len(wrong) <= len(written) * SHARE_WRONG and not any(one and one.concepts & denying for one in said):
            return True
    return False


def _read_pinyin(text: ClauseText, lexicon: Lexicon) -> list[Spot]:
    """Return the words of a text that is written in pinyin: xue zhi bu zhu; none if it has another word."""
    heard: list[tuple[str, int]] = []
    for place, token in enumerate(text.tokens):
        if token[0].isdigit():
            continue
        syllables = _syllables_of(token, lexicon)
        if not syllables:
            return []
        heard += [(syllable, place) for syllable in syllables]
    if len(heard) < LEAST_PINYIN:
        return []
    spots: list[Spot] = []
    first = 0
    while first < len(heard):
        node: WordNode | None = lexicon.pinyin
        end = concepts = 0
        at = first
        while node is not None and at < len(heard):
            node = node.next.get(heard[at][0])
            at += 1
            if node is not None and node.concepts:
                end, concepts = at, node.concepts
        if concepts:
            spots.append(Spot(heard[first][1], heard[end - 1][1] + 1, concepts))
        first = max(first + 1, end)
    return spots


def _syllables_of(token: str, lexicon: Lexicon) -> list[str]:
    """Return the syllables of a Latin word in pinyin; none if it is no pinyin."""
    if len(token) > LONGEST_PINYIN:
        return []
    # For each length of the beginning of the word, its syllables.
    known: list[list[str] | None] = [[], *[None] * len(token)]
    for end in range(1, len(token) + 1):
        for start in range(max(0, end - 6), end):
            before, sound = known[start], lexicon.spelled.get(token[start:end])
            if before is not None and sound is not None:
                known[end] = [*before, sound]
                break
    return known[-1] or []
