"""Read a participant's timeline: treatment, forms, messages, alerts and adverse events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.figures.timeline_span import TimelineSpan
from pro.core.rule_language.level import Level
from pro.features.alerts import alert_list
from pro.features.reports.answer_history import AnswerHistory
from pro.models import Alert, Message

# Kinds of entries. DOSE and DATE are days of the treatment; FRACTION occurs on many days and is drawn in runs.
DOSE, FRACTION, DATE = "dose", "fraction", "date"
RECEIVED, PARTIAL, MISSED = "received", "partial", "missed"
SENT, FAILED, ALERT = "sent", "failed", "alert"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of the timeline.

    ``title``: in the reader's language, or the template of a message. ``number``: of a dose or fraction. ``level``: of
    an alert. ``at``: the time, if known. ``detail``: the reason for a missed form (a key), or "out_of_window".
    """

    kind: str
    on: date
    title: str
    number: int = 0
    level: Level = Level.NONE
    at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TimelineLane:
    """The entries of one kind, in order.

    ``id``: treatment, dates, messages, alerts, or an instrument's id.
    """

    id: str
    title: str
    entries: tuple[TimelineEntry, ...]


@dataclass(frozen=True, slots=True)
class ParticipantTimeline:
    """All lanes with entries; ``spans``: adverse events, drawn as a lane of their own."""

    origin: date
    today: date
    lanes: tuple[TimelineLane, ...]
    spans: tuple[TimelineSpan, ...]

    @property
    def days(self) -> list[date]:
        """Every day with an entry, and today."""
        found = [entry.on for lane in self.lanes for entry in lane.entries]
        found += [day for span in self.spans for day in (span.starts, span.ends or self.today)]
        return [*found, self.today]


def read_timeline(
    work: UnitOfWork, record: AnswerHistory, language: str, spans: Sequence[TimelineSpan] = ()
) -> ParticipantTimeline:
    """Return the timeline up to now.

    Runs two queries beside those of ``record``. ``spans``: adverse events.
    """
    plan = work.catalogue.shown_plan(record.participant.plan)
    treatment, dated = _dates(work, record, language)
    lanes = [TimelineLane("treatment", "", treatment), TimelineLane("dates", "", dated)]
    for name in record.instruments(plan):
        title = work.catalogue.staff_title(name, language)
        lanes.append(TimelineLane(name, title, _forms(record, name)))
    lanes += [
        TimelineLane("messages", "", _messages(work, record)),
        TimelineLane("alerts", "", _alerts(work, record, language)),
    ]
    return ParticipantTimeline(record.origin, record.today, tuple(lane for lane in lanes if lane.entries), tuple(spans))


def _dates(
    work: UnitOfWork, record: AnswerHistory, language: str
) -> tuple[tuple[TimelineEntry, ...], tuple[TimelineEntry, ...]]:
    """Return (doses and fractions, other recorded dates); planned dates are left out."""
    plan = work.catalogue.shown_plan(record.participant.plan)
    words = work.catalogue.plan_words[plan.id, language]
    visit_schedule = plan.visit_schedule
    doses = {kind for rule in visit_schedule.exposures for kind in rule.doses} if visit_schedule else set()
    given: list[TimelineEntry] = []
    dated: list[TimelineEntry] = []
    for row in sorted(record.anchors, key=lambda one: (one.on, one.id)):
        if row.planned or row.on > record.today:
            continue
        title = words.anchors.get(row.kind, row.kind)
        rule = visit_schedule.anchors.get(row.kind) if visit_schedule else None
        daily = bool(rule and rule.projection and rule.projection.working_days and rule.projection.every == 1)
        if row.kind in doses or daily:
            given.append(TimelineEntry(FRACTION if daily else DOSE, row.on, title, row.number))
        else:
            dated.append(TimelineEntry(DATE, row.on, title, row.number))
    return tuple(given), tuple(dated)


def _forms(record: AnswerHistory, instrument: str) -> tuple[TimelineEntry, ...]:
    """Return received, partially completed and missed forms of an instrument, by day."""
    zone = ZoneInfo(record.participant.time_zone)
    found = [
        TimelineEntry(
            RECEIVED if form.sent else PARTIAL,
            form.on,
            form.visits[0] if form.visits else "",
            at=form.at,
            detail="out_of_window" if form.out_of_window else "",
        )
        for form in record.of(instrument)
    ]
    found += [
        TimelineEntry(
            MISSED, line.expected.due_at.astimezone(zone).date(), line.title, detail=line.expected.missing_reason
        )
        for line in record.lines
        if line.expected.instrument == instrument and line.status == MISSED
    ]
    return tuple(sorted(found, key=lambda entry: entry.on))


def _messages(work: UnitOfWork, record: AnswerHistory) -> tuple[TimelineEntry, ...]:
    """Return messages to the participant that were sent or failed. Reads no sealed column."""
    query = select(Message.template, Message.sent_at, Message.failed_at).where(
        Message.participant_id == record.participant.id, Message.staff_id.is_(None)
    )
    zone = ZoneInfo(record.participant.time_zone)
    found = []
    for template, sent_at, failed_at in work.session.execute(query):
        at = failed_at or sent_at
        if at is not None:
            found.append(TimelineEntry(FAILED if failed_at else SENT, at.astimezone(zone).date(), template, at=at))
    return tuple(sorted(found, key=lambda entry: (entry.on, entry.title)))


def _alerts(work: UnitOfWork, record: AnswerHistory, language: str) -> tuple[TimelineEntry, ...]:
    """Return one entry for each alert source, with the finding of the highest level."""
    query = (
        select(Alert.source, Alert.rule, Alert.level, Alert.raised_at)
        .where(Alert.participant_id == record.participant.id, Alert.superseded_at.is_(None))
        .order_by(Alert.level.desc(), Alert.id)
    )
    worst: dict[str, TimelineEntry] = {}
    zone = ZoneInfo(record.participant.time_zone)
    for source, rule, level, at in work.session.execute(query):
        if source not in worst:
            sentence = alert_list.rule_sentence(work, record.participant.plan, rule, language, level)
            worst[source] = TimelineEntry(ALERT, at.astimezone(zone).date(), sentence, level=Level(level), at=at)
    return tuple(sorted(worst.values(), key=lambda entry: (entry.on, entry.level)))
