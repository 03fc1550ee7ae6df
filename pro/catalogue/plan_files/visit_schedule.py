"""Checks of a plan file's visit schedule: anchors, periods, visits (docs/domain.md 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from pro.catalogue.plan_files.visit_schedule_shape import (
    AnchorFile,
    PointFile,
    SeriesFile,
    VisitFile,
    VisitScheduleFile,
    WindowFile,
)
from pro.catalogue.yaml_source import CatalogueError
from pro.core.study_plan import (
    AlternativeVisit,
    AnchorKind,
    AnchorPoint,
    DailyTimes,
    Exposure,
    Period,
    Projection,
    ReminderRules,
    RiskPeriod,
    Visit,
    VisitSchedule,
    VisitSeries,
    VisitWindow,
)
from pro.core.translatable_sentence import Sentence
from pro.public_holidays import countries


def read_visit_schedule(path: Path, file: VisitScheduleFile, instruments: Collection[str]) -> VisitSchedule:
    """Check ``file`` and return it as visit schedule of the plan in ``path``.

    Raises CatalogueError that names the visit or anchor and the reason.
    """
    check = _ScheduleCheck(path, file, instruments)
    check.anchors()
    check.rest()
    check.phases()
    for place, visit in enumerate(file.visits):
        check.visit(place, visit)
    reminders = file.reminders
    return VisitSchedule(
        times=DailyTimes(_time(file.times.opens), _time(file.times.due), _time(file.times.closes)),
        reminder_rules=ReminderRules(
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
        participation_end=file.participation_end,
        apart=MappingProxyType(dict(file.apart)),
        risk=RiskPeriod(_point(file.risk.start), _point(file.risk.end)) if file.risk else None,
        holidays=file.holidays,
        baseline=file.baseline,
        phases=MappingProxyType(dict(file.phases)),
        exposures=tuple(Exposure(name, entry.doses, entry.last, entry.days) for name, entry in file.exposures.items()),
    )


class _ScheduleCheck:
    """Checks of one visit schedule. Each method raises CatalogueError at the first problem."""

    def __init__(self, path: Path, file: VisitScheduleFile, instruments: Collection[str]) -> None:
        self.path, self.file, self.instruments = path, file, instruments

    def anchors(self) -> None:
        """Check that anchors refer to known anchors and take defaults from earlier ones only."""
        before: set[str] = set()
        for name, entry in self.file.anchors.items():
            where = Sentence("anchor %(name)s", name=name)
            for other in (
                *entry.after,
                *entry.after_all,
                *entry.needs,
                *(entry.projection.until if entry.projection else ()),
            ):
                self.require_known(where, other)
            if entry.projection and not entry.most:
                self.refuse(where, Sentence("It occurs only once, so it cannot be projected; add “most”."))
            for number, point in entry.defaults.items():
                self.number(where, name, number)
                self.point(where, point)
                if point.anchor not in before:
                    self.refuse(
                        where,
                        Sentence(
                            "“%(anchor)s” must come before it: its default is calculated from it.",
                            anchor=point.anchor,
                        ),
                    )
            before.add(name)

    def rest(self) -> None:
        """Check everything but anchors and visits, from times to the risk period."""
        file = self.file
        if not _time(file.times.opens) < _time(file.times.due) <= _time(file.times.closes):
            self.refuse("visit_schedule.times", Sentence("A day must open first, then be due, then close."))
        if file.reminders.quiet_from == file.reminders.quiet_until:
            self.refuse("visit_schedule.reminders", Sentence("The start and end of the quiet hours must differ."))
        self.ascending("visit_schedule.reminders", file.reminders.hours)
        if file.holidays and file.holidays not in countries():
            self.refuse(
                "visit_schedule.holidays",
                Sentence(
                    "No holidays are known for “%(country)s”; use a country code, for example CN.",
                    country=file.holidays,
                ),
            )
        for name, period in file.periods.items():
            if name in file.anchors:
                self.refuse(Sentence("period %(name)s", name=name), Sentence("Another anchor has the same name."))
            for anchor in (*period.starts, *period.ends):
                self.require_known(Sentence("period %(name)s", name=name), anchor)
            if set(period.starts) & set(period.ends):
                self.refuse(
                    Sentence("period %(name)s", name=name), Sentence("Start and end cannot be the same anchor.")
                )
        for anchor in file.participation_end:
            self.require_known("visit_schedule.participation_end", anchor)
        for name in file.apart:
            if name not in self.instruments:
                self.refuse(
                    "visit_schedule.apart", Sentence("“%(name)s” is not an instrument of this plan.", name=name)
                )
        if file.baseline and file.baseline not in {visit.id for visit in file.visits}:
            self.refuse(
                "visit_schedule.baseline",
                Sentence("“%(visit)s” is not a visit of this visit schedule.", visit=file.baseline),
            )
        for name, exposure in file.exposures.items():
            for anchor in (*exposure.doses, exposure.last):
                self.require_known(Sentence("exposure %(name)s", name=name), anchor)
        if file.risk:
            self.point("visit_schedule.risk", file.risk.start)
            self.point("visit_schedule.risk", file.risk.end)

    def phases(self) -> None:
        """Check the anchors that begin the phases of the treatment."""
        for name, starts in self.file.phases.items():
            for anchor in starts:
                self.require_known(Sentence("phase %(name)s", name=name), anchor)

    def visit(self, place: int, visit: VisitFile) -> None:
        """Check the references, windows, reminders and recurrence of one visit."""
        where = Sentence("visit %(name)s", name=visit.id)
        if any(other.id == visit.id for other in self.file.visits[:place]):
            self.refuse(where, Sentence("Two visits have this id; each needs its own."))
        if visit.anchor not in self.file.periods:
            self.require_known(where, visit.anchor)
        for number in visit.numbers:
            self.number(where, visit.anchor, number)
        if visit.not_before:
            self.require_known(where, visit.not_before)
        for name in visit.not_during:
            if name not in self.file.periods:
                self.refuse(where, Sentence("“%(name)s” is not a period of this visit schedule.", name=name))
        for name in visit.continues_after:
            if name not in self.file.participation_end:
                self.refuse(
                    where,
                    Sentence("“%(name)s” is not in participation_end, so continues_after is not needed.", name=name),
                )
        self.ascending(where, visit.reminders_hours or ())
        for name, window in visit.windows.items():
            self.window(where, visit, name, window)
        if visit.alternative:
            self.require_known(where, visit.alternative.anchor)
            for name, window in visit.alternative.windows.items():
                self.window(where, visit, name, window)
        if visit.series:
            self.series(where, visit, visit.series)

    def window(self, where: str, visit: VisitFile, name: str, window: WindowFile) -> None:
        """Check one window of a visit: instrument, order of days, numbers, reminders."""
        if name not in self.instruments:
            self.refuse(
                where,
                Sentence(
                    "“%(name)s” is not an instrument of this plan; available: %(listed)s.",
                    name=name,
                    listed=tuple(self.instruments),
                ),
            )
        if window.closes < window.opens:
            self.refuse(
                where,
                Sentence(
                    "%(name)s closes on day %(closes)s, before it opens on day %(opens)s.",
                    name=name,
                    closes=window.closes,
                    opens=window.opens,
                ),
            )
        if not window.opens <= window.due <= window.closes:
            sentence = Sentence(
                "%(name)s is due on day %(due)s, outside its window %(opens)s to %(closes)s.",
                name=name,
                due=window.due,
                opens=window.opens,
                closes=window.closes,
            )
            self.refuse(where, sentence)
        for number in window.numbers:
            if number not in visit.numbers or len(visit.numbers) == 1:
                self.refuse(
                    where,
                    Sentence(
                        "%(name)s is scheduled at number %(number)s, but this visit does not occur at that number.",
                        name=name,
                        number=number,
                    ),
                )
        # Hours from opening to closing. Quiet hours may still move the last message beyond the end of the window.
        hours = 24 * (window.closes - window.opens) + _hours(self.file.times.opens, self.file.times.closes)
        reminder_hours = self.file.reminders.hours if visit.reminders_hours is None else visit.reminders_hours
        for hour in reminder_hours:
            if hour >= hours:
                self.refuse(
                    where,
                    Sentence(
                        "The reminder after %(hours)s hours would be sent after %(name)s has closed.",
                        hours=hour,
                        name=name,
                    ),
                )

    def series(self, where: str, visit: VisitFile, series: SeriesFile) -> None:
        """Check the recurrence of a visit."""
        if visit.alternative:
            self.refuse(where, Sentence("A recurring visit cannot use “alternative”."))
        if visit.numbers and len(visit.numbers) > 1:
            self.refuse(where, Sentence("A recurring visit uses exactly one number of its anchor."))
        if series.last < series.first:
            self.refuse(
                where,
                Sentence(
                    "It ends on day %(last)s, before it starts on day %(first)s.", last=series.last, first=series.first
                ),
            )
        steps = range(series.first, series.last + 1, series.every)
        for offset in series.but_not:
            if offset not in steps:
                self.refuse(where, Sentence("but_not: there is no recurrence on day %(day)s anyway.", day=offset))
        if series.until:
            self.point(where, series.until)
        if series.since:
            self.require_known(where, series.since)
        for name, window in visit.windows.items():
            if len(steps) > 1 and window.closes - window.opens >= series.every:
                self.refuse(
                    where,
                    Sentence("%(name)s would open again before it closes; shorten its window.", name=name),
                )
            if len(steps) > 1 and series.every < self.file.apart.get(name, 0):
                sentence = Sentence(
                    "%(name)s may be scheduled at most every %(apart)s days, not every %(every)s days.",
                    name=name,
                    apart=self.file.apart[name],
                    every=series.every,
                )
                self.refuse(where, sentence)

    def ascending(self, where: str, hours: tuple[int, ...]) -> None:
        """Check that reminder ``hours`` are ascending, each once."""
        if list(hours) != sorted(set(hours)):
            self.refuse(where, Sentence("Reminders must be in ascending order without repeats."))

    def point(self, where: str, point: PointFile) -> None:
        """Check that the anchor and the number of ``point`` exist."""
        self.require_known(where, point.anchor)
        self.number(where, point.anchor, point.number)

    def number(self, where: str, anchor: str, number: int) -> None:
        """Check that ``anchor`` can have ``number`` (0: an anchor without numbers)."""
        most = self.file.anchors[anchor].most if anchor in self.file.anchors else 0
        if not (1 <= number <= most if most else number == 0):
            if most:
                self.refuse(
                    where,
                    Sentence(
                        "%(anchor)s %(number)s does not exist: %(anchor)s is numbered 1 to %(most)s.",
                        anchor=anchor,
                        number=number,
                        most=most,
                    ),
                )
            self.refuse(
                where,
                Sentence(
                    "%(anchor)s %(number)s does not exist: %(anchor)s is not numbered.", anchor=anchor, number=number
                ),
            )

    def require_known(self, where: str, anchor: str) -> None:
        """Check that ``anchor`` exists."""
        if anchor not in self.file.anchors:
            listed = tuple(self.file.anchors)
            self.refuse(
                where,
                Sentence(
                    "“%(anchor)s” is not an anchor of this visit schedule; available: %(listed)s.",
                    anchor=anchor,
                    listed=listed,
                ),
            )

    def refuse(self, where: str, sentence: Sentence) -> NoReturn:
        """Raise CatalogueError for the plan."""
        raise CatalogueError(self.path, where, sentence)


def _time(text: str) -> time:
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))


def _hours(start: str, end: str) -> float:
    return (_time(end).hour - _time(start).hour) + (_time(end).minute - _time(start).minute) / 60


def _point(entry: PointFile) -> AnchorPoint:
    return AnchorPoint(entry.anchor, entry.number, entry.days)


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


def _windows(entries: Mapping[str, WindowFile]) -> tuple[VisitWindow, ...]:
    return tuple(VisitWindow(name, w.opens, w.due, w.closes, w.mandatory, w.numbers) for name, w in entries.items())


def _visit(entry: VisitFile) -> Visit:
    series = entry.series
    hours = entry.reminders_hours
    return Visit(
        id=entry.id,
        anchor=entry.anchor,
        windows=_windows(entry.windows),
        numbers=entry.numbers,
        series=VisitSeries(
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
        continues_after=entry.continues_after,
        rank=entry.rank,
        reminders=None if hours is None else tuple(60 * hour for hour in hours),
        alternative=AlternativeVisit(entry.alternative.anchor, _windows(entry.alternative.windows))
        if entry.alternative
        else None,
    )
