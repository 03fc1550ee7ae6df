"""The board through a filter: a study, a level, an owner. Every count is taken from what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.alerts.alert_list import AlertCase
from pro.features.dashboard.dashboard import Board
from pro.features.schedule import overdue_forms
from pro.features.schedule.overdue_forms import Awaited
from pro.features.text_messages import failed_messages
from pro.features.text_messages.failed_messages import Failed
from pro.features.text_messages.threads import Inbox
from pro.models import Participant

OWNERS = ("me", "nobody", "others")


@dataclass(frozen=True, slots=True)
class Narrow:
    """What to show; empty: everything. ``study``: a plan's id. ``owner``: one of OWNERS, seen from who is signed in."""

    study: str = ""
    level: Level | None = None
    owner: str = ""

    @property
    def is_set(self) -> bool:
        """True if anything may be left out."""
        return bool(self.study or self.level is not None or self.owner)


class _Row(Protocol):
    @property
    def participant_id(self) -> int: ...


Row = TypeVar("Row", bound=_Row)


def narrowed(work: UnitOfWork, board: Board, narrow: Narrow, language: str) -> Board:
    """``board`` with the rows that ``narrow`` asks for.

    What is about no participant (gaps, drills, texts of unknown numbers, a mail to staff that failed) belongs to every
    study. A row without a level or an owner is left out where one is asked for; "nobody" keeps it. A loud text of an
    unknown number always stays.
    """
    if not narrow.is_set:
        return board
    inside = _inside(work, board, narrow.study)

    def kept(rows: Iterable[Row], level: Level | None = None) -> list[Row]:
        leveled = narrow.level is None or narrow.level == level
        owned = narrow.owner in ("", "nobody")
        return [row for row in rows if leveled and owned and _about(row.participant_id, inside)]

    def taken(rows: list[AlertCase]) -> list[AlertCase]:
        return [case for case in rows if _fits(work, case, narrow) and _about(case.participant_id, inside)]

    plain = narrow.level is None and narrow.owner in ("", "nobody")
    return replace(
        board,
        unacknowledged=taken(board.unacknowledged),
        in_hand=taken(board.in_hand),
        failed=_failed(work, board, narrow, language) if plain else Failed([], 0),
        awaited=_awaited(work, board, narrow, language),
        tasks=kept(board.tasks),
        locked_cards=kept(board.locked_cards),
        papers=kept(board.papers),
        endoscopies=kept(board.endoscopies),
        serious=kept(board.serious),
        texts=Inbox(
            # A loud one that nobody has filed may be anybody's emergency: no filter hides it.
            unmatched=[
                row
                for row in board.texts.unmatched
                if row.text.level >= Level.URGENT or narrow.level in (None, row.text.level)
            ],
            threads=[row for row in board.texts.threads if kept([row], row.level)],
        ),
    )


def _failed(work: UnitOfWork, board: Board, narrow: Narrow, language: str) -> Failed:
    return failed_messages.failed(work, language, narrow.study) if narrow.study else board.failed


def _awaited(work: UnitOfWork, board: Board, narrow: Narrow, language: str) -> Awaited:
    """Those of a study are read again: the first of all studies may be none of its own."""
    if narrow.level is not None or narrow.owner not in ("", "nobody"):
        return overdue_forms.NOTHING
    return overdue_forms.overdue_forms(work, language, narrow.study) if narrow.study else board.awaited


def _fits(work: UnitOfWork, case: AlertCase, narrow: Narrow) -> bool:
    if narrow.level is not None and case.level != narrow.level:
        return False
    mine = case.holder_id is not None and case.holder_id == work.actor.id
    fits = {"": True, "me": mine, "nobody": case.holder_id is None, "others": case.holder_id is not None and not mine}
    return fits[narrow.owner]


def _about(participant_id: int | None, inside: set[int] | None) -> bool:
    return inside is None or participant_id is None or participant_id in inside


def _inside(work: UnitOfWork, board: Board, study: str) -> set[int] | None:
    """Whose rows belong to ``study``; None for everybody's."""
    if not study:
        return None
    lists: tuple[Iterable[_Row], ...] = (
        board.unacknowledged,
        board.in_hand,
        board.papers,
        board.tasks,
        board.locked_cards,
        board.endoscopies,
        board.serious,
        board.texts.threads,
    )
    known = {row.participant_id for rows in lists for row in rows}
    query = select(Participant.id).where(Participant.id.in_(known), Participant.plan == study)
    return set(work.session.scalars(query))
