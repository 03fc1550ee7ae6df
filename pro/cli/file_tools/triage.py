"""``flask triage``: evaluate rules on cases in JSON lines, without database and settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.exports.verdict_lines import verdict_lines

DATA = Path(__file__).resolve().parents[2] / "data"


@click.command("triage", short_help="Judge cases (JSON lines) by the rules of a plan.")
@click.argument("plan")
@click.argument("file", type=click.File("rb"), default="-")
@click.pass_context
def triage(context: click.Context, plan: str, file: BinaryIO) -> None:
    """Judge cases by the rules of PLAN: one JSON object a line in, its level and fired rules out.

    Reads FILE, or standard input. Each line has an id, answers and, if wanted, baseline, previous, context, submitted
    (true unless said) and instrument. A line that cannot be judged comes out with an error and no level, the rest goes
    on, and the command ends with status 1.
    """
    plans = {path.stem: path for path in sorted((DATA / "plans").glob("*.yaml"))}
    if plan not in plans:
        click.echo(f"“{plan}” is not a plan here. There is: {', '.join(plans)}.", err=True)
        context.exit(2)
    instruments = read_instruments(DATA / "instruments")
    rules = read_plan(plans[plan], instruments)
    out = sys.stdout.buffer
    judged = bad = 0
    for line in verdict_lines(rules, instruments, file):
        out.write(line.text.encode() + b"\n")
        judged += 1
        bad += line.bad
    out.flush()
    if bad:
        click.echo(f"{bad} of {judged} cases could not be judged: see “error” in their lines.", err=True)
        context.exit(1)
