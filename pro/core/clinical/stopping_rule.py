"""The study's stopping rule: how many ulcers count among the first so many who were treated, and what that reaches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

# Whether somebody's ulcer counts; "unknown": it is confirmed but not graded, or graded but not confirmed.
Counts = Literal["no", "unknown", "yes"]
# What the plan's words say about one participant: no ulcer, one of three states of it, the decision after 50 Gy.
ULCER_STATES = ("none", "suspected", "confirmed", "cleared", "response")


@dataclass(frozen=True, slots=True)
class StoppingStep:
    """One step: ``ulcers`` that count among the first ``of_first`` who were treated."""

    id: str
    ulcers: int
    of_first: int


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """The rule as the plan file has it. ``steps`` from the mildest on.

    ``treated``: the anchor with which somebody counts as treated; ``of``: how many the study will treat; ``grade``: the
    least grade (CTCAE, by a clinician) of a confirmed ulcer that counts; ``terms``: the adverse events whose gradings
    are grades of an ulcer. ``decision``: the anchor of the decision after
    50 Gy, shown from ``decision_days`` before. ``endoscopy_days``: an endoscopy asked for is late after so many days.
    ``demonstration``: nobody has confirmed these numbers.
    """

    of: int
    treated: str
    grade: int
    steps: tuple[StoppingStep, ...]
    decision: str
    decision_days: int
    endoscopy_days: int
    demonstration: bool
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoppingStepState:
    """How far one step is. ``counted`` for certain; ``unknown``: more may count once somebody has graded them.

    ``treated``: how many of its first ones were treated so far.
    """

    step: StoppingStep
    counted: int
    unknown: int
    treated: int

    @property
    def reached(self) -> bool:
        """True if the ulcers that count for certain are enough."""
        return self.counted >= self.step.ulcers

    @property
    def possibly_reached(self) -> bool:
        """True if it is reached should those that nobody graded count."""
        return not self.reached and self.counted + self.unknown >= self.step.ulcers

    @property
    def left(self) -> int:
        """How many more ulcers reach it; 0 once it is reached."""
        return max(0, self.step.ulcers - self.counted)


@dataclass(frozen=True, slots=True)
class StoppingState:
    """Where the study stands. ``unplaced``: ulcers of people of whom nobody recorded that they were treated."""

    treated: int
    counted: int
    unknown: int
    unplaced: int
    steps: tuple[StoppingStepState, ...]

    @property
    def reached(self) -> StoppingStepState | None:
        """The furthest step that is reached."""
        return next((reach for reach in reversed(self.steps) if reach.reached), None)

    @property
    def next(self) -> StoppingStepState | None:
        """The first step that is not reached."""
        return next((reach for reach in self.steps if not reach.reached), None)


def ulcer_counts(*, confirmed: bool, grades: Iterable[int | None], least: int, judged: Iterable[int] = ()) -> Counts:
    """Whether an ulcer counts. ``grades``: one for each endoscopy that found it, None where nobody gave one.

    ``judged``: the grades of adverse events that clinicians signed under the rule's terms. A confirmed ulcer without
    any grade is unknown, never no: missing is not zero. So is one that was signed and not recorded as confirmed.
    """
    signed = list(judged)
    if not confirmed:
        return "unknown" if any(grade >= least for grade in signed) else "no"
    given = [*grades, *signed]
    if any(grade is not None and grade >= least for grade in given):
        return "yes"
    return "no" if given and None not in given else "unknown"


def stopping_state(rule: StoppingRule, treated: Sequence[Counts], unplaced: Sequence[Counts] = ()) -> StoppingState:
    """Where the study stands. ``treated``: everybody in the order of their treatment.

    ``unplaced``: those who do not stand in that order; an ulcer of theirs may belong to any step, so it is unknown.
    """
    outside = sum(one != "no" for one in unplaced)
    steps = []
    for step in rule.steps:
        first = treated[: step.of_first]
        steps.append(StoppingStepState(step, first.count("yes"), first.count("unknown") + outside, len(first)))
    return StoppingState(len(treated), treated.count("yes"), treated.count("unknown") + outside, outside, tuple(steps))


def endoscopy_overdue_from(rule: StoppingRule, asked_on: date) -> date:
    """The first day on which an endoscopy that was asked for on ``asked_on`` and not done is late."""
    return asked_on + timedelta(days=rule.endoscopy_days + 1)
