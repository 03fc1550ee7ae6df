"""Test expected visits where something is not as planned (docs/domain.md 6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pro.catalogue.closing_days import read_working_days
from pro.core.schedule.anchors import WorkingDays, resolve_days
from pro.core.schedule.expected_visits import is_in_risk_period, visit_status
from pro.public_holidays import working_days
from tests.core.example_schedule import CALENDAR, CHECKIN, QLQ, anchor, day, fractions, local, plan_of, treated, window

CHINA = working_days("CN")


def dues(found, kind, instrument=CHECKIN):
    """Return the days on which the visits of ``kind`` are due, as text."""
    return [window(one)[1] for one in found.values() if one.kind == kind and one.instrument == instrument]


def test_no_visit_is_expected_before_consent():
    assert plan_of([]) == {}


def test_consent_alone_asks_for_the_baseline():
    found = plan_of([anchor("consent", "2026-12-01")])
    assert {name: window(one) for name, one in found.items()} == {
        f"baseline {name}": ("2026-12-01", "2026-12-08", "2026-12-15") for name in (CHECKIN, QLQ)
    }


def test_a_planned_first_day_moves_the_baseline_before_it():
    found = plan_of([anchor("consent", "2026-12-01"), anchor("induction_day1", "2026-12-10", planned=True)])
    assert window(found[f"baseline {QLQ}"]) == ("2026-12-01", "2026-12-10", "2026-12-10")
    assert window(found[f"baseline {CHECKIN}"]) == ("2026-12-03", "2026-12-10", "2026-12-10")
    assert found[f"baseline {QLQ}"].basis == "planned"
    assert found[f"induction_day22 {QLQ}"].basis == "projected"
    assert window(found[f"induction_day22 {QLQ}"]) == ("2026-12-28", "2026-12-31", "2026-12-31")


def test_day_22_follows_the_second_dose_where_it_is_known():
    found = plan_of([anchor("induction_day1", "2026-12-10"), anchor("pd1_dose", "2027-01-05", 2)])
    assert window(found[f"induction_day22 {QLQ}"]) == ("2027-01-02", "2027-01-05", "2027-01-05")


def test_induction_goes_on_weekly_until_radiotherapy():
    early = [anchor("induction_day1", "2027-01-04"), anchor("rt_fraction", "2027-02-01", 1)]
    late = [anchor("induction_day1", "2027-01-04"), anchor("rt_fraction", "2027-02-23", 1)]
    assert dues(plan_of(early), "induction_week") == ["2027-01-11", "2027-01-18", "2027-01-25"]
    assert dues(plan_of(late), "induction_week")[-1] == "2027-02-22"
    assert len(dues(plan_of(early[:1]), "induction_week")) == 26


@pytest.mark.parametrize(
    ("start", "days", "number", "on"),
    [
        ("2027-02-01", WorkingDays(), 28, "2027-03-10"),
        # Spring Festival 2027: off on 5 and 8 to 10 February by the statute, make-up days not announced yet.
        ("2027-02-01", CHINA, 5, "2027-02-11"),
        ("2027-02-01", CHINA, 28, "2027-03-16"),
        # Spring Festival 2026, as announced: off from 15 to 23 February, working on Saturdays 14 and 28.
        ("2026-02-09", CHINA, 6, "2026-02-14"),
        ("2026-02-09", CHINA, 7, "2026-02-24"),
        ("2026-02-09", CHINA, 11, "2026-02-28"),
        # National Day 2026: working on Sunday 20 September and Saturday 10 October.
        ("2026-09-28", CHINA, 4, "2026-10-08"),
        ("2026-09-28", CHINA, 6, "2026-10-10"),
        # Across the end of a year, and a leap day.
        ("2026-12-28", CHINA, 5, "2027-01-04"),
        ("2028-02-21", WorkingDays(), 7, "2028-02-29"),
        ("2028-02-21", WorkingDays(), 8, "2028-03-01"),
    ],
)
def test_the_days_of_radiotherapy_that_are_still_to_come(start, days, number, on):
    fraction = resolve_days(CALENDAR, [anchor("rt_fraction", start, 1)], days)["rt_fraction"][number]
    assert (fraction.on, fraction.basis) == (day(on), "projected")


def test_a_site_s_own_days_lie_over_the_public_ones(tmp_path):
    path = tmp_path / "days.yaml"
    path.write_text("off: [2027-02-04/2027-02-12]\nworking: [2027-01-31, 2027-02-20]\n", encoding="utf-8")
    found = plan_of([anchor("rt_fraction", "2027-01-29", 1)], days=read_working_days("CN", path))
    # 29 and 31 January, 1 to 3 February; off from the 4th; 15 to 20 February without the Sunday.
    assert dues(found, "rt_week")[:2] == ["2027-02-03", "2027-02-19"]


def test_what_was_given_is_a_fact_and_the_rest_follows_from_it():
    given = [anchor("rt_fraction", "2027-02-01", 1), anchor("rt_fraction", "2027-02-08", 4)]
    found = plan_of(given)
    assert window(found[f"rt_week.5 {CHECKIN}"])[1] == "2027-02-09"
    assert found[f"rt_week.5 {CHECKIN}"].basis == "projected"
    assert found[f"before_rt {CHECKIN}"].basis == "actual"


def test_stopped_at_50_gy_there_are_no_more_fractions_and_the_rest_follows():
    anchors = [*fractions("2027-02-01", last=25), anchor("rt_end", "2027-03-05")]
    found = plan_of(anchors)
    assert f"rt_week.28 {QLQ}" not in found
    assert window(found[f"month_3 {QLQ}"])[1] == "2027-06-04"
    assert window(found[f"decision_50gy {CHECKIN}"]) == ("2027-03-03", "2027-03-04", "2027-03-05")


def test_the_50_gy_decision_is_the_planned_day_or_that_of_fraction_25():
    moved = plan_of([*treated(), anchor("cr_decision", "2027-03-03", planned=True)])
    assert window(moved[f"decision_50gy {CHECKIN}"]) == ("2027-03-01", "2027-03-02", "2027-03-03")


def test_cycles_follow_every_three_weeks_until_the_last_dose():
    cycles = [*treated(), anchor("maintenance_cycle", "2027-03-22", 1), anchor("maintenance_cycle", "2027-04-15", 2)]
    assert dues(plan_of(cycles), "maintenance", QLQ)[1:4] == ["2027-04-15", "2027-05-06", "2027-05-27"]
    ended = plan_of([*cycles, anchor("last_dose", "2027-05-06")])
    assert dues(ended, "maintenance", QLQ) == ["2027-03-22", "2027-04-15", "2027-05-06"]


def test_without_maintenance_there_is_no_weekly_form_after_week_8():
    assert dues(plan_of(treated()), "maintenance_week") == []


def test_an_ulcer_stops_radiotherapy_forms_and_asks_daily_then_weekly():
    anchors = [*treated(), anchor("ulcer_suspected", "2027-02-16", 1)]
    found = plan_of(anchors)
    assert dues(found, "rt_week") == ["2027-02-05", "2027-02-12"]
    assert dues(found, "decision_50gy") == []
    assert dues(found, "ulcer_daily") == [str(day("2027-02-16") + timedelta(days=ahead)) for ahead in range(14)]
    assert dues(found, "ulcer_weekly")[:2] == ["2027-03-08", "2027-03-15"]
    assert found[f"rt_end {QLQ}"]


def test_a_cleared_ulcer_ends_its_schedule_and_lets_radiotherapy_forms_come_back():
    anchors = [*treated(), anchor("ulcer_suspected", "2027-02-16", 1), anchor("ulcer_cleared", "2027-02-24", 1)]
    found = plan_of(anchors)
    assert dues(found, "rt_week") == ["2027-02-05", "2027-02-12", "2027-02-26", "2027-03-05", "2027-03-10"]
    assert dues(found, "ulcer_daily")[-1] == "2027-02-23"
    assert dues(found, "ulcer_weekly") == []


@pytest.mark.parametrize(
    ("marks", "daily"),
    [
        ([("ulcer_suspected", 0), ("ulcer_confirmed", 10)], list(range(24))),
        ([("ulcer_suspected", 0), ("ulcer_confirmed", 20)], [*range(14), *range(20, 34)]),
        ([("ulcer_suspected", 0), ("ulcer_confirmed", 0)], list(range(14))),
        ([("ulcer_suspected", 0), ("ulcer_cleared", 0)], []),
        ([("ulcer_confirmed", 3), ("ulcer_cleared", 5)], [3, 4]),
    ],
)
def test_daily_forms_of_an_ulcer(marks, daily):
    start = day("2027-04-01")
    anchors = [anchor(kind, start + timedelta(days=ahead), 1) for kind, ahead in marks]
    assert dues(plan_of(anchors), "ulcer_daily") == [str(start + timedelta(days=ahead)) for ahead in daily]


def test_suspected_again_on_the_day_it_was_cleared_goes_on():
    on = [("ulcer_suspected", 1, 1), ("ulcer_cleared", 1, 5), ("ulcer_suspected", 2, 5)]
    found = plan_of([anchor(kind, date(2027, 4, number), turn) for kind, turn, number in on])
    assert len(dues(found, "ulcer_daily")) == 4 + 14


def test_names_stay_when_an_ulcer_that_was_suspected_is_confirmed_the_same_day():
    suspected = anchor("ulcer_suspected", "2027-04-01", 1)
    assert plan_of([suspected]).keys() == plan_of([suspected, anchor("ulcer_confirmed", "2027-04-01", 1)]).keys()


@pytest.mark.parametrize("kind", ["death", "withdrawal"])
def test_nothing_is_expected_after(kind):
    found = plan_of([*treated(), anchor(kind, "2027-03-20")])
    end = local("2027-03-20 00:00")
    assert all(one.due < end and one.closes <= end for one in found.values() if one.kind != kind)
    assert window(found[f"after_rt_week.1 {CHECKIN}"]) == ("2027-03-15", "2027-03-17", "2027-03-19")


def test_a_window_that_is_open_at_death_ends_with_it():
    found = plan_of([*treated(), anchor("death", "2027-03-14")])
    assert found[f"rt_end {QLQ}"].closes == local("2027-03-14 00:00")


def test_the_withdrawal_visit_is_offered_without_a_message():
    found = plan_of([*treated(), anchor("withdrawal", "2027-03-20")])
    one = found[f"withdrawal {QLQ}"]
    assert window(one) == ("2027-03-20", "2027-03-20", "2027-04-03")
    assert (one.mandatory, one.reminders) == (False, ())
    both = plan_of([*treated(), anchor("withdrawal", "2027-03-20"), anchor("death", "2027-03-20")])
    assert f"withdrawal {QLQ}" not in both


@pytest.mark.parametrize(
    ("moment", "standing"),
    [
        ("2027-03-15 07:59", "not_open"),
        ("2027-03-15 08:00", "open"),
        ("2027-03-16 23:59", "open"),
        ("2027-03-17 00:00", "due"),
        ("2027-03-17 20:00", "due"),
        ("2027-03-17 20:01", "late"),
        ("2027-03-19 23:59", "late"),
        ("2027-03-20 00:00", "missed"),
    ],
)
def test_status(moment, standing):
    assert visit_status(plan_of(treated())[f"after_rt_week.1 {CHECKIN}"], local(moment)) == standing


def test_an_optional_form_is_never_missed():
    assert visit_status(plan_of(treated())[f"month_1 {QLQ}"], local("2028-01-01 00:00")) == "expired"


@pytest.mark.parametrize(
    ("on", "risky"),
    [("2027-02-14", False), ("2027-02-15", True), ("2027-03-10", True), ("2027-05-05", True), ("2027-05-06", False)],
)
def test_the_weeks_in_which_one_missed_form_is_enough(on, risky):
    """Check the weeks in which one missed form is enough for a call.

    Fraction 11 is given on 2027-02-15, and 8 weeks after the last one is 2027-05-05.
    """
    assert is_in_risk_period(CALENDAR, treated(), day(on)) is risky


def test_before_radiotherapy_there_is_no_risk_window():
    assert not is_in_risk_period(CALENDAR, [anchor("consent", "2027-01-01")], day("2027-02-15"))


@pytest.mark.parametrize(
    ("zone", "rt_end", "opens"),
    [
        # Clocks go forward on 28 March 2027 in Europe, back on 31 October; Lord Howe moves by half an hour.
        ("Europe/Berlin", "2027-03-24", datetime(2027, 3, 29, 6, 0, tzinfo=UTC)),
        ("Europe/Berlin", "2027-10-27", datetime(2027, 11, 1, 7, 0, tzinfo=UTC)),
        ("America/New_York", "2027-03-10", datetime(2027, 3, 15, 12, 0, tzinfo=UTC)),
        ("Australia/Lord_Howe", "2027-03-31", datetime(2027, 4, 4, 21, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", "2027-03-10", datetime(2027, 3, 15, 2, 15, tzinfo=UTC)),
        ("Asia/Shanghai", "2027-12-30", datetime(2028, 1, 4, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_form_opens_at_eight_in_the_participants_time_zone(zone, rt_end, opens):
    one = plan_of([anchor("rt_end", rt_end)], zone)[f"after_rt_week.1 {CHECKIN}"]
    assert one.opens == opens
    assert one.opens.astimezone(ZoneInfo(zone)).hour == 8


def test_a_leap_day_counts():
    found = plan_of([anchor("rt_end", "2027-09-01")])
    assert window(found[f"follow_up.1 {QLQ}"])[2] == "2028-03-15"
    assert window(found[f"follow_up.7 {QLQ}"])[1] == "2029-08-29"
