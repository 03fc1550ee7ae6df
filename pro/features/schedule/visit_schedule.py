"""A participant's course as staff read it: the dates of the treatment, what a change would move, and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.schedule import expected_visits
from pro.core.schedule.anchors import facts_from_anchors
from pro.core.schedule.expected_visits import ExpectedVisit
from pro.core.study_plan import PlanWords, VisitSchedule
from pro.errors import NotFound
from pro.features.accounts import staff_accounts
from pro.features.participants import clinical_facts, consent_records
from pro.features.participants.treatment_dates import dated_anchors, local_date
from pro.features.schedule import expected_forms, schedule_service
from pro.features.schedule.expected_forms import ComplianceCounts, ExpectedFormLine
from pro.features.schedule.schedule_service import ChangePreview
from pro.models import Anchor, AuditEntry, Participant

# Where a kind of date stands on the page: a watch of its own, an end of everything, or the treatment.
WATCH, END, TREATMENT = "watch", "end", "treatment"
AWAITED_STATUSES = ("open", "due", "late")


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
    """One kind of date. ``coming``: (number, day) not recorded: they follow from what is recorded, no facts.

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
class WatchPeriod:
    """A period with a schedule of its own: names of what starts and ends it, its dates, and how its forms recur."""

    starts: tuple[str, ...]
    ends: tuple[str, ...]
    kinds: tuple[DateKind, ...]
    turns: tuple[ScheduleStep, ...]


@dataclass(frozen=True, slots=True)
class DailyTreatment:
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
class TreatmentDates:
    """All dates of a participant. ``today``: the participant's own date. ``daily``: what a click may record.

    ``suspected``: answers made the system suspect an ulcer, and no recorded date says so.
    """

    participant_id: int
    study_number: str
    time_zone: str
    active: bool
    today: date
    kinds: tuple[DateKind, ...]
    watches: tuple[WatchPeriod, ...]
    daily: DailyTreatment | None
    suspected: bool

    def kind(self, kind_id: str) -> DateKind | None:
        """The kind called ``kind_id``."""
        return next((kind for kind in self.kinds if kind.id == kind_id), None)

    def group(self, name: str) -> tuple[DateKind, ...]:
        """The kinds of one group, in order."""
        return tuple(kind for kind in self.kinds if kind.group == name)


@dataclass(frozen=True, slots=True)
class FormChange:
    """What becomes of one expected form. ``what``: moved, added, dropped; opened, over (it stays, whatever changes)."""

    what: str
    visit: str
    instrument: str
    before: ExpectedVisit | None
    after: ExpectedVisit | None


@dataclass(frozen=True, slots=True)
class ExpectedFormEntry:
    """One line of the ledger, when its form came ("received" of the line only), and who said why it did not."""

    line: ExpectedFormLine
    received_at: datetime | None
    reason_by: str


@dataclass(frozen=True, slots=True)
class ExpectedFormsPage:
    """The ledger: what was expected so far, newest first, and what is to come, in order. ``awaited``: open now."""

    participant_id: int
    study_number: str
    past: tuple[ExpectedFormEntry, ...]
    coming: tuple[ExpectedFormEntry, ...]
    counts: ComplianceCounts
    awaited: int


@dataclass(frozen=True, slots=True)
class VisitScheduleStatus:
    """A participant's calendar in a line: what is awaited now, what comes next, and missed forms without a reason."""

    awaited: tuple[ExpectedFormLine, ...]
    next: ExpectedFormLine | None
    unexplained: int


def read_calendar(work: UnitOfWork, participant: Participant) -> VisitSchedule:
    """The calendar of the participant's plan. NotFound for a plan whose forms are all sent by hand."""
    plan = work.catalogue.plans.get(participant.plan)
    calendar = plan.calendar if plan else None
    if calendar is None:
        raise NotFound("calendar")
    return calendar


def read_treatment_dates(work: UnitOfWork, participant: Participant, language: str) -> TreatmentDates:
    """Every date of ``participant``, and what follows from them. NotFound without a calendar."""
    calendar = read_calendar(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    names = staff_accounts.staff_names(work)
    past = _superseded_dates(work, participant, names)
    standing = schedule_service.ordered_anchors(work, participant)
    days = schedule_service.read_days(work, participant)
    kinds = []
    for kind_id in _kinds_in_order(calendar):
        kind = calendar.anchors[kind_id]
        recorded = tuple(_recorded_date(row, names) for row in standing if row.kind == kind_id)
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
    return TreatmentDates(
        participant_id=participant.id,
        study_number=participant.study_number,
        time_zone=participant.time_zone,
        active=participant.is_active,
        today=today,
        kinds=tuple(kinds),
        watches=_watches(calendar, kinds, words),
        daily=_daily_treatment(calendar, kinds, today, working.has(today)) if participant.is_active else None,
        suspected=_is_ulcer_suspected(work, participant, calendar, standing),
    )


def list_form_changes(
    work: UnitOfWork, participant: Participant, found: ChangePreview, language: str
) -> tuple[FormChange, ...]:
    """What ``found`` does to the expected forms, in order of their new windows."""
    calendar = read_calendar(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    working = work.catalogue.working[participant.plan]
    wanted = {
        one.name: one
        for one in expected_visits.list_expected_visits(calendar, found.anchors, participant.time_zone, working)
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
        FormChange(
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


def read_expected_forms_page(work: UnitOfWork, participant: Participant, language: str) -> ExpectedFormsPage:
    """Every expected form of ``participant`` and what became of it. NotFound without a calendar."""
    read_calendar(work, participant)
    lines = expected_forms.read_expected_forms(work, participant, language)
    names = staff_accounts.staff_names(work)
    entries = [_form_entry(line, names) for line in lines]
    return ExpectedFormsPage(
        participant_id=participant.id,
        study_number=participant.study_number,
        past=tuple(reversed([entry for entry in entries if entry.line.status != "not_open"])),
        coming=tuple(entry for entry in entries if entry.line.status == "not_open"),
        counts=expected_forms.count_compliance(lines),
        awaited=sum(line.status in AWAITED_STATUSES and line.expected.mandatory for line in lines),
    )


def read_schedule_status(work: UnitOfWork, participant: Participant, language: str) -> VisitScheduleStatus | None:
    """Where the calendar of ``participant`` stands now; None without a calendar."""
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.calendar is None:
        return None
    lines = expected_forms.read_expected_forms(work, participant, language)
    coming = [line for line in lines if line.status == "not_open"]
    # What staff may still enter of a participant who withdrew is not entered where no further use of the data is
    # allowed.
    over = not participant.is_active and participant.id in consent_records.no_further_use(work, plan.id)
    return VisitScheduleStatus(
        awaited=() if over else tuple(line for line in lines if line.status in AWAITED_STATUSES),
        next=coming[0] if coming and participant.is_active else None,
        unexplained=expected_forms.count_compliance(lines).unexplained,
    )


def _kinds_in_order(calendar: VisitSchedule) -> Iterable[str]:
    """The kinds as the plan lists them; those of a watch as it begins and ends."""
    watch = [kind for period in calendar.periods.values() for kind in (*period.starts, *period.ends)]
    return dict.fromkeys([*watch, *calendar.anchors])


def _group(calendar: VisitSchedule, kind_id: str) -> str:
    if any(kind_id in (*period.starts, *period.ends) for period in calendar.periods.values()):
        return WATCH
    return END if kind_id in calendar.stops else TREATMENT


def _recorded_date(row: Anchor, names: Mapping[int, str]) -> RecordedDate:
    by = names.get(row.recorded_by or 0, "")
    return RecordedDate(row.number, row.on, row.planned, row.recorded_at, by, row.reason)


def _superseded_dates(
    work: UnitOfWork, participant: Participant, names: Mapping[int, str]
) -> list[tuple[str, RecordedDate]]:
    """(kind, day) of what was changed or taken back, the newest first, with what the audit trail says of the end."""
    query = select(Anchor).where(Anchor.participant_id == participant.id, Anchor.superseded_at.is_not(None))
    rows = work.session.scalars(query.order_by(Anchor.superseded_at.desc(), Anchor.id.desc()))
    changed = select(AuditEntry).where(AuditEntry.participant_id == participant.id, AuditEntry.action == "anchors.set")
    ends: dict[tuple[Any, ...], list[AuditEntry]] = {}
    for changing in work.session.scalars(changed.order_by(AuditEntry.id.desc())):
        for kind, number, on, planned in changing.old or ():
            ends.setdefault((kind, number, on, planned), []).append(changing)
    found = []
    for row in rows:
        known = ends.get((row.kind, row.number, row.on.isoformat(), row.planned))
        event = known.pop(0) if known else None
        day = replace(
            _recorded_date(row, names),
            until=row.superseded_at,
            ended_by=names.get(event.actor_id or 0, "") if event else "",
            ended_why=event.reason if event else "",
        )
        found.append((row.kind, day))
    return found


def _watches(calendar: VisitSchedule, kinds: Sequence[DateKind], words: PlanWords) -> tuple[WatchPeriod, ...]:
    return tuple(
        WatchPeriod(
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


def _is_ulcer_suspected(
    work: UnitOfWork, participant: Participant, calendar: VisitSchedule, rows: Iterable[Anchor]
) -> bool:
    said = facts_from_anchors(calendar, dated_anchors(rows))
    status = clinical_facts.current_fact(work, participant.id, "ulcer_status") or "none"
    return status == "suspected" and said.get("ulcer_status", "none") == "none"


def _daily_treatment(
    calendar: VisitSchedule, kinds: Sequence[DateKind], today: date, working: bool
) -> DailyTreatment | None:
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
            return DailyTreatment(kind.id, kind.title, kind.most, kind.next_number, given, not working)
    return None


def _form_entry(line: ExpectedFormLine, names: Mapping[int, str]) -> ExpectedFormEntry:
    row, form = line.expected, line.assessment
    came = form.submitted_at or form.last_answer_at if form and row.served_at else None
    return ExpectedFormEntry(line, came, names.get(row.reason_by or 0, ""))
