"""Symptoms of a study by week of treatment: how many participants answered the third category (2) or worse.

A participant counts once in a period, with the worst answer. Who did not answer is not counted at all, never as zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pro.core.questionnaire.instrument import Instrument, Item

# A share of fewer participants is not shown.
LEAST = 3
# Rank of the third category: 2 where codes begin with 0.
WORSE_RANK = 2
# Weeks of the columns: of a phase that another one follows, and of the last phase. The last week 0: no end.
WEEKLY = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 0))
LAST_PHASE = ((1, 2), (3, 4), (5, 8), (9, 12), (13, 18), (19, 30))
BEFORE = ""

# (phase, first week, last week); the phase "" is the time before the first one.
Period = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class SymptomPeriod:
    """One column: weeks ``first`` to ``last`` (0: no end) of ``phase``; ``n``: participants with a form in it."""

    phase: str
    first: int
    last: int
    n: int


@dataclass(frozen=True, slots=True)
class SymptomCell:
    """``worse`` of ``n`` participants who answered had the third category or worse."""

    worse: int
    n: int

    @property
    def share(self) -> float | None:
        """Return the share, 0 to 1; None if too few participants answered."""
        return self.worse / self.n if self.n >= LEAST else None


@dataclass(frozen=True, slots=True)
class SymptomShareRow:
    """One symptom over all periods."""

    item: str
    cells: tuple[SymptomCell, ...]

    @property
    def highest(self) -> float:
        """Return the highest share of all periods; 0 if none is shown."""
        return max((cell.share or 0.0 for cell in self.cells), default=0.0)


def symptom_items(instrument: Instrument) -> tuple[Item, ...]:
    """Return the items with at least three ordered categories that are asked on every form.

    Follow-up questions are left out: only those with the symptom are asked them.
    """
    graded = instrument.groups.get("graded", ())
    return tuple(
        item
        for item in instrument.items.values()
        if item.kind == "choice" and len(item.ordinal_codes) > WORSE_RANK and (item.id in graded or item.ask_if is None)
    )


def is_worse(item: Item, code: object) -> bool | None:
    """Return True from the third category on; None for a code without a rank."""
    if not isinstance(code, int) or code not in item.ordinal_codes:
        return None
    return item.ordinal_codes.index(code) >= WORSE_RANK


def period_of(on: date, starts: Mapping[str, date], phases: Sequence[str]) -> Period | None:
    """Return the period of a day; None after the last period.

    ``starts``: phase -> its first day, for the phases that took place, in order. ``phases``: those with columns, in
    order. Phases after the last of ``phases`` do not end it; in any other phase without columns there is no period.
    """
    begun = [phase for phase, start in starts.items() if start <= on]
    if not begun:
        return BEFORE, 0, 0
    phase = phases[-1] if phases and phases[-1] in begun else begun[-1]
    if phase not in phases:
        return None
    week = (on - starts[phase]).days // 7 + 1
    spans = LAST_PHASE if phase == phases[-1] else WEEKLY
    return next(((phase, first, last) for first, last in spans if first <= week and (week <= last or not last)), None)


def symptom_rows(
    items: Sequence[Item], answers: Iterable[tuple[int, Period, str, object]], phases: Sequence[str]
) -> tuple[tuple[SymptomPeriod, ...], tuple[SymptomShareRow, ...]]:
    """Return the columns and one row for each of ``items``.

    ``answers``: (participant, period, item, code).
    """
    by_id = {item.id: item for item in items}
    worst: dict[tuple[Period, str], dict[int, bool]] = defaultdict(dict)
    people: dict[Period, set[int]] = defaultdict(set)
    for participant, period, name, code in answers:
        people[period].add(participant)
        worse = is_worse(by_id[name], code)
        if worse is not None:
            known = worst[period, name]
            known[participant] = known.get(participant, False) or worse
    order = {phase: place for place, phase in enumerate([BEFORE, *phases])}
    periods = sorted(people, key=lambda period: (order[period[0]], period[1]))
    columns = tuple(SymptomPeriod(*period, len(people[period])) for period in periods)
    rows = []
    for item in items:
        found = [worst.get((period, item.id), {}) for period in periods]
        rows.append(SymptomShareRow(item.id, tuple(SymptomCell(sum(one.values()), len(one)) for one in found)))
    return columns, tuple(rows)
