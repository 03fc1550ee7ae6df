"""EORTC scoring: raw scores, linear transformation, half rule, summary score.

Source: docs/domain.md 1.3 and 1.4. Missing is never zero: a scale with fewer than half of its items answered has no
score, and a summary score needs all of its scales. Scores keep full precision; rounding belongs to the display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pro.core.questionnaire.instrument import Answers, Direction, Instrument, Scale, Summary

# Stored with every score. Change it whenever a score may come out differently; re-scoring keeps the old rows.
ALGORITHM = "eortc-linear-1"


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """The score of one scale; None = missing.

    ``value``: 0 to 100. ``raw``: mean of the answered items. ``used`` of ``of`` items were answered. For a summary
    score these count scales, and ``raw`` is None.
    """

    value: float | None
    raw: float | None
    used: int
    of: int


def score(instrument: Instrument, answers: Answers) -> dict[str, ScaleScore]:
    """Return all scale scores in the instrument's order, the summary score last.

    Raise ValueError for an answer that is not one of the item's codes.
    """
    scores = {scale.id: scale_score(instrument, scale, answers) for scale in instrument.scales.values()}
    if instrument.summary is not None:
        values = {scale_id: found.value for scale_id, found in scores.items()}
        scores[instrument.summary.id] = summary_score(instrument.summary, values)
    return scores


def scale_score(instrument: Instrument, scale: Scale, answers: Answers) -> ScaleScore:
    """Return the score of one scale (docs/domain.md 1.3).

    Raise ValueError for an answer that is not one of the item's codes.
    """
    given: list[int] = []
    for item in scale.items:
        answer = answers.get(item)
        if answer is None:
            continue
        if not isinstance(answer, int) or not instrument.items[item].accepts(answer):
            raise ValueError(f"{item} cannot be answered with {answer!r}")
        given.append(answer)
    number = len(scale.items)
    if not meets_half_rule(len(given), number):
        return ScaleScore(None, None, len(given), number)
    value = transform_score(sum(given), len(given), scale.range, scale.direction)
    return ScaleScore(value, sum(given) / len(given), len(given), number)


def meets_half_rule(answered: int, of: int) -> bool:
    """Return True if at least half of the items, and at least one, were answered."""
    return answered > 0 and 2 * answered >= of


def transform_score(total: int, answered: int, span: int, direction: Direction) -> float:
    """Return the 0-100 score of ``answered`` items that add up to ``total``.

    Each item is coded from 1 to 1 + ``span``. The result equals ``(1 - (RS - 1)/range) * 100`` or ``((RS - 1)/range) *
    100`` with RS = total / answered (docs/domain.md 1.3). One division of a whole number gives the float nearest to the
    exact score.
    """
    steps = total - answered
    most = answered * span
    return 100 * (most - steps if direction == "functional" else steps) / most


def summary_score(summary: Summary, values: Mapping[str, float | None]) -> ScaleScore:
    """Return the unweighted mean of the summary's scales; missing unless all have a score.

    Source: docs/domain.md 1.4.
    """
    found: Sequence[float] = [
        100 - value if scale in summary.reversed else value
        for scale in summary.scales
        if (value := values[scale]) is not None
    ]
    complete = len(found) == len(summary.scales)
    return ScaleScore(sum(found) / len(found) if complete else None, None, len(found), len(summary.scales))
