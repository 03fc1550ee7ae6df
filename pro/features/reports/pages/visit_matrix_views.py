"""The staff page of the visit matrix: participants by visits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.core.schedule import treatment_phase
from pro.core.schedule.visit_columns import COURSE, LATER
from pro.core.study_plan import PlanWords
from pro.features.accounts.pages.page_guard import SignedInStaff, staff_page
from pro.features.reports import study_overview, visit_matrix
from pro.features.reports.visit_matrix import (
    BEFORE,
    LEFT,
    ULCER,
    Cell,
    CellMark,
    MatrixFilter,
    VisitMatrix,
)
from pro.features.schedule.outstanding_forms import FormToDo
from pro.web import labels as web_labels
from pro.web import request_context
from pro.web.labels import word
from pro.web.refusals import N_, NP_

pages = Blueprint("visits", __name__, url_prefix="/visits")

# Participants whose forms to do are listed above the matrix; the page of all forms to do has the others.
LISTED = 8
# Names of the address that keep the filter.
FILTER_NAMES = ("plan", "part", "phase", "state", "form", "find", "order")

# A form in a cell, as the key and the reader of a screen say it.
CELL_STATES: Mapping[str, str] = {
    "on_time": N_("received in the window"),
    "late": N_("received out of window"),
    "partial": N_("partially completed, not submitted"),
    "open": NP_("form state", "open"),
    "today": N_("closes today"),
    "missed": N_("missed, reason recorded"),
    "unexplained": N_("missed, no reason recorded"),
    "optional": N_("optional, not answered"),
    "not_yet": N_("not open yet"),
    "not_asked": N_("not asked any more"),
}
GROUPS: Mapping[str, str] = {
    BEFORE: N_("Before treatment"),
    treatment_phase.DISCONTINUED: N_("Early discontinuation of treatment"),
    ULCER: N_("Suspected or confirmed ulcer"),
    LEFT: N_("Participation ended"),
}
TODO_STATES: Mapping[str, str] = {
    "needs": N_("Needs action"),
    "today": N_("Closes today"),
    "unexplained": N_("No reason recorded"),
}
# Parts of the schedule; a period by its id in the plan file.
PARTS: Mapping[str, str] = {
    COURSE: N_("Treatment, up to month 6"),
    LATER: N_("Maintenance and follow-up"),
    "ulcer": N_("During an ulcer"),
}
web_labels.add_tables(
    {"visit_cell": CELL_STATES, "matrix_group": GROUPS, "visit_state": TODO_STATES, "matrix_part": PARTS}
)


@staff_page(
    pages,
    "",
    endpoint="show",
    right="see_dates",
    title=N_("Visits"),
    menu=33,
    way_back=N_("the visits"),
)
def show_visits(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the matrix. The address holds the filter: the names of ``FILTER_NAMES`` and ``page``."""
    plans = request_context.app_context().catalogue.plans
    plan = plans.get(request.args.get("plan", ""), next(iter(plans.values())))
    stored = study_overview.latest_figures(request_context.work(), plan.id)
    figures = stored.figures if stored else None
    matrix = visit_matrix.read_matrix(request_context.work(), plan, _chosen_filter(), figures)
    words = request_context.app_context().catalogue.plan_words[plan.id, request_context.language()]
    total = study_overview.total_row(figures.visits) if figures else None
    shown: dict[str, Any] = {"study": plan, "plans": plans, "matrix": matrix, "stored": stored, "total": total}
    if matrix is not None:
        shown |= _words_shown(matrix, words)
        shown |= {
            "circle": plan.checkin,
            "people_to_do": _by_participant(matrix),
            "listed": LISTED,
            "instruments": plan.instruments,
        }
    return render_template("reports/visit_matrix.html", **shown)


def _chosen_filter() -> MatrixFilter:
    """Return the filter of the address; unknown values are as if left out."""
    given, number = request.args, request.args.get("page", "")
    return MatrixFilter(
        part=given.get("part", "")[:64] or COURSE,
        phase=given.get("phase", "")[:64],
        state=given["state"] if given.get("state") in TODO_STATES else "",
        instrument=given.get("form", "")[:64],
        find=given.get("find", "")[:64],
        order=given.get("order", "")[:16],
        page=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1,
    )


def _by_participant(matrix: VisitMatrix) -> list[list[FormToDo]]:
    """Return the forms to do of the participants that are found, grouped, the most urgent participant first."""
    groups: dict[int, list[FormToDo]] = {}
    for one in matrix.to_do:
        groups.setdefault(one.participant_id, []).append(one)
    return list(groups.values())


def _words_shown(matrix: VisitMatrix, words: PlanWords) -> dict[str, Any]:
    """Return the functions with which the template puts the matrix into words."""
    catalogue, language = request_context.app_context().catalogue, request_context.language()

    def group_name(group: str) -> str:
        if group in ("", *GROUPS):
            return word("matrix_group", group or BEFORE)
        return words.phases[group] if group in words.phases else word("matrix_part", group)

    def mark_words(mark: CellMark) -> str:
        return f"{catalogue.staff_title(mark.instrument, language)} {word('visit_cell', mark.state)}"

    def cell_words(cell: Cell) -> str:
        if not cell.marks:
            return word("visit_cell", cell.state)
        return request_context.translator().gettext(", ").join(mark_words(mark) for mark in cell.marks)

    def link(**changed: Any) -> str:
        kept: dict[str, Any] = {name: request.args.get(name) or None for name in FILTER_NAMES}
        return url_for("staff.visits.show", **(kept | changed))

    return {
        "group_name": group_name,
        "cell_words": cell_words,
        "link": link,
        "head": lambda column: words.column(column.kind, column.number, column.days),
        "visit_name": lambda one: words.visit(one.kind, one.number),
        "form_title": lambda name: catalogue.staff_title(name, language),
        "column_groups": [
            (group, len(list(of))) for group, of in groupby(matrix.columns, key=lambda column: column.group)
        ],
        "first_of_group": {next(of).key for _group, of in groupby(matrix.columns, key=lambda column: column.group)},
    }
