"""Check health: worker heartbeat, outgoing email, a recipient for every urgent or emergency alert."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.alerts import test_alerts
from pro.features.duty_roster import notifications
from pro.messaging import outbox_backlog
from pro.models import Alert, Heartbeat, Message, Participant

LOOPS = ("judge_idle", "calendar", "digests", "escalate", "quarantine", "drills", "outbox", "audit")
MAX_HEARTBEAT_AGE = timedelta(seconds=60)
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

    A job of LOOPS without a run for 60 seconds; "mail" if an email waits for longer than 5 minutes; "untold" if an
    unacknowledged urgent alert had no recipient because there is no active account; "drill" if the weekly test alert
    failed or did not start; "plan" if a participant belongs to a plan that is not installed.
    """
    beats = {row.name: row.at for row in work.session.scalars(select(Heartbeat))}
    found = [name for name in LOOPS if name not in beats or work.now - beats[name] > MAX_HEARTBEAT_AGE]
    oldest = outbox_backlog.read_backlog(work.session, work.now).oldest_at
    if oldest is not None and work.now - oldest > MAX_EMAIL_DELAY:
        found.append("mail")
    other = aliased(Alert)
    mailed = select(other.source).join(Message, Message.alert_id == other.id)
    notified = mailed.where(Message.template.in_(notifications.ALERT_TEMPLATES))
    unnotified = select(Alert.id).where(
        Alert.level >= int(Level.URGENT),
        Alert.acknowledged_at.is_(None),
        Alert.resolved_at.is_(None),
        Alert.source.not_in(notified),
    )
    if work.session.scalar(unnotified.limit(1)) is not None:
        found.append("untold")
    if any(test_alert.state != "running" for test_alert in test_alerts.weekly_test_alert_status(work)):
        found.append("drill")
    if work.session.scalar(select(participants_without_plan(work).exists())):
        found.append("plan")
    return found


def participants_without_plan(work: UnitOfWork) -> Select[Participant]:
    """Select the active participants whose plan is not installed: nothing of theirs can be judged or reminded."""
    return select(Participant).where(
        Participant.plan.not_in(work.catalogue.plans), Participant.withdrawn_at.is_(None), Participant.died_at.is_(None)
    )
