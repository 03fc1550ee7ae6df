"""Silence: which missed forms raise what, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.features.alerts import alert_list, alert_page
from pro.features.operations import worker_health, worker_steps
from pro.models import Alert, Expected, Message, Participant, Task
from tests.support import form_browser
from tests.support.ledger_lines import QLQ, after, answer, line, miss, pass_over, rules

# --- what is raised --------------------------------------------------------------------------------------------------


def test_one_missed_check_in_of_somebody_well_raises_nothing(any_ward):
    miss(any_ward, 5)
    assert rules(any_ward) == []
    assert any_ward.rows(Task) == []


def test_two_in_a_row_are_read_and_called(any_ward):
    miss(any_ward, 5)
    (second,) = miss(any_ward, 12)
    (alert,) = any_ward.rows(Alert)
    assert (alert.source, alert.rule, alert.level) == (f"missed:{second}", "M03", 1)
    assert (alert.assessment_id, alert.unresolved, alert.basis) == (None, [], "E")
    assert alert.inputs["saw"] == {"missed_consecutive": 2}
    (task,) = any_ward.rows(Task)
    assert (task.dedupe_key, task.kind, task.expected_id, task.alert_id) == (
        f"call:{second}",
        "call_missed",
        second,
        alert.id,
    )
    assert any_ward.mails() == []
    assert [event.new["rule"] for event in any_ward.events("alert.raised")] == ["M03"]


def test_two_that_close_in_one_round_are_one_silence(any_ward):
    lines = miss(any_ward, 5, 12)
    assert rules(any_ward) == [(f"missed:{lines[1]}", "M03", 1)]
    assert len(any_ward.rows(Task)) == 1


def test_overlapping_windows_are_one_silence(ward):
    miss(ward, 5, 6)
    assert rules(ward) == []


@pytest.mark.parametrize("status", ["suspected", "confirmed"])
def test_one_is_urgent_with_an_ulcer(any_ward, status):
    any_ward.mark("ulcer_status", status)
    (one,) = miss(any_ward, 5)
    assert rules(any_ward) == [(f"missed:{one}", "M04", 2)]
    (alert,) = any_ward.rows(Alert)
    assert alert.inputs["saw"] == {"missed_consecutive": 1, "open_alert": 0, "ulcer_status": status}
    nurse, investigator = any_ward.mails()
    assert [nurse.to, investigator.to] == ["nurse@example.org", "investigator@example.org"]
    assert dict(nurse.params)["level"] == "urgent"
    assert (nurse.row.alert_id, nurse.row.assessment_id) == (alert.id, None)
    assert nurse.row.repeat == "prefer_duplicate"
    assert f"/staff/alerts/{alert.id}" in nurse.body
    assert len(any_ward.rows(Task)) == 1


def test_with_an_ulcer_and_two_missed_both_rules_stand_in_one_mail(ward):
    ward.mark("ulcer_status", "suspected")
    lines = miss(ward, 5, 12)
    assert rules(ward) == [(f"missed:{lines[1]}", "M03", 1), (f"missed:{lines[1]}", "M04", 2)]
    assert len(ward.mails()) == 2
    (task,) = ward.rows(Task)
    assert task.alert_id == ward.alerts()["M04"].id


def test_an_open_urgent_alert_makes_one_missed_form_urgent(ward, clock):
    clock.move(days=-1)
    ward.start().save(breath=2)
    clock.move(days=1)
    miss(ward, 5)
    assert "M04" in ward.alerts()


def test_its_own_alert_never_makes_silence_louder(any_ward):
    """M03 and M04 are open alerts themselves; counted, the first urgent one would keep every later silence urgent."""
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5)
    any_ward.mark("ulcer_status", "none")
    any_ward.acknowledge()
    answer(any_ward)
    before = len(any_ward.rows(Alert))
    miss(any_ward, 12)
    assert len(any_ward.rows(Alert)) == before


def test_a_later_missed_form_of_the_same_silence_says_nothing_new(any_ward):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5)
    any_ward.acknowledge()
    miss(any_ward, 12)
    miss(any_ward, 19)
    assert [(alert.rule) for alert in any_ward.rows(Alert)] == ["M04", "M03"]
    assert len(any_ward.mails()) == 2
    assert len(any_ward.rows(Task)) == 1


def test_the_same_round_twice_changes_nothing(any_ward):
    any_ward.mark("ulcer_status", "suspected")
    lines = miss(any_ward, 5, 12)
    kept = (rules(any_ward), len(any_ward.mails()), len(any_ward.rows(Task)))
    pass_over(any_ward, *lines)
    assert (rules(any_ward), len(any_ward.mails()), len(any_ward.rows(Task))) == kept


def test_a_new_silence_is_told_anew_once_somebody_dealt_with_the_old_one(any_ward, clock):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5)
    any_ward.acknowledge()
    clock.move(hours=9)
    answer(any_ward)
    miss(any_ward, 12)
    assert [alert.rule for alert in any_ward.rows(Alert)] == ["M04", "M04"]
    assert len(any_ward.mails()) == 4


def test_an_alert_that_still_waits_is_not_doubled_by_a_new_silence(any_ward, clock):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5)
    clock.move(hours=9)
    answer(any_ward)
    miss(any_ward, 12)
    assert [alert.rule for alert in any_ward.rows(Alert)] == ["M04"]
    assert len(any_ward.rows(Task)) == 2


def test_an_answer_between_two_missed_forms_breaks_the_row(ward, clock):
    miss(ward, 5)
    clock.move(hours=9)
    answer(ward)
    miss(ward, 12)
    assert rules(ward) == []


def test_an_answer_after_the_form_had_closed_is_no_silence(ward):
    """The worker was away: the form closed, then an answer came, then the round came round."""
    ward.mark("ulcer_status", "suspected")
    one = line(ward, 5)
    after(ward, 6)
    answer(ward)
    after(ward, 7)
    pass_over(ward, one)
    assert rules(ward) == []
    assert ward.rows(Task) == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"instrument": QLQ}, "a missed QLQ-C30 needs a reason, no call"),
        ({"mandatory": False}, "nobody had to answer"),
        ({"known": 13}, "it was planned when it was over: nobody was asked"),
    ],
)
def test_what_is_no_silence(any_ward, more, why):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 5, 12, **more)
    assert rules(any_ward) == [], why
    assert any_ward.rows(Task) == []


@pytest.mark.parametrize(("hours", "steps", "raised"), [(-4, 0, ["M04"]), (-2.5, 0, []), (-2.5, 1, ["M04"])])
def test_what_became_known_in_the_last_night_hours_is_no_silence(ward, hours, steps, raised):
    """At 21:29 no message can go out any more; unless one had, before the day was moved."""
    ward.mark("ulcer_status", "suspected")
    one = line(ward, 4, opens=-1)
    with form_browser.working(ward.house) as work:
        row = work.session.get_one(Expected, one)
        row.known_at, row.steps = row.closes_at + timedelta(hours=hours), steps
    after(ward, 4)
    pass_over(ward, one)
    assert [rule for _source, rule, _level in rules(ward)] == raised


def test_who_left_is_not_called(ward, clock):
    ward.mark("ulcer_status", "suspected")
    lines = [line(ward, 5)]
    after(ward, 5)
    with form_browser.working(ward.house) as work:
        work.session.get_one(Participant, ward.participant_id).withdrawn_at = clock.now
    pass_over(ward, *lines)
    assert rules(ward) == []
    assert ward.rows(Task) == []


# --- told like every loud alert --------------------------------------------------------------------------------------


def test_it_climbs_the_ladder_until_somebody_takes_it_on(any_ward, clock):
    any_ward.mark("ulcer_status", "suspected")
    miss(any_ward, 3)
    assert worker_steps.escalate(any_ward.house) == 0
    clock.move(hours=12)
    assert worker_steps.escalate(any_ward.house) == 1
    assert worker_steps.escalate(any_ward.house) == 0
    (again,) = any_ward.mails("alert_again")
    assert again.to == "nurse@example.org"
    any_ward.acknowledge()
    assert any_ward.rows(Message)[-1].status == "dropped"
    clock.move(days=3)
    assert worker_steps.escalate(any_ward.house) == 0


def test_health_knows_one_that_nobody_was_told_of(any_ward):
    def troubles() -> list[str]:
        with form_browser.working(any_ward.house) as work:
            return [name for name in worker_health.troubles(work) if name == "untold"]

    any_ward.mark("ulcer_status", "suspected")
    # A mail about a form is no mail about silence.
    any_ward.start().save(bleed=4)
    miss(any_ward, 5)
    assert troubles() == []
    with form_browser.working(any_ward.house) as work:
        mails = work.session.query(Message).filter(Message.alert_id == any_ward.alerts()["M04"].id)
        assert mails.delete() == 2
    assert troubles() == ["untold"]


def test_the_digest_holds_a_quiet_one(ward):
    miss(ward, 5, 12)
    ward.house.clock.move(hours=10)
    with form_browser.working(ward.house) as work:
        assert worker_steps.digests(work) == 1
    (mail,) = ward.mails("alert_digest")
    assert mail.params["rows"] == [
        {"study_number": "NPC-001", "link": f"http://127.0.0.1:8000/staff/alerts/{ward.alerts()['M03'].id}"}
    ]


# --- read by staff ---------------------------------------------------------------------------------------------------


def test_the_alert_page_says_which_form_did_not_come(ward):
    ward.mark("ulcer_status", "suspected")
    miss(ward, 5)
    alert_id = ward.alerts()["M04"].id
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        page = alert_page.alert_page(work, alert_id, "en")
        (case,) = alert_list.open_cases(work, "en")
    assert case.missed
    assert case.sentence == "Missed a check-in with an ulcer or an open alert, contact may be lost"
    assert page.missed is not None
    assert (page.missed.visit, page.answers, page.unresolved) == ("Induction, week 1", [], [])
    assert page.findings[0].holds
    assert (page.task_id, page.unfinished, page.last_answer_at) == (ward.rows(Task)[0].id, False, None)


def test_two_rounds_at_once_say_it_once(any_ward):
    any_ward.mark("ulcer_status", "suspected")
    lines = [line(any_ward, 5), line(any_ward, 12)]
    after(any_ward, 12)
    form_browser.at_once(lambda: pass_over(any_ward, *lines), lambda: pass_over(any_ward, *lines))
    assert sorted(rule for _source, rule, _level in rules(any_ward)) == ["M03", "M04"]
    assert len(any_ward.mails()) == 2
    assert len(any_ward.rows(Task)) == 1
