"""Where a participant is in the treatment: the phase, its count or day, and how it ended.

Source: docs/domain.md 6. Only dates that have happened count; planned and projected ones say nothing about the phase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pro.core.schedule.anchors import ACTUAL, ONE_DAY, DatedAnchor, Days, WorkingDays, period_parts, resolve_days
from pro.core.study_plan import AnchorKind, VisitSchedule

# Values of ``TreatmentPhase.state``.
BEFORE, UNDER, DISCONTINUED, WITHDRAWN, DIED = "before", "under", "discontinued", "withdrawn", "died"


@dataclass(frozen=True, slots=True)
class TreatmentPhase:
    """The phase of one participant on one day.

    ``state``: BEFORE the treatment; UNDER a phase of the plan; DISCONTINUED before the phase that an end belongs to;
    WITHDRAWN or DIED. ``name``: the phase's id, "" outside of the plan's phases. ``start``: the anchor that began the
    phase or ended the treatment; ``since``: its day. ``number`` of ``most``: the treatment given so far, 0 where
    nothing is counted; ``daily``: it is given on every working day, so that ``most`` is its planned number.
    ``stopped``: the counted treatment ended before ``most``, on ``since``. ``day``: day of the phase, from 1; after an
    end the days since it, from 0. ``watch``: the anchor that began a period with its own schedule that runs today, ""
    for none.
    """

    state: str
    name: str = ""
    start: str = ""
    since: date | None = None
    number: int = 0
    most: int = 0
    daily: bool = False
    stopped: bool = False
    day: int = 0
    watch: str = ""

    @property
    def has_count(self) -> bool:
        """True if a part of a known number is given, so that a bar can be drawn."""
        return self.most > 0


def current_phase(
    calendar: VisitSchedule,
    anchors: Sequence[DatedAnchor],
    today: date,
    *,
    left_on: date | None = None,
    died: bool = False,
) -> TreatmentPhase:
    """Return the phase on ``today``.

    ``left_on``: the day on which participation ended where no anchor says it; ``died``: it ended by death.
    """
    given = [anchor for anchor in anchors if not anchor.planned and anchor.on <= today]
    ended = _end_of_participation(calendar, given, left_on, died)
    if ended is not None:
        return ended
    days = _days_of_treatment(calendar, given, today)
    begun = _begun_phases(calendar, days)
    found = _phase(calendar, days, begun, today) if begun else TreatmentPhase(BEFORE)
    return replace(found, watch=_running_watch(calendar, given, today))


def phase_starts(calendar: VisitSchedule, anchors: Sequence[DatedAnchor]) -> dict[str, date]:
    """Return phase -> its first day, for every phase that took place, in the plan's order.

    The day of an end belongs to the treatment that it ended. An end before the phase that it usually ends is
    DISCONTINUED, as in ``current_phase``.
    """
    days = _days_of_treatment(calendar, [anchor for anchor in anchors if not anchor.planned], date.max)
    begun = _begun_phases(calendar, days)
    found: dict[str, date] = {}
    for name, starts in begun.items():
        start = min(starts, key=starts.__getitem__)
        known = DISCONTINUED if _is_discontinued(calendar, days, begun, name, start) else name
        found[known] = starts[start] + ONE_DAY if _is_end(calendar, start) else starts[start]
    return found


def phase_names(calendar: VisitSchedule) -> tuple[str, ...]:
    """Return every phase that a participant can be in, in the order of the treatment."""
    return (BEFORE, *calendar.phases, DISCONTINUED, WITHDRAWN, DIED)


def _end_of_participation(
    calendar: VisitSchedule, given: Sequence[DatedAnchor], left_on: date | None, died: bool
) -> TreatmentPhase | None:
    """Return the end of participation; a death outweighs a withdrawal. None while the participant takes part."""
    stops = [anchor for anchor in given if anchor.kind in calendar.participation_end]
    deaths = [anchor for anchor in stops if calendar.anchors[anchor.kind].last]
    first = min(deaths or stops, key=lambda anchor: anchor.on, default=None)
    if deaths or died:
        on = first.on if deaths and first else left_on
        return TreatmentPhase(DIED, start=first.kind if deaths and first else "", since=on)
    if first is not None or left_on is not None:
        return TreatmentPhase(WITHDRAWN, start=first.kind if first else "", since=first.on if first else left_on)
    return None


def _days_of_treatment(calendar: VisitSchedule, given: Sequence[DatedAnchor], today: date) -> Days:
    """Return kind -> number -> day of what was given, with the days that the plan takes for granted.

    An end without a record of its own (the last fraction ends radiotherapy) counts from the day after.
    """
    recorded = {(anchor.kind, anchor.number) for anchor in given}
    days = resolve_days(calendar, given, WorkingDays())
    return {
        kind: {
            number: day
            for number, day in numbers.items()
            if day.basis == ACTUAL and (day.on < today or (kind, number) in recorded)
        }
        for kind, numbers in days.items()
    }


def _begun_phases(calendar: VisitSchedule, days: Days) -> dict[str, dict[str, date]]:
    """Return the phases that have begun, in the plan's order, as name -> anchor that begins it -> its first day.

    An end that lies before an earlier phase began (the last dose of induction, with radiotherapy after it) ends only
    its own treatment and begins no phase.
    """
    found: dict[str, dict[str, date]] = {}
    latest = date.min
    for name, starts in calendar.phases.items():
        since = {start: min(day.on for day in days[start].values()) for start in starts if days[start]}
        begins = {start: on for start, on in since.items() if not _is_end(calendar, start) or on >= latest}
        if begins:
            found[name] = begins
            latest = max(latest, min(begins.values()))
    return found


def _phase(calendar: VisitSchedule, days: Days, begun: Mapping[str, Mapping[str, date]], today: date) -> TreatmentPhase:
    """Return the phase of the plan that the last name of ``begun`` begins."""
    name, starts = list(begun.items())[-1]
    start = min(starts, key=starts.__getitem__)
    since = starts[start]
    kind = calendar.anchors[start]
    if kind.most:
        return _counted(calendar, days, name, start, today)
    after_end = _is_end(calendar, start)
    found = TreatmentPhase(UNDER, name, start, since, day=(today - since).days + (0 if after_end else 1))
    before = _phase_before(calendar, name)
    if not after_end or not before:
        return found
    if before not in begun:
        is_discontinued = _is_discontinued(calendar, days, begun, name, start)
        return replace(found, state=DISCONTINUED, name="") if is_discontinued else found
    counted = _daily_start(calendar, days, before)
    if counted and max(days[counted]) < calendar.anchors[counted].most:
        number, most = max(days[counted]), calendar.anchors[counted].most
        return replace(found, name=before, number=number, most=most, daily=True, stopped=True)
    return found


def _phase_before(calendar: VisitSchedule, name: str) -> str:
    """Return the phase that the plan lists before ``name``, "" for the first one."""
    order = ["", *calendar.phases]
    return order[order.index(name) - 1]


def _is_discontinued(
    calendar: VisitSchedule, days: Days, begun: Mapping[str, Mapping[str, date]], name: str, start: str
) -> bool:
    """Return True if ``start`` is an end without the treatment that it usually ends.

    The plan's name of the phase ("after radiotherapy") would not be true.
    """
    before = _phase_before(calendar, name)
    if not _is_end(calendar, start) or not before or before in begun:
        return False
    return not any(days[other] for other in calendar.anchors[start].after_all)


def _counted(calendar: VisitSchedule, days: Days, name: str, start: str, today: date) -> TreatmentPhase:
    """Return a phase whose treatment is numbered: what was given last, and whether it ended."""
    kind = calendar.anchors[start]
    first, number = min(day.on for day in days[start].values()), max(days[start])
    ends = _end_days(calendar, kind, days, first)
    since = min((on for on, _kind in ends), default=first)
    return TreatmentPhase(
        UNDER,
        name,
        min(ends)[1] if ends else start,
        since,
        number=number,
        most=kind.most,
        daily=_is_daily(kind),
        stopped=bool(ends),
        day=(today - since).days + (0 if ends else 1),
    )


def _end_days(calendar: VisitSchedule, kind: AnchorKind, days: Days, first: date) -> list[tuple[date, str]]:
    """Return the days on which the treatment ``kind`` was ended, not before its ``first`` day."""
    until = kind.projection.until if kind.projection else ()
    return [(day.on, name) for name in until for day in days[name].values() if day.on >= first]


def _daily_start(calendar: VisitSchedule, days: Days, phase: str) -> str:
    """Return the anchor of ``phase`` that is given on every working day and was given, or ""."""
    found = (start for start in calendar.phases[phase] if _is_daily(calendar.anchors[start]) and days[start])
    return next(found, "")


def _is_daily(kind: AnchorKind) -> bool:
    return bool(kind.projection and kind.projection.working_days and kind.projection.every == 1)


def _is_end(calendar: VisitSchedule, name: str) -> bool:
    """Return True if the anchor ends a treatment that is given again and again."""
    return any(kind.projection and name in kind.projection.until for kind in calendar.anchors.values())


def _running_watch(calendar: VisitSchedule, given: Sequence[DatedAnchor], today: date) -> str:
    """Return the anchor that began a period that runs on ``today``; "" if none does."""
    days = resolve_days(calendar, given, WorkingDays())
    parts = (part for period in calendar.periods.values() for part in period_parts(days, period) if part.has(today))
    return next((part.kind for part in parts), "")
