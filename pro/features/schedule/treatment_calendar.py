"""A participant's course as staff read it: the dates of the treatment, what a change would move, and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.schedule import expected_visits
from pro.core.schedule.anchors import facts_set
from pro.core.schedule.expected_visits import ExpectedVisit
from pro.core.study_plan import Calendar, PlanWords
from pro.errors import NotFound
from pro.features.accounts import staff_accounts
from pro.features.participants import clinical_facts, consent_ledger
from pro.features.participants.treatment_dates import local_date, pure
from pro.features.schedule import form_ledger, schedule_service
from pro.features.schedule.form_ledger import Counts, LedgerLine
from pro.features.schedule.schedule_service import ChangePreview
from pro.models import Anchor, Event, Participant

# Where a kind of date stands on the page: a watch of its own, an end of everything, or the treatment.
WATCH, END, TREATMENT = "watch", "end", "treatment"
AWAITED = ("open", "due", "late")


@dataclass(frozen=True, slots=True)
class RecordedDate:
    """One recorded date: who recorded it, when, and why, where a reason was asked for.

    ``planned``: it was planned, not a fact. ``until``: since when it holds no more, and who and what ended that.
    """

    number: int
    on: date
    planned: bool
    at: datetime
    by: str
    reason: str
    until: datetime | None = None
    ended_by: str = ""
    ended_why: str = ""


@dataclass(frozen=True, slots=True)
class DateKind:
    """One kind of date. ``coming``: (number, day) that nobody recorded: they follow from what is recorded, no facts.

    ``most``: 0 if it happens once. ``history``: what was changed or taken back, the newest first.
    """

    id: str
    title: str
    group: str
    most: int
    plannable: bool
    next_number: int
    recorded: tuple[RecordedDate, ...]
    coming: tuple[tuple[int, date], ...]
    history: tuple[RecordedDate, ...]

    def day(self, number: int) -> RecordedDate | None:
        """What is recorded for ``number``."""
        return next((day for day in self.recorded if day.number == number), None)


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """A step of the schedule that a watch starts: every ``every`` days, ``times`` times."""

    every: int
    times: int


@dataclass(frozen=True, slots=True)
class Watch:
    """A period with a schedule of its own: names of what starts and ends it, its dates, and how its forms recur."""

    starts: tuple[str, ...]
    ends: tuple[str, ...]
    kinds: tuple[DateKind, ...]
    turns: tuple[ScheduleStep, ...]


@dataclass(frozen=True, slots=True)
class Today:
    """The treatment of working days: which ``number`` would be given today, or which ``given`` was (0: none).

    ``rest``: today is no working day.
    """

    kind: str
    title: str
    most: int
    number: int
    given: int
    rest: bool


@dataclass(frozen=True, slots=True)
class Course:
    """All dates of a participant. ``today``: the participant's own date. ``daily``: what a click may record.

    ``suspected``: answers made the system suspect an ulcer, and no recorded date says so.
    """

    participant_id: int
    study_number: str
    time_zone: str
    active: bool
    today: date
    kinds: tuple[DateKind, ...]
    watches: tuple[Watch, ...]
    daily: Today | None
    suspected: bool

    def kind(self, kind_id: str) -> DateKind | None:
        """The kind called ``kind_id``."""
        return next((kind for kind in self.kinds if kind.id == kind_id), None)

    def group(self, name: str) -> tuple[DateKind, ...]:
        """The kinds of one group, in order."""
        return tuple(kind for kind in self.kinds if kind.group == name)


@dataclass(frozen=True, slots=True)
class Moved:
    """What becomes of one expected form. ``what``: moved, added, dropped; opened, over (it stays, whatever changes)."""

    what: str
    visit: str
    instrument: str
    before: ExpectedVisit | None
    after: ExpectedVisit | None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger, when its form came ("received" of the line only), and who said why it did not."""

    line: LedgerLine
    received_at: datetime | None
    reason_by: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """The ledger: what was expected so far, newest first, and what is to come, in order. ``awaited``: open now."""

    participant_id: int
    study_number: str
    past: tuple[LedgerEntry, ...]
    coming: tuple[LedgerEntry, ...]
    counts: Counts
    awaited: int


@dataclass(frozen=True, slots=True)
class CalendarStatus:
    """A participant's calendar in a line: what is awaited now, what comes next, and misses that nobody explained."""

    awaited: tuple[LedgerLine, ...]
    next: LedgerLine | None
    unexplained: int


def calendar_of(work: UnitOfWork, participant: Participant) -> Calendar:
    """The calendar of the participant's plan. NotFound for a plan whose forms are all sent by hand."""
    plan = work.catalogue.plans.get(participant.plan)
    calendar = plan.calendar if plan else None
    if calendar is None:
        raise NotFound("calendar")
    return calendar


def course(work: UnitOfWork, participant: Participant, language: str) -> Course:
    """Every date of ``participant``, and what follows from them. NotFound without a calendar."""
    calendar = calendar_of(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    names = staff_accounts.staff_names(work)
    past = _past(work, participant, names)
    standing = schedule_service.anchors_of(work, participant)
    days = schedule_service.days_of(work, participant)
    kinds = []
    for kind_id in _in_order(calendar):
        kind = calendar.anchors[kind_id]
        recorded = tuple(_day(row, names) for row in standing if row.kind == kind_id)
        known = {day.number for day in recorded}
        kinds.append(
            DateKind(
                id=kind_id,
                title=words.anchors[kind_id],
                group=_group(calendar, kind_id),
                most=kind.most,
                plannable=kind.plannable,
                next_number=schedule_service.next_number(work, participant, kind_id) if kind.most else 0,
                recorded=recorded,
                coming=tuple((number, day.on) for number, day in sorted(days[kind_id].items()) if number not in known),
                history=tuple(day for of, day in past if of == kind_id),
            )
        )
    today = local_date(work.now, participant.time_zone)
    working = work.catalogue.working[participant.plan]
    return Course(
        participant_id=participant.id,
        study_number=participant.study_number,
        time_zone=participant.time_zone,
        active=participant.is_active,
        today=today,
        kinds=tuple(kinds),
        watches=_watches(calendar, kinds, words),
        daily=_daily(calendar, kinds, today, working.has(today)) if participant.is_active else None,
        suspected=_suspected(work, participant, calendar, standing),
    )


def moves(work: UnitOfWork, participant: Participant, found: ChangePreview, language: str) -> tuple[Moved, ...]:
    """What ``found`` does to the expected forms, in order of their new windows."""
    calendar = calendar_of(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    working = work.catalogue.working[participant.plan]
    wanted = {
        one.name: one for one in expected_visits.expected(calendar, found.anchors, participant.time_zone, working)
    }
    rows: list[tuple[str, ExpectedVisit | None, ExpectedVisit | None]] = [
        *(("moved", before, after) for before, after in found.diff.moved),
        *(("added", None, after) for after in found.diff.added),
        *(("dropped", before, None) for before in found.diff.dropped),
    ]
    for one in found.diff.kept:
        new = wanted.get(one.name)
        if new is None or new.due != one.due:
            rows.append(("over" if one.closes < work.now else "opened", one, new))
    named = [(what, before, after, after or before) for what, before, after in rows]
    return tuple(
        Moved(
            what,
            words.visit(one.kind, one.number),
            work.catalogue.words[one.instrument, language].title,
            before,
            after,
        )
        for what, before, after, one in sorted(
            ((what, before, after, one) for what, before, after, one in named if one is not None),
            key=lambda row: (row[3].opens, row[3].due, row[3].visit, row[3].instrument),
        )
    )


def ledger_page(work: UnitOfWork, participant: Participant, language: str) -> LedgerPage:
    """Every expected form of ``participant`` and what became of it. NotFound without a calendar."""
    calendar_of(work, participant)
    lines = form_ledger.lines(work, participant, language)
    names = staff_accounts.staff_names(work)
    entries = [_entry(line, names) for line in lines]
    return LedgerPage(
        participant_id=participant.id,
        study_number=participant.study_number,
        past=tuple(reversed([entry for entry in entries if entry.line.status != "not_open"])),
        coming=tuple(entry for entry in entries if entry.line.status == "not_open"),
        counts=form_ledger.counts(lines),
        awaited=sum(line.status in AWAITED and line.expected.mandatory for line in lines),
    )


def calendar_status(work: UnitOfWork, participant: Participant, language: str) -> CalendarStatus | None:
    """Where the calendar of ``participant`` stands now; None without a calendar."""
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.calendar is None:
        return None
    lines = form_ledger.lines(work, participant, language)
    coming = [line for line in lines if line.status == "not_open"]
    # What staff may still enter of somebody who withdrew is not theirs who wants no further use of the data.
    over = not participant.is_active and participant.id in consent_ledger.no_further_use(work, plan.id)
    return CalendarStatus(
        awaited=() if over else tuple(line for line in lines if line.status in AWAITED),
        next=coming[0] if coming and participant.is_active else None,
        unexplained=form_ledger.counts(lines).unexplained,
    )


def _in_order(calendar: Calendar) -> Iterable[str]:
    """The kinds as the plan lists them; those of a watch as it begins and ends."""
    watch = [kind for period in calendar.periods.values() for kind in (*period.starts, *period.ends)]
    return dict.fromkeys([*watch, *calendar.anchors])


def _group(calendar: Calendar, kind_id: str) -> str:
    if any(kind_id in (*period.starts, *period.ends) for period in calendar.periods.values()):
        return WATCH
    return END if kind_id in calendar.stops else TREATMENT


def _day(row: Anchor, names: Mapping[int, str]) -> RecordedDate:
    by = names.get(row.recorded_by or 0, "")
    return RecordedDate(row.number, row.on, row.planned, row.recorded_at, by, row.reason)


def _past(work: UnitOfWork, participant: Participant, names: Mapping[int, str]) -> list[tuple[str, RecordedDate]]:
    """(kind, day) of what was changed or taken back, the newest first, with what the audit trail says of the end."""
    query = select(Anchor).where(Anchor.participant_id == participant.id, Anchor.superseded_at.is_not(None))
    rows = work.session.scalars(query.order_by(Anchor.superseded_at.desc(), Anchor.id.desc()))
    changed = select(Event).where(Event.participant_id == participant.id, Event.action == "anchors.set")
    ends: dict[tuple[Any, ...], list[Event]] = {}
    for changing in work.session.scalars(changed.order_by(Event.id.desc())):
        for kind, number, on, planned in changing.old or ():
            ends.setdefault((kind, number, on, planned), []).append(changing)
    found = []
    for row in rows:
        known = ends.get((row.kind, row.number, row.on.isoformat(), row.planned))
        event = known.pop(0) if known else None
        day = replace(
            _day(row, names),
            until=row.superseded_at,
            ended_by=names.get(event.actor_id or 0, "") if event else "",
            ended_why=event.reason if event else "",
        )
        found.append((row.kind, day))
    return found


def _watches(calendar: Calendar, kinds: Sequence[DateKind], words: PlanWords) -> tuple[Watch, ...]:
    return tuple(
        Watch(
            starts=tuple(words.anchors[kind] for kind in period.starts),
            ends=tuple(words.anchors[kind] for kind in period.ends),
            kinds=tuple(kind for kind in kinds if kind.id in (*period.starts, *period.ends)),
            turns=tuple(
                ScheduleStep(visit.series.every, (visit.series.last - visit.series.first) // visit.series.every + 1)
                for visit in calendar.visits
                if visit.anchor == period.id and visit.series
            ),
        )
        for period in calendar.periods.values()
    )


def _suspected(work: UnitOfWork, participant: Participant, calendar: Calendar, rows: Iterable[Anchor]) -> bool:
    said = facts_set(calendar, pure(rows))
    status = clinical_facts.fact(work, participant.id, "ulcer_status") or "none"
    return status == "suspected" and said.get("ulcer_status", "none") == "none"


def _daily(calendar: Calendar, kinds: Sequence[DateKind], today: date, working: bool) -> Today | None:
    """The kind that is given on every working day, once its first day is known and until its last."""
    for kind in kinds:
        rule = calendar.anchors[kind.id].projection
        if rule is None or not rule.working_days or rule.every != 1 or not (kind.recorded or kind.coming):
            continue
        ended = any(
            not day.planned and day.on <= today for other in kinds if other.id in rule.until for day in other.recorded
        )
        given = next((day.number for day in kind.recorded if day.on == today and not day.planned), 0)
        left = not any(day.number == kind.next_number and not day.planned for day in kind.recorded)
        if given or (left and not ended):
            return Today(kind.id, kind.title, kind.most, kind.next_number, given, not working)
    return None


def _entry(line: LedgerLine, names: Mapping[int, str]) -> LedgerEntry:
    row, form = line.expected, line.assessment
    came = form.submitted_at or form.last_answer_at if form and row.served_at else None
    return LedgerEntry(line, came, names.get(row.reason_by or 0, ""))
