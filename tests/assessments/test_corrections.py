"""A correction is asked for by one person, decided by another, never overwrites, and alerts where it must."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.errors import BadData, Frozen, NotAllowed
from pro.features.accounts import signatures
from pro.features.accounts.signatures import Confirmed
from pro.features.assessments import corrections
from pro.features.assessments.corrections import Wish
from pro.features.participants import record_freezes
from pro.models import Answer, Assessment, Correction, Score
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account


def proof(work: UnitOfWork) -> Confirmed:
    found = signatures.confirm(work, factories.PASSWORD)
    assert isinstance(found, Confirmed)
    return found


def sent(ward: Ward, **answers: Value | None) -> None:
    ward.start().finish(**{"bleed": 0, **answers})


def ask(ward: Ward, value: Value | None, who: Account | None = None, item: str = "bleed", **more: object) -> int:
    asker = who or ward.coordinator
    with form_browser.working(ward.house, asker.actor) as work:
        given = {
            "item": item,
            "value": value,
            "heard_at": work.now - timedelta(hours=1),
            "heard_how": "phone",
            "heard_by": asker.id,
            "reason": "pressed the wrong button",
        }
        form = work.session.get_one(Assessment, ward.checkin.assessment_id)
        return corrections.ask(work, proof(work), form, Wish(**{**given, **more})).id  # type: ignore[arg-type]


def approve(ward: Ward, number: int, who: Account | None = None) -> None:
    with form_browser.working(ward.house, (who or ward.investigator).actor) as work:
        corrections.approve(work, proof(work), number, "heard it too")


def refuse(ward: Ward, number: int) -> None:
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        corrections.refuse(work, proof(work), number, "the sheet says so")


def stood(ward: Ward, item: str = "bleed") -> list[tuple[object, str]]:
    rows = [row for row in ward.rows(Answer) if row.item == item and row.assessment_id == ward.checkin.assessment_id]
    return [(row.value, row.channel) for row in rows]


def test_an_approved_correction_stands_beside_the_original_and_is_judged(any_ward):
    sent(any_ward)
    assert any_ward.alerts() == {}
    number = ask(any_ward, 3)
    assert stood(any_ward) == [(0, "web")]
    approve(any_ward, number)
    assert stood(any_ward) == [(0, "web"), (3, "correction")]
    assert any(alert.level >= 2 for alert in any_ward.alerts().values())
    (event,) = any_ward.events("answers.corrected")
    assert (event.old["bleed"], event.new["bleed"]) == (0, ["given", 3])
    with form_browser.working(any_ward.house) as work:
        row = work.session.get_one(Correction, number)
        asked, approved = signatures.signatures(work, row)
        assert (asked.meaning, asked.staff_id) == ("requested", any_ward.coordinator.id)
        assert (approved.meaning, approved.staff_id) == ("approved", any_ward.investigator.id)
        assert signatures.holds(approved, corrections.content(row))


def test_scores_are_kept_and_made_anew(ward):
    ward.start(ward.qlq).finish()
    from_before = len(ward.rows(Score))
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        form = work.session.get_one(Assessment, ward.qlq.assessment_id)
        _form, sheet = corrections.sheet(work, form.id, "en")
        first = next(question for question in sheet.questions if question.kind == "choice" and question.said)
        other = next(int(code) for code, _label in first.options if int(code) != first.value)
        wish = Wish(first.id, other, work.now, "visit", ward.coordinator.id, "misread")
        number = corrections.ask(work, proof(work), form, wish).id
    approve(ward, number)
    assert len(ward.rows(Score)) == 2 * from_before


def test_it_can_be_corrected_to_was_not_answered(ward):
    sent(ward, breath=1)
    approve(ward, ask(ward, None, item="breath"))
    assert [value for value, _channel in stood(ward, "breath")] == [1, None]


def test_refused_the_answer_stays(any_ward):
    sent(any_ward)
    refuse(any_ward, ask(any_ward, 3))
    assert stood(any_ward) == [(0, "web")]
    assert any_ward.alerts() == {}
    ask(any_ward, 2)


@pytest.mark.parametrize(
    ("wish", "wrong"),
    [
        ({"value": 0}, {"value": "same_answer"}),
        ({"value": 99}, {"value": "not_accepted"}),
        ({"item": "nothing", "value": 1}, {"value": "no_such_question"}),
        ({"value": 1, "reason": " "}, {"reason": "why_needed"}),
        ({"value": 1, "heard_at": None}, {"heard_at": "day_and_time_needed"}),
        ({"value": 1, "heard_how": "dream"}, {"heard_how": "unknown"}),
        ({"value": 1, "heard_by": 999}, {"heard_by": "person_missing"}),
    ],
)
def test_what_cannot_be_asked_for_is_refused(ward, wish, wrong):
    sent(ward)
    with pytest.raises(BadData) as caught:
        ask(ward, wish.pop("value"), **wish)
    assert caught.value.details["fields"] == wrong
    assert ward.rows(Correction) == []


def test_one_open_request_for_an_answer(any_ward):
    sent(any_ward)
    ask(any_ward, 3)
    with pytest.raises(NotAllowed, match="asked_already"):
        ask(any_ward, 2, any_ward.nurse)


def test_who_asked_cannot_decide(ward):
    sent(ward)
    number = ask(ward, 3, ward.investigator)
    with pytest.raises(NotAllowed, match="own_request"):
        approve(ward, number)


def test_an_answer_that_changed_meanwhile_is_not_overwritten(any_ward):
    sent(any_ward, breath=1)
    number = ask(any_ward, 3)
    with form_browser.working(any_ward.house) as work:
        work.session.add(
            Answer(
                assessment_id=any_ward.checkin.assessment_id,
                item="bleed",
                state="given",
                value=1,
                language="en",
                channel="paper",
                answered_by="self",
                at=work.now,
            )
        )
    with pytest.raises(NotAllowed, match="answer_changed"):
        approve(any_ward, number)
    refuse(any_ward, number)


def test_two_decide_at_once_and_one_does(any_ward):
    sent(any_ward)
    number = ask(any_ward, 3)

    def decide(act):
        with suppress(NotAllowed):
            act(any_ward, number)

    form_browser.at_once(lambda: decide(approve), lambda: decide(refuse))
    outcomes = [row.outcome for row in any_ward.rows(Correction)]
    assert outcomes in (["approved"], ["refused"])
    assert len(stood(any_ward)) == (2 if outcomes == ["approved"] else 1)
    assert len(any_ward.events("signature.given")) == 2


def test_frozen_nothing_is_corrected_until_it_is_lifted(any_ward):
    sent(any_ward)
    number = ask(any_ward, 3)
    with form_browser.working(any_ward.house, any_ward.investigator.actor) as work:
        record_freezes.freeze(work, proof(work), factories.PLAN, None, "data base lock")
    with pytest.raises(Frozen):
        approve(any_ward, number)
    with form_browser.working(any_ward.house, any_ward.investigator.actor) as work:
        record_freezes.lift(work, proof(work), factories.PLAN, None, "one answer is missing")
    approve(any_ward, number)
    assert len(stood(any_ward)) == 2
