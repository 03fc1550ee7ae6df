"""The second reader compares a paper form with its sheet: what differs is a new answer, scored and judged again."""

from __future__ import annotations

import pytest

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.assessments import paper_forms
from pro.models import Answer, Score
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.data_entry_staff import QLQ, QUIET, answers, check, enter, everything, row


def paper(ward: Ward, **more) -> int:
    return enter(ward, mode="paper", **more)


def test_paper_that_agrees_is_kept_as_compared(any_ward, clock):
    clock.move(days=1)
    form = paper(any_ward)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        (waiting,) = paper_forms.papers(work, "en")
    assert (waiting.assessment_id, waiting.own, waiting.entered_by) == (form, True, any_ward.nurse.name)
    before = everything(any_ward)
    clock.move(hours=1)
    assert check(any_ward, form) is False
    kept = row(any_ward, form)
    assert (kept.checked_by, kept.checked_at) == (any_ward.investigator.id, clock.now)
    # Nothing but one audit event.
    assert everything(any_ward) == [*before[:-1], before[-1] + 1]
    assert len(any_ward.events("assessment.checked")) == 1
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        assert paper_forms.papers(work, "en") == []


def test_a_correction_is_a_new_row_with_a_reason_scored_and_judged_again(any_ward, clock):
    clock.move(days=1)
    form = paper(any_ward, instrument="qlq_c30", given=QLQ)
    clock.move(hours=1)
    assert check(any_ward, form, reason="misread a 4", Q8=4, Q29=None) is True
    rows = [found for found in any_ward.rows(Answer) if found.item == "Q8"]
    assert [(found.value, found.channel) for found in rows] == [(2, "paper"), (4, "paper")]
    assert "Q01" in any_ward.alerts()
    breath = [score.value for score in any_ward.rows(Score) if score.scale == "DY"]
    assert breath == [pytest.approx(100 / 3), 100]
    (event,) = any_ward.events("assessment.checked")
    assert (event.old, event.reason) == ({"Q8": 2, "Q29": 5}, "misread a 4")
    assert event.new == {"Q8": ["given", 4], "Q29": ["skipped", None]}


def test_a_correction_that_raises_an_emergency_is_mailed_and_one_that_hides_takes_back(ward, clock):
    clock.move(days=1)
    form = paper(ward, given=QUIET)
    check(ward, form, reason="overlooked", bleed=4, bleed_now=1)
    assert ward.alerts()["E01"].level == Level.EMERGENCY
    assert {mail.to for mail in ward.mails()} == {ward.nurse.email, ward.investigator.email}
    clock.move(days=1)
    second = paper(ward, given=QUIET | {"bleed": 1, "bleed_now": 0})
    check(ward, second, reason="wrong line", bleed=0)
    assert answers(ward, second)["bleed_now"].state == "withdrawn"


@pytest.mark.parametrize(
    ("corrections", "reason", "fields"),
    [
        ({"bleed": 2}, "", {"reason": "reason_empty"}),
        ({"bleed": 2}, "x" * 1001, {"reason": "too_long"}),
        ({"bleed": 9}, "typo", {"bleed": "not_accepted"}),
        ({"bleed_now": 1}, "typo", {"bleed_now": "not_asked"}),
    ],
)
def test_a_bad_correction_changes_nothing(ward, clock, corrections, reason, fields):
    clock.move(days=1)
    form = paper(ward)
    before = everything(ward)
    with pytest.raises(BadData) as refused:
        check(ward, form, reason=reason, **corrections)
    assert refused.value.details["fields"] == fields
    assert everything(ward) == before
    assert row(ward, form).checked_at is None


def test_only_somebody_else_compares_only_paper_and_only_once(any_ward, clock):
    clock.move(days=1)
    interview = enter(any_ward)
    with pytest.raises(NotFound):
        check(any_ward, interview)
    form = paper(any_ward)
    with pytest.raises(NotAllowed) as refused:
        check(any_ward, form, by=any_ward.nurse)
    assert refused.value.why == "own_entry"
    check(any_ward, form)
    with pytest.raises(NotAllowed) as refused:
        check(any_ward, form, by=any_ward.coordinator)
    assert refused.value.why == "checked"
