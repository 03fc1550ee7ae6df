"""Columns of the visit matrix: every visit of a schedule in the order of the treatment, in groups by phase.

The order comes from a nominal course, in which every phase begins a week after the last known day before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.schedule.anchors import DatedAnchor, resolve_days
from pro.core.schedule.expected_visits import NO_DAYS_OFF, list_expected_visits
from pro.core.study_plan import Visit, VisitSchedule

# Parts of the schedule, each with columns of its own. COURSE: from baseline to half a year after the last phase with a
# fixed number of visits. LATER: repeated treatment, events and follow-up. Periods (an ulcer) are parts by their own id.
COURSE, LATER = "course", "later"
COURSE_DAYS = 182
# Group of the visits before the first phase.
BEFORE = ""
NOMINAL_START, NOMINAL_GAP = date(2024, 1, 1), timedelta(days=7)

# (kind, number) of a visit, as stored with an expected form.
VisitKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class VisitColumn:
    """One visit of the schedule. ``group``: phase or period it belongs to.

    ``days``: days from its anchor to the visit, 0 unless it recurs. ``fixed``: every participant is expected to have
    it; other columns are shown only once they were opened.
    """

    kind: str
    number: int
    group: str
    part: str
    days: int
    fixed: bool

    @property
    def key(self) -> VisitKey:
        """(kind, number)."""
        return self.kind, self.number


def list_columns(calendar: VisitSchedule) -> tuple[VisitColumn, ...]:
    """Return a column for each visit of ``calendar``, in the order of the treatment."""
    groups, nominal = visit_groups(calendar), _nominal_days(calendar)
    order = {group: place for place, group in enumerate([BEFORE, *calendar.phases, *calendar.periods])}
    found = []
    for place, visit in enumerate(calendar.visits):
        for number, days in _numbers(calendar, visit):
            group = groups[visit.id]
            part = _part(calendar, visit, days)
            key = (visit.id, number)
            column = VisitColumn(visit.id, number, group, part, days, part == COURSE and key in nominal)
            found.append((order[group], nominal.get(key, date.max), place, number, column))
    return tuple(column for *_place, column in sorted(found, key=lambda one: one[:4]))


def visit_groups(calendar: VisitSchedule) -> Mapping[str, str]:
    """Return visit id -> group: the phase that its anchor begins, else that of the visit listed before it."""
    begins = {anchor: phase for phase, anchors in calendar.phases.items() for anchor in anchors}
    found: dict[str, str] = {}
    group = BEFORE
    for visit in calendar.visits:
        if visit.anchor in calendar.periods:
            found[visit.id] = visit.anchor
            continue
        if visit.id != calendar.baseline:
            group = begins.get(_counted_from(visit), group)
        found[visit.id] = group
    return found


def shown_columns(columns: Sequence[VisitColumn], part: str, opened: Collection[VisitKey]) -> tuple[VisitColumn, ...]:
    """Return the columns of ``part`` that every participant has, and those that were ``opened``."""
    return tuple(column for column in columns if column.part == part and (column.fixed or column.key in opened))


def _counted_from(visit: Visit) -> str:
    """Return the anchor that a visit needs: the one that its series waits for, else its own."""
    return visit.series.since if visit.series and visit.series.since else visit.anchor


def _numbers(calendar: VisitSchedule, visit: Visit) -> list[tuple[int, int]]:
    """Return the (number, days from the anchor) under which a visit is stored."""
    series = visit.series
    if series is not None:
        if series.first == series.last:
            return [(0, series.first)]
        offsets = enumerate(range(series.first, series.last + 1, series.every), 1)
        return [(number, days) for number, days in offsets if days not in series.but_not]
    if visit.anchor in calendar.periods:
        return [(0, 0)]
    most = calendar.anchors[visit.anchor].most
    if not most or len(visit.numbers) == 1:
        return [(0, 0)]
    return [(number, 0) for number in (visit.numbers or range(1, most + 1))]


def _part(calendar: VisitSchedule, visit: Visit, days: int) -> str:
    if visit.anchor in calendar.periods:
        return visit.anchor
    order = list(calendar.anchors)
    repeated = _first_repeated(calendar)
    is_later = repeated is not None and order.index(_counted_from(visit)) >= order.index(repeated)
    return LATER if is_later or days > COURSE_DAYS else COURSE


def _first_repeated(calendar: VisitSchedule) -> str | None:
    """Return the first anchor that repeats without a fixed list of numbers at which there is a visit."""
    repeated = {
        visit.anchor
        for visit in calendar.visits
        if visit.anchor in calendar.anchors and calendar.anchors[visit.anchor].most and not visit.numbers
    }
    return next((anchor for anchor in calendar.anchors if anchor in repeated), None)


def _nominal_days(calendar: VisitSchedule) -> dict[VisitKey, date]:
    """Return the day of each visit in the nominal course; visits that it does not reach are left out."""
    anchors: list[DatedAnchor] = []
    begins = {anchor for starts in calendar.phases.values() for anchor in starts[:1]}
    in_periods = {name for period in calendar.periods.values() for name in (*period.starts, *period.ends)}
    for name, kind in calendar.anchors.items():
        days = resolve_days(calendar, anchors, NO_DAYS_OFF)
        if days[name] or name in calendar.participation_end or name in in_periods or (anchors and name not in begins):
            continue
        last = max((day.on for known in days.values() for day in known.values()), default=None)
        on = last + NOMINAL_GAP if last else NOMINAL_START
        anchors.append(DatedAnchor(name, 1 if kind.most else 0, on))
    found: dict[VisitKey, date] = {}
    for one in list_expected_visits(calendar, anchors, "UTC"):
        found.setdefault((one.kind, one.number), one.due.date())
    return found
