"""Run a worker that is to be killed: its mail server does not answer, and its main thread is busy.

Run as ``python -m tests.messaging.hanging_worker URL PORT``. It claims what is due in the database at URL and sends it
to the mail server at PORT.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from pro.app_context import utc_now
from pro.messaging import outbox
from pro.messaging.providers.smtp_email import SmtpEmail
from tests.messaging.killed import bare_app_context

# A minute, fifteen and forty-five seconds would make a test of two minutes.
TIMES = outbox.ClaimTimes(renew=0.3, lease=2.0, limit=60.0)


def mail_sender(port: int) -> SmtpEmail:
    """Return a sender to the mail server at ``port`` that waits longer than any test."""
    return SmtpEmail(
        host="127.0.0.1", port=port, mail_from="epro@hospital.example", starttls=False, timeout=60, limit=60
    )


if __name__ == "__main__":
    here = replace(bare_app_context(sys.argv[1], utc_now()), clock=utc_now)
    outbox.deliver(
        here, {"email": mail_sender(int(sys.argv[2]))}, "to-be-killed", calls=outbox.ProviderCalls(TIMES), seconds=1
    )
    time.sleep(60)
