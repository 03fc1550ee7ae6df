"""Shape of the visit schedule in a plan file; ``visit_schedule`` checks if it is possible."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue import name_patterns
from pro.catalogue.yaml_source import FilePart

Hour = Annotated[str, Field(pattern=name_patterns.HOUR)]
# At most 24 characters: the full name of a visit (visit, anchor, number, recurrence) must fit into one column.
Name = Annotated[str, Field(pattern=name_patterns.NAME, max_length=24)]
Days = Annotated[int, Field(ge=-400, le=4000)]


class PointFile(FilePart):
    """A day counted from an anchor: ``days`` after its ``number``."""

    anchor: Name
    number: int = Field(0, ge=0, description="0 for an anchor that happens once")
    days: Days = 0


class ProjectionFile(FilePart):
    """How later numbers of an anchor follow from the last known one while none is recorded."""

    every: int = Field(gt=0, le=366)
    unit: Literal["days", "working_days"] = "days"
    until: tuple[Name, ...] = Field((), description="Nothing is projected beyond a recorded anchor of these kinds")
    within_days: int = Field(0, ge=0, description="... nor this many days after the first one (0: no such limit)")


class AnchorFile(FilePart):
    """One kind of dated event. Without ``most`` it happens once; with it, it is numbered from 1."""

    most: int = Field(0, ge=0, le=400)
    plannable: bool = Field(False, description="Its date may lie in the future, as a plan")
    after: tuple[Name, ...] = Field((), description="Kinds that it must not precede, as far as they are recorded")
    after_all: tuple[Name, ...] = Field((), description="Kinds of which none that happened may be later")
    needs: tuple[Name, ...] = Field((), description="One of these must be recorded by its date")
    last: bool = Field(False, description="Nothing that happened can be later")
    defaults: dict[int, PointFile] = Field({}, description="Number -> the day it is taken to be until it is recorded")
    projection: ProjectionFile | None = None
    sets: dict[str, str] = Field({}, description="Clinical facts that its latest record sets")


class ExposureFile(FilePart):
    """A fact that is true from the first of ``doses`` until ``days`` after the ``last``."""

    doses: tuple[Name, ...] = Field(min_length=1)
    last: Name
    days: int = Field(gt=0)


class PeriodFile(FilePart):
    """A stretch of time from any of ``starts`` to any of ``ends``."""

    starts: tuple[Name, ...] = Field(min_length=1)
    ends: tuple[Name, ...] = Field(min_length=1)


class WindowFile(FilePart):
    """Days before (-) or after the visit's day on which the window opens, is due and closes."""

    opens: Days
    due: Days = 0
    closes: Days
    mandatory: bool = True
    numbers: tuple[int, ...] = Field((), description="Only at these numbers of the visit's anchor")


class SeriesFile(FilePart):
    """How a visit recurs, in days after its anchor."""

    first: Days
    every: int = Field(gt=0)
    last: Days
    but_not: tuple[int, ...] = ()
    until: PointFile | None = Field(None, description="Only before this day")
    since: str = Field("", description="Only from the first anchor of this kind on")


class AlternativeVisitFile(FilePart):
    """Where the visit stands until its own anchor is known."""

    anchor: Name
    windows: dict[Name, WindowFile] = Field(min_length=1)


class VisitFile(FilePart):
    """One visit. ``anchor`` is an anchor, or a period: then it begins again at each start and ends with the period."""

    id: Name
    anchor: Name
    windows: dict[Name, WindowFile] = Field(min_length=1, description="Instrument -> its window")
    numbers: tuple[int, ...] = ()
    series: SeriesFile | None = None
    not_before: str = Field("", description="Its windows open on this anchor's day at the earliest")
    not_during: tuple[Name, ...] = Field((), description="It is not expected during these periods")
    continues_after: tuple[Name, ...] = Field((), description="Stops that do not end it")
    rank: int = Field(9, ge=1, le=9, description="Who is served first when planned days are equally near")
    reminders_hours: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    alternative: AlternativeVisitFile | None = None


class TimesFile(FilePart):
    """Local times of the participant."""

    opens: Hour
    due: Hour
    closes: Hour


class RemindersFile(FilePart):
    """When messages go out: hours after a window opened, and the limits on all of them."""

    hours: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    quiet_from: Hour
    quiet_until: Hour
    per_day: int = Field(gt=0, description="At most so many a day and participant")
    stale_hours: int = Field(gt=0, le=24, description="One that could not go out for so long is dropped")
    by: Literal["link", "code", "sms"] = Field(
        "link", description="What it carries: a link, a code for the fixed address, or the first question (sms)"
    )


class RiskFile(FilePart):
    """From when to when one missed check-in is enough for a phone call."""

    start: PointFile
    end: PointFile


class VisitScheduleFile(FilePart):
    """Who is asked what and when."""

    times: TimesFile
    reminders: RemindersFile
    apart: dict[Name, Annotated[int, Field(gt=0)]] = Field(
        {}, description="Instrument -> days that must lie between two answers"
    )
    holidays: str = Field("", description="Country (CN) whose public holidays are no working days; empty for none")
    participation_end: tuple[Name, ...] = Field((), description="Anchors after which nothing more is expected")
    risk: RiskFile | None = None
    baseline: str = Field("", description="The visit whose form later ones are compared with")
    exposures: dict[str, ExposureFile] = Field({}, description="Facts that follow from doses")
    anchors: dict[Name, AnchorFile] = Field(min_length=1)
    phases: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(
        {}, description="Phase of the treatment, in order -> the anchors that begin it; the last that has begun holds"
    )
    periods: dict[Name, PeriodFile] = {}
    visits: tuple[VisitFile, ...] = Field(min_length=1)
