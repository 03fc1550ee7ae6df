"""Provide the study's visit schedule and the anchors of an example participant."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.core.schedule.anchors import DatedAnchor, WorkingDays
from pro.core.schedule.expected_visits import ExpectedVisit, list_expected_visits
from pro.core.study_plan import VisitSchedule

ROOT = Path(__file__).resolve().parents[2]
PLAN = read_plan(ROOT / "pro/data/plans/npc_reirradiation.yaml", read_instruments(ROOT / "pro/data/instruments"))
assert PLAN.visit_schedule is not None
CALENDAR: VisitSchedule = PLAN.visit_schedule
SHANGHAI = "Asia/Shanghai"
CHECKIN, QLQ = "npc_checkin", "qlq_c30"


def day(text: str) -> date:
    """Return the date ``text``, as 2027-01-04."""
    return date.fromisoformat(text)


def anchor(kind: str, on: str | date, number: int = 0, planned: bool = False) -> DatedAnchor:
    """Return one anchor."""
    return DatedAnchor(kind, number, on if isinstance(on, date) else day(on), planned)


def fractions(start: str, last: int = 28, days: WorkingDays = WorkingDays()) -> list[DatedAnchor]:
    """Return fractions 1 to ``last``, given on working days from ``start`` on."""
    found = [anchor("rt_fraction", start, 1)]
    while len(found) < last:
        found.append(DatedAnchor("rt_fraction", len(found) + 1, days.after(found[-1].on)))
    return found


def treated(rt: str = "2027-02-01") -> list[DatedAnchor]:
    """Return consent, induction, and complete radiotherapy from Monday ``rt`` on.

    The last fraction is given on day 37 after it.
    """
    start = day(rt)
    return [
        DatedAnchor("consent", 0, start - timedelta(days=36)),
        DatedAnchor("induction_day1", 0, start - timedelta(days=28)),
        DatedAnchor("pd1_dose", 1, start - timedelta(days=28)),
        DatedAnchor("pd1_dose", 2, start - timedelta(days=7)),
        *fractions(rt),
    ]


def plan_of(
    anchors: list[DatedAnchor], zone: str = SHANGHAI, days: WorkingDays = WorkingDays()
) -> dict[str, ExpectedVisit]:
    """Return the expected visits as {"visit instrument": visit}."""
    found = list_expected_visits(CALENDAR, anchors, zone, days)
    named = {f"{one.visit} {one.instrument}": one for one in found}
    assert len(named) == len(found)
    return named


def window(one: ExpectedVisit) -> tuple[str, str, str]:
    """Return the local dates on which an expected visit opens, is due and closes."""
    zone = ZoneInfo(one.time_zone)
    opens, due, closes = (when.astimezone(zone) for when in (one.opens, one.due, one.closes))
    return f"{opens:%Y-%m-%d}", f"{due:%Y-%m-%d}", f"{closes:%Y-%m-%d}"


def local(text: str, zone: str = SHANGHAI) -> datetime:
    """Return ``text`` (2027-01-04 09:30) as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def hour(text: str) -> time:
    """Return ``text`` as 21:00."""
    return time.fromisoformat(text)
