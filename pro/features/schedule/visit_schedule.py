"""A participant's treatment dates, the effect of changing them, and the expected forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.schedule import expected_visits
from pro.core.schedule.anchors import Days, facts_from_anchors, resolve_days
from pro.core.schedule.expected_visits import ExpectedVisit
from pro.core.study_plan import PlanWords, VisitSchedule
from pro.errors import NotFound
from pro.features.accounts import staff_accounts
from pro.features.participants import clinical_facts, treatment_dates
from pro.features.participants.treatment_dates import dated_anchors, local_date
from pro.features.schedule import expected_forms, schedule_service
from pro.features.schedule.expected_forms import ComplianceCounts, ExpectedFormLine
from pro.features.schedule.schedule_service import ChangePreview
from pro.models import Anchor, AuditEntry, Participant

# Groups of dates on the page: a period with its own schedule, an end of participation, or the treatment.
WATCH, END, TREATMENT = "watch", "end", "treatment"
AWAITED_STATUSES = ("open", "due", "late")
# A treatment that starts this much before its plan is recorded by one click; earlier, the button would be a mistake.
EARLY_START = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class RecordedDate:
    """One recorded date: by whom, when (UTC), and the reason if one was required.

    ``planned``: a planned date, not a fact. ``until``: when it was superseded (UTC), with ``ended_by`` and
    ``end_reason``.
    """

    number: int
    on: date
    planned: bool
    at: datetime
    by: str
    reason: str
    until: datetime | None = None
    ended_by: str = ""
    end_reason: str = ""


@dataclass(frozen=True, slots=True)
class DateKind:
    """One kind of date, with its recorded, projected and superseded dates.

    ``coming``: (number, date) of projected dates. ``most``: highest number, 0 if it happens once. ``history``:
    superseded dates, newest first.
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
        """Return the recorded date with ``number``, or None."""
        return next((day for day in self.recorded if day.number == number), None)


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """A step of a period's own schedule: every ``every`` days, ``times`` times."""

    every: int
    times: int


@dataclass(frozen=True, slots=True)
class WatchPeriod:
    """A period with its own schedule.

    ``starts``, ``ends``: titles of the dates that start and end it. ``kinds``: its dates. ``turns``: how its forms
    recur.
    """

    starts: tuple[str, ...]
    ends: tuple[str, ...]
    kinds: tuple[DateKind, ...]
    turns: tuple[ScheduleStep, ...]


@dataclass(frozen=True, slots=True)
class DailyTreatment:
    """The treatment given on every working day.

    ``number``: the fraction that would be given today. ``given``: the number given today, 0 for none. ``rest``: today
    is not a working day.
    """

    kind: str
    title: str
    most: int
    number: int
    given: int
    rest: bool


@dataclass(frozen=True, slots=True)
class TreatmentDates:
    """All dates of a participant.

    ``today``: date in the participant's time zone. ``daily``: the treatment that one click records. ``suspected``:
    answers raised the suspicion of an ulcer, and no recorded date confirms it.
    """

    participant_id: int
    participant_number: str
    time_zone: str
    active: bool
    today: date
    kinds: tuple[DateKind, ...]
    watches: tuple[WatchPeriod, ...]
    daily: DailyTreatment | None
    suspected: bool

    def kind(self, kind_id: str) -> DateKind | None:
        """Return the kind of date with the id ``kind_id``, or None."""
        return next((kind for kind in self.kinds if kind.id == kind_id), None)

    def group(self, name: str) -> tuple[DateKind, ...]:
        """Return the kinds of one group, in order."""
        return tuple(kind for kind in self.kinds if kind.group == name)


@dataclass(frozen=True, slots=True)
class FormChange:
    """The effect of a change on one expected form.

    ``what``: "moved", "added", "dropped", or, for a form that stays, "opened" or "over".
    """

    what: str
    visit: str
    instrument: str
    before: ExpectedVisit | None
    after: ExpectedVisit | None


@dataclass(frozen=True, slots=True)
class ExpectedFormEntry:
    """One expected form, when it was received (UTC), and who recorded why it is missing.

    ``received_at``: None unless the form was received.
    """

    line: ExpectedFormLine
    received_at: datetime | None
    reason_by: str


@dataclass(frozen=True, slots=True)
class ExpectedFormsPage:
    """Expected forms: past ones, newest first, and coming ones in order.

    ``awaited``: number of mandatory forms that are open now.
    """

    participant_id: int
    participant_number: str
    past: tuple[ExpectedFormEntry, ...]
    coming: tuple[ExpectedFormEntry, ...]
    counts: ComplianceCounts
    awaited: int


def require_visit_schedule(work: UnitOfWork, participant: Participant) -> VisitSchedule:
    """Return the visit schedule of the participant's study plan.

    Raise NotFound("visit_schedule") if all forms of the plan are issued by hand.
    """
    plan = work.catalogue.plans.get(participant.plan)
    visit_schedule = plan.visit_schedule if plan else None
    if visit_schedule is None:
        raise NotFound("visit_schedule")
    return visit_schedule


def read_treatment_dates(work: UnitOfWork, participant: Participant, language: str) -> TreatmentDates:
    """Return all recorded and projected dates of ``participant``.

    Raise NotFound("visit_schedule") without a visit schedule.
    """
    visit_schedule = require_visit_schedule(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    names = staff_accounts.staff_names(work)
    past = _superseded_dates(work, participant, names)
    standing = schedule_service.ordered_anchors(work, participant)
    days = schedule_service.read_days(work, participant)
    kinds = [
        _date_kind(
            visit_schedule, kind_id, words, standing, days, names, tuple(day for of, day in past if of == kind_id)
        )
        for kind_id in _kinds_in_order(visit_schedule)
    ]
    today = local_date(work.now, participant.time_zone)
    working = work.catalogue.working[participant.plan]
    return TreatmentDates(
        participant_id=participant.id,
        participant_number=participant.participant_number,
        time_zone=participant.time_zone,
        active=participant.is_active,
        today=today,
        kinds=tuple(kinds),
        watches=_watches(visit_schedule, kinds, words),
        daily=_daily_treatment(visit_schedule, kinds, today, working.has(today)) if participant.is_active else None,
        suspected=_is_ulcer_suspected(work, participant, visit_schedule, standing),
    )


def read_daily_treatment(work: UnitOfWork, participant: Participant, language: str) -> DailyTreatment | None:
    """Return the treatment that is given on every working day, in one query.

    None without a visit schedule, after the end of participation, and as in ``DailyTreatment``.
    """
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.visit_schedule is None or not participant.is_active:
        return None
    words = work.catalogue.plan_words[participant.plan, language]
    standing = treatment_dates.read_anchors(work, participant)
    standing.sort(key=lambda row: row.number)
    days = resolve_days(plan.visit_schedule, dated_anchors(standing), work.catalogue.working_days(participant.plan))
    kinds = [_date_kind(plan.visit_schedule, kind, words, standing, days) for kind in plan.visit_schedule.anchors]
    today = local_date(work.now, participant.time_zone)
    return _daily_treatment(plan.visit_schedule, kinds, today, work.catalogue.working[participant.plan].has(today))


def list_form_changes(
    work: UnitOfWork, participant: Participant, found: ChangePreview, language: str
) -> tuple[FormChange, ...]:
    """Return the effect of ``found`` on the expected forms, in order of the new windows."""
    visit_schedule = require_visit_schedule(work, participant)
    words = work.catalogue.plan_words[participant.plan, language]
    working = work.catalogue.working[participant.plan]
    wanted = {
        one.name: one
        for one in expected_visits.list_expected_visits(visit_schedule, found.anchors, participant.time_zone, working)
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
            work.catalogue.staff_title(one.instrument, language),
            before,
            after,
        )
        for what, before, after, one in sorted(
            ((what, before, after, one) for what, before, after, one in named if one is not None),
            key=lambda row: (row[3].opens, row[3].due, row[3].visit, row[3].instrument),
        )
    )


def read_expected_forms_page(work: UnitOfWork, participant: Participant, language: str) -> ExpectedFormsPage:
    """Return all expected forms of ``participant`` with their status.

    Raise NotFound("visit_schedule") without a visit schedule.
    """
    require_visit_schedule(work, participant)
    lines = expected_forms.read_expected_forms(work, participant, language)
    names = staff_accounts.staff_names(work)
    entries = [_form_entry(line, names) for line in lines]
    return ExpectedFormsPage(
        participant_id=participant.id,
        participant_number=participant.participant_number,
        past=tuple(reversed([entry for entry in entries if entry.line.status != "not_open"])),
        coming=tuple(entry for entry in entries if entry.line.status == "not_open"),
        counts=expected_forms.count_compliance(lines),
        awaited=sum(line.status in AWAITED_STATUSES and line.expected.mandatory for line in lines),
    )


def _kinds_in_order(visit_schedule: VisitSchedule) -> Iterable[str]:
    """Return the kinds of dates: those of periods by start and end, then the plan's order."""
    watch = [kind for period in visit_schedule.periods.values() for kind in (*period.starts, *period.ends)]
    return dict.fromkeys([*watch, *visit_schedule.anchors])


def _group(visit_schedule: VisitSchedule, kind_id: str) -> str:
    """Return the group of a kind of date."""
    if any(kind_id in (*period.starts, *period.ends) for period in visit_schedule.periods.values()):
        return WATCH
    return END if kind_id in visit_schedule.participation_end else TREATMENT


def _date_kind(
    calendar: VisitSchedule,
    kind_id: str,
    words: PlanWords,
    standing: Sequence[Anchor],
    days: Days,
    names: Mapping[int, str] = MappingProxyType({}),
    history: tuple[RecordedDate, ...] = (),
) -> DateKind:
    """Return one kind of date, from the recorded dates ``standing`` and all known ``days``."""
    kind = calendar.anchors[kind_id]
    recorded = tuple(_recorded_date(row, names) for row in standing if row.kind == kind_id)
    known = {day.number for day in recorded}
    done = {day.number for day in recorded if not day.planned}
    return DateKind(
        id=kind_id,
        title=words.anchors[kind_id],
        group=_group(calendar, kind_id),
        most=kind.most,
        plannable=kind.plannable,
        next_number=next((number for number in range(1, kind.most + 1) if number not in done), kind.most),
        recorded=recorded,
        coming=tuple((number, day.on) for number, day in sorted(days[kind_id].items()) if number not in known),
        history=history,
    )


def _recorded_date(row: Anchor, names: Mapping[int, str]) -> RecordedDate:
    """Return a current anchor as a recorded date."""
    by = names.get(row.recorded_by or 0, "")
    return RecordedDate(row.number, row.on, row.planned, row.recorded_at, by, row.reason)


def _superseded_dates(
    work: UnitOfWork, participant: Participant, names: Mapping[int, str]
) -> list[tuple[str, RecordedDate]]:
    """Return (kind, date) of changed and cancelled dates, newest first.

    Who superseded a date, and why, is read from the audit trail.
    """
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
            end_reason=event.reason if event else "",
        )
        found.append((row.kind, day))
    return found


def _watches(visit_schedule: VisitSchedule, kinds: Sequence[DateKind], words: PlanWords) -> tuple[WatchPeriod, ...]:
    """Return the periods of the plan that have their own schedule."""
    return tuple(
        WatchPeriod(
            starts=tuple(words.anchors[kind] for kind in period.starts),
            ends=tuple(words.anchors[kind] for kind in period.ends),
            kinds=tuple(kind for kind in kinds if kind.id in (*period.starts, *period.ends)),
            turns=tuple(
                ScheduleStep(visit.series.every, (visit.series.last - visit.series.first) // visit.series.every + 1)
                for visit in visit_schedule.visits
                if visit.anchor == period.id and visit.series
            ),
        )
        for period in visit_schedule.periods.values()
    )


def _is_ulcer_suspected(
    work: UnitOfWork, participant: Participant, visit_schedule: VisitSchedule, rows: Iterable[Anchor]
) -> bool:
    """Return True if an ulcer is suspected and no recorded date sets its status."""
    said = facts_from_anchors(visit_schedule, dated_anchors(rows))
    status = clinical_facts.current_fact(work, participant.id, "ulcer_status") or "none"
    return status == "suspected" and said.get("ulcer_status", "none") == "none"


def _daily_treatment(
    visit_schedule: VisitSchedule, kinds: Sequence[DateKind], today: date, working: bool
) -> DailyTreatment | None:
    """Return the treatment given on every working day, from its first day until its end.

    None if the plan has none, or it has not begun, has ended or is complete. The first is offered from EARLY_START
    before its planned or projected day.
    """
    for kind in kinds:
        rule = visit_schedule.anchors[kind.id].projection
        if rule is None or not rule.working_days or rule.every != 1 or not (kind.recorded or kind.coming):
            continue
        ended = any(
            not day.planned and day.on <= today for other in kinds if other.id in rule.until for day in other.recorded
        )
        if not any(not day.planned for day in kind.recorded) and _first_day(kind) > today + EARLY_START:
            continue
        given = next((day.number for day in kind.recorded if day.on == today and not day.planned), 0)
        left = not any(day.number == kind.next_number and not day.planned for day in kind.recorded)
        if given or (left and not ended):
            return DailyTreatment(kind.id, kind.title, kind.most, kind.next_number, given, not working)
    return None


def _first_day(kind: DateKind) -> date:
    """Return the first planned or projected day of ``kind``, which has at least one."""
    return min([day.on for day in kind.recorded] + [on for _number, on in kind.coming])


def _form_entry(line: ExpectedFormLine, names: Mapping[int, str]) -> ExpectedFormEntry:
    """Return an expected form with its time of receipt."""
    row, form = line.expected, line.assessment
    came = form.submitted_at or form.last_answer_at if form and row.received_at else None
    return ExpectedFormEntry(line, came, names.get(row.reason_by or 0, ""))
