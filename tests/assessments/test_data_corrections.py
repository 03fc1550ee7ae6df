"""Test data corrections: one person requests, another decides; alerts may be raised.

A correction never overwrites an answer.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.errors import BadData, NotAllowed, RecordFrozen
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.assessments import data_corrections
from pro.features.assessments.data_corrections import CorrectionRequest
from pro.features.participants import record_freezes
from pro.models import Answer, Assessment, DataCorrection, Score
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account


def proof(work: UnitOfWork) -> PasswordProof:
    found = signatures.confirm_password(work, factories.PASSWORD)
    assert isinstance(found, PasswordProof)
    return found


def sent(clinic: Clinic, **answers: Value | None) -> None:
    clinic.start().finish(**{"bleed": 0, **answers})


def ask(clinic: Clinic, value: Value | None, who: Account | None = None, item: str = "bleed", **more: object) -> int:
    asker = who or clinic.coordinator
    with form_browser.unit_of_work(clinic.app_context, asker.actor) as work:
        given = {
            "item": item,
            "value": value,
            "confirmed_at": work.now - timedelta(hours=1),
            "confirmed_how": "phone",
            "confirmed_to": asker.id,
            "reason": "pressed the wrong button",
        }
        form = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        return data_corrections.request_correction(work, proof(work), form, CorrectionRequest(**{**given, **more})).id  # type: ignore[arg-type]


def approve(clinic: Clinic, number: int, who: Account | None = None) -> None:
    with form_browser.unit_of_work(clinic.app_context, (who or clinic.investigator).actor) as work:
        data_corrections.approve_correction(work, proof(work), number, "heard it too")


def refuse(clinic: Clinic, number: int) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        data_corrections.reject_correction(work, proof(work), number, "the sheet says so")


def stood(clinic: Clinic, item: str = "bleed") -> list[tuple[object, str]]:
    rows = [
        row for row in clinic.rows(Answer) if row.item == item and row.assessment_id == clinic.checkin.assessment_id
    ]
    return [(row.value, row.channel) for row in rows]


def test_an_approved_correction_stands_beside_the_original_and_is_judged(any_clinic):
    sent(any_clinic)
    assert any_clinic.alerts() == {}
    number = ask(any_clinic, 3)
    assert stood(any_clinic) == [(0, "web")]
    approve(any_clinic, number)
    assert stood(any_clinic) == [(0, "web"), (3, "correction")]
    assert any(alert.level >= 2 for alert in any_clinic.alerts().values())
    (event,) = any_clinic.events("answers.corrected")
    assert (event.old["bleed"], event.new["bleed"]) == (0, ["given", 3])
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        row = work.session.get_one(DataCorrection, number)
        asked, approved = signatures.list_signatures(work, row)
        assert (asked.meaning, asked.staff_id) == ("requested", any_clinic.coordinator.id)
        assert (approved.meaning, approved.staff_id) == ("approved", any_clinic.investigator.id)
        assert signatures.is_content_unchanged(
            approved, data_corrections.signed_content(row), data_corrections.SIGNED_SHAPES
        )


def test_scores_are_kept_and_computed_again(clinic):
    clinic.start(clinic.qlq).finish()
    from_before = len(clinic.rows(Score))
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        form = work.session.get_one(Assessment, clinic.qlq.assessment_id)
        _form, sheet = data_corrections.submitted_form(work, form.id, "en")
        first = next(question for question in sheet.questions if question.kind == "choice" and question.said)
        other = next(int(code) for code, _label in first.options if int(code) != first.value)
        wish = CorrectionRequest(first.id, other, work.now, "visit", clinic.coordinator.id, "misread")
        number = data_corrections.request_correction(work, proof(work), form, wish).id
    approve(clinic, number)
    assert len(clinic.rows(Score)) == 2 * from_before


def test_it_can_be_corrected_to_was_not_answered(clinic):
    sent(clinic, breath=1)
    approve(clinic, ask(clinic, None, item="breath"))
    assert [value for value, _channel in stood(clinic, "breath")] == [1, None]


def test_refused_the_answer_stays(any_clinic):
    sent(any_clinic)
    refuse(any_clinic, ask(any_clinic, 3))
    assert stood(any_clinic) == [(0, "web")]
    assert any_clinic.alerts() == {}
    ask(any_clinic, 2)


@pytest.mark.parametrize(
    ("wish", "wrong"),
    [
        ({"value": 0}, {"value": "same_answer"}),
        ({"value": 99}, {"value": "not_accepted"}),
        ({"item": "nothing", "value": 1}, {"value": "no_such_question"}),
        ({"value": 1, "reason": " "}, {"reason": "why_needed"}),
        ({"value": 1, "confirmed_at": None}, {"confirmed_at": "day_and_time_needed"}),
        ({"value": 1, "confirmed_how": "dream"}, {"confirmed_how": "unknown"}),
        ({"value": 1, "confirmed_to": 999}, {"confirmed_to": "person_missing"}),
    ],
)
def test_what_cannot_be_asked_for_is_refused(clinic, wish, wrong):
    sent(clinic)
    with pytest.raises(BadData) as caught:
        ask(clinic, wish.pop("value"), **wish)
    assert caught.value.details["fields"] == wrong
    assert clinic.rows(DataCorrection) == []


def test_one_open_request_for_an_answer(any_clinic):
    sent(any_clinic)
    ask(any_clinic, 3)
    with pytest.raises(NotAllowed, match="asked_already"):
        ask(any_clinic, 2, any_clinic.nurse)


def test_who_asked_cannot_decide(clinic):
    sent(clinic)
    number = ask(clinic, 3, clinic.investigator)
    with pytest.raises(NotAllowed, match="own_request"):
        approve(clinic, number)


def test_an_answer_that_changed_meanwhile_is_not_overwritten(any_clinic):
    sent(any_clinic, breath=1)
    number = ask(any_clinic, 3)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.add(
            Answer(
                assessment_id=any_clinic.checkin.assessment_id,
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
        approve(any_clinic, number)
    refuse(any_clinic, number)


def test_two_decide_at_once_and_one_does(any_clinic):
    sent(any_clinic)
    number = ask(any_clinic, 3)

    def decide(act):
        with suppress(NotAllowed):
            act(any_clinic, number)

    form_browser.run_concurrently(lambda: decide(approve), lambda: decide(refuse))
    outcomes = [row.outcome for row in any_clinic.rows(DataCorrection)]
    assert outcomes in (["approved"], ["refused"])
    assert len(stood(any_clinic)) == (2 if outcomes == ["approved"] else 1)
    assert len(any_clinic.events("signature.signed")) == 2


def test_frozen_nothing_is_corrected_until_it_is_lifted(any_clinic):
    sent(any_clinic)
    number = ask(any_clinic, 3)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        record_freezes.freeze_records(work, proof(work), factories.PLAN, None, "data base lock")
    with pytest.raises(RecordFrozen):
        approve(any_clinic, number)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        record_freezes.unfreeze_records(work, proof(work), factories.PLAN, None, "one answer is missing")
    approve(any_clinic, number)
    assert len(stood(any_clinic)) == 2
