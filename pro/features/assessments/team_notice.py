"""Whether the study team was told about a participant's urgent answers, for the pages of the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.duty_roster import notifications
from pro.models import Alert, Message

TeamNotice = Literal["", "telling", "told"]


def read_team_notice(work: UnitOfWork, alerts: Sequence[Alert]) -> TeamNotice:
    """Return "told" once a message about one of ``alerts`` was sent, "telling" before, "" without an urgent alert.

    A message that a provider refused or that still waits is not sent, so the page does not say that it was.
    """
    urgent = [alert for alert in alerts if alert.level >= Level.URGENT and alert.superseded_at is None]
    if not urgent:
        return ""
    if any(alert.acknowledged_at is not None for alert in urgent):
        return "told"
    # The first alert of a form carries the messages of those that follow it at once.
    sent = select(Message.id).where(
        Message.alert_id.in_([alert.id for alert in alerts]),
        Message.template.in_(notifications.ALERT_TEMPLATES),
        Message.sent_at.is_not(None),
        Message.failed_at.is_(None),
    )
    return "told" if work.session.scalar(sent.limit(1)) is not None else "telling"
