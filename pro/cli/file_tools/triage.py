"""``flask triage``: evaluate rules on cases in JSON lines, without database and settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from pro.catalogue import CatalogueError, read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.cli.file_tools.input_files import DATA, plan_files, plans_option, read_lines
from pro.exports.verdict_lines import verdict_lines


@click.command("triage", short_help="Evaluate cases (JSON lines) with the rules of a plan.")
@click.argument("plan")
@click.argument("file", type=click.File("rb"), default="-")
@plans_option
@click.pass_context
def triage(context: click.Context, plan: str, file: BinaryIO, plans: Path | None) -> None:
    """Evaluate cases with the rules of PLAN. Input: one JSON object per line. Output: level and fired rules.

    Reads FILE, or standard input. Each line has an id, answers and, if wanted, baseline, previous, context, submitted
    (true unless said) and instrument. A line that cannot be evaluated comes out with an error and no level, the rest is
    evaluated, and the command exits with status 1.
    """
    known = plan_files(plans)
    if plan not in known:
        click.echo(f"“{plan}” is not a known plan. Available: {', '.join(known)}.", err=True)
        context.exit(2)
    try:
        instruments = read_instruments(DATA / "instruments")
        rules = read_plan(known[plan], instruments)
    except CatalogueError as error:
        raise click.ClickException(str(error)) from error
    out = sys.stdout.buffer
    judged = bad = 0
    for line in verdict_lines(rules, instruments, read_lines(file)):
        out.write(line.text.encode() + b"\n")
        judged += 1
        bad += line.bad
    out.flush()
    if bad:
        click.echo(f"{bad} of {judged} cases could not be evaluated: see “error” in their lines.", err=True)
        context.exit(1)
