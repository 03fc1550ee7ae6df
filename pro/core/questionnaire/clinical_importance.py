"""What a score and its change mean: published thresholds and classes, for drawings and words, never for an alert."""

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
    """Where figures come from. ``verified``: a second reader compared them with the paper."""

    name: str
    reference: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ClinicalImportance:
    """The figures of one instrument, in points of 0 to 100.

    ``thresholds``: scale -> important below it (functions) or above it (symptoms). ``points``: from so many on a change
    is said to be one. ``better``, ``worse``: scale -> from the first figure on small, above the second medium, above
    the third large.
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
    """From the baseline to another score. ``points``: signed. ``way``: by the points that count here.

    ``size``: the published class of the change in its own direction; "" where none was published for the scale.
    """

    points: float
    way: ChangeDirection
    size: ChangeSize


def is_higher_better(instrument: Instrument, scale: str) -> bool:
    """True for functions, the global scale and the summary; False for symptoms."""
    found = instrument.scales.get(scale)
    return found is None or found.direction != "symptom"


def is_important(importance: ClinicalImportance, instrument: Instrument, scale: str, value: float) -> bool | None:
    """Does ``value`` lie on the important side of its threshold? None where none was published."""
    threshold = importance.thresholds.get(scale)
    if threshold is None:
        return None
    return value < threshold if is_higher_better(instrument, scale) else value > threshold


def score_change(
    importance: ClinicalImportance, instrument: Instrument, scale: str, baseline: float, value: float
) -> ScoreChange:
    """What became of ``baseline``. Changes below ``importance.points`` are the same to the eye."""
    points = value - baseline
    gets_better = (points > 0) == is_higher_better(instrument, scale)
    if abs(points) < importance.points:
        way: ChangeDirection = "same"
    else:
        way = "better" if gets_better else "worse"
    bounds = (importance.better if gets_better else importance.worse).get(scale)
    return ScoreChange(points, way, _change_size(abs(points), bounds) if bounds else "")


def _change_size(points: float, bounds: tuple[int, ...]) -> ChangeSize:
    """The class of a change: the first bound belongs to its class, the later ones to the class below."""
    if points < bounds[0]:
        return "trivial"
    return SIZES[1 + sum(points > bound for bound in bounds[1:])]
