"""Store expected forms directly, and run the job that finds them missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete

from pro.app_context import AppContext
from pro.features.schedule import missed_forms
from pro.models import Alert, ExpectedForm, Participant, PhoneCall
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock

CHECKIN, QLQ = "npc_checkin", "qlq_c30"
# Days after the clinic's first morning on which a window closes, at 23:59 in Shanghai.
MIDNIGHT = timedelta(hours=14, minutes=59)


def add_expected_form(
    clinic: Clinic,
    day: int,
    *,
    instrument: str = CHECKIN,
    kind: str = "induction_week",
    opens: int = -4,
    rank: int = 9,
    mandatory: bool = True,
    known: int = -30,
) -> int:
    """Store an expected form that closes on ``day`` after the first day.

    ``opens``: days before ``day``.
    """
    first = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    closes = first + timedelta(days=day) + MIDNIGHT
    with form_browser.unit_of_work(clinic.app_context) as work:
        # The plan itself expects no visits of these kinds.
        number = sum(row.kind == kind for row in clinic.rows(ExpectedForm)) + 1
        row = ExpectedForm(
            participant_id=clinic.participant_id,
            visit=f"{kind}.{number}",
            kind=kind,
            number=number,
            instrument=instrument,
            opens_at=closes + timedelta(days=opens),
            due_at=closes - timedelta(days=2),
            closes_at=closes,
            mandatory=mandatory,
            basis="actual",
            rank=rank,
            known_at=first + timedelta(days=known),
        )
        work.session.add(row)
        work.session.flush()
        return row.id


def clear_expected_forms(clinic: Clinic) -> None:
    """Delete every expected form, so that only those of the test remain."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.execute(delete(ExpectedForm).where(ExpectedForm.participant_id == clinic.participant_id))


def record_missed_forms(clinic: Clinic, *lines: int) -> None:
    """Run the job that finds these expected forms closed without an answer."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        rows = [work.session.get_one(ExpectedForm, one) for one in lines]
        for row in rows:
            row.missed_at = row.missed_at or work.now
        missed_forms.record_missed(work, work.session.get_one(Participant, clinic.participant_id), rows)


def set_clock(app_context: AppContext, now: datetime) -> None:
    """Set the clock to ``now``."""
    assert isinstance(app_context.clock, Clock)
    app_context.clock.now = now


def set_clock_after(clinic: Clinic, day: int) -> None:
    """Set the clock to eight minutes past midnight after ``day``."""
    set_clock(clinic.app_context, datetime(2026, 3, 2, 16, 8, tzinfo=UTC) + timedelta(days=day))


def miss_check_ins(clinic: Clinic, *days: int, **more: Any) -> list[int]:
    """Store check-ins that close on ``days``, all found missed after the last one."""
    lines = [add_expected_form(clinic, day, **more) for day in days]
    set_clock_after(clinic, max(days))
    record_missed_forms(clinic, *lines)
    return lines


def answer_check_in(clinic: Clinic) -> None:
    """Answer a check-in as the participant and update its expected form."""
    clinic.start(clinic.send()).save(bleed=0)
    with form_browser.unit_of_work(clinic.app_context) as work:
        missed_forms.record_answer_received(work, clinic.participant_id)


def log_call(clinic: Clinic, outcome: str, *, task: int | None = None, hours: float = 0, text: str = "") -> PhoneCall:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        at = work.now + timedelta(hours=hours)
        who: dict[str, Any] = {"call_task_id": task} if task else {"participant_id": clinic.participant_id}
        return missed_forms.log_call(work, at=at, outcome=outcome, text=text, **who)


def raised_alerts(clinic: Clinic) -> list[tuple[str, str, int]]:
    return [(alert.source, alert.rule, alert.level) for alert in clinic.rows(Alert)]
