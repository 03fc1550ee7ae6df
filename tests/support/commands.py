"""The project's ``flask`` commands, imported."""

from __future__ import annotations

import click
from flask import Flask

from pro.cli import DeferredCommand


def load_commands(app: Flask) -> click.Group:
    """Return a group with every command of ``app``; the application itself imports each when it is used."""
    known = app.cli.commands.items()
    return click.Group(commands={name: one.load() if isinstance(one, DeferredCommand) else one for name, one in known})
