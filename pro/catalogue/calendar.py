"""The calendar of a plan file: anchors, periods and visits, refused with the visit and the reason when impossible."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import time
from pathlib import Path
from types import MappingProxyType

from pro.calendars import countries
from pro.catalogue.calendar_file import (
    AnchorFile,
    CalendarFile,
    PointFile,
    SeriesFile,
    VisitFile,
    WindowFile,
)
from pro.catalogue.source import CatalogueError
from pro.core.plan import (
    AnchorKind,
    Calendar,
    Exposure,
    Otherwise,
    Period,
    Point,
    Projection,
    Reminding,
    Risk,
    Series,
    Times,
    Visit,
    Window,
)


def read_calendar(path: Path, file: CalendarFile, instruments: Collection[str]) -> Calendar:
    """``file`` as the plan in ``path`` says it. CatalogueError names the visit or anchor and what is impossible."""
    check = _Check(path, file, instruments)
    check.anchors()
    check.rest()
    for place, visit in enumerate(file.visits):
        check.visit(place, visit)
    reminders = file.reminders
    return Calendar(
        times=Times(_time(file.times.opens), _time(file.times.due), _time(file.times.closes)),
        reminding=Reminding(
            minutes=tuple(60 * hours for hours in reminders.hours),
            quiet_from=_time(reminders.quiet_from),
            quiet_until=_time(reminders.quiet_until),
            per_day=reminders.per_day,
            stale_minutes=60 * reminders.stale_hours,
            by=reminders.by,
        ),
        anchors=MappingProxyType({name: _anchor(name, entry) for name, entry in file.anchors.items()}),
        periods=MappingProxyType(
            {name: Period(name, entry.starts, entry.ends) for name, entry in file.periods.items()}
        ),
        visits=tuple(_visit(entry) for entry in file.visits),
        stops=file.stops,
        apart=MappingProxyType(dict(file.apart)),
        risk=Risk(_point(file.risk.start), _point(file.risk.end)) if file.risk else None,
        holidays=file.holidays,
        baseline=file.baseline,
        exposures=tuple(Exposure(name, entry.doses, entry.last, entry.days) for name, entry in file.exposures.items()),
    )


class _Check:
    """Everything in a calendar that cannot be, one question a method."""

    def __init__(self, path: Path, file: CalendarFile, instruments: Collection[str]) -> None:
        self.path, self.file, self.instruments = path, file, instruments

    def anchors(self) -> None:
        """Anchors refer to known ones, and take their defaults only from those that stand before them."""
        before: set[str] = set()
        for name, entry in self.file.anchors.items():
            where = f"anchor {name}"
            for other in (
                *entry.after,
                *entry.after_all,
                *entry.needs,
                *(entry.projection.until if entry.projection else ()),
            ):
                self.known(where, other)
            if entry.projection and not entry.most:
                self.refuse(where, "It happens once, so nothing can be projected from it; say “most”.")
            for number, point in entry.defaults.items():
                self.number(where, name, number)
                self.point(where, point)
                if point.anchor not in before:
                    self.refuse(where, f"“{point.anchor}” must stand above it: its default is worked out from there.")
            before.add(name)

    def rest(self) -> None:
        """Times, reminders, periods, stops and the risk window."""
        file = self.file
        if not _time(file.times.opens) < _time(file.times.due) <= _time(file.times.closes):
            self.refuse("calendar.times", "A day opens first, is due then, and closes last.")
        if file.reminders.quiet_from == file.reminders.quiet_until:
            self.refuse("calendar.reminders", "Quiet hours that end when they begin never end, or never begin.")
        self.ascending("calendar.reminders", file.reminders.hours)
        if file.holidays and file.holidays not in countries():
            self.refuse("calendar.holidays", f"The holidays of “{file.holidays}” are not known; write it as in CN.")
        for name, period in file.periods.items():
            if name in file.anchors:
                self.refuse(f"period {name}", "An anchor has the same name.")
            for anchor in (*period.starts, *period.ends):
                self.known(f"period {name}", anchor)
            if set(period.starts) & set(period.ends):
                self.refuse(f"period {name}", "The same anchor cannot begin and end it.")
        for anchor in file.stops:
            self.known("calendar.stops", anchor)
        for name in file.apart:
            if name not in self.instruments:
                self.refuse("calendar.apart", f"“{name}” is not an instrument of this plan.")
        if file.baseline and file.baseline not in {visit.id for visit in file.visits}:
            self.refuse("calendar.baseline", f"“{file.baseline}” is not a visit of this calendar.")
        for name, exposure in file.exposures.items():
            for anchor in (*exposure.doses, exposure.last):
                self.known(f"exposure {name}", anchor)
        if file.risk:
            self.point("calendar.risk", file.risk.start)
            self.point("calendar.risk", file.risk.end)

    def visit(self, place: int, visit: VisitFile) -> None:
        """One visit: what it refers to exists, its windows are not inverted, and its turns do not overlap."""
        where = f"visit {visit.id}"
        if any(other.id == visit.id for other in self.file.visits[:place]):
            self.refuse(where, "There are two visits of this id; each needs its own.")
        if visit.anchor not in self.file.periods:
            self.known(where, visit.anchor)
        for number in visit.numbers:
            self.number(where, visit.anchor, number)
        if visit.not_before:
            self.known(where, visit.not_before)
        for name in visit.not_during:
            if name not in self.file.periods:
                self.refuse(where, f"“{name}” is not a period of this calendar.")
        for name in visit.outlives:
            if name not in self.file.stops:
                self.refuse(where, f"“{name}” is not a stop, so there is nothing to outlive.")
        self.ascending(where, visit.reminders_hours or ())
        for name, window in visit.windows.items():
            self.window(where, visit, name, window)
        if visit.otherwise:
            self.known(where, visit.otherwise.anchor)
            for name, window in visit.otherwise.windows.items():
                self.window(where, visit, name, window)
        if visit.series:
            self.series(where, visit, visit.series)

    def window(self, where: str, visit: VisitFile, name: str, window: WindowFile) -> None:
        """One window of a visit."""
        if name not in self.instruments:
            self.refuse(where, f"“{name}” is not an instrument of this plan; it has {', '.join(self.instruments)}.")
        if window.closes < window.opens:
            self.refuse(where, f"{name} closes on day {window.closes}, before it opens on day {window.opens}.")
        if not window.opens <= window.due <= window.closes:
            sentence = f"{name} is due on day {window.due}, outside its window {window.opens} to {window.closes}."
            self.refuse(where, sentence)
        for number in window.numbers:
            if number not in visit.numbers or len(visit.numbers) == 1:
                self.refuse(where, f"{name} is asked at number {number}, but the visit does not take place there.")
        # Seen from the opening; the participant's night may still push the last message past the window's end.
        hours = 24 * (window.closes - window.opens) + _hours(self.file.times.opens, self.file.times.closes)
        ladder = self.file.reminders.hours if visit.reminders_hours is None else visit.reminders_hours
        for hour in ladder:
            if hour >= hours:
                self.refuse(where, f"Its message after {hour} hours would come when {name} has closed.")

    def series(self, where: str, visit: VisitFile, series: SeriesFile) -> None:
        """The recurrences of a visit."""
        if visit.otherwise:
            self.refuse(where, "A visit that recurs cannot stand elsewhere until its anchor is known.")
        if visit.numbers and len(visit.numbers) > 1:
            self.refuse(where, "A visit that recurs counts from one number of its anchor.")
        if series.last < series.first:
            self.refuse(where, f"It ends on day {series.last}, before it begins on day {series.first}.")
        steps = range(series.first, series.last + 1, series.every)
        for offset in series.but_not:
            if offset not in steps:
                self.refuse(where, f"but_not: it does not recur on day {offset} anyway.")
        if series.until:
            self.point(where, series.until)
        if series.since:
            self.known(where, series.since)
        for name, window in visit.windows.items():
            if len(steps) > 1 and window.closes - window.opens >= series.every:
                self.refuse(where, f"{name} would open again before it has closed; make its window shorter.")
            if len(steps) > 1 and series.every < self.file.apart.get(name, 0):
                sentence = f"{name} may be asked every {self.file.apart[name]} days at most, not every {series.every}."
                self.refuse(where, sentence)

    def ascending(self, where: str, hours: tuple[int, ...]) -> None:
        """A ladder is climbed upwards."""
        if list(hours) != sorted(set(hours)):
            self.refuse(where, "Its reminders must stand in order of time, each once.")

    def point(self, where: str, point: PointFile) -> None:
        """A day told by an anchor that exists, at a number that exists."""
        self.known(where, point.anchor)
        self.number(where, point.anchor, point.number)

    def number(self, where: str, anchor: str, number: int) -> None:
        """``anchor`` can have ``number``."""
        most = self.file.anchors[anchor].most if anchor in self.file.anchors else 0
        if not (1 <= number <= most if most else number == 0):
            span = f"is numbered 1 to {most}" if most else "has no numbers"
            self.refuse(where, f"There is no {anchor} {number}: {anchor} {span}.")

    def known(self, where: str, anchor: str) -> None:
        """``anchor`` is an anchor of this calendar."""
        if anchor not in self.file.anchors:
            listed = ", ".join(self.file.anchors)
            self.refuse(where, f"“{anchor}” is not an anchor of this calendar; known are {listed}.")

    def refuse(self, where: str, sentence: str) -> None:
        """The plan is refused."""
        raise CatalogueError(self.path, where, sentence)


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))


def _hours(start: str, end: str) -> float:
    return (_time(end).hour - _time(start).hour) + (_time(end).minute - _time(start).minute) / 60


def _point(entry: PointFile) -> Point:
    return Point(entry.anchor, entry.number, entry.days)


def _anchor(name: str, entry: AnchorFile) -> AnchorKind:
    rule = entry.projection
    return AnchorKind(
        id=name,
        most=entry.most,
        plannable=entry.plannable,
        after=entry.after,
        after_all=entry.after_all,
        needs=entry.needs,
        last=entry.last,
        defaults=tuple((number, _point(point)) for number, point in entry.defaults.items()),
        projection=Projection(rule.every, rule.unit == "working_days", rule.until, rule.within_days) if rule else None,
        sets=MappingProxyType(dict(entry.sets)),
    )


def _windows(entries: Mapping[str, WindowFile]) -> tuple[Window, ...]:
    return tuple(Window(name, w.opens, w.due, w.closes, w.mandatory, w.numbers) for name, w in entries.items())


def _visit(entry: VisitFile) -> Visit:
    series = entry.series
    hours = entry.reminders_hours
    return Visit(
        id=entry.id,
        anchor=entry.anchor,
        windows=_windows(entry.windows),
        numbers=entry.numbers,
        series=Series(
            first=series.first,
            every=series.every,
            last=series.last,
            but_not=series.but_not,
            until=_point(series.until) if series.until else None,
            since=series.since,
        )
        if series
        else None,
        not_before=entry.not_before,
        not_during=entry.not_during,
        outlives=entry.outlives,
        rank=entry.rank,
        reminders=None if hours is None else tuple(60 * hour for hour in hours),
        otherwise=Otherwise(entry.otherwise.anchor, _windows(entry.otherwise.windows)) if entry.otherwise else None,
    )
