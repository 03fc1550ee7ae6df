"""Test failed messages: on the to-do list until marked as handled or no longer relevant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pro.app_context import UnitOfWork
from pro.errors import NotFound
from pro.features.forms import form_issuing
from pro.features.text_messages import failed_messages
from pro.features.text_messages.failed_messages import FailedMessageList
from pro.models import Alert, Message, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account, Clock


def left(clinic: Clinic) -> FailedMessageList:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return failed_messages.list_failed_messages(work, "en")


def settle(clinic: Clinic, who: Account, message_id: int) -> failed_messages.SettlementResult:
    with form_browser.unit_of_work(clinic.app_context, who.actor) as work:
        return failed_messages.settle_message(work, message_id)


def change(clinic: Clinic, what: Callable[[UnitOfWork], None]) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        what(work)


@pytest.fixture
def alarmed(any_clinic: Clinic, clock: Clock) -> Clinic:
    """Return a clinic with an emergency whose two emails failed."""
    any_clinic.start().save(bleed=4)

    def fail(work: UnitOfWork) -> None:
        for message in work.session.query(Message):
            message.failed_at, message.failure = clock.now, "address_refused"

    change(any_clinic, fail)
    return any_clinic


def test_who_sees_to_it_takes_it_off_the_list_and_a_second_sees_who_was_first(alarmed: Clinic, clock: Clock) -> None:
    first, second = left(alarmed).messages
    assert settle(alarmed, alarmed.nurse, first.id) == failed_messages.SettlementResult()
    assert left(alarmed) == FailedMessageList([second], 1)
    done = clock.now
    clock.move(minutes=1)
    assert settle(alarmed, alarmed.coordinator, first.id) == failed_messages.SettlementResult(
        "before", alarmed.nurse.name, done
    )
    assert [event.actor_id for event in alarmed.events("message.settled")] == [alarmed.nurse.id]


def test_two_at_once_are_one(alarmed: Clinic) -> None:
    message = left(alarmed).messages[0].id
    said: list[failed_messages.SettlementResult] = []
    form_browser.run_concurrently(
        lambda: said.append(settle(alarmed, alarmed.nurse, message)),
        lambda: said.append(settle(alarmed, alarmed.coordinator, message)),
    )
    assert sorted(bool(one.name) for one in said) == [False, True]
    assert len(alarmed.events("message.settled")) == 1


def test_what_did_not_fail_is_not_to_be_seen_to(any_clinic: Clinic) -> None:
    any_clinic.start().save(bleed=4)
    for message in any_clinic.rows(Message):
        with pytest.raises(NotFound):
            settle(any_clinic, any_clinic.nurse, message.id)


def close_alerts(work: UnitOfWork) -> None:
    for alert in work.session.query(Alert):
        alert.closed_at = work.now


def leave(work: UnitOfWork) -> None:
    for person in work.session.query(Participant):
        person.withdrawn_at = work.now


@pytest.mark.parametrize(("what", "number"), [(close_alerts, 0), (leave, 2)])
def test_failures_count_for_open_alerts_even_after_withdrawal(
    alarmed: Clinic, what: Callable[[UnitOfWork], None], number: int
) -> None:
    change(alarmed, what)
    assert left(alarmed).number == number


def test_a_reminder_to_who_left_asks_for_nothing(any_clinic: Clinic) -> None:
    def remind(work: UnitOfWork) -> None:
        form_issuing.send_form(
            work, work.session.get_one(Participant, any_clinic.participant_id), "npc_checkin", by="link"
        )
        (message,) = work.session.query(Message)
        message.failed_at = work.now

    change(any_clinic, remind)
    assert left(any_clinic).number == 1
    change(any_clinic, leave)
    assert left(any_clinic).number == 0


def test_what_is_cut_off_is_counted(alarmed: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_messages, "MAX_SHOWN", 1)
    found = left(alarmed)
    assert (len(found.messages), found.number) == (1, 2)


def test_a_message_delivered_meanwhile_needs_no_action(alarmed: Clinic, clock: Clock) -> None:
    message = left(alarmed).messages[0].id

    def arrive(work: UnitOfWork) -> None:
        row = work.session.get_one(Message, message)
        row.failed_at, row.sent_at = None, clock.now

    change(alarmed, arrive)
    assert settle(alarmed, alarmed.nurse, message) == failed_messages.SettlementResult("arrived")
    assert alarmed.events("message.settled") == []


def test_a_study_lists_its_own_and_those_without_a_participant(
    alarmed: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check a short list: the newest messages of all studies may include none of this study."""
    monkeypatch.setattr(failed_messages, "MAX_SHOWN", 1)

    def drop_participant(work: UnitOfWork) -> None:
        first = work.session.query(Message).order_by(Message.id).first()
        assert first is not None
        first.alert_id = first.participant_id = None

    with form_browser.unit_of_work(alarmed.app_context) as work:
        numbers = [
            failed_messages.list_failed_messages(work, "en", study).number
            for study in ("", "npc_reirradiation", "another")
        ]
    assert numbers == [2, 2, 0]
    change(alarmed, drop_participant)
    with form_browser.unit_of_work(alarmed.app_context) as work:
        numbers = [
            failed_messages.list_failed_messages(work, "en", study).number
            for study in ("", "npc_reirradiation", "another")
        ]
    assert numbers == [2, 2, 1]
