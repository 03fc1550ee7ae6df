"""Check health: worker heartbeat, outgoing email, a recipient for every urgent or emergency alert."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, select

from pro.app_context import UnitOfWork
from pro.features.accounts import attempt_limits
from pro.features.alerts import alert_service, test_alerts
from pro.features.duty_roster import notifications
from pro.features.text_messages import unknown_senders
from pro.messaging import outbox_backlog
from pro.models import Alert, Assessment, Heartbeat, Participant

LOOPS = (
    "evaluate_idle",
    "visit_schedule",
    "digests",
    "escalate",
    "quarantine",
    "test_alerts",
    "resets",
    "outbox",
    "audit",
)
MAX_HEARTBEAT_AGE = timedelta(seconds=60)
# An idle form that was due for longer was not evaluated.
MAX_EVALUATION_DELAY = timedelta(minutes=10)
# An email that is due for longer means that outgoing email does not work.
MAX_EMAIL_DELAY = timedelta(minutes=5)


def record_heartbeat(work: UnitOfWork, name: str) -> None:
    """Store the time of the last run of the worker job ``name``."""
    found = work.session.get(Heartbeat, name)
    if found is None:
        work.session.add(Heartbeat(name=name, at=work.now))
    else:
        found.at = work.now


def find_troubles(work: UnitOfWork) -> list[str]:
    """Return the names of what does not work.

    A job of LOOPS without a run for 60 seconds; "email" if an email waits for longer than 5 minutes; "not_notified" if
    no message about an unacknowledged urgent alert has reached a person; "not_evaluated" while answers that could not
    be evaluated wait for a person; "test_alert" if the weekly test alert failed or did not start; "codes" while so many
    wrong codes are typed that they may be guesses; "plan" if a participant belongs to a plan that is not installed.
    """
    beats = {row.name: row.at for row in work.session.scalars(select(Heartbeat))}
    found = [name for name in LOOPS if name not in beats or work.now - beats[name] > MAX_HEARTBEAT_AGE]
    oldest = outbox_backlog.read_backlog(work.session, work.now).oldest_at
    if oldest is not None and work.now - oldest > MAX_EMAIL_DELAY:
        found.append("email")
    if notifications.untold_sources(work) or unknown_senders.untold_numbers(work):
        found.append("not_notified")
    if _has_forms_not_evaluated(work):
        found.append("not_evaluated")
    if any(test_alert.state != "running" for test_alert in test_alerts.weekly_test_alert_status(work)):
        found.append("test_alert")
    if attempt_limits.count_guesses(work):
        found.append("codes")
    if work.session.scalar(select(participants_without_plan(work).exists())):
        found.append("plan")
    return found


def _has_forms_not_evaluated(work: UnitOfWork) -> bool:
    """Return True for an alert about an evaluation that failed, or an evaluation that is overdue."""
    alert = select(Alert.id).where(
        Alert.rule == alert_service.EVALUATION_FAILED, Alert.acknowledged_at.is_(None), Alert.closed_at.is_(None)
    )
    late = select(Assessment.id).where(Assessment.evaluate_next_at < work.now - MAX_EVALUATION_DELAY)
    return any(work.session.scalar(query.limit(1)) is not None for query in (alert, late))


def participants_without_plan(work: UnitOfWork) -> Select[Participant]:
    """Select the active participants whose plan is not installed.

    None of their forms can be evaluated, and no reminder is sent.
    """
    return select(Participant).where(
        Participant.plan.not_in(work.catalogue.plans), Participant.withdrawn_at.is_(None), Participant.died_at.is_(None)
    )
