"""Ulcers from suspicion to a signed decision: what is read, what is refused, and that two people never overwrite."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.core.clinical.stopping_rule import StoppingState
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts.signatures import Refusal
from pro.features.dashboard import dashboard
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies, ulcer_board, ulcer_cases, ulcer_decisions
from pro.models import Decision, Endoscopy, Participant
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward

TODAY = date(2026, 3, 2)


def person(work: UnitOfWork, ward: Ward) -> Participant:
    return work.session.get_one(Participant, ward.participant_id)


def case(ward: Ward) -> ulcer_cases.UlcerCase:
    with form_browser.working(ward.house) as work:
        return ulcer_board.case(work, person(work, ward))


def board(ward: Ward) -> ulcer_board.UlcerBoard:
    with form_browser.working(ward.house) as work:
        return ulcer_board.board(work, work.catalogue.plans[factories.PLAN])


def reading(ward: Ward) -> StoppingState:
    found = board(ward).reading
    assert found is not None
    return found


def waiting(ward: Ward) -> ulcer_cases.EndoscopyRow:
    found = case(ward).waiting
    assert found is not None
    return found


def found(ward: Ward) -> ulcer_cases.EndoscopyRow:
    look = case(ward).found
    assert look is not None
    return look


def asked(ward: Ward) -> int:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        row = endoscopies.ask(work, person(work, ward))
        work.session.flush()
        return row.id


def done(ward: Ward, number: int | None, result: str = "ulcer", grade: str = "", on: date = TODAY) -> None:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        endoscopies.done(work, person(work, ward), number, done_on=on, result=result, grade=grade)


def dated(ward: Ward, *changes: DateChange) -> None:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        schedule_service.set_anchors(work, person(work, ward), changes)


def confirmed(ward: Ward, grade: str = "3") -> None:
    dated(ward, DateChange("induction_day1", 0, TODAY), DateChange("ulcer_confirmed", 1, TODAY))
    done(ward, None, grade=grade)


def seen_of(ward: Ward) -> str:
    return ulcer_cases.digest(ulcer_cases.shown_of_case(case(ward)))


def decide(
    ward: Ward, seen: str, *, choice: str = "stop", reason: str = "seen", password: str = factories.PASSWORD
) -> object:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        return ulcer_decisions.about_participant(work, person(work, ward), "ulcer", choice, reason, password, seen)


def test_a_rule_suspects_and_the_case_says_since_when_and_by_which_alert(ward):
    assert (case(ward).state, board(ward).cases) == ("none", ())
    ward.start().save(odor=3)
    here = case(ward)
    (turn,) = here.turns
    assert (here.state, turn.rule, turn.by, turn.at) == ("suspected", "UL2", "", ward.house.clock.now)
    assert turn.alert_id == ward.alerts()["UL2"].id
    assert [one.participant_id for one in board(ward).cases] == [ward.participant_id]


def test_a_result_changes_no_state_until_staff_record_it(any_ward):
    any_ward.start().save(odor=3)
    done(any_ward, asked(any_ward), grade="3")
    here = case(any_ward)
    assert (here.state, here.counts, here.grade) == ("suspected", "no", 3)
    assert found(any_ward).result == "ulcer"
    dated(any_ward, DateChange("ulcer_confirmed", 1, TODAY))
    here = case(any_ward)
    assert (here.state, here.counts, here.confirmed_on) == ("confirmed", "yes", TODAY)
    assert [turn.state for turn in here.turns] == ["confirmed", "suspected"]
    any_ward.house.clock.move(days=1)
    dated(any_ward, DateChange("ulcer_cleared", 1, TODAY + timedelta(days=1)))
    assert (case(any_ward).state, case(any_ward).counts) == ("cleared", "yes")


@pytest.mark.parametrize(("grade", "counted", "unknown"), [("3", 1, 0), ("2", 0, 0), ("", 0, 1)])
def test_the_study_counts_by_grade_and_missing_is_not_zero(ward, grade, counted, unknown):
    confirmed(ward, grade)
    here = reading(ward)
    assert (here.treated, here.counted, here.unknown, here.unplaced) == (1, counted, unknown, 0)


def test_an_ulcer_of_somebody_without_a_day_of_treatment_is_unknown(ward):
    dated(ward, DateChange("ulcer_confirmed", 1, TODAY))
    done(ward, None, grade="4")
    here = reading(ward)
    assert (here.treated, here.counted, here.unknown, here.unplaced) == (0, 0, 1, 1)


def test_a_result_that_was_taken_back_grades_nothing(ward):
    confirmed(ward)
    number = case(ward).looks[0].id
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        with pytest.raises(BadData):
            endoscopies.take_back(work, person(work, ward), number, " ")
        endoscopies.take_back(work, person(work, ward), number, "another participant")
    assert (case(ward).grade, case(ward).counts, case(ward).found) == (None, "unknown", None)
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(NotAllowed):
        endoscopies.take_back(work, person(work, ward), number, "again")
    (event,) = ward.events("endoscopy.taken_back")
    assert (event.reason, event.old["grade"]) == ("another participant", 3)


def test_an_endoscopy_that_nobody_does_comes_to_the_board(any_ward):
    number = asked(any_ward)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work, pytest.raises(NotAllowed) as refused:
        endoscopies.ask(work, person(work, any_ward))
    assert (refused.value.why, refused.value.details["name"]) == ("asked_before", "Nurse")
    for days, due in ((3, 0), (1, 1)):
        any_ward.house.clock.move(days=days)
        with form_browser.working(any_ward.house) as work:
            assert len(dashboard.board(work).endoscopies) == due
    assert waiting(any_ward).late
    done(any_ward, number, "normal", on=TODAY + timedelta(days=4))
    with form_browser.working(any_ward.house) as work:
        assert dashboard.board(work).endoscopies == []


@pytest.mark.parametrize(
    ("on", "result", "grade", "field", "why"),
    [
        (None, "ulcer", "", "done_on", "date_needed"),
        (TODAY + timedelta(days=1), "ulcer", "", "done_on", "endoscopy_in_future"),
        (TODAY - timedelta(days=367), "ulcer", "", "done_on", "endoscopy_long_ago"),
        (TODAY - timedelta(days=1), "ulcer", "", "done_on", "endoscopy_before_asked"),
        (TODAY, "", "", "result", "endoscopy_result"),
        (TODAY, "cancer", "", "result", "endoscopy_result"),
        (TODAY, "ulcer", "6", "grade", "unknown"),
        (TODAY, "ulcer", "３", "grade", "unknown"),
        (TODAY, "normal", "3", "grade", "grade_without_ulcer"),
    ],
)
def test_a_result_that_cannot_be_is_refused(ward, on, result, grade, field, why):
    number = asked(ward)
    with pytest.raises(BadData) as refused:
        done(ward, number, result, grade, on)
    assert refused.value.details["fields"] == {field: why}
    assert waiting(ward).id == number


def test_one_result_is_recorded_once_and_only_for_its_participant(ward):
    number = asked(ward)
    done(ward, number, "unclear")
    with pytest.raises(NotAllowed) as refused:
        done(ward, number)
    assert (refused.value.why, refused.value.details["name"]) == ("recorded_meanwhile", "Nurse")
    other = replace(ward, participant_id=ward.another(factories.PLAN, "NPC-009").participant_id)
    with pytest.raises(NotFound):
        done(other, number)
    assert found(ward).result == "unclear"


def test_a_decision_is_signed_for_what_the_page_showed_and_kept(any_ward):
    any_ward.start().save(odor=3)
    seen = seen_of(any_ward)
    decide(any_ward, seen)
    (one,) = case(any_ward).decisions
    assert (one.about, one.choice, one.reason, one.name, one.holds) == ("ulcer", "stop", "seen", "Investigator", True)
    (row,) = any_ward.rows(Decision)
    assert row.seen["state"] == "suspected"
    assert ulcer_cases.digest(row.seen) == seen
    (event,) = any_ward.events("decision.made")
    assert event.reason == "seen"
    # Deciding changes no status and no date.
    assert case(any_ward).state == "suspected"


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"choice": ""}, "choice", "decision_choice"),
        ({"choice": "kill"}, "choice", "decision_choice"),
        ({"reason": "  "}, "reason", "decision_reason"),
        ({"password": ""}, "password", "password_needed"),
    ],
)
def test_a_decision_without_what_it_needs_is_refused(ward, given, field, why):
    with pytest.raises(BadData) as refused:
        decide(ward, seen_of(ward), **given)
    assert refused.value.details["fields"] == {field: why}
    assert decide(ward, seen_of(ward), password="wrong") == Refusal("wrong")
    assert ward.rows(Decision) == []


def test_only_an_investigator_decides(ward):
    seen = seen_of(ward)
    for account in (ward.nurse, ward.coordinator):
        with form_browser.working(ward.house, account.actor) as work, pytest.raises(NotAllowed) as refused:
            ulcer_decisions.about_participant(work, person(work, ward), "ulcer", "stop", "x", factories.PASSWORD, seen)
        assert refused.value.why == "right_missing"
    with form_browser.working(ward.house, ward.investigator.actor) as work, pytest.raises(BadData):
        ulcer_decisions.about_participant(work, person(work, ward), "study", "stop", "x", factories.PASSWORD, seen)


def test_whoever_looked_before_something_changed_signs_nothing(ward):
    seen = seen_of(ward)
    done(ward, None, "normal")
    with pytest.raises(NotAllowed) as refused:
        decide(ward, seen)
    assert refused.value.why == "stale_page"
    plan, before = board(ward).plan, board(ward).seen
    confirmed(ward)
    with form_browser.working(ward.house, ward.investigator.actor) as work, pytest.raises(NotAllowed):
        ulcer_decisions.about_study(work, plan, "pause", "3 of 10", factories.PASSWORD, before)
    now = board(ward).seen
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        ulcer_decisions.about_study(work, plan, "pause", "3 of 10", factories.PASSWORD, now)
    (one,) = board(ward).decisions
    assert (one.about, one.choice, one.holds) == ("study", "pause", True)


@pytest.mark.parametrize("whole", [False, True], ids=["participant", "study"])
def test_of_two_who_decide_at_once_one_signs_and_the_other_looks_again(any_ward, whole):
    plan = board(any_ward).plan
    seen = board(any_ward).seen if whole else seen_of(any_ward)
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def press() -> None:
        together.wait()
        try:
            if whole:
                with form_browser.working(any_ward.house, any_ward.investigator.actor) as work:
                    ulcer_decisions.about_study(work, plan, "pause", "at once", factories.PASSWORD, seen)
            else:
                decide(any_ward, seen)
            outcomes.append("signed")
        except NotAllowed as refusal:
            outcomes.append(refusal.why)

    pair = [threading.Thread(target=press) for _ in range(2)]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert sorted(outcomes) == ["signed", "stale_page"]
    assert len(any_ward.rows(Decision)) == 1


def test_the_decision_after_50_gy_comes_to_the_board_and_leaves_when_signed(ward):
    dated(ward, DateChange("cr_decision", 0, TODAY + timedelta(days=8), planned=True))
    assert board(ward).cases == ()
    ward.house.clock.move(days=1)
    (one,) = board(ward).cases
    assert (one.state, one.decision_day) == ("none", ulcer_cases.DecisionDay(TODAY + timedelta(days=8), "planned"))
    seen = seen_of(ward)
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        ulcer_decisions.about_participant(
            work, person(work, ward), "response", "continue", "no CR", factories.PASSWORD, seen
        )
    assert [one.about for case in board(ward).cases for one in case.decisions] == ["response"]
    assert ward.rows(Endoscopy) == []
