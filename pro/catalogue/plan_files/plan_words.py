"""Words files of plans: their shape, and the check that they fit the plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from pro.catalogue.absent_words import AdviceBlocks, NamesAsWords
from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.clinical.stopping_rule import ULCER_STATES
from pro.core.study_plan import Advice, PlanWords, StudyPlan

Text = Annotated[str, Field(min_length=1)]


class AdviceFile(FilePart):
    """First aid that is shown at once. ``crisis``: it comes with the crisis line instead of the emergency call."""

    title: str = ""
    steps: tuple[Text, ...] = ()
    crisis: bool = False


class PlanWordsFile(FilePart):
    """A plan's words in one language: sentences for its rules and its lowering, names of its visits and anchors."""

    plan: str
    plan_version: str
    language: str
    title: Text
    form_title: Text
    study_team: Text
    hours: Text
    rules: dict[str, Text]
    suspects: dict[str, Text]
    advice: dict[str, AdviceFile]
    visits: dict[str, Text] = {}
    anchors: dict[str, Text] = {}
    phases: dict[str, Text] = Field({}, description="Names of the phases of the treatment")
    columns: dict[str, Text] = Field(
        {}, description="Short names of visits for narrow columns; {number}, {week} and {month} are filled in"
    )
    stopping_rule: dict[str, Text] = Field({}, description="What the protocol says of each state and step")


def read_plan_words(path: Path, plan: StudyPlan) -> PlanWords:
    """Read the words of ``plan`` in ``path``.

    Raises CatalogueError if words are missing, have no place in the plan, or are for another version.
    """
    file = parse_file(path, PlanWordsFile)
    if (file.plan, file.plan_version) != (plan.id, plan.version):
        asked, found = f"{plan.id} {plan.version}", f"{file.plan} {file.plan_version}"
        raise CatalogueError(path, "plan_version", f"This wording is for {found}, but the plan is {asked}.")
    if file.language not in plan.languages:
        raise CatalogueError(path, "language", f"{plan.id} is not offered in “{file.language}”.")
    if plan.settings.opens not in file.hours or plan.settings.closes not in file.hours:
        sentence = f"The plan's hours are {plan.settings.opens} to {plan.settings.closes}; use the same here."
        raise CatalogueError(path, "hours", sentence)
    rules = {rule.id for rule in plan.rules} | ({plan.lowering.id} if plan.lowering else set())
    _check_same_keys(path, "rules", rules, file.rules)
    _check_same_keys(path, "suspects", {rule.suspects for rule in plan.rules if rule.suspects}, file.suspects)
    advice = {rule.advice for rule in plan.rules if rule.advice} | set(plan.text_advice.values())
    _check_same_keys(path, "advice", advice, file.advice)
    visit_schedule = plan.visit_schedule
    _check_same_keys(
        path, "visits", {visit.id for visit in visit_schedule.visits} if visit_schedule else set(), file.visits
    )
    _check_same_keys(path, "anchors", set(visit_schedule.anchors) if visit_schedule else set(), file.anchors)
    _check_same_keys(path, "phases", set(visit_schedule.phases) if visit_schedule else set(), file.phases)
    stopping = {*ULCER_STATES, *(step.id for step in plan.stopping_rule.steps)} if plan.stopping_rule else set()
    _check_same_keys(path, "stopping_rule", stopping, file.stopping_rule)
    for visit in visit_schedule.visits if visit_schedule else ():
        if visit_schedule and visit_schedule.is_numbered(visit) and "{number}" not in file.visits[visit.id]:
            raise CatalogueError(path, f"visits.{visit.id}", "It occurs more than once: put {number} into its name.")
    _check_columns(path, file)
    return PlanWords(
        title=file.title,
        form_title=file.form_title,
        study_team=file.study_team,
        hours=file.hours,
        rules=MappingProxyType(NamesAsWords(file.rules)),
        suspects=MappingProxyType(NamesAsWords(file.suspects)),
        advice=MappingProxyType(
            AdviceBlocks({name: Advice(block.title, block.steps, block.crisis) for name, block in file.advice.items()})
        ),
        visits=MappingProxyType(NamesAsWords(file.visits)),
        anchors=MappingProxyType(NamesAsWords(file.anchors)),
        stopping_rule=MappingProxyType(NamesAsWords(file.stopping_rule)),
        phases=MappingProxyType(NamesAsWords(file.phases)),
        columns=MappingProxyType(file.columns),
        language=file.language,
    )


def _check_columns(path: Path, file: PlanWordsFile) -> None:
    """Raise CatalogueError for a short name of a visit that is unknown, or with a place that is never filled."""
    for name, short in file.columns.items():
        if name not in file.visits:
            raise CatalogueError(path, f"columns.{name}", "The plan has nothing with this name: correct or delete it.")
        if "{" in short.replace("{number}", "").replace("{week}", "").replace("{month}", ""):
            raise CatalogueError(path, f"columns.{name}", "Only {number}, {week} and {month} are filled in.")


def _check_same_keys(path: Path, where: str, needed: set[str], there: Mapping[str, object]) -> None:
    for name in sorted(needed - there.keys()):
        raise CatalogueError(path, f"{where}.{name}", "The plan uses this, but its wording is missing here.")
    for name in sorted(there.keys() - needed):
        raise CatalogueError(path, f"{where}.{name}", "The plan has nothing with this name: correct or delete it.")
