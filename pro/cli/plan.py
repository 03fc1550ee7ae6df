"""``flask plan``: check and preview a study plan; apply it to stored visit schedules.

Only ``renew`` needs settings and a database.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import click
from flask.cli import with_appcontext

from pro.catalogue import Catalogue, CatalogueError, read_catalogue
from pro.catalogue.closing_days import read_working_days
from pro.catalogue.plan_files.example_participant import ExampleParticipant, anchors_template, read_example, read_moment
from pro.cli.app_commands import require_app_context, unit_of_work
from pro.cli.file_tools.input_files import plans_option
from pro.core.schedule.anchors import AnchorProblem, DatedAnchor, find_anchor_problems
from pro.core.schedule.expected_visits import list_expected_visits
from pro.core.study_plan import AnchorKind, StudyPlan, VisitSchedule
from pro.exports.schedule_preview import json_lines, text_lines
from pro.exports.schedule_preview import preview_schedule as preview_of
from pro.public_holidays import announced_until

ROOT = Path(__file__).resolve().parents[2]
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
# Key of an anchor's problem -> its sentence.
SENTENCES = {
    "unknown": "this study has no such anchor.",
    "number": "{numbers}.",
    "twice": "it appears twice.",
    "future": "{on} lies in the future, and this is recorded once it has happened{or_planned}.",
    "too_far": "{on} is more than two years ahead.",
    "long_ago": "{on} is more than ten years ago.",
    "not_planned": "it cannot be planned; record it once it has happened.",
    "before": "{on} is before {other} ({other_on}).",
    "order": "{on} is before {other} ({other_on}); higher numbers need later dates.",
    "needs": "there is no {other} by {on}.",
    "after_last": "{on} is after {other} ({other_on}).",
}


@click.group("plan", short_help="Check a study plan and preview its visit schedule.")
def plan() -> None:
    """Check a study plan and preview its visit schedule."""


@plan.command("check", short_help="Validate all plan files and their wording.")
@plans_option
@click.option("--days", type=FILE, help="The site's file of days off and working days; it is checked too.")
def check_plans(plans: Path | None, days: Path | None) -> None:
    """Validate all plan files and their wording.

    Exits with status 1 at the first error and prints file, position and reason.
    """
    catalogue = _catalogue(plans)
    for found in catalogue.plans.values():
        if found.visit_schedule is None:
            click.echo(f"{found.id} {found.version}: {len(found.rules)} rules, no visit schedule.")
            continue
        try:
            read_working_days(found.visit_schedule.holidays, days)
        except CatalogueError as error:
            _exit_with(str(error), 1)
        visits, anchors = len(found.visit_schedule.visits), len(found.visit_schedule.anchors)
        click.echo(f"{found.id} {found.version}: {len(found.rules)} rules, {visits} visits, {anchors} anchors.")


@plan.command("anchors", short_help="Print an empty anchors file for a plan.")
@click.argument("plan_id", metavar="PLAN")
@click.option("--language", default="en", help="Language of the names in it.")
@plans_option
def anchors(plan_id: str, language: str, plans: Path | None) -> None:
    """Print an empty anchors file for PLAN. Fill it in and use it with `flask plan preview`."""
    catalogue = _catalogue(plans)
    found, visit_schedule = _plan(catalogue, plan_id, language)
    click.echo(anchors_template(found, visit_schedule, catalogue.plan_words[found.id, language]), nl=False)


@plan.command("preview", short_help="Print every assessment and message for given anchors.")
@click.argument("plan_id", metavar="PLAN")
@click.option("--anchors", "path", type=FILE, required=True, help="See `flask plan anchors`.")
@click.option(
    "--at", "at_text", default="", help="Simulated current time, for example 2027-01-04 09:30. Default: none."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--days", type=FILE, help="The site's file of days off and working days.")
@click.option("--language", default="en", help="Language of the names.")
@plans_option
def preview(
    plan_id: str, path: Path, at_text: str, as_json: bool, days: Path | None, language: str, plans: Path | None
) -> None:
    """Print every assessment and every message that PLAN schedules for a participant with these anchors.

    It assumes that no form is answered. Times are in the participant's time zone.

    With --at, each assessment has its status at that time, and only messages that can still be sent are shown. Exits
    with status 1 if the anchor dates are impossible.
    """
    catalogue = _catalogue(plans)
    found, visit_schedule = _plan(catalogue, plan_id, language)
    try:
        example = read_example(path, found, visit_schedule)
        working = read_working_days(visit_schedule.holidays, days)
    except CatalogueError as error:
        _exit_with(str(error), 1)
    zone = ZoneInfo(example.time_zone)
    now = read_moment(at_text, zone) if at_text else None
    if at_text and now is None:
        _exit_with(f"--at: “{at_text}” is not a time. Use the form 2027-01-04 09:30.", 2)
    known = _checked_anchors(visit_schedule, example, now)
    shown = preview_of(
        visit_schedule, list_expected_visits(visit_schedule, known, example.time_zone, working), example.forms, now
    )
    if as_json:
        for line in json_lines(shown):
            click.echo(line)
        return
    messages = sum(len(row.messages) for row in shown.rows)
    click.echo(f"{found.id} {found.version}, {example.time_zone}: {len(shown.rows)} assessments, {messages} messages")
    click.echo("opens | due | closes | instrument | visit")
    for line in text_lines(shown, catalogue.plan_words[found.id, language]):
        click.echo(line)
    click.echo(f"{shown.left_out} messages omitted: covered by another form's message, or over the daily limit.")
    until = announced_until(visit_schedule.holidays) if visit_schedule.holidays else None
    if until:
        click.echo(f"Make-up working days are known until {until}; later ones come from the site's own file (--days).")


@plan.command("renew")
@click.argument("plan_id", metavar="PLAN")
@click.option("--yes", is_flag=True, help="Apply the changes. Without it, only list them.")
@with_appcontext
def renew(plan_id: str, yes: bool) -> None:
    """Update all participants' schedules to the current plan file. Opened and past forms are not changed."""
    from pro.features.schedule import schedule_service

    found = require_app_context().catalogue.plans.get(plan_id)
    if found is None or found.visit_schedule is None:
        _exit_with(f"“{plan_id}” is not a plan with a visit schedule.", 2)
    with unit_of_work(read_only=not yes) as work:
        for one in schedule_service.replan_study(work, plan_id, save=yes):
            click.echo(f"{one.participant_number}: {one.moved} moved, {one.added} added, {one.dropped} cancelled")
    if not yes:
        click.echo("Nothing was written. Use --yes to apply the changes.")


def _checked_anchors(
    visit_schedule: VisitSchedule, example: ExampleParticipant, now: datetime | None
) -> tuple[DatedAnchor, ...]:
    """Return the anchors of ``example`` as of ``now``.

    If they have problems, print all of them and exit with status 1. Without ``now``, print which anchors are in the
    future.
    """
    from pro.app_context import utc_now

    known = example.anchors
    today = now.astimezone(ZoneInfo(example.time_zone)).date() if now else None
    if today is not None:
        known = tuple(replace(one, planned=one.planned or _is_planned(visit_schedule, one, today)) for one in known)
    problems = find_anchor_problems(visit_schedule, known, today)
    for problem in problems:
        click.echo(
            f"{_anchor_name(problem.anchor.kind, problem.anchor.number)}: {_sentence(visit_schedule, problem)}",
            err=True,
        )
    if problems:
        sys.exit(1)
    real_today = utc_now().astimezone(ZoneInfo(example.time_zone)).date()
    ahead = [problem for problem in find_anchor_problems(visit_schedule, known, real_today) if problem.key == "future"]
    if today is None and ahead:
        names = ", ".join(_anchor_name(problem.anchor.kind, problem.anchor.number) for problem in ahead)
        click.echo(f"Not yet taken place, used as an example: {names}.", err=True)
    return known


def _is_planned(visit_schedule: VisitSchedule, anchor: DatedAnchor, today: date) -> bool:
    kind = visit_schedule.anchors.get(anchor.kind)
    return kind is not None and kind.plannable and anchor.on > today


def _sentence(visit_schedule: VisitSchedule, problem: AnchorProblem) -> str:
    kind = visit_schedule.anchors.get(problem.anchor.kind, AnchorKind(problem.anchor.kind))
    return SENTENCES[problem.key].format(
        on=problem.anchor.on,
        numbers=f"there are only numbers 1 to {problem.most}" if problem.most else "it happens once and has no number",
        or_planned=", or written as planned" if kind.plannable else "",
        other=_anchor_name(problem.other, problem.other_number),
        other_on=problem.other_on,
    )


def _anchor_name(kind: str, number: int) -> str:
    return f"{kind} {number}" if number else kind


def _catalogue(plans: Path | None) -> Catalogue:
    folders = [ROOT / "pro" / "data" / "plans", *([plans] if plans else [])]
    try:
        return read_catalogue(ROOT / "pro" / "data" / "instruments", ROOT / "translations", folders)
    except CatalogueError as error:
        _exit_with(str(error), 1)


def _plan(catalogue: Catalogue, plan_id: str, language: str) -> tuple[StudyPlan, VisitSchedule]:
    found = catalogue.plans.get(plan_id)
    if found is None:
        _exit_with(f"“{plan_id}” is not a known plan. Available: {', '.join(catalogue.plans)}.", 2)
    if language not in found.languages:
        _exit_with(f"{plan_id} is not available in “{language}”, only in {', '.join(found.languages)}.", 2)
    if found.visit_schedule is None:
        _exit_with(f"{plan_id} has no visit schedule: its forms are issued manually.", 2)
    return found, found.visit_schedule


def _exit_with(sentence: str, code: int) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(code)
