"""The worker's jobs. Each job has its own loop, transaction and tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pro.app_context import AppContext, UnitOfWork
from pro.core.questionnaire.instrument import Instrument, Value
from pro.db import transaction
from pro.features.accounts import password_resets
from pro.features.alerts import alert_service, test_alerts
from pro.features.audit import audit_chain
from pro.features.duty_roster import notifications
from pro.features.forms.form_state import answer_rows, current_answers
from pro.features.operations import worker_health
from pro.features.participants.treatment_dates import clock_time
from pro.features.text_messages import delivery_receipts, reminders, unknown_senders
from pro.messaging import outbox
from pro.messaging.sender_protocol import Sender
from pro.models import Assessment

log = logging.getLogger(__name__)
# Seconds that the outbox may take within a run and between two runs, so that the other jobs run in time.
OUTBOX_SECONDS, OUTBOX_SECONDS_BETWEEN = 0.5, 3.0
NO_LIMIT = 1 << 30
# Batches of 500 audit entries that one run seals at most; a backlog of messages makes thousands of entries.
MAX_SEAL_BATCHES = 10


def run_jobs(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, calls: outbox.ProviderCalls | None = None
) -> int:
    """Run every job once; return how many items were processed.

    The jobs evaluate idle forms, process due visit schedules, queue daily digests, escalate alerts, notify staff of
    urgent texts of unknown numbers, run test alerts, answer requests for a new password, deliver the outbox, and seal
    the audit trail.

    A job that fails is logged and stores no heartbeat; the other jobs run. ``lines``: the calls to providers, kept by
    the caller for ``deliver_outbox``; with them a provider that does not answer delays no job.
    """
    steps: tuple[tuple[str, Callable[[], int]], ...] = (
        ("evaluate_idle", lambda: evaluate_idle_forms(app_context)),
        ("visit_schedule", lambda: reminders.run_due_participants(app_context)),
        ("digests", lambda: _in_transaction(app_context, queue_digests)),
        ("escalate", lambda: escalate_alerts(app_context)),
        ("quarantine", lambda: _in_transaction(app_context, unknown_senders.notify_urgent_quarantine)),
        ("test_alerts", lambda: _in_transaction(app_context, run_test_alerts)),
        ("resets", lambda: _in_transaction(app_context, password_resets.answer_requests)),
        ("outbox", lambda: _deliver_due(app_context, senders, worker, calls)),
        ("audit", lambda: seal_audit_trail(app_context)),
    )
    done, alive = 0, []
    for name, step in steps:
        try:
            done += step()
            alive.append(name)
        except Exception as error:
            log.error("worker job failed job=%s error=%s", name, type(error).__name__)
    try:
        _in_transaction(app_context, lambda work: _record_heartbeats(work, alive))
    except SQLAlchemyError as error:
        log.error("heartbeats not stored error=%s", type(error).__name__)
    return done


def _deliver_due(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, calls: outbox.ProviderCalls | None
) -> int:
    """Send due messages, and act on those that the providers refused at once."""
    done = outbox.deliver(app_context, senders, worker, NO_LIMIT, seconds=OUTBOX_SECONDS, calls=calls)
    return done + _in_transaction(app_context, delivery_receipts.act_on_failures)


def deliver_outbox(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, calls: outbox.ProviderCalls | None = None
) -> int:
    """Deliver due messages between two runs, so that an alert leaves within a second.

    Returns how many were delivered; an error is logged and gives 0.
    """
    try:
        return outbox.deliver(app_context, senders, worker, NO_LIMIT, seconds=OUTBOX_SECONDS_BETWEEN, calls=calls)
    except Exception as error:
        log.error("outbox delivery failed error=%s", type(error).__name__)
        return 0


def finish_deliveries(app_context: AppContext, calls: outbox.ProviderCalls) -> None:
    """Wait for open calls to providers and store their results before the worker ends."""
    try:
        outbox.drain_calls(app_context, calls)
    except Exception as error:
        log.error("last provider results not stored error=%s", type(error).__name__)


def seal_audit_trail(app_context: AppContext) -> int:
    """Seal unsealed audit entries, one batch a transaction; return how many.

    At most 10 batches are sealed; the rest is left to the next run.
    """
    sealed = 0
    for _batch in range(MAX_SEAL_BATCHES):
        number = _in_transaction(app_context, audit_chain.seal_entries)
        sealed += number
        if number < audit_chain.BATCH_SIZE:
            break
    return sealed


def evaluate_idle_forms(app_context: AppContext) -> int:
    """Evaluate unfinished forms that reached an idle time of the plan (docs/domain.md 3.4.6).

    Each form has its own transaction, so an error affects one form only. Returns how many were evaluated. Raises
    RuntimeError at the end if any failed.
    """
    query = (
        select(Assessment.id)
        .where(Assessment.evaluate_next_at <= app_context.clock())
        .order_by(Assessment.evaluate_next_at, Assessment.id)
        .limit(50)
    )
    with Session(app_context.engine.execution_options(read_only=True)) as session:
        due = list(session.scalars(query))
    evaluated = failed = 0
    for assessment_id in due:
        try:
            evaluated += _in_transaction(app_context, partial(_evaluate_form, assessment_id=assessment_id))
        except Exception as error:
            failed += 1
            log.error("idle form evaluation failed assessment=%s error=%s", assessment_id, type(error).__name__)
            _report_failed_evaluation(app_context, assessment_id)
    if failed:
        raise RuntimeError(f"{failed} idle forms were not evaluated")
    return evaluated


def _evaluate_form(work: UnitOfWork, assessment_id: int) -> int:
    """Evaluate one idle form, and schedule the next evaluation. Return 1 if it was due."""
    assessment = work.session.get_one(Assessment, assessment_id, with_for_update={"key_share": True})
    if assessment.evaluate_next_at is None or assessment.evaluate_next_at > work.now:
        return 0  # answered, submitted, or evaluated by another worker meanwhile
    instrument = work.catalogue.instruments.get(assessment.instrument)
    rows = answer_rows(work, assessment.id)
    answers = current_answers(instrument, rows) if instrument else {}
    # Reset before the evaluation, which schedules another try if it fails.
    due_at, assessment.evaluate_next_at = assessment.evaluate_next_at, None
    _evaluate_now(work, assessment, instrument, answers)
    _keep_overdue(work, assessment, due_at)
    return 1


def _evaluate_now(
    work: UnitOfWork, assessment: Assessment, instrument: Instrument | None, answers: dict[str, Value | None]
) -> None:
    """Evaluate a form that is submitted or idle, and schedule its next evaluation."""
    if assessment.submitted_at is not None:
        scores = alert_service.rule_scores(work, assessment, answers) if instrument else {}
        alert_service.evaluate_form(work, assessment, answers, submitted=True, idle=0, scores=scores, is_retry=True)
        return
    if assessment.last_answer_at is None:
        return
    idle = int((work.now - assessment.last_answer_at).total_seconds() // 60)
    plan = alert_service.plan_of(work, assessment)
    later = [minutes for minutes in plan.idle_minutes if minutes > idle] if plan else []
    if later:
        assessment.evaluate_next_at = alert_service.minutes_after(assessment.last_answer_at, min(later))
    alert_service.evaluate_form(work, assessment, answers, submitted=False, idle=idle)


def _report_failed_evaluation(app_context: AppContext, assessment_id: int) -> None:
    """Raise the alert about a form that was not evaluated. Never raises: the form stays overdue, the others go on."""
    try:
        _in_transaction(app_context, partial(_report_evaluation, assessment_id=assessment_id))
    except Exception as error:
        log.error("failed evaluation not reported assessment=%s error=%s", assessment_id, type(error).__name__)


def _report_evaluation(work: UnitOfWork, assessment_id: int) -> int:
    """Raise the alert about a form whose evaluation broke before it began, and try it again later.

    So it holds up no other form. Without the alert it stays overdue, and /health says so.
    """
    assessment = work.session.get_one(Assessment, assessment_id, with_for_update={"key_share": True})
    due_at, assessment.evaluate_next_at = assessment.evaluate_next_at, None
    alert_service.report_unjudged(work, assessment)
    _keep_overdue(work, assessment, due_at)
    return 0


def _keep_overdue(work: UnitOfWork, assessment: Assessment, due_at: datetime | None) -> None:
    """Leave a form overdue if not even the alert about it could be stored, until /health says so."""
    again = assessment.evaluate_next_at
    if again is not None and again <= work.now:
        assessment.evaluate_next_at = due_at


def queue_digests(work: UnitOfWork) -> int:
    """Queue the daily digests of WATCH alerts once the study's working hours begin."""
    queued = 0
    for plan in work.catalogue.plans.values():
        local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
        if clock_time(work.now, plan.settings.time_zone) >= plan.settings.opens.rjust(5, "0"):
            queued += notifications.queue_daily_digest(work, plan, local)
    return queued


def escalate_alerts(app_context: AppContext) -> int:
    """Escalate every unacknowledged alert; return the number of messages queued.

    Raises RuntimeError at the end if any alert failed.
    """
    with transaction(app_context.engine) as session:
        done = notifications.escalate_alerts(app_context.unit_of_work(session))
    if done.broken:
        raise RuntimeError(f"{done.broken} alert cases were not escalated")
    return done.queued


def run_test_alerts(work: UnitOfWork) -> int:
    """Start due weekly test alerts, and find those that failed."""
    return test_alerts.start_due_test_alerts(work) + test_alerts.find_failed_test_alerts(work)


def _record_heartbeats(work: UnitOfWork, names: list[str]) -> int:
    for name in names:
        worker_health.record_heartbeat(work, name)
    return len(names)


def _in_transaction(app_context: AppContext, step: Callable[[UnitOfWork], int]) -> int:
    with transaction(app_context.engine) as session:
        return step(app_context.unit_of_work(session))
