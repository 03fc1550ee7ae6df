"""Is the worker alive, does mail leave, does every loud alert have somebody to go to?"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from pro.core.level import Level
from pro.messaging import outbox
from pro.models import Alert, Heartbeat, Message
from pro.services import telling
from pro.work import Work

LOOPS = ("judge_idle", "calendar", "digests", "escalate", "outbox", "audit")
STALE = timedelta(seconds=60)
# A mail that should have left this long ago means that mail has gone quiet.
MAIL_LATE = timedelta(minutes=5)


def beat(work: Work, name: str) -> None:
    """Leave a heartbeat for ``name``."""
    found = work.session.get(Heartbeat, name)
    if found is None:
        work.session.add(Heartbeat(name=name, at=work.now))
    else:
        found.at = work.now


def troubles(work: Work) -> list[str]:
    """What is wrong, by name: a loop that has not come round for a minute, "mail" that waits too long, and "untold"
    where a loud alert that nobody took on was mailed to nobody, because there is no open account.
    """
    beats = {row.name: row.at for row in work.session.scalars(select(Heartbeat))}
    found = [name for name in LOOPS if name not in beats or work.now - beats[name] > STALE]
    oldest = outbox.backlog(work.session, work.now).oldest_at
    if oldest is not None and work.now - oldest > MAIL_LATE:
        found.append("mail")
    told = select(Message.assessment_id).where(Message.template.in_(telling.ALERTS), Message.assessment_id.is_not(None))
    untold = select(Alert.id).where(
        Alert.level >= int(Level.URGENT),
        Alert.acknowledged_at.is_(None),
        Alert.resolved_at.is_(None),
        Alert.assessment_id.not_in(told),
    )
    if work.session.scalar(untold.limit(1)) is not None:
        found.append("untold")
    return found
