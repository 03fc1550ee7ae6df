"""Check before production starts: data files, tables, wording, demonstration data, texts.

Settings are checked by ``pro.config``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from pro import db
from pro.app_context import AppContext, UnitOfWork
from pro.config import EXAMPLE_NUMBER, EXAMPLE_VALUE
from pro.core.study_plan import StudyPlan
from pro.features.accounts import phone_numbers
from pro.features.forms import licensed_wording
from pro.features.text_messages import approved_templates
from pro.i18n import LANGUAGES, choose_language
from pro.models import Assessment, Participant, StaffMember


class DatabaseUnavailable(Exception):
    """The database does not answer, perhaps only for a short time.

    The message is a sentence for the person who starts the system.
    """


def find_problems(app_context: AppContext, *, texts: bool = True) -> list[str]:
    """Return a sentence for every problem in files that prevents a production start.

    ``texts``: False if a setting that every text contains is wrong, so that texts cannot be compared with the templates
    that the gateway approved.
    """
    problems: list[str] = []
    for plan in app_context.catalogue.plans.values():
        problems += find_plan_problems(plan)
    gateway = app_context.catalogue.gateway
    if texts and gateway.templates_only:
        found = approved_templates.check_templates(approved_templates.TextSettings.of(app_context), gateway).errors
        problems += [
            f"{app_context.config.gateway_file}: {one.message} {one.language} {one.id}: {one.sentence}" for one in found
        ]
    return problems


def find_warnings(app_context: AppContext) -> list[str]:
    """Return a sentence for everything that is missing and does not prevent a start.

    Languages of plans, instruments, terms, interface, staff and participants are checked together; participants whose
    plan or instrument is not installed are counted. Without a database that answers only the files are checked.
    """
    found = [gap.sentence for gap in app_context.catalogue.gaps]
    try:
        if db.is_current(app_context.engine):
            with db.transaction(app_context.engine.execution_options(read_only=True)) as session:
                found += _database_warnings(app_context.unit_of_work(session))
    except SQLAlchemyError:
        # ``find_database_problems`` says so where it matters.
        return found
    return found


def _database_warnings(work: UnitOfWork) -> Iterator[str]:
    """Yield a sentence for each language, plan or instrument of a stored person or form that is not installed."""
    count = work.session.execute
    staff = select(StaffMember.language, func.count()).where(StaffMember.disabled_at.is_(None))
    for language, number in count(staff.group_by(StaffMember.language).order_by(StaffMember.language)):
        if language not in LANGUAGES:
            shown = choose_language(language, LANGUAGES)
            yield f"Staff who read “{language}”: {number}. The interface has no words in it: they read “{shown}”."
    active = (Participant.withdrawn_at.is_(None), Participant.died_at.is_(None))
    people = select(Participant.plan, Participant.language, func.count()).where(*active)
    people = people.group_by(Participant.plan, Participant.language)
    for plan, language, number in count(people.order_by(Participant.plan, Participant.language)):
        spoken = work.catalogue.plan_words[plan, language].language
        if plan not in work.catalogue.plans:
            yield (
                f"Participants of the plan “{plan}”, which is not installed: {number}. Its rules evaluate nothing, "
                "and no reminder goes out: put the plan file back, or end their participation."
            )
        elif spoken != language:
            missing = f"The plan has no words in it: “{spoken}” is shown."
            yield f"Participants of {plan} who read “{language}”: {number}. {missing}"
    forms = select(Assessment.instrument, func.count()).where(
        Assessment.instrument.not_in(work.catalogue.instruments),
        Assessment.submitted_at.is_(None),
        Assessment.cancelled_at.is_(None),
    )
    for instrument, number in count(forms.group_by(Assessment.instrument).order_by(Assessment.instrument)):
        yield f"Open forms of “{instrument}”, which is not installed: {number}. They cannot be filled in."


def find_database_problems(app_context: AppContext) -> list[str]:
    """Return a sentence for old tables, missing licensed wording and demonstration accounts.

    Raises DatabaseUnavailable if the database does not answer.
    """
    try:
        if not db.is_current(app_context.engine):
            return ["The database schema is outdated: run `flask db upgrade`."]
        with db.transaction(app_context.engine.execution_options(read_only=True)) as session:
            work = app_context.unit_of_work(session)
            return licensed_wording.missing_licences(work) + _demonstration_accounts(work)
    except SQLAlchemyError as error:
        # The text of ``error`` is left out because it holds the address with its password.
        raise DatabaseUnavailable(
            f"The database of PRO_DATABASE_URL does not answer ({type(error).__name__}): is it there, and running?"
        ) from error


def _demonstration_accounts(work: UnitOfWork) -> list[str]:
    """Return a sentence if an active account belongs to the demonstration."""
    emails = work.session.scalars(
        select(StaffMember.email).where(StaffMember.disabled_at.is_(None)).order_by(StaffMember.id)
    )
    if any(EXAMPLE_VALUE.search(email) for email in emails):
        return [
            "The database holds the demonstration study, whose passwords are public: "
            "name an empty database in PRO_DATABASE_URL, or close its accounts."
        ]
    return []


def find_plan_problems(plan: StudyPlan) -> list[str]:
    """Return a sentence for every demonstration value or unreachable number of ``plan``."""
    where = f"Plan {plan.id}: settings"
    found = []
    if plan.settings.demonstration:
        found.append(
            f"{where}.demonstration is true: put a copy with the site's own telephone numbers and hours into "
            "PRO_PLANS_DIR, and false there."
        )
    if plan.stopping_rule is not None and plan.stopping_rule.demonstration:
        found.append(
            f"Plan {plan.id}: stopping_rule.demonstration is true: the investigator must confirm its numbers first."
        )
    found += [f"{where}.{sentence}" for sentence in _phone_number_problems(plan)]
    if EXAMPLE_VALUE.search(plan.settings.it_department):
        found.append(f"{where}.it_department is an address of an example.")
    return found


def _phone_number_problems(plan: StudyPlan) -> Iterator[str]:
    """Yield a sentence for each phone number that is invalid or differs from the one shown."""
    settings = plan.settings
    region = phone_numbers.region_of(settings.hotline)
    for name, number, shown in (
        ("hotline", settings.hotline, settings.hotline_shown),
        ("crisis_line", settings.crisis_line, settings.crisis_line_shown),
    ):
        if EXAMPLE_NUMBER.search(number) or not phone_numbers.is_valid_number(number, region):
            yield f"{name} is no telephone number that answers: write the site's own."
        elif phone_numbers.national_digits(number) not in re.sub(r"\D", "", shown):
            yield f"{name}_shown is another number than {name}, which is the one that is dialled."
    if not phone_numbers.is_emergency_number(settings.emergency, region):
        yield f"emergency is no emergency number of the hotline's country ({region})."
