"""Everybody who was ever enrolled, a page at a time, found by study number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.features.schedule import missed_forms
from pro.features.schedule.outstanding_forms import OutstandingForm, list_outstanding_forms
from pro.models import Alert, Participant

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """One line of the list. ``status``: active, withdrawn or died. ``open_level``: the highest open alert."""

    id: int
    study_number: str
    language: str
    status: str
    last_answer_at: datetime | None
    due: list[OutstandingForm]
    open_level: Level
    open_alert_id: int | None


@dataclass(frozen=True, slots=True)
class ParticipantListPage:
    """One page of ``pages``, counted from 1; ``number``: how many were found on all of them."""

    rows: list[ParticipantRow]
    number: int
    page: int
    pages: int


def list_participants(
    work: UnitOfWork, language: str = "zh_Hans", find: str = "", page: int = 1
) -> ParticipantListPage:
    """By study number; ``find``: only those whose study number contains it, whatever the case of its letters.

    A page that is not there is the nearest that is.
    """
    found = (Participant.study_number.icontains(find.strip(), autoescape=True),) if find.strip() else ()
    number = work.session.scalar(select(func.count()).select_from(Participant).where(*found)) or 0
    pages = max(1, -(-number // PAGE_SIZE))
    page = min(max(1, page), pages)
    query = select(Participant).where(*found).order_by(Participant.plan, Participant.study_number)
    people = list(work.session.scalars(query.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)))
    return ParticipantListPage(participant_rows(work, people, language), number, page, pages)


def participant_rows(work: UnitOfWork, people: Sequence[Participant], language: str) -> list[ParticipantRow]:
    """The lines of ``people``, in three queries."""
    numbers = [person.id for person in people]
    worst: dict[int, Alert] = {}
    query = select(Alert).where(
        Alert.participant_id.in_(numbers), Alert.resolved_at.is_(None), Alert.superseded_at.is_(None)
    )
    for alert in work.session.scalars(query.order_by(Alert.level.desc(), Alert.id)):
        worst.setdefault(alert.participant_id, alert)
    due: dict[int, list[OutstandingForm]] = {}
    for form in list_outstanding_forms(work, language, numbers):
        due.setdefault(form.participant_id, []).append(form)
    last = missed_forms.last_answer_times(work, numbers)
    return [
        ParticipantRow(
            id=person.id,
            study_number=person.study_number,
            language=person.language,
            status="died" if person.died_at else "withdrawn" if person.withdrawn_at else "active",
            last_answer_at=last.get(person.id),
            due=due.get(person.id, []),
            open_level=Level(worst[person.id].level) if person.id in worst else Level.NONE,
            open_alert_id=worst[person.id].id if person.id in worst else None,
        )
        for person in people
    ]
