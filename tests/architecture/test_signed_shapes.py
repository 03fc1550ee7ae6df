"""Test that what a signature covers is versioned, and that no column of a signed row is left out by oversight.

A shape that was published never changes: signatures of that version would stop to hold. A new field gets a new version.
"""

from __future__ import annotations

import pytest

from pro.db import Base
from pro.features.accounts.signatures import SignedShapes
from pro.features.adverse_events import gradings
from pro.features.assessments import data_corrections
from pro.features.participants import record_freezes
from pro.features.ulcers import ulcer_cases
from pro.models import DataCorrection, Freeze, Grading, SignedDecision

GRADING = (
    *"participant source event terms ctcae_term other_term onset ctcae_grade from attribution".split(),
    *"serious not_serious awareness_time action_taken".split(),
)
# Published shapes: approved lists.
PUBLISHED: list[tuple[SignedShapes, SignedShapes]] = [
    (gradings.SIGNED_SHAPES, {1: (*GRADING, "none_reason")}),
    (ulcer_cases.SIGNED_SHAPES, {1: ("plan", "participant_id", "about", "choice", "reason", "seen")}),
    (
        record_freezes.SIGNED_SHAPES,
        {1: ("plan", "participant", "frozen_at", "reason", "unfrozen_at", "unfreeze_reason")},
    ),
    (
        data_corrections.SIGNED_SHAPES,
        {1: ("form", "item", "answer", "old", "value", "heard", "reason", "outcome", "note")},
    ),
]
# Columns of a signed row -> names in the signed content. The signature itself holds signer and time.
COLUMNS: list[tuple[type[Base], SignedShapes, dict[str, str], set[str]]] = [
    (
        Grading,
        gradings.SIGNED_SHAPES,
        {"participant_id": "participant", "adverse_event_id": "event", "from_on": "from"},
        {"id", "at", "staff_id"},
    ),
    (SignedDecision, ulcer_cases.SIGNED_SHAPES, {}, {"id", "made_at", "made_by"}),
    (Freeze, record_freezes.SIGNED_SHAPES, {"participant_id": "participant"}, {"id", "frozen_by", "unfrozen_by"}),
    (
        DataCorrection,
        data_corrections.SIGNED_SHAPES,
        {
            "assessment_id": "form",
            "answer_id": "answer",
            "confirmed_at": "heard",
            "confirmed_how": "heard",
            "confirmed_to": "heard",
        },
        {"id", "participant_id", "requested_at", "requested_by", "decided_at", "decided_by"},
    ),
]


def test_a_published_shape_never_changes():
    for shapes, published in PUBLISHED:
        assert {version: shapes[version] for version in published} == published


@pytest.mark.parametrize(("model", "shapes", "names", "unsigned"), COLUMNS)
def test_every_column_is_signed_or_left_out_on_purpose(
    model: type[Base], shapes: SignedShapes, names: dict[str, str], unsigned: set[str]
):
    columns = {column.key for column in model.__mapper__.column_attrs}
    signed = set(shapes[max(shapes)])
    assert {name for name in columns - unsigned if names.get(name, name) not in signed} == set()
