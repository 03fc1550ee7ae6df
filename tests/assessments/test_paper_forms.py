"""Test the verification of a paper form: differences become new, evaluated answers."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.assessments import paper_forms
from pro.models import Answer, Score
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.data_entry_staff import QLQ, QUIET, count_rows, enter_form, newest_answers, read_form, verify_form


def paper(clinic: Clinic, **more) -> int:
    return enter_form(clinic, mode="paper", **more)


def test_paper_that_agrees_is_kept_as_compared(any_clinic, clock):
    clock.move(days=1)
    form = paper(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        (waiting,) = paper_forms.unverified_paper_forms(work, "en")
    assert (waiting.assessment_id, waiting.own, waiting.entered_by) == (form, True, any_clinic.nurse.name)
    before = count_rows(any_clinic)
    clock.move(hours=1)
    assert verify_form(any_clinic, form) is False
    kept = read_form(any_clinic, form)
    assert (kept.verified_by, kept.verified_at) == (any_clinic.investigator.id, clock.now)
    # Only one audit entry.
    assert count_rows(any_clinic) == [*before[:-1], before[-1] + 1]
    assert len(any_clinic.events("assessment.checked")) == 1
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        assert paper_forms.unverified_paper_forms(work, "en") == []


def test_a_correction_is_a_new_row_with_a_reason_scored_and_judged_again(any_clinic, clock):
    clock.move(days=1)
    form = paper(any_clinic, instrument="qlq_c30", given=QLQ)
    clock.move(hours=1)
    assert verify_form(any_clinic, form, reason="misread a 4", Q8=4, Q29=None) is True
    rows = [found for found in any_clinic.rows(Answer) if found.item == "Q8"]
    assert [(found.value, found.channel) for found in rows] == [(2, "paper"), (4, "paper")]
    assert "Q01" in any_clinic.alerts()
    breath = [score.value for score in any_clinic.rows(Score) if score.scale == "DY"]
    assert breath == [pytest.approx(100 / 3), 100]
    (event,) = any_clinic.events("assessment.checked")
    assert (event.old, event.reason) == ({"Q8": 2, "Q29": 5}, "misread a 4")
    assert event.new == {"Q8": ["given", 4], "Q29": ["skipped", None]}


def test_a_correction_that_raises_an_emergency_is_mailed_and_one_that_hides_takes_back(clinic, clock):
    clock.move(days=1)
    form = paper(clinic, given=QUIET)
    verify_form(clinic, form, reason="overlooked", bleed=4, bleed_now=1)
    assert clinic.alerts()["E01"].level == Level.EMERGENCY
    assert {mail.to for mail in clinic.mails()} == {clinic.nurse.email, clinic.investigator.email}
    clock.move(days=1)
    second = paper(clinic, given=QUIET | {"bleed": 1, "bleed_now": 0})
    verify_form(clinic, second, reason="wrong line", bleed=0)
    assert newest_answers(clinic, second)["bleed_now"].state == "withdrawn"


@pytest.mark.parametrize(
    ("corrections", "reason", "fields"),
    [
        ({"bleed": 2}, "", {"reason": "reason_empty"}),
        ({"bleed": 2}, "x" * 1001, {"reason": "too_long"}),
        ({"bleed": 9}, "typo", {"bleed": "not_accepted"}),
        ({"bleed_now": 1}, "typo", {"bleed_now": "not_asked"}),
    ],
)
def test_a_bad_correction_changes_nothing(clinic, clock, corrections, reason, fields):
    clock.move(days=1)
    form = paper(clinic)
    before = count_rows(clinic)
    with pytest.raises(BadData) as refused:
        verify_form(clinic, form, reason=reason, **corrections)
    assert refused.value.details["fields"] == fields
    assert count_rows(clinic) == before
    assert read_form(clinic, form).verified_at is None


def test_only_paper_is_verified_by_another_person_and_only_once(any_clinic, clock):
    clock.move(days=1)
    interview = enter_form(any_clinic)
    with pytest.raises(NotFound):
        verify_form(any_clinic, interview)
    form = paper(any_clinic)
    with pytest.raises(NotAllowed) as refused:
        verify_form(any_clinic, form, by=any_clinic.nurse)
    assert refused.value.why == "own_entry"
    verify_form(any_clinic, form)
    with pytest.raises(NotAllowed) as refused:
        verify_form(any_clinic, form, by=any_clinic.coordinator)
    assert refused.value.why == "checked"
