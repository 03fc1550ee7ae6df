"""``flask test-alert``: start a test alert, for example after an upgrade or a new mail server."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from pro.cli.app_commands import unit_of_work
from pro.errors import BadData
from pro.features.alerts import test_alerts

SENTENCES = {
    "no_plan": "Unknown study.",
    "no_test_alert": "This study's plan has no weekly test alert: its file has no “test_alert”.",
    "at_once": "Another test alert was started at the same moment. See its page.",
}


@click.command("test-alert", short_help="Send a test alert now.")
@click.option("--plan", default="npc_reirradiation", help="The study.")
@with_appcontext
def start_test_alert(plan: str) -> None:
    """Start a test alert now, in addition to the weekly one. The worker sends it to the staff on duty.

    Exits with status 1 if the test fails immediately.
    """
    try:
        with unit_of_work() as work:
            begun = test_alerts.start_test_alert_now(work, plan)
            link = f"{work.config.base_url}/staff/test-alerts/{begun.id}"
            notified = len(test_alerts.weekly_test_alert_page(work, begun.id, "en").told)
    except BadData as bad:
        click.echo(SENTENCES[bad.why], err=True)
        sys.exit(1)
    click.echo(f"{notified} messages are queued. Recipients confirm here: {link}")
    if begun.failure:
        click.echo(FAILURES[begun.failure], err=True)
        sys.exit(1)


FAILURES = {
    "nobody_on_duty": "The test alert failed: nobody is on call now. See `flask staff shift`.",
    "not_an_emergency": "The test alert failed: the rules do not rate the plan's answers as an emergency.",
}
