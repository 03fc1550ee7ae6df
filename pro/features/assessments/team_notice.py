"""Whether the study team was notified of a participant's urgent answers, for the pages of the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.duty_roster import notifications
from pro.features.duty_roster.escalation import StaffNotice
from pro.models import Alert

TeamNotice = Literal["", "telling", "told"]


def read_team_notice(work: UnitOfWork, alerts: Sequence[Alert]) -> TeamNotice:
    """Return "told" once the team knows each urgent alert of ``alerts``, "telling" before, "" without an urgent alert.

    The team knows an alert that was acknowledged, or since which a message at its level was accepted. A message that
    left before the alert, or was refused, or waits, does not count: the page never says more than what is known.
    """
    urgent = [alert for alert in alerts if alert.level >= Level.URGENT and _stands(alert)]
    if not urgent:
        return ""
    notices = notifications.read_notices(work, {alert.source for alert in urgent})
    known = all(alert.acknowledged_at or _is_notified(alert, notices.get(alert.source, [])) for alert in urgent)
    return "told" if known else "telling"


def _stands(alert: Alert) -> bool:
    """Return False for an alert that one of a higher level supersedes, or that closed by itself."""
    return alert.superseded_at is None and (alert.closed_at is None or alert.acknowledged_at is not None)


def _is_notified(alert: Alert, notices: Sequence[StaffNotice]) -> bool:
    """Return True if a message at the level of ``alert`` was accepted since it was raised."""
    return any(one.level >= alert.level and one.told_at and one.told_at >= alert.raised_at for one in notices)
