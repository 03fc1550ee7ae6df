"""The pre-dose summary of a plan file: which items it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart
from pro.core.clinical.pre_dose import PreDoseSettings
from pro.core.questionnaire.instrument import Instrument
from pro.core.translatable_sentence import Sentence


class PreDoseSummaryFile(FilePart):
    """What is looked at before the next dose."""

    instrument: str
    group: str = Field("", description="Group of the instrument whose items are shown")
    stops: tuple[str, ...] = Field((), description="Items that may stop a dose; they stand first")
    items: tuple[str, ...] = Field((), description="Further items")
    weight: str = Field("", description="Item that holds a weight")
    scored: str = Field("", description="Instrument whose scores are summed up")
    old_days: int = Field(gt=0, description="An older form does not show the current state")


def read_pre_dose(
    path: Path, file: PreDoseSummaryFile, plan: tuple[str, ...], instruments: Mapping[str, Instrument]
) -> PreDoseSettings:
    """Return the settings of the pre-dose summary, items in the order of the instrument.

    Raises CatalogueError that names an item that is unknown or listed twice.
    """
    for where, name in (("instrument", file.instrument), ("scored", file.scored or file.instrument)):
        if name not in plan:
            raise CatalogueError(
                path, f"pre_dose_summary.{where}", Sentence("“%(name)s” is not an instrument of this plan.", name=name)
            )
    instrument = instruments[file.instrument]
    if file.group and file.group not in instrument.groups:
        raise CatalogueError(
            path,
            "pre_dose_summary.group",
            Sentence("%(instrument)s has no group “%(group)s”.", instrument=instrument.id, group=file.group),
        )
    further = (*instrument.groups.get(file.group, ()), *file.items)
    named = [*file.stops, *further]
    for name in named:
        if name not in instrument.items or instrument.items[name].kind != "choice":
            raise CatalogueError(
                path,
                "pre_dose_summary.items",
                Sentence("“%(name)s” is not a choice of %(instrument)s.", name=name, instrument=instrument.id),
            )
        if named.count(name) > 1:
            raise CatalogueError(
                path,
                "pre_dose_summary.items",
                Sentence("“%(name)s” appears %(times)s times.", name=name, times=named.count(name)),
            )
    if file.weight and (file.weight not in instrument.items or instrument.items[file.weight].kind != "number"):
        raise CatalogueError(
            path,
            "pre_dose_summary.weight",
            Sentence("“%(name)s” is not a number of %(instrument)s.", name=file.weight, instrument=instrument.id),
        )
    stops, items = (tuple(name for name in instrument.items if name in part) for part in (file.stops, further))
    return PreDoseSettings(instrument.id, stops, items, file.weight, file.scored, file.old_days)
