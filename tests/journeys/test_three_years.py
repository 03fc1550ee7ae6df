"""A participant's three years in the study, by a moved clock and through the services alone.

The figures at the end are counted from clinical.md 6 by hand, as the comments say; nothing here computes them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pro.catalogue import Catalogue
from pro.catalogue.days import read_working_days
from pro.core.plan import Plan
from pro.i18n import Catalogs
from pro.models import Expected
from pro.services import circumstances, ledger
from tests import browser, make
from tests.core.trial import local
from tests.make import Clock
from tests.services.conftest import house_on
from tests.services.patient import CHECKIN, QLQ, Patient, change, day
from tests.services.ward import Ward, build

# The holiday's make-up days as a site would type them once they are announced: off from Thursday 4 to Wednesday 10
# February 2027, at work on Sunday 31 January and Saturday 13 February.
SPRING = "off: [2027-02-04/2027-02-10]\nworking: [2027-01-31, 2027-02-13]\n"
# Fraction 1 on Monday 18 January; 1 to 5, 6 to 10 on working days, 11 on Sunday 31 January, 12 to 14 on 1 to 3 February;
# 15, 16 on 11, 12 and 17 on Saturday 13 February; 18 to 22, 23 to 27, and 28 on Monday 1 March.
FRACTIONS = [
    *[f"2027-01-{number}" for number in (18, 19, 20, 21, 22, 25, 26, 27, 28, 29, 31)],
    *[f"2027-02-{number:02}" for number in (1, 2, 3, 11, 12, 13, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26)],
    "2027-03-01",
]
RT_END = "2027-03-01"


@dataclass
class Life:
    """What a participant does when a form is asked for: ``skips`` names visits that are left unanswered."""

    patient: Patient
    zone: str
    skips: set[str]
    answered: list[tuple[str, datetime]] = field(default_factory=list)

    def until(self, on: str, hour: str = "12:00") -> None:
        """Live to the local time; what was asked for is answered when the worker next looks after 10:00."""
        end = local(f"{on} {hour}", self.zone)
        clock = self.patient.ward.house.clock
        while (due := self.patient.next_look()) is not None and due <= end:
            self.patient.when(max(due, clock())).look()
            self._answers()
        self.patient.when(end).look()
        self._answers()

    def _answers(self) -> None:
        now = self.patient.ward.house.clock()
        if not 8 <= now.astimezone(ZoneInfo(self.zone)).hour < 21:
            return
        waiting: dict[str, list[Expected]] = {}
        for (_visit, instrument), row in self.patient.lines().items():
            if row.opens_at <= now <= row.closes_at and not row.served_at and row.assessment_id and row.steps:
                waiting.setdefault(instrument, []).append(row)
        for instrument, rows in waiting.items():
            if not {row.visit for row in rows} & self.skips:
                self.patient.answer(instrument)
                self.answered.append((instrument, now))


def kinds(person: Patient) -> Counter[str]:
    """"kind instrument" -> how many lines."""
    return Counter(f"{row.kind} {name[1]}" for name, row in person.lines().items())


def messages_are_polite(person: Patient, zone: str, most: int) -> None:
    """At most ``most`` a day, none at night, none twice, at most three about one form."""
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
) -> Iterator[Callable[..., Patient]]:
    """A participant enrolled on a day in a zone, at a site with its own days."""
    houses = []

    def make_patient(now: datetime, zone: str, days: str = "") -> Patient:
        path = shutil.copy(sqlite_template, tmp_path / f"{len(houses)}.sqlite3")
        house = house_on(f"sqlite:///{path}", catalogue, catalogs, tmp_path, Clock(now))
        houses.append(house)
        if days:
            (tmp_path / "days.yaml").write_text(days, encoding="utf-8")
            site = {"npc_reirradiation": read_working_days("CN", tmp_path / "days.yaml")}
            house = replace(house, catalogue=replace(house.catalogue, days=site))

        def there(plan: Plan) -> Plan:
            return replace(plan, settings=replace(plan.settings, time_zone=zone))

        ward: Ward = build(house).with_plan(there)
        with browser.working(ward.house, ward.coordinator.actor) as work:
            made = make.participant(work, "NPC-300", pd1=None, asked=True)
            return Patient(ward, made.id)

    yield make_patient
    for house in houses:
        house.engine.dispose()
