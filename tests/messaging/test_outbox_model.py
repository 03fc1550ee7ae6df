"""Test the outbox by random histories: workers that die, providers that hang, lie or come late, clocks that are set.

An independent account of what each provider was given says what may happen: never two calls for one message by living
workers, never an alert lost, never a message twice that must not be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from pro.app_context import AppContext
from pro.db import transaction
from pro.messaging import claims, outbox
from pro.messaging.sender_protocol import Letter, ProviderUnreachable
from pro.models.message import Message
from tests.messaging.letters import ALERT, queue, rows
from tests.messaging.test_claims import ManualCalls, Seconds
from tests.support.factories import Clock

WORKERS = 3
# What a provider may answer, and after which answers the letter is certainly not with it.
ANSWERS: dict[str, BaseException | None] = {
    "yes": None,
    "busy": ProviderUnreachable("server_busy"),
    "broken": ProviderUnreachable("time_out:text", maybe_sent=True),
    "bug": ValueError("a fault of the sender"),
}
NOT_SENT = ("busy", "bug")


@dataclass(eq=False)
class Call:
    """One call of a provider, which hangs until the test answers it."""

    letter: Letter
    worker: FakeWorker
    ends_at: float
    answer: str = ""
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def under_way(self) -> bool:
        """Return True if a living worker still waits for this call and has not abandoned it."""
        return not self.answer and not self.worker.dead and self.worker.seconds.now < self.ends_at


@dataclass(eq=False)
class FakeWorker:
    """A worker with its own calls and monotonic clock."""

    name: str
    dead: bool = False
    seconds: Seconds = field(default_factory=Seconds)
    calls: ManualCalls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = ManualCalls(outbox.ClaimTimes(wait=0.003), self.seconds)


class Outbox(RuleBasedStateMachine):
    """Histories of the outbox on one engine."""

    app_context: AppContext
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.clock.now = Clock().now
        with transaction(self.app_context.engine) as session:
            session.execute(delete(Message))
        self.workers = [FakeWorker(f"worker-{number}") for number in range(WORKERS)]
        self.made: list[Call] = []
        self.lock = threading.Lock()
        self.queued = 0
        # Answered at once, at the end of a history.
        self.quick = ""

    # --- what happens ---

    @initialize()
    def begin(self) -> None:
        """Begin with calls under way."""
        for alert in (True, False):
            self.queue_a_message(alert, "email")
        self._deliver(self.workers[0])

    @rule(alert=st.booleans(), channel=st.sampled_from(["email", "sms"]))
    def queue_a_message(self, alert: bool, channel: str) -> None:
        self.queued += 1
        repeat = "prefer_duplicate" if alert else "prefer_silence"
        address = "n@b.example" if channel == "email" else f"+861380000{self.queued:04}"
        template = "alert_sms" if channel == "sms" else "alert"
        changes = {"repeat": repeat, "channel": channel, "address": address, "template": template}
        assert queue(self.app_context, f"{repeat}:{self.queued}", **(ALERT | changes)) is not None

    @rule(number=st.integers(0, WORKERS - 1))
    def deliver(self, number: int) -> None:
        self._deliver(self.workers[number])

    @rule(number=st.integers(0, WORKERS - 1))
    def kill(self, number: int) -> None:
        self._kill(number)

    # What is drawn does not depend on the calls: under load a thread may make one later than in the run before.
    @rule(which=st.integers(0, 9), answer=st.sampled_from(sorted(ANSWERS)))
    def answer(self, which: int, answer: str) -> None:
        """Let a provider answer, also one whose worker is dead or waits no more."""
        waiting = [call for call in self.made if not call.answer]
        if waiting:
            self._answer(waiting[which % len(waiting)], answer)

    @rule(number=st.integers(0, WORKERS - 1), seconds=st.sampled_from([1, 14, 30, 46, 61, 150]))
    def pass_time(self, number: int, seconds: int) -> None:
        """Let time pass: every worker renews in time; the main threads of all but one are busy meanwhile."""
        for _second in range(0, seconds, 15):
            self._move(min(15, seconds))
            self._deliver(self.workers[number])

    @rule(seconds=st.sampled_from([-7200, -70, 70, 7200]))
    def set_the_clock(self, seconds: int) -> None:
        """Set the clock of the machine; every worker delivers within a second."""
        self.clock.move(seconds=seconds)
        for worker in self.workers:
            self._deliver(worker)

    # --- what must hold ---

    @invariant()
    def one_living_call_a_message(self) -> None:
        living = [call.letter.message_id for call in self.made if call.under_way]
        assert len(living) == len(set(living))

    @invariant()
    def silence_is_kept(self) -> None:
        """Check that nothing follows a call that may have reached the provider."""
        for calls in self._by_message("prefer_silence"):
            for call in calls[:-1]:
                assert call.answer in NOT_SENT, "sent again after it may have been sent"

    @invariant()
    def no_alert_is_given_up(self) -> None:
        for row in rows(self.app_context):
            if row.repeat == "prefer_duplicate":
                assert row.status in ("waiting", "sent")
            if row.sent_at:
                assert any(call.answer == "yes" for call in self._calls_of(row))

    def teardown(self) -> None:
        """Check that every alert arrives once the providers answer, whatever happened before."""
        try:
            self.quick = "yes"
            for number in range(WORKERS):
                self._kill(number)
            latest = max((row.next_try_at for row in rows(self.app_context)), default=self.clock.now)
            self.clock.now = max(self.clock.now, latest)
            for _round in range(3):
                for worker in self.workers[:2]:
                    self._deliver(worker)
                self._move(61)
            for worker in self.workers[:2]:
                self._deliver(worker)
            for row in rows(self.app_context):
                assert row.claimed_at is None
                assert row.status in (("sent",) if row.repeat == "prefer_duplicate" else ("sent", "failed"))
                if row.status == "failed":
                    assert row.failure == "lost" or row.failure.startswith("unsure:")
            self.silence_is_kept()
            self.no_alert_is_given_up()
        finally:
            for call in self.made:
                call.answered.set()

    # --- how it happens ---

    def _deliver(self, worker: FakeWorker) -> None:
        machine = self

        class Provider:
            at_once = 2

            def send(self, letter: Letter) -> str:
                call = Call(letter, worker, ends_at=worker.seconds.now + 45)
                with machine.lock:
                    machine.made.append(call)
                if machine.quick:
                    call.answer = machine.quick
                else:
                    assert call.answered.wait(120)
                failure = ANSWERS[call.answer or "bug"]
                if failure is not None:
                    raise failure
                return letter.message_id

        senders = {"email": Provider(), "sms": Provider()}
        before = len(self.made)
        claimed = outbox.deliver(self.app_context, senders, worker.name, calls=worker.calls, seconds=5)
        end = time.monotonic() + 20
        while len(self.made) < before + claimed and time.monotonic() < end:
            time.sleep(0.0005)

    def _answer(self, call: Call, answer: str) -> None:
        def ended() -> int:
            return sum(one.future.done() for one in call.worker.calls._calls)

        before = ended()
        call.answer = answer
        call.answered.set()
        end = time.monotonic() + 20
        while ended() == before and time.monotonic() < end:
            time.sleep(0.0005)

    def _kill(self, number: int) -> None:
        """Kill a worker; another one takes its place. Its calls may still reach the provider."""
        self.workers[number].dead = True
        self.workers[number] = FakeWorker(f"worker-{number}")

    def _move(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)
        for worker in self.workers:
            worker.seconds.now += seconds
            claims.renew_claims(self.app_context, worker.calls.running())

    def _calls_of(self, row: Message) -> list[Call]:
        own = self.app_context.vault.fingerprint(f"message:{row.dedupe_key}")[:32]
        return [call for call in self.made if call.letter.message_id == own]

    def _by_message(self, repeat: str) -> list[list[Call]]:
        return [self._calls_of(row) for row in rows(self.app_context) if row.repeat == repeat]


def run_model(app_context: AppContext, clock: Clock, **more: Any) -> None:
    """Run random histories on one engine."""
    run_state_machine_as_test(
        type("OutboxOnEngine", (Outbox,), {"app_context": app_context, "clock": clock}),
        settings=settings(
            **{"max_examples": 20, "stateful_step_count": 20, "suppress_health_check": list(HealthCheck), **more}
        ),
    )


def test_no_history_loses_an_alert_or_repeats_a_message(any_app_context: AppContext, clock: Clock) -> None:
    run_model(any_app_context, clock)


def believe_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free claims by the clock alone."""
    find = outbox.ProviderCalls.find_lapsed

    def find_lapsed(self: Any, found: Any, now: Any, *, by_clock_alone: bool) -> Any:
        return find(self, found, now, by_clock_alone=True)

    monkeypatch.setattr(outbox.ProviderCalls, "find_lapsed", find_lapsed)


def renew_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew no claim, and free it after less than the limit of a call."""
    monkeypatch.setattr(claims, "renew_claims", lambda *_given: True)
    monkeypatch.setattr(outbox.ClaimTimes.__init__, "__kwdefaults__", {**DEFAULT_TIMES, "lease": 30.0, "renew": 5.0})


def retry_what_may_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back a message that may have been sent as if it had not."""
    put_back = outbox._put_back
    certain = ProviderUnreachable("no_line:connect")
    monkeypatch.setattr(outbox, "_put_back", lambda work, message, _failure: put_back(work, message, certain))


def forget_lost_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free no claim of a dead worker."""
    monkeypatch.setattr(outbox.ProviderCalls, "find_lapsed", lambda *_given, **_more: [])


DEFAULT_TIMES = dict(outbox.ClaimTimes.__init__.__kwdefaults__ or {})


@pytest.mark.parametrize("fault", [believe_the_clock, renew_nothing, retry_what_may_be_sent, forget_lost_claims])
def test_the_model_finds_a_fault(
    app_context: AppContext, clock: Clock, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, FlakyFailure)) as found:
        # The first failing history is enough; it need not be made shorter.
        run_model(app_context, clock, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)
    # The calls are real threads: a history repeated to print it may go another way. It was found all the same.
    if isinstance(found.value, FlakyFailure):
        assert found.value.subgroup(AssertionError), found.value
