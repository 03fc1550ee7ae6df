"""What changes when an anchor moves: future visits follow, opened and past ones stay (docs/domain.md 6, rule 6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pro.core.schedule.expected_visits import ExpectedVisit


@dataclass(frozen=True, slots=True)
class Replan:
    """The difference between two plans. ``moved``: (before, after) of the same visit and instrument."""

    kept: tuple[ExpectedVisit, ...]
    moved: tuple[tuple[ExpectedVisit, ExpectedVisit], ...]
    added: tuple[ExpectedVisit, ...]
    dropped: tuple[ExpectedVisit, ...]

    @property
    def result(self) -> tuple[ExpectedVisit, ...]:
        """The plan that holds from now on, in order of opening."""
        whole = [*self.kept, *(after for _, after in self.moved), *self.added]
        return tuple(sorted(whole, key=lambda one: (one.opens, one.due, one.rank, one.visit)))

    @property
    def is_empty(self) -> bool:
        """True if nothing changes."""
        return not (self.moved or self.added or self.dropped)


def replan(
    before: Sequence[ExpectedVisit],
    after: Sequence[ExpectedVisit],
    opened: Collection[tuple[str, str]],
    now: datetime,
    unasked: Collection[tuple[str, str]] = (),
) -> Replan:
    """Lead the plan ``before`` over to ``after``.

    Names in ``opened`` ((visit, instrument) that somebody opened or answered) and windows that are over at ``now`` stay
    as they are, whatever ``after`` says of them. Re-planning the result with the same ``after`` changes nothing.
    ``unasked``: names whose window was over before anybody knew of it; nothing happened there, so they follow.
    """
    wanted = {one.name: one for one in after}
    known = {one.name for one in before}
    kept: list[ExpectedVisit] = []
    moved: list[tuple[ExpectedVisit, ExpectedVisit]] = []
    dropped: list[ExpectedVisit] = []
    for one in before:
        new = wanted.get(one.name)
        if one.name in opened or (one.closes < now and one.name not in unasked):
            kept.append(one)
        elif new is not None and _same_window(one, new):
            # What it rests on may have changed: a fraction that was projected was given.
            kept.append(new)
        elif new is None:
            dropped.append(one)
        else:
            moved.append((one, new))
    added = tuple(one for one in after if one.name not in known)
    return Replan(tuple(kept), tuple(moved), added, tuple(dropped))


def _same_window(one: ExpectedVisit, other: ExpectedVisit) -> bool:
    return (one.opens, one.due, one.closes, one.mandatory) == (other.opens, other.due, other.closes, other.mandatory)
