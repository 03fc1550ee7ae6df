"""``flask demo``: the demonstration study."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from pro import db
from pro.cli.app_commands import house, working
from pro.features.operations import demo_study

demo = AppGroup("demo", help="Fill, show or reset the demonstration study.")


@demo.command("fill")
def fill() -> None:
    """Fill an empty database with the demonstration study; one that is in use stays as it is."""
    _refuse_production()
    with working() as work:
        if not demo_study.is_filled(work):
            demo_study.fill(work)


@demo.command("links")
def links() -> None:
    """Print the staff address with a sign-in, and two participants' form links, one Chinese and one English."""
    _refuse_production()
    with working() as work:
        made = demo_study.links(work)
    click.echo(f"\nStaff         {made.staff_url}   {made.email}   password: {made.password}")
    click.echo(f"Participant   {made.chinese}   中文")
    click.echo(f"Participant   {made.english}   English\n")


@demo.command("reset")
def reset() -> None:
    """Throw the demonstration's database and its kept messages away and fill it anew."""
    _refuse_production()
    the_house = house()
    # Through the migrations, not by deleting the file: a web server that is running keeps its connections.
    db.upgrade(the_house.engine)
    db.downgrade(the_house.engine)
    for letter in (the_house.config.var_dir / "mail").glob("*"):
        letter.unlink()
    db.upgrade(the_house.engine)
    with working() as work:
        demo_study.fill(work)


def _refuse_production() -> None:
    if house().config.production:
        click.echo("This is production: there is no demonstration study here.", err=True)
        sys.exit(2)
