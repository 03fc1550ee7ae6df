"""The outbox on both engines: queued once, sent as told, and what comes of every failure."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter, Refused, Unreachable
from pro.models import Alert, Event, Participant
from pro.models.message import Message
from tests.messaging.letters import ALERT, LINK, PHONE, Scripted, deliver, one, queue, queue_one, rows


def events(house: AppContext) -> list[tuple[str, str, Any]]:
    """What the audit trail says: action, reason, new."""
    with transaction(house.engine) as session:
        return [(e.action, e.reason, e.new) for e in session.scalars(select(Event).order_by(Event.id))]


def make_alert(house: AppContext) -> int:
    """The id of an alert, with the participant that it needs."""
    now = house.clock()
    with transaction(house.engine) as session:
        person = Participant(
            plan="npc", study_number="NC-007", language="en", time_zone="Asia/Shanghai", enrolled_at=now
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


def test_a_message_is_sent_once_and_kept(any_house: AppContext) -> None:
    sender = Scripted()
    queue(any_house)
    assert [deliver(any_house, sender), deliver(any_house, sender)] == [1, 0]
    message, (letter,) = one(any_house), sender.letters
    assert (letter.address, letter.params, letter.channel) == (PHONE, {"link": LINK}, "sms")
    assert (letter.text, letter.template, letter.language) == (f"Your form is ready. {LINK}", "invitation", "en")
    assert (message.status, message.reference, message.tries, message.claimed_at) == ("sent", "reference-1", 1, None)
    new = {"channel": "sms", "template": "invitation", "tries": 1, "reference": "reference-1"}
    assert events(any_house) == [("message.sent", "", new)]


def test_a_key_is_taken_once(any_house: AppContext) -> None:
    assert queue(any_house) is not None
    assert queue(any_house, body="another text") is None
    assert len(rows(any_house)) == 1


def test_queueing_shares_the_fate_of_its_cause(any_house: AppContext) -> None:
    def cause() -> None:
        with transaction(any_house.engine) as session:
            queue_one(any_house.work(session))
            raise RuntimeError("the cause did not happen")

    with pytest.raises(RuntimeError):
        cause()
    assert rows(any_house) == []


def test_the_database_holds_no_address_no_link_and_no_text(any_house: AppContext) -> None:
    queue(any_house, body=f"Your form is ready. {LINK}")
    deliver(any_house, Scripted([Unreachable("no_line:connect")]))
    with any_house.engine.connect() as connection:
        for table in ("message", "event"):
            stored = "\n".join(str(row) for row in connection.execute(text(f"select * from {table}")))
            assert not any(secret in stored for secret in (PHONE[-8:], "epro.example.org", "AbCdEf", "form is ready"))


def test_alerts_go_first_then_the_oldest(any_house: AppContext) -> None:
    alert_id = make_alert(any_house)
    queue(any_house, "a")
    queue(any_house, "b")
    queue(any_house, "alert:1:email:7", **ALERT, alert_id=alert_id)
    sender = Scripted()
    keys = {message.id: message.dedupe_key for message in rows(any_house)}
    for _time in range(3):
        deliver(any_house, sender, limit=1)
    assert [letter.template for letter in sender.letters] == ["alert", "invitation", "invitation"]
    sent = [event for event in events(any_house) if event[0] == "message.sent"]
    assert len(sent) == 3
    assert list(keys.values()) == ["a", "b", "alert:1:email:7"]


def test_an_alert_queued_meanwhile_overtakes_the_rest(any_house: AppContext) -> None:
    alert_id = make_alert(any_house)
    for number in range(3):
        queue(any_house, f"invitation:{number}")

    class Slow(Scripted):
        def send(self, letter: Letter) -> str:
            if not self.letters:
                queue(any_house, "alert:1:email:7", **ALERT, alert_id=alert_id)
            return super().send(letter)

    sender = Slow()
    deliver(any_house, sender)
    assert [letter.template for letter in sender.letters] == ["invitation", "alert", "invitation", "invitation"]


def test_no_transaction_is_open_while_sending(any_house: AppContext) -> None:
    queue(any_house)

    class Curious(Scripted):
        def send(self, letter: Letter) -> str:
            # On SQLite a second writer would wait ten seconds and fail; on PostgreSQL the row would be locked.
            with transaction(any_house.engine) as session:
                session.execute(select(Message).with_for_update(nowait=True)).all()
                queue_one(any_house.work(session), "meanwhile")
            return super().send(letter)

    deliver(any_house, Curious(), limit=1)
    assert [message.status for message in rows(any_house)] == ["sent", "waiting"]


def test_not_before_is_waited_for_and_not_after_is_kept(any_house: AppContext, clock: Any) -> None:
    start = clock.now
    queue(any_house, not_before=start + timedelta(hours=1), not_after=start + timedelta(hours=2))
    sender = Scripted()
    assert deliver(any_house, sender) == 0
    clock.move(hours=2, seconds=1)
    assert deliver(any_house, sender) == 0
    message = one(any_house)
    assert (message.status, message.dropped_at, message.failure) == ("dropped", clock.now, "too_late")
    assert [event[:2] for event in events(any_house)] == [("message.dropped", "too_late")]
    assert sender.letters == []


def test_a_message_in_its_window_is_sent(any_house: AppContext, clock: Any) -> None:
    queue(any_house, not_before=clock.now + timedelta(hours=1), not_after=clock.now + timedelta(hours=2))
    clock.move(hours=1)
    assert deliver(any_house, Scripted()) == 1


def test_unreachable_is_tried_again_later(any_house: AppContext, clock: Any) -> None:
    queue(any_house)
    sender = Scripted([Unreachable("no_line:connect")])
    deliver(any_house, sender)
    message = one(any_house)
    assert (message.status, message.failure, message.tries) == ("waiting", "no_line:connect", 1)
    assert timedelta(seconds=22) < message.next_try_at - clock.now < timedelta(seconds=38)
    assert deliver(any_house, sender) == 0
    clock.move(seconds=40)
    assert deliver(any_house, sender) == 1
    assert (one(any_house).status, one(any_house).failure, one(any_house).tries) == ("sent", "", 2)


def test_retry_after_is_obeyed(any_house: AppContext, clock: Any) -> None:
    queue(any_house)
    sender = Scripted([Unreachable("server_busy", retry_after=900)])
    deliver(any_house, sender)
    clock.move(seconds=899)
    assert deliver(any_house, sender) == 0
    clock.move(seconds=1)
    assert deliver(any_house, sender) == 1


def test_refused_is_final_and_shown(any_house: AppContext, clock: Any) -> None:
    queue(any_house)
    sender = Scripted([Refused("unsubscribed:21610")])
    deliver(any_house, sender)
    clock.move(days=1)
    assert deliver(any_house, sender) == 0
    assert (one(any_house).status, one(any_house).failure) == ("failed", "unsubscribed:21610")
    assert [event[:2] for event in events(any_house)] == [("message.failed", "unsubscribed:21610")]


def test_a_channel_without_a_sender_is_refused(any_house: AppContext) -> None:
    queue(any_house)
    outbox.deliver(any_house, {"email": Scripted()}, "worker-1")
    assert (one(any_house).status, one(any_house).failure) == ("failed", "no_sender")


def test_a_senders_bug_is_tried_again_and_tells_its_class_only(
    any_house: AppContext, caplog: pytest.LogCaptureFixture
) -> None:
    queue(any_house)
    with caplog.at_level(logging.DEBUG):
        deliver(any_house, Scripted([ZeroDivisionError(f"while writing to {PHONE}")]))
    assert (one(any_house).status, one(any_house).failure) == ("waiting", "unforeseen:ZeroDivisionError")
    assert PHONE not in caplog.text


def test_a_message_sealed_under_a_lost_key_is_refused(any_house: AppContext) -> None:
    queue(any_house)
    with transaction(any_house.engine) as session:
        session.execute(text("update message set address_sealed = 'spoilt'"))
    deliver(any_house, Scripted())
    assert (one(any_house).status, one(any_house).failure) == ("failed", "key_missing")


@pytest.mark.parametrize(("repeat", "status"), [("prefer_silence", "failed"), ("prefer_duplicate", "waiting")])
def test_a_line_that_broke_in_the_middle(any_house: AppContext, repeat: str, status: str) -> None:
    queue(any_house, repeat=repeat)
    deliver(any_house, Scripted([Unreachable("time_out:text", maybe_sent=True)]))
    assert one(any_house).status == status
    assert one(any_house).failure == ("unsure:time_out:text" if status == "failed" else "time_out:text")


def test_an_alert_is_tried_for_about_a_day_and_a_reminder_for_hours(any_house: AppContext, clock: Any) -> None:
    queue(any_house, "a", **ALERT)
    queue(any_house, "b")

    class Dead:
        def send(self, _letter: Letter) -> str:
            raise Unreachable("no_line:connect")

    start = clock.now
    while any(message.status == "waiting" for message in rows(any_house)):
        due = min(message.next_try_at for message in rows(any_house) if message.status == "waiting")
        clock.now = max(clock.now, due)
        deliver(any_house, Dead())
    alert, reminder = rows(any_house)
    assert (alert.tries, reminder.tries) == (300, 10)
    assert timedelta(hours=20) < alert.failed_at - start < timedelta(hours=30)
    assert timedelta(hours=2) < reminder.failed_at - start < timedelta(hours=5)


def test_logs_hold_ids_and_results_only(any_house: AppContext, caplog: pytest.LogCaptureFixture) -> None:
    queue(any_house)
    with caplog.at_level(logging.DEBUG):
        deliver(any_house, Scripted())
    assert f"message {one(any_house).id} by sms: sent" in caplog.text
    assert not any(secret in caplog.text for secret in (PHONE, LINK, "form is ready"))
