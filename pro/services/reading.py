"""Every question that a staff page asks of the database, answered in plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import and_, func, or_, select

from pro.core.instrument import Item, ItemWords, Value, Words
from pro.core.level import Level
from pro.errors import NotFound
from pro.messaging import compose
from pro.models import Alert, AlertNote, Assessment, Event, Expected, Message, Participant
from pro.services import cases, circumstances, duties, roster_days, staffing, wording
from pro.services.cases import Case
from pro.services.forms import answer_rows, standing
from pro.services.roster_days import Gap
from pro.work import Work

__all__ = ["Case"]
# An alert's mail that failed this often is shown, although it is tried again for a day.
TRIED_IN_VAIN = 3


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
    """What needs somebody now. ``gaps``: when nobody is on call within a week, the next one first."""

    unacknowledged: list[Case]
    in_hand: list[Case]
    failed: list[FailedMessage]
    waiting: list[DueForm]
    unexplained: list[Unexplained]
    on_duty: list[DutyNow]
    investigators: list[str]
    gaps: list[Gap]
    now: datetime

    @property
    def duty_gap(self) -> bool:
        """True if nobody is on call now."""
        return any(gap.starts <= self.now for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One rule that fired, ``sentence`` and ``suspects`` in the reader's language.

    ``holds``: no answer was changed since; ``new``: nobody has taken it on yet.
    """

    alert_id: int
    rule: str
    level: Level
    sentence: str
    suspects: str
    basis: str
    lowered: bool
    superseded: bool
    holds: bool
    new: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One question with the answer in words now, last time and at baseline; "" where there is none."""

    item: str
    question: str
    now: str
    previous: str
    baseline: str
    skipped: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Everything about the alerts of one form. ``open_ids``: what acknowledging takes on, no more."""

    case: Case
    findings: list[FindingRow]
    unresolved: list[tuple[str, str]]
    answers: list[AnswerRow]
    notes: list[tuple[datetime, str, str]]
    events: list[tuple[datetime, str, str]]
    phone: str | None
    can_acknowledge: bool
    open_ids: list[int]
    submitted_at: datetime | None
    answered_by: str
    mode: str
    language_used: str
    plan_version: str
    unfinished: bool
    wording_status: str
    advice_at: datetime | None
    instrument_title: str
    participant: Participant


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
        unexplained=_unexplained(work),
        on_duty=on_duty,
        investigators=[person.name for person in duties.with_role(work, "investigator")],
        gaps=roster_days.gaps_of_all(work),
        now=work.now,
    )


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
        )
        for assessment, participant in work.session.execute(query)
    ]


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


def alert_page(work: Work, alert_id: int, language: str) -> AlertPage:
    """The page of one alert, with all others of the same form. NotFound. That an identity was shown is recorded."""
    alert = work.session.get(Alert, alert_id)
    case = cases.case_of(work, alert.source, language) if alert else None
    if alert is None or case is None:
        raise NotFound("alert")
    rows = list(work.session.scalars(select(Alert).where(Alert.source == alert.source).order_by(Alert.id)))
    participant = work.session.get_one(Participant, alert.participant_id)
    assessment = work.session.get(Assessment, alert.assessment_id) if alert.assessment_id else None
    own = _form_words(work, assessment, language) if assessment else None
    return AlertPage(
        case=case,
        findings=sorted(
            (_finding(work, row, participant.plan, assessment, language) for row in rows), key=_worst_first
        ),
        unresolved=[
            (rule, cases.sentence_of(work, participant.plan, rule, language))
            for rule in (assessment.unresolved if assessment else [])
        ],
        answers=answer_table(work, assessment, language) if assessment else [],
        notes=_notes(work, alert.source),
        events=_events(work, rows, assessment),
        phone=phone_of(work, participant),
        can_acknowledge=staffing.may(work.actor.role, "acknowledge"),
        open_ids=[row.id for row in rows if row.acknowledged_at is None and row.resolved_at is None],
        submitted_at=assessment.submitted_at if assessment else None,
        answered_by=(assessment.answered_by or "") if assessment else "",
        mode=(assessment.mode or "") if assessment else "",
        language_used=(assessment.language or "") if assessment else "",
        plan_version=rows[-1].plan_version,
        unfinished=assessment is not None and assessment.submitted_at is None,
        wording_status=own.status if own else "",
        advice_at=min((row.advised_at for row in rows if row.advised_at), default=None),
        instrument_title=own.title if own else "",
        participant=participant,
    )


def phone_of(work: Work, participant: Participant) -> str | None:
    """The phone in E.164 for those who may see it; that it was seen is recorded."""
    if participant.phone_sealed is None or not staffing.may(work.actor.role, "see_identity"):
        return None
    work.record("participant.phone_seen", participant, participant_id=participant.id)
    return work.vault.open(participant.phone_sealed)


def answer_table(work: Work, assessment: Assessment, language: str) -> list[AnswerRow]:
    """What was answered, in words, in the instrument's order: items with an answer now, last time or at baseline."""
    instrument = work.catalogue.instruments[assessment.instrument]
    words = _form_words(work, assessment, language)
    now = standing(instrument, answer_rows(work, assessment.id))
    previous = circumstances.earlier_values(work, instrument.id, assessment.context.get("previous", {}))
    baseline = circumstances.earlier_values(work, instrument.id, assessment.context.get("baseline", {}))
    found = []
    for name, item in instrument.items.items():
        if item.kind == "list" or not any(name in answers for answers in (now, previous, baseline)):
            continue
        said = words.items[name]
        found.append(
            AnswerRow(
                item=name,
                question=said.plain,
                now=in_words(item, said, now.get(name)),
                previous=in_words(item, said, previous.get(name)),
                baseline=in_words(item, said, baseline.get(name)),
                skipped=name in now and now[name] is None,
                optional=item.optional,
            )
        )
    return found


def in_words(item: Item, words: ItemWords, value: Value | None) -> str:
    """A value as it was read on screen: an option's label, a number with its unit, a text as typed; "" for none."""
    if value is None:
        return ""
    if item.kind == "choice" and isinstance(value, int):
        label = words.options.get(value, "")
        # Where only the ends have words, the number says where between them.
        return label if len(words.options) == len(item.codes) else f"{value} {label}".strip()
    if isinstance(value, Decimal):
        return f"{value} {words.unit}".strip()
    return str(value)


def _form_words(work: Work, assessment: Assessment, language: str) -> Words:
    pinned = assessment.wordings.get(language, "")
    return wording.by_checksum(work, assessment.instrument, language, pinned)


def _worst_first(finding: FindingRow) -> tuple[bool, bool, int, int]:
    return (finding.superseded, not finding.holds, -finding.level, finding.alert_id)


def _finding(work: Work, alert: Alert, plan_id: str, assessment: Assessment | None, language: str) -> FindingRow:
    words = work.catalogue.plan_words[plan_id, language]
    return FindingRow(
        alert_id=alert.id,
        rule=alert.rule,
        level=Level(alert.level),
        sentence=cases.sentence_of(work, plan_id, alert.rule, language, alert.level),
        suspects=words.suspects.get(alert.suspects, ""),
        basis=alert.basis,
        lowered=alert.lowered,
        superseded=alert.superseded_at is not None,
        holds=cases.holds(alert, assessment),
        new=alert.acknowledged_at is None and alert.resolved_at is None,
        closed=alert.resolved_at is not None,
    )


def _notes(work: Work, source: str) -> list[tuple[datetime, str, str]]:
    names = cases.staff_names(work)
    query = select(AlertNote).where(AlertNote.source == source).order_by(AlertNote.id)
    return [(row.at, names.get(row.staff_id, ""), row.text) for row in work.session.scalars(query)]


def _events(work: Work, alerts: Sequence[Alert], assessment: Assessment | None) -> list[tuple[datetime, str, str]]:
    """The course of things, newest first: (when, machine key of what happened, whom or which rule)."""
    names = cases.staff_names(work)
    found: list[tuple[datetime, str, str]] = []
    ids = [alert.id for alert in alerts]
    query = select(Event).where(Event.subject == "alert", Event.subject_id.in_(ids))
    rules = {alert.id: alert.rule for alert in alerts}
    for event in work.session.scalars(query):
        detail = names.get(event.actor_id or 0, "") if event.actor == "staff" else rules.get(event.subject_id or 0, "")
        found.append((event.at, event.action, detail))
    for message in work.session.scalars(select(Message).where(Message.alert_id.in_(ids))):
        at = message.sent_at or message.failed_at or message.queued_at
        found.append((at, f"message.{message.status}", names.get(message.staff_id or 0, "")))
    if assessment and assessment.submitted_at:
        found.append((assessment.submitted_at, "assessment.submitted", ""))
    return sorted(found, key=lambda row: row[0], reverse=True)


def _failed(work: Work, language: str) -> list[FailedMessage]:
    in_vain = (
        Message.alert_id.is_not(None),
        Message.sent_at.is_(None),
        Message.dropped_at.is_(None),
        Message.tries >= TRIED_IN_VAIN,
    )
    query = (
        select(Message).where(or_(Message.failed_at.is_not(None), and_(*in_vain))).order_by(Message.id.desc()).limit(50)
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
                who=who,
                channel=message.channel,
                template=message.template,
                reason=compose.failure_sentence(message.failure, translator),
                failed_at=message.failed_at or message.queued_at,
                waiting=message.failed_at is None,
            )
        )
    return found
