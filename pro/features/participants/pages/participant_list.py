"""List of all enrolled participants, in pages, searched by participant number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.participants import consent_records
from pro.features.schedule import missed_forms
from pro.features.schedule.outstanding_forms import OutstandingForm, list_outstanding_forms
from pro.models import Alert, Participant

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """Row of the participant list.

    ``status``: active, withdrawn, died or mistake (enrolled by mistake). ``open_level``: level of the
    highest open alert.
    """

    id: int
    participant_number: str
    language: str
    status: str
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
    work: UnitOfWork, language: str = "zh_Hans", find: str = "", page: int = 1
) -> ParticipantListPage:
    """Return one page of the participants, ordered by participant number.

    ``find``: only participants whose number contains it, in upper or lower case. A ``page`` out of range becomes the
    nearest page in range.
    """
    found = (Participant.participant_number.icontains(find.strip(), autoescape=True),) if find.strip() else ()
    number = work.session.scalar(select(func.count()).select_from(Participant).where(*found)) or 0
    pages = max(1, -(-number // PAGE_SIZE))
    page = min(max(1, page), pages)
    query = select(Participant).where(*found).order_by(Participant.plan, Participant.participant_number)
    people = list(work.session.scalars(query.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)))
    return ParticipantListPage(participant_rows(work, people, language), number, page, pages)


def participant_rows(work: UnitOfWork, people: Sequence[Participant], language: str) -> list[ParticipantRow]:
    """Return the rows of ``people``, in four queries."""
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
    return [
        ParticipantRow(
            id=person.id,
            participant_number=person.participant_number,
            language=person.language,
            status=_status(person, mistakes),
            last_answer_at=last.get(person.id),
            due=due.get(person.id, []),
            open_level=Level(highest[person.id].level) if person.id in highest else Level.NONE,
            open_alert_id=highest[person.id].id if person.id in highest else None,
        )
        for person in people
    ]


def _status(person: Participant, mistakes: Collection[int]) -> str:
    if person.died_at:
        return "died"
    if person.id in mistakes:
        return "mistake"
    return "withdrawn" if person.withdrawn_at else "active"
