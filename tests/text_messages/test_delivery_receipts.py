"""Receipts in any order, and phones that are not reached become tasks."""

from __future__ import annotations

import pytest

from pro.features.dashboard import dashboard
from pro.features.operations import worker_steps
from pro.features.schedule import participation_end, phone_calls
from pro.features.text_messages import delivery_receipts
from pro.messaging import outbox
from pro.messaging.providers.twilio_sms import reason_of
from pro.messaging.sender_protocol import Letter, Refused
from pro.models import Message, Participant, Task
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Clock
from tests.support.texting_phone import Kept, asked, two_way


def sent(ward: Ward) -> str:
    """A message that left; its reference."""
    asked(two_way(ward))
    return "SM1"


def receipt(ward: Ward, reference: str, state: str, code: str = "") -> None:
    with form_browser.working(ward.house) as work:
        delivery_receipts.callback(work, reference, state, reason_of(code))


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
def test_receipts_in_any_order(any_ward: Ward, states: list[str], status: str) -> None:
    reference = sent(any_ward)
    for state in states:
        receipt(any_ward, reference, state, "30008" if state in ("failed", "undelivered") else "")
    [message] = any_ward.rows(Message)
    assert message.status == status
    assert (message.failure == "") == (status != "failed")


@pytest.mark.parametrize("code", ["21211", "30003", "30005", "30006"])
def test_a_phone_that_is_not_reached_is_a_task_on_the_board(ward: Ward, code: str) -> None:
    reference = sent(ward)
    receipt(ward, reference, "undelivered", code)
    receipt(ward, reference, "undelivered", code)
    [task] = ward.rows(Task)
    assert task.kind == "phone_unreachable"
    with form_browser.working(ward.house) as work:
        [row] = phone_calls.due_tasks(work, "en")
        assert (row.kind, row.participant_id) == ("phone_unreachable", ward.participant_id)
        [failed] = dashboard.board(work, "en").failed.messages
    assert failed.reason.endswith(f"({code})")
    assert ward.rows(Participant)[0].opted_out_at is None


def test_who_unsubscribed_at_the_provider_gets_no_more_messages(ward: Ward) -> None:
    reference = sent(ward)
    receipt(ward, reference, "failed", "21610")
    assert ward.rows(Participant)[0].opted_out_at is not None
    assert [task.kind for task in ward.rows(Task)] == ["phone_unreachable"]


def test_who_told_us_stop_is_no_phone_that_is_not_reached(ward: Ward) -> None:
    reference = sent(ward)
    with form_browser.working(ward.house) as work:
        participation_end.opt_out(work, work.session.get_one(Participant, ward.participant_id), "by text")
    receipt(ward, reference, "failed", "21610")
    with form_browser.working(ward.house) as work:
        assert delivery_receipts.act_on_failures(work) == 0
    assert ward.rows(Task) == []


@pytest.mark.parametrize(
    ("states", "status", "tasks"), [(["delivered"], "delivered", 0), (["undelivered"], "failed", 1)]
)
def test_a_receipt_that_comes_before_the_reference_is_stored_is_not_lost(
    any_ward: Ward, states: list[str], status: str, tasks: int
) -> None:
    for state in states:
        receipt(any_ward, "SM1", state, "30003" if state == "undelivered" else "")
    receipt(any_ward, "SMnobodys", "delivered")
    with form_browser.working(any_ward.house) as work:
        assert delivery_receipts.act_on_failures(work) == 0
    sent(any_ward)
    for done in (1, 0):
        with form_browser.working(any_ward.house) as work:
            assert delivery_receipts.act_on_failures(work) == done
    [message] = any_ward.rows(Message)
    assert message.status == status
    assert len(any_ward.rows(Task)) == tasks


class Refusing:
    """A provider that says at once that this phone wants nothing."""

    def send(self, _letter: Letter) -> str:
        raise Refused("unsubscribed:21610")


def test_a_refusal_at_the_door_counts_as_well_and_start_undoes_it(ward: Ward, clock: Clock) -> None:
    reference = sent(ward)
    receipt(ward, reference, "delivered")
    with form_browser.working(ward.house) as work:
        message = work.session.get_one(Message, ward.rows(Message)[0].id)
        draft = outbox.MessageDraft(
            dedupe_key="again",
            channel="sms",
            template="help",
            params={"hotline": "1"},
            language="en",
            address=work.vault.open(message.address_sealed),
            body="x",
            repeat="prefer_silence",
            participant_id=ward.participant_id,
        )
        outbox.queue(work, draft)
    worker_steps.tick(ward.house, {"sms": Refusing()}, "test:1")
    assert ward.rows(Participant)[0].opted_out_at is not None
    clock.move(minutes=1)
    with form_browser.working(ward.house) as work:
        participation_end.opt_in(work, work.session.get_one(Participant, ward.participant_id))
    worker_steps.tick(ward.house, {"sms": Kept()}, "test:1")
    assert ward.rows(Participant)[0].opted_out_at is None


def test_a_receipt_for_nothing_of_ours_changes_nothing(ward: Ward) -> None:
    sent(ward)
    receipt(ward, "SM-of-somebody-else", "failed", "30003")
    receipt(ward, "", "failed", "30003")
    assert ward.rows(Message)[0].status == "sent"
    assert ward.rows(Task) == []


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
