"""Red flag screening of free text (docs/domain.md 5); a person reads every message.

``screen`` finds the lexicon's terms and gives each a status: affirmed, negated, hypothetical, resolved or near. A hit
whose level is lowered is never discarded. The work grows with the length of the text only: words are looked up, and no
pattern is tried twice at one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import attrgetter
from typing import Literal, NamedTuple

from pro.core.rule_language.level import Level
from pro.core.text.clauses import BREAK, ClauseText, PhraseSpan, find_phrases, read_clauses, with_breaks
from pro.core.text.red_flag_lexicon import GAP, FlagClass, Kind, Lexicon

# More than any level, for a number that holds a length and a level.
LEVEL_COUNT = len(Level)
_PLACES = attrgetter("start", "end")
Status = Literal["affirmed", "negated", "hypothetical", "resolved", "near"]


class RedFlagHit(NamedTuple):
    """A term that was found: its class, its words in the normalised text, and its status."""

    class_id: str
    term: str
    status: Status


@dataclass(frozen=True, slots=True)
class Screening:
    """The level of a whole text and its hits in order.

    Watch without a hit: the text can only be read by a person.
    """

    level: Level
    hits: tuple[RedFlagHit, ...]


def screen(text: str, lexicon: Lexicon) -> Screening:
    """Screen ``text``, any text of any length, with ``lexicon``. Never raises."""
    words = read_clauses(text, lexicon)
    page = _ScreenedWords(with_breaks(words, lexicon), lexicon)
    hits: dict[RedFlagHit, None] = {}
    for span in page.terms():
        flag = lexicon.classes[span.phrase.class_id]
        hits[RedFlagHit(flag.id, page.words.between(span.start, span.end), page.status(span, flag))] = None
    level = Level.NONE if words.readable else Level.WATCH
    for class_id, status in {(class_id, status) for class_id, _, status in hits}:
        level = max(level, _level(lexicon.classes[class_id], status))
    return Screening(level, tuple(hits))


def _level(flag: FlagClass, status: Status) -> Level:
    if status == "negated":
        return Level.WATCH
    if status == "hypothetical":
        return flag.hypothetical
    if status == "resolved":
        return flag.resolved
    if status == "near" and flag.near is not None:
        return flag.near
    return flag.level


class _ScreenedWords:
    """One text with everything of the lexicon that stands in it, by kind and place."""

    def __init__(self, words: ClauseText, lexicon: Lexicon) -> None:
        self.words = words
        self.lexicon = lexicon
        self.kinds: dict[Kind, list[PhraseSpan]] = {}
        for span in find_phrases(words, lexicon.phrases):
            self.kinds.setdefault(span.phrase.kind, []).append(span)
        harmless = {place for span in self.kinds.get("harmless", ()) for place in range(span.start, span.end)}
        terms = self.kinds.get("term", [])
        self.found = [span for span in terms if not harmless.issuperset(span.parts)] if harmless else terms

    # What follows is worked out when a term asks for it: most texts have none.

    @cached_property
    def clause(self) -> list[int]:
        """The number of the clause that each word is in."""
        return list(accumulate([token == BREAK for token in self.words.tokens], initial=0))

    @cached_property
    def owner(self) -> dict[int, PhraseSpan]:
        """The words that are part of a term, and the last term that each is part of."""
        return {place: span for span in self.found for place in span.parts}

    @cached_property
    def direct(self) -> dict[int, int]:
        """Where a direct cue ends, and the latest place where one that ends there starts."""
        ends: dict[int, int] = {}
        for cue in self._cues("direct_cue"):
            ends[cue.end] = max(cue.start, ends.get(cue.end, -1))
        return ends

    @cached_property
    def reaching(self) -> set[int]:
        """The last words of cues that reach over other words."""
        return {cue.end - 1 for cue in self._cues("window_cue")}

    @cached_property
    def barriers(self) -> set[int]:
        """The words over which no cue reaches."""
        return {place for span in self.kinds.get("barrier", ()) for place in range(span.start, span.end)}

    @cached_property
    def fillers(self) -> dict[int, list[int]]:
        """Where fillers end, and where those that end there start."""
        ends: dict[int, list[int]] = {}
        for filler in self.kinds.get("filler", ()):
            ends.setdefault(filler.end, []).append(filler.start)
        return ends

    @cached_property
    def near_ends(self) -> set[int]:
        """Where a word for "almost" ends."""
        guarded = self._guarded("not_near")
        return {span.end for span in self.kinds.get("near", ()) if not guarded(span)}

    @cached_property
    def feared(self) -> dict[int, int]:
        """The clauses in which something is feared, and where the first word that says so ends."""
        guarded = self._guarded("not_hypothetical")
        ends: dict[int, int] = {}
        for span in self.kinds.get("hypothetical", ()):
            if not guarded(span):
                at = self.clause[span.start]
                ends[at] = min(span.end, ends.get(at, span.end))
        return ends

    @cached_property
    def _no_cue(self) -> Callable[[PhraseSpan], bool]:
        return self._guarded("not_a_cue")

    def _cues(self, kind: Kind) -> list[PhraseSpan]:
        guarded, owner = self._no_cue, self.owner
        # A cue that is itself part of a term ("can't breathe") says nothing about the next term.
        return [
            cue
            for cue in self.kinds.get(kind, ())
            if not (cue.start in owner and owner.keys() >= set(range(cue.start, cue.end))) and not guarded(cue)
        ]

    def terms(self) -> list[PhraseSpan]:
        """Return the terms that count.

        Of terms that share a word the longest counts, unless the shorter is of a higher class.
        """
        levels = {name: int(flag.level) for name, flag in self.lexicon.classes.items()}
        found = self.found
        weights = [len(span.parts) * LEVEL_COUNT + levels[span.phrase.class_id] for span in found]
        highest: dict[int, int] = {}
        kept: list[PhraseSpan] = []
        # The longest, of those the one of the highest level, of those the first: they are sorted by place already.
        for number in sorted(range(len(found)), key=weights.__getitem__, reverse=True):
            span = found[number]
            level = weights[number] % LEVEL_COUNT
            for place in span.parts:
                if place in highest and highest[place] >= level:
                    break
            else:
                kept.append(span)
                highest.update(dict.fromkeys(span.parts, level))
        return sorted(kept, key=_PLACES)

    def status(self, span: PhraseSpan, flag: FlagClass) -> Status:
        """Return how a term is meant; the order of the tests is that of docs/domain.md 5."""
        if flag.near is not None and self._near(span):
            return "near"
        if self._negated(span):
            return "negated"
        clause = self.clause[span.start]
        # What is feared is said after the word: "大出血我好怕" is no fear but a report.
        if self.feared.get(clause, span.end) <= span.slot_starts[-1]:
            return "hypothetical"
        if not self.kinds.get("return") and (self.over if flag.resolved_anywhere else clause in self.over):
            return "resolved"
        return "affirmed"

    def _near(self, span: PhraseSpan) -> bool:
        places = (start - gap for start in span.slot_starts for gap in range(min(GAP, start) + 1))
        clause = self.clause[span.start]
        return any(place in self.near_ends and self.clause[place] == clause for place in places)

    def _negated(self, span: PhraseSpan) -> bool:
        """Return True if a cue negates the term.

        A cue is directly before a part of the term, or an English one reaches its first word.
        """
        floor = 0
        for start in span.slot_starts:
            if (start in self.direct or start in self.fillers) and self._cue_before(start, floor):
                return True
            floor = start
        if not self.reaching:
            return False
        if self.reaching.intersection(range(span.start, span.end)) - set(span.parts):
            return True
        for place in range(span.start - 1, max(-1, span.start - 1 - self.lexicon.window), -1):
            # Han between them is another sentence in another language.
            if place in self.barriers or self.words.tokens[place] == BREAK or self.words.han[place]:
                return False
            if place in self.reaching:
                return True
        return False

    def _cue_before(self, place: int, floor: int) -> bool:
        """Return True if a cue ends at ``place``, or only fillers are between them.

        Words before ``floor`` do not count.
        """
        waiting, seen = [place], set()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            if self.direct.get(at, -1) >= floor:
                return True
            waiting += [start for start in self.fillers.get(at, ()) if start >= floor]
        return False

    @cached_property
    def over(self) -> set[int]:
        """The clauses in which something is said to be over."""
        if "resolved" not in self.kinds:
            return set()
        guarded = self._guarded("not_resolved")
        clauses = set()
        for span in self.kinds.get("resolved", ()):
            term = self.owner.get(span.start)
            # "not stopped" and "stopped breathing" are terms, not ends.
            inside = term is not None and term.start <= span.start and span.end <= term.end
            if not guarded(span) and not inside and not self._negated(span):
                clauses.add(self.clause[span.start])
        return clauses

    def _guarded(self, kind: Kind) -> Callable[[PhraseSpan], bool]:
        """Return a test whether a span lies within a longer one of ``kind``: 怕 in 恐怕 is no fear."""
        guards: dict[int, list[PhraseSpan]] = {}
        for guard in self.kinds.get(kind, ()):
            for place in range(guard.start, guard.end):
                guards.setdefault(place, []).append(guard)

        def within(span: PhraseSpan) -> bool:
            for guard in guards.get(span.start, ()):
                longer = guard.end - guard.start > span.end - span.start
                if longer and guard.start <= span.start and guard.end >= span.end:
                    return True
            return False

        return within
