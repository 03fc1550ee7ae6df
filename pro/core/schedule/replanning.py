"""Re-planning: changes of expected visits when an anchor moves (docs/domain.md 6, rule 6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pro.core.schedule.expected_visits import ExpectedVisit


@dataclass(frozen=True, slots=True)
class Replan:
    """The difference between two plans; ``moved``: (before, after) of each changed visit."""

    kept: tuple[ExpectedVisit, ...]
    moved: tuple[tuple[ExpectedVisit, ExpectedVisit], ...]
    added: tuple[ExpectedVisit, ...]
    dropped: tuple[ExpectedVisit, ...]

    @property
    def result(self) -> tuple[ExpectedVisit, ...]:
        """The plan that is valid from now on, in order of opening."""
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
    """Compute the change from the plan ``before`` to the plan ``after``.

    Visits named in ``opened`` ((visit, instrument): the form was opened or answered) and visits whose window has closed
    at ``now`` are kept unchanged, whatever ``after`` contains. ``unasked``: names whose window closed before the system
    knew of them; no message was sent for them, so they follow ``after``. Re-planning the result with the same ``after``
    changes nothing.
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
            # The basis may have changed: a projected fraction was given.
            kept.append(new)
        elif new is None:
            dropped.append(one)
        else:
            moved.append((one, new))
    added = tuple(one for one in after if one.name not in known)
    return Replan(tuple(kept), tuple(moved), added, tuple(dropped))


def _same_window(one: ExpectedVisit, other: ExpectedVisit) -> bool:
    """Return True if both have the same window and the same obligation."""
    return (one.opens, one.due, one.closes, one.mandatory) == (other.opens, other.due, other.closes, other.mandatory)
