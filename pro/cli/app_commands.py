"""First steps of commands that need settings or a database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click
from flask import current_app

# The database is imported by the commands that use it; ``flask plan preview`` only reads files.
if TYPE_CHECKING:
    from pro.app_context import AppContext, UnitOfWork


def require_app_context() -> AppContext:
    """Return the application context, or print the problems and exit with status 2."""
    found = current_app.extensions["preparation"]()
    if found.app_context is None or found.problems:
        click.echo("Invalid settings:", err=True)
        for problem in found.problems:
            click.echo(f"- {problem}", err=True)
        sys.exit(2)
    return cast("AppContext", found.app_context)


def require_current_app_context() -> AppContext:
    """Return the application context if the tables are current, or exit with status 2."""
    from pro.db import is_current

    app_context = require_app_context()
    if not is_current(app_context.engine):
        click.echo("The database schema is outdated: run `flask db upgrade` first.", err=True)
        sys.exit(2)
    return app_context


@contextmanager
def unit_of_work(*, read_only: bool = False) -> Iterator[UnitOfWork]:
    """Open a unit of work on current tables and commit it at the end.

    ``read_only``: do not block writers on SQLite. Exits with status 2 if settings or tables do not allow it.
    """
    from pro.db import transaction

    app_context = require_current_app_context()
    with transaction(app_context.engine.execution_options(read_only=read_only)) as session:
        yield app_context.unit_of_work(session)
