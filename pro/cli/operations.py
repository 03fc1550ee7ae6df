"""Commands to operate the system: tables, worker, audit trail, accounts, keys."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from types import FrameType

import click
from cryptography.fernet import Fernet
from flask.cli import AppGroup, with_appcontext

from pro import db
from pro.app_context import AppContext
from pro.cli.app_commands import require_app_context, require_current_app_context, unit_of_work
from pro.errors import BadData
from pro.features.accounts import second_factor, staff_accounts
from pro.features.accounts.passwords import PASSWORD_LENGTH
from pro.features.audit import audit_chain
from pro.features.duty_roster import recipients, roster_service
from pro.features.operations import start_check, worker_steps
from pro.features.reports import study_overview
from pro.messaging import outbox
from pro.messaging.providers import provider_choice

# Seconds between two deliveries from the outbox, and between two runs of all jobs.
PAUSE = 1.0
ROUND_INTERVAL = 5.0
# Seconds between two checks whether the figures of a study are due.
FIGURES_INTERVAL = 15.0
# EX_TEMPFAIL of sysexits.h.
TEMPORARY_FAILURE = 75
TIME_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]

log = logging.getLogger(__name__)

db_group = AppGroup("db", help="Migrate the database schema.")
audit_group = AppGroup("audit", help="Verify the hash chain of the audit trail.")
staff_group = AppGroup("staff", help="Create staff accounts and assign shifts.")


@db_group.command("upgrade")
def upgrade_database() -> None:
    """Migrate the database to the current schema version. An empty database gets all tables."""
    try:
        db.upgrade(require_app_context().engine)
    except db.UnknownVersion as version:
        click.echo(
            f"The database was created by another version of this program ({version}). Nothing was changed. "
            "Use that version, or another database; a demonstration starts over with `flask demo reset`.",
            err=True,
        )
        sys.exit(2)


@click.command("worker", short_help="Run the background worker, once or continuously.")
@click.option("--forever", is_flag=True, help="Run continuously until stopped.")
@with_appcontext
def run_worker(forever: bool) -> None:
    """Run the background worker.

    It evaluates idle forms, queues the daily digest, sends due messages and seals the audit trail.

    With SQLite only one continuous worker may run; a second one exits with status 3. A worker that can make no more
    calls to a provider, because none of its calls ends, exits with status 75.
    """
    app_context = require_current_app_context()
    if forever and app_context.engine.dialect.name == "sqlite" and not acquire_worker_lock(app_context.config.var_dir):
        click.echo(
            "Another worker already uses this SQLite database. Run several workers only with PostgreSQL.", err=True
        )
        sys.exit(3)
    if app_context.config.production:
        refuse_demonstration(app_context)
    stop = StopSignal()
    senders = provider_choice.choose_senders(app_context.config, app_context.catalogue.gateway)
    worker = f"{socket.gethostname()}:{os.getpid()}"
    if not forever:
        worker_steps.run_jobs(app_context, senders, worker)
        renew_due_figures(app_context)
        return
    ended = threading.Event()
    # A thread of its own: counting a large study takes seconds, and alerts must not wait.
    threading.Thread(target=renew_figures_until_ended, args=(app_context, ended), daemon=True).start()
    lines = outbox.ProviderCalls()
    last = -math.inf
    blocked = False
    while not stop.requested and not blocked:
        if time.monotonic() - last >= ROUND_INTERVAL:
            done = worker_steps.run_jobs(app_context, senders, worker, lines)
            last = time.monotonic()
        else:
            done = worker_steps.deliver_outbox(app_context, senders, worker, lines)
        blocked = outbox.is_blocked(senders, lines)
        # Do not pause while the outbox has a backlog.
        time.sleep(0 if done or stop.requested or blocked else PAUSE)
    ended.set()
    worker_steps.finish_deliveries(app_context, lines)
    if blocked:
        # Threads that never end are freed by the end of the process only; systemd starts the worker again.
        log.error("worker ends reason=blocked_provider_calls")
        sys.exit(TEMPORARY_FAILURE)


def refuse_demonstration(app_context: AppContext) -> None:
    """Exit with status 2 if a plan file still has placeholders, such as a ward phone number."""
    problems = [
        problem for plan in app_context.catalogue.plans.values() for problem in start_check.find_plan_problems(plan)
    ]
    if problems:
        click.echo("\n- ".join(["The worker does not start until these problems are solved:", *problems]), err=True)
        sys.exit(2)


def renew_figures_until_ended(app_context: AppContext, ended: threading.Event) -> None:
    """Renew the figures of every study when they are due, until ``ended`` is set."""
    while not ended.is_set():
        renew_due_figures(app_context)
        ended.wait(FIGURES_INTERVAL)


def renew_due_figures(app_context: AppContext) -> None:
    """Renew the figures of every study that are due, once.

    A failure is logged and not raised; the page shows the age of its figures.
    """
    try:
        study_overview.renew_due(app_context)
    except Exception as error:
        log.error("figures renewal failed error=%s", type(error).__name__)


def acquire_worker_lock(folder: Path) -> bool:
    """Acquire the worker lock in ``folder``. Return False if another process holds it.

    The operating system releases the lock when this process ends, after a crash too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "worker.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


class StopSignal:
    """Notes SIGTERM and SIGINT in ``requested``, so that running jobs end first."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


@audit_group.command("verify")
def verify_audit_chain() -> None:
    """Verify the hash chain of the audit trail.

    Exits with status 1 if an entry was changed, removed or never sealed.
    """
    with unit_of_work(read_only=True) as work:
        found = audit_chain.verify_chain(work)
    click.echo(f"{found.sealed} entries sealed, {found.unsealed} not sealed yet, head {found.head}")
    for problem in found.problems:
        click.echo(f"- {problem}", err=True)
    sys.exit(1 if found.problems else 0)


@click.command("new-key", short_help="Print a new key for PRO_DATA_KEYS.")
def new_key() -> None:
    """Print a new key for PRO_DATA_KEYS. Put it before the existing keys and keep those."""
    click.echo(Fernet.generate_key().decode())


@staff_group.command("add")
@click.argument("email")
@click.argument("name")
@click.argument("role", type=click.Choice(list(staff_accounts.RIGHTS)))
@click.option("--language", default="zh_Hans", help="zh_Hans or en.")
@click.option("--phone", default="", help="Mobile number for alerts: a mainland China number, or + and country code.")
@click.password_option(help="At least 12 characters; you are prompted if it is omitted.")
def add_staff_member(email: str, name: str, role: str, language: str, phone: str, password: str) -> None:
    """Create a staff account."""
    try:
        with unit_of_work() as work:
            staff_accounts.add_staff(work, email, name, role, language, password, phone)
    except BadData as bad:
        fields = bad.details.get("fields", {})
        for field, why in fields.items() if isinstance(fields, dict) else ():
            click.echo(f"- {field}: {SENTENCES.get(why, why)}", err=True)
        sys.exit(1)


@staff_group.command("reset-factor")
@click.argument("email")
def reset_factor(email: str) -> None:
    """Reset the second factor of a user: remove the phone and the recovery codes and end all sessions.

    Use it only for the sole administrator. For all other users an administrator does this on the “Accounts” page.
    """
    with unit_of_work() as work:
        number = staff_accounts.find_account_id(work, email)
        done = number is not None and second_factor.reset_factor(work, number, "command on the server")
    click.echo(
        "Second factor reset. The user sets up a new phone at the next sign-in."
        if done
        else "This user has no second factor."
    )
    sys.exit(0 if done else 1)


@staff_group.command("shift")
@click.argument("email")
@click.argument("place", type=click.Choice(recipients.PLACES))
@click.argument("starts", type=click.DateTime(TIME_FORMATS))
@click.argument("ends", type=click.DateTime(TIME_FORMATS))
@click.option("--plan", default="npc_reirradiation", help="The study. Times are in its time zone.")
@click.option("--both-shifts", is_flag=True, help="Allow the person to have the other shift at the same time.")
def add_shift(email: str, place: str, starts: datetime, ends: datetime, plan: str, both_shifts: bool) -> None:
    """Assign a shift (on_call or backup) from STARTS to ENDS, in local time, for example 2026-12-01T08:00."""
    try:
        with unit_of_work() as work:
            person = staff_accounts.find_account_id(work, email)
            roster_service.add_shift(work, plan, person, place, starts, ends, both_places=both_shifts)
    except BadData as bad:
        fields, whose = bad.details["fields"], bad.details.get("whose")
        for why in fields.values() if isinstance(fields, dict) else ():
            click.echo(DUTY_SENTENCES[why], err=True)
        if isinstance(whose, roster_service.RosterConflict):
            click.echo(
                f"{whose.name}: {whose.interval.starts:%Y-%m-%d %H:%M} to {whose.interval.ends:%Y-%m-%d %H:%M} UTC"
            )
        sys.exit(1)


DUTY_SENTENCES = {
    "person_missing": "No active account with this email address.",
    "no_account": "No active account with this email address.",
    "cannot_act": "This person’s role may not handle alerts.",
    "absent": "This person is absent at that time.",
    "no_plan": "Unknown study.",
    "ends_first": "The end time is not after the start time.",
    "past": "The shift is in the past.",
    "too_far": "The time is too far from now. Check the year.",
    "stretch_too_long": f"A shift lasts at most {roster_service.SHIFT_AT_MOST.days} days.",
    "overlaps": "Another person already has this shift.",
    "holds_other_place": "This person already has the other shift at that time. To allow it, add --both-shifts.",
}
SENTENCES = {
    "taken": "an account with this email address already exists.",
    "email_invalid": "this is not an email address.",
    "empty": "it must not be empty.",
    "unknown": "this is not one of the possible values.",
    "phone_invalid": "the phone number is incomplete; enter a mainland China number, or + and country code.",
    "phone_not_mobile": "this is a landline number; it cannot receive text messages.",
    "password_short": f"it needs at least {PASSWORD_LENGTH} characters.",
    "password_long": "it is too long.",
    "password_email": "it must not be the email address.",
    "too_long": "it is too long.",
}
