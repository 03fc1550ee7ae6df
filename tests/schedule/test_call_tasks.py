"""Test which missed forms become a call task, its due time, its end, and the call log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pro.errors import BadData, NotFound
from pro.features.participants import death_reports
from pro.features.schedule import call_tasks, missed_forms
from pro.features.to_do_list import to_do_list
from pro.models import CALL_OUTCOMES, TASK_KINDS, Alert, Anchor, CallTask, ExpectedForm, Participant, PhoneCall
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.data_entry_staff import enter_form
from tests.support.expected_form_rows import (
    QLQ,
    add_expected_form,
    answer_check_in,
    log_call,
    miss_check_ins,
    raised_alerts,
    record_missed_forms,
    set_clock,
    set_clock_after,
)

# --- the call task ---------------------------------------------------------------------------------------------------


def fractions(clinic: Clinic, last: int, days_ago: int) -> None:
    """Record radiotherapy up to fraction ``last``, given ``days_ago`` days before now."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        for number in range(1, last + 1):
            on = (work.now - timedelta(days=days_ago + last - number)).date()
            work.session.add(
                Anchor(
                    participant_id=clinic.participant_id,
                    kind="rt_fraction",
                    number=number,
                    on=on,
                    recorded_at=work.now,
                    superseded_at=None,
                )
            )


@pytest.mark.parametrize(
    ("last", "days_ago", "called"),
    [(8, 0, False), (11, 0, True), (28, 1, True), (28, 56, True), (28, 57, False)],
)
def test_in_the_weeks_of_risk_one_is_enough_for_a_call(any_clinic, last, days_ago, called):
    set_clock_after(any_clinic, 4)
    fractions(any_clinic, last, days_ago)
    miss_check_ins(any_clinic, 4)
    assert raised_alerts(any_clinic) == []
    assert len(any_clinic.rows(CallTask)) == called


def test_the_endpoint_visits_form_is_called_for_and_ends_only_with_it(any_clinic, clock):
    one = add_expected_form(any_clinic, 5, instrument=QLQ, kind="month_3", rank=1)
    set_clock_after(any_clinic, 5)
    record_missed_forms(any_clinic, one)
    assert raised_alerts(any_clinic) == []
    (task,) = any_clinic.rows(CallTask)
    assert task.dedupe_key == f"call:{one}"
    clock.move(hours=9)
    answer_check_in(any_clinic)
    assert any_clinic.rows(CallTask)[0].done_at is None
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.get_one(ExpectedForm, one).received_at = work.now
        missed_forms.record_answer_received(work, any_clinic.participant_id)
    assert any_clinic.rows(CallTask)[0].outcome == "answered"


def due_at(clinic: Clinic) -> str:
    (task,) = clinic.rows(CallTask)
    return f"{task.due_at:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(("day", "due"), [(2, "2026-03-05 00:00"), (4, "2026-03-09 00:00"), (6, "2026-03-09 00:00")])
def test_it_is_due_when_the_study_next_opens(clinic, day, due):
    miss_check_ins(clinic, 1, day, opens=0)
    assert due_at(clinic) == due


@pytest.mark.parametrize(("day", "due"), [(2, "2026-03-05 00:00"), (4, "2026-03-07 00:00"), (6, "2026-03-09 00:00")])
@pytest.mark.parametrize("why", ["urgent", "at risk"])
def test_a_participant_at_risk_is_phoned_the_next_morning_on_any_day(clinic, day, due, why):
    if why == "urgent":
        clinic.mark("ulcer_status", "suspected")
    else:
        set_clock_after(clinic, day)
        fractions(clinic, 20, 0)
    miss_check_ins(clinic, day)
    assert due_at(clinic) == due


def test_a_call_that_can_wait_does_not_keep_one_that_cannot(clinic):
    miss_check_ins(clinic, 1, 4, opens=0)
    assert due_at(clinic) == "2026-03-09 00:00"
    clinic.mark("ulcer_status", "suspected")
    miss_check_ins(clinic, 5, opens=0)
    assert due_at(clinic) == "2026-03-08 00:00"
    assert len(clinic.events("call_task.moved")) == 1


def test_the_to_do_list_shows_it_once_it_is_due(clinic, clock):
    miss_check_ins(clinic, 5, 13)

    def tasks() -> list[call_tasks.CallTaskRow]:
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            return to_do_list.read_to_do_list(work, "en").tasks

    assert tasks() == []
    clock.move(hours=8)
    (task,) = tasks()
    assert (task.participant_number, task.missed, task.last_answer_at, task.overdue) == ("NPC-001", 2, None, False)
    assert [form.visit for form in task.forms] == ["Induction, week 1", "Induction, week 2"]
    clock.move(days=1)
    (task,) = tasks()
    assert task.overdue


def test_an_answer_ends_it_and_the_quiet_alert(any_clinic):
    miss_check_ins(any_clinic, 5, 12)
    answer_check_in(any_clinic)
    (task,) = any_clinic.rows(CallTask)
    assert (task.outcome, task.done_by, task.done_at is not None) == ("answered", None, True)
    (alert,) = any_clinic.rows(Alert)
    assert (alert.disposition, alert.closed_at is not None) == ("closed_itself", True)
    assert [event.new for event in any_clinic.events("call_task.ended")] == [{"outcome": "answered"}]
    answer_check_in(any_clinic)
    assert len(any_clinic.events("alert.closed_itself")) == 1


def test_an_old_form_that_is_only_typed_now_is_no_sign_of_life(any_clinic, clock):
    first = any_clinic.app_context.clock()
    miss_check_ins(any_clinic, 5, 12)
    clock.move(hours=9)
    hours = (clock.now - first).total_seconds() / 3600
    enter_form(any_clinic, hours=hours, mode="paper")
    assert [task.done_at for task in any_clinic.rows(CallTask)] == [None]
    assert [alert.closed_at for alert in any_clinic.rows(Alert) if alert.rule == "M03"] == [None]
    enter_form(any_clinic, hours=1)
    assert [task.outcome for task in any_clinic.rows(CallTask)] == ["answered"]


def test_an_answer_closes_no_urgent_or_acknowledged_alert(any_clinic):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5, 12)
    any_clinic.acknowledge("M03")
    answer_check_in(any_clinic)
    assert {rule: alert.closed_at for rule, alert in any_clinic.alerts().items()} == {"M03": None, "M04": None}


# --- calls -----------------------------------------------------------------------------------------------------------


def called(clinic: Clinic) -> int:
    """Return a call task at nine in the morning of a Monday."""
    miss_check_ins(clinic, 5, 13)
    set_clock(clinic.app_context, datetime(2026, 3, 16, 1, 0, tzinfo=UTC))
    return clinic.rows(CallTask)[0].id


UNREACHED = ("no_answer", "wrong_number")


@pytest.mark.parametrize("outcome", [name for name in CALL_OUTCOMES if name not in UNREACHED])
def test_a_call_that_reached_the_participant_ends_the_task(any_clinic, outcome):
    call = log_call(any_clinic, outcome, task=called(any_clinic), text=" spoke for a while ")
    (task,) = any_clinic.rows(CallTask)
    assert (task.outcome, task.done_by) == (outcome, any_clinic.coordinator.id)
    assert (call.text, call.staff_id, call.call_task_id) == ("spoke for a while", any_clinic.coordinator.id, task.id)
    assert any_clinic.rows(Participant)[0].died_at is None
    assert "spoke" not in str([event.new for event in any_clinic.events("phone_call.logged")])


@pytest.mark.parametrize(
    ("hours", "due"),
    [
        (0, "2026-03-16 05:00"),
        (4.5, "2026-03-16 09:30"),
        (4.6, "2026-03-17 00:00"),
        (105, "2026-03-23 00:00"),
    ],
)
def test_an_unanswered_call_is_tried_again(clinic, clock, hours, due):
    task = called(clinic)
    clock.move(hours=hours)
    log_call(clinic, "no_answer", task=task)
    (row,) = clinic.rows(CallTask)
    assert (row.done_at, f"{row.due_at:%Y-%m-%d %H:%M}") == (None, due)


@pytest.mark.parametrize("kind", sorted(TASK_KINDS))
@pytest.mark.parametrize("outcome", UNREACHED)
def test_a_call_that_reached_no_person_ends_no_task(clinic, clock, outcome, kind):
    """Found: "wrong number" ended the task to call the family after a report of a death."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        task = missed_forms.make_call_task(work, person, kind, f"{kind}:1")
        work.session.flush()
        assert task is not None
        number = task.id
    log_call(clinic, outcome, task=number)
    (row,) = clinic.rows(CallTask)
    assert (row.done_at, row.due_at > clock.now) == (None, True)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert death_reports.reported_deaths(work, [clinic.participant_id]) == (
            {clinic.participant_id} if kind == missed_forms.DEATH_TASK else set()
        )


def test_after_three_unanswered_calls_a_relative_is_asked(clinic, clock):
    task = called(clinic)
    for tries in (1, 2, 3):
        log_call(clinic, "no_answer", task=task)
        clock.move(minutes=1)
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            person = work.session.get_one(Participant, clinic.participant_id)
            row = call_tasks.task_row(work, work.session.get_one(CallTask, task), person, "en")
        assert (row.tries, row.ask_relative) == (tries, tries == 3)


def test_a_call_without_a_task_serves_the_open_one(clinic):
    task = called(clinic)
    assert log_call(clinic, "reached").call_task_id == task
    assert clinic.rows(CallTask)[0].outcome == "reached"
    assert log_call(clinic, "reached_relative").call_task_id is None
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert [call.outcome for call, _name in call_tasks.list_calls(work, clinic.participant_id)] == [
            "reached_relative",
            "reached",
        ]


def test_pressing_twice_logs_one_call(any_clinic):
    log_call(any_clinic, "reached")
    log_call(any_clinic, "reached")
    assert len(any_clinic.rows(PhoneCall)) == 1


@pytest.mark.parametrize(
    ("outcome", "hours", "text", "fields"),
    [
        ("", 0, "", {"outcome": "empty"}),
        ("shouted", 0, "", {"outcome": "unknown"}),
        ("reached", 0.1, "", {"at": "call_in_future"}),
        ("reached", -24 * 400, "", {"at": "call_long_ago"}),
        ("reached", 0, "x" * 4001, {"text": "too_long"}),
        ("", 0.1, "x" * 4001, {"outcome": "empty", "at": "call_in_future", "text": "too_long"}),
    ],
)
def test_a_call_that_cannot_be_taken(clinic, outcome, hours, text, fields):
    with pytest.raises(BadData) as refusal:
        log_call(clinic, outcome, hours=hours, text=text)
    assert refusal.value.details["fields"] == fields
    assert clinic.rows(PhoneCall) == []


def test_a_call_for_nothing_that_exists(clinic):
    with pytest.raises(NotFound):
        log_call(clinic, "reached", task=99)
