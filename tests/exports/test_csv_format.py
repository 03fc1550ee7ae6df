"""Test CSV output: spreadsheets open it correctly and run no formulas."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.exports.csv_format import FORMULA, escape_formula, rows_to_csv

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


def test_the_file_has_its_mark_and_lines_as_rfc_4180_says() -> None:
    assert rows_to_csv(["a", "b"], [['x "y"', "1,2"]]) == b'\xef\xbb\xbfa,b\r\n"x ""y""","1,2"\r\n'


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", "\tx", "  =1", "\n=1", "＝1", "＠x", "\u3000=1", "\ufeff=1"]
)
def test_what_could_run_does_not(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=b", "2026-03-02", "疼痛: 0"])
def test_the_rest_stays(cell: str) -> None:
    assert escape_formula(cell) == cell


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=5))
def test_every_row_comes_back(rows: list[list[str]]) -> None:
    text = rows_to_csv(["a", "b"], rows).decode("utf-8-sig")
    back = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert back == [[escape_formula(cell) for cell in row] for row in rows]
    assert not any(cell.strip().startswith(FORMULA) for row in back for cell in row)
