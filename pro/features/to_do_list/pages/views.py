"""View of the to-do list with its filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask import render_template, request
from flask.typing import ResponseReturnValue

from pro.core.rule_language.level import Level
from pro.features.accounts.pages.page_guard import SignedInStaff, staff_blueprint, staff_page
from pro.features.alerts.alert_list import AlertCase
from pro.features.participants import treatment_phases
from pro.features.schedule.pages.labels import phase_shown
from pro.features.to_do_list import to_do_entries, to_do_filter, to_do_list
from pro.features.to_do_list.to_do_entries import ToDoEntry
from pro.features.to_do_list.to_do_filter import ToDoFilter
from pro.web import labels, request_context
from pro.web.refusals import N_

# Values of ``show`` beside the kinds of entries: every open form, which the list itself leaves out.
OPEN_FORMS = "forms"
# More rows of these kinds would hide the others; the rest is on a page of their own.
MOST_ROWS = {"today": 10, "missed": 5, "queries": 5}


@staff_page(
    staff_blueprint,
    "/",
    endpoint="to_do_list",
    right="see_to_do_list",
    title=N_("To do"),
    section="to_do_list",
    menu=10,
    way_back=N_("To do"),
)
def show_to_do_list(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the to-do list in three groups by when, the most urgent entries first.

    ``show`` in the address selects one kind of entry, ``mine`` what is the reader's own; ``study``, ``level`` and
    ``owner`` filter every list and the counts.
    """
    work, language = request_context.work(), request_context.language()
    whole = to_do_list.read_to_do_list(work, language)
    narrow = _filter_of_address()
    filtered = to_do_filter.filter_to_do_list(work, whole, narrow, language)
    everything = to_do_entries.list_entries(work, whole, labels.act_by)
    selected = to_do_entries.list_entries(work, filtered, labels.act_by)
    own = [entry for entry in selected if entry.mine]
    mine = request.args.get("mine") == "1"
    shown = own if mine else selected
    show = request.args.get("show", "")
    show = show if show in to_do_entries.KINDS or show == OPEN_FORMS else ""
    unlisted = to_do_entries.count_unlisted(filtered)
    counts = to_do_entries.count_kinds(shown, unlisted)
    of_rows = [entry.row for entry in shown] if show != OPEN_FORMS else filtered.awaited.forms
    groups = {group: _rows_of_group(shown, group, show) for group in to_do_entries.GROUPS}
    listed = Counter(entry.kind for rows in groups.values() for entry in rows)
    return render_template(
        "to_do_list/to_do_list.html",
        board=filtered,
        show=show,
        mine=mine,
        numbers=[sum(to_do_entries.count_kinds(found, unlisted).values()) for found in (own, selected)],
        counts=counts,
        groups=groups,
        listed=listed,
        cut=_count_cut(counts, listed, show),
        phases=_phases(of_rows),
        narrow=narrow,
        kept=_filter_parameters(narrow, mine),
        studies=[
            (plan, request_context.app_context().catalogue.plan_words[plan, language].title)
            for plan in request_context.app_context().catalogue.plans
        ],
        to_do_now=sum(entry.group == to_do_entries.NOW for entry in everything),
        left_out=_count_unacknowledged(everything) - _count_unacknowledged(shown),
        loud=sum(case.level == Level.EMERGENCY for case in whole.unacknowledged)
        + sum(row.text.level == Level.EMERGENCY for row in whole.texts.unmatched),
    )


def _phases(rows: Sequence[object]) -> dict[int, str]:
    """Return participant id -> phase in words, of the participants of ``rows``."""
    work = request_context.work()
    known = {number for row in rows if (number := getattr(row, "participant_id", None)) is not None}
    return {person.id: phase_shown(person.plan, phase) for person, phase in treatment_phases.phases_of(work, known)}


def _filter_parameters(narrow: ToDoFilter, mine: bool) -> dict[str, str | None]:
    """Return the parameters of the address that links to other kinds of entries keep; None is left out."""
    return {
        "study": narrow.study or None,
        "level": narrow.level.word if narrow.level else None,
        "owner": narrow.owner or None,
        "mine": "1" if mine else None,
    }


def _rows_of_group(entries: list[ToDoEntry], group: str, show: str) -> list[ToDoEntry]:
    """Return the entries of ``group`` that are shown: of ``show`` all, else the first of kinds that are many."""
    found, number = [], Counter[str]()
    for entry in entries:
        number[entry.kind] += 1
        if entry.group != group or show not in ("", entry.kind):
            continue
        if show or number[entry.kind] <= MOST_ROWS.get(entry.kind, number[entry.kind]):
            found.append(entry)
    return found


def _count_cut(counts: dict[str, int], listed: Counter[str], show: str) -> dict[str, int]:
    """Return kind -> number of entries that are counted and not listed, of the kinds that are shown."""
    shown = {kind: number - listed[kind] for kind, number in counts.items() if show in ("", kind)}
    return {kind: more for kind, more in shown.items() if more > 0}


def _count_unacknowledged(entries: list[ToDoEntry]) -> int:
    return sum(isinstance(entry.row, AlertCase) and entry.row.acknowledged_by is None for entry in entries)


def _filter_of_address() -> ToDoFilter:
    """Return the filter of the address, without unknown values."""
    study, level, owner = (request.args.get(name, "") for name in ("study", "level", "owner"))
    levels = {found.word: found for found in (Level.EMERGENCY, Level.URGENT, Level.WATCH)}
    return ToDoFilter(
        study=study if study in request_context.app_context().catalogue.plans else "",
        level=levels.get(level),
        owner=owner if owner in to_do_filter.OWNERS else "",
    )
