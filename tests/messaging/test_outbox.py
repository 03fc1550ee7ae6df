"""Test the outbox on both engines: queued once, delivered, and the effect of failures."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import message_rendering, outbox
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable, ProviderUnsure
from pro.models import Alert, AuditEntry, Participant
from pro.models.message import Message
from tests.messaging.letters import ALERT, LINK, PHONE, Scripted, deliver, one, queue, queue_one, rows


def events(app_context: AppContext) -> list[tuple[str, str, Any]]:
    """Return the audit entries: action, reason, new."""
    with transaction(app_context.engine) as session:
        return [(e.action, e.reason, e.new) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def make_alert(app_context: AppContext) -> int:
    """Create an alert with its participant; return its id."""
    now = app_context.clock()
    with transaction(app_context.engine) as session:
        person = Participant(
            plan="npc", participant_number="NC-007", language="en", time_zone="Asia/Shanghai", enrolled_at=now
        )
        session.add(person)
        session.flush()
        alert = Alert(
            participant_id=person.id,
            source="assessment:1",
            rule="E01",
            level=3,
            suspects="bleeding",
            basis="E",
            plan_version="1",
            inputs={},
            unresolved=[],
            raised_at=now,
        )
        session.add(alert)
        session.flush()
        return alert.id


def test_a_message_is_sent_once_and_kept(any_app_context: AppContext) -> None:
    sender = Scripted()
    queue(any_app_context)
    assert [deliver(any_app_context, sender), deliver(any_app_context, sender)] == [1, 0]
    message, (letter,) = one(any_app_context), sender.letters
    assert (letter.address, letter.params, letter.channel) == (PHONE, {"link": LINK}, "sms")
    assert (letter.text, letter.template, letter.language) == (f"Your form is ready. {LINK}", "form_message", "en")
    assert (message.status, message.reference, message.tries, message.claimed_at) == ("sent", "reference-1", 1, None)
    new = {"channel": "sms", "template": "form_message", "tries": 1, "reference": "reference-1"}
    assert events(any_app_context) == [("message.sent", "", new)]


def test_a_key_is_taken_once(any_app_context: AppContext) -> None:
    assert queue(any_app_context) is not None
    assert queue(any_app_context, body="another text") is None
    assert len(rows(any_app_context)) == 1


def test_queueing_shares_the_fate_of_its_cause(any_app_context: AppContext) -> None:
    def cause() -> None:
        with transaction(any_app_context.engine) as session:
            queue_one(any_app_context.unit_of_work(session))
            raise RuntimeError("the cause did not happen")

    with pytest.raises(RuntimeError):
        cause()
    assert rows(any_app_context) == []


def test_the_database_holds_no_address_no_link_and_no_text(any_app_context: AppContext) -> None:
    queue(any_app_context, body=f"Your form is ready. {LINK}")
    deliver(any_app_context, Scripted([ProviderUnreachable("no_line:connect")]))
    with any_app_context.engine.connect() as connection:
        for table in ("message", "audit_entry"):
            stored = "\n".join(str(row) for row in connection.execute(text(f"select * from {table}")))
            assert not any(secret in stored for secret in (PHONE[-8:], "epro.example.org", "AbCdEf", "form is ready"))


def test_alerts_go_first_then_the_oldest(any_app_context: AppContext) -> None:
    alert_id = make_alert(any_app_context)
    queue(any_app_context, "a")
    queue(any_app_context, "b")
    queue(any_app_context, "alert:1:email:7", **ALERT, alert_id=alert_id)
    sender = Scripted()
    keys = {message.id: message.dedupe_key for message in rows(any_app_context)}
    for _time in range(3):
        deliver(any_app_context, sender, limit=1)
    assert [letter.template for letter in sender.letters] == ["alert", "form_message", "form_message"]
    sent = [event for event in events(any_app_context) if event[0] == "message.sent"]
    assert len(sent) == 3
    assert list(keys.values()) == ["a", "b", "alert:1:email:7"]


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_an_alert_queued_meanwhile_overtakes_the_rest(any_app_context: AppContext, channel: str) -> None:
    alert_id = make_alert(any_app_context)
    for number in range(3):
        queue(any_app_context, f"form_message:{number}")

    class Slow(Scripted):
        def send(self, letter: Letter) -> str:
            if not self.letters:
                queue(any_app_context, "alert:1:7", **(ALERT | {"channel": channel}), alert_id=alert_id)
            return super().send(letter)

    sender = Slow()
    deliver(any_app_context, sender)
    sent = [letter.template for letter in sender.letters]
    if channel == "email":
        # Its channel is free as well: it begins together with the second invitation, and either may come first.
        sent[1:3] = sorted(sent[1:3])
    assert sent == ["form_message", "alert", "form_message", "form_message"]


def test_no_transaction_is_open_while_sending(any_app_context: AppContext) -> None:
    queue(any_app_context)

    class Curious(Scripted):
        def send(self, letter: Letter) -> str:
            # On SQLite a second writer would wait ten seconds and fail; on PostgreSQL the row would be locked.
            with transaction(any_app_context.engine) as session:
                session.execute(select(Message).with_for_update(nowait=True)).all()
                queue_one(any_app_context.unit_of_work(session), "meanwhile")
            return super().send(letter)

    deliver(any_app_context, Curious(), limit=1)
    assert [message.status for message in rows(any_app_context)] == ["sent", "waiting"]


def test_not_before_is_waited_for_and_not_after_is_kept(any_app_context: AppContext, clock: Any) -> None:
    start = clock.now
    queue(any_app_context, not_before=start + timedelta(hours=1), not_after=start + timedelta(hours=2))
    sender = Scripted()
    assert deliver(any_app_context, sender) == 0
    clock.move(hours=2, seconds=1)
    assert deliver(any_app_context, sender) == 0
    message = one(any_app_context)
    assert (message.status, message.dropped_at, message.failure) == ("dropped", clock.now, "too_late")
    assert [event[:2] for event in events(any_app_context)] == [("message.dropped", "too_late")]
    assert sender.letters == []


def test_a_message_in_its_window_is_sent(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, not_before=clock.now + timedelta(hours=1), not_after=clock.now + timedelta(hours=2))
    clock.move(hours=1)
    assert deliver(any_app_context, Scripted()) == 1


def test_unreachable_is_tried_again_later(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context)
    sender = Scripted([ProviderUnreachable("no_line:connect")])
    deliver(any_app_context, sender)
    message = one(any_app_context)
    assert (message.status, message.failure, message.tries) == ("waiting", "no_line:connect", 1)
    assert timedelta(seconds=22) < message.next_try_at - clock.now < timedelta(seconds=38)
    assert deliver(any_app_context, sender) == 0
    clock.move(seconds=40)
    assert deliver(any_app_context, sender) == 1
    assert (one(any_app_context).status, one(any_app_context).failure, one(any_app_context).tries) == ("sent", "", 2)


def test_retry_after_is_obeyed(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context)
    sender = Scripted([ProviderUnreachable("server_busy", retry_after=900)])
    deliver(any_app_context, sender)
    clock.move(seconds=899)
    assert deliver(any_app_context, sender) == 0
    clock.move(seconds=1)
    assert deliver(any_app_context, sender) == 1


def test_refused_is_final_and_shown(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context)
    sender = Scripted([ProviderRefused("unsubscribed:21610")])
    deliver(any_app_context, sender)
    clock.move(days=1)
    assert deliver(any_app_context, sender) == 0
    assert (one(any_app_context).status, one(any_app_context).failure) == ("failed", "unsubscribed:21610")
    assert [event[:2] for event in events(any_app_context)] == [("message.failed", "unsubscribed:21610")]


def test_a_channel_without_a_sender_is_refused(any_app_context: AppContext) -> None:
    queue(any_app_context)
    outbox.deliver(any_app_context, {"email": Scripted()}, "worker-1")
    assert (one(any_app_context).status, one(any_app_context).failure) == ("failed", "no_sender")


def test_a_senders_bug_is_tried_again_and_tells_its_class_only(
    any_app_context: AppContext, caplog: pytest.LogCaptureFixture
) -> None:
    queue(any_app_context)
    with caplog.at_level(logging.DEBUG):
        deliver(any_app_context, Scripted([ZeroDivisionError(f"while writing to {PHONE}")]))
    assert (one(any_app_context).status, one(any_app_context).failure) == ("waiting", "unforeseen:ZeroDivisionError")
    assert PHONE not in caplog.text


def test_a_message_sealed_under_a_lost_key_is_refused(any_app_context: AppContext) -> None:
    queue(any_app_context)
    with transaction(any_app_context.engine) as session:
        session.execute(text("update message set address_sealed = 'spoilt'"))
    deliver(any_app_context, Scripted())
    assert (one(any_app_context).status, one(any_app_context).failure) == ("failed", "key_missing")


@pytest.mark.parametrize(("repeat", "status"), [("prefer_silence", "failed"), ("prefer_duplicate", "waiting")])
def test_a_line_that_broke_in_the_middle(any_app_context: AppContext, repeat: str, status: str) -> None:
    queue(any_app_context, repeat=repeat)
    deliver(any_app_context, Scripted([ProviderUnreachable("time_out:text", maybe_sent=True)]))
    assert one(any_app_context).status == status
    assert one(any_app_context).failure == ("unsure:time_out:text" if status == "failed" else "time_out:text")


@pytest.mark.parametrize("repeat", ["prefer_silence", "prefer_duplicate"])
def test_an_unsure_yes_is_never_sent_twice_and_staff_see_it(
    any_app_context: AppContext, clock: Any, repeat: str
) -> None:
    queue(any_app_context, repeat=repeat)
    provider = Scripted([ProviderUnsure(201)])
    deliver(any_app_context, provider)
    for _hour in range(30):
        clock.move(hours=1)
        deliver(any_app_context, provider)
    assert (one(any_app_context).status, one(any_app_context).tries) == ("failed", 1)
    assert one(any_app_context).failure == "answer_unclear:201"
    translator = any_app_context.catalogs.translator("en")
    said = message_rendering.failure_sentence(one(any_app_context).failure, translator)
    assert "may or may not have arrived" in said


def test_an_alert_is_tried_for_about_a_day_and_a_reminder_for_hours(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, "a", **ALERT)
    queue(any_app_context, "b")

    class Dead:
        def send(self, _letter: Letter) -> str:
            raise ProviderUnreachable("no_line:connect")

    start = clock.now
    while any(message.status == "waiting" for message in rows(any_app_context)):
        due = min(message.next_try_at for message in rows(any_app_context) if message.status == "waiting")
        clock.now = max(clock.now, due)
        deliver(any_app_context, Dead())
    alert, reminder = rows(any_app_context)
    assert (alert.tries, reminder.tries) == (300, 10)
    assert timedelta(hours=20) < alert.failed_at - start < timedelta(hours=30)
    assert timedelta(hours=2) < reminder.failed_at - start < timedelta(hours=5)


def test_logs_hold_ids_and_results_only(any_app_context: AppContext, caplog: pytest.LogCaptureFixture) -> None:
    queue(any_app_context)
    with caplog.at_level(logging.DEBUG):
        deliver(any_app_context, Scripted())
    assert f"message={one(any_app_context).id} channel=sms status=sent" in caplog.text
    assert not any(secret in caplog.text for secret in (PHONE, LINK, "form is ready"))
