"""``flask schema``: write the JSON Schemas that editors use for the data files."""

from __future__ import annotations

from pathlib import Path

import click

from pro.catalogue.json_schemas import json_schemas

ROOT = Path(__file__).resolve().parents[3]


@click.command("schema", short_help="Write the JSON Schemas of the data files.")
def schema() -> None:
    """Write the JSON Schemas of the instrument, wording and plan files beside them."""
    for name, text in json_schemas().items():
        (ROOT / name).write_text(text, encoding="utf-8")
        click.echo(name)
