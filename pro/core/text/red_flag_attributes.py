"""How a red flag is meant: polarity, time, experiencer and modality of the words of a text (docs/domain.md 5).

The marks are worked out once, in the order in which the text is written. They lower a red flag and never discard it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from functools import cached_property
from itertools import pairwise

from pro.core.text.clauses import COLON, COMMA, FIRST_HAN, LIST, LONGEST_CLAUSE, NO_BREAK, SPACE, STOP, ClauseText
from pro.core.text.red_flag_lexicon import Lexicon
from pro.core.text.red_flag_words import Spot

# How many words that are not known may stand between a denial and what it reaches, without being a plain denial.
REACH = 4
# How many words a sign of time or of "almost" reaches.
NEAR_REACH = 8
# How many words after a denial make it a comparison: never seen so much, 从来没有流过这么多, not as much.
COMPARED_REACH = 5
# How many clauses back a word takes back what was denied, and in how many after it a past one is renewed.
RETRACTED_CLAUSES, RENEWED_CLAUSES = 2, 2
# How many spots back an answer reaches: a list that was asked for.
ANSWER_REACH = 24

# How many spots and clauses back a word such as "stopped" reaches, and how near it a long time must stand.
OVER, OVER_FOR_LONG = 1, 2
OVER_REACH, OVER_CLAUSES, LONG_AGO_REACH = 24, 4, 6


class Polarity(Enum):
    """What a denial does to a word."""

    AFFIRMED = auto()
    DENIED = auto()
    NO_MORE = auto()
    ASKED = auto()
    # A denial that may mean something else: it never makes an emergency quieter than urgent.
    LOOSE = auto()


class MarkedText:
    """The spots of one text with their clauses, sentences and polarity."""

    def __init__(self, text: ClauseText, spots: Sequence[Spot], lexicon: Lexicon) -> None:
        self.text = text
        self.spots = spots
        self.lexicon = lexicon
        self._bits = lexicon.bits
        self.concepts = 0
        for spot in spots:
            self.concepts |= spot.concepts
        self._cut()

    def _cut(self) -> None:
        """Number the clauses and the sentences of the spots."""
        breaks, spots = self.text.breaks, self.spots
        but = self._bits["but"]
        self.clauses: list[int] = []
        self.sentences: list[int] = []
        clause = sentence = begun = at = 0
        for spot in spots:
            start = spot.start
            loudest = breaks[start] if start == at else max(breaks[at : start + 1])
            at = spot.end
            if loudest >= COMMA or spot.concepts & but or spot.start - begun > LONGEST_CLAUSE:
                clause += 1
                begun = spot.start
            sentence += loudest >= STOP
            self.clauses.append(clause)
            self.sentences.append(sentence)

    @property
    def denies(self) -> bool:
        """Whether anything is denied or asked for."""
        return bool(self.concepts & (self._bits["deny"] | self._bits["ask"]))

    def break_between(self, first: int, second: int) -> int:
        """Return the strongest break after spot ``first`` up to spot ``second``."""
        start, end = self.spots[first].end, self.spots[second].start
        breaks = self.text.breaks
        return breaks[end] if start == end else max(breaks[start : end + 1], default=0)

    @cached_property
    def polarity(self) -> list[Polarity]:
        """What denials do to each spot."""
        bits = self._bits
        found = [Polarity.AFFIRMED] * len(self.spots)
        cues = bits["deny"] | bits["ask"] | bits["ceased"]
        if not self.concepts & cues:
            return found
        for number, spot in enumerate(self.spots):
            if not spot.concepts & cues:
                continue
            if spot.concepts & bits["deny"] and (self._is_undone(number) or self._deny_before(number, found)):
                continue
            self._deny_after(number, found)
        if self.concepts & (bits["yes"] | bits["retract"]):
            self._take_back(found)
        return found

    def _is_undone(self, cue: int) -> bool:
        """Return True if a denial is undone: by another before it, or because it only compares."""
        spots, bits = self.spots, self._bits
        spot = spots[cue]
        if cue and spots[cue - 1].end == spot.start and not self.text.breaks[spot.start]:
            before = spots[cue - 1]
            if before.concepts & bits["deny"] and not before.concepts & bits["answer_no"]:
                written = self.text.tokens
                return written[before.start : before.end] != written[spot.start : spot.end]
        wanted = bits["less"] | (bits["degree"] if spot.concepts & bits["never"] else 0)
        if not self.concepts & wanted:
            return False
        for at in range(cue + 1, len(spots)):
            if spots[at].start - spot.end > COMPARED_REACH or self.break_between(at - 1, at) >= COMMA:
                return False
            if spots[at].concepts & wanted:
                return True
        return False

    def _take_back(self, found: list[Polarity]) -> None:
        """Affirm what was asked for or denied and is then said to be so: 有没有晕倒？有; 填错了."""
        bits = self._bits
        plain = bits["filler"] | bits["joint"]
        for number in [at for at, spot in enumerate(self.spots) if spot.concepts & (bits["yes"] | bits["retract"])]:
            spot = self.spots[number]
            if spot.concepts & bits["retract"]:
                for at in range(number - 1, -1, -1):
                    if self.clauses[number] - self.clauses[at] > RETRACTED_CLAUSES:
                        break
                    found[at] = Polarity.AFFIRMED
            elif self._is_answer(number):
                for at in range(number - 1, max(-1, number - 1 - ANSWER_REACH), -1):
                    if found[at] is Polarity.AFFIRMED and not self.spots[at].concepts & plain:
                        break
                    found[at] = Polarity.AFFIRMED

    def _is_answer(self, number: int) -> bool:
        """Return True for a "yes" right after a red flag, with nothing after it that it may belong to."""
        spots, breaks = self.spots, self.text.breaks
        spot = spots[number]
        if not number or spots[number - 1].end != spot.start:
            return False
        if not spots[number - 1].concepts & (self.lexicon.bare | self._bits["filler"]):
            return False
        between = breaks[spot.start]
        if between in (LIST, COMMA) or (between == STOP and not self._is_asked(number)):
            return False
        return breaks[spot.end] > NO_BREAK or self.text.tokens[spot.start] < FIRST_HAN

    def _deny_before(self, cue: int, found: list[Polarity]) -> bool:
        """Mark the list before a denial that ends its clause: 胸痛、出血：没有; return False if it is none."""
        spots, breaks = self.spots, self.text.breaks
        after = cue + 1
        while after < len(spots) and spots[after].concepts & self._bits["filler"]:
            if self.break_between(after - 1, after) >= COMMA or spots[after].start != spots[after - 1].end:
                break
            after += 1
        if breaks[spots[after - 1].end] < COMMA:
            if after == len(spots) or spots[after].start != spots[after - 1].end:
                # 胸痛 没有 药: the word after it is what it denies.
                return False
            closing = self.lexicon.bare | self._bits["courtesy"]
            spaced = breaks[spots[after].start] == SPACE and spots[after].concepts & closing
            if not (spaced or spots[after].concepts & self._bits["joint"]):
                return False
        marked = False
        at = cue - 1
        allowed = self._bits["filler"] | self._bits["ask"]
        while at >= 0 and spots[at].end == spots[at + 1].start:
            between = self.break_between(at, at + 1)
            question = (
                between == STOP
                and self.text.source[: self.text.starts[spots[at + 1].start]].rstrip(" \"'”’")[-1:] == "?"
            )
            if not (between < COMMA or between == COLON or (question and not marked)):
                break
            head = spots[at].concepts & self.lexicon.bare
            if head:
                found[at] = Polarity.DENIED
                marked = marked or bool(spots[at].concepts & self.lexicon.heads)
            elif not spots[at].concepts & (allowed | self._bits["joint"]):
                break
            at -= 1
        return marked

    def _is_asked(self, number: int) -> bool:
        """Return True if a question mark stands before a spot."""
        start = self.text.starts[self.spots[number].start]
        return self.text.source[max(0, start - 4) : start].rstrip(" \"'”’").endswith("?")

    def _deny_after(self, cue: int, found: list[Polarity]) -> None:
        """Mark what a denial reaches: its first red flag, and the bare items of a list after it."""
        spots, bits = self.spots, self._bits
        kind = self._kind(cue)
        ends = bits["but"] | bits["deny"] | bits["statement"]
        at = cue + 1
        # Words without a red flag of their own between the denial and its first red flag: amounts, places, fillers.
        while at < len(spots):
            spot = spots[at]
            if self.break_between(at - 1, at) >= LIST or spot.concepts & ends:
                return
            object_there = at > cue + 1 and not spots[at - 1].concepts & bits["filler"]
            if object_there and self.break_between(at - 1, at) == SPACE:
                # 不吐 大量流鼻血: the denial has what it denies.
                return
            gap = spot.start - spots[at - 1].end
            if gap:
                if not spots[cue].concepts & bits["bound"]:
                    self._reach_loosely(cue, at, found)
                return
            if spot.concepts & self.lexicon.bare:
                break
            if not spot.concepts & (self.lexicon.passed | self.lexicon.framed):
                return
            found[at] = kind
            at += 1
            if not spot.concepts & self.lexicon.passed:
                # 没吃饭胸痛: the denial has what it denies.
                return
        if at < len(spots):
            if kind is Polarity.DENIED and self._has_ceased(cue, at):
                kind = Polarity.NO_MORE
            found[at] = kind
            self._carry(cue, at + 1, kind, found)

    def _kind(self, cue: int) -> Polarity:
        return Polarity.ASKED if self.spots[cue].concepts & self._bits["ask"] else Polarity.DENIED

    def _has_ceased(self, cue: int, at: int) -> bool:
        """Return True for 不…了 and 没再…了: it was there before."""
        spots = self.spots
        if not spots[cue].concepts & self._bits["ceased"] or at + 1 >= len(spots):
            return False
        return spots[at + 1].start == spots[at].end and bool(spots[at + 1].concepts & self._bits["ceased_end"])

    def _reach_loosely(self, cue: int, at: int, found: list[Polarity]) -> None:
        """Mark the first red flag within reach of a denial of which something else may be denied."""
        spots = self.spots
        ends = self._bits["but"] | self._bits["deny"] | self._bits["statement"]
        while at < len(spots) and spots[at].start - spots[cue].end <= REACH:
            if self.break_between(at - 1, at) >= SPACE or spots[at].concepts & ends:
                return
            if spots[at].concepts & self.lexicon.heads:
                if not self._denies_itself(at):
                    found[at] = Polarity.LOOSE
                return
            at += 1

    def _denies_itself(self, number: int) -> bool:
        """Return True for a red flag that holds its own denial: 喘不过气, cannot breathe."""
        spot = self.spots[number]
        if spot.end - spot.start == 1 or not spot.concepts & self.lexicon.heads:
            return False
        return not self.lexicon.denying.isdisjoint(self.text.tokens[spot.start : spot.end])

    def _carry(self, cue: int, at: int, kind: Polarity, found: list[Polarity]) -> None:
        """Carry a denial over the list from ``at``: items of bare terms, to the first that is more than that.

        Only the sign of a list, "or", or nothing between Han carries it plainly. After a space, a comma or nothing
        between Latin words the next item may be a sentence of its own: 没有发烧 胸痛, no fever chest pain.
        """
        lists = bool(self.spots[cue].concepts & (self._bits["lists"] | self._bits["ask"]))
        commas = 0
        joined = False
        waiting: list[int] = []
        while at < len(self.spots):
            between = self.break_between(at - 1, at)
            joint = bool(self.spots[at].concepts & self._bits["joint"])
            is_listed = between == LIST or joint
            # 从没流过鼻血 is one term, 没发烧呼吸困难 may be two sentences.
            goes_on = between == NO_BREAK and (lists or not self.spots[cue + 1].concepts & self.lexicon.terms)
            if between > COMMA or not (lists or is_listed or joined or between == NO_BREAK):
                break
            end = self._bare_item(at, strict=not is_listed)
            if end == at:
                break
            commas += between == COMMA
            joined = joined or joint
            is_plain = is_listed or (goes_on and self.text.tokens[self.spots[at].start] >= FIRST_HAN)
            if commas:
                waiting += range(at, end)
            else:
                sure = is_plain and not any(map(self._denies_itself, range(at, end)))
                found[at:end] = [kind if sure else Polarity.LOOSE] * (end - at)
            at = end
        # "没有发烧，流血" may be two sentences; a third item or an "or" makes it a list.
        carried = kind if commas > 1 or joined else Polarity.LOOSE
        for number in waiting:
            found[number] = carried

    def _bare_item(self, at: int, *, strict: bool) -> int:
        """Return where the item of a list that begins at spot ``at`` ends; ``at`` itself if it is not bare.

        ``strict``: there is no sign of a list before it, so that words for what happens (晕倒了, passed out) are none.
        """
        spots, bits = self.spots, self._bits
        allowed = self.lexicon.bare | bits["filler"] | bits["joint"] | bits["now"]
        ends = bits["deny"] | bits["much"] | bits["statement"]
        end = at
        while end < len(spots):
            concepts = spots[end].concepts
            if end > at and self.break_between(end - 1, end) >= SPACE:
                break
            if end > at and concepts & bits["joint"]:
                return end
            if spots[end].start != spots[end - 1].end or not concepts & allowed or concepts & ends:
                return at
            if end == at and concepts & bits["now"]:
                # 没喘 现在喘不上气了: what is now is news.
                return at
            if strict and (concepts & (bits["event"] | bits["ceased_end"]) or self._denies_itself(end)):
                return at
            end += 1
        return end if self.text.breaks[spots[end - 1].end] > 0 else at

    @cached_property
    def about_others(self) -> list[bool]:
        """Whether each spot is about another person: the last one named before it in its sentence decides."""
        bits = self._bits
        found = [False] * len(self.spots)
        if not self.concepts & bits["others"]:
            return found
        other = False
        for number, spot in enumerate(self.spots):
            if number and self.sentences[number] != self.sentences[number - 1]:
                other = False
            if spot.concepts & bits["others"]:
                other = True
            elif spot.concepts & bits["own"]:
                other = False
            found[number] = other
        return found

    @cached_property
    def in_the_past(self) -> list[bool]:
        """Whether each spot lies in a dated past without a word for the present.

        A past that is only compared with is none, and what it says now and in amount after it renews the red flag.
        """
        bits = self._bits
        found = [False] * len(self.spots)
        if not self.concepts & bits["past"]:
            return found
        present = bits["now"] | bits["ongoing"] | bits["again"] | bits["more"]
        clauses = self._by_clause()
        for place, numbers in enumerate(clauses):
            concepts = self._concepts_of(numbers)
            named = any(
                self.spots[number].concepts & bits["past"] and not self._is_compared(number) for number in numbers
            )
            first = numbers[0]
            same = first > 0 and self.sentences[first] == self.sentences[first - 1]
            carried = same and found[first - 1] and not concepts & self.lexicon.heads
            if (named or carried) and not concepts & present and not self._is_renewed(clauses, place):
                for number in numbers:
                    found[number] = True
        return found

    def _is_compared(self, number: int) -> bool:
        """Return True if a time is only compared with, or is where something began: 比上次, since 2019."""
        if not number:
            return False
        before = self.spots[number - 1]
        return before.end == self.spots[number].start and bool(before.concepts & self._bits["compare"])

    def _is_renewed(self, clauses: Sequence[Sequence[int]], place: int) -> bool:
        """Return True if a clause soon after says how much there is now: 去年也吐过血，这次更多，一脸盆."""
        bits = self._bits
        sentence = self.sentences[clauses[place][0]]
        for numbers in clauses[place + 1 : place + 1 + RENEWED_CLAUSES]:
            concepts = self._concepts_of(numbers)
            if self.sentences[numbers[0]] != sentence or concepts & (bits["deny"] | bits["over"]):
                return False
            if concepts & bits["retract"]:
                return True
            if concepts & (bits["now"] | bits["again"] | bits["more"]) and concepts & (bits["much"] | bits["more"]):
                return True
        return False

    def _concepts_of(self, numbers: Sequence[int]) -> int:
        concepts = 0
        for number in numbers:
            concepts |= self.spots[number].concepts
        return concepts

    @cached_property
    def of_the_writer(self) -> list[bool]:
        """Whether the writer speaks of himself at each spot: the last person named before it in its clause decides.

        So does a word for himself anywhere in a clause without a death and without another person and, after the
        report of a death, a word for the present.
        """
        bits = self._bits
        found = [False] * len(self.spots)
        others = self.lexicon.silencing | bits["third_person"] | bits["relative"] | bits["gone"]
        reported = False
        for numbers in self._by_clause():
            concepts = self._concepts_of(numbers)
            present = bits["now"] | bits["ongoing"] if reported else 0
            his_own = not concepts & others and bool(concepts & (bits["first_person"] | present))
            for number in numbers:
                if self.spots[number].concepts & others:
                    his_own = False
                elif self.spots[number].concepts & bits["first_person"]:
                    his_own = True
                found[number] = his_own
            reported = reported or bool(concepts & self.lexicon.silencing)
        return found

    @cached_property
    def news(self) -> set[int]:
        """The clauses that say what is now or again: what was denied before them is what they speak of."""
        said = self._bits["now"] | self._bits["again"]
        return {self.clauses[number] for number, spot in enumerate(self.spots) if spot.concepts & said}

    def _by_clause(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for number, clause in enumerate(self.clauses):
            found.setdefault(clause, []).append(number)
        return list(found.values())

    @cached_property
    def feared(self) -> list[bool]:
        """Whether each spot follows, in its clause, a word that makes it a case that may come."""
        found = self._after_in_clause(self._bits["feared"], self._bits["because"], self._bits["habit"])
        if self.concepts & self._bits["wish"]:
            wished = {self.clauses[n] for n, spot in enumerate(self.spots) if spot.concepts & self._bits["wish"]}
            found = [feared and self.clauses[n] not in wished for n, feared in enumerate(found)]
        return found

    @cached_property
    def questioned(self) -> list[bool]:
        """Whether each spot is what a question about risk asks for.

        Words of cause ask only in a question: 放疗引起的大出血 is a report.
        """
        found = self._after_in_clause(self._bits["risk"])
        if self.concepts & self._bits["cause"]:
            asking = self._asking
            for number, caused in enumerate(self._after_in_clause(self._bits["cause"])):
                found[number] = found[number] or (caused and self.sentences[number] in asking)
        nouns = self._bits["risk_noun"] | self._bits["asked_noun"]
        if self.concepts & nouns:
            for number, (first, second) in enumerate(pairwise(self.spots)):
                near = second.start == first.end and self.clauses[number] == self.clauses[number + 1]
                if near and second.concepts & nouns:
                    certain = second.concepts & self._bits["risk_noun"]
                    found[number] = found[number] or bool(certain) or self.sentences[number] in self._asking
        return found

    @cached_property
    def _asking(self) -> set[int]:
        """The numbers of the sentences that ask: by a question mark or a word."""
        source, starts, ends = self.text.source, self.text.starts, self.text.ends
        found = set()
        at = -1
        for number, spot in enumerate(self.spots):
            first, at = self.sentences[number] != at, self.sentences[number]
            last = number + 1 == len(self.spots)
            rest = source[ends[spot.end - 1] : None if last else starts[self.spots[number + 1].start]]
            asks = spot.concepts & self._bits["question"] or (first and spot.concepts & self._bits["asks_first"])
            if asks or "?" in rest:
                found.add(at)
        return found

    def _after_in_clause(self, cue: int, ends: int = 0, harmless: int = 0) -> list[bool]:
        """Whether each spot stands after a cue in its clause; ``ends`` and a space between Han end its reach.

        A cue with ``harmless`` right after it, or after the writer, is none: if I lie down.
        """
        found = [False] * len(self.spots)
        if self.concepts & cue:
            said = -1
            for number, spot in enumerate(self.spots):
                if said == self.clauses[number]:
                    if spot.concepts & ends or self.break_between(number - 1, number) == SPACE:
                        said = -1
                    found[number] = said == self.clauses[number]
                if spot.concepts & cue and not self._is_followed_by(harmless, number):
                    said = self.clauses[number]
        return found

    def _is_followed_by(self, concepts: int, number: int) -> bool:
        """Return True if one of ``concepts`` comes right after a spot, or after a word for the writer behind it."""
        spots = self.spots
        for at in range(number + 1, min(number + 3, len(spots))):
            if spots[at].start != spots[at - 1].end:
                return False
            if spots[at].concepts & concepts:
                return True
            if not spots[at].concepts & self._bits["first_person"]:
                return False
        return False

    def is_near(self, number: int) -> bool:
        """Return True if a word for "almost" stands shortly before a spot in its clause."""
        if not self.concepts & self._bits["near"]:
            return False
        start = self.spots[number].start
        for at in range(number, -1, -1):
            spot = self.spots[at]
            if self.clauses[at] != self.clauses[number] or start - spot.end > NEAR_REACH:
                return False
            if at < number and spot.concepts & self._bits["statement"]:
                # I was about to say that I fainted.
                return False
            if spot.concepts & self._bits["near"]:
                return True
        return False

    @cached_property
    def over(self) -> list[int]:
        """For each spot, how it is over: 0 not, OVER or OVER_FOR_LONG.

        What is over is the red flag before the word, up to another red flag, or the one after it in its clause; a word
        of return or of going on after it cancels it.
        """
        bits, spots = self._bits, self.spots
        found = [0] * len(spots)
        ends = [
            n for n, spot in enumerate(spots) if spot.concepts & bits["over"] and self.polarity[n] is Polarity.AFFIRMED
        ]
        if not ends:
            return found
        back = bits["again"] | bits["ongoing"]
        last_back = max((n for n, spot in enumerate(spots) if spot.concepts & back), default=-1)
        long_ago = [n for n, spot in enumerate(spots) if spot.concepts & bits["long_ago"]]
        for end in ends:
            if last_back > end:
                continue
            near = (n for n in long_ago if abs(n - end) <= LONG_AGO_REACH and self.sentences[n] == self.sentences[end])
            how = OVER_FOR_LONG if next(near, None) is not None else OVER
            for number in range(end, max(-1, end - OVER_REACH), -1):
                # What an earlier word marked is marked further back than this one reaches.
                if self.clauses[end] - self.clauses[number] > OVER_CLAUSES or (number < end and found[number] >= how):
                    break
                same = self.sentences[number] == self.sentences[end]
                found[number] = max(found[number], how if same else OVER)
            for number in range(end + 1, len(spots)):
                spaced = self.break_between(number - 1, number) == SPACE
                if spaced or self.clauses[number] != self.clauses[end] or found[number] >= how:
                    break
                found[number] = how
        return found
