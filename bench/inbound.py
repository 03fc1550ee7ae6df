"""Incoming text messages: 20 a second for 30 seconds, on SQLite and PostgreSQL.

Each text is stored, screened, answered in the outbox and committed. The texts are posted like a provider's, signed, at
fixed times, even if earlier posts are not finished; a response time counts from the scheduled time. The worker and a
fake provider run on the same cores.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from sqlalchemy import func, select
from twilio.request_validator import RequestValidator

from bench.figures import Measurement, percentile, report
from bench.outbox import provider
from bench.walker import add_staff_on_duty
from pro.app_context import SYSTEM
from pro.core.rule_language.level import Level
from pro.db import transaction
from pro.features.text_messages import text_answers
from pro.models import Alert, Answer, Assessment, IncomingMessage, Message
from tests.messaging.twilio_fake import ACCOUNT, NUMBER, TOKEN
from tests.support import factories, live_system, postgres_server
from tests.support.live_system import Site

RATE, SECONDS, PEOPLE = 20, 30, 120
POSTS = 24
LONGEST_WAIT = 60.0


class SampleText(NamedTuple):
    """A text, ``what`` the system must recognise it as, and ``red`` if it must raise an alert."""

    text: str
    what: str
    red: bool = False


# Each participant sends these in turn, from a different one on. 0 is "none" in every question; "0, but" is unclear.
SAMPLE_TEXTS = (
    SampleText("0", "answer"),
    SampleText("谢谢医生，今天天气不错，我去公园走了走", "unclear"),
    SampleText("0", "answer"),
    SampleText("0，可是我喘不过气", "unclear", True),
    SampleText("０", "answer"),
    SampleText("昨天晚上流鼻血了，流了好多", "unclear", True),
)


@contextmanager
def site_on(engine: str) -> Iterator[Site]:
    """Run the system with two-way texts on a new database: "SQLite" or "PostgreSQL"."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = "" if engine == "SQLite" else stack.enter_context(postgres_server.server(durable=True)).new()
        more = {
            "PRO_SMS": "twilio",
            "PRO_SMS_TWO_WAY": "yes",
            "PRO_TWILIO_ACCOUNT": ACCOUNT,
            "PRO_TWILIO_TOKEN": TOKEN,
            "PRO_TWILIO_FROM": NUMBER,
            "PRO_TWILIO_API_URL": stack.enter_context(provider()).url,
        }
        site = stack.enter_context(live_system.running_system(folder, url, more=more))
        add_staff_on_duty(site)
        yield site


def start_conversations(site: Site) -> list[str]:
    """Enrol participants, send each the first question by text, return their phone numbers."""
    numbers = [f"+86138{n:08}" for n in range(PEOPLE)]
    for n, number in enumerate(numbers):
        with transaction(site.app_context.engine) as session:
            work = site.app_context.unit_of_work(session, SYSTEM)
            person = factories.participant(work, f"TEXT-{n:04}", phone=number)
            form = session.get_one(Assessment, factories.form(work, person).assessment_id)
            first = text_answers.first_question(work, person, form)
            assert first is not None
            out = text_answers.ReplyDraft(first[0], first[1], f"first:{form.id}", person.language, form)
            text_answers.queue_reply(work, out, number, person)
    wait_until_sent(site)
    return numbers


def wait_until_sent(site: Site) -> None:
    """Wait until all texts are sent. Raises AssertionError after LONGEST_WAIT seconds."""
    end = time.monotonic() + LONGEST_WAIT
    query = select(func.count()).select_from(Message).where(Message.channel == "sms", Message.sent_at.is_(None))
    while time.monotonic() < end:
        with transaction(site.app_context.engine) as session:
            if not session.scalar(query):
                return
        time.sleep(0.2)
    raise AssertionError("texts wait in the outbox and do not leave")


class TextPoster:
    """Posts texts like a provider. ``times``: seconds from the scheduled time to the response."""

    def __init__(self, site: Site, numbers: list[str]) -> None:
        self.site, self.numbers = site, numbers
        self.validator = RequestValidator(TOKEN)
        self.times: list[float] = []
        self.texts: dict[str, SampleText] = {}

    def run(self) -> None:
        """Post RATE texts a second for SECONDS; each number sends again after all other numbers."""
        turns = [(n, n % PEOPLE, n // PEOPLE) for n in range(RATE * SECONDS)]
        plan = [
            (f"IN{n:032x}", self.numbers[who], SAMPLE_TEXTS[(who + turn) % len(SAMPLE_TEXTS)]) for n, who, turn in turns
        ]
        self.texts = {sid: said for sid, _, said in plan}
        began = time.monotonic() + 0.5
        with ThreadPoolExecutor(POSTS) as crowd:
            done = []
            for n, (sid, number, said) in enumerate(plan):
                due = began + n / RATE
                time.sleep(max(0.0, due - time.monotonic()))
                done.append(crowd.submit(self.post, sid, number, said.text, due))
            self.times = [post.result() for post in done]

    def post(self, sid: str, number: str, text: str, due: float) -> float:
        """Post one text; return the seconds since ``due``. Raises RuntimeError if it is refused."""
        form = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": number, "To": NUMBER, "Body": text, "NumMedia": "0"}
        signature = self.validator.compute_signature(f"{self.site.url}/sms/twilio", form)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        line = http.client.HTTPConnection(urlsplit(self.site.url).netloc, timeout=30)
        line.request("POST", "/sms/twilio", urlencode(form), headers)
        response = line.getresponse()
        response.read()
        took = time.monotonic() - due
        line.close()
        if response.status != 200:
            raise RuntimeError(f"a text was answered with {response.status}")
        return took


def count_lost_texts(site: Site, texts: dict[str, SampleText]) -> int:
    """Count ``texts`` that are not stored, not screened, not recognised or not answered."""
    with transaction(site.app_context.engine) as session:
        rows = {row.provider_id: row for row in session.scalars(select(IncomingMessage))}
        replies = set(session.scalars(select(Message.dedupe_key).where(Message.dedupe_key.like("reply:%"))))
        alerts = set(session.scalars(select(Alert.incoming_message_id).where(Alert.rule == "TEXT")))
        safety = session.scalar(select(func.count()).where(Message.template == "safety")) or 0
        answers = session.scalar(select(func.count()).select_from(Answer)) or 0
    wrong = 0
    for sid, said in texts.items():
        row = rows.get(sid)
        if row is None:
            wrong += 1
            continue
        red = not said.red or (row.level >= Level.URGENT and row.id in alerts)
        wrong += not (row.kind == said.what and red and f"reply:{row.id}" in replies)
    with_red_flags = {row.participant_id for sid, row in rows.items() if sid in texts and texts[sid].red}
    # At most one safety message an hour goes to a number. Each recognised answer is a row of its table.
    wrong += safety != len(with_red_flags)
    wrong += answers < sum(said.what == "answer" for said in texts.values())
    return wrong


def measure() -> list[Measurement]:
    """Measure median, 99th percentile and lost texts on both engines."""
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        with site_on(engine) as site:
            sender = TextPoster(site, start_conversations(site))
            sender.run()
            wait_until_sent(site)
            missing = count_lost_texts(site, sender.texts)
        times = [took * 1000 for took in sender.times]
        found += [
            Measurement(f"{engine}: a text stored, screened, answered at {RATE} a second, median", median(times), "ms"),
            Measurement(f"{engine}: the same, 99th percentile of {len(times)}", percentile(times, 0.99), "ms", 100),
            Measurement(f"{engine}: the same: texts lost, misclassified or unanswered", missing, "", 0),
        ]
    return found


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
