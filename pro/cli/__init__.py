"""The ``flask`` commands."""

from __future__ import annotations

from flask import Flask

from pro.app_context import AppContext
from pro.cli import demo, operations, simulate, templates, wording
from pro.cli import plan as cli_plan
from pro.cli import test_alerts as cli_test_alerts
from pro.cli.file_tools import reply, schema, score, screen, triage


def register(app: Flask, app_context: AppContext | None, problems: list[str]) -> None:
    """Register the commands on ``app``.

    ``app_context``: None if settings or data files are invalid; commands that need it then print ``problems`` and exit
    with status 2.
    """
    app.extensions["pro_problems"] = problems
    if app_context is not None:
        app.extensions["app_context"] = app_context
    for command in (
        score.score,
        triage.triage,
        cli_plan.plan,
        screen.screen,
        reply.reply,
        schema.schema,
        operations.db_group,
        operations.run_worker,
        cli_test_alerts.start_test_alert,
        operations.audit_group,
        operations.new_key,
        operations.staff_group,
        wording.wording,
        templates.templates,
        demo.demo,
        simulate.simulate,
    ):
        app.cli.add_command(command)
