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
from pro.features.alerts import alert_drills, alert_service
from pro.features.audit import audit_chain
from pro.features.duty_roster import notifications
from pro.features.forms.form_state import answer_rows, standing_answers
from pro.features.operations import worker_health
from pro.features.participants.treatment_dates import clock_time
from pro.features.text_messages import delivery_receipts, reminders, unknown_senders
from pro.messaging import outbox
from pro.messaging.sender_protocol import Sender
from pro.models import Assessment

log = logging.getLogger(__name__)
# Seconds for the outbox in a round and between two rounds, however much waits: the rest must come round too.
ONE_ROUND, BETWEEN = 0.5, 3.0
MANY = 1 << 30
# Batches of 500 events that a round seals at most: a backlog of messages leaves thousands between two rounds.
SEALINGS = 10


def tick(
    house: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderLines | None = None
) -> int:
    """One round: judge idle forms, look at calendars, queue digests, climb the ladder, tell of loud texts from
    unknown numbers, drill, deliver the outbox, seal the audit trail. How much was done.

    A step that breaks is logged, leaves no heartbeat, and does not keep the others from running. With ``lines``, which
    whoever goes on to ``send`` keeps, a provider that hangs does not keep them waiting either.
    """
    steps: tuple[tuple[str, Callable[[], int]], ...] = (
        ("judge_idle", lambda: judge_idle(house)),
        ("calendar", lambda: reminders.run_due(house)),
        ("digests", lambda: _in_transaction(house, digests)),
        ("escalate", lambda: escalate(house)),
        ("quarantine", lambda: _in_transaction(house, unknown_senders.tell)),
        ("drills", lambda: _in_transaction(house, drill)),
        ("outbox", lambda: _deliver(house, senders, worker, lines)),
        ("audit", lambda: seal(house)),
    )
    done, alive = 0, []
    for name, step in steps:
        try:
            done += step()
            alive.append(name)
        except Exception as error:
            log.error("step %s of the round failed: %s", name, type(error).__name__)
    try:
        _in_transaction(house, lambda work: _beat(work, alive))
    except SQLAlchemyError as error:
        log.error("the heartbeats of a round could not be written: %s", type(error).__name__)
    return done


def _deliver(house: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderLines | None) -> int:
    """Send what is due, and act on what the providers refused at once."""
    done = outbox.deliver(house, senders, worker, MANY, seconds=ONE_ROUND, lines=lines)
    return done + _in_transaction(house, delivery_receipts.act_on_failures)


def send(
    house: AppContext, senders: Mapping[str, Sender], worker: str, lines: outbox.ProviderLines | None = None
) -> int:
    """Between two rounds: only what waits in the outbox, so that an alert leaves within a second."""
    try:
        return outbox.deliver(house, senders, worker, MANY, seconds=BETWEEN, lines=lines)
    except Exception as error:
        log.error("the outbox could not be delivered: %s", type(error).__name__)
        return 0


def finish(house: AppContext, lines: outbox.ProviderLines) -> None:
    """Before the worker ends: what providers still have in hand is waited for and kept."""
    try:
        outbox.hang_up(house, lines)
    except Exception as error:
        log.error("what providers answered last could not be kept: %s", type(error).__name__)


def seal(house: AppContext) -> int:
    """Seal what waits, a batch a transaction; how many events. A great many are left in part to the next round."""
    sealed = 0
    for _batch in range(SEALINGS):
        number = _in_transaction(house, audit_chain.seal_events)
        sealed += number
        if number < audit_chain.BATCH:
            break
    return sealed


def judge_idle(house: AppContext) -> int:
    """Judge unfinished forms that nobody touched for the plan's idle times (clinical.md 3.4.6).

    One transaction a form: none waits for another, and one that breaks keeps no other from being judged. RuntimeError
    at the end if any broke.
    """
    query = (
        select(Assessment.id)
        .where(Assessment.judge_next_at <= house.clock())
        .order_by(Assessment.judge_next_at, Assessment.id)
        .limit(50)
    )
    with Session(house.engine.execution_options(read_only=True)) as session:
        due = list(session.scalars(query))
    judged = broken = 0
    for assessment_id in due:
        try:
            judged += _in_transaction(house, partial(_judge_one, assessment_id=assessment_id))
        except Exception as error:
            broken += 1
            log.error("the idle assessment %s could not be judged: %s", assessment_id, type(error).__name__)
    if broken:
        raise RuntimeError(f"{broken} idle forms could not be judged")
    return judged


def _judge_one(work: UnitOfWork, assessment_id: int) -> int:
    assessment = work.session.get_one(Assessment, assessment_id, with_for_update={"key_share": True})
    if assessment.judge_next_at is None or assessment.judge_next_at > work.now:
        return 0  # touched, sent, or judged by another worker meanwhile
    instrument = work.catalogue.instruments[assessment.instrument]
    answers = standing_answers(instrument, answer_rows(work, assessment.id))
    # Before judging, so that judging that cannot be done may ask for another try.
    assessment.judge_next_at = None
    if assessment.submitted_at is not None:
        scored = score(instrument, answers) if instrument.scales else {}
        scores = {scale: found.value for scale, found in scored.items()}
        alert_service.watch(work, assessment, answers, submitted=True, idle=0, scores=scores)
        return 1
    if assessment.last_answer_at is None:
        return 0
    idle = int((work.now - assessment.last_answer_at).total_seconds() // 60)
    later = [minutes for minutes in alert_service.plan_of(work, assessment).idle_minutes if minutes > idle]
    if later:
        assessment.judge_next_at = alert_service.minutes_after(assessment.last_answer_at, min(later))
    alert_service.watch(work, assessment, answers, submitted=False, idle=idle)
    return 1


def digests(work: UnitOfWork) -> int:
    """Once a day, when the study's working hours begin, the WATCH digest."""
    queued = 0
    for plan in work.catalogue.plans.values():
        local = work.now.astimezone(ZoneInfo(plan.settings.time_zone))
        if clock_time(work.now, plan.settings.time_zone) >= plan.settings.opens.rjust(5, "0"):
            queued += notifications.digest(work, plan, local)
    return queued


def escalate(house: AppContext) -> int:
    """Climb the ladder for every alert that still waits. RuntimeError at the end if that broke for any."""
    with transaction(house.engine) as session:
        done = notifications.escalate(house.work(session))
    if done.broken:
        raise RuntimeError(f"{done.broken} cases could not be told again")
    return done.queued


def drill(work: UnitOfWork) -> int:
    """Begin the weekly synthetic alert when its time has come, and find the one that did not get through."""
    return alert_drills.begin(work) + alert_drills.check(work)


def _beat(work: UnitOfWork, names: list[str]) -> int:
    for name in names:
        worker_health.beat(work, name)
    return len(names)


def _in_transaction(house: AppContext, step: Callable[[UnitOfWork], int]) -> int:
    with transaction(house.engine) as session:
        return step(house.work(session))
