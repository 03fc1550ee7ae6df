"""Adverse events: CTCAE terms and grades, SAE report deadline, discordance report.

The grades are those of CTCAE v5.0 as in the data file (docs/domain.md 2.4). Answers of participants only suggest a
grade; every grade in this module was assigned by a clinician.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Protocol, TypeVar

# A report and an event match only if they lie at most this far apart.
MATCHING_WINDOW = timedelta(days=14)
SEVERE_GRADE = 3


@dataclass(frozen=True, slots=True)
class Term:
    """One CTCAE term: ``english`` name of the standard and the ``grades`` that it has.

    ``specify``: the term must be specified in words.
    """

    id: str
    english: str
    grades: tuple[int, ...]
    specify: bool = False


@dataclass(frozen=True, slots=True)
class TermList:
    """A list of CTCAE terms.

    ``suggested``: suspected condition of a rule -> terms to offer, the closest first. ``verified``: a second person
    compared the file with the standard. ``report_hours``: a serious adverse event must be reported within so many hours
    of the awareness time (ICH E2A; China's GCP 2020).
    """

    id: str = ""
    version: str = ""
    verified: bool = False
    terms: Mapping[str, Term] = field(default_factory=lambda: MappingProxyType({}))
    suggested: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    report_hours: int = 24


class DatedGrade(Protocol):
    """A grading; ``from_on``: the first day of the grade, None if it is not known."""

    @property
    def from_on(self) -> date | None: ...


G = TypeVar("G", bound=DatedGrade)


def current_grades(gradings: Iterable[G]) -> list[G]:
    """Return the current gradings of one event: of two from the same day the later counts.

    ``gradings``: in the order of entry.
    """
    return list({one.from_on: one for one in gradings}.values())


@dataclass(frozen=True, slots=True)
class TermWords:
    """The wording of a term in one language: name, and the meaning of each grade in own words."""

    name: str
    grades: Mapping[int, str]


class TermsByName(dict[str, TermWords]):
    """Words of terms; a term that the list no longer has is shown by its id. ``get`` and ``in`` work as in any dict."""

    def __missing__(self, name: str) -> TermWords:
        """Return words that consist of ``name``, without grades."""
        return TermWords(name, {})


@dataclass(frozen=True, slots=True)
class ReportedSymptom:
    """A finding of grade 3 or more suggested by answers; ``source``: the source of its alert."""

    participant_id: int
    alert_id: int
    source: str
    suspects: str
    on: date


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An adverse event as recorded by staff.

    ``ended``: None while it is ongoing. ``severe_on``: first day with grade 3 or more; None if there is none.
    ``sources``: sources of the alerts from which it was graded.
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
    """Symptoms reported but not recorded, and events recorded but not reported."""

    reported_only: tuple[ReportedSymptom, ...]
    recorded_only: tuple[RecordedEvent, ...]


def suggested_terms(terms: TermList, suspects: Iterable[str]) -> list[str]:
    """Return the terms to offer for what the rules suspect, in that order, each once."""
    return list(dict.fromkeys(term for key in suspects for term in terms.suggested.get(key, ())))


def report_deadline(awareness_time: datetime, hours: int) -> datetime:
    """Return the time by which a serious adverse event must be reported.

    ``awareness_time``: awareness time. ``hours``: ``TermList.report_hours``.
    """
    return awareness_time + timedelta(hours=hours)


def compare_reports_with_events(
    reports: Sequence[ReportedSymptom], events: Sequence[RecordedEvent], suggested: Mapping[str, tuple[str, ...]]
) -> DiscordanceResult:
    """Compare reported symptoms with recorded events, participant by participant.

    Return the reports without an event of a suggested term within 14 days, and the events of grade 3 or more without
    such a report. An event that was graded from the report's own alert matches whatever its term. An event counts while
    it lasts, its severity from the first day with grade 3 or more.
    """
    reports_by_participant: dict[int, list[ReportedSymptom]] = {}
    events_by_participant: dict[int, list[RecordedEvent]] = {}
    for report in reports:
        reports_by_participant.setdefault(report.participant_id, []).append(report)
    for event in events:
        events_by_participant.setdefault(event.participant_id, []).append(event)
    return DiscordanceResult(
        tuple(
            report
            for report in reports
            if not any(
                _is_recorded(report, event, suggested) for event in events_by_participant.get(report.participant_id, ())
            )
        ),
        tuple(
            event
            for event in events
            if event.severe_on is not None
            and not any(
                _is_reported(report, event, suggested)
                for report in reports_by_participant.get(event.participant_id, ())
            )
        ),
    )


def _is_recorded(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    """Return True if ``event`` matches ``report`` while it lasts, or within 14 days of it."""
    near = event.onset - MATCHING_WINDOW <= report.on and (
        event.ended is None or report.on <= event.ended + MATCHING_WINDOW
    )
    return _has_same_cause(report, event, suggested) and (near or report.source in event.sources)


def _is_reported(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    """Return True if ``report`` matches ``event`` within 14 days of its first day of grade 3."""
    if event.severe_on is None or not _has_same_cause(report, event, suggested):
        return False
    return abs(report.on - event.severe_on) <= MATCHING_WINDOW or report.source in event.sources


def _has_same_cause(report: ReportedSymptom, event: RecordedEvent, suggested: Mapping[str, tuple[str, ...]]) -> bool:
    """Return True if the term is suggested for the report, or the event comes from its alert."""
    return event.term in suggested.get(report.suspects, ()) or report.source in event.sources
