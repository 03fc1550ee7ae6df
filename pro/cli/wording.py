"""``flask wording``: load and list a site's licensed wording."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from pro.app_context import utc_now
from pro.catalogue.instrument_files.licensed_wording import WordingRefused, parse_csv, template_csv
from pro.cli.app_commands import require_app_context, unit_of_work
from pro.features.forms import licensed_wording as wordings

wording = AppGroup("wording", help="Load and list licensed questionnaire texts.")


@wording.command("template")
@click.argument("instrument")
@click.argument("language")
def template(instrument: str, language: str) -> None:
    """Print an empty CSV table for INSTRUMENT in LANGUAGE: one row per item and option, and the licence block."""
    catalogue = require_app_context().catalogue
    if instrument not in catalogue.instruments or language not in catalogue.languages:
        known = f"{', '.join(catalogue.instruments)} in {', '.join(catalogue.languages)}"
        click.echo(f"No {instrument} in {language}. Available: {known}.", err=True)
        sys.exit(2)
    click.echo(template_csv(catalogue.instruments[instrument], language), nl=False)


@wording.command("load")
@click.argument("instrument")
@click.argument("language")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--note", default="", help="Reason for the audit trail.")
def load(instrument: str, language: str, file: Path, note: str) -> None:
    """Check FILE (the completed table, CSV UTF-8) and store it; forms issued from now on use it."""
    with unit_of_work() as work:
        if instrument not in work.catalogue.instruments or language not in work.catalogue.languages:
            click.echo(f"No {instrument} in {language}.", err=True)
            sys.exit(2)
        try:
            text = file.read_text(encoding="utf-8-sig")
            words = parse_csv(work.catalogue.instruments[instrument], language, text, utc_now().date())
        except UnicodeDecodeError:
            click.echo("The file is not UTF-8. Save it again as “CSV UTF-8”.", err=True)
            sys.exit(1)
        except WordingRefused as refused:
            for sentence in refused.sentences:
                click.echo(f"- {sentence}", err=True)
            sys.exit(1)
        wordings.load_wording(work, words, note)
        click.echo(f"Loaded {instrument} in {language}, version {words.version}, checksum {words.checksum}.")


@wording.command("list")
def list_loaded() -> None:
    """List all wordings, built-in and loaded, with licence, version and checksum."""
    with unit_of_work() as work:
        for (instrument, language), words in sorted(work.catalogue.words.items()):
            click.echo(f"{instrument}\t{language}\t{words.version}\t{words.status}\t{words.checksum[:12]}\tbuilt in")
        for row in wordings.list_wordings(work):
            expires = row.licence.get("expires") or "no end"
            label = f"licensed until {expires}, loaded {row.loaded_at:%Y-%m-%d}"
            click.echo(f"{row.instrument}\t{row.language}\t{row.version}\tlicensed\t{row.checksum[:12]}\t{label}")
