"""Test rounds of the schedule job: killed, in parallel, and while a participant answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import event, text

from pro import db, i18n
from pro.app_context import AppContext
from pro.catalogue import read_catalogue
from pro.config import Config
from pro.features.assessments import answer_service
from pro.features.forms import form_access
from pro.features.text_messages import reminders
from tests.core.example_schedule import local
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.calendar_participant import CHECKIN, QLQ, CalendarParticipant, change, enrol

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 6
BATCH = 4
INVITED = [("baseline:npc_checkin:0", "waiting")]


def wait(ready: Callable[[], bool]) -> None:
    """Wait at most ten seconds."""
    end = time.monotonic() + 10
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    assert ready()


def is_a_lock_waited_for(app_context: AppContext) -> bool:
    with app_context.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0


def crowd(clinic: Clinic, number: int = PEOPLE) -> list[CalendarParticipant]:
    return [enrol(clinic, f"NPC-{200 + each}") for each in range(number)]


def keys(people: list[CalendarParticipant]) -> Counter[str]:
    return Counter(row.dedupe_key for person in people for row in person.messages())


def is_transaction_over(app_context: AppContext) -> bool:
    """Return True once the server has ended the transaction of the killed worker."""
    if app_context.engine.dialect.name == "sqlite":
        return True
    held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    with app_context.engine.connect() as connection:
        return connection.scalar(text(f"{held} AND pid <> pg_backend_pid()")) == 0


def untouched(person: CalendarParticipant) -> bool:
    """Return True if no round changed anything for this participant."""
    traces = (person.text_states(), person.forms(), person.events("assessment.issued"), person.dropped_reminders())
    return not any(traces) and person.next_due_at() == local("2026-03-02 09:00")


def assert_notified_once(people: list[CalendarParticipant]) -> None:
    """Check one form for each instrument, one sent text, and one dropped for the other form."""
    assert [person.text_states() for person in people] == [INVITED] * len(people)
    assert all([form.instrument for form in person.forms()] == [CHECKIN, QLQ] for person in people)
    assert set(keys(people).values()) <= {1}
    assert all(len(person.events("assessment.issued")) == 2 for person in people)
    assert [person.dropped_reminders() for person in people] == [[(0, "together")]] * len(people)
    # One code for each message: the codes of a killed worker are not stored.
    assert [len(person.ways()) for person in people] == [1] * len(people)


# --- killed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("table", ["assessment", "form_access", "message"])
def test_a_worker_that_is_killed_in_the_middle_of_a_round_loses_nothing(any_clinic, table, before):
    """Check a worker that is killed as a batch writes forms, codes or messages.

    Before the kill there were ``before`` complete batches. Nothing of the interrupted batch is stored, the earlier
    batches stay, and the next worker does the rest.
    """
    people = crowd(any_clinic)
    app_context, now = any_clinic.app_context, any_clinic.app_context.clock()
    command = [sys.executable, "-m", "tests.text_messages.test_reminders_together", app_context.config.database_url]
    dead = subprocess.run([*command, now.isoformat(), table, str(before)], timeout=120, check=False, cwd=ROOT)
    assert dead.returncode == -signal.SIGKILL
    wait(lambda: is_transaction_over(app_context))
    done = BATCH * before
    assert sum(untouched(person) for person in people) == PEOPLE - done
    assert_notified_once([person for person in people if not untouched(person)])
    assert reminders.run_due_participants(app_context) == PEOPLE - done
    assert_notified_once(people)
    assert reminders.run_due_participants(app_context) == 0
    for person in people:
        person.live("2026-03-04 12:00")
    steps = [("baseline:npc_checkin:0", "waiting"), ("baseline:npc_checkin:1", "waiting")]
    assert [person.text_states() for person in people] == [[*steps, ("baseline:npc_checkin:2", "waiting")]] * PEOPLE
    assert set(keys(people).values()) == {1}


def killed(url: str, now: datetime, table: str, before: int) -> None:
    """Run a round on the database ``url`` that dies as it writes into ``table``.

    Before the kill there are ``before`` complete batches.
    """
    config = Config(database_url=url)
    catalogue = read_catalogue(
        ROOT / "pro" / "data" / "instruments", ROOT / "translations", [ROOT / "pro" / "data" / "plans"]
    )
    clock = factories.Clock(now)
    app_context = factories.make_app_context(
        db.make_engine(url), catalogue, i18n.read_catalogs(ROOT / "translations"), config, clock
    )
    whole: list[object] = []

    def written(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(f"INSERT INTO {table} ") and len(whole) == before:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(app_context.engine, "after_cursor_execute", written)
    event.listen(app_context.engine, "commit", whole.append)
    reminders.BATCH_SIZE = BATCH
    reminders.run_due_participants(app_context)


# --- two workers -----------------------------------------------------------------------------------------------------


def test_two_workers_at_once_do_nothing_twice(postgresql_clinic, monkeypatch):
    people = crowd(postgresql_clinic, 12)
    monkeypatch.setattr(reminders, "BATCH_SIZE", 2)
    form_browser.run_concurrently(*[lambda: reminders.run_due_participants(postgresql_clinic.app_context)] * 3)
    assert_notified_once(people)
    postgresql_clinic.app_context.clock.now = local("2026-03-03 09:00")
    form_browser.run_concurrently(*[lambda: reminders.run_due_participants(postgresql_clinic.app_context)] * 3)
    assert [person.text_states() for person in people] == [[*INVITED, ("baseline:npc_checkin:1", "waiting")]] * 12
    assert [person.dropped_reminders() for person in people] == [[(0, "together"), (1, "together")]] * 12
    assert set(keys(people).values()) == {1}


def test_a_worker_leaves_to_another_whom_it_holds(postgresql_clinic):
    one, two = crowd(postgresql_clinic, 2)
    with form_browser.unit_of_work(postgresql_clinic.app_context) as work:
        work.lock(one.row(work))
        assert reminders.run_due_participants(postgresql_clinic.app_context) == 1
    assert (one.text_states(), two.text_states()) == ([], INVITED)
    assert reminders.run_due_participants(postgresql_clinic.app_context) == 1
    assert one.text_states() == INVITED


# --- a round while a participant answers -----------------------------------------------------------------------------


def answered_to_the_last(person: CalendarParticipant) -> form_browser.FormBrowser:
    here = person.start()
    here.finish_until("")
    return here


def test_who_sends_while_a_reminder_is_queued_is_not_reminded(postgresql_clinic, monkeypatch):
    """Check a submission that waits for a queued reminder and removes it.

    The round has queued the reminder and not committed.
    """
    person = enrol(postgresql_clinic)
    person.look()
    here = answered_to_the_last(person)
    person.at("2026-03-03 09:00")
    queued, plain = threading.Event(), reminders._queue_reminders

    def slow(*args: object) -> None:
        plain(*args)  # type: ignore[arg-type]
        reminding_work = args[0]
        reminding_work.session.flush()  # type: ignore[attr-defined]
        queued.set()
        wait(lambda: is_a_lock_waited_for(postgresql_clinic.app_context))

    monkeypatch.setattr(
        reminders, "_queue_reminders", lambda *args: slow(*args) if not queued.is_set() else plain(*args)
    )

    def send() -> None:
        assert queued.wait(10)
        here.submit()

    form_browser.run_concurrently(person.look, send)
    told = {row.dedupe_key.split(":")[-1]: row for row in person.messages() if CHECKIN in row.dedupe_key}
    assert (told["1"].status, told["1"].failure) == ("dropped", "answered")
    assert person.statuses()["baseline", CHECKIN] == "received"
    person.live("2026-03-06 12:00")
    # The other form's second text was left out for the removed one; its third is sent.
    assert person.text_states() == [
        ("baseline:npc_checkin:0", "dropped"),
        ("baseline:npc_checkin:1", "dropped"),
        ("baseline:qlq_c30:2", "waiting"),
    ]


def test_who_has_sent_a_moment_before_the_round_is_not_reminded(postgresql_clinic):
    """Check a round that waits for a submission and then sees the answer.

    The submission has been written and not committed.
    """
    person = enrol(postgresql_clinic)
    person.look()
    here = answered_to_the_last(person)
    person.at("2026-03-03 09:00")
    round_ = threading.Thread(target=person.look)
    with here.open_session() as (work, form_session):
        answer_service.submit_form(work, form_session, "zh_Hans")
        work.session.flush()
        round_.start()
        wait(lambda: is_a_lock_waited_for(postgresql_clinic.app_context))
    round_.join(20)
    assert person.text_states() == [("baseline:npc_checkin:0", "dropped"), ("baseline:qlq_c30:1", "waiting")]
    assert person.statuses()["baseline", CHECKIN] == "received"


def test_a_window_that_ends_during_a_submission_is_settled_afterwards(postgresql_clinic):
    """Check that submission and round do not wait for each other.

    The submission holds the form and wants the expected forms; the round holds the expected forms and must not want the
    form.
    """
    person = enrol(postgresql_clinic)
    person.look()
    person.answer()
    person.answer(QLQ)
    person.at("2026-03-05 10:00").set(
        change("induction_day1", "2026-03-05"), change("rt_fraction", "2026-03-13", 1, planned=True)
    )
    person.live("2026-03-13 12:00")
    here = answered_to_the_last(person)
    person.at("2026-03-14 00:10")
    round_ = threading.Thread(target=person.look)
    with here.open_session() as (work, form_session):
        round_.start()
        round_.join(20)
        assert not round_.is_alive()
        assert person.statuses()["before_rt", CHECKIN] == "missed"
        answer_service.submit_form(work, form_session, "zh_Hans")
    assert person.line("before_rt").missed_at is None
    statuses = person.statuses()
    assert (statuses["before_rt", CHECKIN], statuses["induction_week.1", CHECKIN]) == ("served_elsewhere", "received")
    assert person.next_due_at() == local("2026-03-14 00:10").replace(second=1)


@pytest.mark.parametrize("turn", range(3))
def test_rounds_answers_and_new_dates_at_once_never_lock_each_other_out(postgresql_clinic, turn):
    people = crowd(postgresql_clinic, 4)
    for person in people:
        person.at("2026-03-02 10:00").set(
            change("induction_day1", "2026-03-02"), change("rt_fraction", "2026-03-10", 1, planned=True)
        )
    people[0].live("2026-03-08 12:00")
    browsers = [answered_to_the_last(person) for person in people]
    people[0].at("2026-03-08 18:00")

    def plan_again() -> None:
        for ahead in (11, 12):
            for person in people:
                person.set(change("rt_fraction", f"2026-03-{ahead}", 1, planned=True))

    def send_all() -> None:
        for here in browsers[:: -1 if turn else 1]:
            here.submit()

    def rounds() -> None:
        for _ in range(4):
            with form_browser.unit_of_work(postgresql_clinic.app_context) as work:
                for person in people:
                    person.row(work).next_due_at = work.now
            reminders.run_due_participants(postgresql_clinic.app_context)

    form_browser.run_concurrently(plan_again, send_all, rounds)
    for person in people:
        received = [name for name, status in person.statuses().items() if status in ("received", "served_elsewhere")]
        assert ("before_rt", CHECKIN) in received or ("induction_week.1", CHECKIN) in received
        assert not [row for row in person.messages() if CHECKIN in row.dedupe_key and row.status == "waiting"]
    assert set(keys(people).values()) == {1}


def test_a_form_that_is_opened_while_dates_are_typed_stays_where_it_is(postgresql_clinic):
    person = enrol(postgresql_clinic)
    person.at("2026-03-02 10:00").set(
        change("induction_day1", "2026-03-02"), change("rt_fraction", "2026-03-10", 1, planned=True)
    )
    person.live("2026-03-08 12:00")
    before = person.line("before_rt", QLQ)
    form = person.form(QLQ)
    with form_browser.unit_of_work(postgresql_clinic.app_context) as work:
        found = work.session.get_one(type(form), form.id)
        form_access.begin_session(
            work, found, identified_by="link", answered_by="self", device="phone", language="zh_Hans"
        )
        work.session.flush()
        person.set(change("rt_fraction", "2026-03-16", 1, planned=True))
    after = person.line("before_rt", QLQ)
    assert (after.opens_at, after.closes_at) == (before.opens_at, before.closes_at)
    again = person.form(QLQ)
    assert (again.closes_at, again.cancelled_at) == (form.closes_at, None)
    assert again.opened_at is not None
    assert person.line("before_rt").due_at == local("2026-03-16 20:00")


def test_who_withdraws_while_a_round_runs_gets_nothing(postgresql_clinic, monkeypatch):
    person = enrol(postgresql_clinic)
    queued, plain = threading.Event(), reminders._next_due_at

    def slow(*args: object) -> object:
        args[0].session.flush()  # type: ignore[attr-defined]
        queued.set()
        wait(lambda: is_a_lock_waited_for(postgresql_clinic.app_context))
        return plain(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reminders, "_next_due_at", slow)

    def withdraw() -> None:
        assert queued.wait(10)
        person.set(change("withdrawal", "2026-03-02"), reason="wish")

    form_browser.run_concurrently(person.look, withdraw)
    assert [row.failure for row in person.messages()] == ["not_wanted"]
    assert {way.revoked_at is None for way in person.ways()} == {False}


if __name__ == "__main__":
    killed(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
