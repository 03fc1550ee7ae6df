"""Filter the to-do list by study, level and owner. Counts follow the filtered rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.alerts.alert_list import AlertCase
from pro.features.schedule import outstanding_forms
from pro.features.schedule.outstanding_forms import OutstandingForms
from pro.features.text_messages import failed_messages
from pro.features.text_messages.conversations import Inbox
from pro.features.text_messages.failed_messages import FailedMessageList
from pro.features.to_do_list.to_do_list import ToDoList
from pro.models import Participant

OWNERS = ("me", "nobody", "others")


@dataclass(frozen=True, slots=True)
class ToDoFilter:
    """Criteria of the to-do list; an empty one shows everything.

    ``study``: a study plan's id. ``owner``: one of OWNERS, from the view of the acting staff member.
    """

    study: str = ""
    level: Level | None = None
    owner: str = ""

    @property
    def is_set(self) -> bool:
        """True if any criterion is set."""
        return bool(self.study or self.level is not None or self.owner)


class _ParticipantRow(Protocol):
    @property
    def participant_id(self) -> int: ...


Row = TypeVar("Row", bound=_ParticipantRow)


def filter_to_do_list(work: UnitOfWork, to_do_list: ToDoList, to_do_filter: ToDoFilter, language: str) -> ToDoList:
    """Return ``to_do_list`` with the rows that ``to_do_filter`` selects.

    Rows about no participant (roster gaps, test alerts, texts of unknown numbers, failed messages to staff) belong to
    every study. A row without a level or an owner is left out if one is selected, but the owner "nobody" (unassigned)
    keeps it. A text of an unknown number of level urgent or higher always stays.
    """
    if not to_do_filter.is_set:
        return to_do_list
    inside = _participants_of_study(work, to_do_list, to_do_filter.study)

    def filter_rows(rows: Iterable[Row], level: Level | None = None) -> list[Row]:
        leveled = to_do_filter.level is None or to_do_filter.level == level
        owned = to_do_filter.owner in ("", "nobody")
        return [row for row in rows if leveled and owned and _is_included(row.participant_id, inside)]

    def filter_alerts(rows: list[AlertCase]) -> list[AlertCase]:
        return [
            case
            for case in rows
            if _matches_filter(work, case, to_do_filter) and _is_included(case.participant_id, inside)
        ]

    plain = to_do_filter.level is None and to_do_filter.owner in ("", "nobody")
    return replace(
        to_do_list,
        unacknowledged=filter_alerts(to_do_list.unacknowledged),
        in_progress=filter_alerts(to_do_list.in_progress),
        failed=_filter_failed(work, to_do_list, to_do_filter, language) if plain else FailedMessageList([], 0),
        awaited=_filter_overdue(work, to_do_list, to_do_filter, language),
        tasks=filter_rows(to_do_list.tasks),
        locked_cards=filter_rows(to_do_list.locked_cards),
        papers=filter_rows(to_do_list.papers),
        queries=filter_rows(to_do_list.queries),
        endoscopies=filter_rows(to_do_list.endoscopies),
        serious=filter_rows(to_do_list.serious),
        texts=Inbox(
            # An urgent text that is not assigned may come from any participant, so no filter hides it.
            unmatched=[
                row
                for row in to_do_list.texts.unmatched
                if row.text.level >= Level.URGENT or to_do_filter.level in (None, row.text.level)
            ],
            conversations=[row for row in to_do_list.texts.conversations if filter_rows([row], row.level)],
        ),
    )


def _filter_failed(
    work: UnitOfWork, to_do_list: ToDoList, to_do_filter: ToDoFilter, language: str
) -> FailedMessageList:
    """Return the failed messages of the selected study, read again for the right count."""
    return (
        failed_messages.list_failed_messages(work, language, to_do_filter.study)
        if to_do_filter.study
        else to_do_list.failed
    )


def _filter_overdue(
    work: UnitOfWork, to_do_list: ToDoList, to_do_filter: ToDoFilter, language: str
) -> OutstandingForms:
    """Return the outstanding forms of the selected study.

    They are read again, because the unfiltered list holds only the first rows of all studies.
    """
    if to_do_filter.level is not None or to_do_filter.owner not in ("", "nobody"):
        return outstanding_forms.NO_OUTSTANDING_FORMS
    return (
        outstanding_forms.read_outstanding_forms(work, language, to_do_filter.study)
        if to_do_filter.study
        else to_do_list.awaited
    )


def _matches_filter(work: UnitOfWork, case: AlertCase, to_do_filter: ToDoFilter) -> bool:
    """Return True if the level and the owner of ``case`` match."""
    if to_do_filter.level is not None and case.level != to_do_filter.level:
        return False
    mine = case.owner_id is not None and case.owner_id == work.actor.id
    fits = {"": True, "me": mine, "nobody": case.owner_id is None, "others": case.owner_id is not None and not mine}
    return fits[to_do_filter.owner]


def _is_included(participant_id: int | None, inside: set[int] | None) -> bool:
    return inside is None or participant_id is None or participant_id in inside


def _participants_of_study(work: UnitOfWork, to_do_list: ToDoList, study: str) -> set[int] | None:
    """Return the ids of participants of ``study`` on the list; None for all studies."""
    if not study:
        return None
    lists: tuple[Iterable[_ParticipantRow], ...] = (
        to_do_list.unacknowledged,
        to_do_list.in_progress,
        to_do_list.papers,
        to_do_list.queries,
        to_do_list.tasks,
        to_do_list.locked_cards,
        to_do_list.endoscopies,
        to_do_list.serious,
        to_do_list.texts.conversations,
    )
    known = {row.participant_id for rows in lists for row in rows}
    query = select(Participant.id).where(Participant.id.in_(known), Participant.plan == study)
    return set(work.session.scalars(query))
