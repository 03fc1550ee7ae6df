"""Files of clinical importance (``pro/data/importance/*.yaml``; docs/domain.md 1.7, 1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.questionnaire.clinical_importance import ClinicalImportance, FigureSource
from pro.core.questionnaire.instrument import Instrument

Points = Annotated[int, Field(strict=True, ge=1, le=100)]


class SourceFile(FilePart):
    """Where figures come from, and whether a second reader compared them with it."""

    source: str = Field(min_length=1, description="Author and year, as pages name it")
    reference: str = Field(min_length=1)
    verified: bool


class ThresholdsFile(SourceFile):
    """Scale -> important below (functions) or above (symptoms)."""

    scales: dict[str, Points] = Field(min_length=1)


class ShownFile(SourceFile):
    """From how many points on a change is said to be one."""

    points: Points


class ChangesFile(SourceFile):
    """Scale -> from the first figure on small, above the second medium, above the third large."""

    better: dict[str, Annotated[tuple[Points, ...], Field(min_length=1, max_length=3)]]
    worse: dict[str, Annotated[tuple[Points, ...], Field(min_length=1, max_length=3)]]


class ImportanceFile(FilePart):
    """A whole file about one instrument in one version."""

    instrument: str
    instrument_version: str
    thresholds: ThresholdsFile
    shown: ShownFile
    changes: ChangesFile


def read_importance(path: Path, instruments: Mapping[str, Instrument]) -> ClinicalImportance:
    """Read the thresholds and important changes in ``path``.

    Raises CatalogueError for an unknown instrument, version or scale, or figures that are not in order.
    """
    file = parse_file(path, ImportanceFile)
    instrument = instruments.get(file.instrument)
    if instrument is None or file.instrument != path.stem:
        raise CatalogueError(path, "instrument", "Give the file the name of the instrument that it is about.")
    if file.instrument_version != instrument.version:
        sentence = f"It is about version {file.instrument_version}; the instrument here is {instrument.version}."
        raise CatalogueError(path, "instrument_version", sentence)
    changes = {"changes.better": file.changes.better, "changes.worse": file.changes.worse}
    scales = [("thresholds.scales", scale) for scale in file.thresholds.scales]
    scales += [(where, scale) for where, table in changes.items() for scale in table]
    for where, scale in scales:
        if scale not in instrument.scales:
            raise CatalogueError(path, f"{where}.{scale}", f"“{scale}” is no scale of {instrument.id}.")
    for where, bounds in changes.items():
        for scale, figures in bounds.items():
            if list(figures) != sorted(set(figures)):
                raise CatalogueError(path, f"{where}.{scale}", "Each figure must be above the one before it.")
    return ClinicalImportance(
        instrument=instrument.id,
        thresholds=MappingProxyType(file.thresholds.scales),
        threshold_source=_source(file.thresholds),
        points=file.shown.points,
        points_source=_source(file.shown),
        better=MappingProxyType(file.changes.better),
        worse=MappingProxyType(file.changes.worse),
        change_source=_source(file.changes),
    )


def _source(file: SourceFile) -> FigureSource:
    return FigureSource(file.source, file.reference, file.verified)
