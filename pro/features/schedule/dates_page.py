"""What the page of treatment dates shows: weeks of fractions, what is expected next, one table of all dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pro.app_context import UnitOfWork
from pro.core.schedule import treatment_phase
from pro.core.schedule.treatment_weeks import TreatmentWeek, phase_of_kind, treatment_weeks
from pro.core.study_plan import VisitSchedule
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import expected_forms, visit_schedule
from pro.features.schedule.visit_schedule import DateKind, RecordedDate, TreatmentDates
from pro.models import Participant

MOST_NEXT = 5
# Reasons why today's treatment was not given; stored with the new date, in words on each page (audit/pages/labels.py).
NOT_GIVEN = ("not_given_machine", "not_given_ill", "not_given_absent", "not_given_order", "not_given_other")
UNDONE = "treatment_undone"


@dataclass(frozen=True, slots=True)
class DateRow:
    """One row of the table of all dates.

    ``phase``: id of the phase that the kind belongs to, or BEFORE; "" for a rare event. ``happened``: the
    recorded date that has taken place. ``planned``: the date that is planned or projected; ``projected``: it is
    computed. ``number``: 0 for a kind that occurs once, and for a daily treatment, of which all dates are one row.
    """

    kind: DateKind
    number: int
    phase: str
    happened: RecordedDate | None
    planned: date | None
    projected: bool = False


@dataclass(frozen=True, slots=True)
class NextEvent:
    """What is expected on a day: a date of ``kind`` with its ``number``, or the opening of forms.

    ``title`` and ``forms``: the visit and its forms, "" and () for a date.
    """

    on: date
    kind: str = ""
    number: int = 0
    title: str = ""
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatesPage:
    """Data of the page beside the dates themselves.

    ``daily``: the kind that is given on every working day, None without one. ``weeks``: its days; ``heads``: the days
    of the first of them. ``given_today``: today's record of it; ``can_undo``: it was made today.
    """

    daily: DateKind | None
    weeks: tuple[TreatmentWeek, ...]
    heads: tuple[date, ...]
    given_today: RecordedDate | None
    can_undo: bool
    next_events: tuple[NextEvent, ...]
    rows: tuple[DateRow, ...]


def read_dates_page(work: UnitOfWork, participant: Participant, course: TreatmentDates, language: str) -> DatesPage:
    """Return what the page shows of the treatment dates ``course``."""
    calendar = visit_schedule.require_visit_schedule(work, participant)
    daily = next((kind for kind in course.kinds if _is_daily(calendar, kind)), None)
    weeks, width = _weeks(daily, course.today) if daily else ((), 5)
    days = daily.recorded if daily else ()
    given = next((day for day in days if day.on == course.today and not day.planned), None)
    return DatesPage(
        daily=daily,
        weeks=weeks,
        heads=tuple(weeks[0].monday + timedelta(days=number) for number in range(width)) if weeks else (),
        given_today=given,
        can_undo=given is not None and local_date(given.at, participant.time_zone) == course.today,
        next_events=_next_events(work, participant, course, daily, language) if course.active else (),
        rows=tuple(_rows(calendar, course, daily)),
    )


def _is_daily(calendar: VisitSchedule, kind: DateKind) -> bool:
    rule = calendar.anchors[kind.id].projection
    return rule is not None and rule.working_days and rule.every == 1


def _weeks(kind: DateKind, today: date) -> tuple[tuple[TreatmentWeek, ...], int]:
    given = {day.number: day.on for day in kind.recorded if not day.planned}
    coming = dict(kind.coming) | {day.number: day.on for day in kind.recorded if day.planned}
    return treatment_weeks(given, coming, today)


def _rows(calendar: VisitSchedule, course: TreatmentDates, daily: DateKind | None) -> Iterator[DateRow]:
    """Yield the rows in the plan's order: what happened, then the next date; a rare event only once it happened."""
    by_id = {kind.id: kind for kind in course.kinds}
    for kind in (by_id[kind_id] for kind_id in calendar.anchors):
        is_rare = not kind.plannable and kind.id != next(iter(calendar.anchors))
        phase = "" if is_rare else phase_of_kind(calendar, kind.id) or treatment_phase.BEFORE
        if kind is daily:
            if kind.recorded or kind.coming:
                yield DateRow(kind, 0, phase, None, None)
            continue
        for day in kind.recorded:
            if not day.planned:
                yield DateRow(kind, day.number, phase, day, None)
        coming = _coming(kind)
        if coming and course.active:
            on, number, is_projected = min(coming)
            yield DateRow(kind, number, phase, None, on, is_projected)


def _coming(kind: DateKind) -> list[tuple[date, int, bool]]:
    """Return the dates of ``kind`` that have not happened, as (day, number, projected)."""
    planned = [(day.on, day.number, False) for day in kind.recorded if day.planned]
    return planned + [(on, number, True) for number, on in kind.coming]


def _next_events(
    work: UnitOfWork, participant: Participant, course: TreatmentDates, daily: DateKind | None, language: str
) -> tuple[NextEvent, ...]:
    """Return the next dates and openings of forms, the first five."""
    found: list[NextEvent] = []
    for kind in course.kinds:
        later = sorted(one for one in _coming(kind) if one[0] >= course.today)
        # Of a daily treatment the next day and the last one say enough.
        shown = [later[0], later[-1]] if kind is daily and len(later) > 1 else later[:1]
        found += [NextEvent(on, kind.id, number) for on, number, _projected in shown]
    found += _next_forms(work, participant, language)
    return tuple(sorted(found, key=lambda one: (one.on, one.title, one.number))[:MOST_NEXT])


def _next_forms(work: UnitOfWork, participant: Participant, language: str) -> Sequence[NextEvent]:
    """Return the days on which the next two visits open their forms."""
    visits: dict[tuple[str, date], list[str]] = {}
    for line in expected_forms.read_expected_forms(work, participant, language):
        if line.status == "not_open":
            opens = local_date(line.expected.opens_at, participant.time_zone)
            visits.setdefault((line.title, opens), []).append(line.instrument_title)
    return [NextEvent(on, title=title, forms=tuple(forms)) for (title, on), forms in list(visits.items())[:2]]
