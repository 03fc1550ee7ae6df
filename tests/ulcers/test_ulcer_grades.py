"""Test the effect of a grading on the count of ulcers, and the source of each grade."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pro.core.clinical.stopping_rule import StoppingState
from pro.core.study_plan import StudyPlan
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies, ulcer_cases
from pro.features.ulcers.ulcer_cases import UlcerCase
from pro.models import Alert, Participant
from tests.support import factories, form_browser, query_count
from tests.support.alert_clinic import Clinic

TODAY = date(2026, 3, 2)


def case(clinic: Clinic) -> UlcerCase:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return ulcer_cases.read_case(work, work.session.get_one(Participant, clinic.participant_id))


def reading(clinic: Clinic) -> StoppingState:
    with form_browser.unit_of_work(clinic.app_context) as work:
        found = ulcer_cases.read_overview(work, work.catalogue.plans[factories.PLAN]).reading
    assert found is not None
    return found


def judged(clinic: Clinic, **said: Any) -> int:
    event_id = factories.sign_grading(clinic.app_context, clinic.investigator, clinic.participant_id, **said).event_id
    assert event_id is not None
    return event_id


def dated(clinic: Clinic, *kinds: str) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        changes = [DateChange(kind, 0 if kind == "induction_day1" else 1, TODAY) for kind in kinds]
        schedule_service.set_anchors(work, person, changes)


def without_terms(plan: StudyPlan) -> StudyPlan:
    assert plan.stopping_rule is not None
    return replace(plan, stopping_rule=replace(plan.stopping_rule, ctcae_terms=()))


def seen_at_endoscopy(clinic: Clinic, grade: str = "") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        endoscopies.record_result(work, person, None, done_on=TODAY, result="ulcer", grade=grade)


def test_a_grading_counts_a_confirmed_ulcer_and_says_whose_it_is(any_clinic):
    dated(any_clinic, "induction_day1", "ulcer_confirmed")
    assert (case(any_clinic).counts, reading(any_clinic).unknown) == ("unknown", 1)
    event_id = judged(any_clinic)
    here = case(any_clinic)
    (one,) = here.grades
    assert (here.counts, here.grade, here.is_graded_only) == ("yes", 3, False)
    assert (one.grade, one.on, one.by, one.event_id, one.term) == (
        3,
        TODAY,
        "Investigator",
        event_id,
        "pharyngeal_necrosis",
    )
    assert one.at == any_clinic.app_context.clock.now
    assert (reading(any_clinic).counted, reading(any_clinic).unknown) == (1, 0)


def test_a_grading_of_an_unconfirmed_ulcer_comes_to_the_overview_and_may_count(any_clinic):
    dated(any_clinic, "induction_day1")
    assert reading(any_clinic).unknown == 0
    judged(any_clinic)
    here = case(any_clinic)
    assert (here.state, here.counts, here.is_graded_only, here.needs_attention) == ("none", "unknown", True, True)
    assert (reading(any_clinic).counted, reading(any_clinic).unknown) == (0, 1)
    dated(any_clinic, "ulcer_confirmed")
    assert (case(any_clinic).counts, reading(any_clinic).counted) == ("yes", 1)


def test_only_a_clinicians_grade_of_the_rules_terms_is_one(clinic):
    """Check that suspicions, other terms and "no adverse event" grade no ulcer."""
    dated(clinic, "induction_day1", "ulcer_confirmed")
    clinic.start().save(odor=3)
    assert any(alert.suspects == "mucosal_ulcer" for alert in clinic.rows(Alert))
    judged(clinic, term="mucositis_oral", grade=4)
    factories.sign_grading(
        clinic.app_context, clinic.investigator, clinic.participant_id, none_reason="no_symptom", grade=None, term=""
    )
    assert (case(clinic).grades, case(clinic).counts) == ((), "unknown")


def test_a_study_that_names_no_terms_counts_endoscopies_alone(clinic):
    from_plan = clinic.with_plan(without_terms)
    dated(from_plan, "induction_day1", "ulcer_confirmed")
    judged(from_plan)
    assert (case(from_plan).grades, case(from_plan).counts) == ((), "unknown")


@pytest.mark.parametrize(("days", "grades"), [(0, [3]), (1, [4, 3])])
def test_a_milder_grade_later_leaves_the_worst_and_one_of_the_same_day_corrects_it(clinic, days, grades):
    dated(clinic, "induction_day1", "ulcer_confirmed")
    event_id = judged(clinic, grade=4)
    clinic.app_context.clock.move(days=days)
    judged(clinic, event_id=event_id, grade=3)
    assert [one.grade for one in case(clinic).grades] == grades
    assert case(clinic).grade == grades[0]


def test_the_highest_grade_stands_first_whichever_it_comes_from(clinic):
    dated(clinic, "induction_day1", "ulcer_confirmed")
    seen_at_endoscopy(clinic, "4")
    judged(clinic)
    assert [(one.grade, one.event_id is None, one.by) for one in case(clinic).grades] == [
        (4, True, "Nurse"),
        (3, False, "Investigator"),
    ]


def test_a_page_from_before_a_signed_grading_is_outdated(clinic):
    dated(clinic, "induction_day1", "ulcer_confirmed")
    before = ulcer_cases.digest(ulcer_cases.shown_of_case(case(clinic)))
    judged(clinic)
    assert ulcer_cases.digest(ulcer_cases.shown_of_case(case(clinic))) != before


def test_the_overview_needs_as_many_queries_for_five_as_for_one(clinic):
    asked = []
    for number in range(5):
        person = clinic.another(factories.PLAN, f"NPC-10{number}") if number else clinic
        factories.sign_grading(
            clinic.app_context, clinic.investigator, person.participant_id, from_on=TODAY - timedelta(days=number)
        )
        with (
            query_count.record_queries(clinic.app_context.engine) as statements,
            form_browser.unit_of_work(clinic.app_context) as work,
        ):
            assert len(ulcer_cases.read_overview(work, work.catalogue.plans[factories.PLAN]).cases) == number + 1
        asked.append(len(statements))
    assert len(set(asked)) == 1
