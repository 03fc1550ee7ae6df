"""What is known and stable, what comes back after somebody dealt with it, what was kept at opening, and the QLQ-C30."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.features.participants import clinical_facts
from pro.models import Alert, Assessment
from tests.support import form_browser
from tests.support.alert_ward import Ward

BOTH = ["nurse@example.org", "investigator@example.org"]


def told(ward: Ward) -> list[str]:
    return [mail.params["level"] for mail in ward.mails() if mail.to == BOTH[0]]


# --- known and stable ------------------------------------------------------------------------------------------------


def known_chest(ward: Ward) -> form_browser.Browser:
    ward.mark("known_stable", 1, "chest", days=14)
    return ward.start()


def test_known_and_stable_is_shown_lowered_and_tells_nobody_at_once(any_ward):
    phone = known_chest(any_ward)
    saved = phone.save(chest=1)
    found = any_ward.alerts()["U03"]
    assert (found.level, found.lowered, saved.level) == (Level.WATCH, True, Level.WATCH)
    assert "W03" not in any_ward.alerts()
    assert told(any_ward) == []
    assert phone.outcome().level is Level.WATCH


def test_worse_than_known_is_raised_again_every_time(any_ward, clock):
    """The same alert, loud for the second time: the second mail must leave although the first had the same words."""
    phone = known_chest(any_ward)
    phone.save(chest=1)
    for times in (1, 2, 3):
        clock.move(minutes=5)
        phone.save(chest=2)
        found = any_ward.alerts()["U03"]
        assert (found.level, found.lowered, found.raised_at) == (Level.URGENT, False, clock.now)
        assert found.inputs["saw"]["chest"] == 2
        assert found.acknowledged_at is None
        assert told(any_ward) == ["urgent"] * times
        any_ward.acknowledge()
        phone.save(chest=1)
        assert any_ward.alerts()["U03"].lowered


def test_another_urgent_sign_makes_the_known_one_loud_too(ward):
    phone = known_chest(ward)
    phone.save(chest=1, odor=3)
    assert ward.alerts()["U03"].level == Level.URGENT
    assert ward.alerts()["UL2"].level == Level.URGENT
    assert told(ward) == ["urgent"]


def test_a_mark_counts_for_its_days_only(ward, clock):
    ward.mark("known_stable", 1, "chest", days=14)
    clock.move(days=14)
    ward.start(ward.send()).save(chest=1)
    assert ward.alerts()["U03"].level == Level.URGENT


def test_a_lowered_ulcer_sign_suspects_nothing_until_it_is_louder(any_ward):
    for item, value in {"odor": 2, "headache": 2, "discharge": 0}.items():
        any_ward.mark("known_stable", value, item, days=14)
    phone = any_ward.start()
    phone.save(bleed=0, nosebleed7=0, odor=2, discharge=0, headache=2)
    assert any_ward.alerts()["UL3"].lowered
    assert any_ward.events("circumstance.set")[-1].new != {"ulcer_status": "suspected"}
    phone.save(headache=3)
    assert any_ward.alerts()["UL3"].level == Level.URGENT
    assert any_ward.events("circumstance.set")[-1].new == {"ulcer_status": "suspected"}


# --- what comes back -------------------------------------------------------------------------------------------------


def test_an_emergency_that_comes_back_shows_its_advice_and_is_told_again(any_ward, clock):
    """Pressed wrongly, corrected, taken on by the nurse; then it happens."""
    phone = any_ward.start()
    phone.save(bleed=4)
    phone.advised()
    phone.save(bleed=0)
    any_ward.acknowledge()
    assert phone.form().advice is None
    clock.move(minutes=20)
    phone.save(bleed=4)
    assert phone.form().advice == "bleeding"
    found = any_ward.alerts()["E01"]
    assert (found.acknowledged_at, found.advised_at, found.raised_at) == (None, None, clock.now)
    assert told(any_ward) == ["emergency", "emergency"]
    assert any_ward.events("alert.changed")[0].new["level"] == "emergency"


def test_an_emergency_that_comes_back_before_anybody_took_it_on_shows_its_advice_but_no_second_mail(ward):
    phone = ward.start()
    phone.save(bleed=4)
    phone.advised()
    phone.save(bleed=0, breath=3)
    phone.advised()
    phone.save(bleed=4)
    assert phone.form().advice == "bleeding"
    assert told(ward) == ["emergency"]


def test_one_that_comes_back_unread_is_the_same_alert(ward, clock):
    phone = ward.start()
    raised = clock.now
    for _ in range(3):
        phone.save(breath=3)
        assert phone.form().advice == "general"
        phone.advised()
        phone.save(breath=0)
        clock.move(minutes=2)
    assert ward.alerts()["E03"].raised_at == raised
    assert told(ward) == ["emergency"]


def test_what_goes_on_is_not_told_again_with_every_page(any_ward):
    phone = any_ward.start()
    phone.save(bleed=4)
    phone.advised()
    any_ward.acknowledge()
    phone.finish(bleed_now=1)
    assert phone.form().advice is None
    assert told(any_ward) == ["emergency"]


def test_a_sign_that_comes_back_after_staff_resolved_it_is_open_again(ward, clock):
    phone = ward.start()
    phone.save(odor=3)
    ward.acknowledge()
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        alert = work.session.get_one(Alert, ward.alerts()["UL2"].id)
        alert.resolved_at, alert.resolved_by, alert.disposition = work.now, ward.nurse.id, "seen"
    phone.save(discharge=0)
    assert ward.alerts()["UL2"].resolved_at == clock.now
    phone.save(odor=0)
    phone.save(odor=3)
    found = ward.alerts()["UL2"]
    assert (found.resolved_at, found.disposition, found.acknowledged_at) == (None, "", None)
    assert told(ward) == ["urgent", "urgent"]


def test_what_was_resolved_unread_does_not_keep_the_next_sign_quiet(ward):
    phone = ward.start()
    phone.save(breath=3)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        for alert in work.session.query(Alert):
            alert.resolved_at, alert.disposition = work.now, "duplicate"
    phone.save(neuro=1)
    assert told(ward) == ["emergency", "emergency"]


# --- the facts of the opening ----------------------------------------------------------------------------------------


def test_facts_that_change_later_change_nothing_for_this_form(any_ward):
    phone = any_ward.start()
    any_ward.mark("ulcer_status", "confirmed")
    any_ward.mark("pd1_exposed", False)
    any_ward.mark("known_stable", 4, "sores")
    phone.save(bleed=3, bleed_now=0, chest=1, sores=4)
    alerts = any_ward.alerts()
    assert "E02" not in alerts
    assert alerts["U03"].level == Level.URGENT
    assert not alerts["U09"].lowered


def test_the_next_form_is_judged_on_the_new_facts(ward):
    ward.start().finish()
    ward.mark("ulcer_status", "confirmed")
    ward.start(ward.send()).save(bleed=3)
    assert "E02" in ward.alerts()


def test_opening_again_on_another_device_keeps_the_first_facts(ward):
    ward.start()
    ward.mark("ulcer_status", "confirmed")
    ward.start().save(bleed=3)
    assert "E02" not in ward.alerts()


def test_a_rise_is_measured_from_the_first_and_from_the_last_form(any_ward, clock):
    any_ward.start().finish(headache=0)
    clock.move(days=7)
    any_ward.start(any_ward.send()).finish(headache=1, headache_int=0)
    clock.move(days=7)
    third = any_ward.start(any_ward.send())
    third.save(odor=1, headache=2)
    assert "UL6" in {alert.rule for alert in any_ward.rows(Alert) if alert.assessment_id == third.form().assessment.id}
    kept = third.form().assessment.context
    assert (kept["baseline"]["headache"], kept["previous"]["headache"]) == (0, 1)


def test_a_previous_form_older_than_three_weeks_is_not_compared(ward, clock):
    ward.start().finish(headache=1, headache_int=0)
    clock.move(days=21)
    later = ward.start(ward.send())
    assert later.form().assessment.context["previous"] == {}
    assert later.form().assessment.context["baseline"]["headache"] == 1


# --- QLQ-C30 ---------------------------------------------------------------------------------------------------------


def test_the_qlq_c30_is_judged_only_when_it_is_sent(any_ward):
    phone = any_ward.start(any_ward.qlq)
    phone.save(Q8=4, Q17=4)
    assert any_ward.alerts() == {}
    phone.submit()
    assert {"Q01", "Q04"} <= set(any_ward.alerts())
    assert told(any_ward) == ["urgent"]
    assert phone.form().advice is None


@pytest.mark.parametrize(("hours", "silent"), [(0, True), (47.9, True), (48, False), (72, False)])
def test_a_check_in_of_the_last_two_days_speaks_for_the_qlq_c30(ward, clock, hours, silent):
    ward.start().finish()
    clock.move(hours=hours)
    phone = ward.start(ward.qlq)
    phone.save(Q8=4)
    phone.submit()
    assert ("Q01" not in ward.alerts()) is silent


def test_an_item_that_the_check_in_skipped_does_not_speak(ward):
    ward.start().finish(breath=None)
    phone = ward.start(ward.qlq)
    phone.save(Q8=4)
    phone.submit()
    assert "Q01" in ward.alerts()


@pytest.mark.parametrize("taken_back", [None, "list"])
def test_an_item_that_was_taken_back_does_not_speak(any_ward, taken_back):
    """Answered first, then skipped, or withdrawn with the list that had settled it: no answer stands."""
    check_in = any_ward.start()
    check_in.finish_until("last")
    if taken_back == "list":
        check_in.page("other7", {"other7": None})
    else:
        check_in.page("other7", {"other7": ("diarrhea",)})
        check_in.page("diarrhea", {"diarrhea": 0})
        check_in.page("diarrhea", {"diarrhea": None})
    phone = any_ward.start(any_ward.qlq)
    phone.save(Q17=4)
    phone.submit()
    assert "Q04" in any_ward.alerts()


def test_scores_are_compared_with_the_first_form(any_ward, clock):
    first = any_ward.start(any_ward.qlq)
    first.finish(Q29=7, Q30=7)
    clock.move(days=21)
    second = any_ward.start(any_ward.send("qlq_c30"))
    second.finish(Q29=6, Q30=6)
    assert "QD1" in any_ward.alerts()
    assert any_ward.alerts()["QD1"].level == Level.WATCH


def test_recent_answers_are_hours_old(ward, clock):
    ward.start().finish()
    clock.move(hours=3)
    with form_browser.working(ward.house) as work:
        form = work.session.get_one(Assessment, ward.qlq.assessment_id)
        found = clinical_facts.recent_answers(work, form, 48)
        assert found["breath"] == 3.0
        assert "weight" not in found
        own = work.session.get_one(Assessment, ward.checkin.assessment_id)
        assert clinical_facts.recent_answers(work, own, 48) == {}
    clock.now += timedelta(hours=45)
    with form_browser.working(ward.house) as work:
        form = work.session.get_one(Assessment, ward.qlq.assessment_id)
        assert clinical_facts.recent_answers(work, form, 48) == {}
