"""Test the worst answer of each week, and the four reasons for none."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from pro.catalogue import read_instruments
from pro.core.figures import symptom_heatmap
from pro.core.figures.symptom_heatmap import HeatmapForm

CHECKIN = read_instruments(Path("pro/data/instruments"))["npc_checkin"]
ORIGIN = date(2026, 12, 21)


def row(item: str, said: list[HeatmapForm], missed: set[int], columns: list[int]) -> list[object]:
    """Return an item's row: its codes, or the reasons for none."""
    found = {one.item: one for one in symptom_heatmap.heatmap_rows(CHECKIN, said, missed, columns)}[item]
    return [cell.code if cell.state == "given" else cell.state for cell in found.cells]


@pytest.mark.parametrize(("days", "week"), [(-20, 0), (-1, 0), (0, 1), (6, 1), (7, 2), (700, 101)])
def test_weeks_count_from_the_first_day(days, week):
    assert symptom_heatmap.week_of(ORIGIN + timedelta(days=days), ORIGIN) == week


def test_the_worst_of_a_week_and_every_kind_of_nothing():
    said = [
        HeatmapForm(1, {"odor": 1}, {"odor"}),
        HeatmapForm(1, {"odor": 3}, {"odor"}),
        HeatmapForm(2, {"odor": None}, {"odor"}),
        HeatmapForm(3, {"bleed": 0}, {"bleed", "odor"}),
        HeatmapForm(5, {"bleed": 0}, {"bleed"}),
    ]
    assert row("odor", said, {4}, [1, 2, 3, 4, 5]) == [3, "skipped", "unanswered", "missed", "not_asked"]


def test_an_answer_beats_a_form_that_was_missed_in_the_same_week():
    assert row("odor", [HeatmapForm(1, {"odor": 0}, {"odor"})], {1}, [1]) == [0]


def test_a_list_left_out_as_a_whole_leaves_out_what_stands_on_it():
    answers = {"other7": None}
    said = [HeatmapForm(1, answers, symptom_heatmap.asked_items(CHECKIN, answers, ["other7"]))]
    assert row("fatigue", said, set(), [1]) == ["skipped"]
    assert row("odor", said, set(), [1]) == ["not_asked"]


@pytest.mark.parametrize(("codes", "worst"), [([0, 1, 3], 3), ([0, 9], 9), ([1, 9], 1), ([9], 9), ([0], 0), ([], None)])
def test_felt_hot_without_measuring_beats_only_no_fever(codes, worst):
    assert symptom_heatmap.worst_of_week(CHECKIN.items["temp"], codes) == worst


def test_the_darkest_cell_is_the_worst_answer_of_any_item():
    shades = {
        name: [symptom_heatmap.cell_colour(CHECKIN.items[name], code) for code in CHECKIN.items[name].codes]
        for name in ("bleed", "odor", "jaundice", "temp")
    }
    assert shades == {"bleed": [0, 1, 2, 3, 4], "odor": [0, 2, 3, 4], "jaundice": [0, 4], "temp": [0, 2, 3, 4, 1]}


def test_a_row_is_quiet_only_while_nothing_but_the_mildest_was_said():
    rows = {
        one.item: one.quiet
        for one in symptom_heatmap.heatmap_rows(
            CHECKIN,
            [HeatmapForm(1, {"odor": 0, "bleed": 1, "breath": None}, {"odor", "bleed", "breath"})],
            {2},
            [1, 2],
        )
    }
    assert (rows["odor"], rows["bleed"], rows["breath"], rows["fatigue"]) == (True, False, False, True)
