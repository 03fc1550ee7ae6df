"""Test the symptoms of a study by week of treatment against figures counted by hand."""

from __future__ import annotations

from datetime import date

import pytest

from pro.catalogue import Catalogue
from pro.core.figures.symptom_shares import Period, SymptomCell, period_of, symptom_items, symptom_rows

PHASES = ("induction", "radiotherapy", "after_radiotherapy")
STARTS = {
    "induction": date(2026, 1, 5),
    "radiotherapy": date(2026, 2, 2),
    "after_radiotherapy": date(2026, 3, 12),
}


@pytest.mark.parametrize(
    ("on", "period"),
    [
        (date(2026, 1, 4), ("", 0, 0)),
        (date(2026, 1, 5), ("induction", 1, 1)),
        (date(2026, 1, 11), ("induction", 1, 1)),
        (date(2026, 1, 12), ("induction", 2, 2)),
        (date(2026, 2, 1), ("induction", 4, 4)),
        (date(2026, 2, 2), ("radiotherapy", 1, 1)),
        (date(2026, 3, 11), ("radiotherapy", 6, 6)),
        (date(2026, 3, 12), ("after_radiotherapy", 1, 2)),
        (date(2026, 6, 11), ("after_radiotherapy", 13, 18)),
        (date(2026, 9, 10), ("after_radiotherapy", 19, 30)),
        (date(2026, 12, 10), None),
    ],
)
def test_a_day_lies_in_one_period(on: date, period: Period | None) -> None:
    assert period_of(on, STARTS, PHASES) == period


def test_a_phase_that_does_not_end_has_a_last_column_without_an_end() -> None:
    assert period_of(date(2026, 6, 1), {"induction": date(2026, 1, 5)}, PHASES) == ("induction", 7, 0)
    assert period_of(date(2026, 6, 1), {}, PHASES) == ("", 0, 0)


@pytest.mark.parametrize(
    ("starts", "period"),
    [
        # Later phases have no columns; the weeks after radiotherapy go on.
        ({**STARTS, "maintenance": date(2026, 4, 2)}, ("after_radiotherapy", 5, 8)),
        # The treatment ended without radiotherapy, or radiotherapy without a known end: no column is true.
        ({"induction": date(2026, 1, 5), "discontinued": date(2026, 2, 2)}, None),
        ({"induction": date(2026, 1, 5), "after_treatment": date(2026, 2, 2)}, None),
        ({"radiotherapy": date(2026, 2, 2), "maintenance": date(2026, 4, 2)}, None),
        ({"induction": date(2026, 1, 5), "discontinued": date(2026, 6, 2)}, ("induction", 7, 0)),
    ],
)
def test_a_phase_without_columns(starts: dict[str, date], period: Period | None) -> None:
    assert period_of(date(2026, 4, 10), starts, PHASES) == period


def test_a_participant_counts_once_with_the_worst_answer_and_nobody_without_an_answer(catalogue: Catalogue) -> None:
    items = [catalogue.instruments["npc_checkin"].items[name] for name in ("sores", "temp")]
    week = ("radiotherapy", 4, 4)
    answers = [
        (1, week, "sores", 1),
        (1, week, "sores", 3),
        (2, week, "sores", 0),
        (3, week, "sores", 2),
        # A code without a rank is no category: felt feverish, not measured.
        (1, week, "temp", 9),
        (2, week, "temp", 2),
        (3, week, "temp", 0),
        (4, ("", 0, 0), "sores", 4),
    ]
    columns, (sores, temp) = symptom_rows(items, answers, PHASES)
    assert [(column.phase, column.first, column.n) for column in columns] == [("", 0, 1), ("radiotherapy", 4, 3)]
    assert sores.cells == (SymptomCell(1, 1), SymptomCell(2, 3))
    assert [cell.share for cell in sores.cells] == [None, 2 / 3]
    assert temp.cells == (SymptomCell(0, 0), SymptomCell(1, 2))
    assert [cell.share for cell in temp.cells] == [None, None]
    assert (sores.highest, temp.highest) == (2 / 3, 0)


def test_follow_up_questions_and_questions_of_two_answers_are_left_out(catalogue: Catalogue) -> None:
    found = {item.id for item in symptom_items(catalogue.instruments["npc_checkin"])}
    assert {"sores", "bleed", "swallow", "weak"} <= found
    assert not found & {"sores_int", "bleed_now", "tissue", "selfharm", "weight", "free_text"}
