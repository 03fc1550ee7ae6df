"""The board: what needs somebody now, read from every study that this installation runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pro.app_context import UnitOfWork
from pro.features.accounts import staff_accounts
from pro.features.adverse_events import unreported_events
from pro.features.adverse_events.unreported_events import SeriousDue
from pro.features.alerts import alert_drills, alert_list
from pro.features.alerts.alert_drills import DrillStatus
from pro.features.alerts.alert_list import AlertCase
from pro.features.assessments import corrections as assessments_corrections
from pro.features.assessments import paper_forms
from pro.features.assessments.paper_forms import PaperRow
from pro.features.duty_roster import recipients, roster_calendar
from pro.features.duty_roster.roster_calendar import Gap
from pro.features.forms import access_cards
from pro.features.forms.access_cards import LockedCard
from pro.features.schedule import overdue_forms, phone_calls
from pro.features.schedule.overdue_forms import Awaited
from pro.features.schedule.phone_calls import TaskRow
from pro.features.text_messages import failed_messages, threads
from pro.features.text_messages.failed_messages import Failed
from pro.features.text_messages.threads import Inbox
from pro.features.ulcers import endoscopies as ulcers_endoscopies
from pro.features.ulcers.endoscopies import EndoscopyDue


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

    unacknowledged: list[AlertCase]
    in_hand: list[AlertCase]
    failed: Failed
    awaited: Awaited
    tasks: list[TaskRow]
    on_duty: list[DutyNow]
    investigators: list[str]
    gaps: list[Gap]
    drills: list[DrillStatus]
    texts: Inbox
    papers: list[PaperRow]
    locked_cards: list[LockedCard]
    corrections: int
    endoscopies: list[EndoscopyDue]
    serious: list[SeriousDue]
    now: datetime


def board(work: UnitOfWork, language: str = "zh_Hans") -> Board:
    """The board of every study that this installation runs."""
    open_cases = alert_list.open_cases(work, language)
    roster = recipients.read_duties(work)
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
        awaited=overdue_forms.overdue_forms(work, language),
        tasks=phone_calls.due_tasks(work, language),
        on_duty=on_duty,
        investigators=[person.name for person in roster.with_role("investigator", work.now)],
        gaps=roster_calendar.gaps_of_all(work),
        drills=alert_drills.drill_status(work),
        texts=_texts(work),
        papers=paper_forms.papers(work, language),
        locked_cards=access_cards.locked(work) if staff_accounts.may(work.actor.role, "make_card") else [],
        corrections=assessments_corrections.waiting(work),
        endoscopies=ulcers_endoscopies.due(work),
        serious=unreported_events.unreported(work, language)
        if staff_accounts.may(work.actor.role, "see_events")
        else [],
        now=work.now,
    )


def _texts(work: UnitOfWork) -> Inbox:
    """What waits to be read, for those who may read it."""
    if not staff_accounts.may(work.actor.role, "see_inbox"):
        return Inbox([], [])
    return threads.inbox(work, unread_only=True)
