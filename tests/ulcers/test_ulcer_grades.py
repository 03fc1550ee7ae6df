"""What a clinician's grading of an adverse event does to the count of ulcers, and where each grade comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pro.core.clinical.stopping_rule import StoppingState
from pro.core.study_plan import Plan
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies, ulcer_board, ulcer_cases
from pro.features.ulcers.ulcer_cases import UlcerCase
from pro.models import Alert, Participant
from tests.support import factories, form_browser, query_count
from tests.support.alert_ward import Ward

TODAY = date(2026, 3, 2)


def case(ward: Ward) -> UlcerCase:
    with form_browser.working(ward.house) as work:
        return ulcer_board.case(work, work.session.get_one(Participant, ward.participant_id))


def reading(ward: Ward) -> StoppingState:
    with form_browser.working(ward.house) as work:
        found = ulcer_board.board(work, work.catalogue.plans[factories.PLAN]).reading
    assert found is not None
    return found


def judged(ward: Ward, **said: Any) -> int:
    event_id = factories.judged(ward.house, ward.investigator, ward.participant_id, **said).event_id
    assert event_id is not None
    return event_id


def dated(ward: Ward, *kinds: str) -> None:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        changes = [DateChange(kind, 0 if kind == "induction_day1" else 1, TODAY) for kind in kinds]
        schedule_service.set_anchors(work, person, changes)


def without_terms(plan: Plan) -> Plan:
    assert plan.stopping is not None
    return replace(plan, stopping=replace(plan.stopping, terms=()))


def seen_at_endoscopy(ward: Ward, grade: str = "") -> None:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        endoscopies.done(work, person, None, done_on=TODAY, result="ulcer", grade=grade)


def test_a_grading_counts_a_confirmed_ulcer_and_says_whose_it_is(any_ward):
    dated(any_ward, "induction_day1", "ulcer_confirmed")
    assert (case(any_ward).counts, reading(any_ward).unknown) == ("unknown", 1)
    event_id = judged(any_ward)
    here = case(any_ward)
    (one,) = here.grades
    assert (here.counts, here.grade, here.graded_only) == ("yes", 3, False)
    assert (one.grade, one.on, one.by, one.event_id, one.term) == (
        3,
        TODAY,
        "Investigator",
        event_id,
        "pharyngeal_necrosis",
    )
    assert one.at == any_ward.house.clock.now
    assert (reading(any_ward).counted, reading(any_ward).unknown) == (1, 0)


def test_a_grading_of_what_nobody_confirmed_comes_to_the_board_and_may_count(any_ward):
    dated(any_ward, "induction_day1")
    assert reading(any_ward).unknown == 0
    judged(any_ward)
    here = case(any_ward)
    assert (here.state, here.counts, here.graded_only, here.pressing) == ("none", "unknown", True, True)
    assert (reading(any_ward).counted, reading(any_ward).unknown) == (0, 1)
    dated(any_ward, "ulcer_confirmed")
    assert (case(any_ward).counts, reading(any_ward).counted) == ("yes", 1)


def test_only_a_clinicians_grade_of_the_rules_terms_is_one(ward):
    """What answers let suspect, another term, and "no adverse event" grade no ulcer."""
    dated(ward, "induction_day1", "ulcer_confirmed")
    ward.start().save(odor=3)
    assert any(alert.suspects == "mucosal_ulcer" for alert in ward.rows(Alert))
    judged(ward, term="mucositis_oral", grade=4)
    factories.judged(ward.house, ward.investigator, ward.participant_id, none_reason="no_symptom", grade=None, term="")
    assert (case(ward).grades, case(ward).counts) == ((), "unknown")


def test_a_study_that_names_no_terms_counts_endoscopies_alone(ward):
    from_plan = ward.with_plan(without_terms)
    dated(from_plan, "induction_day1", "ulcer_confirmed")
    judged(from_plan)
    assert (case(from_plan).grades, case(from_plan).counts) == ((), "unknown")


@pytest.mark.parametrize(("days", "grades"), [(0, [3]), (1, [4, 3])])
def test_a_milder_grade_later_leaves_the_worst_and_one_of_the_same_day_corrects_it(ward, days, grades):
    dated(ward, "induction_day1", "ulcer_confirmed")
    event_id = judged(ward, grade=4)
    ward.house.clock.move(days=days)
    judged(ward, event_id=event_id, grade=3)
    assert [one.grade for one in case(ward).grades] == grades
    assert case(ward).grade == grades[0]


def test_the_highest_grade_stands_first_whichever_it_comes_from(ward):
    dated(ward, "induction_day1", "ulcer_confirmed")
    seen_at_endoscopy(ward, "4")
    judged(ward)
    assert [(one.grade, one.event_id is None, one.by) for one in case(ward).grades] == [
        (4, True, "Nurse"),
        (3, False, "Investigator"),
    ]


def test_whoever_looked_before_a_grading_was_signed_saw_something_else(ward):
    dated(ward, "induction_day1", "ulcer_confirmed")
    before = ulcer_cases.digest(ulcer_cases.shown_of_case(case(ward)))
    judged(ward)
    assert ulcer_cases.digest(ulcer_cases.shown_of_case(case(ward))) != before


def test_the_board_asks_as_often_for_five_as_for_one(ward):
    asked = []
    for number in range(5):
        person = ward.another(factories.PLAN, f"NPC-10{number}") if number else ward
        factories.judged(ward.house, ward.investigator, person.participant_id, from_on=TODAY - timedelta(days=number))
        with query_count.counted(ward.house.engine) as statements, form_browser.working(ward.house) as work:
            assert len(ulcer_board.board(work, work.catalogue.plans[factories.PLAN]).cases) == number + 1
        asked.append(len(statements))
    assert len(set(asked)) == 1
