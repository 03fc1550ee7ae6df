"""Test a new plan file: every visit schedule is updated; opened and past forms stay."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from pro.core.study_plan import StudyPlan
from pro.features.schedule import schedule_service
from pro.models import ExpectedForm
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Study


def later(plan: StudyPlan) -> StudyPlan:
    """Return the same plan, with baseline forms that close three days later."""
    visit_schedule = plan.visit_schedule
    assert visit_schedule is not None
    baseline = visit_schedule.visit("baseline")
    assert baseline.alternative is not None
    windows = tuple(replace(window, closes=window.closes + 3) for window in baseline.alternative.windows)
    moved = replace(baseline, alternative=replace(baseline.alternative, windows=windows))
    visits = tuple(moved if visit.id == "baseline" else visit for visit in visit_schedule.visits)
    return replace(plan, version="2", visit_schedule=replace(visit_schedule, visits=visits))


def closes(clinic: Clinic) -> dict[str, str]:
    """Return instrument -> the day on which its baseline form closes."""
    return {row.instrument: f"{row.closes_at:%m-%d}" for row in clinic.rows(ExpectedForm)}


def test_unopened_forms_follow_the_new_file(any_clinic: Clinic) -> None:
    any_clinic.start()  # the check-in is opened
    new = any_clinic.with_plan(later)
    with form_browser.unit_of_work(new.app_context) as work:
        assert _shown(schedule_service.replan_study(work, PLAN, save=False)) == [("NPC-001", 1, 0, 0)]
    assert closes(new) == {"npc_checkin": "03-16", "qlq_c30": "03-16"}
    with form_browser.unit_of_work(new.app_context) as work:
        schedule_service.replan_study(work, PLAN, save=True)
    assert closes(new) == {"npc_checkin": "03-16", "qlq_c30": "03-19"}
    (event,) = new.events("plan.renewed")
    assert event.new == {"moved": 1, "added": 0, "dropped": 0, "plan_version": "2"}
    with form_browser.unit_of_work(new.app_context) as work:
        assert schedule_service.replan_study(work, PLAN, save=True) == []


def _shown(found: list[schedule_service.ReplanCounts]) -> list[tuple[str, int, int, int]]:
    return [(one.participant_number, one.moved, one.added, one.dropped) for one in found]


def test_the_command_says_first_and_does_when_told(app: Flask, seeded: Study) -> None:
    done = app.test_cli_runner().invoke(args=["plan", "renew", PLAN])
    assert done.exception is None, done.exception
    assert (done.exit_code, done.output) == (0, "Nothing was written. Use --yes to apply the changes.\n")
    assert app.test_cli_runner().invoke(args=["plan", "renew", PLAN, "--yes"]).output == ""
    assert app.test_cli_runner().invoke(args=["plan", "renew", "other"]).exit_code == 2
