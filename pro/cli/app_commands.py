"""What commands that need settings and a database begin with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import click
from flask import current_app

from pro.app_context import AppContext, UnitOfWork
from pro.db import is_current, transaction


def require_app_context() -> AppContext:
    """The house, or exit status 2 with everything that is wrong with the settings."""
    problems = current_app.extensions["pro_problems"]
    if problems:
        click.echo("The settings do not allow this:", err=True)
        for problem in problems:
            click.echo(f"- {problem}", err=True)
        sys.exit(2)
    return cast(AppContext, current_app.extensions["app_context"])


def require_current_app_context() -> AppContext:
    """The house, on tables of this version; else exit status 2 with what to do."""
    app_context = require_app_context()
    if not is_current(app_context.engine):
        click.echo("The database is not at this version: run `flask db upgrade` first.", err=True)
        sys.exit(2)
    return app_context


@contextmanager
def unit_of_work(*, read_only: bool = False) -> Iterator[UnitOfWork]:
    """A unit of work on tables of this version, committed at the end. ``read_only`` keeps no writer waiting."""
    app_context = require_current_app_context()
    with transaction(app_context.engine.execution_options(read_only=read_only)) as session:
        yield app_context.unit_of_work(session)
