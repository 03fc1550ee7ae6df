"""Handle missed check-ins: raise an alert if the study plan requires it, create a call task, log calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.schedule import expected_visits
from pro.core.schedule.anchors import WorkingDays
from pro.core.schedule.expected_visits import VisitStatus
from pro.core.schedule.form_matching import missed_in_a_row
from pro.core.schedule.reminder_times import form_reminders
from pro.core.study_plan import StudyPlan
from pro.core.triage import escalation_steps
from pro.core.triage.verdict import Finding, FormCase, Verdict, evaluate_rules, inputs_of
from pro.errors import BadData, NotFound
from pro.features.duty_roster import notifications
from pro.features.participants import clinical_facts, death_reports, treatment_dates
from pro.features.participants.clinical_facts import MISSED_FORM_PREFIX
from pro.features.schedule import schedule_service
from pro.messaging import message_rendering, outbox
from pro.models import (
    CALL_OUTCOMES,
    TASK_KINDS,
    Alert,
    Assessment,
    CallTask,
    ExpectedForm,
    Message,
    Participant,
    PhoneCall,
)

MISSED_FORM_TASK = "call_missed"
# Replies that could not be read; the task ends as soon as an answer is received in another way.
UNCLEAR_ANSWER_TASK = "answer_unclear"
POSSIBLE_STOP_TASK = "may_be_stop"
UNREACHABLE_PHONE_TASK = "phone_unreachable"
# A text said that the participant died. Until a person has called, no question and no reminder is sent.
DEATH_TASK = death_reports.DEATH_TASK
# Outcome of a task that ended because the participant answered.
ANSWERED_OUTCOME = "answered"
# A rule that uses this fact is about missed forms.
MISSED_FACT = "missed_consecutive"
# Visits of this rank are the plan's endpoint and are never skipped (docs/domain.md 6, table and rule 1).
ENDPOINT_RANK = 1
# Participants at risk are called on weekends as well (docs/domain.md 3.3: the same day; 6, rule 4: the next
# morning).
WORKDAYS, EVERY_DAY = escalation_steps.MONDAY_TO_FRIDAY, WorkingDays(weekend=frozenset())
# Own defaults: working hours between an unanswered call and the next, and calls before asking a family member.
RETRY_DELAY = timedelta(hours=4)
TRIES_BEFORE_RELATIVE = 3
# No person of this participant was reached: the call is still to be made, with a wrong number once it is corrected.
UNREACHED_OUTCOMES = ("no_answer", "wrong_number")
TEXT_LENGTH = 4000
# Dates further back are taken for typing errors.
CALL_AGE_AT_MOST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class MissedForms:
    """What is unanswered since the participant's last answer.

    ``missed``: check-ins in a row, as the rules count them (overlapping windows once). ``rows``: all mandatory forms
    that closed since, oldest first. ``last_answer_at``: UTC, None without any answer.
    """

    missed: int
    rows: tuple[ExpectedForm, ...]
    last_answer_at: datetime | None


def record_missed(
    work: UnitOfWork, participant: Participant, rows: Sequence[ExpectedForm], *, locked: bool = False
) -> None:
    """Evaluate the rules on missed forms ``rows``; raise alerts and create a call task.

    A missed check-in raises alerts, and creates a call task if a rule fired or in the weeks of risk (docs/domain.md 6,
    rule 4). Of other instruments only the form of the endpoint visit creates a call task. Forms that the participant
    was never asked for are ignored. May run twice for the same rows. ``locked``: the caller has locked the participant.
    """
    plan = work.catalogue.shown_plan(participant.plan)
    asked = (row for row in rows if _was_asked(plan, participant, row))
    known = sorted(asked, key=lambda row: (row.closes_at, row.id))
    if not known or not participant.is_active:
        return
    if not locked:
        work.lock(participant)
    unanswered = read_missed_forms(work, participant)
    checkins = [row for row in known if row.instrument == plan.checkin and row in unanswered.rows]
    cause, alert, include_weekends = None, None, False
    if checkins:
        newest = checkins[-1]
        verdict, findings = _evaluate_rules(work, participant, plan, unanswered)
        alert = _raise_alert(work, plan, newest, unanswered, verdict, findings)
        at_risk = _at_risk(work, participant, plan, newest)
        if findings or at_risk:
            cause = newest
        include_weekends = at_risk or (alert is not None and alert.level >= Level.URGENT)
    cause = cause or next((row for row in known if _is_endpoint(plan, row)), None)
    if cause is not None:
        _make_missed_form_task(work, plan, cause, alert, EVERY_DAY if include_weekends else WORKDAYS)


def record_answer_received(work: UnitOfWork, participant_id: int) -> None:
    """End open call tasks and close watch alerts about missed forms after an answer.

    Only unacknowledged watch alerts close; urgent and emergency alerts stay open for staff. A task about the form of
    the endpoint visit stays open until that form is answered. Older answers that are only entered now end nothing.
    """
    participant = work.session.get_one(Participant, participant_id)
    plan = work.catalogue.shown_plan(participant.plan)
    work.session.flush()
    if read_missed_forms(work, participant).missed:
        return
    for name, kind in TASK_KINDS.items():
        for task in _open_tasks(work, participant_id, name) if kind.ended_by_answer else ():
            if not (kind.waits_for_endpoint and _is_endpoint_form_missing(work, plan, task)):
                _end_task(work, task, ANSWERED_OUTCOME)
    query = select(Alert).where(
        Alert.participant_id == participant_id,
        Alert.source.like(f"{MISSED_FORM_PREFIX}%"),
        Alert.level < int(Level.URGENT),
        Alert.acknowledged_at.is_(None),
        Alert.closed_at.is_(None),
    )
    for alert in work.session.scalars(query.order_by(Alert.id)):
        alert.closed_at, alert.disposition = work.now, "closed_itself"
        work.record("alert.closed_itself", alert, participant_id=participant_id)


def log_call(
    work: UnitOfWork,
    *,
    at: datetime,
    outcome: str,
    text: str = "",
    call_task_id: int | None = None,
    participant_id: int | None = None,
    source: str = "",
) -> PhoneCall:
    """Store a call made ``at`` (UTC), for a task or to a participant, and return it.

    Without ``call_task_id`` it counts for the participant's open task. ``source``: of the alerts that the call was
    about. An unanswered call or a wrong number moves the task to the next suitable time; any other outcome ends it. A
    death is only noted here: staff record its date.

    Raise NotFound("task"), BadData("call", fields=...) for a time in the future or long past, a missing or unknown
    outcome, or a long text.
    """
    task = work.session.get(CallTask, call_task_id) if call_task_id is not None else None
    person_id = task.participant_id if task is not None else participant_id
    participant = work.session.get(Participant, person_id) if person_id is not None else None
    if participant is None or work.actor.id is None or (call_task_id is not None and task is None):
        raise NotFound("task")
    text = text.strip()
    fields = {
        "at": "call_in_future" if at > work.now else "call_long_ago" if at < work.now - CALL_AGE_AT_MOST else "",
        "outcome": "" if outcome in CALL_OUTCOMES else "empty" if not outcome else "unknown",
        "text": "too_long" if len(text) > TEXT_LENGTH else "",
    }
    wrong = {field: why for field, why in fields.items() if why}
    if wrong:
        raise BadData("call", fields=wrong)
    work.lock(participant)
    said = {"participant_id": participant.id, "staff_id": work.actor.id, "at": at, "outcome": outcome, "text": text}
    same = work.session.scalar(select(PhoneCall).filter_by(**said).order_by(PhoneCall.id).limit(1))
    if same is not None:
        return same  # the button was pressed twice
    if task is None:
        task = next(iter(_open_tasks(work, participant.id)), None)
    else:
        work.lock(task)
    call = PhoneCall(call_task_id=task.id if task else None, logged_at=work.now, source=source, **said)
    work.session.add(call)
    work.record(
        "phone_call.logged", call, participant_id=participant.id, new={"outcome": outcome, "at": at.isoformat()}
    )
    if task is not None and task.done_at is None:
        _apply_call_outcome(work, work.catalogue.shown_plan(participant.plan), task, call)
    return call


def read_missed_forms(work: UnitOfWork, participant: Participant) -> MissedForms:
    """Return what is unanswered now since the participant's last answer of any kind."""
    return read_missed_forms_by_participant(work, [participant])[participant.id]


def read_missed_forms_by_participant(work: UnitOfWork, people: Sequence[Participant]) -> dict[int, MissedForms]:
    """Return participant id -> missed forms for many participants, in two queries."""
    numbers = [participant.id for participant in people]
    unserved: dict[int, list[ExpectedForm]] = {number: [] for number in numbers}
    query = (
        select(ExpectedForm)
        .where(ExpectedForm.participant_id.in_(numbers), ExpectedForm.received_at.is_(None), ExpectedForm.mandatory)
        .order_by(ExpectedForm.closes_at, ExpectedForm.id)
    )
    for row in work.session.scalars(query):
        unserved[row.participant_id].append(row)
    last = last_answer_times(work, numbers)
    return {one.id: _missed_forms(work, one, unserved[one.id], last.get(one.id)) for one in people}


def _missed_forms(
    work: UnitOfWork, participant: Participant, rows: Sequence[ExpectedForm], last: datetime | None
) -> MissedForms:
    """Return the missed forms of a participant. ``last``: time of the last answer."""
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None:
        return MissedForms(0, (), last)
    asked = [row for row in rows if _was_asked(plan, participant, row)]
    known = {row.id: schedule_service.expected_visit_of(row, participant.time_zone) for row in asked}
    missed_now = missed_in_a_row(list(known.values()), plan.checkin, last, work.now)
    over = [row for row in asked if expected_visits.visit_status(known[row.id], work.now) is VisitStatus.MISSED]
    return MissedForms(missed_now, tuple(row for row in over if last is None or row.closes_at > last), last)


def last_answer_at(work: UnitOfWork, participant_id: int) -> datetime | None:
    """Return when the participant last answered (UTC), in any mode of completion, or None."""
    return last_answer_times(work, [participant_id]).get(participant_id)


def last_answer_times(work: UnitOfWork, numbers: Sequence[int]) -> dict[int, datetime]:
    """Return participant id -> time of the last answer (UTC); without answers no entry."""
    given = func.coalesce(Assessment.answered_at, Assessment.submitted_at, Assessment.last_answer_at)
    # Computed in Python, because SQLite returns the maximum of several times as text.
    moments = (Assessment.answered_at, Assessment.submitted_at, Assessment.last_answer_at)
    query = select(Assessment.participant_id, *moments)
    found: dict[int, datetime] = {}
    for number, *said in work.session.execute(query.where(Assessment.participant_id.in_(numbers), given.is_not(None))):
        moment = next(at for at in said if at is not None)
        found[number] = max(found.get(number, moment), moment)
    return found


def count_unanswered_calls(work: UnitOfWork, tasks: Sequence[int]) -> dict[int, int]:
    """Return task id -> number of unanswered calls; tasks without any have no entry."""
    query = select(PhoneCall.call_task_id, func.count()).where(
        PhoneCall.call_task_id.in_(tasks), PhoneCall.outcome == "no_answer"
    )
    return {
        task: number
        for task, number in work.session.execute(query.group_by(PhoneCall.call_task_id))
        if task is not None
    }


def _was_asked(plan: StudyPlan, participant: Participant, row: ExpectedForm) -> bool:
    """Return False if no message about the form could be sent before its end.

    It was planned after its window, or too late for a reminder, as the check-in of the day on which an ulcer is
    recorded at night. Such a form is not missed. Forms that are not mandatory count as not asked.
    """
    if not row.mandatory or row.known_at >= row.closes_at:
        return False
    if plan.visit_schedule is None or row.steps or row.known_at <= row.opens_at:
        return True
    one = schedule_service.with_reminders(plan.visit_schedule, row, participant.time_zone)
    return one.reminders == () or bool(form_reminders(one, plan.visit_schedule.reminder_rules, row.known_at))


def _evaluate_rules(
    work: UnitOfWork, participant: Participant, plan: StudyPlan, unanswered: MissedForms
) -> tuple[Verdict, tuple[Finding, ...]]:
    """Evaluate the plan's rules on a check-in without answers.

    Return the verdict and the findings of rules about missed forms.
    """
    instrument = work.catalogue.shown_instrument(plan.checkin)
    context = clinical_facts.missed_forms_context(work, participant.id, unanswered.missed)
    verdict = evaluate_rules(plan, instrument, FormCase(context=context))
    return verdict, tuple(found for found in verdict.findings if MISSED_FACT in plan.rule(found.rule_id).when.names)


def _raise_alert(
    work: UnitOfWork,
    plan: StudyPlan,
    row: ExpectedForm,
    unanswered: MissedForms,
    verdict: Verdict,
    findings: Sequence[Finding],
) -> Alert | None:
    """Store findings that have no alert in progress and notify staff.

    Return the alert of the highest level that stands for the findings, or None.
    """
    if not findings:
        return None
    query = select(Alert).where(Alert.participant_id == row.participant_id, Alert.source.like(f"{MISSED_FORM_PREFIX}%"))
    before = list(work.session.scalars(query.order_by(Alert.id)))
    source, standing, new = f"{MISSED_FORM_PREFIX}{row.id}", [], []
    for finding in findings:
        same = [alert for alert in before if alert.rule == finding.rule_id]
        held = [alert for alert in same if alert.source == source or _still_covers(alert, unanswered)]
        if held:
            standing.append(held[-1])
            continue
        rule = plan.rule(finding.rule_id)
        alert = Alert(
            participant_id=row.participant_id,
            assessment_id=None,
            source=source,
            rule=rule.id,
            level=int(finding.level),
            lowered=finding.lowered,
            suspects=rule.suspects,
            basis="+".join(rule.basis),
            plan_version=plan.version,
            inputs={
                "saw": inputs_of(rule, verdict.facts),
                "instrument": row.instrument,
                "instrument_version": work.catalogue.shown_instrument(row.instrument).version,
                "visit": row.visit,
            },
            unresolved=[],
            raised_at=work.now,
        )
        work.session.add(alert)
        said = {"rule": rule.id, "level": finding.level.word, "plan_version": plan.version}
        work.record("alert.raised", alert, participant_id=row.participant_id, new=said)
        new.append(alert)
    if any(alert.level >= Level.URGENT for alert in new):
        work.session.flush()
        notifications.notify_staff(work, plan, new)
    return max(standing + new, key=lambda alert: alert.level, default=None)


def _still_covers(alert: Alert, unanswered: MissedForms) -> bool:
    """Return True if an open alert covers a later missed form.

    It is unacknowledged, or was raised since the participant's last answer.
    """
    if alert.closed_at is not None:
        return False
    last = unanswered.last_answer_at
    return alert.acknowledged_at is None or last is None or alert.raised_at > last


def _at_risk(work: UnitOfWork, participant: Participant, plan: StudyPlan, row: ExpectedForm) -> bool:
    """Return True if the form closed in the weeks of risk (docs/domain.md 6, rule 4)."""
    if plan.visit_schedule is None:
        return False
    on = treatment_dates.local_date(row.closes_at, participant.time_zone)
    return expected_visits.is_in_risk_period(
        plan.visit_schedule,
        treatment_dates.dated_anchors(treatment_dates.read_anchors(work, participant)),
        on,
        work.catalogue.working_days(plan.id),
    )


def _is_endpoint(plan: StudyPlan, row: ExpectedForm) -> bool:
    """Return True for the form of the endpoint visit, check-ins excluded."""
    return row.instrument != plan.checkin and row.rank == ENDPOINT_RANK


def _is_endpoint_form_missing(work: UnitOfWork, plan: StudyPlan, task: CallTask) -> bool:
    """Return True while a form of the endpoint visit that belongs to ``task`` is unanswered."""
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == task.participant_id,
        ExpectedForm.received_at.is_(None),
        ExpectedForm.missed_at.is_not(None),
        # A form with a recorded reason is no longer awaited.
        ExpectedForm.missing_reason == "",
    )
    participant = work.session.get_one(Participant, task.participant_id)
    ends = [row for row in work.session.scalars(query) if _is_endpoint(plan, row)]
    rows = [row for row in ends if _was_asked(plan, participant, row)]
    return any(row.id == task.expected_form_id or (row.missed_at or task.made_at) >= task.made_at for row in rows)


def make_call_task(work: UnitOfWork, participant: Participant, kind: str, key: str) -> CallTask | None:
    """Store a call task of ``kind``, due at once, and return it.

    Return None while a task of the kind is open, or if ``key`` was used before.
    """
    work.session.flush()
    known = work.session.scalar(select(CallTask.id).where(CallTask.dedupe_key == key))
    if known is not None or _open_tasks(work, participant.id, kind):
        return None
    task = CallTask(dedupe_key=key, participant_id=participant.id, kind=kind, made_at=work.now, due_at=work.now)
    work.session.add(task)
    work.record("call_task.made", task, participant_id=participant.id, new={"kind": kind})
    return task


def report_death(work: UnitOfWork, participant: Participant, key: str) -> None:
    """Have the family called after a report of a death; drop what waits to be sent, except urgent advice.

    ``key`` names the text that said so. Who died is not certain, because a relative or the participant may have written
    it; the call finds it out.
    """
    work.session.flush()
    make_call_task(work, participant, DEATH_TASK, f"death:{key}")
    waiting = and_(Message.participant_id == participant.id, Message.template.not_in(message_rendering.URGENT_ADVICE))
    outbox.drop_messages(work, waiting, "not_wanted")


def _open_tasks(work: UnitOfWork, participant_id: int, kind: str = MISSED_FORM_TASK) -> list[CallTask]:
    """Return the participant's open tasks of ``kind``, oldest first."""
    query = select(CallTask).where(
        CallTask.participant_id == participant_id, CallTask.kind == kind, CallTask.done_at.is_(None)
    )
    return list(work.session.scalars(query.order_by(CallTask.id)))


def _make_missed_form_task(
    work: UnitOfWork, plan: StudyPlan, row: ExpectedForm, alert: Alert | None, days: WorkingDays
) -> None:
    """Create a call task for the next morning of ``days``, unless one is open.

    An open task is moved forward if the new one would be due earlier, and shows the form as well.
    """
    key = f"call:{row.id}"
    due_at = escalation_steps.next_opening(work.now, escalation_steps.working_hours(plan.settings, days))
    work.session.flush()
    found = _open_tasks(work, row.participant_id)
    if found:
        found[0].alert_id = found[0].alert_id or (alert.id if alert else None)
        if due_at < found[0].due_at:
            _move_due_time(work, found[0], due_at)
    if found or work.session.scalar(select(CallTask.id).where(CallTask.dedupe_key == key)) is not None:
        return
    task = CallTask(
        dedupe_key=key,
        participant_id=row.participant_id,
        kind=MISSED_FORM_TASK,
        expected_form_id=row.id,
        alert_id=alert.id if alert else None,
        made_at=work.now,
        due_at=due_at,
    )
    work.session.add(task)
    work.record(
        "call_task.made", task, participant_id=row.participant_id, new={"kind": MISSED_FORM_TASK, "visit": row.visit}
    )


def _apply_call_outcome(work: UnitOfWork, plan: StudyPlan, task: CallTask, call: PhoneCall) -> None:
    """End the task of a call that reached a person, or move it after one that did not."""
    if call.outcome not in UNREACHED_OUTCOMES:
        _end_task(work, task, call.outcome)
        return
    _move_due_time(work, task, _retry_time(plan, call.at))


def _move_due_time(work: UnitOfWork, task: CallTask, due_at: datetime) -> None:
    """Change when a task is due."""
    old, task.due_at = {"due_at": task.due_at.isoformat()}, due_at
    work.record(
        "call_task.moved", task, participant_id=task.participant_id, old=old, new={"due_at": due_at.isoformat()}
    )


def _retry_time(plan: StudyPlan, at: datetime) -> datetime:
    """Return when to call again: RETRY_DELAY of working hours later on the same day.

    If that is not on the same day, the next opening of working hours.
    """
    hours = escalation_steps.working_hours(plan.settings)
    later = escalation_steps.add_working_hours(at, RETRY_DELAY, hours)
    same_day = later.astimezone(hours.zone).date() == at.astimezone(hours.zone).date()
    return later if same_day else escalation_steps.next_opening(at, hours)


def _end_task(work: UnitOfWork, task: CallTask, outcome: str) -> None:
    """End a task with ``outcome``."""
    task.done_at, task.outcome = work.now, outcome
    task.done_by = work.actor.id if work.actor.kind == "staff" else None
    work.record("call_task.ended", task, participant_id=task.participant_id, new={"outcome": outcome})
