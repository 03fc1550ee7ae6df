"""Test the log of sent messages: every message once, with its state, its failure and an action, never its words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.schedule import missed_forms
from pro.features.text_messages import sent_messages
from pro.features.text_messages.sent_messages import LogFilter, MessageLog
from pro.messaging import outbox
from pro.models import Alert, Message, Participant
from tests.support import form_browser
from tests.support.factories import Clock, Study
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser

LOG = "/staff/messages"
WORDS = "please answer this secret question"


def add(app_context: AppContext, study: Study, key: str, *, staff: str = "", template: str = "reminder_code") -> int:
    """Queue one message to the English participant, or to a member of the staff; return its id."""
    with form_browser.unit_of_work(app_context) as work:
        message = outbox.queue(
            work,
            outbox.MessageDraft(
                dedupe_key=key,
                channel="email" if staff else "sms",
                template=template,
                params={"code": "ABCD-EFGH", "address": "http://example.org"},
                language="en",
                address="who@example.org" if staff else "+447700900123",
                body=f"{WORDS} {key}",
                subject="secret subject" if staff else "",
                staff_id=study.staff[staff].id if staff else None,
                participant_id=None if staff else study.english.id,
                repeat="prefer_silence",
            ),
        )
        assert message is not None
        return message.id


def change(app_context: AppContext, number: int, **values: object) -> None:
    """Change columns of a message."""
    with transaction(app_context.engine) as session:
        row = session.get_one(Message, number)
        for name, value in values.items():
            setattr(row, name, value)


def read(app_context: AppContext, **chosen: object) -> MessageLog:
    """Return a page of the log in English."""
    with form_browser.unit_of_work(app_context) as work:
        return sent_messages.read_log(work, LogFilter(**chosen), "en")  # type: ignore[arg-type]


@pytest.fixture
def quiet(app_context: AppContext, seeded: Study, clock: Clock) -> Study:
    """Return the study a hundred days later, so that its own messages are out of the list, and none waits."""
    with transaction(app_context.engine) as session:
        for row in session.scalars(select(Message)):
            row.sent_at = row.delivered_at = clock.now
    clock.move(days=100)
    return seeded


def test_every_state_is_told_apart(app_context: AppContext, quiet: Study, clock: Clock) -> None:
    now, minute = clock.now, timedelta(minutes=1)
    states: dict[str, dict[str, object]] = {
        "planned": {"next_try_at": now + 30 * minute},
        "due": {"next_try_at": now - minute},
        "sending": {"claimed_at": now, "tries": 1},
        "retrying": {"tries": 2, "next_try_at": now + minute, "failure": "server_busy"},
        "sent": {"sent_at": now},
        "delivered": {"sent_at": now, "delivered_at": now},
        "failed": {"failed_at": now, "failure": "phone_unknown"},
        "dropped": {"dropped_at": now, "failure": "too_late"},
    }
    numbers = {}
    for state, values in states.items():
        numbers[state] = add(app_context, quiet, state)
        change(app_context, numbers[state], **values)
    email = add(app_context, quiet, "email", staff="nurse", template="alert")
    change(app_context, email, sent_at=now)
    log = read(app_context)
    found = {row.id: row.state for row in (*log.rows, *log.waiting)}
    assert found == {**{number: state for state, number in numbers.items()}, email: "handed_over"}
    assert [row.state for row in log.waiting] == ["due", "sending", "retrying", "planned"]
    assert log.counts == {"": 9, "failed": 1, "unconfirmed": 1, "waiting": 4}
    by_state = {row.state: row for row in (*log.rows, *log.waiting)}
    assert by_state["failed"].reason == "This number does not exist on the network. Ask for the correct one."
    assert by_state["retrying"].reason == "The provider is busy."
    assert by_state["dropped"].reason == "Too late to be useful, not sent."
    assert (by_state["failed"].can_correct, by_state["failed"].can_settle) == (True, True)
    assert by_state["handed_over"].to == quiet.staff["nurse"].name
    for name in ("failed", "unconfirmed", "waiting"):
        listed = read(app_context, shown=name)
        assert len(listed.rows) == listed.counts[name] == log.counts[name]
        assert listed.waiting == ()


def test_older_messages_are_left_out_until_asked_for_and_what_waits_never_is(
    app_context: AppContext, quiet: Study, clock: Clock
) -> None:
    old = add(app_context, quiet, "old")
    change(app_context, old, sent_at=clock.now)
    forgotten = add(app_context, quiet, "forgotten")
    clock.move(days=8)
    new = add(app_context, quiet, "new")
    change(app_context, new, sent_at=clock.now)
    log = read(app_context)
    assert [row.id for row in log.rows] == [new]
    assert [row.id for row in log.waiting] == [forgotten]
    assert [row.id for row in read(app_context, days=30).rows] == [new, old]


def test_the_filter_finds_numbers_names_kinds_and_channels(app_context: AppContext, quiet: Study, clock: Clock) -> None:
    text = add(app_context, quiet, "text")
    digest = add(app_context, quiet, "digest", staff="nurse", template="daily_digest")
    invited = add(app_context, quiet, "invited", staff="monitor", template="staff_invitation")
    for number in (text, digest, invited):
        change(app_context, number, sent_at=clock.now)

    def found(**chosen: object) -> set[int]:
        return {row.id for row in read(app_context, **chosen).rows}

    assert found() == {text, digest, invited}
    assert found(find="npc-002") == {text}
    assert found(find=quiet.staff["nurse"].name.upper()) == {digest}
    assert found(find="%") == set()
    assert found(by="email") == {digest, invited}
    assert found(kind="forms") == {text}
    assert found(kind="alerts") == {digest}
    assert found(kind="other") == {invited}


def test_pages_of_fifty_hold_every_message_once_at_a_constant_number_of_statements(
    app_context: AppContext, quiet: Study, clock: Clock
) -> None:
    made = set()
    numbers = []
    for batch in range(4):
        for place in range(40):
            number = add(app_context, quiet, f"{batch}:{place}")
            change(app_context, number, failed_at=clock.now, failure="phone_unreachable")
            made.add(number)
        with record_queries(app_context.engine) as asked:
            read(app_context)
        numbers.append(len([one for one in asked if one.lstrip().startswith("SELECT")]))
    assert len(set(numbers)) == 1
    assert numbers[0] <= 6
    pages = [read(app_context, page=page) for page in range(1, 5)]
    assert [len(log.rows) for log in pages] == [50, 50, 50, 10]
    assert {row.id for log in pages for row in log.rows} == made
    assert pages[0].pages == 4
    assert read(app_context, page=99).chosen.page == 4


def test_a_failure_has_its_action_in_the_row_and_says_what_was_done(
    app: Flask, app_context: AppContext, quiet: Study, clock: Clock
) -> None:
    wrong = add(app_context, quiet, "wrong")
    change(app_context, wrong, failed_at=clock.now, failure="phone_unknown")
    with form_browser.unit_of_work(app_context) as work:
        person = work.session.get_one(Participant, quiet.english.id)
        task = missed_forms.make_call_task(work, person, missed_forms.UNREACHABLE_PHONE_TASK, f"phone:{wrong}")
        assert task is not None
    desk = signed_in_browser(app, quiet.staff["coordinator"])
    desk.open(f"{LOG}?lang=en&show=failed")
    row = desk.page.partition("<tbody")[2].partition("</tbody>")[0]
    assert f"/staff/participants/{quiet.english.id}/details" in row
    assert "This number does not exist on the network." in row
    assert "Call task since" in row
    address = re.search(r'action="([^"]+)"', row)
    assert address is not None
    answer = desk.post(address[1])
    assert (answer.status_code, answer.location) == (303, f"{LOG}?show=failed")
    desk.open(f"{LOG}?lang=en&show=failed")
    assert "The message is marked as resolved." in desk.page
    assert f"resolved by {quiet.staff['coordinator'].name}" in desk.page
    row = desk.page.partition("<tbody")[2].partition("</tbody>")[0]
    assert "<form" not in row
    monitor = signed_in_browser(app, quiet.staff["monitor"])
    monitor.open(f"{LOG}?lang=en&show=failed")
    assert "NPC-0" in monitor.page
    main = monitor.page.partition("<tbody")[2].partition("</tbody>")[0]
    assert "<form" not in main
    assert "/details" not in main


def test_no_words_no_address_and_no_code_are_shown(
    app: Flask, app_context: AppContext, quiet: Study, clock: Clock
) -> None:
    with transaction(app_context.engine) as session:
        alert = Alert(
            participant_id=quiet.chinese.id,
            source="test:1",
            rule="U09",
            level=2,
            suspects="",
            basis="E",
            plan_version="1",
            inputs={},
            unresolved=[],
            raised_at=clock.now,
        )
        session.add(alert)
        session.flush()
        number = alert.id
    change(app_context, add(app_context, quiet, "one"), sent_at=clock.now)
    add(app_context, quiet, "three")
    mail = add(app_context, quiet, "two", staff="nurse", template="alert")
    change(app_context, mail, sent_at=clock.now, alert_id=number)
    desk = signed_in_browser(app, quiet.staff["investigator"])
    for show in ("", "waiting", "unconfirmed"):
        desk.open(f"{LOG}?lang=en&show={show}")
        assert 'role="rowheader"' in desk.page
        for secret in (WORDS, "secret subject", "ABCD-EFGH", "447700900123", "@example.org", "example.org/a/"):
            assert secret not in desk.page.partition("<main")[2].partition("</main>")[0], secret
    # The participant whom an alert's email is about.
    desk.open(f"{LOG}?lang=en&kind=alerts")
    assert f'href="/staff/alerts/{number}">NPC-001</a>' in desk.page


def test_an_empty_log_says_so(app: Flask, quiet: Study) -> None:
    desk = StaffBrowser(app)
    desk.sign_in(quiet.staff["nurse"])
    desk.open(f"{LOG}?lang=en")
    assert "No message was sent in this period." in desk.page
    desk.open(f"{LOG}?lang=en&find=zzz")
    assert "No message matches the filter." in desk.page
    desk.open(f"{LOG}?lang=en&show=failed")
    assert "No message failed in this period." in desk.page
    assert desk.open(f"{LOG}?lang=en&show=x&kind=x&by=x&days=x&page=-1").status_code == 200
