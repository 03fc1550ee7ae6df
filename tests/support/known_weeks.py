"""Build a participant whose first weeks are known: answered, skipped and missed forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pro.app_context import Actor, AppContext
from pro.core.questionnaire.instrument import Value
from pro.features.assessments import data_entry
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.models import Participant
from tests.support import form_browser
from tests.support.factories import Clock

QLQ, CHECKIN = "qlq_c30", "npc_checkin"
# Example A of docs/domain.md 1.5.
EXAMPLE = [int(code) for code in "2 3 1 1 1 2 1 1 2 2 2 3 2 1 1 2 1 2 3 1 2 1 1 2 2 1 2 1 5 6".split()]
BEFORE: dict[str, Value | None] = {f"Q{number}": code for number, code in enumerate(EXAMPLE, 1)}
LATER: dict[str, Value | None] = dict.fromkeys((f"Q{number}" for number in range(1, 29)), 2)
LATER |= {"Q29": 5, "Q30": 6}
QUIET: dict[str, Value | None] = dict.fromkeys(
    "bleed breath chest palp faint temp swallow neuro nosebleed7 discharge headache new_cn sores".split(), 0
) | {"other7": ()}


def enter_form(
    app_context: AppContext, actor: Actor, person: int, instrument: str, given: Mapping[str, Value | None]
) -> int:
    """Enter answers given an hour ago as staff; return the form."""
    with form_browser.unit_of_work(app_context, actor) as work:
        row = work.session.get_one(Participant, person)
        at = work.now - timedelta(hours=1)
        form = data_entry.enter_form(
            work,
            row,
            instrument,
            mode="phone",
            answered_by="self",
            answered_at=at,
            given=given,
            language=row.language,
        )
        return form.id


def record_treatment(app_context: AppContext, actor: Actor, person: int, *what: tuple[str, int]) -> None:
    """Record as staff that (kind, number) took place today."""
    with form_browser.unit_of_work(app_context, actor) as work:
        row = work.session.get_one(Participant, person)
        today = local_date(work.now, row.time_zone)
        schedule_service.set_anchors(work, row, [DateChange(kind, number, today) for kind, number in what])


def record_five_weeks(app_context: AppContext, actor: Actor, person: int) -> None:
    """Record five weeks of forms and treatments.

    A baseline, day 1 on the third day, a skipped question, a missed week, worse answers at the end. Check-ins: odor 0
    at baseline, 1 in week 1, skipped in week 2, missed in week 3, 2 in week 5. QLQ-C30: example A, then the same
    without question 11 in week 2, then a 2 throughout in week 5.
    """
    clock = app_context.clock
    assert isinstance(clock, Clock)
    clock.move(hours=2)
    enter_form(app_context, actor, person, QLQ, BEFORE)
    enter_form(app_context, actor, person, CHECKIN, {**QUIET, "odor": 0})
    clock.move(days=3)
    record_treatment(app_context, actor, person, ("induction_day1", 0), ("pd1_dose", 1))
    clock.move(days=6)
    enter_form(app_context, actor, person, CHECKIN, {**QUIET, "odor": 1})
    clock.move(days=7)
    enter_form(app_context, actor, person, CHECKIN, {**QUIET, "odor": None})
    enter_form(app_context, actor, person, QLQ, {**BEFORE, "Q11": None})
    clock.move(days=17)
    enter_form(app_context, actor, person, CHECKIN, {**QUIET, "odor": 2})
    enter_form(app_context, actor, person, QLQ, LATER)
