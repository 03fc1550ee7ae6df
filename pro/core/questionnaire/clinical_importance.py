"""Clinical importance of scores: published thresholds and classes of change.

Used for charts and the text beside them, never for an alert (docs/domain.md 1.7, 1.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pro.core.questionnaire.instrument import Instrument

ChangeDirection = Literal["better", "worse", "same"]
ChangeSize = Literal["", "trivial", "small", "medium", "large"]
SIZES: tuple[ChangeSize, ...] = ("trivial", "small", "medium", "large")


@dataclass(frozen=True, slots=True)
class FigureSource:
    """Source of published figures; ``verified``: a second person compared them with the paper."""

    name: str
    reference: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ClinicalImportance:
    """The published figures of one instrument, in points of 0 to 100.

    ``thresholds``: scale -> clinically important below it (functions) or above it (symptoms). ``points``: the smallest
    change that is called a change. ``better``, ``worse``: scale -> bounds of the classes: small from the first figure
    on, medium above the second, large above the third.
    """

    instrument: str
    thresholds: Mapping[str, int]
    threshold_source: FigureSource
    points: int
    points_source: FigureSource
    better: Mapping[str, tuple[int, ...]]
    worse: Mapping[str, tuple[int, ...]]
    change_source: FigureSource


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """The change from the baseline score to another score; ``points`` are signed.

    ``way``: better, worse or same, by the smallest change that counts. ``size``: the published class of the change in
    its own direction; "" where none was published for the scale.
    """

    points: float
    way: ChangeDirection
    size: ChangeSize


def is_higher_better(instrument: Instrument, scale: str) -> bool:
    """Return True for functions, the global scale and the summary score; False for symptoms."""
    found = instrument.scales.get(scale)
    return found is None or found.direction != "symptom"


def is_important(importance: ClinicalImportance, instrument: Instrument, scale: str, value: float) -> bool | None:
    """Return whether ``value`` is on the important side of its threshold; None without one."""
    threshold = importance.thresholds.get(scale)
    if threshold is None:
        return None
    return value < threshold if is_higher_better(instrument, scale) else value > threshold


def score_change(
    importance: ClinicalImportance, instrument: Instrument, scale: str, baseline: float, value: float
) -> ScoreChange:
    """Return the change from ``baseline`` to ``value``, in points.

    A change smaller than ``importance.points`` has the ``way`` "same".
    """
    points = value - baseline
    gets_better = (points > 0) == is_higher_better(instrument, scale)
    if abs(points) < importance.points:
        way: ChangeDirection = "same"
    else:
        way = "better" if gets_better else "worse"
    bounds = (importance.better if gets_better else importance.worse).get(scale)
    return ScoreChange(points, way, _change_size(abs(points), bounds) if bounds else "")


def _change_size(points: float, bounds: tuple[int, ...]) -> ChangeSize:
    """Return the class of a change of ``points`` points, without sign.

    The first bound belongs to its class, the later bounds to the class below.
    """
    if points < bounds[0]:
        return "trivial"
    return SIZES[1 + sum(points > bound for bound in bounds[1:])]
