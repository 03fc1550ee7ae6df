"""A symptom heat map: the worst answer of each week since the baseline. Missing is never like zero."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pro.core.questionnaire.instrument import Answers, Instrument, Item

# given: ``code`` holds. skipped: asked and left out on purpose. unanswered: asked, and never reached. missed: the whole
# form stayed empty. not_asked: nobody asked, so nothing is missing.
CellState = Literal["given", "skipped", "unanswered", "missed", "not_asked"]
# From a rank of 0 (the mildest answer) to HUES (the worst that can be chosen): how dark a cell is.
HUES = 4
BASELINE = 0


@dataclass(frozen=True, slots=True)
class HeatmapForm:
    """One answered form: the column it falls into, its standing answers, and the items that were asked."""

    column: int
    answers: Answers
    asked: Collection[str]


@dataclass(frozen=True, slots=True)
class HeatmapCell:
    """One item in one week. ``hue``: 0 to 4; 0 unless given."""

    state: CellState
    code: int | None = None
    hue: int = 0


@dataclass(frozen=True, slots=True)
class HeatmapRow:
    """One item over all columns. ``quiet``: nothing but the mildest answer, or not asked."""

    item: str
    cells: tuple[HeatmapCell, ...]
    quiet: bool


MISSED, NOT_ASKED = HeatmapCell("missed"), HeatmapCell("not_asked")


def week_of(on: date, origin: date) -> int:
    """The column of a day: 1 for the seven days that begin with ``origin``; BASELINE for every day before."""
    return max(BASELINE, (on - origin).days // 7 + 1)


def heatmap_rows(
    instrument: Instrument, answered_forms: Iterable[HeatmapForm], missed: Collection[int], columns: Sequence[int]
) -> tuple[HeatmapRow, ...]:
    """One row for each choice of ``instrument``, in its order. ``missed``: columns in which a form stayed empty.

    A column with an answered form shows that; only where there is none it is a missed one.
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
    """The worst of ``codes``: the highest on the order; one that has no place on it beats only the mildest."""
    given = set(codes)
    ordered = [code for code in item.ordinal_codes if code in given]
    other = [code for code in given if code not in item.ordinal_codes]
    if ordered and (ordered[-1] != item.ordinal_codes[0] or not other):
        return ordered[-1]
    return other[0] if other else None


def cell_colour(item: Item, code: int) -> int:
    """How dark an answer is: 0 for the mildest, HUES for the worst of the item; 1 for one without a place."""
    if code not in item.ordinal_codes:
        return 1
    rank, top = item.ordinal_codes.index(code), len(item.ordinal_codes) - 1
    return -(-rank * HUES // top) if top else 0


def asked_items(instrument: Instrument, answers: Answers, on_path: Iterable[str]) -> frozenset[str]:
    """Items that were asked: on the path, answered, or on a list that was left out as a whole."""
    found = {*on_path, *answers}
    for item in instrument.items.values():
        if item.kind == "list" and item.id in found and answers.get(item.id) is None:
            found.update(item.lists)
    return frozenset(found)


def _heatmap_cell(item: Item, lists: Collection[str], forms: Sequence[HeatmapForm] | None, missed: bool) -> HeatmapCell:
    if not forms:
        return MISSED if missed else NOT_ASKED
    given = [form.answers.get(item.id) for form in forms if item.id in form.asked]
    code = worst_of_week(item, [value for value in given if isinstance(value, int)])
    if code is not None:
        return HeatmapCell("given", code, cell_colour(item, code))
    if not given:
        return NOT_ASKED
    # Where the list itself was left out, nothing is known about what stands on it.
    skipped = any(name in form.answers for form in forms for name in (item.id, *lists))
    return HeatmapCell("skipped" if skipped else "unanswered")


def _is_mildest(item: Item, cell: HeatmapCell) -> bool:
    return cell.state == "given" and cell.code == item.ordinal_codes[0]
