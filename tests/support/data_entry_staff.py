"""Enter forms that were answered by phone or on paper, and read the stored result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pro.core.questionnaire.instrument import Value
from pro.features.assessments import data_entry
from pro.models import Alert, Answer, Assessment, AuditEntry, Participant, Score
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account

QUIET = {"bleed": 0, "breath": 0, "chest": 0, "palp": 0, "faint": 0, "temp": 0, "swallow": 0, "neuro": 0}
QLQ = {f"Q{number}": 2 for number in range(1, 29)} | {"Q29": 5, "Q30": 6}


def enter_form(
    clinic: Clinic,
    by: Account | None = None,
    instrument: str = "npc_checkin",
    hours: float = 1,
    given: Mapping[str, Value | None] | None = None,
    **more: Any,
) -> int:
    """Enter a form answered ``hours`` ago as the nurse, or ``by``; return its id."""
    with form_browser.unit_of_work(clinic.app_context, (by or clinic.nurse).actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        wishes: dict[str, Any] = {"mode": "phone", "answered_by": "self", "language": "zh_Hans"}
        wishes |= {"answered_at": work.now - timedelta(hours=hours), "given": QUIET if given is None else given} | more
        return data_entry.enter_form(work, person, instrument, **wishes).id


def verify_form(
    clinic: Clinic, form: int, by: Account | None = None, reason: str = "", **corrections: Value | None
) -> bool:
    """Verify the paper form as the investigator, or ``by``."""
    with form_browser.unit_of_work(clinic.app_context, (by or clinic.investigator).actor) as work:
        return data_entry.verify_paper_form(work, work.session.get_one(Assessment, form), corrections, reason=reason)


def read_form(clinic: Clinic, form: int) -> Assessment:
    """Return the form's row."""
    return next(found for found in clinic.rows(Assessment) if found.id == form)


def newest_answers(clinic: Clinic, form: int) -> dict[str, Answer]:
    """Return item -> its newest row."""
    return {found.item: found for found in clinic.rows(Answer) if found.assessment_id == form}


def set_participant_columns(clinic: Clinic, **columns: object) -> None:
    """Set columns of the participant."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        for name, value in columns.items():
            setattr(person, name, value)


def count_rows(clinic: Clinic) -> list[int]:
    """Count the rows."""
    return [len(clinic.rows(model)) for model in (Assessment, Answer, Score, Alert, AuditEntry)]
