"""Build the to-do list: what needs action now in every study of this system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pro.app_context import UnitOfWork
from pro.features.accounts import attempt_limits, staff_accounts
from pro.features.adverse_events import adverse_event_log
from pro.features.adverse_events.adverse_event_log import UnreportedEvent
from pro.features.alerts import alert_background, alert_list, test_alerts
from pro.features.alerts.alert_background import Colleague
from pro.features.alerts.alert_list import AlertCase
from pro.features.alerts.test_alerts import WeeklyTestAlertStatus
from pro.features.assessments import data_corrections as assessments_corrections
from pro.features.assessments import paper_forms
from pro.features.assessments.paper_forms import UnverifiedPaperForm
from pro.features.duty_roster import notifications, recipients, roster_service
from pro.features.duty_roster.roster_service import RosterGap
from pro.features.forms import participant_cards
from pro.features.forms.participant_cards import LockedCard
from pro.features.queries import query_service
from pro.features.queries.query_service import WaitingQuery
from pro.features.schedule import call_tasks, outstanding_forms
from pro.features.schedule.call_tasks import CallTaskRow
from pro.features.schedule.outstanding_forms import OutstandingForms
from pro.features.text_messages import conversations, failed_messages, unknown_senders
from pro.features.text_messages.conversations import Inbox
from pro.features.text_messages.failed_messages import FailedMessageList
from pro.features.ulcers import endoscopies as ulcers_endoscopies
from pro.features.ulcers.endoscopies import OverdueEndoscopy


@dataclass(frozen=True, slots=True)
class OnCallPerson:
    """A staff member who is on call now; ``place``: on_call or backup.

    ``until``: when the place changes hands, None while that is not on the roster; ``then``: who holds it after that.
    """

    place: str
    name: str
    staff_id: int
    until: datetime | None
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToDoList:
    """Everything that needs action now.

    ``gaps``: roster gaps within a week, next one first. ``test_alerts``: test alerts to confirm or to repair.
    ``texts``: unread incoming texts. ``locked_cards``: only for roles that may make new cards. ``endoscopies``: overdue
    requests. ``serious``: serious adverse events to report, only for roles that may see them. ``not_notified``:
    unacknowledged cases about which no message has reached a person; ``untold_numbers``: unknown numbers with such
    texts. ``guesses``: the number of wrong codes in 15 minutes if codes may be guessed, else 0. ``queries``: those that
    wait for the reader's role.
    """

    unacknowledged: list[AlertCase]
    in_progress: list[AlertCase]
    failed: FailedMessageList
    awaited: OutstandingForms
    tasks: list[CallTaskRow]
    on_duty: list[OnCallPerson]
    investigators: tuple[Colleague, ...]
    gaps: list[RosterGap]
    test_alerts: list[WeeklyTestAlertStatus]
    texts: Inbox
    papers: list[UnverifiedPaperForm]
    locked_cards: list[LockedCard]
    corrections: int
    queries: list[WaitingQuery]
    endoscopies: list[OverdueEndoscopy]
    serious: list[UnreportedEvent]
    not_notified: list[AlertCase]
    untold_numbers: int
    guesses: int
    now: datetime


def read_to_do_list(work: UnitOfWork, language: str = "zh_Hans") -> ToDoList:
    """Return the to-do list of every study of this system, with titles in ``language``."""
    open_cases = alert_list.open_cases(work, language)
    not_notified = set(notifications.untold_sources(work))
    roster = recipients.read_duty_state(work)
    on_duty = [
        OnCallPerson(held.place, one.name, one.staff_id, held.until, tuple(other.name for other in held.then))
        for plan_id in work.catalogue.plans
        for held in (alert_background.duty_now(work, roster, plan_id, place) for place in recipients.PLACES)
        for one in held.people
    ]
    return ToDoList(
        unacknowledged=[case for case in open_cases if case.acknowledged_by is None],
        in_progress=[case for case in open_cases if case.acknowledged_by is not None],
        failed=failed_messages.list_failed_messages(work, language),
        awaited=outstanding_forms.read_outstanding_forms(work, language),
        tasks=call_tasks.due_tasks(work, language),
        on_duty=on_duty,
        investigators=alert_background.investigators_now(work, roster),
        gaps=roster_service.list_all_gaps(work),
        test_alerts=test_alerts.weekly_test_alert_status(work),
        texts=_unread_texts(work),
        papers=paper_forms.unverified_paper_forms(work, language),
        locked_cards=participant_cards.list_locked_cards(work)
        if staff_accounts.has_right(work.actor.role, "make_card")
        else [],
        corrections=assessments_corrections.count_open_requests(work),
        queries=query_service.waiting_queries(work, language),
        endoscopies=ulcers_endoscopies.overdue_endoscopies(work),
        serious=adverse_event_log.read_unreported_events(work, language)
        if staff_accounts.has_right(work.actor.role, "see_adverse_events")
        else [],
        not_notified=[case for case in open_cases if case.source in not_notified],
        untold_numbers=unknown_senders.untold_numbers(work),
        guesses=attempt_limits.count_guesses(work),
        now=work.now,
    )


def _unread_texts(work: UnitOfWork) -> Inbox:
    """Return unread texts; none for a role that may not read the inbox."""
    if not staff_accounts.has_right(work.actor.role, "see_inbox"):
        return Inbox([], [])
    return conversations.read_inbox(work, unread_only=True)
