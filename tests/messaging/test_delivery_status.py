"""Test which staff member counts as told of which alert, by which channel, from the outbox as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import ColumnElement, event, text, update

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import outbox
from pro.messaging.claims import read_claims
from pro.messaging.delivery_status import DeliveryStatus, read_delivery_status
from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable
from pro.models import Alert, Participant, StaffMember
from pro.models.message import Message
from tests.messaging.letters import ALERT, Scripted, deliver, queue
from tests.messaging.test_outbox import make_alert


@pytest.fixture
def alert_id(any_app_context: AppContext) -> int:
    """Return the id of an alert; there are staff members 1 to 3."""
    with transaction(any_app_context.engine) as session:
        for number in range(1, 4):
            session.add(
                StaffMember(
                    id=number,
                    email=f"{number}@b.example",
                    name="n",
                    role="nurse",
                    language="en",
                    password_hash="-",
                    made_at=any_app_context.clock(),
                )
            )
    return make_alert(any_app_context)


def tell(app_context: AppContext, alert_id: int, staff_id: int, key: str, **changes: Any) -> None:
    """Queue one message about an alert."""
    assert queue(app_context, key, **(ALERT | changes), alert_id=alert_id, staff_id=staff_id) is not None


def found(app_context: AppContext, which: ColumnElement[bool] | None = None) -> dict[tuple[int | None, str], Any]:
    """Return the delivery status by person and channel."""
    with transaction(app_context.engine) as session:
        states = read_delivery_status(session, Alert.source == "assessment:1" if which is None else which)
    assert all((one.source, one.level) == ("assessment:1", 3) for one in states)
    return {(one.staff_id, one.channel): one for one in states}


def test_queued_tried_and_told(any_app_context: AppContext, alert_id: int, clock: Any) -> None:
    start: datetime = clock.now
    assert found(any_app_context) == {}
    tell(any_app_context, alert_id, 1, "a")
    expected = DeliveryStatus(alert_id, "assessment:1", 3, 1, "email", None, start, 0, None, None)
    assert found(any_app_context) == {(1, "email"): expected}
    for tries in (1, 2):
        deliver(any_app_context, Scripted([ProviderUnreachable("no_line:connect")]))
        clock.move(minutes=1)
        one = found(any_app_context)[1, "email"]
        assert (one.pending_since, one.tries, one.is_notified, one.has_failed) == (start, tries, False, False)
    deliver(any_app_context, Scripted())
    one = found(any_app_context)[1, "email"]
    assert (one.notified_at, one.pending_since, one.tries, one.is_notified, one.has_failed) == (
        clock.now,
        None,
        0,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("failure", "repeat", "refused", "unsure"),
    [
        (ProviderRefused("address_refused:550"), "prefer_duplicate", True, False),
        # Only messages that must not be sent twice are given up so, such as a test alert's would be.
        (ProviderUnreachable("time_out:text", maybe_sent=True), "prefer_silence", False, True),
    ],
)
def test_refused_and_unsure_are_not_told(
    any_app_context: AppContext,
    alert_id: int,
    clock: Any,
    failure: BaseException,
    repeat: str,
    refused: bool,
    unsure: bool,
) -> None:
    tell(any_app_context, alert_id, 1, "a", repeat=repeat)
    deliver(any_app_context, Scripted([failure]))
    one = found(any_app_context)[1, "email"]
    assert (one.refused_at, one.unsure_at) == (clock.now if refused else None, clock.now if unsure else None)
    assert (one.is_notified, one.has_failed, one.pending_since) == (False, True, None)
    # Another message to the same person counts again.
    clock.move(minutes=1)
    tell(any_app_context, alert_id, 1, "b")
    assert (found(any_app_context)[1, "email"].has_failed, found(any_app_context)[1, "email"].tries) == (False, 0)
    deliver(any_app_context, Scripted())
    assert found(any_app_context)[1, "email"].notified_at == clock.now


def test_tried_as_often_as_allowed_is_given_up(any_app_context: AppContext, alert_id: int, clock: Any) -> None:
    tell(any_app_context, alert_id, 1, "a")
    with transaction(any_app_context.engine) as session:
        session.execute(update(Message).values(tries=299))
    deliver(any_app_context, Scripted([ProviderUnreachable("no_line:connect")]))
    assert found(any_app_context)[1, "email"].refused_at == clock.now
    assert found(any_app_context)[1, "email"].has_failed


def test_reported_as_failed_is_told_no_longer_until_it_is_delivered(
    any_app_context: AppContext, alert_id: int, clock: Any
) -> None:
    tell(any_app_context, alert_id, 1, "a", channel="sms", template="alert_sms", address="+8613800138000")
    deliver(any_app_context, Scripted())
    sent_at = clock.now
    assert found(any_app_context)[1, "sms"].notified_at == sent_at
    clock.move(minutes=1)
    with transaction(any_app_context.engine) as session:
        session.execute(update(Message).values(failed_at=clock.now, failure="phone_unreachable:30003"))
    one = found(any_app_context)[1, "sms"]
    assert (one.notified_at, one.refused_at, one.has_failed) == (None, clock.now, True)
    with transaction(any_app_context.engine) as session:
        session.execute(update(Message).values(failed_at=None, failure="", delivered_at=clock.now))
    assert found(any_app_context)[1, "sms"].notified_at == sent_at


def test_people_channels_and_alerts_are_kept_apart_and_dropped_ones_left_out(
    any_app_context: AppContext, alert_id: int
) -> None:
    tell(any_app_context, alert_id, 1, "a")
    tell(any_app_context, alert_id, 1, "b", channel="sms", template="alert_sms", address="+8613800138000")
    tell(any_app_context, alert_id, 2, "c")
    tell(any_app_context, alert_id, 3, "d")
    with transaction(any_app_context.engine) as session:
        outbox.drop_messages(any_app_context.unit_of_work(session), Message.staff_id == 3, "taken_on")

    class RefusesTwo(Scripted):
        def send(self, letter: Letter) -> str:
            if letter.message_id == any_app_context.vault.fingerprint("message:c")[:32]:
                raise ProviderRefused("address_refused:550")
            return super().send(letter)

    deliver(any_app_context, RefusesTwo())
    states = found(any_app_context)
    assert {key: (one.is_notified, one.has_failed) for key, one in states.items()} == {
        (1, "email"): (True, False),
        (1, "sms"): (True, False),
        (2, "email"): (False, True),
    }
    assert found(any_app_context, Message.alert_id.in_([alert_id])) == states
    assert found(any_app_context, Alert.source == "assessment:2") == {}


# --- indexes ---------------------------------------------------------------------------------------------------------


def plan_of(app_context: AppContext, read: Any) -> str:
    """Return how the engine runs the query that ``read`` sends."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        sent.append((statement, parameters))

    engine = app_context.engine
    with transaction(engine) as session:
        event.listen(engine, "before_cursor_execute", note)
        try:
            read(session)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        ((statement, parameters),) = [one for one in sent if one[0].startswith("SELECT")]
        word = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        rows = session.connection().exec_driver_sql(f"{word} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


def test_many_finished_messages_are_not_read(any_app_context: AppContext, alert_id: int) -> None:
    """Check the queries of the outbox and of the delivery status among 4,000 messages and 2,000 alerts."""
    now = any_app_context.clock()
    with transaction(any_app_context.engine) as session:
        person = session.query(Participant).one().id
        session.add_all(
            Alert(
                participant_id=person, source=f"assessment:{number}", rule="E01", level=3, suspects="b", basis="E",
                plan_version="1", inputs={}, unresolved=[], raised_at=now,
            )
            for number in range(2, 2000)
        )  # fmt: skip
        session.flush()
        session.add_all(
            Message(
                dedupe_key=f"old:{number}", channel="email", template="alert", language="en", staff_id=1,
                alert_id=number // 2 + 1, address_sealed="", params_sealed="", body_sealed="",
                repeat="prefer_duplicate", queued_at=now, next_try_at=now, sent_at=now,
            )
            for number in range(3900)
        )  # fmt: skip
    with any_app_context.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    asked: dict[str, Any] = {
        "claims": read_claims,
        "by alert": lambda session: read_delivery_status(session, Message.alert_id.in_([5, 6, 7])),
        "by case": lambda session: read_delivery_status(session, Alert.source.in_(["assessment:5", "assessment:6"])),
    }
    for name, read in asked.items():
        plan = plan_of(any_app_context, read)
        assert "Seq Scan" not in plan, f"{name}: {plan}"
        assert "SCAN message" not in plan or "USING INDEX ix_message_claimed" in plan, f"{name}: {plan}"
        assert "SCAN alert" not in plan, f"{name}: {plan}"
