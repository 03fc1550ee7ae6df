"""Test the limits of texts to one number: texts a day, and repetitions of the same text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.sms_gateway import PER_DAY, SmsGateway
from pro.db import transaction
from pro.messaging import message_limit, outbox
from pro.messaging.sender_protocol import ProviderRefused
from pro.models import AuditEntry, Participant
from tests.messaging.letters import LINK, Scripted, deliver, queue, rows
from tests.support.factories import Clock

OTHER = "+8613800138001"


def limited(app_context: AppContext, **what: Any) -> AppContext:
    """Return the same application context behind a gateway with limits."""
    gateway = SmsGateway(**{"provider": "g", "per_day": 3, **what})
    return replace(app_context, catalogue=replace(app_context.catalogue, gateway=gateway))


def failures(app_context: AppContext) -> list[str]:
    return [row.failure for row in rows(app_context)]


def test_a_text_over_the_daily_limit_is_dropped_with_its_reason(any_app_context: AppContext) -> None:
    app_context = limited(any_app_context)
    for number in range(5):
        assert queue(app_context, f"reminder:{number}", body=f"text {number}") is not None
    queue(app_context, "other", address=OTHER)
    queue(app_context, "mail", channel="email", template="daily_digest", address="n@b.example")
    assert failures(app_context) == ["", "", "", "over_budget", "over_budget", "", ""]
    assert [row.status for row in rows(app_context)][3:5] == ["dropped", "dropped"]
    with transaction(app_context.engine) as session:
        events = list(session.scalars(select(AuditEntry).where(AuditEntry.action == "message.dropped")))
    assert [event.reason for event in events] == ["over_budget", "over_budget"]
    sender = Scripted()
    assert deliver(app_context, sender) == 5
    assert {letter.text for letter in sender.letters if letter.channel == "sms"} == {
        *("text 0", "text 1", "text 2"),
        f"Your form is ready. {LINK}",
    }


def test_many_at_once_are_counted_together(any_app_context: AppContext) -> None:
    app_context = limited(any_app_context)
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        drafts = [
            outbox.MessageDraft(
                dedupe_key=f"remind:{number}",
                channel="sms",
                template="reminder",
                params={"link": LINK},
                language="en",
                address=OTHER if number == 4 else "+8613800138000",
                body=f"{number}",
                repeat="prefer_silence",
            )
            for number in range(6)
        ]
        outbox.queue_all(work, drafts)
        outbox.queue_all(work, drafts[:1])
    assert failures(app_context) == ["", "", "", "over_budget", "", "over_budget"]
    with transaction(app_context.engine) as session:
        dropped = select(AuditEntry.reason).where(AuditEntry.action == "message.dropped")
        assert list(session.scalars(dropped)) == ["over_budget"] * 2


@pytest.mark.parametrize("template", message_limit.EXEMPT)
def test_exempt_messages_have_no_limit(app_context: AppContext, template: str) -> None:
    here = limited(app_context, per_day=1, identical_per_day=1)
    for number in range(4):
        queue(here, f"{template}:{number}", template=template, body="the same")
    assert failures(here) == [""] * 4
    # The exempt messages count towards the limit of others.
    queue(here, "after")
    assert failures(here)[-1] == "over_budget"


def test_the_same_words_go_twice_in_24_hours(any_app_context: AppContext, clock: Clock) -> None:
    app_context = limited(any_app_context, per_day=50, identical_per_day=2)
    queue(app_context, "1", body="the same")
    clock.move(hours=10)
    queue(app_context, "2", body="the same")
    queue(app_context, "3", body="the same")
    queue(app_context, "4", body="other words")
    queue(app_context, "5", body="the same", address=OTHER)
    clock.move(hours=13, minutes=59)
    queue(app_context, "6", body="the same")
    clock.move(minutes=1)
    queue(app_context, "7", body="the same")
    assert failures(app_context) == ["", "", "identical", "", "", "identical", ""]


@pytest.mark.parametrize(
    ("zone", "later", "over"),
    [
        ("Asia/Shanghai", datetime(2026, 3, 2, 15, 59, tzinfo=UTC), True),
        ("Asia/Shanghai", datetime(2026, 3, 2, 16, 1, tzinfo=UTC), False),
        ("America/New_York", datetime(2026, 3, 2, 4, 59, tzinfo=UTC), True),
        ("America/New_York", datetime(2026, 3, 2, 5, 1, tzinfo=UTC), False),
    ],
)
def test_a_day_is_the_participants(
    app_context: AppContext, clock: Clock, zone: str, later: datetime, over: bool
) -> None:
    here = limited(app_context, per_day=1)
    with transaction(here.engine) as session:
        person = Participant(plan="p", participant_number="1", language="en", time_zone=zone, enrolled_at=clock.now)
        session.add(person)
        session.flush()
        number = person.id
    queue(here, "1", participant_id=number)
    clock.now = later
    queue(here, "2", participant_id=number)
    assert failures(here) == ["", "over_budget" if over else ""]


def test_an_unknown_number_has_the_days_of_the_site(app_context: AppContext, clock: Clock) -> None:
    here = limited(app_context, per_day=1)
    queue(here, "1")
    clock.now = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
    queue(here, "2")
    clock.now = datetime(2026, 3, 2, 16, 1, tzinfo=UTC)
    queue(here, "3")
    assert failures(here) == ["", "over_budget", ""]


def test_an_undelivered_text_is_not_counted(app_context: AppContext) -> None:
    here = limited(app_context, per_day=1)
    queue(here, "1")
    deliver(here, Scripted([ProviderRefused("phone_invalid")]))
    queue(here, "2")
    assert failures(here) == ["phone_invalid", ""]


def test_without_a_gateway_file_there_is_a_daily_limit(app_context: AppContext) -> None:
    for number in range(PER_DAY + 1):
        queue(app_context, f"{number}", body="the same")
    assert failures(app_context) == [""] * PER_DAY + ["over_budget"]


def test_neither_number_nor_words_can_be_read_from_the_row(app_context: AppContext) -> None:
    queue(app_context, "1", body="secret words")
    (row,) = rows(app_context)
    assert row.address_fingerprint == app_context.vault.fingerprint("phone:+8613800138000")
    assert row.text_fingerprint == app_context.vault.fingerprint("text:secret words")
