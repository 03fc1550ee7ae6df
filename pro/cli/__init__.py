"""The ``flask`` commands."""

from __future__ import annotations

from flask import Flask

from pro.cli import demo, drill, operate, plan, reply, schema, score, screen, simulate, templates, triage, wording
from pro.work import House


def register(app: Flask, house: House | None, problems: list[str]) -> None:
    """Give ``app`` its commands. Without a house (broken settings) those that need one name the problems."""
    app.extensions["pro_problems"] = problems
    if house is not None:
        app.extensions["pro"] = house
    for command in (
        score.score,
        triage.triage,
        plan.plan,
        screen.screen,
        reply.reply,
        schema.schema,
        operate.db_group,
        operate.tick,
        drill.drill,
        operate.audit_group,
        operate.new_key,
        operate.staff_group,
        wording.wording,
        templates.templates,
        demo.demo,
        simulate.simulate,
    ):
        app.cli.add_command(command)
