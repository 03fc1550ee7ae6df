"""Stopping rule: ulcers that count among the first treated participants, steps reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

# Whether a participant's ulcer counts; "unknown": confirmed but not graded, or graded but not confirmed.
Counts = Literal["no", "unknown", "yes"]
# States of one participant that the plan's wording names: no ulcer, three states of an ulcer, the decision after 50 Gy.
ULCER_STATES = ("none", "suspected", "confirmed", "cleared", "response")


@dataclass(frozen=True, slots=True)
class StoppingStep:
    """One step: ``ulcers`` that count among the first ``of_first`` treated participants."""

    id: str
    ulcers: int
    of_first: int


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """The stopping rule of the plan file; ``steps`` in ascending order.

    ``treated``: the anchor from which a participant counts as treated. ``of``: planned number of treated participants.
    ``grade``: the lowest grade (CTCAE, assigned by a clinician) of a confirmed ulcer that counts. ``terms``: adverse
    events whose gradings are grades of an ulcer. ``decision``: the anchor of the decision after 50 Gy, shown from
    ``decision_days`` days before. ``endoscopy_days``: a requested endoscopy is overdue after so many days.
    ``demonstration``: the investigator has not confirmed these figures.
    """

    of: int
    treated: str
    ctcae_grade: int
    steps: tuple[StoppingStep, ...]
    decision: str
    decision_days: int
    endoscopy_days: int
    demonstration: bool
    ctcae_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoppingStepState:
    """The state of one step: ulcers ``counted`` for certain, and ``unknown`` ones.

    ``unknown``: ulcers that may count once they are graded or confirmed. ``treated``: how many of the step's first
    participants were treated so far.
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
        """True if the step is not reached, but would be if all unknown ulcers counted."""
        return not self.reached and self.counted + self.unknown >= self.step.ulcers

    @property
    def left(self) -> int:
        """The number of further ulcers that reach the step; 0 once it is reached."""
        return max(0, self.step.ulcers - self.counted)


@dataclass(frozen=True, slots=True)
class StoppingState:
    """The state of the study; ``unplaced``: ulcers of participants not recorded as treated."""

    treated: int
    counted: int
    unknown: int
    unplaced: int
    steps: tuple[StoppingStepState, ...]

    @property
    def reached(self) -> StoppingStepState | None:
        """The highest step that is reached; None if none is."""
        return next((state for state in reversed(self.steps) if state.reached), None)

    @property
    def next(self) -> StoppingStepState | None:
        """The first step that is not reached; None if all are."""
        return next((state for state in self.steps if not state.reached), None)


def ulcer_counts(*, confirmed: bool, grades: Iterable[int | None], least: int, judged: Iterable[int] = ()) -> Counts:
    """Return whether an ulcer counts for the stopping rule.

    ``grades``: one for each endoscopy that found the ulcer, None where no grade was entered. ``least``: the lowest
    grade that counts. ``judged``: grades of adverse events that clinicians signed under the rule's terms.

    A confirmed ulcer without any grade is "unknown", never "no": missing is not zero. An ulcer that was graded as an
    adverse event but is not recorded as confirmed is "unknown" too.
    """
    signed = list(judged)
    if not confirmed:
        return "unknown" if any(grade >= least for grade in signed) else "no"
    given = [*grades, *signed]
    if any(grade is not None and grade >= least for grade in given):
        return "yes"
    return "no" if given and None not in given else "unknown"


def stopping_state(rule: StoppingRule, treated: Sequence[Counts], unplaced: Sequence[Counts] = ()) -> StoppingState:
    """Return the state of the study.

    ``treated``: all treated participants in the order of treatment. ``unplaced``: participants without a place in that
    order; their ulcers may belong to any step, so they are unknown.
    """
    outside = sum(one != "no" for one in unplaced)
    steps = []
    for step in rule.steps:
        first = treated[: step.of_first]
        steps.append(StoppingStepState(step, first.count("yes"), first.count("unknown") + outside, len(first)))
    return StoppingState(len(treated), treated.count("yes"), treated.count("unknown") + outside, outside, tuple(steps))


def endoscopy_overdue_from(rule: StoppingRule, requested_on: date) -> date:
    """Return the first day on which an endoscopy requested on ``requested_on`` is overdue."""
    return requested_on + timedelta(days=rule.endoscopy_days + 1)
