"""Header of every tab of a participant: who, where in the treatment, what is open, what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.features.accounts import staff_accounts
from pro.features.alerts import alert_list, message_reading
from pro.features.alerts.alert_list import REACHED, AlertCase
from pro.features.alerts.alert_page import phone_of
from pro.features.participants import consent_records, record_freezes, treatment_phases
from pro.features.participants.pages import participant_list
from pro.features.schedule import call_tasks, expected_forms, visit_schedule
from pro.features.schedule.call_tasks import CallTaskRow
from pro.features.schedule.expected_forms import ExpectedFormLine
from pro.features.schedule.visit_schedule import AWAITED_STATUSES, DailyTreatment
from pro.models import Assessment, IncomingMessage, Participant, PhoneCall

# What can be done for a participant -> the right that it needs, in the order in which the header offers it first.
ACTIONS: Mapping[str, str] = {
    "alert": "acknowledge",
    "call_overdue": "log_call",
    "text": "reply_text",
    "treatment": "set_dates",
    "send": "send_form",
    "call": "log_call",
}


@dataclass(frozen=True, slots=True)
class LastContact:
    """What was heard last of the participant.

    ``kind``: form, text or call; "" if nothing yet. ``called_at``: the last call that reached a person.
    """

    kind: str
    at: datetime | None
    called_at: datetime | None


@dataclass(frozen=True, slots=True)
class ParticipantHeader:
    """The facts that stand on every tab.

    ``status``: as ``participant_list.ParticipantRow.status``. ``cases``: open alerts, unacknowledged ones first;
    ``own``: the first that is unacknowledged or the reader's; ``loudest``: one of the highest level. ``since``:
    when the oldest was raised. ``visit``: the open form that closes first, else the next one. ``daily``: the
    treatment of every working day; None outside of it. ``helper``: how the last form was answered. ``primary``: key
    of ``ACTIONS`` that comes first, "" if none applies.
    """

    id: int
    plan: str
    participant_number: str
    language: str
    status: str
    is_frozen: bool
    phase: TreatmentPhase | None
    cases: list[AlertCase]
    own: AlertCase | None
    loudest: AlertCase | None
    since: datetime | None
    visit: ExpectedFormLine | None
    contact: LastContact
    phone: str | None
    helper: str
    task: CallTaskRow | None
    unread: int
    daily: DailyTreatment | None
    primary: str

    @property
    def primary_url(self) -> str:
        """Return the address of the primary action."""
        return action_url(self, self.primary)


def read_header(work: UnitOfWork, participant: Participant, language: str) -> ParticipantHeader:
    """Return the header of ``participant``; the number of queries does not depend on what is recorded."""
    cases = alert_list.open_cases(work, language, participant.id)
    lines = expected_forms.read_expected_forms(work, participant, language)
    awaited = [line for line in lines if line.status in AWAITED_STATUSES] if participant.is_active else []
    coming = [line for line in lines if line.status == "not_open"] if participant.is_active else []
    open_task = call_tasks.open_task(work, participant.id)
    task = call_tasks.task_row(work, open_task, participant, language) if open_task else None
    frozen = record_freezes.current_freeze(work, participant.id) is not None
    daily = visit_schedule.read_daily_treatment(work, participant, language)
    unread = _count_unread(work, participant.id)
    mistakes = consent_records.enrolled_by_mistake(work, [participant.id])
    phase = treatment_phases.read_phase(work, participant)
    # During an ulcer the investigator decides whether radiotherapy goes on: the page does not ask for a fraction.
    is_treated = daily is not None and not daily.given and not daily.rest and not (phase and phase.watch)
    own = next((case for case in cases if case.acknowledged_by is None or case.owner_id == work.actor.id), None)
    applies = {
        "alert": own is not None,
        "call_overdue": task is not None and task.due_at <= work.now,
        "text": unread > 0,
        "treatment": is_treated and not frozen,
        "send": participant.is_active and any(line.expected.mandatory for line in awaited),
        "call": participant.died_at is None,
    }
    return ParticipantHeader(
        id=participant.id,
        plan=participant.plan,
        participant_number=participant.participant_number,
        language=participant.language,
        status=participant_list.status_of(participant, mistakes),
        is_frozen=frozen,
        phase=phase,
        cases=cases,
        own=own,
        loudest=max(cases, key=lambda case: case.level, default=None),
        since=min((case.raised_at for case in cases), default=None),
        visit=min(awaited, key=lambda line: line.expected.closes_at) if awaited else next(iter(coming), None),
        contact=_last_contact(work, participant.id),
        phone=phone_of(work, participant),
        helper=_last_helper(work, participant.id),
        task=task,
        unread=unread,
        daily=daily,
        primary=choose_action(applies, work.actor.role),
    )


def choose_action(applies: Mapping[str, bool], role: str) -> str:
    """Return the first of ``ACTIONS`` that applies and that ``role`` may do; "" if there is none."""
    wanted = (action for action, right in ACTIONS.items() if applies[action] and staff_accounts.has_right(role, right))
    return next(wanted, "")


def action_url(header: ParticipantHeader, action: str) -> str:
    """Return the address at which ``action`` is done; "" for none."""
    if action == "alert" and header.own is not None:
        return url_for("staff.alert", alert_id=header.own.alert_id)
    if action == "call_overdue" and header.task is not None:
        return url_for("staff.tasks.one", call_task_id=header.task.id)
    endpoints = {
        "text": ("staff.messages.show", "reply"),
        "treatment": ("staff.dates.dates", None),
        "send": ("staff.dates.visit_schedule", "send"),
        "call": ("staff.messages.show", "calls"),
    }
    if action not in endpoints:
        return ""
    endpoint, anchor = endpoints[action]
    return url_for(endpoint, participant_id=header.id, _anchor=anchor)


def _count_unread(work: UnitOfWork, participant_id: int) -> int:
    query = select(func.count()).select_from(IncomingMessage)
    mine = query.where(IncomingMessage.participant_id == participant_id, message_reading.unread_condition())
    return work.session.scalar(mine) or 0


def _last_contact(work: UnitOfWork, participant_id: int) -> LastContact:
    """Return the newest of the last answers, the last text, and the last call that reached a person."""
    answered = func.coalesce(Assessment.answered_at, Assessment.submitted_at, Assessment.last_answer_at)
    mine = Assessment.participant_id == participant_id
    form = work.session.scalar(select(answered).where(mine, answered.is_not(None)).order_by(answered.desc()).limit(1))
    texts = select(IncomingMessage.received_at).where(IncomingMessage.participant_id == participant_id)
    text = work.session.scalar(texts.order_by(IncomingMessage.received_at.desc()).limit(1))
    calls = select(PhoneCall.at).where(PhoneCall.participant_id == participant_id, PhoneCall.outcome.in_(REACHED))
    call = work.session.scalar(calls.order_by(PhoneCall.at.desc()).limit(1))
    found = [(at, kind) for at, kind in ((form, "form"), (text, "text"), (call, "call")) if at is not None]
    at, kind = max(found, default=(None, ""))
    return LastContact(kind, at, call)


def _last_helper(work: UnitOfWork, participant_id: int) -> str:
    query = select(Assessment.answered_by).where(
        Assessment.participant_id == participant_id, Assessment.answered_by.is_not(None)
    )
    return work.session.scalar(query.order_by(Assessment.id.desc()).limit(1)) or ""
