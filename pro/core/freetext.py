"""Red flags in what a person wrote (clinical.md 5): a floor, not a ceiling, because a human reads every message.

``screen`` finds the lexicon's terms and says of each whether it is affirmed, negated, only feared, over, or nearly. A
hit that is lowered is never lost. The work grows with the length of the text and nothing else: words are looked up, and
no pattern is tried twice at one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pro.core.clauses import BREAK, Span, Text, find, read, with_breaks
from pro.core.level import Level
from pro.core.lexicon import GAP, FlagClass, Kind, Lexicon

Status = Literal["affirmed", "negated", "hypothetical", "resolved", "near"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A term that was found: its class, the words as they stood in the text (normalised), and how they are meant."""

    class_id: str
    term: str
    status: Status


@dataclass(frozen=True, slots=True)
class Screening:
    """The level of a whole text and its hits in their order. Watch without a hit: only a human can read it."""

    level: Level
    hits: tuple[Hit, ...]


def screen(text: str, lexicon: Lexicon) -> Screening:
    """Screen ``text``, any text of any length, with ``lexicon``. Never raises."""
    words = read(text, lexicon)
    page = _Page(with_breaks(words, lexicon), lexicon)
    hits: dict[Hit, None] = {}
    level = Level.NONE if words.readable else Level.WATCH
    for span in page.terms():
        flag = lexicon.classes[span.phrase.class_id]
        status = page.status(span, flag)
        level = max(level, _level(flag, status))
        hits[Hit(flag.id, page.words.between(span.start, span.end), status)] = None
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


class _Page:
    """One text with everything of the lexicon that stands in it, by kind and place."""

    def __init__(self, words: Text, lexicon: Lexicon) -> None:
        self.words = words
        self.lexicon = lexicon
        self.kinds: dict[Kind, list[Span]] = {}
        for span in find(words, lexicon.phrases):
            self.kinds.setdefault(span.phrase.kind, []).append(span)
        self.clause = [0] * (len(words.tokens) + 1)
        for place, token in enumerate(words.tokens):
            self.clause[place + 1] = self.clause[place] + (token == BREAK)
        harmless = self._inside("harmless")
        found = [span for span in self.kinds.get("term", ()) if not harmless.issuperset(span.parts)]
        self.found = found
        covered = {place for span in found for place in span.parts}
        guarded = self._guarded("not_a_cue")
        # A cue that is itself part of a term ("can't breathe") says nothing about the next term.
        cues = {
            kind: [
                cue
                for cue in self.kinds.get(kind, ())
                if not guarded(cue) and not covered.issuperset(range(cue.start, cue.end))
            ]
            for kind in ("direct_cue", "window_cue")
        }
        self.direct: dict[int, int] = {}
        for cue in cues["direct_cue"]:
            self.direct[cue.end] = max(cue.start, self.direct.get(cue.end, -1))
        self.reaching = {cue.end - 1 for cue in cues["window_cue"]}
        self.barriers = {place for span in self.kinds.get("barrier", ()) for place in range(span.start, span.end)}
        self.fillers: dict[int, list[int]] = {}
        for filler in self.kinds.get("filler", ()):
            self.fillers.setdefault(filler.end, []).append(filler.start)
        not_near = self._guarded("not_near")
        self.near_ends = {span.end for span in self.kinds.get("near", ()) if not not_near(span)}
        hypothetical_guard = self._guarded("not_hypothetical")
        self.feared: dict[int, int] = {}
        for span in self.kinds.get("hypothetical", ()):
            if not hypothetical_guard(span):
                at = self.clause[span.start]
                self.feared[at] = min(span.end, self.feared.get(at, span.end))
        self.returned = bool(self.kinds.get("return"))
        self.over = self._over()

    def terms(self) -> list[Span]:
        """The terms that count: of those that share a word the longest, unless the shorter is of a higher class."""
        order = sorted(
            self.found,
            key=lambda span: (-len(span.parts), -self.lexicon.classes[span.phrase.class_id].level, span.start),
        )
        highest: dict[int, Level] = {}
        kept: list[Span] = []
        for span in order:
            level = self.lexicon.classes[span.phrase.class_id].level
            if any(highest.get(place, Level.NONE) >= level for place in span.parts):
                continue
            kept.append(span)
            for place in span.parts:
                highest[place] = max(level, highest.get(place, Level.NONE))
        return sorted(kept, key=lambda span: (span.start, span.end))

    def status(self, span: Span, flag: FlagClass) -> Status:
        """How a term is meant; the order of the tests is clinical.md 5."""
        if flag.near is not None and self._near(span):
            return "near"
        if self._negated(span):
            return "negated"
        clause = self.clause[span.start]
        # What is feared is said after the word: "大出血我好怕" is no fear but a report.
        if self.feared.get(clause, span.end) <= span.slot_starts[-1]:
            return "hypothetical"
        if not self.returned and (self.over if flag.resolved_anywhere else clause in self.over):
            return "resolved"
        return "affirmed"

    def _near(self, span: Span) -> bool:
        places = (start - gap for start in span.slot_starts for gap in range(min(GAP, start) + 1))
        clause = self.clause[span.start]
        return any(place in self.near_ends and self.clause[place] == clause for place in places)

    def _negated(self, span: Span) -> bool:
        """True if a cue stands directly before a part of the term, or an English one reaches its first word."""
        previous = None
        for start in span.slot_starts:
            floor = 0 if previous is None else previous
            if self._cue_before(start, floor):
                return True
            previous = start
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
        """True if a cue ends at ``place``, or only fillers stand between them; nothing before ``floor`` counts."""
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

    def _over(self) -> set[int]:
        """The clauses in which something is said to be over."""
        guarded = self._guarded("not_resolved")
        owner = {place: span for span in self.found for place in span.parts}
        clauses = set()
        for span in self.kinds.get("resolved", ()):
            term = owner.get(span.start)
            # "not stopped" and "stopped breathing" are terms, not ends.
            inside = term is not None and term.start <= span.start and span.end <= term.end
            if not guarded(span) and not inside and not self._negated(span):
                clauses.add(self.clause[span.start])
        return clauses

    def _guarded(self, kind: Kind) -> Callable[[Span], bool]:
        """A test whether a span lies within a longer one of ``kind``: 怕 in 恐怕 is no fear."""
        guards: dict[int, list[Span]] = {}
        for guard in self.kinds.get(kind, ()):
            for place in range(guard.start, guard.end):
                guards.setdefault(place, []).append(guard)

        def within(span: Span) -> bool:
            return any(
                guard.start <= span.start and guard.end >= span.end and guard.end - guard.start > span.end - span.start
                for guard in guards.get(span.start, ())
            )

        return within

    def _inside(self, kind: Kind) -> set[int]:
        return {place for span in self.kinds.get(kind, ()) for place in range(span.start, span.end)}
