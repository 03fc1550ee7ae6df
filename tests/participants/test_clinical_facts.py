"""Test clinical facts: the newest applies until it expires, and its author is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pro.core.triage.verdict import ClinicalContext
from pro.features.participants import clinical_facts
from pro.models import Assessment, ClinicalFact
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


def snapshot(clinic: Clinic) -> dict[str, Any]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return clinical_facts.context_snapshot(work, work.session.get_one(Assessment, clinic.checkin.assessment_id))


def test_nothing_known_is_the_cautious_side(any_app_context):
    assert clinical_facts.context_from_snapshot({}, datetime(2026, 3, 2, tzinfo=UTC)) == ClinicalContext()
    assert clinical_facts.form_facts({}) == {"pd1": True, "selfharm_enabled": False}


@pytest.mark.parametrize(("known", "asked"), [(None, True), (True, True), (False, False)])
def test_unknown_exposure_counts_as_exposure(clinic, known, asked):
    if known is None:
        with form_browser.unit_of_work(clinic.app_context) as work:
            work.session.query(ClinicalFact).delete()
    else:
        clinic.mark("pd1_exposed", known)
    assert clinical_facts.form_facts(snapshot(clinic)) == {"pd1": asked, "selfharm_enabled": False}


def test_the_newest_fact_holds(any_clinic):
    for value in ("suspected", "confirmed", "none"):
        any_clinic.mark("ulcer_status", value)
        assert snapshot(any_clinic)["ulcer_status"] == value
    assert len([row for row in any_clinic.rows(ClinicalFact) if row.name == "ulcer_status"]) == 3
    event = any_clinic.events("clinical_fact.set")[-1]
    assert (event.old, event.new) == ({"ulcer_status": "confirmed"}, {"ulcer_status": "none"})
    assert event.actor_id == any_clinic.nurse.id


def test_a_mark_that_ran_out_uncovers_no_older_one(clinic, clock):
    clinic.mark("known_stable", 2, "pain")
    clinic.mark("known_stable", 3, "pain", days=14)
    clinic.mark("known_stable", 1, "cough", days=3)
    assert {item: mark["value"] for item, mark in snapshot(clinic)["known_stable"].items()} == {"pain": 3, "cough": 1}
    clock.move(days=3)
    assert set(snapshot(clinic)["known_stable"]) == {"pain"}
    clock.move(days=11)
    assert snapshot(clinic)["known_stable"] == {}


def test_a_fact_of_the_system_has_no_author(clinic):
    clinic.start().save(odor=3)
    row = clinic.rows(ClinicalFact)[-1]
    assert (row.name, row.value, row.recorded_by, row.reason) == ("ulcer_status", "suspected", None, "UL2")


def test_a_snapshot_is_json_and_comes_back_as_a_context(any_clinic):
    any_clinic.mark("baseline_weight", "62.0")
    any_clinic.mark("known_stable", 2, "pain")
    any_clinic.mark("ulcer_status", "suspected")
    any_clinic.start()
    kept = any_clinic.rows(Assessment)[0].context
    now = any_clinic.app_context.clock()
    expected = ClinicalContext(
        pd1_exposed=True, ulcer_status="suspected", known_stable={"pain": 2}, baseline_weight=Decimal("62.0")
    )
    assert clinical_facts.context_from_snapshot(kept, now) == expected
    later = clinical_facts.context_from_snapshot(kept, now + timedelta(days=14))
    assert later == replace(expected, known_stable={})


def test_the_baseline_weight_is_the_first_forms_unless_staff_weighed(clinic, clock):
    clinic.start().finish(weight=Decimal("62.0"))
    assert snapshot_of_next(clinic)["baseline_weight"] == "62.0"
    clinic.mark("baseline_weight", "60.5")
    assert snapshot_of_next(clinic)["baseline_weight"] == "60.5"


def snapshot_of_next(clinic: Clinic) -> dict[str, Any]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        way = clinic.qlq.assessment_id
        form = work.session.get_one(Assessment, way)
        form.instrument = "npc_checkin"
        kept = clinical_facts.context_snapshot(work, form)
        work.session.rollback()
        return kept


def test_weight_loss_is_judged_exactly(clinic):
    clinic.start().finish(weight=Decimal("62.0"))
    clinic.start(clinic.send()).finish(weight=Decimal("49.6"))
    assert "U20" in clinic.alerts()


def test_the_first_form_is_the_baseline_and_an_unfinished_one_is_nothing(any_clinic, clock):
    for value in (1, 2, 3):
        any_clinic.start(any_clinic.checkin if value == 1 else any_clinic.send()).finish(
            fatigue=value, other7=("fatigue",)
        )
        clock.move(days=7)
    left = any_clinic.start(any_clinic.send())
    left.finish_until("last", fatigue=4, other7=("fatigue",))
    kept = left.form().assessment.context
    assert (kept["baseline"]["fatigue"], kept["previous"]["fatigue"]) == (1, 3)
    assert "other7" not in kept["baseline"]


def test_skipped_and_withdrawn_answers_are_not_compared(clinic, clock):
    clinic.start().finish(bleed=None, discharge=1, tissue=1)
    clock.move(days=1)
    phone = clinic.start(clinic.send())
    assert "bleed" not in phone.form().assessment.context["baseline"]
    assert "bleed_now" not in phone.form().assessment.context["baseline"]


def test_an_open_alert_is_known_to_the_next_form(clinic):
    clinic.start().finish(breath=3)
    assert clinic.start(clinic.send()).form().assessment.context["open_alert"] == 3


def test_an_item_that_the_instrument_has_no_more_is_left_out(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert clinical_facts.earlier_values(work, "npc_checkin", {"bleed": 2, "gone": 1}) == {"bleed": 2}
