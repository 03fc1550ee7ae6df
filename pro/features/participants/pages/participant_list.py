"""List of all enrolled participants: search, filters, order and pages, all in the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.core.schedule import treatment_phase
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.features.participants import consent_records, treatment_phases
from pro.features.schedule import missed_forms
from pro.features.schedule.outstanding_forms import OutstandingForm, list_outstanding_forms
from pro.models import Alert, Assessment, Freeze, Participant

PAGE_SIZE = 50
# Values of ``ParticipantQuery.alert`` and ``.state``.
ALERTS = ("any", "emergency", "urgent", "watch", "none")
STATES = ("active", "left", "frozen")
# Columns by which the list can be sorted; "-" before one reverses the order.
SORTS = ("number", "phase", "alert", "answer", "language")


@dataclass(frozen=True, slots=True)
class ParticipantQuery:
    """What the list shows.

    ``find``: part of a participant number. ``phase``: one of ``treatment_phase.phase_names``. ``alert``: level of the
    highest open alert, "any" or "none". ``spoken``: language. ``way``: how the last form was answered. ``state``: one
    of STATES. ``sort``: one of SORTS, with "-" before it in reverse order. Empty: everything, by number.
    """

    find: str = ""
    phase: str = ""
    alert: str = ""
    spoken: str = ""
    way: str = ""
    state: str = ""
    sort: str = ""

    @property
    def is_narrowed(self) -> bool:
        """True if a filter beside the search is set."""
        return bool(self.phase or self.alert or self.spoken or self.way or self.state)

    @property
    def column(self) -> str:
        """Return the column of the order."""
        return self.sort.removeprefix("-") or SORTS[0]

    @property
    def is_reversed(self) -> bool:
        """True if the order is reversed."""
        return self.sort.startswith("-")


EVERYBODY = ParticipantQuery()


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """Row of the participant list.

    ``status``: active, withdrawn, died or mistake (enrolled by mistake). ``open_level``: level of the
    highest open alert. ``phase``: None if it is not known. ``way``: how the last form was answered, "" for none.
    """

    id: int
    plan: str
    participant_number: str
    language: str
    status: str
    is_frozen: bool
    phase: TreatmentPhase | None
    way: str
    last_answer_at: datetime | None
    due: list[OutstandingForm]
    open_level: Level
    open_alert_id: int | None


@dataclass(frozen=True, slots=True)
class ParticipantListPage:
    """Page of the participant list.

    ``page``: its number from 1, of ``pages``. ``number``: participants found on all pages.
    """

    rows: list[ParticipantRow]
    number: int
    page: int
    pages: int


def list_participants(
    work: UnitOfWork, language: str = "zh_Hans", query: ParticipantQuery = EVERYBODY, page: int = 1
) -> ParticipantListPage:
    """Return one page of the participants that ``query`` selects, in its order.

    A ``page`` out of range becomes the nearest page in range.
    """
    found = _ordered(_selected(work, query), query)
    if query.phase or query.column == "phase":
        people = _by_phase(work, list(work.session.scalars(found)), query)
        number, page, pages = _page_numbers(len(people), page)
        shown = people[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    else:
        total = work.session.scalar(select(func.count()).select_from(found.order_by(None).subquery())) or 0
        number, page, pages = _page_numbers(total, page)
        shown = list(work.session.scalars(found.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)))
    return ParticipantListPage(participant_rows(work, shown, language), number, page, pages)


def find_number(work: UnitOfWork, typed: str) -> int | None:
    """Return the participant with exactly this number, in upper or lower case; None if there is none or several."""
    wanted = func.lower(Participant.participant_number) == typed.strip().lower()
    found = list(work.session.scalars(select(Participant.id).where(wanted).limit(2)))
    return found[0] if len(found) == 1 else None


def _page_numbers(number: int, page: int) -> tuple[int, int, int]:
    """Return (number, page, pages) with ``page`` in range."""
    pages = max(1, -(-number // PAGE_SIZE))
    return number, min(max(1, page), pages), pages


def _selected(work: UnitOfWork, query: ParticipantQuery) -> Select[Participant]:
    """Return the query of the participants, without the phase, which follows from dates."""
    clauses: list[ColumnElement[bool]] = []
    if query.find.strip():
        clauses.append(Participant.participant_number.icontains(query.find.strip(), autoescape=True))
    if query.spoken:
        clauses.append(Participant.language == query.spoken)
    if query.way:
        clauses.append(_last_way() == query.way)
    if query.alert:
        wanted = {"none": 0, "watch": 1, "urgent": 2, "emergency": 3}.get(query.alert)
        level = func.coalesce(_open_level(), 0)
        clauses.append(level > 0 if wanted is None else level == wanted)
    left = or_(Participant.withdrawn_at.is_not(None), Participant.died_at.is_not(None))
    if query.state == "frozen":
        of_study = select(Freeze.plan).where(Freeze.participant_id.is_(None), Freeze.unfrozen_at.is_(None))
        own = select(Freeze.participant_id).where(Freeze.participant_id.is_not(None), Freeze.unfrozen_at.is_(None))
        clauses.append(or_(Participant.plan.in_(of_study), Participant.id.in_(own)))
    elif query.state:
        clauses.append(left if query.state == "left" else ~left)
    return select(Participant).where(*clauses)


def _ordered(found: Select[Participant], query: ParticipantQuery) -> Select[Participant]:
    """Return ``found`` in the order of ``query``, equal rows by number."""
    columns: Mapping[str, ColumnElement[Any]] = {
        "alert": func.coalesce(_open_level(), 0),
        "answer": _last_answer(),
        "language": Participant.language.expression,
    }
    by_number = (Participant.plan, Participant.participant_number)
    column = columns.get(query.column)
    if column is None:
        reverse = query.is_reversed and query.column == "number"
        return found.order_by(*((one.desc() for one in by_number) if reverse else by_number))
    # The first press puts on top what needs a look: the most urgent alert, and who has been silent the longest.
    falling = query.is_reversed != (query.column == "alert")
    empty_first = column.is_not(None) if not falling else column.is_(None)
    return found.order_by(empty_first, column.desc() if falling else column.asc(), *by_number)


def _by_phase(work: UnitOfWork, people: Sequence[Participant], query: ParticipantQuery) -> list[Participant]:
    """Return those of ``people`` who are in the phase of ``query``, in the order of the treatment if it asks so."""
    phases = treatment_phases.read_phases(work, people)
    ranks = {person.id: _phase_rank(work, person, phases.get(person.id)) for person in people}
    found = [person for person in people if not query.phase or _phase_name(phases.get(person.id)) == query.phase]
    if query.column == "phase":
        found.sort(key=lambda person: ranks[person.id], reverse=query.is_reversed)
    return found


def _phase_name(phase: TreatmentPhase | None) -> str:
    return (phase.name or phase.state) if phase else ""


def _phase_rank(work: UnitOfWork, person: Participant, phase: TreatmentPhase | None) -> tuple[int, int, int]:
    """Return the place of ``phase`` in the order of the treatment; unknown phases last."""
    calendar = work.catalogue.shown_plan(person.plan).visit_schedule
    names = list(treatment_phase.phase_names(calendar)) if calendar else []
    name = _phase_name(phase)
    if phase is None or name not in names:
        return len(names), 0, 0
    return names.index(name), phase.number, phase.day


def _open_level() -> Any:
    """Return the level of the highest open alert of a participant, as a column."""
    query = select(func.max(Alert.level)).where(
        Alert.participant_id == Participant.id, Alert.closed_at.is_(None), Alert.superseded_at.is_(None)
    )
    return query.correlate(Participant).scalar_subquery()


def _last_answer() -> Any:
    """Return the time of the last answer of a participant, as a column."""
    at = func.coalesce(Assessment.answered_at, Assessment.last_answer_at)
    return (
        select(func.max(at)).where(Assessment.participant_id == Participant.id).correlate(Participant).scalar_subquery()
    )


def _last_way() -> Any:
    """Return how the last form of a participant was answered, as a column."""
    query = select(Assessment.completion_mode).where(
        Assessment.participant_id == Participant.id, Assessment.completion_mode.is_not(None)
    )
    return query.order_by(Assessment.id.desc()).limit(1).correlate(Participant).scalar_subquery()


def participant_rows(work: UnitOfWork, people: Sequence[Participant], language: str) -> list[ParticipantRow]:
    """Return the rows of ``people``; the number of queries does not depend on how many they are."""
    numbers = [person.id for person in people]
    highest: dict[int, Alert] = {}
    query = select(Alert).where(
        Alert.participant_id.in_(numbers), Alert.closed_at.is_(None), Alert.superseded_at.is_(None)
    )
    for alert in work.session.scalars(query.order_by(Alert.level.desc(), Alert.id)):
        highest.setdefault(alert.participant_id, alert)
    due: dict[int, list[OutstandingForm]] = {}
    for form in list_outstanding_forms(work, language, numbers):
        due.setdefault(form.participant_id, []).append(form)
    last = missed_forms.last_answer_times(work, numbers)
    mistakes = consent_records.enrolled_by_mistake(work, numbers)
    frozen = _frozen(work, people)
    phases = treatment_phases.read_phases(work, people)
    way_of = select(Participant.id, _last_way().label("way")).where(Participant.id.in_(numbers))
    ways = {row.id: row.way for row in work.session.execute(way_of)}
    return [
        ParticipantRow(
            id=person.id,
            plan=person.plan,
            participant_number=person.participant_number,
            language=person.language,
            status=status_of(person, mistakes),
            is_frozen=person.id in frozen,
            phase=phases.get(person.id),
            way=ways.get(person.id) or "",
            last_answer_at=last.get(person.id),
            due=due.get(person.id, []),
            open_level=Level(highest[person.id].level) if person.id in highest else Level.NONE,
            open_alert_id=highest[person.id].id if person.id in highest else None,
        )
        for person in people
    ]


def _frozen(work: UnitOfWork, people: Sequence[Participant]) -> set[int]:
    """Return who of ``people`` is frozen, alone or with the study."""
    rows = list(work.session.scalars(select(Freeze).where(Freeze.unfrozen_at.is_(None))))
    studies = {row.plan for row in rows if row.participant_id is None}
    own = {row.participant_id for row in rows}
    return {person.id for person in people if person.id in own or person.plan in studies}


def status_of(person: Participant, mistakes: Collection[int]) -> str:
    """Return the status of ``person``, as in ``ParticipantRow``; ``mistakes``: who was enrolled by mistake."""
    if person.died_at:
        return "died"
    if person.id in mistakes:
        return "mistake"
    return "withdrawn" if person.withdrawn_at else "active"
