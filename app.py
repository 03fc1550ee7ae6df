"""The only wiring: settings, data files, database and pages become one application."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import Flask

from pro import cli, db, i18n
from pro.catalogue import Catalogue, CatalogueError
from pro.catalogue import read as read_catalogue
from pro.config import Config
from pro.core.gateway import UNFORESEEN
from pro.errors import ConfigError
from pro.services import approval, wording
from pro.web import chat, doors, errors, health, metrics, questionnaire, site, sms_alibaba, sms_twilio, staff
from pro.work import Clock, House, clock

ROOT = Path(__file__).parent


def read_data(config: Config) -> Catalogue:
    """The catalogue of the built-in data files, with the site's own plans and days laid over them."""
    plans = [ROOT / "pro" / "plans"] + ([config.plans_dir] if config.plans_dir else [])
    return read_catalogue(
        ROOT / "pro" / "instruments",
        ROOT / "translations",
        plans,
        days=config.days_file,
        gateway=config.gateway_file,
        provider=config.sms,
    )


def make_house(config: Config, now: Clock = clock) -> House:
    """Everything that lives as long as the process. No connection is opened yet."""
    catalogue = read_data(config)
    if config.sms_two_way and not all(map(catalogue.gateway.takes, UNFORESEEN)):
        raise ConfigError(["PRO_SMS_TWO_WAY must be no: the gateway (PRO_GATEWAY_FILE) sends approved texts only."])
    return House(
        config=config,
        catalogue=catalogue,
        catalogs=i18n.read(ROOT / "translations"),
        engine=db.make_engine(config.database_url),
        vault=db.Vault(config.data_keys, config.lookup_key),
        clock=now,
    )


def create_app(config: Config | None = None, now: Clock = clock) -> Flask:
    """The application. Under the ``flask`` command, broken settings stop only the commands that need them."""
    app = Flask(__name__, static_folder=None, template_folder=str(ROOT / "templates"))
    command = click.get_current_context(silent=True)
    serving = command is None or command.info_name == "run"
    try:
        house = make_house(config or Config.from_env(), now)
        if serving and house.config.production:
            check_ready(house)
    except (ConfigError, CatalogueError) as error:
        problems = error.problems if isinstance(error, ConfigError) else [str(error)]
        if serving:
            sys.stderr.write("\n- ".join(["The settings do not allow a start:", *problems]) + "\n")
            sys.exit(3)
        cli.register(app, None, problems)
        return app
    site.install(app, house)
    errors.register(app)
    for pages in (doors, questionnaire, chat, staff, health, metrics, sms_twilio, sms_alibaba):
        app.register_blueprint(pages.pages)
    cli.register(app, house, [])
    return app


def check_ready(house: House) -> None:
    """Refuse to serve production on old tables, a demonstration study, unlicensed words, or texts that the gateway has
    not approved. Raises ConfigError.
    """
    if not db.is_current(house.engine):
        raise ConfigError(["The database is not at this version: run `flask db upgrade`."])
    with db.transaction(house.engine) as session:
        problems = wording.missing_licences(house.work(session))
    for plan in house.catalogue.plans.values():
        if plan.settings.demonstration:
            problems.append(
                f"Plan {plan.id} still has demonstration phone numbers: "
                "put a copy with the site's own into PRO_PLANS_DIR."
            )
    gateway = house.catalogue.gateway
    if gateway.templates_only:
        found = approval.check(approval.Installation.of(house), gateway).errors
        problems += [
            f"{house.config.gateway_file}: {one.message} {one.language} {one.id}: {one.sentence}" for one in found
        ]
    if problems:
        raise ConfigError(problems)
