"""The only wiring: settings, data files, database and pages become one application."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
from flask import Flask

from pro import cli, db, i18n
from pro.app_context import AppContext, Clock, utc_now
from pro.catalogue import Catalogue, CatalogueError, read_catalogue
from pro.config import Config, ConfigReading
from pro.core.sms_gateway import FREE_TEXT_KINDS
from pro.errors import ConfigError
from pro.features.assessments.pages import access_views, chat_views, form_views
from pro.features.operations import start_check
from pro.features.operations.pages import health_views, metrics_views
from pro.features.text_messages.pages import alibaba_webhook, twilio_webhook
from pro.pages import error_pages, staff_pages
from pro.web import request_context

ROOT = Path(__file__).parent
# Exit statuses of a start. Refused: gunicorn and systemd do not try again. Not now (EX_TEMPFAIL): systemd does.
REFUSED, NOT_NOW = 3, 75


def read_data(config: Config) -> Catalogue:
    """The catalogue of the built-in data files, with the site's own plans and days laid over them."""
    plans = [ROOT / "pro" / "data" / "plans"] + ([config.plans_dir] if config.plans_dir else [])
    return read_catalogue(
        ROOT / "pro" / "data" / "instruments",
        ROOT / "translations",
        plans,
        days=config.days_file,
        gateway=config.gateway_file,
        provider=config.sms,
    )


def make_house(config: Config, now: Clock = utc_now) -> AppContext:
    """Everything that lives as long as the process. No connection is opened yet."""
    catalogue = read_data(config)
    if config.sms_two_way and not all(map(catalogue.gateway.accepts, FREE_TEXT_KINDS)):
        raise ConfigError(["PRO_SMS_TWO_WAY must be no: the gateway (PRO_GATEWAY_FILE) sends approved texts only."])
    return AppContext(
        config=config,
        catalogue=catalogue,
        catalogs=i18n.read_catalogs(ROOT / "translations"),
        engine=db.make_engine(config.database_url),
        vault=db.Vault(config.data_keys, config.lookup_key),
        clock=now,
    )


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a start found. ``problems``: to be mended. ``away``: the database does not answer, which may pass by itself.

    ``house``: None where the data files are wrong.
    """

    app_context: AppContext | None
    problems: tuple[str, ...] = ()
    away: str = ""

    @property
    def refusal(self) -> str:
        """What is printed instead of a start; empty if nothing keeps it."""
        sentences = [*self.problems, *filter(None, [self.away])]
        return "\n- ".join(["This does not start until these are mended:", *sentences]) + "\n" if sentences else ""

    @property
    def status(self) -> int:
        """The exit status of the start."""
        return REFUSED if self.problems else NOT_NOW if self.away else 0


def prepare(reading: ConfigReading, now: Clock = utc_now, *, checked: bool) -> Preparation:
    """The house, and every reason not to start it: of the settings, then of the data files, then (``checked``, and in
    production) of demonstration data, approved texts, tables and wording.
    """
    problems = list(reading.problems)
    try:
        app_context = make_house(reading.config, now)
    except (ConfigError, CatalogueError) as error:
        return Preparation(None, (*problems, *error.problems))
    if not checked or not reading.config.production:
        return Preparation(app_context, tuple(problems))
    same_texts = not any(problem.startswith(("PRO_BASE_URL", "PRO_SMS")) for problem in problems)
    problems += start_check.find_problems(app_context, texts=same_texts)
    try:
        # At its default, the address would be that of another database.
        problems += start_check.find_database_problems(app_context) if "database_url" not in reading.unusable else []
    except start_check.DatabaseUnavailable as error:
        return Preparation(app_context, tuple(problems), str(error))
    return Preparation(app_context, tuple(problems))


def create_app(config: Config | None = None, now: Clock = utc_now) -> Flask:
    """The application. Under the ``flask`` command, broken settings stop only the commands that need them."""
    app = Flask(__name__, static_folder=None, template_folder=str(ROOT / "templates"))
    command = click.get_current_context(silent=True)
    serving = command is None or command.info_name == "run"
    reading = ConfigReading(config, (), frozenset()) if config else Config.read()
    found = prepare(reading, now, checked=serving)
    if serving and found.refusal:
        sys.stderr.write(found.refusal)
        sys.exit(found.status)
    if found.app_context is None or found.problems:
        cli.register(app, None, list(found.problems))
        return app
    request_context.install(app, found.app_context)
    error_pages.register_error_pages(app)
    for pages in (
        access_views,
        form_views,
        chat_views,
        staff_pages,
        health_views,
        metrics_views,
        twilio_webhook,
        alibaba_webhook,
    ):
        app.register_blueprint(pages.pages)
    cli.register(app, found.app_context, [])
    return app


def main() -> int:
    """Print every reason why this installation does not start; the exit status is that of the start.

    ``python app.py``: asked by gunicorn before it says that it is ready (deploy/gunicorn.conf.py), and by IT.
    """
    found = prepare(Config.read(), checked=True)
    sys.stderr.write(found.refusal)
    return found.status


if __name__ == "__main__":
    sys.exit(main())
