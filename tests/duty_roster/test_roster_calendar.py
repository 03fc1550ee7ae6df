"""Test the roster's calendar: the days, and the gaps within a week on the to-do list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pro.features.duty_roster import roster_service
from pro.features.to_do_list import to_do_list
from pro.models import Shift
from tests.support import factories, form_browser
from tests.support.factories import PLAN

# The clinic's clock stands at Monday, 2 March 2026, 09:00 in Shanghai.


@pytest.fixture
def empty(clinic):
    """Return the clinic with an empty duty roster."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        roster_service.cancel_shift(work, work.session.query(Shift).one().id)
    return clinic


def on_call(clinic, *stretches, place="on_call") -> None:
    for text in stretches:
        starts, ends = (datetime.fromisoformat(f"2026-03-{part}") for part in text.split(" "))
        with form_browser.unit_of_work(clinic.app_context) as work:
            roster_service.add_shift(work, PLAN, clinic.nurse.id, place, starts, ends, both_places=True)


def shown(at: datetime | None) -> str:
    return (at + timedelta(hours=8)).strftime("%dT%H:%M") if at else "open"


@pytest.mark.parametrize(
    ("held", "gaps"),
    [
        ([], ["02T09:00 open"]),
        (["02T09:00 20T08:00"], []),
        (["02T09:00 09T08:59"], ["09T08:59 open"]),
        (["02T09:00 09T09:00"], []),
        (["02T09:00 04T08:00", "04T20:00 20T08:00"], ["04T08:00 04T20:00"]),
        (["02T09:00 04T08:00", "04T08:00 20T08:00"], []),
        (["03T08:00 04T08:00", "05T08:00 20T08:00"], ["02T09:00 03T08:00", "04T08:00 05T08:00"]),
        (["02T09:00 04T08:00", "20T08:00 21T08:00"], ["04T08:00 20T08:00"]),
    ],
)
def test_the_gaps_that_begin_within_a_week(empty, held, gaps):
    on_call(empty, *held)
    on_call(empty, "02T09:00 30T08:00", place="backup")
    with form_browser.unit_of_work(empty.app_context) as work:
        found = roster_service.list_gaps(work, work.catalogue.plans[PLAN])
        assert [f"{shown(gap.starts)} {shown(gap.ends)}" for gap in found] == gaps
        assert {gap.names for gap in found} <= {("Investigator",)}
        now = to_do_list.read_to_do_list(work)
        assert now.gaps == found
        assert any(gap.starts <= now.now for gap in now.gaps) == (bool(gaps) and gaps[0].startswith("02T09:00"))


def test_a_later_gap_is_asked_for_by_days(empty):
    on_call(empty, "02T09:00 12T08:00")
    with form_browser.unit_of_work(empty.app_context) as work:
        plan = work.catalogue.plans[PLAN]
        assert roster_service.list_gaps(work, plan) == []
        assert [shown(gap.starts) for gap in roster_service.list_gaps(work, plan, days=14)] == ["12T08:00"]


def test_a_gap_names_whom_alerts_reach_at_its_beginning(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.account(work, "investigator", email="second@example.org", name="Second")
        first = datetime.fromisoformat("2026-03-04T00:00")
        roster_service.add_absence(work, clinic.nurse.id, first, first + timedelta(days=1))
        roster_service.add_absence(work, clinic.investigator.id, first, first + timedelta(days=2))
        (gap,) = roster_service.list_gaps(work, work.catalogue.plans[PLAN])
        assert gap.names == ("Second",)


def test_four_weeks_day_by_day(empty):
    on_call(empty, "03T20:00 04T08:00")
    on_call(empty, "04T08:00 05T00:00", place="backup")
    with form_browser.unit_of_work(empty.app_context) as work:
        at = datetime.fromisoformat("2026-03-04T06:00")
        roster_service.add_absence(work, empty.nurse.id, at, at + timedelta(hours=4))
        days = roster_service.read_roster_page(work, work.catalogue.plans[PLAN]).days
    assert len(days) == 28
    assert [shown(day.whole.starts) for day in days[:2]] == ["02T00:00", "03T00:00"]

    def lines(day):
        who = {line: "away" if line.away else line.name or "nobody" for line in day.lines}
        return [f"{line.place} {shown(line.part.starts)} {shown(line.part.ends)} {who[line]}" for line in day.lines]

    monday, tuesday, wednesday = days[:3]
    assert lines(monday) == ["on_call 02T08:00 02T09:00 Nurse", "on_call 02T09:00 03T00:00 nobody"]
    assert lines(tuesday) == ["on_call 03T00:00 03T20:00 nobody", "on_call 03T20:00 04T00:00 Nurse"]
    assert lines(wednesday) == [
        "on_call 04T00:00 04T06:00 Nurse",
        "on_call 04T06:00 04T08:00 away",
        "on_call 04T06:00 05T00:00 nobody",
        "backup 04T08:00 04T10:00 away",
        "backup 04T10:00 05T00:00 Nurse",
    ]
    assert (monday.away, wednesday.away) == ([], ["Nurse"])
    assert all(day.has_gap for day in days)


def test_a_day_of_a_clock_change_has_23_hours(clinic):
    berlin = clinic.with_plan(
        lambda plan: replace(plan, settings=replace(plan.settings, time_zone="Europe/Berlin")),
    )
    with form_browser.unit_of_work(berlin.app_context) as work:
        days = roster_service.read_roster_page(work, work.catalogue.plans[PLAN]).days
    hours = [(day.whole.ends - day.whole.starts) / timedelta(hours=1) for day in days]
    assert not any(day.has_gap for day in days)
    assert sorted(hours) == [23.0] + [24.0] * 27
    assert all(one.whole.ends == other.whole.starts for one, other in pairwise(days))
