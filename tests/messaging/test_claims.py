"""Test the claims of living and dead workers, calls over their limit, and clocks that are set."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from pro.app_context import AppContext, utc_now
from pro.db import transaction
from pro.messaging import claims, outbox
from pro.messaging.provider_calls import CALL_LIMIT, CallPool
from pro.messaging.providers.time_limit import SEND_LIMIT
from pro.messaging.sender_protocol import Letter
from pro.models.message import Message
from tests.messaging.hanging_worker import TIMES, mail_sender
from tests.messaging.killed import bare_app_context
from tests.messaging.letters import ALERT, Scripted, deliver, one, queue, rows
from tests.messaging.loopback import Mailbox, mail_server
from tests.messaging.test_outbox import events
from tests.messaging.test_outbox_calls import Hanging, hanging


@dataclass
class Seconds:
    """A monotonic clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.now


class ManualCalls(outbox.ProviderCalls):
    """Calls whose claims only the test renews."""

    def start_renewing(self, _app_context: AppContext) -> None:
        """Start no thread."""


@dataclass
class Worker:
    """A worker with its own calls and the real constants, whose monotonic clock and renewals the test moves."""

    app_context: AppContext
    sender: Any
    seconds: Seconds = field(default_factory=Seconds)
    calls: outbox.ProviderCalls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = ManualCalls(outbox.ClaimTimes(wait=0.02), self.seconds)

    def deliver(self) -> int:
        """Do one delivery."""
        return deliver(self.app_context, self.sender, calls=self.calls, seconds=0.5)

    def renew(self) -> None:
        """Renew the claims of the calls, as the thread does every 15 seconds."""
        assert claims.renew_claims(self.app_context, self.calls.running())


def let_pass(clock: Any, seconds: float, *workers: Worker) -> None:
    """Move the clock of the machine and the monotonic clocks of ``workers``."""
    clock.move(seconds=seconds)
    for worker in workers:
        worker.seconds.now += seconds


def claimed_at(app_context: AppContext) -> datetime:
    """Return when the only claim was made or renewed."""
    (found,) = [row.claimed_at for row in rows(app_context) if row.claimed_at]
    return found


def new_threads(others: set[threading.Thread]) -> set[str]:
    """Return the names of the threads beside ``others``."""
    return {thread.name for thread in set(threading.enumerate()) - others}


def wait_until(happened: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``happened``."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_the_times_are_those_of_the_document() -> None:
    times = outbox.ClaimTimes()
    assert (times.renew, times.lease, times.limit) == (15, 60, CALL_LIMIT) == (15, 60, 45)
    # The sender knows what was sent and says so before the call is abandoned, and renewals may fail for a while.
    assert SEND_LIMIT < times.limit < times.lease
    assert 2 * times.renew + times.retry < times.lease


# --- killed ----------------------------------------------------------------------------------------------------------


def test_a_killed_workers_letter_is_free_when_its_claim_is_not_renewed(
    any_app_context: AppContext, any_url: str
) -> None:
    """Check with a real process, a mail server that hangs, and short times: renewed while it lives, free when dead."""
    here = replace(any_app_context, clock=utc_now)
    queue(here, **ALERT)
    successor = outbox.ProviderCalls(TIMES)
    with mail_server(Mailbox(hang=1)) as (port, mailbox):
        command = [sys.executable, "-m", "tests.messaging.hanging_worker", any_url, str(port)]
        with subprocess.Popen(command) as process:
            try:
                wait_until(lambda: len(mailbox.letters) == 1, 60)

                def try_to_deliver() -> int:
                    return outbox.deliver(here, {"email": mail_sender(port)}, "successor", calls=successor)

                alive_until = time.monotonic() + 2 * TIMES.lease
                while time.monotonic() < alive_until:
                    assert try_to_deliver() == 0
                    time.sleep(0.1)
            finally:
                process.kill()
            killed_at = time.monotonic()
            wait_until(lambda: bool(try_to_deliver()))
            waited = time.monotonic() - killed_at
        assert TIMES.lease - TIMES.renew - 0.5 < waited < TIMES.lease + 1.5
        assert len(mailbox.letters) == 2
        assert len(set(mailbox.letters)) == 1
    assert (one(here).status, one(here).tries) == ("sent", 2)
    outbox.drain_calls(here, successor)


# --- renewed ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_renewed_while_the_call_runs(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)
    with hanging() as sender:
        first, second = Worker(any_app_context, sender), Worker(any_app_context, Scripted())
        first.deliver()
        claimed_by = one(any_app_context).claimed_by
        for _renewal in range(2):
            let_pass(clock, 15, first, second)
            first.renew()
            assert (one(any_app_context).claimed_at, one(any_app_context).claimed_by) == (clock.now, claimed_by)
            assert second.deliver() == 0
        let_pass(clock, 60, second)
        assert second.deliver() == 0
        let_pass(clock, 1, second)
        assert second.deliver() == 1
    assert one(any_app_context).status == "sent"


def test_the_thread_renews_until_the_call_is_over_its_limit_and_then_ends(any_app_context: AppContext) -> None:
    here = replace(any_app_context, clock=utc_now)
    queue(here, "ends", **ALERT)
    calls = outbox.ProviderCalls(outbox.ClaimTimes(renew=0.05, lease=2, limit=1.0, wait=0.02))
    others = set(threading.enumerate())
    with hanging() as sender:
        deliver(here, sender, seconds=0.1, calls=calls)
        began = claimed_at(here)
        wait_until(lambda: claimed_at(here) > began + timedelta(seconds=0.6))
        time.sleep(0.7)
        last = claimed_at(here)
        assert began + timedelta(seconds=0.6) < last < began + timedelta(seconds=1.3)
        assert "claim-renewal" not in new_threads(others)
        assert claimed_at(here) == last
        # The next call has its claim renewed again.
        queue(here, "later", **ALERT)
        deliver(here, sender, seconds=0.1, calls=calls)
        assert "claim-renewal" in new_threads(others)
    outbox.drain_calls(here, calls)
    wait_until(lambda: "claim-renewal" not in new_threads(others))


def test_a_renewal_that_fails_is_tried_again(any_app_context: AppContext, caplog: pytest.LogCaptureFixture) -> None:
    here = replace(any_app_context, clock=utc_now)
    queue(here, **ALERT)
    calls = outbox.ProviderCalls(outbox.ClaimTimes(renew=0.05, retry=0.05, limit=30, wait=0.02))
    with hanging() as sender:
        deliver(here, sender, seconds=0.1, calls=calls)
        with here.engine.begin() as connection:
            connection.execute(text("ALTER TABLE message RENAME TO gone"))
        wait_until(lambda: "claims not renewed" in caplog.text)
        with here.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO message"))
        began = claimed_at(here)
        wait_until(lambda: claimed_at(here) > began)
    outbox.drain_calls(here, calls)
    assert one(here).status == "sent"


def test_a_renewal_does_not_touch_a_claim_that_is_lost(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, "lost", **ALERT)
    queue(any_app_context, "held", **ALERT)
    with hanging() as sender:
        worker = Worker(any_app_context, sender)
        worker.deliver()
        began = clock.now
        with transaction(any_app_context.engine) as session:
            session.execute(update(Message).where(Message.dedupe_key == "lost").values(claimed_by="other"))
        let_pass(clock, 15, worker)
        assert not claims.renew_claims(any_app_context, worker.calls.running())
        assert [row.claimed_at for row in rows(any_app_context)] == [began, clock.now]


def test_a_renewal_waits_for_no_lock(postgresql_url: str, clock: Any) -> None:
    here = bare_app_context(postgresql_url, clock.now)
    queue(here, **ALERT)
    with hanging() as sender:
        worker = Worker(here, sender)
        worker.deliver()
        with transaction(here.engine) as session:
            session.execute(select(Message).with_for_update()).all()
            assert not claims.renew_claims(here, worker.calls.running())
        worker.renew()
    here.engine.dispose()


def test_a_claim_names_no_other_claim_of_the_same_worker(any_app_context: AppContext) -> None:
    """Check with a host name as long as the system allows: PostgreSQL refuses what does not fit the column."""
    queue(any_app_context, **ALERT)
    worker = f"{'h' * 64}:4194304"
    with hanging() as sender:
        calls = outbox.ProviderCalls(outbox.ClaimTimes(wait=0.02))
        assert outbox.deliver(any_app_context, {"email": sender}, worker, calls=calls, seconds=0.1) == 1
        assert (one(any_app_context).claimed_by or "").startswith("h" * 40)
    outbox.drain_calls(any_app_context, calls)
    assert claims.new_claim_name(worker) != claims.new_claim_name(worker)


def test_a_claim_of_a_finished_message_is_cleaned_up(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)
    with hanging() as sender:
        Worker(any_app_context, sender).deliver()
        with transaction(any_app_context.engine) as session:
            outbox.drop_messages(any_app_context.unit_of_work(session), Message.id > 0, "taken_on")
        clock.move(seconds=61)
        assert deliver(any_app_context, Scripted()) == 0
    assert (one(any_app_context).status, one(any_app_context).claimed_at) == ("dropped", None)


# --- over the limit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repeat", "status", "failure"),
    [("prefer_duplicate", "waiting", "time_out:call"), ("prefer_silence", "failed", "unsure:time_out:call")],
)
def test_a_call_over_its_limit_is_abandoned_and_its_late_yes_is_stored(
    any_app_context: AppContext, clock: Any, repeat: str, status: str, failure: str
) -> None:
    queue(any_app_context, **(ALERT | {"repeat": repeat}))
    with hanging() as sender:
        worker = Worker(any_app_context, sender)
        worker.deliver()
        let_pass(clock, 44, worker)
        worker.deliver()
        assert one(any_app_context).failure == ""
        let_pass(clock, 1, worker)
        worker.deliver()
        message = one(any_app_context)
        assert (message.status, message.failure, message.claimed_at) == (status, failure, None)
        assert worker.calls.busy == 0
        sender.released.set()
        wait_until(lambda: worker.calls.busy == 1)
        worker.deliver()
    message = one(any_app_context)
    assert (message.status, message.failure, message.reference) == ("sent", "", sender.letters[0].message_id)
    assert [name for name, _reason, _new in events(any_app_context)][-1] == "message.sent"
    assert deliver(any_app_context, Scripted()) == worker.calls.busy == 0


def test_an_alert_goes_out_again_although_its_first_call_never_ends(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)

    class HangsOnce(Hanging):
        at_once = 1

        def send(self, letter: Letter) -> str:
            if self.letters:
                self.letters.append(letter)
                return "second"
            return super().send(letter)

    sender = HangsOnce()
    try:
        worker = Worker(any_app_context, sender)
        worker.deliver()
        let_pass(clock, 45, worker)
        worker.deliver()
        let_pass(clock, 10, worker)
        assert worker.deliver() == 1
        assert (one(any_app_context).status, one(any_app_context).reference) == ("sent", "second")
    finally:
        sender.released.set()


def test_a_late_no_changes_nothing(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **(ALERT | {"repeat": "prefer_silence"}))

    class Raises(Hanging):
        def send(self, letter: Letter) -> str:
            super().send(letter)
            raise ValueError("too late")

    sender = Raises()
    try:
        worker = Worker(any_app_context, sender)
        worker.deliver()
        let_pass(clock, 45, worker)
        worker.deliver()
        sender.released.set()
        wait_until(lambda: worker.calls.busy == 1)
        worker.deliver()
    finally:
        sender.released.set()
    assert (one(any_app_context).status, one(any_app_context).failure) == ("failed", "unsure:time_out:call")
    assert worker.calls.busy == 0


def test_the_end_of_the_worker_waits_for_no_call_longer_than_its_limit(any_app_context: AppContext) -> None:
    queue(any_app_context, **ALERT)
    calls = outbox.ProviderCalls(outbox.ClaimTimes(limit=0.3, wait=0.02))
    with hanging() as sender:
        deliver(any_app_context, sender, seconds=0.1, calls=calls)
        began = time.monotonic()
        outbox.drain_calls(any_app_context, calls)
        assert time.monotonic() - began < 5
    assert (one(any_app_context).status, one(any_app_context).failure) == ("waiting", "time_out:call")


def test_abandoned_calls_are_bounded_and_noticed() -> None:
    """Check a sender of four: four abandoned calls cost nothing, each further one takes a place, eight are the end."""
    seconds, sender, ends = Seconds(), Hanging(), threading.Event()
    calls = CallPool[str, bool](monotonic=seconds)
    left = []
    for batch in range(3):
        left.append(calls.free("email", sender))
        for number in range(left[-1]):
            calls.start_call("email", f"{batch}.{number}", lambda: ends.wait(60))
        assert (calls.free("email", sender), calls.free("sms", sender)) == (0, 4)
        seconds.now += 45
        calls.release(calls.ended())
    assert left == [4, 4, 0]
    assert (calls.is_blocked("email", sender), calls.is_blocked("sms", sender)) == (True, False)
    ends.set()
    wait_until(lambda: calls.busy == 8)
    calls.release(calls.ended())
    assert (calls.free("email", sender), calls.is_blocked("email", sender), calls.busy) == (4, False, 0)


def test_threads_are_used_again() -> None:
    calls = CallPool[str, int]()
    used = set()
    for number in range(20):
        calls.start_call("sms", f"letter {number}", threading.get_ident)
        assert calls.wait(10, every=True)
        (ended,) = calls.ended()
        used.add(ended.outcome)
        calls.release([ended])
        time.sleep(0.005)
    assert len(used) < 10


def test_places_are_counted_as_they_will_be_once_ended_calls_are_released() -> None:
    seconds, sender, ends = Seconds(), Hanging(), threading.Event()
    calls = CallPool[str, bool](monotonic=seconds)
    for number in range(4):
        calls.start_call("email", f"hangs {number}", lambda: ends.wait(60))
    seconds.now += 45
    for expected in (4, 4):
        ended = calls.ended()
        assert calls.free("email", sender, ended) == expected
        calls.release(ended)
        assert calls.free("email", sender) == expected
    ends.set()
    wait_until(lambda: calls.busy == 4)
    # Late outcomes give back no place that was not taken.
    assert calls.free("email", sender, calls.ended()) == 4


def test_a_channel_whose_calls_never_end_is_reported(any_app_context: AppContext, clock: Any) -> None:
    for number in range(10):
        queue(any_app_context, f"alert:{number}", **ALERT)
    with hanging() as sender:
        worker = Worker(any_app_context, sender)
        begun = []
        for _round in range(3):
            worker.deliver()
            begun.append((len(sender.letters), outbox.is_blocked({"email": sender, "sms": sender}, worker.calls)))
            let_pass(clock, 46, worker)
            worker.deliver()
        assert begun == [(4, False), (8, False), (8, True)]


# --- a clock that is set ---------------------------------------------------------------------------------------------


def test_a_clock_set_forward_frees_no_claim_that_is_renewed(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)
    with hanging() as sender:
        first, second = Worker(any_app_context, sender), Worker(any_app_context, Scripted())
        first.deliver()
        assert second.deliver() == 0
        clock.move(hours=3)
        assert second.deliver() == 0
        let_pass(clock, 14, first, second)
        assert second.deliver() == 0
        let_pass(clock, 1, first, second)
        first.renew()
        let_pass(clock, 29, first, second)
        assert second.deliver() == 0


def test_a_clock_set_back_keeps_no_claim_of_a_dead_worker(any_app_context: AppContext, clock: Any) -> None:
    queue(any_app_context, **ALERT)
    with hanging() as sender:
        Worker(any_app_context, sender).deliver()
        second = Worker(any_app_context, Scripted())
        clock.move(hours=-3)
        # The message itself is due by the clock.
        with transaction(any_app_context.engine) as session:
            session.execute(update(Message).values(next_try_at=clock.now))
        assert second.deliver() == 0
        let_pass(clock, 60, second)
        assert second.deliver() == 0
        let_pass(clock, 1, second)
        assert second.deliver() == 1


def test_a_claim_that_is_renewed_after_it_was_seen_is_not_released(
    any_app_context: AppContext, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check the moment between reading the claims and releasing those that lapsed."""
    queue(any_app_context, **ALERT)
    with hanging() as sender:
        first = Worker(any_app_context, sender)
        first.deliver()
        clock.move(seconds=61)
        find = outbox._find_work

        @contextmanager
        def renewed_meanwhile() -> Iterator[None]:
            yield
            first.renew()

        def find_then_renew(*given: Any, **more: Any) -> Any:
            with renewed_meanwhile():
                return find(*given, **more)

        monkeypatch.setattr(outbox, "_find_work", find_then_renew)
        assert deliver(any_app_context, Scripted()) == 0
    assert one(any_app_context).claimed_at == clock.now
