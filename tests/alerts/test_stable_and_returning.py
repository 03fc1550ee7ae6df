"""Stable symptoms, findings that return after they were handled, facts stored at opening, the QLQ-C30."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.features.participants import clinical_facts
from pro.messaging import outbox
from pro.models import Alert, Assessment
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.scripted_sender import ScriptedSender

BOTH = ["nurse@example.org", "investigator@example.org"]


def told(clinic: Clinic) -> list[str]:
    return [mail.params["level"] for mail in clinic.mails() if mail.to == BOTH[0]]


# --- known and stable ------------------------------------------------------------------------------------------------


def known_chest(clinic: Clinic) -> form_browser.FormBrowser:
    clinic.mark("known_stable", 1, "chest", days=14)
    return clinic.start()


def test_known_and_stable_is_shown_lowered_and_tells_nobody_at_once(any_clinic):
    phone = known_chest(any_clinic)
    saved = phone.save(chest=1)
    found = any_clinic.alerts()["U03"]
    assert (found.level, found.lowered, saved.level) == (Level.WATCH, True, Level.WATCH)
    assert "W03" not in any_clinic.alerts()
    assert told(any_clinic) == []
    assert phone.outcome().level is Level.WATCH


def test_worse_than_known_is_raised_again_every_time(any_clinic, clock):
    """Each time is an alert and a mail of its own; better again, it never becomes quieter by itself."""
    phone = known_chest(any_clinic)
    phone.save(chest=1)
    for times in (1, 2, 3):
        clock.move(minutes=5)
        phone.save(chest=2)
        found = any_clinic.alerts()["U03"]
        assert (found.level, found.lowered, found.raised_at) == (Level.URGENT, False, clock.now)
        assert found.inputs["saw"]["chest"] == 2
        assert found.acknowledged_at is None
        assert told(any_clinic) == ["urgent"] * times
        any_clinic.acknowledge()
        phone.save(chest=1)
        found = any_clinic.alerts()["U03"]
        assert (found.level, found.occurrence) == (Level.URGENT, times + 1)


def test_another_urgent_sign_makes_the_known_one_loud_too(clinic):
    phone = known_chest(clinic)
    phone.save(chest=1, odor=3)
    assert clinic.alerts()["U03"].level == Level.URGENT
    assert clinic.alerts()["UL2"].level == Level.URGENT
    assert told(clinic) == ["urgent"]


def test_a_mark_counts_for_its_days_only(clinic, clock):
    clinic.mark("known_stable", 1, "chest", days=14)
    clock.move(days=14)
    clinic.start(clinic.send()).save(chest=1)
    assert clinic.alerts()["U03"].level == Level.URGENT


def test_a_lowered_ulcer_sign_suspects_nothing_until_it_is_louder(any_clinic):
    for item, value in {"odor": 2, "headache": 2, "discharge": 0}.items():
        any_clinic.mark("known_stable", value, item, days=14)
    phone = any_clinic.start()
    phone.save(bleed=0, nosebleed7=0, odor=2, discharge=0, headache=2)
    assert any_clinic.alerts()["UL3"].lowered
    assert any_clinic.events("clinical_fact.set")[-1].new != {"ulcer_status": "suspected"}
    phone.save(headache=3)
    assert any_clinic.alerts()["UL3"].level == Level.URGENT
    assert any_clinic.events("clinical_fact.set")[-1].new == {"ulcer_status": "suspected"}


# --- what comes back -------------------------------------------------------------------------------------------------


def test_an_emergency_that_comes_back_shows_its_advice_and_is_told_again(any_clinic, clock):
    """Pressed wrongly, corrected, taken on by the nurse; then it happens."""
    phone = any_clinic.start()
    phone.save(bleed=4)
    phone.advised()
    phone.save(bleed=0)
    any_clinic.acknowledge()
    assert phone.form().advice is None
    clock.move(minutes=20)
    phone.save(bleed=4)
    assert phone.form().advice == "bleeding"
    found = any_clinic.alerts()["E01"]
    assert (found.acknowledged_at, found.advised_at, found.raised_at) == (None, None, clock.now)
    assert told(any_clinic) == ["emergency", "emergency"]
    assert [event.new["level"] for event in any_clinic.events("alert.raised")].count("emergency") == 2


def test_an_emergency_that_comes_back_before_the_first_mail_left_needs_no_second_one(clinic):
    phone = clinic.start()
    phone.save(bleed=4)
    phone.advised()
    phone.save(bleed=0, breath=3)
    phone.advised()
    phone.save(bleed=4)
    assert phone.form().advice == "bleeding"
    assert told(clinic) == ["emergency"]


def test_an_emergency_that_comes_back_is_told_again_once_the_first_mail_has_left(clinic, clock):
    phone = clinic.start()
    raised = clock.now
    for _ in range(3):
        phone.save(breath=3)
        assert phone.form().advice == "general"
        outbox.deliver(clinic.app_context, {"email": ScriptedSender()}, "w")
        phone.advised()
        phone.save(breath=0)
        clock.move(minutes=2)
    found = [alert for alert in clinic.rows(Alert) if alert.rule == "E03"]
    assert [alert.raised_at - raised for alert in found] == [timedelta(minutes=at) for at in (0, 2, 4)]
    assert [alert.superseded_at is None for alert in found] == [False, False, True]
    assert told(clinic) == ["emergency"] * 3


def test_what_goes_on_is_not_told_again_with_every_page(any_clinic):
    phone = any_clinic.start()
    phone.save(bleed=4)
    phone.advised()
    any_clinic.acknowledge()
    phone.finish(bleed_now=1)
    assert phone.form().advice is None
    assert told(any_clinic) == ["emergency"]


def test_a_sign_that_comes_back_after_staff_resolved_it_is_open_again(clinic, clock):
    phone = clinic.start()
    phone.save(odor=3)
    clinic.acknowledge()
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        alert = work.session.get_one(Alert, clinic.alerts()["UL2"].id)
        alert.closed_at, alert.closed_by, alert.disposition = work.now, clinic.nurse.id, "seen"
    phone.save(discharge=0)
    assert clinic.alerts()["UL2"].closed_at == clock.now
    phone.save(odor=0)
    phone.save(odor=3)
    found = clinic.alerts()["UL2"]
    assert (found.closed_at, found.disposition, found.acknowledged_at) == (None, "", None)
    assert told(clinic) == ["urgent", "urgent"]


def test_what_was_resolved_unread_does_not_keep_the_next_sign_quiet(clinic):
    phone = clinic.start()
    phone.save(breath=3)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        for alert in work.session.query(Alert):
            alert.closed_at, alert.disposition = work.now, "duplicate"
    phone.save(neuro=1)
    assert told(clinic) == ["emergency", "emergency"]


# --- the facts of the opening ----------------------------------------------------------------------------------------


def test_facts_that_change_later_change_nothing_for_this_form(any_clinic):
    phone = any_clinic.start()
    any_clinic.mark("ulcer_status", "confirmed")
    any_clinic.mark("pd1_exposed", False)
    any_clinic.mark("known_stable", 4, "sores")
    phone.save(bleed=3, bleed_now=0, chest=1, sores=4)
    alerts = any_clinic.alerts()
    assert "E02" not in alerts
    assert alerts["U03"].level == Level.URGENT
    assert not alerts["U09"].lowered


def test_the_next_form_is_judged_on_the_new_facts(clinic):
    clinic.start().finish()
    clinic.mark("ulcer_status", "confirmed")
    clinic.start(clinic.send()).save(bleed=3)
    assert "E02" in clinic.alerts()


def test_opening_again_on_another_device_keeps_the_first_facts(clinic):
    clinic.start()
    clinic.mark("ulcer_status", "confirmed")
    clinic.start().save(bleed=3)
    assert "E02" not in clinic.alerts()


def test_a_rise_is_measured_from_the_first_and_from_the_last_form(any_clinic, clock):
    any_clinic.start().finish(headache=0)
    clock.move(days=7)
    any_clinic.start(any_clinic.send()).finish(headache=1, headache_int=0)
    clock.move(days=7)
    third = any_clinic.start(any_clinic.send())
    third.save(odor=1, headache=2)
    assert "UL6" in {
        alert.rule for alert in any_clinic.rows(Alert) if alert.assessment_id == third.form().assessment.id
    }
    kept = third.form().assessment.context
    assert (kept["baseline"]["headache"], kept["previous"]["headache"]) == (0, 1)


def test_a_previous_form_older_than_three_weeks_is_not_compared(clinic, clock):
    clinic.start().finish(headache=1, headache_int=0)
    clock.move(days=21)
    later = clinic.start(clinic.send())
    assert later.form().assessment.context["previous"] == {}
    assert later.form().assessment.context["baseline"]["headache"] == 1


# --- QLQ-C30 ---------------------------------------------------------------------------------------------------------


def test_the_qlq_c30_is_judged_only_when_it_is_sent(any_clinic):
    phone = any_clinic.start(any_clinic.qlq)
    phone.save(Q8=4, Q17=4)
    assert any_clinic.alerts() == {}
    phone.submit()
    assert {"Q01", "Q04"} <= set(any_clinic.alerts())
    assert told(any_clinic) == ["urgent"]
    assert phone.form().advice is None


@pytest.mark.parametrize(("hours", "silent"), [(0, True), (47.9, True), (48, False), (72, False)])
def test_a_check_in_of_the_last_two_days_speaks_for_the_qlq_c30(clinic, clock, hours, silent):
    clinic.start().finish()
    clock.move(hours=hours)
    phone = clinic.start(clinic.qlq)
    phone.save(Q8=4)
    phone.submit()
    assert ("Q01" not in clinic.alerts()) is silent


def test_an_item_that_the_check_in_skipped_does_not_speak(clinic):
    clinic.start().finish(breath=None)
    phone = clinic.start(clinic.qlq)
    phone.save(Q8=4)
    phone.submit()
    assert "Q01" in clinic.alerts()


@pytest.mark.parametrize("taken_back", [None, "list"])
def test_an_item_that_was_taken_back_does_not_speak(any_clinic, taken_back):
    """Answered first, then skipped, or withdrawn with the list that had settled it: no answer stands."""
    check_in = any_clinic.start()
    check_in.finish_until("last")
    if taken_back == "list":
        check_in.page("other7", {"other7": None})
    else:
        check_in.page("other7", {"other7": ("diarrhea",)})
        check_in.page("diarrhea", {"diarrhea": 0})
        check_in.page("diarrhea", {"diarrhea": None})
    phone = any_clinic.start(any_clinic.qlq)
    phone.save(Q17=4)
    phone.submit()
    assert "Q04" in any_clinic.alerts()


def test_scores_are_compared_with_the_first_form(any_clinic, clock):
    first = any_clinic.start(any_clinic.qlq)
    first.finish(Q29=7, Q30=7)
    clock.move(days=21)
    second = any_clinic.start(any_clinic.send("qlq_c30"))
    second.finish(Q29=6, Q30=6)
    assert "QD1" in any_clinic.alerts()
    assert any_clinic.alerts()["QD1"].level == Level.WATCH


def test_recent_answers_are_hours_old(clinic, clock):
    clinic.start().finish()
    clock.move(hours=3)
    with form_browser.unit_of_work(clinic.app_context) as work:
        form = work.session.get_one(Assessment, clinic.qlq.assessment_id)
        found = clinical_facts.hours_since_answers(work, form, 48)
        assert found["breath"] == 3.0
        assert "weight" not in found
        own = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        assert clinical_facts.hours_since_answers(work, own, 48) == {}
    clock.now += timedelta(hours=45)
    with form_browser.unit_of_work(clinic.app_context) as work:
        form = work.session.get_one(Assessment, clinic.qlq.assessment_id)
        assert clinical_facts.hours_since_answers(work, form, 48) == {}
