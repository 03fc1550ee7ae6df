"""Visit matrix: participants by visits, and the forms that need an action. A fixed number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.figures.study_figures import Figures
from pro.core.schedule import treatment_phase, visit_columns
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.core.schedule.visit_columns import COURSE, LATER, VisitColumn, VisitKey
from pro.core.study_plan import StudyPlan, VisitSchedule
from pro.features.participants import consent_records, treatment_phases
from pro.features.schedule import outstanding_forms
from pro.features.schedule.outstanding_forms import TODAY, UNEXPLAINED, FormToDo
from pro.models import ClinicalFact, ExpectedForm, Participant

PAGE_SIZE = 50
# Groups of participants beside the phases of the plan and DISCONTINUED: before treatment, with an ulcer, no longer in
# the study.
BEFORE, ULCER, LEFT = treatment_phase.BEFORE, "ulcer", "left"
ENDED = (treatment_phase.WITHDRAWN, treatment_phase.DIED)
ULCER_STATUSES = ("suspected", "confirmed")
STATES = (TODAY, UNEXPLAINED)


@dataclass(frozen=True, slots=True)
class MatrixFilter:
    """What the matrix shows.

    ``part``: of the schedule, as in ``visit_columns``. ``phase``: group of participants, "" for all. ``state``:
    "needs", "today" or "unexplained", "" for all. ``instrument``: "" for all. ``find``: part of a participant number.
    ``order``: "urgent", "number", or "" for urgent first if there is more than one page.
    """

    part: str = COURSE
    phase: str = ""
    state: str = ""
    instrument: str = ""
    find: str = ""
    order: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class CellMark:
    """One expected form in a cell.

    ``state``: on_time, late (received out of window), partial, open, today (closes today), missed (with a reason),
    unexplained (missed, no reason), optional (not answered) or not_yet. ``needs``: it needs an action.
    """

    expected_form_id: int
    instrument: str
    state: str
    needs: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One participant at one visit. ``state`` if it has no form: not_yet or not_asked."""

    marks: tuple[CellMark, ...]
    state: str = ""

    @property
    def needing(self) -> CellMark | None:
        """Return the first form that needs an action, or None."""
        return next((mark for mark in self.marks if mark.needs), None)


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One participant. ``group``: for the filter. ``phase``: None if it is not known."""

    id: int
    participant_number: str
    group: str
    phase: TreatmentPhase | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class VisitMatrix:
    """One page of the matrix.

    ``number``: participants found; ``people``: all participants of the study. ``to_do``: forms that need an action, of
    all participants, most urgent first. ``phases``: group -> participants; ``parts``: parts of the schedule that have
    columns. ``footer``: (in window, expected) of each column over the whole study, None if no form was due.
    ``state_counts``: state -> participants with such a form, "needs" for any.
    """

    chosen: MatrixFilter
    columns: tuple[VisitColumn, ...]
    rows: tuple[MatrixRow, ...]
    number: int
    people: int
    pages: int
    to_do: tuple[FormToDo, ...]
    phases: Mapping[str, int]
    parts: tuple[str, ...]
    footer: tuple[tuple[int, int] | None, ...]
    state_counts: Mapping[str, int]


def read_matrix(work: UnitOfWork, plan: StudyPlan, chosen: MatrixFilter, figures: Figures | None) -> VisitMatrix | None:
    """Return one page of the matrix of ``plan``, in at most eight queries; None without a visit schedule.

    ``figures``: the stored figures of the study, for the last row. A page out of range becomes the nearest one.
    """
    calendar = plan.visit_schedule
    if calendar is None:
        return None
    columns = visit_columns.list_columns(calendar)
    people = _read_people(work, plan)
    if chosen.part in calendar.periods:
        kept = _people_with_forms(work, plan, {column.kind for column in columns if column.part == chosen.part})
        people, chosen = _narrow(people, kept, chosen)
    phases = treatment_phases.read_phases(work, people)
    groups = _read_groups(work, plan, people, phases)
    to_do = outstanding_forms.forms_to_do(work, plan.id)
    shown, chosen = _sort_and_choose_page(_filter(people, groups, to_do, chosen), to_do, chosen)
    on_page = shown[(chosen.page - 1) * PAGE_SIZE : chosen.page * PAGE_SIZE]
    forms = _read_forms(work, on_page, chosen.instrument)
    opened = {(row.kind, row.number) for rows in forms.values() for row in rows if row.opens_at <= work.now}
    opened |= {(row.kind, row.number) for row in figures.visits} if figures else set()
    in_period = chosen.part if chosen.part in calendar.periods else COURSE
    parts = tuple(
        dict.fromkeys(
            column.part for column in columns if column.fixed or column.key in opened or column.part == in_period
        )
    )
    chosen = replace(chosen, part=chosen.part if chosen.part in parts else COURSE)
    columns_shown = visit_columns.shown_columns(columns, chosen.part, opened)
    needing = {one.expected_form_id for one in to_do}
    return VisitMatrix(
        chosen=chosen,
        columns=columns_shown,
        rows=tuple(
            MatrixRow(
                person.id,
                person.participant_number,
                groups[person.id],
                phases.get(person.id),
                _build_cells(work, person, forms.get(person.id, []), columns_shown, needing),
            )
            for person in on_page
        ),
        number=len(shown),
        people=len(people),
        pages=_page_count(len(shown)),
        to_do=tuple(to_do),
        phases=_count_groups(calendar, (groups[person.id] for person in people)),
        parts=parts,
        footer=_footer(columns_shown, figures, chosen.instrument),
        state_counts=_count_states(to_do),
    )


def _page_count(number: int) -> int:
    return max(1, -(-number // PAGE_SIZE))


def _sort_and_choose_page(
    people: list[Participant], to_do: Sequence[FormToDo], chosen: MatrixFilter
) -> tuple[list[Participant], MatrixFilter]:
    """Return the participants in the chosen order, and the filter with the order and page that are shown."""
    pages = _page_count(len(people))
    order = chosen.order if chosen.order in ("urgent", "number") else "urgent" if pages > 1 else "number"
    if order == "urgent":
        first = {one.participant_id: place for place, one in reversed(list(enumerate(to_do)))}
        people = sorted(people, key=lambda person: first.get(person.id, len(to_do)))
    return people, replace(chosen, order=order, page=min(max(1, chosen.page), pages))


def _read_people(work: UnitOfWork, plan: StudyPlan) -> list[Participant]:
    """Return the participants of the study by number, without those who were enrolled by mistake."""
    query = select(Participant).where(Participant.plan == plan.id).order_by(Participant.participant_number)
    people = list(work.session.scalars(query))
    mistakes = consent_records.enrolled_by_mistake(work, [person.id for person in people if person.withdrawn_at])
    return [person for person in people if person.id not in mistakes]


def _narrow(
    people: list[Participant], kept: Collection[int], chosen: MatrixFilter
) -> tuple[list[Participant], MatrixFilter]:
    """Return the participants with forms of the chosen period; all, with their course, if there are none."""
    found = [person for person in people if person.id in kept]
    return (found, chosen) if found else (people, replace(chosen, part=COURSE))


def _read_groups(
    work: UnitOfWork, plan: StudyPlan, people: Iterable[Participant], phases: Mapping[int, TreatmentPhase]
) -> dict[int, str]:
    """Return the group of each participant: an ulcer outweighs the phase, an end of participation both."""
    theirs = select(Participant.id).where(Participant.plan == plan.id)
    facts = select(ClinicalFact.participant_id, ClinicalFact.value).where(
        ClinicalFact.participant_id.in_(theirs), ClinicalFact.name == "ulcer_status"
    )
    # The newest fact of a participant comes last and stays.
    ulcers = {row[0]: row[1] for row in work.session.execute(facts.order_by(ClinicalFact.id))}
    found = {}
    for person in people:
        phase = phases.get(person.id)
        is_over = not person.is_active or (phase is not None and phase.state in ENDED)
        has_ulcer = ulcers.get(person.id) in ULCER_STATUSES
        reached = (phase.name or phase.state) if phase else BEFORE
        found[person.id] = LEFT if is_over else ULCER if has_ulcer else reached
    return found


def _people_with_forms(work: UnitOfWork, plan: StudyPlan, kinds: Collection[str]) -> set[int]:
    """Return the participants of the study to whom a form of one of these kinds of visits was open."""
    theirs = select(Participant.id).where(Participant.plan == plan.id)
    query = select(ExpectedForm.participant_id).where(
        ExpectedForm.participant_id.in_(theirs), ExpectedForm.kind.in_(kinds), ExpectedForm.opens_at <= work.now
    )
    return set(work.session.scalars(query.distinct()))


def _filter(
    people: Sequence[Participant], groups: Mapping[int, str], to_do: Iterable[FormToDo], chosen: MatrixFilter
) -> list[Participant]:
    """Return the participants who match every part of the filter."""
    needing = {one.participant_id for one in to_do if chosen.state in ("needs", one.state)}
    part = chosen.find.strip().casefold()
    return [
        person
        for person in people
        if (not chosen.phase or groups[person.id] == chosen.phase)
        and (not chosen.state or person.id in needing)
        and part in person.participant_number.casefold()
    ]


def _read_forms(work: UnitOfWork, people: Sequence[Participant], instrument: str) -> dict[int, list[ExpectedForm]]:
    """Return the expected forms of the participants of one page."""
    query = select(ExpectedForm).where(ExpectedForm.participant_id.in_([person.id for person in people]))
    if instrument:
        query = query.where(ExpectedForm.instrument == instrument)
    found: defaultdict[int, list[ExpectedForm]] = defaultdict(list)
    for row in work.session.scalars(query.order_by(ExpectedForm.opens_at, ExpectedForm.id)):
        found[row.participant_id].append(row)
    return found


def _build_cells(
    work: UnitOfWork,
    person: Participant,
    forms: Sequence[ExpectedForm],
    columns: Sequence[VisitColumn],
    needing: Collection[int],
) -> tuple[Cell, ...]:
    """Return one cell for each of ``columns``."""
    marks: defaultdict[VisitKey, list[CellMark]] = defaultdict(list)
    for row in forms:
        state = _form_state(work, row, person.time_zone)
        marks[row.kind, row.number].append(CellMark(row.id, row.instrument, state, row.id in needing))
    last: dict[str, int] = {}
    for place, column in enumerate(columns):
        if column.key in marks:
            last[_row_part(column)] = place
    cells = []
    for place, column in enumerate(columns):
        found = tuple(sorted(marks.get(column.key, ()), key=lambda mark: mark.instrument))
        # A visit without a form between visits that have one is left out of this participant's course for good.
        never = not person.is_active or place < last.get(_row_part(column), -1)
        cells.append(Cell(found, "" if found else "not_asked" if never else "not_yet"))
    return tuple(cells)


def _row_part(column: VisitColumn) -> str:
    """Return the part of a row within which visits follow one another: later visits do so in their group only."""
    return column.group if column.part == LATER else column.part


def _form_state(work: UnitOfWork, row: ExpectedForm, zone: str) -> str:
    """Return the state of one expected form, as in ``CellMark``."""
    if row.received_at is not None:
        return "late" if row.out_of_window else "partial" if row.partial else "on_time"
    if row.missed_at is None and work.now < row.opens_at:
        return "not_yet"
    if row.missed_at is None and work.now <= row.closes_at:
        return "today" if outstanding_forms.closes_on_day_of(row.closes_at, work.now, zone) else "open"
    if not row.mandatory:
        return "optional"
    return "missed" if row.missing_reason else "unexplained"


def _count_groups(calendar: VisitSchedule, groups: Iterable[str]) -> dict[str, int]:
    """Return group -> participants, in the order of the treatment, without empty groups."""
    counts = Counter(groups)
    order = [BEFORE, *calendar.phases, treatment_phase.DISCONTINUED, ULCER, LEFT]
    return {group: counts[group] for group in order if counts[group]}


def _count_states(to_do: Sequence[FormToDo]) -> dict[str, int]:
    """Return state -> participants with such a form; "needs" counts those with any."""
    found = {"needs": len({one.participant_id for one in to_do})}
    for state in STATES:
        found[state] = len({one.participant_id for one in to_do if one.state == state})
    return {state: number for state, number in found.items() if number}


def _footer(
    columns: Sequence[VisitColumn], figures: Figures | None, instrument: str
) -> tuple[tuple[int, int] | None, ...]:
    """Return (in window, expected) of each column over the whole study."""
    sums: defaultdict[VisitKey, list[int]] = defaultdict(lambda: [0, 0])
    for row in figures.visits if figures else ():
        if instrument in ("", row.instrument):
            sums[row.kind, row.number][0] += row.in_window
            sums[row.kind, row.number][1] += row.expected
    return tuple((sums[one.key][0], sums[one.key][1]) if one.key in sums else None for one in columns)
