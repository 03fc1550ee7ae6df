"""The board through a filter: a study, a level, an owner. Every count is taken from what is left."""

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
    """What to show; empty: everything. ``study``: a plan's id. ``owner``: one of OWNERS, seen from who is signed in."""

    study: str = ""
    level: Level | None = None
    owner: str = ""

    @property
    def is_set(self) -> bool:
        """True if anything may be left out."""
        return bool(self.study or self.level is not None or self.owner)


class _ParticipantRow(Protocol):
    @property
    def participant_id(self) -> int: ...


Row = TypeVar("Row", bound=_ParticipantRow)


def filter_to_do_list(work: UnitOfWork, to_do_list: ToDoList, to_do_filter: ToDoFilter, language: str) -> ToDoList:
    """``board`` with the rows that ``narrow`` asks for.

    What is about no participant (gaps, drills, texts of unknown numbers, a mail to staff that failed) belongs to every
    study. A row without a level or an owner is left out where one is asked for; "nobody" keeps it. A loud text of an
    unknown number always stays.
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
        endoscopies=filter_rows(to_do_list.endoscopies),
        serious=filter_rows(to_do_list.serious),
        texts=Inbox(
            # A loud one that nobody has filed may be anybody's emergency: no filter hides it.
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
    return (
        failed_messages.list_failed_messages(work, language, to_do_filter.study)
        if to_do_filter.study
        else to_do_list.failed
    )


def _filter_overdue(
    work: UnitOfWork, to_do_list: ToDoList, to_do_filter: ToDoFilter, language: str
) -> OutstandingForms:
    """Those of a study are read again: the first of all studies may be none of its own."""
    if to_do_filter.level is not None or to_do_filter.owner not in ("", "nobody"):
        return outstanding_forms.NO_OUTSTANDING_FORMS
    return (
        outstanding_forms.read_outstanding_forms(work, language, to_do_filter.study)
        if to_do_filter.study
        else to_do_list.awaited
    )


def _matches_filter(work: UnitOfWork, case: AlertCase, to_do_filter: ToDoFilter) -> bool:
    if to_do_filter.level is not None and case.level != to_do_filter.level:
        return False
    mine = case.owner_id is not None and case.owner_id == work.actor.id
    fits = {"": True, "me": mine, "nobody": case.owner_id is None, "others": case.owner_id is not None and not mine}
    return fits[to_do_filter.owner]


def _is_included(participant_id: int | None, inside: set[int] | None) -> bool:
    return inside is None or participant_id is None or participant_id in inside


def _participants_of_study(work: UnitOfWork, to_do_list: ToDoList, study: str) -> set[int] | None:
    """Whose rows belong to ``study``; None for everybody's."""
    if not study:
        return None
    lists: tuple[Iterable[_ParticipantRow], ...] = (
        to_do_list.unacknowledged,
        to_do_list.in_progress,
        to_do_list.papers,
        to_do_list.tasks,
        to_do_list.locked_cards,
        to_do_list.endoscopies,
        to_do_list.serious,
        to_do_list.texts.conversations,
    )
    known = {row.participant_id for rows in lists for row in rows}
    query = select(Participant.id).where(Participant.id.in_(known), Participant.plan == study)
    return set(work.session.scalars(query))
