"""Test that a worker ends, to be started anew, when calls that never end have taken every place of a channel."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

import pytest
from flask import Flask

from pro.cli import operations
from pro.messaging import outbox
from pro.messaging.providers import provider_choice
from tests.messaging.letters import ALERT, queue, rows
from tests.messaging.test_outbox_calls import hanging


def test_a_worker_whose_calls_never_end_ends(
    app: Flask, app_context: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(9):
        queue(app_context, f"alert:{number}", **ALERT)
    calls = outbox.ProviderCalls(outbox.ClaimTimes(limit=0.3, wait=0.02))
    monkeypatch.setattr(outbox, "ProviderCalls", lambda: calls)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with hanging() as sender:
            monkeypatch.setattr(provider_choice, "choose_senders", lambda *_given: {"email": sender})
            began = time.monotonic()
            with caplog.at_level(logging.ERROR):
                done = app.test_cli_runner().invoke(args=["worker", "--forever"])
            assert (done.exit_code, len(sender.letters)) == (operations.TEMPORARY_FAILURE, 8)
            assert time.monotonic() - began < 60
            assert "worker ends reason=blocked_provider_calls" in caplog.text
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert {(row.status, row.claimed_at) for row in rows(app_context)} == {("waiting", None)}
