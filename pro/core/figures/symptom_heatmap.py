"""Symptom heat map: the worst answer of each week since the baseline.

A missing answer never looks like zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pro.core.questionnaire.instrument import Answers, Instrument, Item

# given: answered with ``code``. skipped: asked and skipped. unanswered: asked and not reached. missed: the whole form
# is missing. not_asked: not asked, so nothing is missing.
CellState = Literal["given", "skipped", "unanswered", "missed", "not_asked"]
# Shades of a cell: 0 for the mildest answer, HUES for the worst option.
HUES = 4
BASELINE = 0


@dataclass(frozen=True, slots=True)
class HeatmapForm:
    """One answered form: its column, its current answers, and the items that were asked."""

    column: int
    answers: Answers
    asked: Collection[str]


@dataclass(frozen=True, slots=True)
class HeatmapCell:
    """One item in one week; ``hue``: 0 to 4; 0 unless given."""

    state: CellState
    code: int | None = None
    hue: int = 0


@dataclass(frozen=True, slots=True)
class HeatmapRow:
    """One item over all columns; ``quiet``: only mildest answers, or none."""

    item: str
    cells: tuple[HeatmapCell, ...]
    quiet: bool


MISSED, NOT_ASKED = HeatmapCell("missed"), HeatmapCell("not_asked")


def week_of(on: date, origin: date) -> int:
    """Return the column of a day: 1 for the seven days from ``origin`` on, BASELINE before."""
    return max(BASELINE, (on - origin).days // 7 + 1)


def heatmap_rows(
    instrument: Instrument, answered_forms: Iterable[HeatmapForm], missed: Collection[int], columns: Sequence[int]
) -> tuple[HeatmapRow, ...]:
    """Return one row for each choice item of ``instrument``, in its order.

    ``missed``: columns in which a form was missed; a column with an answered form shows that form instead.
    """
    forms: dict[int, list[HeatmapForm]] = {}
    for form in answered_forms:
        forms.setdefault(form.column, []).append(form)
    found = []
    for item in instrument.items.values():
        if item.kind != "choice":
            continue
        lists = [other.id for other in instrument.items.values() if item.id in other.lists]
        cells = tuple(_heatmap_cell(item, lists, forms.get(column), column in missed) for column in columns)
        quiet = all(cell.state in ("not_asked", "missed") or _is_mildest(item, cell) for cell in cells)
        found.append(HeatmapRow(item.id, cells, quiet))
    return tuple(found)


def worst_of_week(item: Item, codes: Iterable[int]) -> int | None:
    """Return the worst of ``codes``: the highest in severity order; None without codes.

    A code without a rank is worse than the mildest answer only.
    """
    given = set(codes)
    ordered = [code for code in item.ordinal_codes if code in given]
    other = [code for code in given if code not in item.ordinal_codes]
    if ordered and (ordered[-1] != item.ordinal_codes[0] or not other):
        return ordered[-1]
    return other[0] if other else None


def cell_colour(item: Item, code: int) -> int:
    """Return the shade of an answer: 0 for the mildest, HUES for the worst option of the item.

    A code without a rank has shade 1.
    """
    if code not in item.ordinal_codes:
        return 1
    rank, top = item.ordinal_codes.index(code), len(item.ordinal_codes) - 1
    return -(-rank * HUES // top) if top else 0


def asked_items(instrument: Instrument, answers: Answers, on_path: Iterable[str]) -> frozenset[str]:
    """Return the items that were asked: on the path, answered, or on a list that was skipped."""
    found = {*on_path, *answers}
    for item in instrument.items.values():
        if item.kind == "list" and item.id in found and answers.get(item.id) is None:
            found.update(item.lists)
    return frozenset(found)


def _heatmap_cell(item: Item, lists: Collection[str], forms: Sequence[HeatmapForm] | None, missed: bool) -> HeatmapCell:
    """Return the cell of one item in one column; ``lists``: the lists that contain the item."""
    if not forms:
        return MISSED if missed else NOT_ASKED
    given = [form.answers.get(item.id) for form in forms if item.id in form.asked]
    code = worst_of_week(item, [value for value in given if isinstance(value, int)])
    if code is not None:
        return HeatmapCell("given", code, cell_colour(item, code))
    if not given:
        return NOT_ASKED
    # If the list itself was skipped, the answers to its items are not known.
    skipped = any(name in form.answers for form in forms for name in (item.id, *lists))
    return HeatmapCell("skipped" if skipped else "unanswered")


def _is_mildest(item: Item, cell: HeatmapCell) -> bool:
    """Return True if the cell shows the mildest answer."""
    return cell.state == "given" and cell.code == item.ordinal_codes[0]
