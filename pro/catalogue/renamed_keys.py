"""Former keys of data files. A file that still has one is refused with the present key named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_core import ErrorDetails

# Former key -> present key (docs/glossary.md).
RENAMED_KEYS: Mapping[str, str] = {
    "administrator": "it_department",
    "alerts_per_week": "alert_limit",
    "calendar": "visit_schedule",
    "drill": "test_alert",
    "grade": "ctcae_grade",
    "ladder": "escalation_steps",
    "otherwise": "alternative",
    "outlives": "continues_after",
    "pre_dose": "pre_dose_summary",
    "readers": "study_team",
    "recall": "recall_period",
    "recalls": "recall_periods",
    "stopping": "stopping_rule",
    "stops": "participation_end",
    "terms": "ctcae_terms",
}


def present_key(error: ErrorDetails) -> str:
    """Return the present name of the key that ``error`` refuses; "" if it is no former key."""
    place = error["loc"]
    return RENAMED_KEYS.get(str(place[-1]), "") if error["type"] == "extra_forbidden" and place else ""


def former_keys_first(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Return ``errors`` with former keys first, without the errors that only say that their present key is missing."""
    present = {(*error["loc"][:-1], present_key(error)) for error in errors if present_key(error)}
    left = [error for error in errors if error["type"] != "missing" or error["loc"] not in present]
    return sorted(left, key=lambda error: not present_key(error))
