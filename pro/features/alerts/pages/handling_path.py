"""The four steps of handling an alert, and which of them is the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pro.core.rule_language.level import Level
from pro.features.alerts.alert_list import AlertCase
from pro.features.alerts.alert_page import AlertPage
from pro.models import AlertClosure

STEPS = ("acknowledge", "call", "assess", "close")


@dataclass(frozen=True, slots=True)
class HandlingStep:
    """One step. ``state``: "done", "next" or "later". ``at``, ``name``: when and by whom it was done, if known."""

    key: str
    state: str
    at: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class HandlingPath:
    """The steps in their order. ``next``: key of the next one, "" if the alert is closed."""

    steps: tuple[HandlingStep, ...]
    next: str


def handling_path(
    page: AlertPage,
    *,
    assessed: bool,
    assessment: tuple[datetime, str] | None,
    closings: Sequence[AlertClosure],
) -> HandlingPath:
    """Return the steps of the alerts on ``page``.

    ``assessed``: a clinician assessed every open finding; ``assessment``: when and by whom last. A watch alert needs no
    call, so that step is never the next one.
    """
    case = page.case
    is_open = any(not finding.closed and not finding.superseded for finding in page.findings)
    done = {
        "acknowledge": not page.open_ids and case.acknowledged_at is not None,
        "call": case.called_at is not None,
        "assess": assessed if is_open else assessment is not None,
        "close": not is_open,
    }
    by = {
        "acknowledge": (case.acknowledged_at, case.acknowledged_by or ""),
        "call": (case.called_at, ""),
        "assess": assessment or (None, ""),
        "close": (closings[-1].at if closings else None, ""),
    }
    needed = [key for key in STEPS if key != "call" or is_call_needed(case)]
    following = next((key for key in needed if not done[key]), "") if is_open else ""
    return HandlingPath(
        tuple(
            HandlingStep(key, "done", *by[key])
            if done[key]
            else HandlingStep(key, "next" if key == following else "later")
            for key in STEPS
        ),
        following,
    )


def is_call_needed(case: AlertCase) -> bool:
    """Return True if the participant must be called: for urgent alerts and emergencies."""
    return case.level >= Level.URGENT
