"""Build the application from settings, data files, database and pages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import Flask

from pro import cli
from pro.errors import ConfigError

# What serves pages is imported when it is needed: most commands read a file and need none of it.
if TYPE_CHECKING:
    from pro.app_context import AppContext, Clock
    from pro.catalogue import Catalogue
    from pro.config import Config, ConfigReading

ROOT = Path(__file__).parent
# Exit statuses of a start. REFUSED: gunicorn and systemd do not restart. NOT_NOW (EX_TEMPFAIL): systemd restarts.
REFUSED, NOT_NOW = 3, 75


def read_data(config: Config) -> Catalogue:
    """Read the built-in data files; the site's own plans and days off take precedence.

    Raises CatalogueError if a file is missing or invalid.
    """
    from pro.catalogue import read_catalogue

    plans = [ROOT / "pro" / "data" / "plans"] + ([config.plans_dir] if config.plans_dir else [])
    return read_catalogue(
        ROOT / "pro" / "data" / "instruments",
        ROOT / "translations",
        plans,
        days=config.days_file,
        gateway=config.gateway_file,
        provider=config.sms,
    )


def make_app_context(config: Config, now: Clock | None = None) -> AppContext:
    """Make the application context of this process. No database connection is opened.

    Raises CatalogueError for an invalid data file, ConfigError if two-way texts are on and the gateway does not send
    free text.
    """
    from pro import db, i18n
    from pro.app_context import AppContext, utc_now
    from pro.core.sms_gateway import FREE_TEXT_KINDS

    catalogue = read_data(config)
    if config.sms_two_way and not all(map(catalogue.gateway.accepts, FREE_TEXT_KINDS)):
        raise ConfigError(["PRO_SMS_TWO_WAY must be no: the gateway (PRO_GATEWAY_FILE) sends approved texts only."])
    return AppContext(
        config=config,
        catalogue=catalogue,
        catalogs=i18n.read_catalogs(ROOT / "translations"),
        engine=db.make_engine(config.database_url),
        vault=db.Vault(config.data_keys, config.lookup_key),
        clock=now or utc_now,
    )


@dataclass(frozen=True, slots=True)
class Preparation:
    """Result of the checks before a start.

    ``app_context``: None if the data files are invalid. ``problems``: what must be corrected, a sentence each.
    ``away``: why the database does not answer, which may be temporary; else empty.
    """

    app_context: AppContext | None
    problems: tuple[str, ...] = ()
    away: str = ""

    @property
    def refusal(self) -> str:
        """Return the text that is printed instead of a start; empty if the start is allowed."""
        sentences = [*self.problems, *filter(None, [self.away])]
        return "\n- ".join(["This does not start until these are mended:", *sentences]) + "\n" if sentences else ""

    @property
    def status(self) -> int:
        """Return the exit status of the start: 0, REFUSED or NOT_NOW."""
        return REFUSED if self.problems else NOT_NOW if self.away else 0


def prepare(reading: ConfigReading, now: Clock | None = None, *, checked: bool) -> Preparation:
    """Make the application context and collect every reason not to start.

    The reasons come from the settings, then from the data files, then (``checked`` and production only) from
    demonstration data, approved texts, tables and wording. Raises nothing: the problems are in the result.
    """
    from pro.catalogue import CatalogueError

    problems = list(reading.problems)
    try:
        app_context = make_app_context(reading.config, now)
    except (ConfigError, CatalogueError) as error:
        return Preparation(None, (*problems, *error.problems))
    if not checked or not reading.config.production:
        return Preparation(app_context, tuple(problems))
    from pro.features.operations import start_check

    same_texts = not any(problem.startswith(("PRO_BASE_URL", "PRO_SMS")) for problem in problems)
    problems += start_check.find_problems(app_context, texts=same_texts)
    try:
        # With an unusable PRO_DATABASE_URL the configuration holds the default, which is another database.
        problems += start_check.find_database_problems(app_context) if "database_url" not in reading.unusable else []
    except start_check.DatabaseUnavailable as error:
        return Preparation(app_context, tuple(problems), str(error))
    return Preparation(app_context, tuple(problems))


def install_pages(app: Flask, app_context: AppContext) -> None:
    """Register every page, the error pages and what each request needs on ``app``."""
    from pro.features.accounts.passwords import prepare_dummy_hash
    from pro.features.assessments.pages import access_views, chat_views, form_views, my_page_views
    from pro.features.operations.pages import health_views, metrics_views
    from pro.features.text_messages.pages import alibaba_webhook, twilio_webhook
    from pro.pages import error_pages, staff_pages
    from pro.web import request_context

    prepare_dummy_hash()
    request_context.install(app, app_context)
    error_pages.register_error_pages(app)
    for pages in (
        access_views,
        form_views,
        chat_views,
        my_page_views,
        staff_pages,
        health_views,
        metrics_views,
        twilio_webhook,
        alibaba_webhook,
    ):
        app.register_blueprint(pages.pages)


def create_app(config: Config | None = None, now: Clock | None = None) -> Flask:
    """Make the Flask application.

    To serve pages: if the start is not allowed, print the reasons and exit with REFUSED or NOT_NOW. For the project's
    own ``flask`` commands it has no pages, and reads settings and data files when a command asks for them; invalid ones
    stop only the commands that need them.
    """
    from pro.config import Config, ConfigReading

    app = Flask(__name__, static_folder=None, template_folder=str(ROOT / "templates"))
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.command, click.Group):
        cli.register(app, lambda: prepare(Config.read(), now, checked=False))
        return app
    serving = context is None or context.info_name == "run"
    reading = ConfigReading(config, (), frozenset()) if config else Config.read()
    found = prepare(reading, now, checked=serving)
    if serving and found.refusal:
        sys.stderr.write(found.refusal)
        sys.exit(found.status)
    cli.register(app, lambda: found)
    if found.app_context is not None and not found.problems:
        install_pages(app, found.app_context)
    return app


def main() -> int:
    """Check a start: print every reason against it, or what is missing, and return the exit status of the start.

    ``python app.py`` is run by gunicorn before it reports that it is ready (deploy/gunicorn.conf.py), and by the IT
    department.
    """
    from pro.config import Config
    from pro.features.operations import start_check

    found = prepare(Config.read(), checked=True)
    sys.stderr.write(found.refusal)
    warnings = start_check.find_warnings(found.app_context) if found.app_context and not found.refusal else []
    if warnings:
        sys.stderr.write("\n- ".join(["This starts, but:", *warnings]) + "\n")
    return found.status


if __name__ == "__main__":
    sys.exit(main())
