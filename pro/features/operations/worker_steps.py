"""The worker's rounds. Each step is its own loop, its own transaction, its own test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pro.app_context import AppContext, UnitOfWork
from pro.core.questionnaire.scoring import score
from pro.db import transaction
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
# Seconds for the outbox in a round and between two rounds, however much waits: the rest must come round too.
OUTBOX_SECONDS, OUTBOX_SECONDS_BETWEEN = 0.5, 3.0
NO_LIMIT = 1 << 30
# Batches of 500 events that a round seals at most: a backlog of messages leaves thousands between two rounds.
MAX_SEAL_BATCHES = 10


def run_jobs(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderCalls | None = None
) -> int:
    """One round: judge idle forms, look at calendars, queue digests, climb the ladder, tell of loud texts from
    unknown numbers, drill, deliver the outbox, seal the audit trail. How much was done.

    A step that breaks is logged, leaves no heartbeat, and does not keep the others from running. With ``lines``, which
    the caller keeps for ``send``, a provider that hangs does not keep them waiting either.
    """
    steps: tuple[tuple[str, Callable[[], int]], ...] = (
        ("judge_idle", lambda: evaluate_idle_forms(app_context)),
        ("calendar", lambda: reminders.run_due_participants(app_context)),
        ("digests", lambda: _in_transaction(app_context, queue_digests)),
        ("escalate", lambda: escalate_alerts(app_context)),
        ("quarantine", lambda: _in_transaction(app_context, unknown_senders.notify_urgent_quarantine)),
        ("drills", lambda: _in_transaction(app_context, run_test_alerts)),
        ("outbox", lambda: _deliver_due(app_context, senders, worker, lines)),
        ("audit", lambda: seal_audit_trail(app_context)),
    )
    done, alive = 0, []
    for name, step in steps:
        try:
            done += step()
            alive.append(name)
        except Exception as error:
            log.error("step %s of the round failed: %s", name, type(error).__name__)
    try:
        _in_transaction(app_context, lambda work: _record_heartbeats(work, alive))
    except SQLAlchemyError as error:
        log.error("the heartbeats of a round could not be written: %s", type(error).__name__)
    return done


def _deliver_due(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderCalls | None
) -> int:
    """Send what is due, and act on what the providers refused at once."""
    done = outbox.deliver(app_context, senders, worker, NO_LIMIT, seconds=OUTBOX_SECONDS, calls=lines)
    return done + _in_transaction(app_context, delivery_receipts.act_on_failures)


def deliver_outbox(
    app_context: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderCalls | None = None
) -> int:
    """Between two rounds: only what waits in the outbox, so that an alert leaves within a second."""
    try:
        return outbox.deliver(app_context, senders, worker, NO_LIMIT, seconds=OUTBOX_SECONDS_BETWEEN, calls=lines)
    except Exception as error:
        log.error("the outbox could not be delivered: %s", type(error).__name__)
        return 0


def finish_deliveries(app_context: AppContext, lines: outbox.ProviderCalls) -> None:
    """Before the worker ends: what providers still have in hand is waited for and kept."""
    try:
        outbox.drain_calls(app_context, lines)
    except Exception as error:
        log.error("what providers answered last could not be kept: %s", type(error).__name__)


def seal_audit_trail(app_context: AppContext) -> int:
    """Seal what waits, a batch a transaction; how many events. A great many are left in part to the next round."""
    sealed = 0
    for _batch in range(MAX_SEAL_BATCHES):
        number = _in_transaction(app_context, audit_chain.seal_entries)
        sealed += number
        if number < audit_chain.BATCH_SIZE:
            break
    return sealed


def evaluate_idle_forms(app_context: AppContext) -> int:
    """Evaluate unfinished forms that were left for the plan's idle times (docs/domain.md 3.4.6).

    One transaction a form: none waits for another, and one that breaks keeps no other from being judged. RuntimeError
    at the end if any broke.
    """
    query = (
        select(Assessment.id)
        .where(Assessment.judge_next_at <= app_context.clock())
        .order_by(Assessment.judge_next_at, Assessment.id)
        .limit(50)
    )
    with Session(app_context.engine.execution_options(read_only=True)) as session:
        due = list(session.scalars(query))
    judged = broken = 0
    for assessment_id in due:
        try:
            judged += _in_transaction(app_context, partial(_evaluate_form, assessment_id=assessment_id))
        except Exception as error:
            broken += 1
            log.error("the idle assessment %s could not be judged: %s", assessment_id, type(error).__name__)
    if broken:
        raise RuntimeError(f"{broken} idle forms could not be judged")
    return judged


def _evaluate_form(work: UnitOfWork, assessment_id: int) -> int:
    assessment = work.session.get_one(Assessment, assessment_id, with_for_update={"key_share": True})
    if assessment.judge_next_at is None or assessment.judge_next_at > work.now:
        return 0  # touched, sent, or judged by another worker meanwhile
    instrument = work.catalogue.instruments[assessment.instrument]
    answers = current_answers(instrument, answer_rows(work, assessment.id))
    # Before judging, so that judging that cannot be done may ask for another try.
    assessment.judge_next_at = None
    if assessment.submitted_at is not None:
        scored = score(instrument, answers) if instrument.scales else {}
        scores = {scale: found.value for scale, found in scored.items()}
        alert_service.evaluate_form(work, assessment, answers, submitted=True, idle=0, scores=scores)
        return 1
    if assessment.last_answer_at is None:
        return 0
    idle = int((work.now - assessment.last_answer_at).total_seconds() // 60)
    later = [minutes for minutes in alert_service.plan_of(work, assessment).idle_minutes if minutes > idle]
    if later:
        assessment.judge_next_at = alert_service.minutes_after(assessment.last_answer_at, min(later))
    alert_service.evaluate_form(work, assessment, answers, submitted=False, idle=idle)
    return 1


def queue_digests(work: UnitOfWork) -> int:
    """Once a day, when the study's working hours begin, the WATCH digest."""
    queued = 0
    for plan in work.catalogue.plans.values():
        local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
        if clock_time(work.now, plan.settings.time_zone) >= plan.settings.opens.rjust(5, "0"):
            queued += notifications.queue_daily_digest(work, plan, local)
    return queued


def escalate_alerts(app_context: AppContext) -> int:
    """Climb the ladder for every alert that still waits. RuntimeError at the end if that broke for any."""
    with transaction(app_context.engine) as session:
        done = notifications.escalate_alerts(app_context.unit_of_work(session))
    if done.broken:
        raise RuntimeError(f"{done.broken} cases could not be told again")
    return done.queued


def run_test_alerts(work: UnitOfWork) -> int:
    """Begin the weekly synthetic alert when its time has come, and find the one that did not get through."""
    return test_alerts.start_due_test_alerts(work) + test_alerts.find_failed_test_alerts(work)


def _record_heartbeats(work: UnitOfWork, names: list[str]) -> int:
    for name in names:
        worker_health.record_heartbeat(work, name)
    return len(names)


def _in_transaction(app_context: AppContext, step: Callable[[UnitOfWork], int]) -> int:
    with transaction(app_context.engine) as session:
        return step(app_context.unit_of_work(session))
