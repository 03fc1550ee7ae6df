"""Daily treatments as working weeks, and the phase that a kind of date belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pro.core.study_plan import VisitSchedule

# States of a day: given, today's (not recorded yet), planned by staff or projected, and passed without a record.
GIVEN, TODAY, COMING, PASSED = "given", "today", "coming", "passed"
DAYS_A_WEEK, WORKING_DAYS = 7, 5


@dataclass(frozen=True, slots=True)
class TreatmentDay:
    """One treatment on its day. ``state``: GIVEN, TODAY, COMING or PASSED."""

    number: int
    on: date
    state: str


@dataclass(frozen=True, slots=True)
class TreatmentWeek:
    """One week with treatments; ``days``: of each day of the week from Monday on, in order of number."""

    number: int
    monday: date
    days: tuple[tuple[TreatmentDay, ...], ...]


def treatment_weeks(
    given: Mapping[int, date], coming: Mapping[int, date], today: date
) -> tuple[tuple[TreatmentWeek, ...], int]:
    """Return the weeks with treatments, and the number of days that each shows: five, seven if a weekend has one.

    ``given``: number -> day of what was given. ``coming``: number -> planned or projected day. Weeks are counted from
    the first one; a week without a treatment is left out and keeps its number.
    """
    days = [TreatmentDay(number, on, GIVEN) for number, on in given.items()]
    days += [
        TreatmentDay(number, on, TODAY if on == today else PASSED if on < today else COMING)
        for number, on in coming.items()
        if number not in given
    ]
    if not days:
        return (), WORKING_DAYS
    width = DAYS_A_WEEK if any(day.on.weekday() >= WORKING_DAYS for day in days) else WORKING_DAYS
    weeks: dict[date, list[TreatmentDay]] = {}
    for day in sorted(days, key=lambda one: (one.on, one.number)):
        weeks.setdefault(day.on - timedelta(days=day.on.weekday()), []).append(day)
    first = min(weeks)
    found = []
    for monday, of_week in sorted(weeks.items()):
        cells = tuple(tuple(day for day in of_week if day.on.weekday() == weekday) for weekday in range(width))
        found.append(TreatmentWeek((monday - first).days // DAYS_A_WEEK + 1, monday, cells))
    return tuple(found), width


def phase_of_kind(calendar: VisitSchedule, kind_id: str) -> str:
    """Return the phase in which dates of ``kind_id`` belong by the plan's order; "" before the first.

    An end belongs to the phase that it ends.
    """
    order = ["", *calendar.phases]
    ends = {name for kind in calendar.anchors.values() if kind.projection for name in kind.projection.until}
    reached = 0
    for name in calendar.anchors:
        if name == kind_id and name in ends:
            break
        begun = [order.index(phase) for phase, starts in calendar.phases.items() if name in starts]
        reached = max(reached, *begun) if begun else reached
        if name == kind_id:
            break
    return order[reached]
