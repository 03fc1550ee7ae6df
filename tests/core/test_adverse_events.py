"""Test which reports belong to which events, the offered term, and the reporting deadline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from pro.core.clinical.adverse_events import (
    RecordedEvent,
    ReportedSymptom,
    TermList,
    compare_reports_with_events,
    current_grades,
    report_deadline,
    suggested_terms,
)

DAY = date(2026, 11, 22)
FITS = {"headache": ("headache",), "mucosal_ulcer": ("pharyngeal_necrosis", "pharyngeal_mucositis")}


def report(days: int = 0, suspects: str = "headache", person: int = 1, source: str = "assessment:1") -> ReportedSymptom:
    return ReportedSymptom(person, 7, source, suspects, DAY + timedelta(days))


def event(onset: int = 0, ended: int | None = None, severe: int | None = 0, **more: object) -> RecordedEvent:
    made = {"participant_id": 1, "event_id": 3, "term": "headache", "sources": frozenset()} | more
    return RecordedEvent(
        onset=DAY + timedelta(onset),
        ended=None if ended is None else DAY + timedelta(ended),
        severe_on=None if severe is None else DAY + timedelta(severe),
        **made,  # type: ignore[arg-type]
    )


TABLE = [
    # what, reports, events, reported only, recorded only
    ("nothing", [], [], 0, 0),
    ("a report alone", [report()], [], 1, 0),
    ("an event alone", [], [event()], 0, 1),
    ("a mild event that nobody reported", [], [event(severe=None)], 0, 0),
    ("both on a day", [report()], [event()], 0, 0),
    ("14 days before it began", [report(-14)], [event()], 0, 0),
    ("15 days before it began", [report(-15)], [event()], 1, 1),
    ("while it goes on, long after", [report(40)], [event()], 0, 1),
    ("14 days after it ended", [report(24)], [event(ended=10, severe=10)], 0, 0),
    ("15 days after it ended", [report(25)], [event(ended=10, severe=10)], 1, 1),
    ("a mild event that was reported as severe", [report()], [event(severe=None)], 0, 0),
    ("severe long after it began", [report(30)], [event(severe=30)], 0, 0),
    ("another term", [report()], [event(term="pain")], 1, 1),
    (
        "another term, graded from that alert",
        [report()],
        [event(term="pain", sources=frozenset({"assessment:1"}))],
        0,
        0,
    ),
    ("the second term that is offered", [report(suspects="mucosal_ulcer")], [event(term="pharyngeal_mucositis")], 0, 0),
    ("another participant", [report(person=2)], [event()], 1, 1),
    ("one event for two reports", [report(), report(9, source="assessment:2")], [event()], 0, 0),
]


@pytest.mark.parametrize(
    ("reports", "events", "reported", "recorded"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_reports_and_events(reports, events, reported, recorded):
    found = compare_reports_with_events(reports, events, FITS)
    assert (len(found.reported_only), len(found.recorded_only)) == (reported, recorded)


def test_terms_are_offered_in_the_order_of_the_suspicions_each_once():
    terms = TermList(suggested=FITS | {"sentinel": ("pharyngeal_necrosis", "headache")})
    assert suggested_terms(terms, ["sentinel", "unknown", "mucosal_ulcer", "headache"]) == [
        "pharyngeal_necrosis",
        "headache",
        "pharyngeal_mucositis",
    ]


def test_a_serious_event_is_reported_within_24_hours():
    known = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
    assert report_deadline(known, 24) == datetime(2026, 11, 23, 3, 5, tzinfo=UTC)


@dataclass
class Graded:
    """A grade from a day on."""

    from_on: date
    grade: int


def test_a_newer_grading_from_the_same_day_takes_the_older_ones_place() -> None:
    first, milder, again = (Graded(DAY + timedelta(day), n) for day, n in ((1, 3), (5, 2), (1, 1)))
    assert [one.grade for one in current_grades([first, milder, again])] == [1, 2]
