"""``flask demo``: the demonstration study."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from pro import db
from pro.cli.app_commands import require_app_context, unit_of_work
from pro.features.operations import demo_study

demo = AppGroup("demo", help="Load, show or reset the demonstration study.")


@demo.command("fill")
def fill() -> None:
    """Load the demonstration study into an empty database; a database in use is not changed."""
    _refuse_production()
    with unit_of_work() as work:
        if not demo_study.is_filled(work):
            demo_study.fill_demo_study(work)


@demo.command("links")
def links() -> None:
    """Print the address of "Try it" with all sign-ins, the staff address, and two participants' form links."""
    _refuse_production()
    with unit_of_work() as work:
        made = demo_study.make_demo_links(work)
    click.echo(f"\nTry it        {made.try_url}   what each role should look at first")
    click.echo(f"Staff         {made.staff_url}   {made.email}   password: {made.password}")
    click.echo(f"Participant   {made.chinese}   中文")
    click.echo(f"Participant   {made.english}   English\n")


@demo.command("reset")
def reset() -> None:
    """Delete the demonstration database and its stored messages, then load it again."""
    _refuse_production()
    app_context = require_app_context()
    # Table by table instead of deleting the file, because a running web server has open connections.
    db.drop_tables(app_context.engine)
    for letter in (app_context.config.var_dir / "mail").glob("*"):
        letter.unlink()
    db.upgrade(app_context.engine)
    with unit_of_work() as work:
        demo_study.fill_demo_study(work)


def _refuse_production() -> None:
    if require_app_context().config.production:
        click.echo("This is production: there is no demonstration study here.", err=True)
        sys.exit(2)
