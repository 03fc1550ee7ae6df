"""Test that an alert is taken over, graded, signed and closed.

Covers refusals and two people who act at once.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pro.errors import BadData, NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.adverse_events import adverse_event_log, gradings
from pro.features.adverse_events.gradings import GradingDraft, GradingResult
from pro.features.alerts import alert_handling, stable_symptoms
from pro.features.alerts.alert_handling import ClosureResult
from pro.models import AdverseEvent, Alert, AlertClosure, Assessment, Grading, Handover, Participant, Signature
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account

TODAY = date(2026, 3, 2)
GRADED = GradingDraft(
    term="epistaxis", onset_date=TODAY, grade=3, attribution=("radiotherapy",), serious=False, action="packed"
)
REASON = "seen at once, no danger"
NONE = GradingDraft(none_reason="wrong_answer")


def bleeding(clinic: Clinic) -> str:
    """Return an urgent alert that the nurse acknowledged."""
    clinic.start().save(bleed=2, bleed_now=0)
    clinic.acknowledge()
    return clinic.rows(Alert)[0].source


def judge(clinic: Clinic, said: GradingDraft, source: str = "", seen: int | None = None) -> GradingResult:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        proof = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(proof, PasswordProof)
        known = gradings.newest_grading_id(work, person.id) if seen is None else seen
        return gradings.sign_grading(
            work, proof, person, said, seen=known, case_key=source, shown=factories.shown_alerts(work, source)
        )


def close(clinic: Clinic, source: str, by: Account, disposition: str = "outpatient", **more: Any) -> ClosureResult:
    with form_browser.unit_of_work(clinic.app_context, by.actor) as work:
        shown = more.pop("shown", [alert.id for alert in clinic.rows(Alert)] if "shown" not in more else [])
        return alert_handling.close_alerts(work, source, shown, disposition, **more)


def refused(clinic: Clinic, said: GradingDraft) -> dict[str, str]:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        return gradings.grading_problems(work, work.session.get_one(Participant, clinic.participant_id), said)


def ids(clinic: Clinic) -> list[int]:
    return [alert.id for alert in clinic.rows(Alert)]


# --- gradings --------------------------------------------------------------------------------------------------------


def test_a_grading_is_kept_signed_and_audited_with_its_alert(any_clinic):
    source = bleeding(any_clinic)
    done = judge(any_clinic, GRADED, source)
    (row,), (event,), (signature,) = (any_clinic.rows(model) for model in (Grading, AdverseEvent, Signature))
    assert done == GradingResult(True, event.id)
    assert (row.ctcae_grade, row.from_on, row.source, row.attribution) == (3, TODAY, source, ["radiotherapy"])
    assert (signature.subject, signature.subject_id, signature.meaning) == ("grading", row.id, "assessed")
    assert signatures.is_content_unchanged(signature, gradings.signed_content(row, event), gradings.SIGNED_SHAPES)
    assert [found.new["ctcae_grade"] for found in any_clinic.events("grading.signed")] == [3]


REFUSED = [
    ({"term": ""}, {"term"}),
    ({"term": "none_such"}, {"term"}),
    ({"term": "other"}, {"other_term"}),
    ({"grade": None}, {"grade"}),
    ({"term": "dry_mouth", "grade": 4, "not_serious": "no"}, {"grade"}),
    ({"term": "headache", "grade": 5, "serious": True}, {"grade", "awareness_time"}),
    ({"term": "pharyngeal_necrosis", "grade": 2}, {"grade"}),
    ({"grade": 4}, {"not_serious"}),
    ({"grade": 4, "not_serious": "x" * 4001}, {"not_serious"}),
    ({"grade": 4, "serious": None}, {"serious"}),
    ({"grade": 5}, {"serious"}),
    ({"onset_date": None}, {"onset_date"}),
    ({"onset_date": TODAY + timedelta(1)}, {"onset_date"}),
    ({"attribution": ()}, {"attribution"}),
    ({"attribution": ("weather",)}, {"attribution"}),
    ({"serious": None}, {"serious"}),
    ({"serious": True, "action": " "}, {"action", "awareness_time"}),
    ({"action": "x" * 4001}, {"action"}),
    ({"event_id": 99, "from_on": TODAY}, {"event"}),
]


@pytest.mark.parametrize(("change", "fields"), REFUSED)
def test_what_cannot_be_is_refused_at_its_field(clinic, change, fields):
    assert set(refused(clinic, replace(GRADED, **change))) == fields


def test_what_can_be_is_not_refused(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        serious = replace(GRADED, serious=True, awareness_time=work.now)
        later = replace(serious, awareness_time=work.now + timedelta(minutes=1))
    assert refused(clinic, GRADED) == refused(clinic, serious) == refused(clinic, NONE) == {}
    assert refused(clinic, later) == {"awareness_time": "known_in_future"}
    assert set(refused(clinic, GradingDraft(none_reason="other"))) == {"action"}


def test_an_event_that_looks_serious_needs_a_reason_to_be_none(any_clinic):
    any_clinic.start().save(bleed=3, bleed_now=1)
    source = any_clinic.rows(Alert)[0].source
    with pytest.raises(BadData) as refusal:
        judge(any_clinic, GRADED, source)
    assert refusal.value.details["fields"] == {"not_serious": "looks_serious"}
    assert judge(any_clinic, replace(GRADED, not_serious=f" {REASON} "), source).done
    assert [row.not_serious for row in any_clinic.rows(Grading)] == [REASON]
    (entry,) = any_clinic.events("grading.signed")
    assert entry.reason == REASON


def test_after_a_death_no_event_is_not_serious_without_a_reason(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        work.session.get_one(Participant, clinic.participant_id).died_at = work.now
    assert refused(clinic, GRADED) == {"not_serious": "looks_serious"}
    assert refused(clinic, replace(GRADED, not_serious=REASON)) == {}


def test_a_reason_that_nobody_asked_for_is_not_kept(clinic):
    judge(clinic, replace(GRADED, not_serious=REASON))
    assert [row.not_serious for row in clinic.rows(Grading)] == [""]


def test_an_event_is_graded_again_and_ends(clinic):
    first = judge(clinic, GRADED)
    clinic.app_context.clock.move(days=3)
    event = replace(GRADED, event_id=first.event_id, grade=1, from_on=TODAY + timedelta(2))
    assert set(refused(clinic, replace(event, from_on=TODAY - timedelta(1)))) == {"from_on"}
    judge(clinic, event)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        (line,) = adverse_event_log.adverse_event_rows(work, "en")
        assert (line.grade, line.onset_date, line.english, line.report_by) == (1, TODAY, "Epistaxis", None)
        with pytest.raises(BadData):
            gradings.end_event(work, line.id, TODAY + timedelta(1))
        assert gradings.end_event(work, line.id, TODAY + timedelta(2))
        assert not gradings.end_event(work, line.id, TODAY + timedelta(2))
    assert set(refused(clinic, replace(event, from_on=TODAY + timedelta(3)))) == {"event"}


def test_a_serious_event_is_on_the_clock_until_it_is_reported(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        known = work.now
    done = judge(clinic, replace(GRADED, serious=True, awareness_time=known))
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        assert adverse_event_log.adverse_event_rows(work, "zh_Hans")[0].report_by == known + timedelta(hours=24)
        assert gradings.record_sae_report(work, done.event_id or 0)
        assert not gradings.record_sae_report(work, done.event_id or 0)
        assert adverse_event_log.adverse_event_rows(work, "en")[0].reported_at == work.now


def test_the_second_to_judge_reads_who_was_first_and_nothing_is_overwritten(any_clinic):
    source = bleeding(any_clinic)
    judge(any_clinic, GRADED, source, seen=0)
    assert judge(any_clinic, GRADED, source, seen=0).done  # the same button pressed twice
    other = judge(any_clinic, replace(GRADED, grade=2), source, seen=0)
    assert (other.done, other.name) == (False, any_clinic.investigator.name)
    assert [row.ctcae_grade for row in any_clinic.rows(Grading)] == [3]


def test_two_who_judge_in_the_same_moment_make_one_grading(postgresql_clinic):
    clinic = postgresql_clinic
    source = bleeding(clinic)
    done: list[bool] = []

    def press(grade: int) -> None:
        done.append(judge(clinic, replace(GRADED, grade=grade), source, seen=0).done)

    people = [threading.Thread(target=press, args=(grade,)) for grade in (1, 2, 3)]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert sorted(done) == [False, False, True]
    assert len(clinic.rows(Grading)) == 1


# --- taking over and closing -----------------------------------------------------------------------------------------


def test_an_alert_is_taken_over_once_from_whom_the_page_showed(any_clinic):
    source = bleeding(any_clinic)
    for person, done in (
        (any_clinic.coordinator, True),
        (any_clinic.investigator, False),
        (any_clinic.coordinator, False),
    ):
        with form_browser.unit_of_work(any_clinic.app_context, person.actor) as work:
            taken = alert_handling.take_over_alerts(
                work, source, any_clinic.nurse.id, factories.shown_alerts(work, source)
            )
            assert (taken.done, taken.holder.staff_id) == (done, any_clinic.coordinator.id)
    (row,) = any_clinic.rows(Handover)
    assert (row.from_id, row.staff_id) == (any_clinic.nurse.id, any_clinic.coordinator.id)
    assert len(any_clinic.events("alert.taken_over")) == 1


def test_an_unassigned_alert_cannot_be_taken_over(clinic):
    clinic.start().save(bleed=2, bleed_now=0)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work, pytest.raises(NotAllowed):
        alert_handling.take_over_alerts(work, clinic.rows(Alert)[0].source, clinic.nurse.id, ())


def test_no_alert_ends_without_a_judgement_and_an_outcome(any_clinic):
    any_clinic.start().save(bleed=2, bleed_now=0)
    source = any_clinic.rows(Alert)[0].source

    def why(**more: Any) -> object:
        with pytest.raises(BadData) as refusal:
            close(any_clinic, source, any_clinic.nurse, **more)
        return refusal.value.details["fields"]

    assert why() == {"disposition": "acknowledge_first"}
    any_clinic.acknowledge()
    assert why() == {"disposition": "judge_first"}
    judge(any_clinic, NONE, source)
    assert why(disposition="") == {"disposition": "disposition"}
    assert why(disposition="no_action") == {"reason": "closing_reason"}
    assert {alert.closed_at for alert in any_clinic.rows(Alert)} == {None}
    assert close(any_clinic, source, any_clinic.nurse, disposition="no_action", reason="clot from yesterday").why == ""
    assert {alert.disposition for alert in any_clinic.rows(Alert)} == {"no_action"}
    assert len(any_clinic.events("alert.closed")) == len(ids(any_clinic))


def test_an_admission_needs_a_serious_event_or_a_reason(any_clinic):
    source = bleeding(any_clinic)
    judge(any_clinic, GRADED, source)
    with pytest.raises(BadData) as refusal:
        close(any_clinic, source, any_clinic.nurse, disposition="admitted", reason="ward 3")
    assert refusal.value.details["fields"] == {"not_serious": "admission_is_serious"}
    assert close(any_clinic, source, any_clinic.nurse, disposition="admitted", not_serious=REASON).why == ""
    assert [row.not_serious for row in any_clinic.rows(AlertClosure)] == [REASON]


def test_an_admission_with_a_serious_event_is_closed_and_what_comes_after_it_is_asked_about(any_clinic):
    source = bleeding(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        serious = replace(GRADED, serious=True, awareness_time=work.now)
    judge(any_clinic, serious, source)
    assert close(any_clinic, source, any_clinic.nurse, disposition="admitted").why == ""
    with pytest.raises(BadData) as refusal:
        judge(any_clinic, GRADED, source)
    assert refusal.value.details["fields"] == {"not_serious": "looks_serious"}


def test_a_signed_grading_stays_valid_when_an_assessment_gets_a_new_field(clinic, monkeypatch):
    """A new field of the signed content made every earlier signature look broken."""
    event_id = judge(clinic, GRADED).event_id
    assert event_id is not None
    content = gradings.signed_content
    monkeypatch.setattr(
        gradings, "SIGNED_SHAPES", {1: gradings.SIGNED_SHAPES[1], 2: (*gradings.SIGNED_SHAPES[1], "new")}
    )
    monkeypatch.setattr(gradings, "signed_content", lambda row, event: {**content(row, event), "new": row.ctcae_grade})
    again = replace(GRADED, event_id=event_id, grade=1, from_on=TODAY)
    judge(clinic, again)
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        rows = adverse_event_log.adverse_event_page(work, event_id, "en").gradings
        assert [one.holds for one in rows] == [True, True]
    assert [row.shape for row in clinic.rows(Signature)] == [1, 2]


def test_the_second_to_close_reads_how_the_first_did(any_clinic):
    source = bleeding(any_clinic)
    judge(any_clinic, GRADED, source)
    assert close(any_clinic, source, any_clinic.nurse).why == ""
    any_clinic.app_context.clock.move(minutes=1)
    second = close(any_clinic, source, any_clinic.investigator, disposition="admitted")
    assert (second.why, second.name, second.disposition) == ("first", any_clinic.nurse.name, "outpatient")
    assert len(any_clinic.rows(AlertClosure)) == 1
    assert {alert.closed_by for alert in any_clinic.rows(Alert)} == {any_clinic.nurse.id}


def test_what_came_meanwhile_is_read_and_judged_before_it_is_closed(any_clinic):
    here = any_clinic.start()
    here.save(bleed=2, bleed_now=0)
    any_clinic.acknowledge()
    source, shown = any_clinic.rows(Alert)[0].source, ids(any_clinic)
    judge(any_clinic, GRADED, source)
    any_clinic.app_context.clock.move(minutes=1)
    here.save(breath=3)
    assert close(any_clinic, source, any_clinic.nurse, shown=shown).why == "later"
    any_clinic.acknowledge()
    with pytest.raises(BadData) as refusal:
        close(any_clinic, source, any_clinic.nurse, shown=ids(any_clinic))
    assert refusal.value.details["fields"] == {"disposition": "judge_first"}
    judge(any_clinic, NONE, source)
    assert close(any_clinic, source, any_clinic.nurse, shown=ids(any_clinic)).why == ""


# --- known and stable ------------------------------------------------------------------------------------------------


def test_marks_lower_the_next_alert_for_14_days_and_can_be_taken_back(any_clinic):
    any_clinic.start().save(bleed=0, breath=2)
    source = any_clinic.alerts()["U02"].source
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        offered = stable_symptoms.stable_offer(work, source, "en")
        assert offered is not None
        assert [(one.item, one.value) for one in offered.items] == [("breath", 2)]
        with pytest.raises(BadData) as refusal:
            stable_symptoms.mark_stable(work, source, [], " ", "en", factories.shown_alerts(work, source))
        assert set(refusal.value.details["fields"]) == {"items", "reason"}  # type: ignore[call-overload]
        assert (
            stable_symptoms.mark_stable(
                work, source, ["breath"], "since the second week", "en", factories.shown_alerts(work, source)
            )
            == 1
        )
    any_clinic.app_context.clock.move(days=8)
    with form_browser.unit_of_work(any_clinic.app_context) as work:  # a form that was open already would not be lowered
        work.session.get_one(Assessment, any_clinic.checkin.assessment_id).closes_at = work.now
    any_clinic.start(any_clinic.send()).save(bleed=0, breath=2)
    assert any_clinic.alerts()["U02"].lowered
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        (mark,) = stable_symptoms.stable_marks(work, person, "en")
        assert (mark.until, mark.reason) == (work.now + timedelta(days=6), "since the second week")
        assert stable_symptoms.revoke_mark(work, person, "breath")
        assert not stable_symptoms.revoke_mark(work, person, "breath")
        assert stable_symptoms.stable_marks(work, person, "en") == []


def test_bleeding_cannot_be_marked(clinic):
    source = bleeding(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        assert stable_symptoms.stable_offer(work, source, "en") is None


# --- discordance -----------------------------------------------------------------------------------------------------


def test_a_report_stands_in_the_differences_until_it_is_recorded(clinic):
    source = bleeding(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert [one.suspected for one in adverse_event_log.discordance_report(work, "en").reported_only] == [
            "Epistaxis"
        ]
    judge(clinic, NONE, source)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert [one.judged for one in adverse_event_log.discordance_report(work, "en").reported_only] == [
            "wrong_answer"
        ]
    judge(clinic, replace(GRADED, term="syncope"))
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert [row.english for row in adverse_event_log.discordance_report(work, "en").recorded_only] == ["Syncope"]
    judge(clinic, GRADED, source)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert adverse_event_log.discordance_report(work, "en").reported_only == []
