"""A finding becomes an alert at once and an email to the staff on call; each gets it once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.app_context import Actor
from pro.core.rule_language.level import Level
from pro.errors import BadData, NotFound
from pro.features.alerts import alert_service
from pro.features.participants import clinical_facts
from pro.models import Alert, AlertNote, Answer, Assessment, Message, StaffMember
from tests.support import form_browser
from tests.support.alert_clinic import Clinic, broken_rule


def told(clinic: Clinic) -> list[tuple[str, str]]:
    """Whom, and how loud."""
    return [(mail.to, mail.params["level"]) for mail in clinic.mails()]


BOTH = ["nurse@example.org", "investigator@example.org"]


# --- raising ---------------------------------------------------------------------------------------------------------


def test_an_emergency_is_an_alert_at_once_with_its_advice(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=4)
    alerts = any_clinic.alerts()
    assert sorted(alerts) == ["E01", "U01"]
    found = alerts["E01"]
    assert (found.level, found.advice, found.suspects, found.basis) == (3, "bleeding", "pharyngeal_hemorrhage", "L+E")
    assert (found.participant_id, found.assessment_id) == (any_clinic.participant_id, any_clinic.checkin.assessment_id)
    assert (found.raised_at, found.acknowledged_at, found.closed_at) == (clock.now, None, None)
    assert found.plan_version == any_clinic.app_context.catalogue.plans["npc_reirradiation"].version
    assert found.inputs["saw"]["bleed"] == 4
    assert found.inputs["instrument"] == "npc_checkin"
    assert phone.form().advice == "bleeding"


def test_an_urgent_finding_shows_no_advice(clinic):
    phone = clinic.start()
    phone.save(bleed=2)
    assert clinic.alerts()["U01"].advice == ""
    assert phone.form().advice is None


def test_everybody_who_must_know_gets_a_mail_in_their_own_language(any_clinic):
    any_clinic.start().save(bleed=4)
    nurse, investigator = any_clinic.mails()
    assert [nurse.to, investigator.to] == BOTH
    assert (nurse.row.language, investigator.row.language) == ("zh_Hans", "en")
    link = f"http://127.0.0.1:8000/staff/alerts/{any_clinic.alerts()['E01'].id}"
    for mail in (nurse, investigator):
        assert dict(mail.params) == {"participant_number": "NPC-001", "level": "emergency", "link": link}
        assert link in mail.body
        assert "NPC-001" in mail.subject
        assert (mail.row.channel, mail.row.repeat) == ("email", "prefer_duplicate")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in nurse.subject)
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in investigator.subject + investigator.body)


def test_a_mail_says_nothing_clinical_and_nothing_personal(clinic):
    phone = clinic.start()
    phone.save(bleed=4)
    phone.page("breath", {"breath": 3})
    for mail in clinic.mails():
        text = (mail.subject + mail.body).lower()
        for word in ("bleed", "出血", "呼吸", "breath", "E01", "13800138000", "ulcer", "溃疡", "hemorrhage", "dyspn"):
            assert word.lower() not in text, word


def test_watch_tells_nobody_at_once(clinic):
    clinic.start().save(bleed=1, bleed_now=0)
    assert clinic.alerts()["W01"].level == Level.WATCH
    assert clinic.mails() == []


def test_a_quiet_form_raises_nothing(clinic):
    clinic.start().finish()
    assert clinic.alerts() == {}
    assert clinic.rows(Message) == []


def test_an_abandoned_form_has_alerted_all_the_same(clinic):
    clinic.start().save(odor=3)
    assert clinic.rows(Assessment)[0].submitted_at is None
    assert clinic.alerts()["UL2"].level == Level.URGENT
    assert [to for to, _level in told(clinic)] == BOTH


# --- one mail for one thing ------------------------------------------------------------------------------------------


def test_a_louder_finding_is_told_although_a_quieter_one_waits(any_clinic):
    phone = any_clinic.start()
    phone.save(bleed=2)
    phone.save(bleed_now=0, breath=3)
    assert told(any_clinic) == [(to, level) for level in ("urgent", "emergency") for to in BOTH]


def test_an_equally_loud_one_is_not_told_while_the_first_waits(any_clinic):
    phone = any_clinic.start()
    phone.save(breath=3, chest=3, neuro=1)
    assert {"E03", "E04", "E06"} <= set(any_clinic.alerts())
    assert told(any_clinic) == [(to, "emergency") for to in BOTH]


def test_a_quieter_one_is_not_told_while_a_louder_one_waits(clinic):
    phone = clinic.start()
    phone.save(breath=3, faint=1)
    assert clinic.alerts()["U05"].acknowledged_at is None
    assert told(clinic) == [(to, "emergency") for to in BOTH]


def test_after_somebody_took_it_on_the_next_one_is_told_again(any_clinic):
    phone = any_clinic.start()
    phone.save(breath=3)
    any_clinic.acknowledge()
    phone.save(faint=1)
    phone.save(neuro=1)
    assert told(any_clinic) == [(to, level) for level in ("emergency", "urgent", "emergency") for to in BOTH]


def test_half_taken_on_is_not_taken_on(clinic):
    phone = clinic.start()
    phone.save(bleed=4)
    clinic.acknowledge("U01")
    phone.save(breath=3)
    assert told(clinic) == [(to, "emergency") for to in BOTH]
    clinic.acknowledge("E01", "E03")
    phone.save(neuro=1)
    assert told(clinic) == [(to, "emergency") for _ in range(2) for to in BOTH]


def test_another_form_of_the_same_person_is_told_on_its_own(clinic):
    phone = clinic.start()
    phone.finish(breath=3)
    second = clinic.start(clinic.send())
    second.save(breath=3)
    assert told(clinic) == [(to, "emergency") for _ in range(2) for to in BOTH]


def test_judging_twice_changes_nothing(any_clinic):
    phone = any_clinic.start()
    phone.save(bleed=3, bleed_now=1, odor=3)
    before = [(alert.rule, alert.level, alert.raised_at) for alert in any_clinic.rows(Alert)]
    mails = len(any_clinic.mails())
    for _ in range(3):
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            form = work.session.get_one(Assessment, any_clinic.checkin.assessment_id)
            alert_service.evaluate_form(work, form, {"bleed": 3, "bleed_now": 1, "odor": 3}, submitted=False, idle=0)
    assert [(alert.rule, alert.level, alert.raised_at) for alert in any_clinic.rows(Alert)] == before
    assert len(any_clinic.mails()) == mails
    assert any_clinic.events("alert.uncovered") == []


# --- W under U, M01 --------------------------------------------------------------------------------------------------


def test_a_watch_is_superseded_by_its_urgent_and_stands_again_without_it(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(breath=1)
    clock.move(minutes=1)
    phone.save(breath=2)
    assert any_clinic.alerts()["W02"].superseded_at == clock.now
    assert any_clinic.alerts()["U02"].superseded_at is None
    phone.save(breath=1)
    assert any_clinic.alerts()["W02"].superseded_at is None
    assert any_clinic.alerts()["U02"].closed_at is None
    assert [event.action for event in any_clinic.events("alert.superseded")] == ["alert.superseded"]


def test_a_corrected_answer_leaves_the_alert_to_a_person(clinic):
    phone = clinic.start()
    phone.save(bleed=4)
    phone.advised()
    phone.save(bleed=0)
    found = clinic.alerts()["E01"]
    assert (found.level, found.closed_at, found.superseded_at) == (3, None, None)


def test_a_missing_red_flag_closes_itself_when_the_answer_comes(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=0)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        form = work.session.get_one(Assessment, any_clinic.checkin.assessment_id)
        alert_service.evaluate_form(work, form, {"bleed": 0}, submitted=False, idle=30)
    assert any_clinic.alerts()["M01"].closed_at is None
    clock.move(minutes=1)
    phone.save(breath=0)
    assert any_clinic.alerts()["M01"].closed_at is None
    phone.save(chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    found = any_clinic.alerts()["M01"]
    assert (found.closed_at, found.disposition) == (clock.now, "closed_itself")
    assert len(any_clinic.events("alert.closed_itself")) == 1
    phone.save(chest=None)
    phone.submit()
    reopened = any_clinic.alerts()["M01"]
    assert (reopened.closed_at, reopened.disposition) == (None, "")


# --- the ulcer -------------------------------------------------------------------------------------------------------


def status(clinic: Clinic) -> str:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return str(
            clinical_facts.context_snapshot(work, work.session.get_one(Assessment, clinic.checkin.assessment_id))[
                "ulcer_status"
            ]
        )


def test_an_ulcer_sign_makes_an_ulcer_suspected_once_and_from_the_next_form_on(any_clinic):
    phone = any_clinic.start()
    phone.save(odor=3)
    phone.save(discharge=1, tissue=1)
    assert status(any_clinic) == "suspected"
    (event,) = [event for event in any_clinic.events("clinical_fact.set") if event.new == {"ulcer_status": "suspected"}]
    assert (event.old, event.reason) == ({"ulcer_status": None}, "UL2")
    phone.save(bleed=3, bleed_now=0)
    assert "E02" not in any_clinic.alerts()
    phone.finish()
    second = any_clinic.start(any_clinic.send())
    second.save(bleed=2, bleed_now=1)
    assert any_clinic.alerts()["E02"].assessment_id != any_clinic.checkin.assessment_id


def test_what_staff_confirmed_is_not_made_a_suspicion_again(clinic):
    clinic.mark("ulcer_status", "confirmed")
    clinic.start().save(odor=3)
    assert status(clinic) == "confirmed"


def test_a_cleared_suspicion_comes_back_only_with_a_new_sign(clinic):
    clinic.start().finish(odor=3)
    clinic.mark("ulcer_status", "none")
    assert status(clinic) == "none"
    clinic.start(clinic.send()).save(odor=3)
    assert status(clinic) == "suspected"


# --- when judging breaks ---------------------------------------------------------------------------------------------


def test_answers_stay_when_judging_breaks_and_one_urgent_alert_says_so(any_clinic):
    """A fault in one rule silences no other rule."""
    broken = any_clinic.with_rules(broken_rule())
    phone = broken.start()
    assert phone.save(bleed=0).level is Level.URGENT
    assert phone.save(breath=1).level is Level.URGENT
    assert [(row.item, row.value) for row in any_clinic.rows(Answer)] == [("bleed", 0), ("breath", 1)]
    assert sorted(any_clinic.alerts()) == [alert_service.EVALUATION_FAILED, "W02"]
    alert = any_clinic.alerts()[alert_service.EVALUATION_FAILED]
    assert (alert.rule, alert.level, alert.suspects) == (
        alert_service.EVALUATION_FAILED,
        Level.URGENT,
        "judging_failed",
    )
    assert told(any_clinic) == [(to, "urgent") for to in BOTH]
    assert phone.save(neuro=1).level is Level.EMERGENCY
    assert told(any_clinic) == [(to, level) for level in ("urgent", "emergency") for to in BOTH]


def test_new_answers_that_were_not_judged_are_told_after_somebody_looked(clinic, clock):
    """The person who acknowledged the failure read the earlier answers, not these."""
    phone = clinic.with_rules(broken_rule()).start()
    phone.save(bleed=0)
    clinic.acknowledge()
    looked_at = clock.now
    clock.move(minutes=5)
    phone.save(breath=0)
    first, second = clinic.rows(Alert)
    assert (first.acknowledged_at, second.acknowledged_at) == (looked_at, None)
    assert (second.rule, second.occurrence) == (first.rule, 2)
    assert second.raised_at > looked_at
    assert told(clinic) == [(to, "urgent") for _ in range(2) for to in BOTH]


def test_sending_works_although_judging_breaks(clinic):
    phone = clinic.with_rules(broken_rule()).start()
    phone.finish(bleed=0)
    assert clinic.rows(Assessment)[0].submitted_at is not None
    assert phone.outcome().level is Level.URGENT


def test_a_failure_closes_nothing_and_a_judgement_that_works_again_goes_on(clinic, clock):
    """The rule breaks on the free text only, so judging works before and after."""
    phone = clinic.with_rules(broken_rule("free_text >= 1")).start()
    phone.finish_until("last", bleed=None, breath=3)
    with form_browser.unit_of_work(clinic.app_context) as work:
        form = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        alert_service.evaluate_form(work, form, {"bleed": None, "breath": 3}, submitted=False, idle=30)
    assert clinic.alerts()["M01"].closed_at is None
    phone.page("last", {"free_text": "好多血"})
    alerts = clinic.alerts()
    assert (alerts["M01"].closed_at, alerts["E03"].closed_at) == (None, None)
    assert alerts[alert_service.EVALUATION_FAILED].closed_at is None
    phone.page("last", {"free_text": None})
    phone.page("chest", {"chest": 3})
    assert "E04" in clinic.alerts()
    assert clinic.alerts()[alert_service.EVALUATION_FAILED].closed_at is None


def test_a_rule_that_the_plan_has_dropped_meanwhile_keeps_its_alert_and_breaks_nothing(clinic):
    phone = clinic.start()
    phone.save(bleed=2)
    newer = clinic.with_plan(lambda plan: replace(plan, rules=tuple(rule for rule in plan.rules if rule.id != "U01")))
    again = replace(phone, app_context=newer.app_context)
    again.save(bleed=0, breath=3)
    alerts = clinic.alerts()
    assert (alerts["U01"].closed_at, alerts["E03"].level) == (None, 3)


# --- taking on, noting -----------------------------------------------------------------------------------------------


def test_who_took_it_on_first_keeps_it(any_clinic, clock):
    any_clinic.start().save(bleed=4)
    ids = [alert.id for alert in any_clinic.rows(Alert)]
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        assert alert_service.acknowledge(work, ids).new == ids
    first = clock.now
    clock.move(minutes=1)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        done = alert_service.acknowledge(work, ids)
    assert done.new == []
    assert done.already == [(id_, "Nurse", first) for id_ in ids]
    assert {(row.acknowledged_by, row.acknowledged_at) for row in any_clinic.rows(Alert)} == {
        (any_clinic.nurse.id, first)
    }
    assert len(any_clinic.events("alert.acknowledged")) == len(ids)


def test_two_people_at_the_same_moment_take_it_on_once(any_clinic):
    any_clinic.start().save(bleed=4)
    ids = [alert.id for alert in any_clinic.rows(Alert)]

    def take(actor: Actor) -> None:
        with form_browser.unit_of_work(any_clinic.app_context, actor) as work:
            alert_service.acknowledge(work, ids)

    form_browser.run_concurrently(
        *(lambda who=who: take(who.actor) for who in (any_clinic.nurse, any_clinic.investigator) * 2)
    )
    assert len(any_clinic.events("alert.acknowledged")) == len(ids)


def test_taking_on_what_is_not_there_or_as_nobody_is_refused(clinic):
    clinic.start().save(bleed=4)
    for actor, ids in ((clinic.nurse.actor, [999]), (clinic.nurse.actor, []), (Actor("system"), [1])):
        with form_browser.unit_of_work(clinic.app_context, actor) as work, pytest.raises(NotFound):
            alert_service.acknowledge(work, ids)


@pytest.mark.parametrize(("text", "why"), [("", "empty"), (" \n\t", "empty"), ("字" * 4001, "too_long")])
def test_a_note_that_cannot_be_kept_says_why(clinic, text, why):
    clinic.start().save(bleed=4)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(BadData) as refused:
        alert_service.add_note(work, "assessment:1", text)
    assert refused.value.details == {"fields": {"text": why}}


def test_a_note_is_kept_under_its_form(clinic, clock):
    clinic.start().save(bleed=4)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        alert_service.add_note(work, f"assessment:{clinic.checkin.assessment_id}", "  已电话联系  ")
    (row,) = clinic.rows(AlertNote)
    assert (row.text, row.staff_id, row.at) == ("已电话联系", clinic.nurse.id, clock.now)
    (event,) = clinic.events("alert.noted")
    assert event.new is None
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(NotFound):
        alert_service.add_note(work, "assessment:999", "x")


def test_a_note_that_is_sent_twice_is_kept_once_and_said_again_later_twice(any_clinic):
    any_clinic.start().save(bleed=4)
    source = f"assessment:{any_clinic.checkin.assessment_id}"

    def note() -> None:
        with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
            alert_service.add_note(work, source, "phoned, nobody there")

    form_browser.run_concurrently(note, note)
    assert len(any_clinic.rows(AlertNote)) == len(any_clinic.events("alert.noted")) == 1
    any_clinic.app_context.clock.move(minutes=2)
    note()
    assert len(any_clinic.rows(AlertNote)) == 2


def test_an_account_that_was_closed_is_told_nothing(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = clock.now
    clinic.start().save(bleed=4)
    assert told(clinic) == [("investigator@example.org", "emergency")]
