"""The board: what needs somebody now, read from every study that this installation runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select

from pro.messaging import compose
from pro.models import Assessment, Expected, Message, Participant
from pro.services import (
    calls,
    cards,
    cases,
    corrections,
    drills,
    duties,
    endoscopies,
    roster_days,
    sheets,
    staffing,
    threads,
)
from pro.services.calls import TaskRow
from pro.services.cards import LockedCard
from pro.services.cases import Case
from pro.services.drills import Standing
from pro.services.endoscopies import EndoscopyDue
from pro.services.roster_days import Gap
from pro.services.sheets import PaperRow
from pro.services.threads import Inbox
from pro.work import Work

# An alert's mail that failed this often is shown, although it is tried again for a day.
TRIED_IN_VAIN = 3
# Drills stand on top of the board themselves; invitations in the list of people, where administrators see them.
ELSEWHERE = (*drills.TOLD, "staff_invitation")


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A message that reached nobody, or an alert's mail that was tried in vain and is tried again (``waiting``).

    ``participant_id``: whom it is to or about, if anybody. ``who``: a staff name or a study number, never an address.
    ``reason``: a sentence in the reader's language.
    """

    id: int
    participant_id: int | None
    who: str
    channel: str
    template: str
    reason: str
    failed_at: datetime
    waiting: bool


@dataclass(frozen=True, slots=True)
class DueForm:
    """A form that was issued and not sent yet. ``status``: issued or started; ``today``: where the participant lives,
    its last day is today."""

    participant_id: int
    study_number: str
    instrument: str
    instrument_title: str
    status: str
    issued_at: datetime
    closes_at: datetime
    today: bool


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
    alerts to confirm or to mend; ``texts``: what was written to us and nobody has read;
    ``locked_cards``: for those who may make new ones.
    ``endoscopies``: asked for, late.
    """

    unacknowledged: list[Case]
    in_hand: list[Case]
    failed: list[FailedMessage]
    waiting: list[DueForm]
    tasks: list[TaskRow]
    unexplained: list[Unexplained]
    on_duty: list[DutyNow]
    investigators: list[str]
    gaps: list[Gap]
    drills: list[Standing]
    texts: Inbox
    papers: list[PaperRow]
    locked_cards: list[LockedCard]
    corrections: int
    endoscopies: list[EndoscopyDue]
    now: datetime

    @property
    def duty_gap(self) -> bool:
        """True if nobody is on call now."""
        return any(gap.starts <= self.now for gap in self.gaps)


def board(work: Work, language: str = "zh_Hans") -> Board:
    """The board of every study that this installation runs."""
    open_cases = cases.open_cases(work, language)
    on_duty = [
        DutyNow(place, person.name)
        for plan in work.catalogue.plans.values()
        for place in ("on_call", "backup")
        for person in duties.on_duty(work, plan, place)
    ]
    return Board(
        unacknowledged=[case for case in open_cases if case.acknowledged_by is None],
        in_hand=[case for case in open_cases if case.acknowledged_by is not None],
        failed=_failed(work, language),
        waiting=due_forms(work, language),
        tasks=calls.due_tasks(work, language),
        unexplained=_unexplained(work),
        on_duty=on_duty,
        investigators=[person.name for person in duties.with_role(work, "investigator")],
        gaps=roster_days.gaps_of_all(work),
        drills=drills.standing(work),
        texts=_texts(work),
        papers=sheets.papers(work, language),
        locked_cards=cards.locked(work) if staffing.may(work.actor.role, "make_card") else [],
        corrections=corrections.waiting(work),
        endoscopies=endoscopies.due(work),
        now=work.now,
    )


def _texts(work: Work) -> Inbox:
    """What waits to be read, for those who may read it."""
    if not staffing.may(work.actor.role, "see_inbox"):
        return Inbox([], [])
    return threads.inbox(work, unread_only=True)


def due_forms(work: Work, language: str, participant_id: int | None = None) -> list[DueForm]:
    """Forms that are open and not sent, the one that closes first on top."""
    query = (
        select(Assessment, Participant)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(
            Assessment.submitted_at.is_(None),
            Assessment.cancelled_at.is_(None),
            Assessment.closes_at > work.now,
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
        .order_by(Assessment.closes_at, Assessment.id)
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
            today=_same_day(assessment.closes_at, work.now, participant.time_zone),
        )
        for assessment, participant in work.session.execute(query)
    ]


def _same_day(one: datetime, other: datetime, time_zone: str) -> bool:
    zone = ZoneInfo(time_zone)
    # A window that closes at midnight closes at the end of the day before.
    return (one - timedelta(microseconds=1)).astimezone(zone).date() == other.astimezone(zone).date()


def _unexplained(work: Work) -> list[Unexplained]:
    query = (
        select(Participant.id, Participant.study_number, func.count())
        .join(Expected, Expected.participant_id == Participant.id)
        .where(
            Expected.missed_at.is_not(None),
            Expected.served_at.is_(None),
            Expected.mandatory.is_(True),
            Expected.missing_reason == "",
        )
        .group_by(Participant.id, Participant.study_number)
        .order_by(Participant.study_number)
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
        select(Message)
        .where(or_(Message.failed_at.is_not(None), and_(*in_vain)), Message.template.not_in(ELSEWHERE))
        .order_by(Message.id.desc())
        .limit(50)
    )
    names: Mapping[int, str] = cases.staff_names(work)
    translator = work.house.catalogs.translator(language)
    found = []
    for message in work.session.scalars(query):
        who = names.get(message.staff_id or 0, "")
        if message.participant_id:
            who = work.session.get_one(Participant, message.participant_id).study_number
        found.append(
            FailedMessage(
                id=message.id,
                participant_id=message.participant_id,
                who=who,
                channel=message.channel,
                template=message.template,
                reason=compose.failure_sentence(message.failure, translator),
                failed_at=message.failed_at or message.queued_at,
                waiting=message.failed_at is None,
            )
        )
    return found
