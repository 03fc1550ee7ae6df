"""Scores of a questionnaire: raw scores, linear transformation, half rule, summary (docs/domain.md 1.3, 1.4).

Missing is never zero: a scale with fewer than half of its items answered has no score, and a summary needs all of its
scales. Full precision is kept; whoever displays a score rounds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pro.core.questionnaire.instrument import Answers, Direction, Instrument, Scale, Summary

# Stored with every score. Change it whenever a number could come out differently; re-scoring keeps the old rows.
ALGORITHM = "eortc-linear-1"


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """One scale's score: ``value`` 0-100 and ``raw`` (mean of the answered items), None = missing.

    ``used`` of ``of`` items were answered; for a summary these count scales, and ``raw`` is None.
    """

    value: float | None
    raw: float | None
    used: int
    of: int


def score(instrument: Instrument, answers: Answers) -> dict[str, ScaleScore]:
    """Every scale's score in the instrument's order, the summary last. ValueError for an answer outside its codes."""
    scores = {scale.id: scale_score(instrument, scale, answers) for scale in instrument.scales.values()}
    if instrument.summary is not None:
        values = {scale_id: found.value for scale_id, found in scores.items()}
        scores[instrument.summary.id] = summary_score(instrument.summary, values)
    return scores


def scale_score(instrument: Instrument, scale: Scale, answers: Answers) -> ScaleScore:
    """One scale (docs/domain.md 1.3)."""
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
    """The half rule: at least half of the items, and at least one."""
    return answered > 0 and 2 * answered >= of


def transform_score(total: int, answered: int, span: int, direction: Direction) -> float:
    """The 0-100 score of ``answered`` items that add up to ``total``, each coded from 1 to 1 + ``span``.

    The same as ``(1 - (RS - 1)/range) * 100`` or ``((RS - 1)/range) * 100`` with RS = total / answered, arranged so
    that a whole number is divided once: the float is the one nearest to the exact score.
    """
    steps = total - answered
    most = answered * span
    return 100 * (most - steps if direction == "functional" else steps) / most


def summary_score(summary: Summary, values: Mapping[str, float | None]) -> ScaleScore:
    """The unweighted mean of the summary's scales, missing unless all are there (docs/domain.md 1.4)."""
    found: Sequence[float] = [
        100 - value if scale in summary.reversed else value
        for scale in summary.scales
        if (value := values[scale]) is not None
    ]
    complete = len(found) == len(summary.scales)
    return ScaleScore(sum(found) / len(found) if complete else None, None, len(found), len(summary.scales))
