"""Test the visit schedule after date changes: moved and fixed visits, and refusals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

import pytest

from pro.core.schedule.anchors import AnchorProblem
from pro.errors import BadData, NotAllowed
from pro.features.participants import clinical_facts
from pro.features.schedule import schedule_service
from pro.models import Anchor, ClinicalFact, Participant
from tests.core.example_schedule import local, treated, window
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.calendar_participant import CHECKIN, QLQ, CalendarParticipant, change, changes, day, enrol


@pytest.fixture
def person(any_clinic: Clinic) -> CalendarParticipant:
    """Return a participant with consent on Monday 2026-03-02, at 09:00."""
    return enrol(any_clinic)


@pytest.fixture
def here(clinic: Clinic) -> CalendarParticipant:
    """Return the same participant, on SQLite only."""
    return enrol(clinic)


def treat(person: CalendarParticipant, until: str = "2026-04-13") -> None:
    """Record induction day 1 on 2026-03-05 and plan radiotherapy from 2026-04-13 on."""
    person.at("2026-03-05 09:00").set(change("induction_day1", "2026-03-05"), change("pd1_dose", "2026-03-05", 1))
    person.set(change("rt_fraction", until, 1, planned=True))


# --- preview and set -------------------------------------------------------------------------------------------------


def test_who_is_enrolled_has_a_baseline_to_answer(person):
    assert set(person.lines()) == {("baseline", CHECKIN), ("baseline", QLQ)}
    assert person.next_due_at() == person.clinic.app_context.clock()


def test_a_preview_shows_before_and_after_and_changes_nothing(person):
    before = person.lines()
    found = person.preview(change("induction_day1", "2026-03-09", planned=True))
    assert found.problems == ()
    moved = {new.name: (window(old), window(new)) for old, new in found.diff.moved}
    assert moved == {
        ("baseline", CHECKIN): (("2026-03-02", "2026-03-09", "2026-03-16"), ("2026-03-02", "2026-03-09", "2026-03-09")),
        ("baseline", QLQ): (("2026-03-02", "2026-03-09", "2026-03-16"), ("2026-03-02", "2026-03-09", "2026-03-09")),
    }
    assert len(found.diff.added) == 26 + 1
    assert found.diff.dropped == ()
    after = person.lines()
    assert {name: row.closes_at for name, row in after.items()} == {name: row.closes_at for name, row in before.items()}
    assert len(person.clinic.rows(Anchor)) == 2
    assert person.events("anchors.set") == []


def test_what_was_confirmed_is_what_was_shown(person):
    shown = person.preview(change("induction_day1", "2026-03-09", planned=True))
    done = person.set(change("induction_day1", "2026-03-09", planned=True), seen=shown.digest)
    assert done.digest == shown.digest
    events = person.events("anchors.set")
    assert len(events) == 1
    assert events[0].old == []
    assert events[0].new["anchors"] == [["induction_day1", 0, "2026-03-09", True]]
    assert (events[0].new["moved"], events[0].new["added"], events[0].new["dropped"]) == (2, 27, 0)
    assert events[0].actor_id == person.clinic.coordinator.id
    assert set(person.lines()) == {one.name for one in done.diff.result}


def test_a_preview_that_is_not_true_any_more_is_refused(person):
    shown = person.preview(change("induction_day1", "2026-03-09", planned=True))
    person.set(change("induction_day1", "2026-03-10", planned=True))
    with pytest.raises(NotAllowed) as refused:
        person.set(change("induction_day1", "2026-03-09", planned=True), seen=shown.digest)
    assert refused.value.why == "stale_preview"
    assert len(person.events("anchors.set")) == 1


def test_a_preview_of_something_else_is_refused(here):
    shown = here.preview(change("induction_day1", "2026-03-09", planned=True))
    with pytest.raises(NotAllowed):
        here.set(change("induction_day1", "2026-03-10", planned=True), seen=shown.digest)


def test_what_happened_is_not_changed_without_a_reason(here):
    treat(here)
    for what in (
        change("induction_day1", "2026-03-04"),
        change("induction_day1", None),
        change("induction_day1", "2026-03-05", planned=True),
    ):
        with pytest.raises(BadData) as refused:
            here.set(what, reason=" ")
        assert refused.value.details == {"fields": {"reason": "empty"}}
    here.set(change("induction_day1", "2026-03-05"))
    here.set(change("induction_day1", "2026-03-04"), reason="misread")
    assert here.events("anchors.set")[-1].reason == "misread"


def test_what_is_planned_is_changed_without_one(here):
    treat(here)
    here.set(change("rt_fraction", "2026-04-14", 1, planned=True))
    here.set(change("rt_fraction", None, 1))
    assert here.line("induction_week.26").due_at == local("2026-09-03 20:00")


def test_history_is_kept(here):
    treat(here)
    here.set(change("induction_day1", "2026-03-04"), change("pd1_dose", "2026-03-04", 1), reason="misread")
    rows = [row for row in here.clinic.rows(Anchor) if row.participant_id == here.id and row.kind == "induction_day1"]
    assert [(row.on, row.superseded_at is None, row.reason) for row in rows] == [
        (day("2026-03-05"), False, ""),
        (day("2026-03-04"), True, "misread"),
    ]
    assert {row.recorded_by for row in rows} == {here.clinic.coordinator.id}


# --- invalid input ---------------------------------------------------------------------------------------------------

BAD = {
    "an anchor in the future": ([change("induction_day1", "2026-04-21")], "future"),
    "fraction 29": ([change("rt_fraction", "2026-04-20", 29)], "number"),
    "fraction 0": ([change("rt_fraction", "2026-04-20", 0)], "number"),
    "a dose before consent": ([change("pd1_dose", "2026-03-01", 1)], "before"),
    "the first day before consent": ([change("induction_day1", "2026-03-01")], "before"),
    "the end of RT before its last fraction": (
        [change("rt_fraction", "2026-04-15", 1), change("rt_end", "2026-04-14")],
        "before",
    ),
    "the end of RT before its planned start": (
        [change("rt_fraction", "2026-04-25", 1, planned=True), change("rt_end", "2026-04-14")],
        "before",
    ),
    "fraction 3 before fraction 2": (
        [change("rt_fraction", "2026-04-15", 2), change("rt_fraction", "2026-04-14", 3)],
        "order",
    ),
    "an ulcer cleared that nobody suspected": ([change("ulcer_cleared", "2026-04-15", 1)], "needs"),
    "a death that is planned": ([change("death", "2026-04-25", planned=True)], "not_planned"),
    "a dose after death": ([change("death", "2026-04-10"), change("pd1_dose", "2026-04-11", 1)], "after_last"),
    "no such kind": ([change("chemotherapy", "2026-04-10")], "unknown"),
    "no such kind taken back": ([change("chemotherapy", None)], "unknown"),
    "one anchor twice": (
        [change("rt_fraction", "2026-04-15", 1), change("rt_fraction", "2026-04-16", 1)],
        "twice",
    ),
    "one anchor set and taken back": (
        [change("rt_fraction", "2026-04-15", 1), change("rt_fraction", None, 1)],
        "twice",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_and_changes_nothing(here, name):
    here.at("2026-04-20 10:00")
    what, key = BAD[name]
    before = [(row.id, row.superseded_at) for row in here.clinic.rows(Anchor)]
    assert key in {problem.key for problem in here.preview(*what).problems}
    with pytest.raises(BadData) as refused:
        here.set(*what, reason="because")
    assert key in {problem.key for problem in cast(tuple[AnchorProblem, ...], refused.value.details["problems"])}
    assert [(row.id, row.superseded_at) for row in here.clinic.rows(Anchor)] == before
    assert here.events("anchors.set") == []


def test_an_earlier_error_does_not_prevent_another_correction(here):
    treat(here)
    with form_browser.unit_of_work(here.clinic.app_context) as work:
        work.session.add(
            Anchor(participant_id=here.id, kind="rt_fraction", number=29, on=day("2026-03-05"), recorded_at=work.now)
        )
    here.set(change("pd1_dose", "2026-03-26", 2, planned=True))
    with pytest.raises(BadData):
        here.set(change("rt_fraction", "2026-03-05", 30))


def test_the_next_number(here):
    treat(here, until="2026-03-05")
    with form_browser.unit_of_work(here.clinic.app_context) as work:
        row = work.session.get_one(Participant, here.id)
        assert schedule_service.next_number(work, row, "rt_fraction") == 1
        assert schedule_service.next_number(work, row, "rt_end") == 0
    here.set(*[change("rt_fraction", "2026-03-05", number) for number in range(1, 29)])
    with form_browser.unit_of_work(here.clinic.app_context) as work:
        row = work.session.get_one(Participant, here.id)
        assert schedule_service.next_number(work, row, "rt_fraction") == 28
        assert schedule_service.read_days(work, row)["rt_end"][0].on == day("2026-03-05")
        kinds = [anchor.kind for anchor in schedule_service.ordered_anchors(work, row)]
    assert kinds == ["consent", "induction_day1", "pd1_dose", *["rt_fraction"] * 28]


# --- dates and ulcers ------------------------------------------------------------------------------------------------


def ulcer(person: CalendarParticipant) -> str:
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        return clinical_facts.current_fact(work, person.id, "ulcer_status") or "none"


def test_an_ulcer_is_suspected_confirmed_and_cleared(person):
    person.at("2026-03-20 09:00").set(change("ulcer_suspected", "2026-03-16", 1))
    assert ulcer(person) == "suspected"
    person.set(change("ulcer_confirmed", "2026-03-18", 1))
    assert ulcer(person) == "confirmed"
    person.set(change("ulcer_cleared", "2026-03-20", 1))
    assert ulcer(person) == "none"
    person.set(change("ulcer_cleared", None, 1), reason="wrong person")
    assert ulcer(person) == "confirmed"
    person.set(change("ulcer_confirmed", None, 1), change("ulcer_suspected", None, 1), reason="wrong person")
    assert ulcer(person) == "none"


def suspect(person: CalendarParticipant) -> None:
    """Let a rule find signs of an ulcer in the answers."""
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        clinical_facts.suspect_ulcer(work, person.id, "U01")


def test_taking_back_an_anchor_leaves_what_the_answers_made_us_suspect(here):
    suspect(here)
    here.at("2026-03-03 09:00").set(change("ulcer_confirmed", "2026-03-03", 1))
    here.set(change("ulcer_confirmed", None, 1), reason="wrong person")
    assert ulcer(here) == "suspected"


def test_an_old_ulcer_that_is_typed_later_does_not_clear_what_is_suspected_now(here):
    here.at("2026-03-20 09:00")
    suspect(here)
    here.set(change("ulcer_suspected", "2026-03-05", 1), change("ulcer_cleared", "2026-03-10", 1))
    assert ulcer(here) == "suspected"
    here.at("2026-03-21 09:00").set(change("ulcer_cleared", "2026-03-21", 2))
    assert ulcer(here) == "none"


def test_a_suspicion_is_cleared_by_hand_with_a_reason(here):
    suspect(here)
    with form_browser.unit_of_work(here.clinic.app_context, here.clinic.nurse.actor) as work:
        with pytest.raises(BadData):
            schedule_service.clear_suspicion(work, here.row(work), " ")
        schedule_service.clear_suspicion(work, here.row(work), "seen, healthy")
    assert ulcer(here) == "none"
    assert here.clinic.rows(ClinicalFact)[-1].reason == "seen, healthy"


# --- withdrawal and death --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "left"), [("withdrawal", 2), ("death", 0)])
def test_who_has_left_gets_nothing_that_was_queued(person, kind, left):
    person.look()
    assert person.text_states() == [("baseline:npc_checkin:0", "waiting")]
    person.clinic.app_context.clock.move(minutes=1)
    person.set(change(kind, "2026-03-02"))
    assert [(row.status, row.failure) for row in person.messages()] == [("dropped", "not_wanted")]
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        row = person.row(work)
        assert (row.withdrawn_at is not None, row.died_at is not None) == (kind == "withdrawal", kind == "death")
    assert {way.revoked_at is None for way in person.ways()} == {False}
    kept = [row for row in person.lines().values() if row.missed_at is None and row.kind != "withdrawal"]
    assert kept == []
    assert len([name for name in person.lines() if name[0] == "withdrawal"]) == left
    person.live("2026-04-20 12:00")
    assert len(person.messages()) == 1


def test_a_withdrawal_by_mistake_is_taken_back_and_the_plan_comes_back(person):
    treat(person)
    person.live("2026-03-13 07:00")
    before = {name: (row.opens_at, row.due_at, row.closes_at) for name, row in person.lines().items()}
    person.at("2026-03-13 09:00").set(change("withdrawal", "2026-03-13"))
    assert ("induction_week.2", CHECKIN) not in person.lines()
    person.clinic.app_context.clock.move(minutes=5)
    person.look()
    person.clinic.app_context.clock.move(minutes=5)
    person.set(change("withdrawal", None), reason="wrong person")
    after = {name: (row.opens_at, row.due_at, row.closes_at) for name, row in person.lines().items()}
    assert after == before
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        assert person.row(work).is_active
    person.live("2026-03-18 12:00")
    assert ("induction_week.2:npc_checkin:0", "waiting") in person.text_states()
    assert person.statuses()["induction_week.2", CHECKIN] in ("open", "due")


# --- moved and fixed visits ------------------------------------------------------------------------------------------


def places(person: CalendarParticipant) -> dict[tuple[str, str], tuple[datetime, datetime, datetime]]:
    return {name: (row.opens_at, row.due_at, row.closes_at) for name, row in person.lines().items()}


def test_moving_rt_start_by_three_days_moves_what_depends_on_it_and_sends_nothing_twice(person):
    treat(person)
    person.live("2026-04-07 12:00")
    assert person.line("before_rt", QLQ).assessment_id is not None
    before, earlier_texts = places(person), person.text_states()
    person.set(change("rt_fraction", "2026-04-16", 1, planned=True))
    person.look()
    after = places(person)
    moved = {name for name in before if name in after and before[name] != after[name]}
    dependent = {"before_rt", "rt_week", "rt_midweek", "decision_50gy", "rt_end", "after_rt_week", "after_rt_fortnight"}
    dependent |= {"month_1", "month_3", "follow_up", "late_follow_up"}
    assert {person.lines()[name].kind for name in moved} == dependent
    assert {name for name in before if person.lines()[name].kind in dependent} == moved
    assert after["before_rt", QLQ][0] - before["before_rt", QLQ][0] == timedelta(days=3)
    assert set(after) == set(before)
    assert person.text_states() == earlier_texts
    person.live("2026-04-20 12:00")
    keys = [key for key, _ in person.text_states()]
    assert len(keys) == len(set(keys))
    # The second text was due on the 7th at 8:00, when the message about the check-in of that week was sent; the third
    # is sent 48 hours after the new opening.
    assert [key for key in keys if key.startswith("before_rt:qlq_c30")] == [
        "before_rt:qlq_c30:0",
        "before_rt:qlq_c30:2",
    ]
    third = next(
        row for row in person.messages() if ":before_rt:qlq_c30:" in row.dedupe_key and row.dedupe_key[-1] == "2"
    )
    assert third.next_try_at == local("2026-04-11 08:00")


def test_an_opened_form_does_not_move(person):
    treat(person)
    person.live("2026-04-07 12:00")
    person.start(QLQ)
    stays = person.line("before_rt", QLQ)
    person.set(change("rt_fraction", "2026-04-16", 1, planned=True))
    assert places(person)["before_rt", QLQ] == (stays.opens_at, stays.due_at, stays.closes_at)
    assert person.line("before_rt").due_at == local("2026-04-16 20:00")


def test_an_unopened_form_moves_with_its_visit_and_the_old_link_still_works(person):
    treat(person)
    person.live("2026-04-07 12:00")
    form = person.form(QLQ)
    person.set(change("rt_fraction", "2026-04-16", 1, planned=True))
    person.live("2026-04-15 12:00")
    again = person.form(QLQ)
    assert (again.id, again.cancelled_at) == (form.id, None)
    assert again.closes_at == person.line("before_rt", QLQ).closes_at == local("2026-04-16 23:59")
    person.answer(QLQ)
    assert person.statuses()["before_rt", QLQ] == "received"


def test_a_visit_that_goes_takes_its_form_and_its_messages_with_it(person):
    treat(person)
    person.live("2026-04-07 08:00")
    person.set(change("rt_fraction", None, 1))
    assert ("before_rt", QLQ) not in person.lines()
    assert person.form(QLQ).cancelled_at is not None
    about = [row for row in person.messages() if ":before_rt:" in row.dedupe_key]
    assert [(row.status, row.failure) for row in about] == [("dropped", "not_wanted")]
    assert person.text_states()[-1] == ("induction_week.5:npc_checkin:0", "waiting")


def test_back_filled_dates_cause_no_message_and_no_call(person):
    person.at("2026-05-20 10:00")
    done = person.set(
        *changes(one for one in treated("2026-04-06") if one.kind != "consent" and one.on <= day("2026-05-19"))
    )
    assert done.problems == ()
    person.look()
    now = person.clinic.app_context.clock()
    past = [row for row in person.lines().values() if row.closes_at < now and row.kind != "baseline"]
    assert len(past) > 10
    assert {row.missing_reason for row in past} == {"administrative"}
    assert all(":baseline:" not in key and "rt_week.5" not in key for key, _ in person.text_states())
    assert len(person.text_states()) <= 3


def test_a_visit_that_is_moved_into_the_past_is_not_missed(person):
    treat(person)
    person.at("2026-04-08 10:00").set(change("rt_fraction", "2026-04-30", 1, planned=True))
    person.at("2026-04-20 10:00").look()
    person.set(change("rt_fraction", "2026-04-10", 1))
    row = person.line("before_rt", QLQ)
    assert (row.closes_at, row.missing_reason) == (local("2026-04-10 23:59"), "administrative")


def test_a_slip_of_the_pen_in_a_date_costs_no_visit(person):
    """Check a date a year or a month too early: after its correction no visit is lost."""
    person.at("2026-04-20 10:00").set(change("induction_day1", "2026-03-03"))
    assert person.line("induction_week.1").missed_at is not None
    person.look()
    person.clinic.app_context.clock.move(minutes=2)
    person.set(change("induction_day1", "2026-04-20"), reason="slip of the pen")
    row = person.line("induction_week.1")
    assert (row.missed_at, row.missing_reason, row.opens_at) == (None, "", local("2026-04-25 08:00"))
    person.live("2026-04-25 09:00")
    assert person.text_states()[-1] == ("induction_week.1:npc_checkin:0", "waiting")
