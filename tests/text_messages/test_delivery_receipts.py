"""Test receipts in any order; unreachable phones become tasks."""

from __future__ import annotations

import pytest

from pro.features.operations import worker_steps
from pro.features.schedule import call_tasks, participation_end
from pro.features.text_messages import delivery_receipts
from pro.features.to_do_list import to_do_list
from pro.messaging import outbox
from pro.messaging.providers.twilio_sms import reason_of
from pro.messaging.sender_protocol import Letter, ProviderRefused
from pro.models import CallTask, Message, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock
from tests.support.texting_phone import RecordingSmsSender, start_form_by_text, with_two_way_texts


def sent(clinic: Clinic) -> str:
    """Queue and send a message; return its reference."""
    start_form_by_text(with_two_way_texts(clinic))
    return "SM1"


def receipt(clinic: Clinic, reference: str, state: str, code: str = "") -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        delivery_receipts.record_receipt(work, reference, state, reason_of(code))


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["queued", "sent", "delivered"], "delivered"),
        (["delivered", "sent", "queued"], "delivered"),
        (["delivered", "undelivered", "failed"], "delivered"),
        (["undelivered", "sent"], "failed"),
        (["failed", "failed", "delivered"], "delivered"),
        (["sent", "sent"], "sent"),
        (["something new"], "sent"),
    ],
)
def test_receipts_in_any_order(any_clinic: Clinic, states: list[str], status: str) -> None:
    reference = sent(any_clinic)
    for state in states:
        receipt(any_clinic, reference, state, "30008" if state in ("failed", "undelivered") else "")
    [message] = any_clinic.rows(Message)
    assert message.status == status
    assert (message.failure == "") == (status != "failed")


@pytest.mark.parametrize("code", ["21211", "30003", "30005", "30006"])
def test_an_unreachable_phone_is_a_task_on_the_to_do_list(clinic: Clinic, code: str) -> None:
    reference = sent(clinic)
    receipt(clinic, reference, "undelivered", code)
    receipt(clinic, reference, "undelivered", code)
    [task] = clinic.rows(CallTask)
    assert task.kind == "phone_unreachable"
    with form_browser.unit_of_work(clinic.app_context) as work:
        [row] = call_tasks.due_tasks(work, "en")
        assert (row.kind, row.participant_id) == ("phone_unreachable", clinic.participant_id)
        [failed] = to_do_list.read_to_do_list(work, "en").failed.messages
    assert failed.reason.endswith(f"({code})")
    assert clinic.rows(Participant)[0].opted_out_at is None


def test_who_unsubscribed_at_the_provider_gets_no_more_messages(clinic: Clinic) -> None:
    reference = sent(clinic)
    receipt(clinic, reference, "failed", "21610")
    assert clinic.rows(Participant)[0].opted_out_at is not None
    assert [task.kind for task in clinic.rows(CallTask)] == ["phone_unreachable"]


def test_who_told_us_stop_is_no_phone_that_is_not_reached(clinic: Clinic) -> None:
    reference = sent(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        participation_end.opt_out(work, work.session.get_one(Participant, clinic.participant_id), "by text")
    receipt(clinic, reference, "failed", "21610")
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert delivery_receipts.act_on_failures(work) == 0
    assert clinic.rows(CallTask) == []


@pytest.mark.parametrize(
    ("states", "status", "tasks"), [(["delivered"], "delivered", 0), (["undelivered"], "failed", 1)]
)
def test_a_receipt_that_comes_before_the_reference_is_stored_is_not_lost(
    any_clinic: Clinic, states: list[str], status: str, tasks: int
) -> None:
    for state in states:
        receipt(any_clinic, "SM1", state, "30003" if state == "undelivered" else "")
    receipt(any_clinic, "SMnobodys", "delivered")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        assert delivery_receipts.act_on_failures(work) == 0
    sent(any_clinic)
    for done in (1, 0):
        with form_browser.unit_of_work(any_clinic.app_context) as work:
            assert delivery_receipts.act_on_failures(work) == done
    [message] = any_clinic.rows(Message)
    assert message.status == status
    assert len(any_clinic.rows(CallTask)) == tasks


class Refusing:
    """A provider that refuses at once because the phone has unsubscribed."""

    def send(self, _letter: Letter) -> str:
        raise ProviderRefused("unsubscribed:21610")


def test_an_immediate_refusal_counts_as_well_and_start_undoes_it(clinic: Clinic, clock: Clock) -> None:
    reference = sent(clinic)
    receipt(clinic, reference, "delivered")
    with form_browser.unit_of_work(clinic.app_context) as work:
        message = work.session.get_one(Message, clinic.rows(Message)[0].id)
        draft = outbox.MessageDraft(
            dedupe_key="again",
            channel="sms",
            template="help",
            params={"hotline": "1"},
            language="en",
            address=work.vault.open(message.address_sealed),
            body="x",
            repeat="prefer_silence",
            participant_id=clinic.participant_id,
        )
        outbox.queue(work, draft)
    worker_steps.run_jobs(clinic.app_context, {"sms": Refusing()}, "test:1")
    assert clinic.rows(Participant)[0].opted_out_at is not None
    clock.move(minutes=1)
    with form_browser.unit_of_work(clinic.app_context) as work:
        participation_end.opt_in(work, work.session.get_one(Participant, clinic.participant_id))
    worker_steps.run_jobs(clinic.app_context, {"sms": RecordingSmsSender()}, "test:1")
    assert clinic.rows(Participant)[0].opted_out_at is None


def test_a_receipt_for_nothing_of_ours_changes_nothing(clinic: Clinic) -> None:
    sent(clinic)
    receipt(clinic, "SM-of-somebody-else", "failed", "30003")
    receipt(clinic, "", "failed", "30003")
    assert clinic.rows(Message)[0].status == "sent"
    assert clinic.rows(CallTask) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("30003", "phone_unreachable:30003"),
        ("", "provider_unsure"),
        ("99999", "provider_unsure:99999"),
        ("x" * 50, "provider_unsure"),
    ],
)
def test_a_code_is_a_reason_of_ours(code: str, reason: str) -> None:
    assert reason_of(code) == reason
