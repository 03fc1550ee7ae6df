"""``flask templates``: check approved message templates; draft templates for approval."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click
from flask.cli import AppGroup

from pro.catalogue import CatalogueError
from pro.catalogue.gateway_file import gateway_file_text, read_gateway
from pro.cli.app_commands import require_app_context
from pro.core.sms_gateway import SmsGateway
from pro.features.text_messages.approved_templates import TextCost, TextProblem, TextSettings, draft_templates
from pro.features.text_messages.approved_templates import check_templates as check_texts

templates = AppGroup("templates", help="Check the approved SMS texts.")
# Usual limits of SMS gateways in mainland China; `templates draft` starts from them.
MAINLAND = SmsGateway(
    links=False,
    templates_only=True,
    per_day=4,
    identical_per_day=2,
    refused_words=("问卷", "调查", "医疗", "贷款", "免费"),
)


@templates.command("check")
@click.option("--file", type=click.Path(path_type=Path), help="Gateway file to use instead of PRO_GATEWAY_FILE.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def check(file: Path | None, as_json: bool) -> None:
    """Check all texts that the system can send against the gateway file. Exits with status 1 if one cannot be sent.

    Prints encoding, letters and text messages of each with its longest parameters, then errors and warnings.
    """
    app_context = require_app_context()
    try:
        gateway = read_gateway(file, app_context.config.sms) if file else app_context.catalogue.gateway
    except CatalogueError as dubious:
        _print_problems(TextProblem("error", "", "", "", str(dubious)), as_json)
        sys.exit(1)
    report = check_texts(TextSettings.of(app_context), gateway)
    for line in report.lines:
        _print_problems(line, as_json)
    for finding in report.findings:
        _print_problems(finding, as_json)
    sys.exit(1 if report.errors else 0)


@templates.command("draft")
def print_draft() -> None:
    """Print a gateway file with every text to be approved and its hash; the names that the gateway gives are filled in.

    With PRO_GATEWAY_FILE its settings stay, and approved texts keep their names; else as a gateway in mainland China.
    """
    app_context = require_app_context()
    gateway = app_context.catalogue.gateway
    if not gateway.provider:
        gateway = replace(MAINLAND, provider=app_context.config.sms)
    click.echo(
        gateway_file_text(replace(gateway, templates=draft_templates(TextSettings.of(app_context), gateway))), nl=False
    )


def _print_problems(what: TextCost | TextProblem, as_json: bool) -> None:
    if as_json:
        kind = {"kind": "text"} if isinstance(what, TextCost) else {"kind": what.level}
        said = {name: value for name, value in asdict(what).items() if name != "level"}
        click.echo(json.dumps(kind | said, ensure_ascii=False))
    elif isinstance(what, TextCost):
        size = f"{what.encoding}  {what.letters} letters  {what.segments} SMS"
        click.echo(f"{what.message}  {what.language}  {what.id or 'not registered'}  {size}")
    else:
        place = "  ".join(part for part in (what.message, what.language, what.id) if part)
        click.echo(f"{what.level}: {place}{': ' if place else ''}{what.sentence}", err=True)
