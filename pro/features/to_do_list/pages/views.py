"""View of the to-do list with its filters."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from pro.core.rule_language.level import Level
from pro.features.accounts.pages.page_guard import SignedInStaff, staff_blueprint, staff_page
from pro.features.to_do_list import to_do_filter, to_do_list
from pro.features.to_do_list.to_do_filter import ToDoFilter
from pro.web import request_context
from pro.web.refusals import N_

# Values of ``show``: the lists that can be shown alone.
FILTERS = (
    "unacknowledged",
    "in_hand",
    "texts",
    "calls",
    "cards",
    "messages",
    "papers",
    "today",
    "forms",
    "missed",
    "endoscopies",
    "serious",
)


@staff_page(
    staff_blueprint,
    "/",
    endpoint="board",
    right="see_board",
    title=N_("To do"),
    section="board",
    menu=10,
    way_back=N_("To do"),
)
def show_to_do_list(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the to-do list, the most urgent entries first.

    ``show`` in the address selects one list; ``study``, ``level`` and ``owner`` filter every list and the counts.
    """
    show = request.args.get("show", "")
    whole = to_do_list.read_to_do_list(request_context.work(), request_context.language())
    narrow = _filter_of_address()
    filtered = to_do_filter.filter_to_do_list(request_context.work(), whole, narrow, request_context.language())
    return render_template(
        "to_do_list/to_do_list.html",
        board=filtered,
        show=show if show in FILTERS else "",
        narrow=narrow,
        studies=[
            (plan, request_context.app_context().catalogue.plan_words[plan, request_context.language()].title)
            for plan in request_context.app_context().catalogue.plans
        ],
        left_out=len(whole.unacknowledged) - len(filtered.unacknowledged),
        loud=sum(case.level == Level.EMERGENCY for case in whole.unacknowledged)
        + sum(row.text.level == Level.EMERGENCY for row in whole.texts.unmatched),
    )


def _filter_of_address() -> ToDoFilter:
    """Return the filter of the address, without unknown values."""
    study, level, owner = (request.args.get(name, "") for name in ("study", "level", "owner"))
    levels = {found.word: found for found in (Level.EMERGENCY, Level.URGENT, Level.WATCH)}
    return ToDoFilter(
        study=study if study in request_context.app_context().catalogue.plans else "",
        level=levels.get(level),
        owner=owner if owner in to_do_filter.OWNERS else "",
    )
