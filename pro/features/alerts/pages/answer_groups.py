"""Group the answers of an alert: what raised it, what else is not the mildest, what is missing, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pro.features.alerts.alert_page import AnswerRow


@dataclass(frozen=True, slots=True)
class AnswerGroups:
    """Each answer stands in one group.

    ``fired``: raised the alert. ``skipped``: passed over by the participant. ``missing``: not reached or not asked.
    ``mildest``: the mildest answer, and no change since last time. ``other``: every other answer.
    """

    fired: tuple[AnswerRow, ...]
    other: tuple[AnswerRow, ...]
    skipped: tuple[AnswerRow, ...]
    missing: tuple[AnswerRow, ...]
    mildest: tuple[AnswerRow, ...]


def group_answers(rows: Sequence[AnswerRow]) -> AnswerGroups:
    """Return ``rows`` in groups, in their order. A missing answer is never among the mildest."""
    groups: dict[str, list[AnswerRow]] = {"fired": [], "other": [], "skipped": [], "missing": [], "mildest": []}
    for row in rows:
        groups[_group_of(row)].append(row)
    return AnswerGroups(**{name: tuple(found) for name, found in groups.items()})


def _group_of(row: AnswerRow) -> str:
    if row.fired:
        return "fired"
    if row.skipped and not row.optional:
        return "skipped"
    if not row.now:
        return "missing"
    return "mildest" if row.is_mildest_as_before else "other"
