"""Time from a saved answer to the alert's email at the SMTP server."""

from __future__ import annotations

import time
from email.message import EmailMessage
from functools import partial
from statistics import median

from bench.figures import Measurement, percentile, report
from bench.screens import site_on
from bench.walker import Walker, make_form_links
from tests.support.live_system import Site

ANSWERS = 60
# Seconds between answers. Not a full second, so that answers meet the worker at different phases of its cycle.
PAUSE = 0.83


def mentions_participant(number: str, letter: EmailMessage) -> bool:
    """Return True if ``letter`` names the participant number ``number``."""
    return number in f"{letter['Subject']} {letter.get_content()}"


def mail_delays(site: Site) -> list[float]:
    """Return the seconds to each email of each answer. Raises AssertionError if one is lost."""
    saved: dict[str, float] = {}
    for number, path in make_form_links(site, ANSWERS, "MAIL").items():
        walker = Walker(site.url, path, answers={"bleed": "4"})
        walker.start()
        walker.step()
        saved[number] = time.monotonic()
        walker.connection.close()
        time.sleep(PAUSE)
    for number in saved:
        site.mailbox.wait(partial(mentions_participant, number))
    found = []
    for at, letter in site.mailbox.letters:
        found += [at - since for number, since in saved.items() if mentions_participant(number, letter)]
    return found


def measure() -> list[Measurement]:
    """Measure median and 99th percentile, with TLS and log-in at the mail server."""
    with site_on("SQLite") as site:
        found = mail_delays(site)
    return [
        Measurement(f"Answer saved to mail handed over, median of {len(found)} mails", median(found), "s"),
        Measurement("The same, 99th percentile", percentile(found, 0.99), "s", 3),
    ]


def main() -> None:
    """Run the benchmark and print its figures."""
    report(measure())


if __name__ == "__main__":
    main()
