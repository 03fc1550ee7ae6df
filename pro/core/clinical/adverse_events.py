"""Adverse events: the terms and their grades, when a serious one must be reported, and where reports and events differ.

The grades are CTCAE v5.0's as the data file has them (docs/domain.md 2.4). A participant's answers only suspect a
grade;
a grade here is always a clinician's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Protocol, TypeVar

# A report and an event belong together if so many days or fewer lie between them.
MATCHING_WINDOW = timedelta(days=14)
SEVERE_GRADE = 3


@dataclass(frozen=True, slots=True)
class Term:
    """One term. ``english``: as the standard names it; ``grades``: those it has; ``specify``: it must be named."""

    id: str
    english: str
    grades: tuple[int, ...]
    specify: bool = False


@dataclass(frozen=True, slots=True)
class TermList:
    """A list of terms. ``suggested``: what a rule suspects -> the terms to offer, the closest first.

    ``verified`` is false until a second person compared the file with the standard. ``report_hours``: a serious event
    is reported within so many hours from when it became known (ICH E2A; China's GCP 2020).
    """

    id: str = ""
    version: str = ""
    verified: bool = False
    terms: Mapping[str, Term] = field(default_factory=lambda: MappingProxyType({}))
    suggested: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    report_hours: int = 24


class DatedGrade(Protocol):
    """What was graded from a day on."""

    @property
    def from_on(self) -> date | None: ...


G = TypeVar("G", bound=DatedGrade)


def current_grades(gradings: Iterable[G]) -> list[G]:
    """Those of one event that stand: a newer grading from the same day on takes the older one's place."""
    return list({one.from_on: one for one in gradings}.values())


@dataclass(frozen=True, slots=True)
class TermWords:
    """A term in one language: its name, and what each of its grades means in our own words."""

    name: str
    grades: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class ReportedSymptom:
    """A finding of grade 3 or more that a participant's answers suspected. ``source``: of its alert."""

    participant_id: int
    alert_id: int
    source: str
    suspects: str
    on: date


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An adverse event. ``ended`` is None while it goes on; ``severe_on``: from when it was of grade 3 or more.

    ``sources``: the alerts by which it was graded.
    """

    participant_id: int
    event_id: int
    term: str
    onset: date
    ended: date | None
    severe_on: date | None
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DiscordanceResult:
    """What participants reported and nobody recorded, and what was recorded and nobody reported."""

    reported_only: tuple[ReportedSymptom, ...]
    recorded_only: tuple[RecordedEvent, ...]


def suggested_terms(terms: TermList, suspects: Iterable[str]) -> list[str]:
    """The terms to offer for what the rules suspect, in that order, each once."""
    return list(dict.fromkeys(term for key in suspects for term in terms.suggested.get(key, ())))


def report_deadline(known_at: datetime, hours: int) -> datetime:
    """Until when a serious event that became known at ``known_at`` must be reported, ``hours`` as the file has them."""
    return known_at + timedelta(hours=hours)


def compare_reports_with_events(
    reports: Sequence[ReportedSymptom], events: Sequence[RecordedEvent], suggested: Mapping[str, tuple[str, ...]]
) -> DiscordanceResult:
    """Reports without an event of a fitting term within 14 days, and severe events without such a report.

    An event graded from the report's own alert fits whatever its term. An event counts for as long as it lasts, its
    severity from the day on which it was of grade 3.
    """
    told: dict[int, list[ReportedSymptom]] = {}
    known: dict[int, list[RecordedEvent]] = {}
    for report in reports:
        told.setdefault(report.participant_id, []).append(report)
    for event in events:
        known.setdefault(event.participant_id, []).append(event)
    return DiscordanceResult(
        tuple(
            report
            for report in reports
            if not any(_is_recorded(report, event, suggested) for event in known.get(report.participant_id, ()))
        ),
        tuple(
            event
            for event in events
            if event.severe_on is not None
            and not any(_is_reported(report, event, suggested) for report in told.get(event.participant_id, ()))
        ),
    )


def _is_recorded(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    near = event.onset - MATCHING_WINDOW <= report.on and (
        event.ended is None or report.on <= event.ended + MATCHING_WINDOW
    )
    return _has_same_cause(report, event, suggested) and (near or report.source in event.sources)


def _is_reported(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    if event.severe_on is None or not _has_same_cause(report, event, suggested):
        return False
    return abs(report.on - event.severe_on) <= MATCHING_WINDOW or report.source in event.sources


def _has_same_cause(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    return event.term in suggested.get(report.suspects, ()) or report.source in event.sources
