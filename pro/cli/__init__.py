"""The ``flask`` commands. Each is imported when it is used, so that one that reads a file starts at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import click
from flask import Flask

if TYPE_CHECKING:
    from pro.app_context import AppContext

# Name -> where the command is, as module:attribute, and its line in `flask --help`, which imports no command.
COMMANDS = {
    "audit": ("pro.cli.operations:audit_group", "Verify the hash chain of the audit trail."),
    "db": ("pro.cli.operations:db_group", "Migrate the database schema."),
    "demo": ("pro.cli.demo:demo", "Load, show or reset the demonstration study."),
    "new-key": ("pro.cli.operations:new_key", "Print a new key for PRO_DATA_KEYS."),
    "plan": ("pro.cli.plan:plan", "Check a study plan and preview its visit schedule."),
    "reply": ("pro.cli.file_tools.reply:reply", "Parse typed replies to one item, one reply per line."),
    "schema": ("pro.cli.file_tools.schema:schema", "Write the JSON Schemas of the data files."),
    "score": ("pro.cli.file_tools.score:score", "Score a CSV of questionnaire forms."),
    "screen": ("pro.cli.file_tools.screen:screen", "Screen texts for red flags, one text per line."),
    "simulate": ("pro.cli.simulate:simulate", "Test a changed plan file on stored answers."),
    "staff": ("pro.cli.operations:staff_group", "Create staff accounts and assign shifts."),
    "templates": ("pro.cli.templates:templates", "Check the approved SMS texts."),
    "test-alert": ("pro.cli.test_alerts:start_test_alert", "Send a test alert now."),
    "triage": ("pro.cli.file_tools.triage:triage", "Evaluate cases (JSON lines) with the rules of a plan."),
    "wording": ("pro.cli.wording:wording", "Load and list licensed questionnaire texts."),
    "worker": ("pro.cli.operations:run_worker", "Run the background worker, once or continuously."),
}


class Prepared(Protocol):
    """What was found before a start: the application context, or the problems of settings and data files."""

    @property
    def app_context(self) -> AppContext | None:
        """Return the application context; None if the data files are invalid."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what must be corrected, a sentence each."""


class DeferredCommand(click.Command):
    """A command that is imported when it runs."""

    def __init__(self, name: str, where: str, line: str) -> None:
        """Take the name, where the command is (module:attribute), and its line in the list of commands."""
        super().__init__(name, short_help=line)
        self.where = where

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.where.partition(":")
        return cast(click.Command, getattr(import_module(module), attribute))

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        """Parse the arguments with the imported command, which then runs."""
        return self.load().make_context(*given, **more)


def register(app: Flask, prepare: Callable[[], Prepared]) -> None:
    """Register the commands on ``app``.

    ``prepare`` reads settings and data files; it is called once, by the first command that needs them.
    """
    app.extensions["preparation"] = cache(prepare)
    for name, (where, line) in COMMANDS.items():
        app.cli.add_command(DeferredCommand(name, where, line))
