"""Metrics of this system for monitoring: counts and ages, never identities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.alerts import test_alerts
from pro.messaging import outbox_backlog
from pro.models import Alert, Assessment, ExpectedForm, Heartbeat, Participant

TEST_ALERT_STATES = ("passed", "running", "failed", "overdue")
CHANNELS = ("email", "sms")


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric with its meaning; ``rows``: (values of ``labels``, number)."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], float], ...]


def read_metrics(work: UnitOfWork) -> list[Gauge]:
    """Return every metric, read from the database now.

    An age is in seconds; 0 means that nothing waits.
    """
    return [*_outbox(work), _heartbeats(work), *_alerts(work), *_study(work), *_test_alerts(work)]


def _outbox(work: UnitOfWork) -> Iterator[Gauge]:
    rows = {channel: outbox_backlog.read_backlog(work.session, work.now, channel) for channel in CHANNELS}
    failed = outbox_backlog.failed_message_counts(work.session)
    yield Gauge(
        "outbox_waiting",
        "Messages that should have left and have not.",
        ("channel",),
        tuple(((channel,), row.waiting) for channel, row in rows.items()),
    )
    yield Gauge(
        "outbox_oldest_seconds",
        "For how long the oldest of them has waited.",
        ("channel",),
        tuple(((channel,), _age_seconds(work, row.oldest_at)) for channel, row in rows.items()),
    )
    yield Gauge(
        "outbox_failed",
        "Messages that were given up, in all.",
        ("channel",),
        tuple(((channel,), failed.get(channel, 0)) for channel in CHANNELS),
    )


def _heartbeats(work: UnitOfWork) -> Gauge:
    beats = work.session.scalars(select(Heartbeat).order_by(Heartbeat.name))
    rows = tuple(((beat.name,), _age_seconds(work, beat.at)) for beat in beats)
    return Gauge("heartbeat_age_seconds", "Since each loop of the worker came round.", ("loop",), rows)


def _alerts(work: UnitOfWork) -> Iterator[Gauge]:
    taken = Alert.acknowledged_at.is_not(None)
    query = (
        select(Alert.level, taken, func.count(), func.min(Alert.raised_at))
        .where(Alert.closed_at.is_(None), Alert.superseded_at.is_(None))
        .group_by(Alert.level, taken)
    )
    rows = work.session.execute(query)
    found = {(level, bool(is_taken)): (number, oldest) for level, is_taken, number, oldest in rows}
    levels = [level for level in Level if level]
    yield Gauge(
        "alerts_open",
        "Alerts that are not closed.",
        ("level", "acknowledged"),
        tuple(
            ((level.word, "yes" if is_taken else "no"), found.get((int(level), is_taken), (0, None))[0])
            for level in levels
            for is_taken in (False, True)
        ),
    )
    yield Gauge(
        "alert_oldest_unacknowledged_seconds",
        "For how long the oldest alert that nobody took on has waited.",
        ("level",),
        tuple(((level.word,), _age_seconds(work, found.get((int(level), False), (0, None))[1])) for level in levels),
    )


def _study(work: UnitOfWork) -> Iterator[Gauge]:
    count = work.session.scalar
    active = (Participant.withdrawn_at.is_(None), Participant.died_at.is_(None))
    open_forms = (
        Assessment.submitted_at.is_(None),
        Assessment.cancelled_at.is_(None),
        Assessment.closes_at > work.now,
    )
    number, oldest = work.session.execute(
        select(func.count(), func.min(Participant.next_due_at)).where(Participant.next_due_at <= work.now)
    ).one()
    for name, meaning, value in (
        ("participants_active", "Participants in the study.", count(select(func.count()).where(*active))),
        ("forms_open", "Forms that were issued and may still be sent.", count(select(func.count()).where(*open_forms))),
        ("visit_schedule_overdue", "Participants whose visit schedule the worker should have processed.", number),
        ("visit_schedule_overdue_seconds", "For how long the oldest of them has waited.", _age_seconds(work, oldest)),
        (
            "ledger_missed",
            "Expected forms that closed without an answer, in all.",
            count(select(func.count()).where(ExpectedForm.missed_at.is_not(None))),
        ),
    ):
        yield Gauge(name, meaning, (), (((), value or 0),))


def _test_alerts(work: UnitOfWork) -> Iterator[Gauge]:
    ages, states = [], []
    wrong = [(found.plan, found.state) for found in test_alerts.weekly_test_alert_status(work)]
    for plan in work.catalogue.plans.values():
        last = test_alerts.newest_test_alert(work, plan.id)
        if last is not None:
            ages.append(((plan.id,), _age_seconds(work, last.started_at)))
        if plan.test_alert_settings is not None:
            now = {state for found, state in wrong if found == plan.id} or ({"passed"} if last else set())
            states += [((plan.id, state), float(state in now)) for state in TEST_ALERT_STATES]
    yield Gauge("test_alert_age_seconds", "Since the last weekly test alert began.", ("plan",), tuple(ages))
    yield Gauge("test_alert_state", "1 for what holds of the weekly test alert.", ("plan", "state"), tuple(states))


def _age_seconds(work: UnitOfWork, since: datetime | None) -> float:
    """Return the seconds since ``since``, 0 for None."""
    return max(0.0, (work.now - since).total_seconds()) if since else 0.0
