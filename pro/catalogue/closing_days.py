"""The site's own days off and working days."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.schedule.anchors import WorkingDays
from pro.public_holidays import working_days

DaySpan = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(?:/\d{4}-\d{2}-\d{2})?$")]
MAX_SPAN_DAYS = 60


class DaysFile(FilePart):
    """Days as 2027-02-04, or from the first to the last as 2027-02-04/2027-02-10."""

    off: tuple[DaySpan, ...] = ()
    working: tuple[DaySpan, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteDays:
    """The site's days off (``off``), and working days that would else be free (``on``)."""

    off: Set[date] = frozenset()
    on: Set[date] = frozenset()


def read_site_days(path: Path) -> SiteDays:
    """Read the site's file of days.

    Raises CatalogueError if a text is not a date or a span of days, or a day is in both lists.
    """
    file = parse_file(path, DaysFile)
    found = SiteDays(_days(path, "off", file.off), _days(path, "working", file.working))
    for day in sorted(found.off & found.on):
        raise CatalogueError(path, "working", f"{day} is in both lists; is it a working day or not?")
    return found


def read_working_days(country: str, path: Path | None = None) -> WorkingDays:
    """Return the working days of ``country``, changed by the site's file ``path`` if given.

    Raises CatalogueError if the file is invalid.
    """
    days = read_site_days(path) if path else SiteDays()
    return working_days(country, days.off, days.on)


def _days(path: Path, where: str, spans: tuple[str, ...]) -> set[date]:
    found: set[date] = set()
    for span in spans:
        start, _, end = span.partition("/")
        try:
            first, last = date.fromisoformat(start), date.fromisoformat(end or start)
        except ValueError as problem:
            raise CatalogueError(path, where, f"“{span}” is not a date.") from problem
        if not 0 <= (last - first).days < MAX_SPAN_DAYS:
            raise CatalogueError(path, where, f"“{span}” must run forward, and over fewer than {MAX_SPAN_DAYS} days.")
        found |= {first + timedelta(days=ahead) for ahead in range((last - first).days + 1)}
    return found
