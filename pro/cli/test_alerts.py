"""``flask drill``: start a test alert, for example after an upgrade or a new mail server."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from pro.cli.app_commands import unit_of_work
from pro.errors import BadData
from pro.features.alerts import test_alerts

SENTENCES = {
    "no_plan": "There is no study of this name.",
    "no_drill": "This study's plan has no weekly test alert: its file has no “drill”.",
    "at_once": "Another one was begun at the same moment; look at its page.",
}


@click.command("drill", short_help="Begin a weekly test alert now.")
@click.option("--plan", default="npc_reirradiation", help="The study.")
@with_appcontext
def start_test_alert(plan: str) -> None:
    """Begin a test alert now, beside the week's own; the worker sends it to whoever is on duty.

    Exit status 1 if it failed at once.
    """
    try:
        with unit_of_work() as work:
            begun = test_alerts.start_test_alert_now(work, plan)
            link = f"{work.config.base_url}/staff/drills/{begun.id}"
            notified = len(test_alerts.weekly_test_alert_page(work, begun.id, "en").told)
    except BadData as bad:
        click.echo(SENTENCES[bad.why], err=True)
        sys.exit(1)
    click.echo(f"{notified} messages are on their way. Whoever gets one confirms it here: {link}")
    if begun.failure:
        click.echo(FAILURES[begun.failure], err=True)
        sys.exit(1)


FAILURES = {
    "nobody_on_duty": "It failed: nobody is on call now. See `flask staff duty`.",
    "not_an_emergency": "It failed: the rules call the plan's answers no emergency.",
}
