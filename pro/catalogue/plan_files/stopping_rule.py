"""The stopping rule of a plan file, and the check that its steps can be reached in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pro.catalogue import name_patterns
from pro.catalogue.yaml_source import CatalogueError, FilePart
from pro.core.clinical.adverse_events import TermList
from pro.core.clinical.stopping_rule import ULCER_STATES, StoppingRule, StoppingStep
from pro.core.study_plan import VisitSchedule
from pro.core.translatable_sentence import Sentence

Days = Annotated[int, Field(ge=0, le=60)]


class StoppingStepFile(FilePart):
    """One step: so many ulcers among the first so many who were treated. Its consequence is in the words files."""

    id: str = Field(pattern=name_patterns.NAME)
    ulcers: int = Field(gt=0)
    of_first: int = Field(gt=0)


class StoppingRuleFile(FilePart):
    """The study's stopping rule for confirmed ulcers, and the settings of the list of ulcers."""

    demonstration: bool = Field(description="True until the investigator has confirmed the numbers; the page says so")
    of: int = Field(gt=0, description="How many participants the study treats")
    treated: str = Field(description="The anchor from which a participant counts as treated")
    ctcae_grade: int = Field(ge=1, le=5, description="The least CTCAE grade, by a clinician, that counts")
    ctcae_terms: tuple[str, ...] = Field(
        (), description="The CTCAE terms whose gradings by a clinician are grades of an ulcer; none: endoscopies alone"
    )
    steps: tuple[StoppingStepFile, ...] = Field(min_length=1, description="From the mildest consequence on")
    endoscopy_days: Days = Field(description="An endoscopy that was asked for is late after so many days")
    decision: str = Field(description="The anchor of the decision after 50 Gy")
    decision_days: Days = Field(description="Days before that decision from which it is on the to-do list")


def read_stopping(path: Path, file: StoppingRuleFile, visit_schedule: VisitSchedule | None) -> StoppingRule:
    """Return the stopping rule of a plan.

    Raises CatalogueError that names an unknown anchor or a step that is impossible.
    """
    if visit_schedule is None or not any("confirmed" in kind.sets.values() for kind in visit_schedule.anchors.values()):
        raise CatalogueError(
            path,
            "stopping_rule",
            Sentence("It counts confirmed ulcers, but the visit schedule has no anchor that confirms one."),
        )
    for where, anchor in (("treated", file.treated), ("decision", file.decision)):
        if anchor not in visit_schedule.anchors:
            raise CatalogueError(
                path,
                f"stopping_rule.{where}",
                Sentence("The visit schedule has no anchor “%(anchor)s”.", anchor=anchor),
            )
    ulcers, of_first = 0, 0
    names: set[str] = set(ULCER_STATES)
    for step in file.steps:
        place = Sentence("stopping_rule.steps %(step)s", step=step.id)
        if step.id in names:
            raise CatalogueError(path, place, Sentence("This name is already used. Each step needs its own name."))
        names.add(step.id)
        if not step.ulcers <= step.of_first <= file.of:
            sentence = Sentence(
                "This condition cannot be reached: %(ulcers)s of the first %(first)s, out of %(all)s in total.",
                ulcers=step.ulcers,
                first=step.of_first,
                all=file.of,
            )
            raise CatalogueError(path, place, sentence)
        if step.ulcers <= ulcers or step.of_first < of_first:
            raise CatalogueError(
                path, place, Sentence("Steps must be in ascending order: each needs more ulcers than the previous one.")
            )
        ulcers, of_first = step.ulcers, step.of_first
    return StoppingRule(
        of=file.of,
        treated=file.treated,
        ctcae_grade=file.ctcae_grade,
        steps=tuple(StoppingStep(step.id, step.ulcers, step.of_first) for step in file.steps),
        decision=file.decision,
        decision_days=file.decision_days,
        endoscopy_days=file.endoscopy_days,
        demonstration=file.demonstration,
        ctcae_terms=file.ctcae_terms,
    )


def check_terms(path: Path, rule: StoppingRule | None, terms: TermList) -> None:
    """Raise CatalogueError for a term that is not in ``terms``: its gradings would not count."""
    for name in rule.ctcae_terms if rule else ():
        if name not in terms.terms:
            raise CatalogueError(path, "stopping_rule.ctcae_terms", Sentence("There is no term “%(name)s”.", name=name))
