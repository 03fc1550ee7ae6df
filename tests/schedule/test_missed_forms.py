"""Test missed forms: which of them raise an alert, and who is notified."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.features.alerts import alert_list, alert_page
from pro.features.operations import worker_health, worker_steps
from pro.messaging import outbox
from pro.models import Alert, CallTask, ExpectedForm, Message, Participant
from tests.support import form_browser
from tests.support.expected_form_rows import (
    QLQ,
    add_expected_form,
    answer_check_in,
    miss_check_ins,
    raised_alerts,
    record_missed_forms,
    set_clock_after,
)
from tests.support.scripted_sender import ScriptedSender

# --- alerts ----------------------------------------------------------------------------------------------------------


def test_one_missed_check_in_without_risk_raises_nothing(any_clinic):
    miss_check_ins(any_clinic, 5)
    assert raised_alerts(any_clinic) == []
    assert any_clinic.rows(CallTask) == []


def test_two_in_a_row_are_read_and_called(any_clinic):
    miss_check_ins(any_clinic, 5)
    (second,) = miss_check_ins(any_clinic, 12)
    (alert,) = any_clinic.rows(Alert)
    assert (alert.source, alert.rule, alert.level) == (f"missed:{second}", "M03", 1)
    assert (alert.assessment_id, alert.unresolved, alert.basis) == (None, [], "E")
    assert alert.inputs["saw"] == {"missed_consecutive": 2}
    (task,) = any_clinic.rows(CallTask)
    assert (task.dedupe_key, task.kind, task.expected_form_id, task.alert_id) == (
        f"call:{second}",
        "call_missed",
        second,
        alert.id,
    )
    assert any_clinic.mails() == []
    assert [event.new["rule"] for event in any_clinic.events("alert.raised")] == ["M03"]


def test_two_missed_in_one_round_raise_one_alert(any_clinic):
    lines = miss_check_ins(any_clinic, 5, 12)
    assert raised_alerts(any_clinic) == [(f"missed:{lines[1]}", "M03", 1)]
    assert len(any_clinic.rows(CallTask)) == 1


def test_overlapping_windows_count_as_one_missed_form(clinic):
    miss_check_ins(clinic, 5, 6)
    assert raised_alerts(clinic) == []


@pytest.mark.parametrize("status", ["suspected", "confirmed"])
def test_one_is_urgent_with_an_ulcer(any_clinic, status):
    any_clinic.mark("ulcer_status", status)
    (one,) = miss_check_ins(any_clinic, 5)
    assert raised_alerts(any_clinic) == [(f"missed:{one}", "M04", 2)]
    (alert,) = any_clinic.rows(Alert)
    assert alert.inputs["saw"] == {"missed_consecutive": 1, "open_alert": 0, "ulcer_status": status}
    nurse, investigator = any_clinic.mails()
    assert [nurse.to, investigator.to] == ["nurse@example.org", "investigator@example.org"]
    assert dict(nurse.params)["level"] == "urgent"
    assert (nurse.row.alert_id, nurse.row.assessment_id) == (alert.id, None)
    assert nurse.row.repeat == "prefer_duplicate"
    assert f"/staff/alerts/{alert.id}" in nurse.body
    assert len(any_clinic.rows(CallTask)) == 1


def test_with_an_ulcer_and_two_missed_both_rules_stand_in_one_mail(clinic):
    clinic.mark("ulcer_status", "suspected")
    lines = miss_check_ins(clinic, 5, 12)
    assert raised_alerts(clinic) == [(f"missed:{lines[1]}", "M03", 1), (f"missed:{lines[1]}", "M04", 2)]
    assert len(clinic.mails()) == 2
    (task,) = clinic.rows(CallTask)
    assert task.alert_id == clinic.alerts()["M04"].id


def test_an_open_urgent_alert_makes_one_missed_form_urgent(clinic, clock):
    clock.move(days=-1)
    clinic.start().save(breath=2)
    clock.move(days=1)
    miss_check_ins(clinic, 5)
    assert "M04" in clinic.alerts()


def test_its_own_alert_never_raises_the_level_of_missed_forms(any_clinic):
    """Check that M03 and M04 alerts are not counted as open alerts.

    Otherwise the first urgent one would keep all later ones urgent.
    """
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5)
    any_clinic.mark("ulcer_status", "none")
    any_clinic.acknowledge()
    answer_check_in(any_clinic)
    before = len(any_clinic.rows(Alert))
    miss_check_ins(any_clinic, 12)
    assert len(any_clinic.rows(Alert)) == before


def test_a_later_missed_form_of_the_same_run_raises_nothing_new(any_clinic):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5)
    any_clinic.acknowledge()
    miss_check_ins(any_clinic, 12)
    miss_check_ins(any_clinic, 19)
    assert [(alert.rule) for alert in any_clinic.rows(Alert)] == ["M04", "M03"]
    assert len(any_clinic.mails()) == 2
    assert len(any_clinic.rows(CallTask)) == 1


def test_the_same_round_twice_changes_nothing(any_clinic):
    any_clinic.mark("ulcer_status", "suspected")
    lines = miss_check_ins(any_clinic, 5, 12)
    kept = (raised_alerts(any_clinic), len(any_clinic.mails()), len(any_clinic.rows(CallTask)))
    record_missed_forms(any_clinic, *lines)
    assert (raised_alerts(any_clinic), len(any_clinic.mails()), len(any_clinic.rows(CallTask))) == kept


def test_a_new_run_is_notified_after_the_old_alert_was_handled(any_clinic, clock):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5)
    any_clinic.acknowledge()
    clock.move(hours=9)
    answer_check_in(any_clinic)
    miss_check_ins(any_clinic, 12)
    assert [alert.rule for alert in any_clinic.rows(Alert)] == ["M04", "M04"]
    assert len(any_clinic.mails()) == 4


def test_an_open_alert_is_not_doubled_by_a_new_run(any_clinic, clock):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5)
    clock.move(hours=9)
    answer_check_in(any_clinic)
    miss_check_ins(any_clinic, 12)
    assert [alert.rule for alert in any_clinic.rows(Alert)] == ["M04"]
    assert len(any_clinic.rows(CallTask)) == 2


def test_an_answer_between_two_missed_forms_breaks_the_row(clinic, clock):
    miss_check_ins(clinic, 5)
    clock.move(hours=9)
    answer_check_in(clinic)
    miss_check_ins(clinic, 12)
    assert raised_alerts(clinic) == []


def test_an_answer_after_closing_counts_as_received(clinic):
    """Check a form that closed, then was answered, both while the worker was stopped."""
    clinic.mark("ulcer_status", "suspected")
    one = add_expected_form(clinic, 5)
    set_clock_after(clinic, 6)
    answer_check_in(clinic)
    set_clock_after(clinic, 7)
    record_missed_forms(clinic, one)
    assert raised_alerts(clinic) == []
    assert clinic.rows(CallTask) == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"instrument": QLQ}, "a missed QLQ-C30 needs a reason, no call"),
        ({"mandatory": False}, "nobody had to answer"),
        ({"known": 13}, "it was planned when it was over: nobody was asked"),
    ],
)
def test_forms_that_do_not_count_as_missed(any_clinic, more, why):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 5, 12, **more)
    assert raised_alerts(any_clinic) == [], why
    assert any_clinic.rows(CallTask) == []


@pytest.mark.parametrize(("hours", "steps", "raised"), [(-4, 0, ["M04"]), (-2.5, 0, []), (-2.5, 1, ["M04"])])
def test_a_visit_that_became_known_too_late_for_a_message_is_not_missed(clinic, hours, steps, raised):
    """Check visits that became known at 21:29, too late for a message.

    They do not count as missed, unless a message was sent before the day was moved.
    """
    clinic.mark("ulcer_status", "suspected")
    one = add_expected_form(clinic, 4, opens=-1)
    with form_browser.unit_of_work(clinic.app_context) as work:
        row = work.session.get_one(ExpectedForm, one)
        row.known_at, row.steps = row.closes_at + timedelta(hours=hours), steps
    set_clock_after(clinic, 4)
    record_missed_forms(clinic, one)
    assert [rule for _source, rule, _level in raised_alerts(clinic)] == raised


def test_who_left_is_not_called(clinic, clock):
    clinic.mark("ulcer_status", "suspected")
    lines = [add_expected_form(clinic, 5)]
    set_clock_after(clinic, 5)
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(Participant, clinic.participant_id).withdrawn_at = clock.now
    record_missed_forms(clinic, *lines)
    assert raised_alerts(clinic) == []
    assert clinic.rows(CallTask) == []


# --- notifications ---------------------------------------------------------------------------------------------------


def test_it_is_escalated_until_it_is_acknowledged(any_clinic, clock):
    any_clinic.mark("ulcer_status", "suspected")
    miss_check_ins(any_clinic, 3)
    assert worker_steps.escalate_alerts(any_clinic.app_context) == 0
    outbox.deliver(any_clinic.app_context, {"email": ScriptedSender()}, "w")
    clock.move(hours=12)
    assert worker_steps.escalate_alerts(any_clinic.app_context) == 1
    assert worker_steps.escalate_alerts(any_clinic.app_context) == 0
    (again,) = any_clinic.mails("alert_escalation")
    assert again.to == "nurse@example.org"
    any_clinic.acknowledge()
    assert any_clinic.rows(Message)[-1].status == "dropped"
    clock.move(days=3)
    assert worker_steps.escalate_alerts(any_clinic.app_context) == 0


def test_the_health_check_finds_one_without_a_notification(any_clinic):
    def troubles() -> list[str]:
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            return [name for name in worker_health.find_troubles(work) if name == "not_notified"]

    any_clinic.mark("ulcer_status", "suspected")
    # An email about a form is not one about missed forms.
    any_clinic.start().save(bleed=4)
    miss_check_ins(any_clinic, 5)
    outbox.deliver(any_clinic.app_context, {"email": ScriptedSender()}, "w")
    assert troubles() == []
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        mails = work.session.query(Message).filter(Message.alert_id == any_clinic.alerts()["M04"].id)
        assert mails.delete() == 2
    any_clinic.app_context.clock.move(minutes=3)
    assert troubles() == ["not_notified"]


def test_the_digest_holds_a_quiet_one(clinic):
    miss_check_ins(clinic, 5, 12)
    clinic.app_context.clock.move(hours=10)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert worker_steps.queue_digests(work) == 1
    (mail,) = clinic.mails("daily_digest")
    assert mail.params["rows"] == [
        {"participant_number": "NPC-001", "link": f"http://127.0.0.1:8000/staff/alerts/{clinic.alerts()['M03'].id}"}
    ]


# --- pages -----------------------------------------------------------------------------------------------------------


def test_the_alert_page_says_which_form_did_not_come(clinic):
    clinic.mark("ulcer_status", "suspected")
    miss_check_ins(clinic, 5)
    alert_id = clinic.alerts()["M04"].id
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        page = alert_page.alert_page(work, alert_id, "en")
        (case,) = alert_list.open_cases(work, "en")
    assert case.missed
    assert case.sentence == "Check-in missed with an ulcer or an open alert, possible loss to follow-up"
    assert page.missed is not None
    assert (page.missed.visit, page.answers, page.unresolved) == ("Induction, week 1", [], [])
    assert page.findings[0].holds
    assert (page.call_task_id, page.unfinished, page.last_answer_at) == (clinic.rows(CallTask)[0].id, False, None)


def test_two_rounds_at_once_say_it_once(any_clinic):
    any_clinic.mark("ulcer_status", "suspected")
    lines = [add_expected_form(any_clinic, 5), add_expected_form(any_clinic, 12)]
    set_clock_after(any_clinic, 12)
    form_browser.run_concurrently(
        lambda: record_missed_forms(any_clinic, *lines), lambda: record_missed_forms(any_clinic, *lines)
    )
    assert sorted(rule for _source, rule, _level in raised_alerts(any_clinic)) == ["M03", "M04"]
    assert len(any_clinic.mails()) == 2
    assert len(any_clinic.rows(CallTask)) == 1
