"""File with the anchor dates of an example participant, for a preview of a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.schedule.anchors import DatedAnchor
from pro.core.schedule.form_matching import AnsweredForm
from pro.core.study_plan import AnchorKind, PlanWords, StudyPlan, VisitSchedule

DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})( planned)?\Z")
SHORT_YEAR = re.compile(r"[0-9]{1,3}[-/.][0-9]{1,2}[-/.][0-9]{1,2}.*|[0-9]{5,}-[0-9]{1,2}-[0-9]{1,2}.*")
# A year outside is a slip of the keyboard.
FIRST_YEAR, LAST_YEAR = 2000, 2199
# Spreadsheets count days; serials from 2000-01-01 to 2099-12-31, perhaps with a time of day.
SERIAL = re.compile(r"([0-9]{5})(?:\.[0-9]+)?( planned)?")
SPREADSHEET_DAY_0 = date(1899, 12, 30)
SERIALS = (36526, 73050)


Day = str | int | None


class AnsweredFile(FilePart):
    """A form that was answered: when, in the participant's time."""

    instrument: str
    at: str
    visit: str = ""


class ExampleFile(FilePart):
    """A whole anchors file. Each anchor has a day, or its days in order, or its days by number."""

    time_zone: str
    # A number is no day; it is read so that the refusal can say which day a spreadsheet means by it.
    anchors: dict[str, Day | dict[int, Day] | list[Day]] = Field(min_length=1)
    answered: tuple[AnsweredFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleParticipant:
    """An example participant: anchor dates, time zone, forms that were answered."""

    time_zone: str
    anchors: tuple[DatedAnchor, ...]
    forms: tuple[AnsweredForm, ...]


def anchors_template(plan: StudyPlan, visit_schedule: VisitSchedule, words: PlanWords) -> str:
    """Return an empty anchors file for ``plan``, in which only the dates are missing."""
    lines = [
        f"# Anchors of one example participant, for: flask plan preview {plan.id} --anchors FILE",
        "# Write a day as 2027-01-04, or as 2027-01-04 planned. Anchors with numbers: {1: 2027-01-04, 28: 2027-02-25}",
        "# or [2027-01-04, 2027-01-05, ...] from number 1 on. What is left empty has not happened.",
        f"time_zone: {plan.settings.time_zone}",
        "anchors:",
    ]
    for name, kind in visit_schedule.anchors.items():
        often = f"number 1 to {kind.most}" if kind.most else "once"
        lines.append(f"  # {words.anchors[name]}: {often}{', may be planned' if kind.plannable else ''}")
        lines.append(f"  {name}:{' {}' if kind.most else ''}")
    lines.append("# Forms that were answered, as - {instrument: qlq_c30, at: 2027-01-04 09:30}")
    lines.append("answered: []")
    return "\n".join(lines) + "\n"


def read_example(path: Path, plan: StudyPlan, visit_schedule: VisitSchedule) -> ExampleParticipant:
    """Read the example participant in ``path``.

    Raises CatalogueError that names the anchor and the value that cannot be read.
    """
    file = parse_file(path, ExampleFile)
    try:
        zone = ZoneInfo(file.time_zone)
    except (KeyError, ValueError, OSError) as problem:
        sentence = f"“{file.time_zone}” is not a time zone; write it as in Asia/Shanghai."
        raise CatalogueError(path, "time_zone", sentence) from problem
    anchors = []
    for name, entry in file.anchors.items():
        kind = visit_schedule.anchors.get(name)
        if kind is None:
            known = ", ".join(visit_schedule.anchors)
            raise CatalogueError(path, f"anchors.{name}", f"There is no such anchor; there are {known}.")
        for number, text in _numbered(kind, entry):
            if text is not None:
                anchors.append(_anchor(path, name, number, str(text)))
    forms = []
    for place, answered in enumerate(file.answered, 1):
        if answered.instrument not in plan.instruments:
            listed = ", ".join(plan.instruments)
            sentence = f"“{answered.instrument}” is not an instrument of this plan; it has {listed}."
            raise CatalogueError(path, f"answered.{place}", sentence)
        when = read_moment(answered.at, zone)
        if when is None:
            sentence = f"“{answered.at}” is not a time; write it as 2027-01-04 09:30."
            raise CatalogueError(path, f"answered.{place}", sentence)
        forms.append(AnsweredForm(str(place), answered.instrument, when, answered.visit))
    return ExampleParticipant(file.time_zone, tuple(anchors), tuple(forms))


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Parse a date, or a date and time, and return it as UTC; None if ``text`` is neither, or of another century.

    ``zone``: its time zone, unless ``text`` has an offset.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)


def _numbered(kind: AnchorKind, entry: Day | Mapping[int, Day] | list[Day]) -> Iterator[tuple[int, Day]]:
    if isinstance(entry, Mapping):
        yield from entry.items()
    elif isinstance(entry, list):
        yield from enumerate(entry, 1)
    else:
        yield (1 if kind.most else 0), entry


def _anchor(path: Path, name: str, number: int, text: str) -> DatedAnchor:
    where = f"anchors.{name}{f'.{number}' if number else ''}"
    found = DAY.match(text)
    if found is None:
        raise CatalogueError(path, where, _day_sentence(text))
    try:
        on = date.fromisoformat(found[1])
    except ValueError as problem:
        sentence = f"“{text}” is not a date; write it as 2027-01-04, or as 2027-01-04 planned."
        raise CatalogueError(path, where, sentence) from problem
    if not FIRST_YEAR <= on.year <= LAST_YEAR:
        sentence = f"“{text}”: the year must be from {FIRST_YEAR} to {LAST_YEAR}."
        raise CatalogueError(path, where, sentence)
    return DatedAnchor(name, number, on, bool(found[2]))


def _day_sentence(text: str) -> str:
    """Return why ``text`` is not a date; a spreadsheet's serial number is explained."""
    how = "write it as 2027-01-04, or as 2027-01-04 planned."
    serial = SERIAL.fullmatch(text)
    if serial and SERIALS[0] <= int(serial[1]) <= SERIALS[1]:
        day = SPREADSHEET_DAY_0 + timedelta(days=int(serial[1]))
        return f"“{text}” is how a spreadsheet stores {day.isoformat()}, not a day; {how}"
    if SHORT_YEAR.fullmatch(text):
        return f"“{text}” is not a date: the year needs four digits; {how}"
    return f"“{text}” is not a date; {how}"
