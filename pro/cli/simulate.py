"""``flask simulate``: compare a changed plan file with the rules in use on stored answers."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from pro.cli.app_commands import require_app_context, require_current_app_context
from pro.core.triage.rule_comparison import ChangedForm
from pro.errors import BadData
from pro.features.reports import rule_simulator
from pro.features.reports.rule_simulator import SimulationRun


@click.command("simulate", short_help="Test a changed plan file on stored answers.")
@click.argument("plan_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--plan", "plan_id", default="", help="The study to compare with; default: the first one.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only forms answered from this day on (UTC).")
@click.option("--generated", type=click.IntRange(1, 1_000_000), help="Use this number of generated check-ins instead.")
@click.option("--seed", default=1, help="With --generated: the same seed generates the same answers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@with_appcontext
def simulate(
    plan_file: Path, plan_id: str, since: datetime | None, generated: int | None, seed: int, as_json: bool
) -> None:
    """Evaluate all stored forms with the rules in use and with PLAN_FILE, and report the differences.

    Nothing is written. Forms are evaluated with the facts, the baseline and the previous answers that were stored when
    they were opened; rules about missed forms and the screening of free texts are not repeated. Exits with status 3 if
    an emergency or a sign of an ulcer would be lost, with 1 if the file is not a plan.
    """
    plans = require_app_context().catalogue.plans
    old = plans.get(plan_id) if plan_id else next(iter(plans.values()))
    if old is None:
        click.echo(f"“{plan_id}” is not a known plan. Available: {', '.join(plans)}.", err=True)
        sys.exit(2)
    try:
        new = rule_simulator.parse_changed_plan(
            require_app_context(), old, plan_file.read_text(encoding="utf-8", errors="replace")
        )
    except BadData as bad:
        click.echo(str(bad.details["sentence"]), err=True)
        sys.exit(1)
    if generated:
        run = rule_simulator.simulate_generated_forms(require_app_context(), old, new, generated, seed)
    else:
        run = rule_simulator.replay_stored_forms(
            require_current_app_context(), old, new, since=since.replace(tzinfo=UTC) if since else None
        )
    click.echo(_json(run) if as_json else "\n".join(_lines(run)))
    sys.exit(0 if run.difference.is_safe else 3)


def _json(run: SimulationRun) -> str:
    more = {"since": run.since.isoformat() if run.since else None, "left_out": run.left_out}
    found = asdict(run.difference) | more
    return json.dumps(found, ensure_ascii=False, default=str)


def _lines(run: SimulationRun) -> list[str]:
    found = run.difference
    lines = [f"{found.forms} forms evaluated, {found.changed_forms} differently."]
    if run.left_out:
        lines.append(f"{run.left_out} participants are left out: they want no further use of their data.")
    if found.broken:
        lines.append(f"{found.broken} forms could not be evaluated.")
    if found.lost_emergencies:
        lines.append(f"WARNING: {found.lost_emergencies} emergencies would be lost.")
    if found.lost_ulcers:
        lines.append(f"WARNING: {found.lost_ulcers} suspected ulcers would be lost.")
    lines += ["", "week from | urgent and emergency alerts now | then"]
    lines += [f"{week.monday} | {week.before} | {week.after}" for week in found.weeks]
    lines += ["", "rule | level | now | then"]
    lines += [f"{row.rule} | {row.level.word} | {row.before} | {row.after}" for row in found.rules]
    if found.changed:
        lines += ["", "form | answered | now | then | comes | goes | lost"]
        lines += [_form_line(one) for one in found.changed]
        if found.changed_forms > len(found.changed):
            lines.append(f"{found.changed_forms - len(found.changed)} more forms differ.")
    if found.silent:
        lines += ["", f"Not evaluated, because they concern missed forms: {', '.join(found.silent)}."]
    return lines


def _form_line(one: ChangedForm) -> str:
    what = (one.label, f"{one.at:%Y-%m-%d}", one.before.word, one.after.word)
    return " | ".join((*what, " ".join(one.gained), " ".join(one.gone), " ".join(one.lost)))
