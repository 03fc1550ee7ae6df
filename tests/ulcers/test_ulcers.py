"""Test ulcers from suspicion to signed decision: reading, refusals, no overwriting."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.core.clinical.stopping_rule import StoppingState
from pro.core.study_plan import StudyPlan
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.to_do_list import to_do_list
from pro.features.ulcers import endoscopies, ulcer_cases, ulcer_decisions
from pro.models import Endoscopy, Participant, SignedDecision
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic

TODAY = date(2026, 3, 2)


def person(work: UnitOfWork, clinic: Clinic) -> Participant:
    return work.session.get_one(Participant, clinic.participant_id)


def case(clinic: Clinic) -> ulcer_cases.UlcerCase:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return ulcer_cases.read_case(work, person(work, clinic))


def overview(clinic: Clinic) -> ulcer_cases.UlcerOverview:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return ulcer_cases.read_overview(work, work.catalogue.plans[factories.PLAN])


def reading(clinic: Clinic) -> StoppingState:
    found = overview(clinic).reading
    assert found is not None
    return found


def waiting(clinic: Clinic) -> ulcer_cases.EndoscopyRow:
    found = case(clinic).waiting
    assert found is not None
    return found


def found(clinic: Clinic) -> ulcer_cases.EndoscopyRow:
    look = case(clinic).found
    assert look is not None
    return look


def asked(clinic: Clinic) -> int:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        row = endoscopies.request_endoscopy(work, person(work, clinic))
        work.session.flush()
        return row.id


def done(clinic: Clinic, number: int | None, result: str = "ulcer", grade: str = "", on: date = TODAY) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        endoscopies.record_result(work, person(work, clinic), number, done_on=on, result=result, grade=grade)


def dated(clinic: Clinic, *changes: DateChange) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        schedule_service.set_anchors(work, person(work, clinic), changes)


def confirmed(clinic: Clinic, grade: str = "3") -> None:
    dated(clinic, DateChange("induction_day1", 0, TODAY), DateChange("ulcer_confirmed", 1, TODAY))
    done(clinic, None, grade=grade)


def seen_of(clinic: Clinic) -> str:
    return ulcer_cases.digest(ulcer_cases.shown_of_case(case(clinic)))


def decide(
    clinic: Clinic, seen: str, *, choice: str = "stop", reason: str = "seen", password: str = factories.PASSWORD
) -> object:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        return ulcer_decisions.sign_participant_decision(
            work, person(work, clinic), "ulcer", choice, reason, password, seen
        )


def test_a_rule_suspects_and_the_case_says_since_when_and_by_which_alert(clinic):
    assert (case(clinic).state, overview(clinic).cases) == ("none", ())
    clinic.start().save(odor=3)
    here = case(clinic)
    (turn,) = here.turns
    assert (here.state, turn.rule, turn.by, turn.at) == ("suspected", "UL2", "", clinic.app_context.clock.now)
    assert turn.alert_id == clinic.alerts()["UL2"].id
    assert [one.participant_id for one in overview(clinic).cases] == [clinic.participant_id]


def test_a_result_changes_no_state_until_staff_record_it(any_clinic):
    any_clinic.start().save(odor=3)
    done(any_clinic, asked(any_clinic), grade="3")
    here = case(any_clinic)
    assert (here.state, here.counts, here.grade) == ("suspected", "no", 3)
    assert found(any_clinic).row.result == "ulcer"
    dated(any_clinic, DateChange("ulcer_confirmed", 1, TODAY))
    here = case(any_clinic)
    assert (here.state, here.counts, here.confirmed_on) == ("confirmed", "yes", TODAY)
    assert [turn.state for turn in here.turns] == ["confirmed", "suspected"]
    any_clinic.app_context.clock.move(days=1)
    dated(any_clinic, DateChange("ulcer_cleared", 1, TODAY + timedelta(days=1)))
    assert (case(any_clinic).state, case(any_clinic).counts) == ("cleared", "yes")


@pytest.mark.parametrize(("grade", "counted", "unknown"), [("3", 1, 0), ("", 0, 1)])
def test_the_study_counts_by_grade_and_missing_is_not_zero(clinic, grade, counted, unknown):
    confirmed(clinic, grade)
    here = reading(clinic)
    assert (here.treated, here.counted, here.unknown, here.unplaced) == (1, counted, unknown, 0)


def test_a_grade_below_that_of_the_rule_does_not_count(clinic):
    """A plan that counts mucositis has lower grades; necrosis of the pharynx begins at grade 3."""
    milder = clinic.with_plan(with_mucositis)
    confirmed(milder, "2")
    here = reading(milder)
    assert (here.counted, here.unknown) == (0, 0)


def with_mucositis(plan: StudyPlan) -> StudyPlan:
    assert plan.stopping_rule is not None
    return replace(plan, stopping_rule=replace(plan.stopping_rule, ctcae_terms=("pharyngeal_mucositis",)))


def test_an_ulcer_of_a_participant_without_a_treatment_day_is_unknown(clinic):
    dated(clinic, DateChange("ulcer_confirmed", 1, TODAY))
    done(clinic, None, grade="4")
    here = reading(clinic)
    assert (here.treated, here.counted, here.unknown, here.unplaced) == (0, 0, 1, 1)


def test_a_result_that_was_taken_back_grades_nothing(clinic):
    confirmed(clinic)
    number = case(clinic).endoscopies[0].row.id
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        with pytest.raises(BadData):
            endoscopies.cancel_endoscopy(work, person(work, clinic), number, " ")
        endoscopies.cancel_endoscopy(work, person(work, clinic), number, "another participant")
    assert (case(clinic).grade, case(clinic).counts, case(clinic).found) == (None, "unknown", None)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(NotAllowed):
        endoscopies.cancel_endoscopy(work, person(work, clinic), number, "again")
    (event,) = clinic.events("endoscopy.cancelled")
    assert (event.reason, event.old["ctcae_grade"]) == ("another participant", 3)


def test_an_endoscopy_that_is_not_done_comes_to_the_to_do_list(any_clinic):
    number = asked(any_clinic)
    with (
        form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work,
        pytest.raises(NotAllowed) as refused,
    ):
        endoscopies.request_endoscopy(work, person(work, any_clinic))
    assert (refused.value.why, refused.value.details["name"]) == ("asked_before", "Nurse")
    for days, due in ((3, 0), (1, 1)):
        any_clinic.app_context.clock.move(days=days)
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            assert len(to_do_list.read_to_do_list(work).endoscopies) == due
    assert waiting(any_clinic).is_overdue
    done(any_clinic, number, "normal", on=TODAY + timedelta(days=4))
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert to_do_list.read_to_do_list(work).endoscopies == []


@pytest.mark.parametrize(
    ("on", "result", "grade", "field", "why"),
    [
        (None, "ulcer", "", "done_on", "date_needed"),
        (TODAY + timedelta(days=1), "ulcer", "", "done_on", "endoscopy_in_future"),
        (TODAY - timedelta(days=367), "ulcer", "", "done_on", "endoscopy_long_ago"),
        (TODAY - timedelta(days=1), "ulcer", "", "done_on", "endoscopy_before_asked"),
        (TODAY, "", "", "result", "endoscopy_result"),
        (TODAY, "cancer", "", "result", "endoscopy_result"),
        (TODAY, "ulcer", "6", "grade", "grade_not_of_ulcer_term"),
        (TODAY, "ulcer", "３", "grade", "grade_not_of_ulcer_term"),
        (TODAY, "ulcer", "2", "grade", "grade_not_of_ulcer_term"),
        (TODAY, "normal", "3", "grade", "grade_without_ulcer"),
    ],
)
def test_a_result_that_cannot_be_is_refused(clinic, on, result, grade, field, why):
    number = asked(clinic)
    with pytest.raises(BadData) as refused:
        done(clinic, number, result, grade, on)
    assert refused.value.details["fields"] == {field: why}
    assert waiting(clinic).row.id == number


def test_one_result_is_recorded_once_and_only_for_its_participant(clinic):
    number = asked(clinic)
    done(clinic, number, "unclear")
    with pytest.raises(NotAllowed) as refused:
        done(clinic, number)
    assert (refused.value.why, refused.value.details["name"]) == ("recorded_meanwhile", "Nurse")
    other = replace(clinic, participant_id=clinic.another(factories.PLAN, "NPC-009").participant_id)
    with pytest.raises(NotFound):
        done(other, number)
    assert found(clinic).row.result == "unclear"


def test_a_decision_is_signed_for_what_the_page_showed_and_kept(any_clinic):
    any_clinic.start().save(odor=3)
    seen = seen_of(any_clinic)
    decide(any_clinic, seen)
    (one,) = case(any_clinic).decisions
    assert (one.about, one.choice, one.reason, one.name, one.holds) == ("ulcer", "stop", "seen", "Investigator", True)
    (row,) = any_clinic.rows(SignedDecision)
    assert row.seen["state"] == "suspected"
    assert ulcer_cases.digest(row.seen) == seen
    (event,) = any_clinic.events("signed_decision.made")
    assert event.reason == "seen"
    # A decision changes no status and no date.
    assert case(any_clinic).state == "suspected"


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"choice": ""}, "choice", "decision_choice"),
        ({"choice": "kill"}, "choice", "decision_choice"),
        ({"reason": "  "}, "reason", "decision_reason"),
        ({"password": ""}, "password", "password_needed"),
    ],
)
def test_a_decision_without_what_it_needs_is_refused(clinic, given, field, why):
    with pytest.raises(BadData) as refused:
        decide(clinic, seen_of(clinic), **given)
    assert refused.value.details["fields"] == {field: why}
    assert decide(clinic, seen_of(clinic), password="wrong") == CredentialRefusal("wrong")
    assert clinic.rows(SignedDecision) == []


def test_only_an_investigator_decides(clinic):
    seen = seen_of(clinic)
    for account in (clinic.nurse, clinic.coordinator):
        with form_browser.unit_of_work(clinic.app_context, account.actor) as work, pytest.raises(NotAllowed) as refused:
            ulcer_decisions.sign_participant_decision(
                work, person(work, clinic), "ulcer", "stop", "x", factories.PASSWORD, seen
            )
        assert refused.value.why == "right_missing"
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work, pytest.raises(BadData):
        ulcer_decisions.sign_participant_decision(
            work, person(work, clinic), "study", "stop", "x", factories.PASSWORD, seen
        )


def test_signing_an_outdated_page_is_refused(clinic):
    seen = seen_of(clinic)
    done(clinic, None, "normal")
    with pytest.raises(NotAllowed) as refused:
        decide(clinic, seen)
    assert refused.value.why == "stale_page"
    plan, before = overview(clinic).plan, overview(clinic).seen
    confirmed(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work, pytest.raises(NotAllowed):
        ulcer_decisions.sign_study_decision(work, plan, "pause", "3 of 10", factories.PASSWORD, before)
    now = overview(clinic).seen
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        ulcer_decisions.sign_study_decision(work, plan, "pause", "3 of 10", factories.PASSWORD, now)
    (one,) = overview(clinic).decisions
    assert (one.about, one.choice, one.holds) == ("study", "pause", True)


@pytest.mark.parametrize("whole", [False, True], ids=["participant", "study"])
def test_of_two_who_decide_at_once_one_signs_and_the_other_looks_again(any_clinic, whole):
    plan = overview(any_clinic).plan
    seen = overview(any_clinic).seen if whole else seen_of(any_clinic)
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def press() -> None:
        together.wait()
        try:
            if whole:
                with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
                    ulcer_decisions.sign_study_decision(work, plan, "pause", "at once", factories.PASSWORD, seen)
            else:
                decide(any_clinic, seen)
            outcomes.append("signed")
        except NotAllowed as refusal:
            outcomes.append(refusal.why)

    pair = [threading.Thread(target=press) for _ in range(2)]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert sorted(outcomes) == ["signed", "stale_page"]
    assert len(any_clinic.rows(SignedDecision)) == 1


def test_the_decision_after_50_gy_is_on_the_overview_until_signed(clinic):
    dated(clinic, DateChange("cr_decision", 0, TODAY + timedelta(days=8), planned=True))
    assert overview(clinic).cases == ()
    clinic.app_context.clock.move(days=1)
    (one,) = overview(clinic).cases
    assert (one.state, one.decision_day) == ("none", ulcer_cases.DecisionDay(TODAY + timedelta(days=8), "planned"))
    seen = seen_of(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        ulcer_decisions.sign_participant_decision(
            work, person(work, clinic), "response", "continue", "no CR", factories.PASSWORD, seen
        )
    assert [one.about for case in overview(clinic).cases for one in case.decisions] == ["response"]
    assert clinic.rows(Endoscopy) == []
