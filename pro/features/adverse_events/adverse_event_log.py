"""Read adverse events: the log, one event over time, discordances, unreported SAEs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.clinical import adverse_events as pure
from pro.core.clinical.adverse_events import RecordedEvent, ReportedSymptom, TermWords
from pro.core.figures.timeline_span import TimelineSpan
from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.accounts import privacy, signatures, staff_accounts
from pro.features.adverse_events import gradings as adverse_events_gradings
from pro.features.alerts import alert_list
from pro.features.participants.treatment_dates import local_date
from pro.models import AdverseEvent, Alert, Assessment, Grading, Participant, Signature


@dataclass(frozen=True, slots=True)
class AdverseEventRow:
    """One adverse event in the log.

    ``grade``: the newest grade that a clinician assigned. ``report_by``: deadline of the SAE report, None for an event
    that is not serious. ``alert_id``: the alert by which the event was found. ``english``: name of the term in CTCAE.
    """

    id: int
    participant_id: int
    participant_number: str
    term: str
    english: str
    other_term: str
    grade: int
    onset_date: date
    end_date: date | None
    attribution: tuple[str, ...]
    serious: bool
    report_by: datetime | None
    reported_at: datetime | None
    alert_id: int | None


@dataclass(frozen=True, slots=True)
class GradingRow:
    """One grading with the name of the clinician who signed it.

    ``meaning``: what the grade stands for. ``holds``: the content is unchanged since it was signed.
    """

    row: Grading
    name: str
    term: str
    english: str
    meaning: str
    digest: str
    holds: bool


@dataclass(frozen=True, slots=True)
class AdverseEventPage:
    """One adverse event: its row, its term, and every grading, newest first."""

    row: AdverseEventRow
    term: str
    gradings: list[GradingRow]


@dataclass(frozen=True, slots=True)
class UnrecordedReport:
    """A suspected event that was reported but not recorded.

    ``judged``: the reason why a clinician found no event, one of NO_EVENT, or "" if no clinician has assessed it.
    """

    participant_id: int
    participant_number: str
    alert_id: int
    suspected: str
    on: date
    judged: str


@dataclass(frozen=True, slots=True)
class DiscordanceReport:
    """Reports without a recorded event, and recorded events without a report."""

    reported_only: list[UnrecordedReport]
    recorded_only: list[AdverseEventRow]


@dataclass(frozen=True, slots=True)
class UnreportedEvent:
    """A serious adverse event that is not reported yet.

    ``grade``: the newest grade that a clinician assigned. ``awareness_time``: the awareness time, when the event was
    first known to be serious.
    """

    event_id: int
    participant_id: int
    participant_number: str
    term: str
    grade: int
    awareness_time: datetime
    report_by: datetime


def adverse_event_rows(work: UnitOfWork, language: str, participant_id: int | None = None) -> list[AdverseEventRow]:
    """Return every adverse event, or those of one participant.

    Order: serious and unreported events first, then ongoing ones, then by onset date, newest first.
    """
    query = select(AdverseEvent, Participant).join(Participant, Participant.id == AdverseEvent.participant_id)
    if participant_id is not None:
        query = query.where(AdverseEvent.participant_id == participant_id)
    found = list(work.session.execute(query.order_by(AdverseEvent.id)))
    graded = _gradings_by_event(work, [event.id for event, _person in found])
    alerts = _alert_ids(work, {event.source for event, _person in found if event.source})
    rows = [
        _event_row(work, event, person, graded[event.id], alerts.get(event.source), language)
        for event, person in found
        if event.id in graded
    ]
    rows.sort(key=lambda row: (row.onset_date, row.id), reverse=True)
    return sorted(rows, key=lambda row: (not row.serious or row.reported_at is not None, row.end_date is not None))


def timeline_spans(work: UnitOfWork, participant_id: int, language: str) -> list[TimelineSpan]:
    """Return a participant's events with their grades over time, earliest onset first.

    Runs two queries.
    """
    query = select(AdverseEvent).where(AdverseEvent.participant_id == participant_id)
    events = list(work.session.scalars(query.order_by(AdverseEvent.onset_date, AdverseEvent.id)))
    graded = _gradings_by_event(work, [event.id for event in events])
    return [
        TimelineSpan(
            event.onset_date,
            event.end_date,
            event_name(work, event, language),
            _grades_by_day(graded[event.id]),
            event.id,
        )
        for event in events
        if event.id in graded
    ]


def adverse_event_page(work: UnitOfWork, event_id: int, language: str) -> AdverseEventPage:
    """Return one adverse event with its gradings.

    Raises NotFound for an unknown event.
    """
    event = work.session.get(AdverseEvent, event_id)
    rows = (
        [row for row in adverse_event_rows(work, language, event.participant_id) if row.id == event_id] if event else []
    )
    if event is None or not rows:
        raise NotFound("adverse_event")
    query = select(Grading).where(Grading.adverse_event_id == event_id).order_by(Grading.id.desc())
    return AdverseEventPage(rows[0], event.ctcae_term, _grading_rows(work, list(work.session.scalars(query)), language))


def case_gradings(work: UnitOfWork, case_key: str, language: str) -> list[GradingRow]:
    """Return the gradings that clinicians signed for the alerts of ``case_key``, newest first."""
    query = select(Grading).where(Grading.source == case_key).order_by(Grading.id.desc())
    return _grading_rows(work, list(work.session.scalars(query)), language)


def suggested_terms(work: UnitOfWork, case_key: str) -> list[str]:
    """Return the terms to suggest for the alerts of ``case_key``, highest level first."""
    query = select(Alert).where(Alert.source == case_key, Alert.superseded_at.is_(None))
    alerts = work.session.scalars(query.order_by(Alert.level.desc(), Alert.id))
    return pure.suggested_terms(work.catalogue.terms, (alert.suspects for alert in alerts))


def event_name(work: UnitOfWork, event: AdverseEvent, language: str) -> str:
    """Return the name of an event in ``language``, or its free text for an unlisted term."""
    return privacy.visible_reason(work, event.other_term) or _term_words(work, event.ctcae_term, language).name


def discordance_report(work: UnitOfWork, language: str) -> DiscordanceReport:
    """Compare suspected events of grade 3 or higher with recorded ones.

    Returns suspicions without a record, and recorded events of grade 3 or higher without a report.
    """
    reports = _reported_events(work)
    found = pure.compare_reports_with_events(reports, _recorded_events(work), work.catalogue.terms.suggested)
    people = {person.id: person for person in work.session.scalars(select(Participant))}
    of_none = select(Grading.source, Grading.none_reason).where(Grading.none_reason != "").order_by(Grading.id)
    none = {row[0]: row[1] for row in work.session.execute(of_none)}
    severe = {event.event_id for event in found.recorded_only}
    return DiscordanceReport(
        [
            UnrecordedReport(
                one.participant_id,
                people[one.participant_id].participant_number,
                one.alert_id,
                work.catalogue.plan_words[people[one.participant_id].plan, language].suspects.get(one.suspects, ""),
                one.on,
                none.get(one.source, ""),
            )
            for one in sorted(found.reported_only, key=lambda report: report.on, reverse=True)
        ],
        [row for row in adverse_event_rows(work, language) if row.id in severe],
    )


def read_unreported_events(work: UnitOfWork, language: str) -> list[UnreportedEvent]:
    """Return the unreported serious events of all studies, earliest deadline first.

    Events of participants who died are included. Runs one query.
    """
    serious = select(Grading.adverse_event_id).where(Grading.serious)
    query = (
        select(AdverseEvent, Participant, Grading)
        .join(Participant, Participant.id == AdverseEvent.participant_id)
        .join(Grading, Grading.adverse_event_id == AdverseEvent.id)
        .where(AdverseEvent.id.in_(serious), AdverseEvent.reported_at.is_(None))
        .order_by(Grading.from_on, Grading.id)
    )
    found: dict[int, tuple[AdverseEvent, Participant, list[Grading]]] = {}
    for event, person, row in work.session.execute(query):
        found.setdefault(event.id, (event, person, []))[2].append(row)
    due = []
    for event, person, rows in found.values():
        # An event that was serious once must be reported, even if later gradings are not serious.
        known = min(row.awareness_time for row in rows if row.serious and row.awareness_time)
        due.append(
            UnreportedEvent(
                event_id=event.id,
                participant_id=person.id,
                participant_number=person.participant_number,
                term=event_name(work, event, language),
                grade=rows[-1].ctcae_grade or 0,
                awareness_time=known,
                report_by=pure.report_deadline(known, work.catalogue.terms.report_hours),
            )
        )
    return sorted(due, key=lambda one: (one.report_by, one.event_id))


def _grades_by_day(rows: Sequence[Grading]) -> tuple[tuple[date, int], ...]:
    """Return (first day, grade) for each change of the grade."""
    found: list[tuple[date, int]] = []
    for row in pure.current_grades(rows):
        if row.from_on and row.ctcae_grade and (not found or found[-1][1] != row.ctcae_grade):
            found.append((row.from_on, row.ctcae_grade))
    return tuple(found)


def _reported_events(work: UnitOfWork) -> list[ReportedSymptom]:
    """Return one suspected symptom for each alert source and suspicion.

    Includes alerts of level urgent or higher that are not superseded and whose answer still holds.
    """
    query = (
        select(Alert, Assessment, Participant)
        .join(Participant, Participant.id == Alert.participant_id)
        .outerjoin(Assessment, Assessment.id == Alert.assessment_id)
        .where(Alert.level >= int(Level.URGENT), Alert.superseded_at.is_(None), Alert.suspects != "")
        .order_by(Alert.id)
    )
    found: dict[tuple[str, str], ReportedSymptom] = {}
    for alert, form, person in work.session.execute(query):
        if alert.suspects in work.catalogue.terms.suggested and alert_list.finding_holds(alert, form):
            on = local_date(alert.raised_at, person.time_zone)
            one = ReportedSymptom(person.id, alert.id, alert.source, alert.suspects, on)
            found.setdefault((alert.source, alert.suspects), one)
    return list(found.values())


def _recorded_events(work: UnitOfWork) -> list[RecordedEvent]:
    """Return every recorded event, with the first day on which it had grade 3 or higher."""
    events = list(work.session.scalars(select(AdverseEvent).order_by(AdverseEvent.id)))
    graded = _gradings_by_event(work, [event.id for event in events])
    found = []
    for event in events:
        rows = graded.get(event.id, [])
        standing = pure.current_grades(rows)
        severe = [
            row.from_on for row in standing if row.from_on and row.ctcae_grade and row.ctcae_grade >= pure.SEVERE_GRADE
        ]
        sources = frozenset(row.source for row in rows if row.source)
        found.append(
            RecordedEvent(
                event.participant_id,
                event.id,
                event.ctcae_term,
                event.onset_date,
                event.end_date,
                min(severe, default=None),
                sources,
            )
        )
    return found


def _gradings_by_event(work: UnitOfWork, event_ids: Sequence[int]) -> dict[int, list[Grading]]:
    """Return the gradings of each event, in the order of the days from which they hold."""
    query = select(Grading).where(Grading.adverse_event_id.in_(event_ids)).order_by(Grading.from_on, Grading.id)
    found: dict[int, list[Grading]] = {}
    for row in work.session.scalars(query) if event_ids else ():
        found.setdefault(row.adverse_event_id or 0, []).append(row)
    return found


def _alert_ids(work: UnitOfWork, sources: Iterable[str]) -> Mapping[str, int]:
    """Return the first alert of each source."""
    query = select(Alert.source, func.min(Alert.id)).where(Alert.source.in_(sources)).group_by(Alert.source)
    return {row[0]: row[1] for row in work.session.execute(query)}


def _event_row(
    work: UnitOfWork,
    event: AdverseEvent,
    person: Participant,
    graded: list[Grading],
    alert_id: int | None,
    language: str,
) -> AdverseEventRow:
    last = graded[-1]
    serious = [row.awareness_time for row in graded if row.serious and row.awareness_time]
    term = work.catalogue.terms.terms.get(event.ctcae_term)
    return AdverseEventRow(
        id=event.id,
        participant_id=person.id,
        participant_number=person.participant_number,
        term=_term_words(work, event.ctcae_term, language).name,
        english=term.english if term else event.ctcae_term,
        other_term=privacy.visible_reason(work, event.other_term),
        grade=last.ctcae_grade or 0,
        onset_date=event.onset_date,
        end_date=event.end_date,
        attribution=tuple(last.attribution),
        serious=bool(serious),
        report_by=pure.report_deadline(min(serious), work.catalogue.terms.report_hours) if serious else None,
        reported_at=event.reported_at,
        alert_id=alert_id,
    )


def _grading_rows(work: UnitOfWork, rows: Sequence[Grading], language: str) -> list[GradingRow]:
    names = staff_accounts.staff_names(work)
    found = []
    for row in rows:
        event = work.session.get(AdverseEvent, row.adverse_event_id) if row.adverse_event_id else None
        words = _term_words(work, event.ctcae_term, language) if event else TermWords("", {})
        term = work.catalogue.terms.terms.get(event.ctcae_term) if event else None
        signed: Signature | None = next(iter(signatures.list_signatures(work, row)), None)
        found.append(
            GradingRow(
                row,
                name=signed.name if signed else names.get(row.staff_id, ""),
                term=event_name(work, event, language) if event else "",
                english=term.english if term else "",
                meaning=words.grades.get(row.ctcae_grade or 0, ""),
                digest=signed.digest if signed else "",
                holds=signed is not None
                and signatures.is_content_unchanged(
                    signed,
                    adverse_events_gradings.signed_content(row, event),
                    adverse_events_gradings.SIGNED_SHAPES,
                ),
            )
        )
    return found


def _term_words(work: UnitOfWork, term: str, language: str) -> TermWords:
    """Return the words of a term in ``language``; the term's id where there are none."""
    return work.catalogue.term_words.get(language, {}).get(term, TermWords(term, {}))
