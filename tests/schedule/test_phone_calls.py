"""Which missed forms become a phone task, when it is due, what ends it, and the log of calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pro.errors import BadData, NotFound
from pro.features.dashboard import dashboard
from pro.features.schedule import missed_forms, phone_calls
from pro.models import CALL_OUTCOMES, Alert, Anchor, Call, Expected, Participant, Task
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.data_entry_staff import enter
from tests.support.ledger_lines import QLQ, after, answer, line, log, miss, pass_over, rules, set_clock

# --- the phone task --------------------------------------------------------------------------------------------------


def fractions(ward: Ward, last: int, days_ago: int) -> None:
    """Radiotherapy to fraction ``last``, which was given ``days_ago`` days before now."""
    with form_browser.working(ward.house) as work:
        for number in range(1, last + 1):
            on = (work.now - timedelta(days=days_ago + last - number)).date()
            work.session.add(
                Anchor(
                    participant_id=ward.participant_id,
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
def test_in_the_weeks_of_risk_one_is_enough_for_a_call(any_ward, last, days_ago, called):
    after(any_ward, 4)
    fractions(any_ward, last, days_ago)
    miss(any_ward, 4)
    assert rules(any_ward) == []
    assert len(any_ward.rows(Task)) == called


def test_the_endpoint_visits_form_is_called_for_and_ends_only_with_it(any_ward, clock):
    one = line(any_ward, 5, instrument=QLQ, kind="month_3", rank=1)
    after(any_ward, 5)
    pass_over(any_ward, one)
    assert rules(any_ward) == []
    (task,) = any_ward.rows(Task)
    assert task.dedupe_key == f"call:{one}"
    clock.move(hours=9)
    answer(any_ward)
    assert any_ward.rows(Task)[0].done_at is None
    with form_browser.working(any_ward.house) as work:
        work.session.get_one(Expected, one).served_at = work.now
        missed_forms.record_heard(work, any_ward.participant_id)
    assert any_ward.rows(Task)[0].outcome == "answered"


def due_at(ward: Ward) -> str:
    (task,) = ward.rows(Task)
    return f"{task.due_at:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(("day", "due"), [(2, "2026-03-05 00:00"), (4, "2026-03-09 00:00"), (6, "2026-03-09 00:00")])
def test_it_is_due_when_the_study_next_opens(ward, day, due):
    miss(ward, 1, day, opens=0)
    assert due_at(ward) == due


@pytest.mark.parametrize(("day", "due"), [(2, "2026-03-05 00:00"), (4, "2026-03-07 00:00"), (6, "2026-03-09 00:00")])
@pytest.mark.parametrize("why", ["urgent", "at risk"])
def test_whoever_may_be_in_danger_is_phoned_the_next_morning_whatever_day_it_is(ward, day, due, why):
    if why == "urgent":
        ward.mark("ulcer_status", "suspected")
    else:
        after(ward, day)
        fractions(ward, 20, 0)
    miss(ward, day)
    assert due_at(ward) == due


def test_a_call_that_can_wait_does_not_keep_one_that_cannot(ward):
    miss(ward, 1, 4, opens=0)
    assert due_at(ward) == "2026-03-09 00:00"
    ward.mark("ulcer_status", "suspected")
    miss(ward, 5, opens=0)
    assert due_at(ward) == "2026-03-08 00:00"
    assert len(ward.events("task.moved")) == 1


def test_the_board_shows_it_once_it_is_due(ward, clock):
    miss(ward, 5, 13)

    def tasks() -> list[phone_calls.TaskRow]:
        with form_browser.working(ward.house, ward.coordinator.actor) as work:
            return dashboard.board(work, "en").tasks

    assert tasks() == []
    clock.move(hours=8)
    (task,) = tasks()
    assert (task.study_number, task.missed, task.last_answer_at, task.overdue) == ("NPC-001", 2, None, False)
    assert [form.visit for form in task.forms] == ["Induction, week 1", "Induction, week 2"]
    clock.move(days=1)
    (task,) = tasks()
    assert task.overdue


def test_an_answer_ends_it_and_the_quiet_alert(any_ward):
    miss(any_ward, 5, 12)
    answer(any_ward)
    (task,) = any_ward.rows(Task)
    assert (task.outcome, task.done_by, task.done_at is not None) == ("answered", None, True)
    (alert,) = any_ward.rows(Alert)
    assert (alert.disposition, alert.resolved_at is not None) == ("closed_itself", True)
    assert [event.new for event in any_ward.events("task.ended")] == [{"outcome": "answered"}]
    answer(any_ward)
    assert len(any_ward.events("alert.closed_itself")) == 1


def test_an_old_form_that_is_only_typed_now_is_no_sign_of_life(any_ward, clock):
    first = any_ward.house.clock()
    miss(any_ward, 5, 12)
    clock.move(hours=9)
    hours = (clock.now - first).total_seconds() / 3600
    enter(any_ward, hours=hours, mode="paper")
    assert [task.done_at for task in any_ward.rows(Task)] == [None]
    assert [alert.resolved_at for alert in any_ward.rows(Alert) if alert.rule == "M03"] == [None]
    enter(any_ward, hours=1)
    assert [task.outcome for task in any_ward.rows(Task)] == ["answered"]


def test_an_answer_leaves_what_is_loud_or_taken_on_to_a_person(any_ward):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5, 12)
    any_ward.acknowledge("M03")
    answer(any_ward)
    assert {rule: alert.resolved_at for rule, alert in any_ward.alerts().items()} == {"M03": None, "M04": None}


# --- calls -----------------------------------------------------------------------------------------------------------


def called(ward: Ward) -> int:
    """A task at nine in the morning of a Monday."""
    miss(ward, 5, 13)
    set_clock(ward.house, datetime(2026, 3, 16, 1, 0, tzinfo=UTC))
    return ward.rows(Task)[0].id


@pytest.mark.parametrize("outcome", [name for name in CALL_OUTCOMES if name != "no_answer"])
def test_a_call_that_reached_somebody_ends_the_task(any_ward, outcome):
    call = log(any_ward, outcome, task=called(any_ward), text=" spoke for a while ")
    (task,) = any_ward.rows(Task)
    assert (task.outcome, task.done_by) == (outcome, any_ward.coordinator.id)
    assert (call.text, call.staff_id, call.task_id) == ("spoke for a while", any_ward.coordinator.id, task.id)
    assert any_ward.rows(Participant)[0].died_at is None
    assert "spoke" not in str([event.new for event in any_ward.events("call.logged")])


@pytest.mark.parametrize(
    ("hours", "due"),
    [
        (0, "2026-03-16 05:00"),
        (4.5, "2026-03-16 09:30"),
        (4.6, "2026-03-17 00:00"),
        (105, "2026-03-23 00:00"),
    ],
)
def test_a_call_in_vain_is_tried_again(ward, clock, hours, due):
    task = called(ward)
    clock.move(hours=hours)
    log(ward, "no_answer", task=task)
    (row,) = ward.rows(Task)
    assert (row.done_at, f"{row.due_at:%Y-%m-%d %H:%M}") == (None, due)


def test_after_three_calls_in_vain_a_relative_is_asked(ward, clock):
    task = called(ward)
    for tries in (1, 2, 3):
        log(ward, "no_answer", task=task)
        clock.move(minutes=1)
        with form_browser.working(ward.house, ward.coordinator.actor) as work:
            person = work.session.get_one(Participant, ward.participant_id)
            row = phone_calls.task_row(work, work.session.get_one(Task, task), person, "en")
        assert (row.tries, row.ask_relative) == (tries, tries == 3)


def test_a_call_without_a_task_serves_the_open_one(ward):
    task = called(ward)
    assert log(ward, "reached").task_id == task
    assert ward.rows(Task)[0].outcome == "reached"
    assert log(ward, "reached_relative").task_id is None
    with form_browser.working(ward.house) as work:
        assert [row.outcome for row in phone_calls.calls_of(work, ward.participant_id)] == [
            "reached_relative",
            "reached",
        ]


def test_pressing_twice_logs_one_call(any_ward):
    log(any_ward, "reached")
    log(any_ward, "reached")
    assert len(any_ward.rows(Call)) == 1


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
def test_a_call_that_cannot_be_taken(ward, outcome, hours, text, fields):
    with pytest.raises(BadData) as refusal:
        log(ward, outcome, hours=hours, text=text)
    assert refusal.value.details["fields"] == fields
    assert ward.rows(Call) == []


def test_a_call_for_nothing_that_exists(ward):
    with pytest.raises(NotFound):
        log(ward, "reached", task=99)
