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


def house() -> AppContext:
    """The house, or exit status 2 with everything that is wrong with the settings."""
    problems = current_app.extensions["pro_problems"]
    if problems:
        click.echo("The settings do not allow this:", err=True)
        for problem in problems:
            click.echo(f"- {problem}", err=True)
        sys.exit(2)
    return cast(AppContext, current_app.extensions["pro"])


def current_house() -> AppContext:
    """The house, on tables of this version; else exit status 2 with what to do."""
    the_house = house()
    if not is_current(the_house.engine):
        click.echo("The database is not at this version: run `flask db upgrade` first.", err=True)
        sys.exit(2)
    return the_house


@contextmanager
def working(*, read_only: bool = False) -> Iterator[UnitOfWork]:
    """A unit of work on tables of this version, committed at the end. ``read_only`` keeps no writer waiting."""
    the_house = current_house()
    with transaction(the_house.engine.execution_options(read_only=read_only)) as session:
        yield the_house.work(session)
