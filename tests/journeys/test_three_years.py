"""Test a participant's three years in the study, with a moved clock and the services only.

The figures at the end are counted by hand from docs/domain.md 6, as the comments say; the test computes none of them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.catalogue.closing_days import read_working_days
from pro.core.study_plan import StudyPlan
from pro.features.participants import clinical_facts
from pro.features.participants.clinical_facts import MISSED_FORM_PREFIX
from pro.features.schedule import expected_forms, schedule_service
from pro.i18n import Catalogs
from pro.models import Alert, CallTask, ExpectedForm
from tests.core.example_schedule import local
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic, build_clinic
from tests.support.calendar_participant import CHECKIN, QLQ, CalendarParticipant, change, day
from tests.support.clinic_fixtures import app_context_on
from tests.support.factories import Clock

# The holiday's make-up days as a site would enter them once announced: off from Thursday 4 to Wednesday 10 February
# 2027, at work on Sunday 31 January and Saturday 13 February.
SPRING = "off: [2027-02-04/2027-02-10]\nworking: [2027-01-31, 2027-02-13]\n"
# 1 to 10 on the working days from Monday 18 January on, 11 on Sunday 31 January, 12 to 14 on 1 to 3 February, 15 and 16
# on the 11th and 12th, 17 on Saturday the 13th, 18 to 27 on the two weeks after that, 28 on Monday 1 March.
FRACTIONS = [
    *[f"2027-01-{number}" for number in (18, 19, 20, 21, 22, 25, 26, 27, 28, 29, 31)],
    *[f"2027-02-{number:02}" for number in (1, 2, 3, 11, 12, 13, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26)],
    "2027-03-01",
]
RT_END = "2027-03-01"


@dataclass
class Life:
    """Answer every form that is due; ``skips`` names visits that are left unanswered."""

    patient: CalendarParticipant
    zone: str
    skips: set[str]
    answered: list[tuple[str, datetime]] = field(default_factory=list)

    def until(self, on: str, hour: str = "12:00") -> None:
        """Move to the local time; due forms are answered at the worker's first round after 10:00."""
        end = local(f"{on} {hour}", self.zone)
        clock = self.patient.clinic.app_context.clock
        while (due := self.patient.next_due_at()) is not None and due <= end:
            self.patient.when(max(due, clock())).look()
            self._answers()
        self.patient.when(end).look()
        self._answers()

    def _answers(self) -> None:
        now = self.patient.clinic.app_context.clock()
        if not 8 <= now.astimezone(ZoneInfo(self.zone)).hour < 21:
            return
        waiting: dict[str, list[ExpectedForm]] = {}
        for (_visit, instrument), row in self.patient.lines().items():
            if row.opens_at <= now <= row.closes_at and not row.received_at and row.assessment_id and row.steps:
                waiting.setdefault(instrument, []).append(row)
        for instrument, rows in waiting.items():
            if not {row.visit for row in rows} & self.skips:
                self.patient.begin(instrument).submit()
                self.answered.append((instrument, now))


def kinds(person: CalendarParticipant) -> Counter[str]:
    """Return "kind instrument" -> number of expected forms."""
    return Counter(f"{row.kind} {name[1]}" for name, row in person.lines().items())


def messages_are_polite(person: CalendarParticipant, zone: str, most: int) -> None:
    """Check for at most ``most`` texts a day, none at night, none twice, three for each form."""
    days: Counter[date] = Counter()
    for row in person.messages():
        goes = row.next_try_at.astimezone(ZoneInfo(zone))
        ends = row.not_after.astimezone(ZoneInfo(zone)) if row.not_after else goes
        assert 8 <= goes.hour < 21
        assert 8 <= ends.hour < 21
        assert ends.date() == goes.date()
        days[goes.date()] += 1
    assert max(days.values()) <= most
    keys = [row.dedupe_key for row in person.messages()]
    assert len(keys) == len(set(keys))
    assert max(Counter(key.rpartition(":")[0] for key in keys).values()) <= 3


@pytest.fixture
def settle(
    sqlite_template: Path, catalogue: Catalogue, catalogs: Catalogs, tmp_path: Path
) -> Iterator[Callable[..., CalendarParticipant]]:
    """Enrol a participant on a day in a time zone, at a site with its own days off."""
    app_contexts: list[AppContext] = []

    def make_patient(now: datetime, zone: str, days: str = "") -> CalendarParticipant:
        path = shutil.copy(sqlite_template, tmp_path / f"{len(app_contexts)}.sqlite3")
        app_context = app_context_on(f"sqlite:///{path}", catalogue, catalogs, tmp_path, Clock(now))
        app_contexts.append(app_context)
        if days:
            (tmp_path / "days.yaml").write_text(days, encoding="utf-8")
            site = {"npc_reirradiation": read_working_days("CN", tmp_path / "days.yaml")}
            app_context = replace(app_context, catalogue=replace(app_context.catalogue, working=site))

        def there(plan: StudyPlan) -> StudyPlan:
            return replace(plan, settings=replace(plan.settings, time_zone=zone))

        clinic: Clinic = build_clinic(app_context).with_plan(there)
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            made = factories.participant(work, "NPC-300", pd1=None, asked=True)
            return CalendarParticipant(clinic, made.id)

    yield make_patient
    for app_context in app_contexts:
        app_context.engine.dispose()


def induction(life: Life) -> None:
    """Record consent on Monday 14 December 2026, day 1 on the 21st, day 22 on 11 January."""
    person = life.patient
    life.until("2026-12-16")
    person.set(change("induction_day1", "2026-12-21", planned=True))
    life.until("2026-12-21")
    person.set(change("induction_day1", "2026-12-21"), change("pd1_dose", "2026-12-21", 1))
    life.until("2027-01-07")
    # A day late: the form of the week of 4 January was missed, and is answered after all.
    assert person.statuses()["induction_week.2", CHECKIN] == "missed"
    person.begin(CHECKIN).submit()
    person.set(change("rt_fraction", "2027-01-18", 1, planned=True))
    life.until("2027-01-11")
    person.set(change("pd1_dose", "2027-01-11", 2))


def radiotherapy(life: Life) -> None:
    """Record every fraction on its day, across the Spring Festival.

    A decision at 50 Gy is planned for Thursday.
    """
    person = life.patient
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        coming = schedule_service.read_days(work, person.row(work))["rt_fraction"]
    assert [str(coming[number].on) for number in range(1, 29)] == FRACTIONS
    for number, on in enumerate(FRACTIONS, 1):
        life.until(on)
        person.set(change("rt_fraction", on, number))
        if number == 22:
            person.set(change("cr_decision", "2027-02-25", planned=True))
        if number == 26:
            person.set(change("cr_decision", "2027-02-25"))
    person.set(change("rt_end", RT_END))


def maintenance(life: Life) -> None:
    """Record eighteen cycles from 12 March on, the fifth a week late.

    An ulcer occurs between the third and the fifth.
    """
    person = life.patient
    ulcer = {
        "2027-04-20": ("ulcer_suspected", "suspected"),
        "2027-04-22": ("ulcer_confirmed", "confirmed"),
        "2027-05-24": ("ulcer_cleared", "none"),
    }
    days = {str(day("2027-03-12", 21 * (number - 1) + 7 * (number >= 5))): number for number in range(1, 19)}
    for on in sorted({*ulcer, *days, "2027-06-04"}):
        life.until(on)
        if on in ulcer:
            person.set(change(ulcer[on][0], on, 1))
            with form_browser.unit_of_work(person.clinic.app_context) as work:
                assert clinical_facts.current_fact(work, person.id, "ulcer_status") == ulcer[on][1]
        if on == "2027-06-04":
            person.set(change("maintenance_cycle", "2027-06-11", 5, planned=True))
        if on in days:
            person.set(change("maintenance_cycle", on, days[on]))
    assert max(days) == "2028-03-10"
    person.set(change("last_dose", "2028-03-10"))


# docs/domain.md 6, counted by hand: radiotherapy ends on 2027-03-01, the last dose is given on 2028-03-10.
WHOLE = {
    f"baseline {CHECKIN}": 1,
    f"baseline {QLQ}": 1,
    f"induction_week {CHECKIN}": 3,  # days 8, 15, 22; day 29 is the first fraction
    f"induction_day22 {QLQ}": 1,
    f"before_rt {CHECKIN}": 1,
    f"before_rt {QLQ}": 1,
    f"rt_week {CHECKIN}": 6,
    f"rt_week {QLQ}": 2,
    f"rt_midweek {CHECKIN}": 2,
    f"decision_50gy {CHECKIN}": 1,
    f"rt_end {CHECKIN}": 1,
    f"rt_end {QLQ}": 1,
    f"after_rt_week {CHECKIN}": 8,
    f"after_rt_fortnight {CHECKIN}": 2,
    f"month_1 {QLQ}": 1,
    f"maintenance {CHECKIN}": 18,
    f"maintenance {QLQ}": 18,
    f"maintenance_week {CHECKIN}": 15,  # weeks 9, 11, 13 to 25
    f"month_3 {CHECKIN}": 1,
    f"month_3 {QLQ}": 1,
    f"end_of_treatment {CHECKIN}": 1,
    f"end_of_treatment {QLQ}": 1,
    f"safety {CHECKIN}": 3,  # days 28, 56, 84
    f"follow_up {CHECKIN}": 7,  # months 6 to 24
    f"follow_up {QLQ}": 7,
    f"late_follow_up {CHECKIN}": 2,
    f"late_follow_up {QLQ}": 2,
    # 20, 21, and the morning of 22 April, when it was confirmed; from then on 14 days.
    f"ulcer_daily {CHECKIN}": 3 + 14,
    # 12 and 19 May, and the one for the 26th, answered on the morning of the 24th, before the ulcer was cleared at
    # noon.
    f"ulcer_weekly {CHECKIN}": 3,
}
SKIPPED = {"induction_week.2", "rt_week.25", "decision_50gy", "safety.3", "late_follow_up.2"}


# Two of the missed check-ins lie between fraction 11 and 8 weeks after the last, where one is enough for a call. The
# decision's closes on Thursday 25 February, and the QLQ-C30 of fraction 28 is answered on Friday as it opens; that of
# fraction 25 closes on Friday and is due for a call the next morning (in the weeks of risk calls are not put off to
# Monday), when the next check-in is answered.
CALLED_FOR = [
    ("decision_50gy", local("2027-02-25 23:59:01"), local("2027-02-26 08:00"), local("2027-02-26 08:00"), "answered"),
    ("rt_week.25", local("2027-02-26 23:59:01"), local("2027-02-27 08:00"), local("2027-02-27 08:00"), "answered"),
]


def phone_tasks(person: CalendarParticipant) -> list[tuple[str, datetime, datetime, datetime | None, str | None]]:
    """Return (visit, made, due, ended, how) of every call task, oldest first."""
    visits = {row.id: row.visit for row in person.lines().values()}
    rows = [row for row in person.clinic.rows(CallTask) if row.participant_id == person.id]
    return [(visits[row.expected_form_id or 0], row.made_at, row.due_at, row.done_at, row.outcome) for row in rows]


def test_three_years(settle):
    person = settle(local("2026-12-14 09:00"), "Asia/Shanghai", SPRING)
    life = Life(person, "Asia/Shanghai", SKIPPED)
    induction(life)
    radiotherapy(life)
    maintenance(life)
    life.until("2030-04-01")
    assert dict(kinds(person)) == WHOLE
    statuses = person.statuses()
    over = {name for name, status in statuses.items() if status in ("missed", "expired")}
    assert over == {
        ("rt_week.25", CHECKIN),
        ("decision_50gy", CHECKIN),
        ("rt_midweek.23", CHECKIN),  # offered only on a day on which nothing was answered
        ("safety.3", CHECKIN),
        ("late_follow_up.2", CHECKIN),
        ("late_follow_up.2", QLQ),
    }
    assert {statuses[name] for name in statuses.keys() - over} == {"received", "served_elsewhere"}
    assert person.line("induction_week.2").out_of_window
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        lines = expected_forms.read_expected_forms(work, person.row(work), "zh_Hans")
        assert expected_forms.count_compliance(lines) == expected_forms.ComplianceCounts(
            expected=127, received=122, in_window=121, late=1, missed=5, unexplained=5
        )
        assert all(line.title and line.instrument_title for line in lines)
    # The check-in of 24 May, due that day, is in the window of month 3 too, and is nearest to its own day.
    assert (statuses["month_3", CHECKIN], statuses["month_3", QLQ]) == ("served_elsewhere", "received")
    assert person.next_due_at() is None
    assert phone_tasks(person) == CALLED_FOR
    # No two forms in a row were missed, and none during the ulcer.
    assert [alert.rule for alert in person.clinic.rows(Alert) if alert.source.startswith(MISSED_FORM_PREFIX)] == []
    messages_are_polite(person, "Asia/Shanghai", 3)
    a_week_lies_between(person)


def a_week_lies_between(person: CalendarParticipant) -> None:
    """Check rule 1: the QLQ-C30 is never answered more often than every 7 days."""
    sent = sorted(form.submitted_at for form in person.forms() if form.instrument == QLQ and form.submitted_at)
    assert all(later - sooner >= timedelta(days=7) for sooner, later in pairwise(sent))


def test_where_clocks_change(settle):
    """Check a zone with summer time.

    It begins on 28 March 2027, the night of a window's last day, and ends on 31 October.
    """
    zone = "Europe/Berlin"
    person = settle(local("2027-01-18 10:00", zone), zone)
    life = Life(person, zone, {"after_rt_week.2"})
    person.set(change("induction_day1", "2027-01-25", planned=True))
    life.until("2027-01-25")
    person.set(change("induction_day1", "2027-01-25"), change("rt_fraction", "2027-02-01", 1, planned=True))
    life.until("2027-02-01")
    person.set(change("rt_fraction", "2027-02-01", 1))
    life.until("2027-03-15")
    # Stopped early: twenty fractions were given; week 2 after that is 26 to 30 March.
    person.set(change("rt_fraction", "2027-03-14", 20), change("rt_end", "2027-03-14"))
    life.until("2027-12-15")
    there = ZoneInfo(zone)
    rows = person.lines().values()
    closes = {f"{row.closes_at.astimezone(there):%H:%M}" for row in rows}
    assert closes == {"23:59"}
    opens = {f"{row.opens_at.astimezone(there):%H:%M}" for row in rows if row.instrument == CHECKIN}
    assert opens == {"08:00"}
    about = [row for row in person.messages() if ":after_rt_week.2:" in row.dedupe_key]
    assert [f"{row.next_try_at.astimezone(there):%m-%d %H:%M}" for row in about] == [
        "03-26 08:00",
        "03-27 08:00",
        "03-28 09:00",  # 48 hours later in real time
    ]
    statuses = person.statuses()
    assert statuses["after_rt_week.2", CHECKIN] == "missed"
    over = [name for name, row in person.lines().items() if row.closes_at < person.clinic.app_context.clock()]
    assert {statuses[name] for name in over if name[0] != "after_rt_week.2"} <= {
        "received",
        "served_elsewhere",
        "expired",
        "missed",
    }
    messages_are_polite(person, zone, 3)
    a_week_lies_between(person)
