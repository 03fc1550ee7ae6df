"""The board: what needs somebody now, read from every study that this installation runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pro.services import (
    awaited,
    calls,
    cards,
    cases,
    corrections,
    drills,
    duties,
    endoscopies,
    failed_messages,
    roster_days,
    serious,
    sheets,
    staffing,
    threads,
)
from pro.services.awaited import Awaited
from pro.services.calls import TaskRow
from pro.services.cards import LockedCard
from pro.services.cases import Case
from pro.services.drills import Standing
from pro.services.endoscopies import EndoscopyDue
from pro.services.failed_messages import Failed
from pro.services.roster_days import Gap
from pro.services.serious import SeriousDue
from pro.services.sheets import PaperRow
from pro.services.threads import Inbox
from pro.work import Work


@dataclass(frozen=True, slots=True)
class DutyNow:
    """Who holds a place on the ladder now."""

    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Board:
    """What needs somebody now. ``gaps``: when nobody is on call within a week, the next one first; ``drills``: test
    alerts to confirm or to mend; ``texts``: what was written to us and nobody has read;
    ``locked_cards``: for those who may make new ones.
    ``endoscopies``: asked for, late. ``serious``: adverse events to report, for those who may see them.
    """

    unacknowledged: list[Case]
    in_hand: list[Case]
    failed: Failed
    awaited: Awaited
    tasks: list[TaskRow]
    on_duty: list[DutyNow]
    investigators: list[str]
    gaps: list[Gap]
    drills: list[Standing]
    texts: Inbox
    papers: list[PaperRow]
    locked_cards: list[LockedCard]
    corrections: int
    endoscopies: list[EndoscopyDue]
    serious: list[SeriousDue]
    now: datetime


def board(work: Work, language: str = "zh_Hans") -> Board:
    """The board of every study that this installation runs."""
    open_cases = cases.open_cases(work, language)
    roster = duties.read(work)
    on_duty = [
        DutyNow(place, person.name)
        for plan_id in work.catalogue.plans
        for place in ("on_call", "backup")
        for person in roster.on_duty(plan_id, place, work.now)
    ]
    return Board(
        unacknowledged=[case for case in open_cases if case.acknowledged_by is None],
        in_hand=[case for case in open_cases if case.acknowledged_by is not None],
        failed=failed_messages.failed(work, language),
        awaited=awaited.awaited(work, language),
        tasks=calls.due_tasks(work, language),
        on_duty=on_duty,
        investigators=[person.name for person in roster.with_role("investigator", work.now)],
        gaps=roster_days.gaps_of_all(work),
        drills=drills.standing(work),
        texts=_texts(work),
        papers=sheets.papers(work, language),
        locked_cards=cards.locked(work) if staffing.may(work.actor.role, "make_card") else [],
        corrections=corrections.waiting(work),
        endoscopies=endoscopies.due(work),
        serious=serious.unreported(work, language) if staffing.may(work.actor.role, "see_events") else [],
        now=work.now,
    )


def _texts(work: Work) -> Inbox:
    """What waits to be read, for those who may read it."""
    if not staffing.may(work.actor.role, "see_inbox"):
        return Inbox([], [])
    return threads.inbox(work, unread_only=True)
