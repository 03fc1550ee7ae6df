"""The board: what needs somebody now, read from every study that this installation runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from pro.messaging import compose
from pro.models import Assessment, Expected, Message, Participant
from pro.services import calls, cases, drills, duties, roster_days, staffing, threads
from pro.services.calls import TaskRow
from pro.services.cases import Case
from pro.services.drills import Standing
from pro.services.roster_days import Gap
from pro.services.threads import Inbox
from pro.work import Work

# An alert's mail that failed this often is shown, although it is tried again for a day.
TRIED_IN_VAIN = 3
# Forms awaited and unexplained misses that the board lists: nobody reads more of them, and a page must come at once.
MOST = 100


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A message that reached nobody, or an alert's mail that was tried in vain and is tried again (``waiting``).

    ``who``: a staff name or a study number, never an address. ``reason``: a sentence in the reader's language.
    """

    id: int
    who: str
    channel: str
    template: str
    reason: str
    failed_at: datetime
    waiting: bool


@dataclass(frozen=True, slots=True)
class DueForm:
    """A form that was issued and not sent yet. ``status``: issued or started."""

    participant_id: int
    study_number: str
    instrument: str
    instrument_title: str
    status: str
    issued_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A participant with ``count`` missed forms of which nobody said why."""

    participant_id: int
    study_number: str
    count: int


@dataclass(frozen=True, slots=True)
class DutyNow:
    """Who holds a place on the ladder now."""

    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Board:
    """What needs somebody now. ``gaps``: when nobody is on call within a week, the next one first; ``drills``: test
    alerts to confirm or to mend; ``texts``: what was written to us and nobody has read. Of ``waiting`` and
    ``unexplained`` the first MOST; their totals are of all.
    """

    unacknowledged: list[Case]
    in_hand: list[Case]
    failed: list[FailedMessage]
    waiting: list[DueForm]
    waiting_total: int
    tasks: list[TaskRow]
    unexplained: list[Unexplained]
    unexplained_total: int
    on_duty: list[DutyNow]
    investigators: list[str]
    gaps: list[Gap]
    drills: list[Standing]
    texts: Inbox
    now: datetime

    @property
    def duty_gap(self) -> bool:
        """True if nobody is on call now."""
        return any(gap.starts <= self.now for gap in self.gaps)


def board(work: Work, language: str = "zh_Hans") -> Board:
    """The board of every study that this installation runs."""
    open_cases = cases.open_cases(work, language)
    roster = duties.read(work)
    on_duty = [
        DutyNow(place, person.name)
        for plan in work.catalogue.plans.values()
        for place in ("on_call", "backup")
        for person in roster.on_duty(plan.id, place, work.now)
    ]
    waiting, unexplained = due_forms(work, language, most=MOST), _unexplained(work)
    return Board(
        unacknowledged=[case for case in open_cases if case.acknowledged_by is None],
        in_hand=[case for case in open_cases if case.acknowledged_by is not None],
        failed=_failed(work, language),
        waiting=waiting,
        waiting_total=_due_count(work) if len(waiting) == MOST else len(waiting),
        tasks=calls.due_tasks(work, language),
        unexplained=unexplained,
        unexplained_total=_unexplained_count(work) if len(unexplained) == MOST else len(unexplained),
        on_duty=on_duty,
        investigators=[person.name for person in roster.with_role("investigator", work.now)],
        gaps=roster_days.gaps_of_all(work),
        drills=drills.standing(work),
        texts=_texts(work),
        now=work.now,
    )


def _texts(work: Work) -> Inbox:
    """What waits to be read, for those who may read it."""
    if not staffing.may(work.actor.role, "see_inbox"):
        return Inbox([], [])
    return threads.inbox(work, unread_only=True)


def _due(work: Work) -> tuple[ColumnElement[bool], ...]:
    """Which forms are open and not sent, of people who may be asked."""
    return (
        Assessment.submitted_at.is_(None),
        Assessment.cancelled_at.is_(None),
        Assessment.closes_at > work.now,
        Participant.withdrawn_at.is_(None),
        Participant.died_at.is_(None),
    )


def _due_count(work: Work) -> int:
    query = select(func.count()).join_from(Assessment, Participant, Participant.id == Assessment.participant_id)
    return work.session.scalar(query.where(*_due(work))) or 0


def due_forms(work: Work, language: str, participant_id: int | None = None, most: int | None = None) -> list[DueForm]:
    """Forms that are open and not sent, the one that closes first on top, ``most`` of them."""
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(*_due(work))
        .order_by(Assessment.closes_at, Assessment.id)
        .limit(most)
    )
    if participant_id is not None:
        query = query.where(Participant.id == participant_id)
    return [
        DueForm(
            participant_id=participant.id,
            study_number=participant.study_number,
            instrument=assessment.instrument,
            instrument_title=work.catalogue.words[assessment.instrument, language].title,
            status=assessment.status,
            issued_at=assessment.issued_at,
            closes_at=assessment.closes_at,
        )
        for assessment, participant in work.session.execute(query)
    ]


UNEXPLAINED = (
    Expected.missed_at.is_not(None),
    Expected.served_at.is_(None),
    Expected.mandatory.is_(True),
    Expected.missing_reason == "",
)


def _unexplained_count(work: Work) -> int:
    return work.session.scalar(select(func.count(Expected.participant_id.distinct())).where(*UNEXPLAINED)) or 0


def _unexplained(work: Work) -> list[Unexplained]:
    query = (
        select(Participant.id, Participant.study_number, func.count())
        .join(Expected, Expected.participant_id == Participant.id)
        .where(*UNEXPLAINED)
        .group_by(Participant.id, Participant.study_number)
        .order_by(Participant.study_number)
        .limit(MOST)
    )
    return [Unexplained(*row) for row in work.session.execute(query)]


def _failed(work: Work, language: str) -> list[FailedMessage]:
    in_vain = (
        Message.repeat == "prefer_duplicate",
        Message.sent_at.is_(None),
        Message.dropped_at.is_(None),
        Message.tries >= TRIED_IN_VAIN,
    )
    # A drill stands on top of the board itself: phoning somebody instead would prove nothing.
    query = (
        select(Message, Participant.study_number)
        .outerjoin(Participant, Participant.id == Message.participant_id)
        .where(or_(Message.failed_at.is_not(None), and_(*in_vain)), Message.template.not_in(drills.TOLD))
        .order_by(Message.id.desc())
        .limit(50)
    )
    names: Mapping[int, str] = cases.staff_names(work)
    translator = work.house.catalogs.translator(language)
    found = []
    for message, study_number in work.session.execute(query):
        who = study_number or names.get(message.staff_id or 0, "")
        found.append(
            FailedMessage(
                id=message.id,
                who=who,
                channel=message.channel,
                template=message.template,
                reason=compose.failure_sentence(message.failure, translator),
                failed_at=message.failed_at or message.queued_at,
                waiting=message.failed_at is None,
            )
        )
    return found
