"""The weekly test alert of a plan file, and the check that its answers raise an emergency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue.plan_files.visit_schedule_shape import Hour
from pro.catalogue.yaml_source import CatalogueError, FilePart
from pro.core.questionnaire.instrument import Instrument
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan, WeeklyTestAlertSettings
from pro.core.translatable_sentence import Sentence
from pro.core.triage.verdict import FormCase, evaluate_rules

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


class TestAlertFile(FilePart):
    """The weekly synthetic alert: when it is raised, and from which answers."""

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday"]
    at: Hour = Field(description="Local time; with confirm_minutes it must lie between opens and closes")
    confirm_minutes: int = Field(gt=0, le=480, description="Minutes within which a staff member must confirm it")
    instrument: str
    answers: dict[str, Annotated[int, Field(strict=True)]] = Field(
        min_length=1, description="Options' codes that the rules call an emergency"
    )


def read_test_alert(
    path: Path, file: TestAlertFile, plan: StudyPlan, instruments: Mapping[str, Instrument]
) -> WeeklyTestAlertSettings:
    """Return the settings of the weekly test alert of ``plan``.

    Raises CatalogueError that names an unknown instrument or item, an impossible answer, answers that raise no
    emergency, or an hour outside working hours.
    """
    if file.instrument not in plan.instruments:
        sentence = Sentence(
            "“%(name)s” is not a known %(what)s; available: %(listed)s.",
            name=file.instrument,
            what=Sentence("instrument of this plan"),
            listed=tuple(sorted(plan.instruments)),
        )
        raise CatalogueError(path, "test_alert.instrument", sentence)
    instrument = instruments[file.instrument]
    for name, value in file.answers.items():
        item = instrument.items.get(name)
        if item is None:
            raise CatalogueError(
                path,
                f"test_alert.answers.{name}",
                Sentence("%(instrument)s has no item of this name.", instrument=instrument.id),
            )
        if not item.accepts(value):
            raise CatalogueError(
                path,
                f"test_alert.answers.{name}",
                Sentence("%(value)s is not a possible answer to %(name)s.", value=value, name=name),
            )
    verdict = evaluate_rules(plan, instrument, FormCase(answers=file.answers))
    if verdict.level is not Level.EMERGENCY:
        sentence = Sentence(
            "The rules rate these answers “%(level)s”; a test alert must be an emergency.", level=verdict.level.word
        )
        raise CatalogueError(path, "test_alert.answers", sentence)
    at = time.fromisoformat(file.at.rjust(5, "0"))
    _check_hours(path, at, file.confirm_minutes, plan)
    answers = MappingProxyType(dict(file.answers))
    return WeeklyTestAlertSettings(WEEKDAYS.index(file.weekday), at, file.confirm_minutes, instrument.id, answers)


def _check_hours(path: Path, at: time, confirm_minutes: int, plan: StudyPlan) -> None:
    """Check that a test alert starts and can be confirmed within working hours.

    Outside working hours it would wake the staff member on call.
    """
    opens, closes = (time.fromisoformat(text.rjust(5, "0")) for text in (plan.settings.opens, plan.settings.closes))
    day = date(2000, 1, 1)
    confirmed = datetime.combine(day, at) + timedelta(minutes=confirm_minutes)
    if at < opens or confirmed > datetime.combine(day, closes):
        sentence = Sentence(
            "The test must start and be confirmed (%(minutes)s minutes) within working hours, %(opens)s to %(closes)s.",
            minutes=confirm_minutes,
            opens=plan.settings.opens,
            closes=plan.settings.closes,
        )
        raise CatalogueError(path, "test_alert.at", sentence)
