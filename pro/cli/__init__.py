"""The ``flask`` commands."""

from __future__ import annotations

from flask import Flask

from pro.app_context import AppContext
from pro.cli import demo, operations, simulate, templates, wording
from pro.cli import plan as cli_plan
from pro.cli import test_alerts as cli_drill
from pro.cli.file_tools import reply, schema, score, screen, triage


def register(app: Flask, app_context: AppContext | None, problems: list[str]) -> None:
    """Give ``app`` its commands. Without a house (broken settings) those that need one name the problems."""
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
        cli_drill.start_test_alert,
        operations.audit_group,
        operations.new_key,
        operations.staff_group,
        wording.wording,
        templates.templates,
        demo.demo,
        simulate.simulate,
    ):
        app.cli.add_command(command)
