"""Test the visit schedule of a plan file, its errors, and the file of days off."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pro.catalogue import read_instruments
from pro.catalogue.closing_days import read_working_days
from pro.catalogue.plan_files.plan import read_plan
from pro.catalogue.plan_files.plan_words import read_plan_words
from pro.catalogue.yaml_source import CatalogueError
from pro.core.study_plan import AnchorPoint
from pro.public_holidays import announced_until, countries, working_days

ROOT = Path(__file__).resolve().parents[2]
KNOWN = read_instruments(ROOT / "pro/data/instruments")
FILE = ROOT / "pro/data/plans/npc_reirradiation.yaml"


def copied(tmp_path, old, new, source=FILE):
    """Return a copy of ``source`` with ``old`` replaced once.

    The first ``old`` after the word "visit_schedule:", or after the start.
    """
    head, mark, tail = source.read_text(encoding="utf-8").rpartition("\nvisit_schedule:")
    assert old in tail, old
    copy = tmp_path / source.name
    copy.write_text(head + mark + tail.replace(old, new, 1), encoding="utf-8")
    return copy


IMPOSSIBLE = [
    # Windows.
    ("npc_checkin: {opens: -7, closes: 0}", "npc_checkin: {opens: 1, closes: 0}", "visit baseline", "before it opens"),
    ("npc_checkin: {opens: -7, closes: 0}", "npc_checkin: {opens: -7, due: 1, closes: 0}", "visit baseline", "is due"),
    ("npc_checkin: {opens: -7, closes: 0}", "other_form: {opens: -7, closes: 0}", "visit baseline", "“other_form”"),
    ("{opens: 0, due: 7, closes: 14}", "{opens: 0, due: 7, closes: 5}", "visit baseline", "is due on day 7"),
    ("closes: 3, numbers: [15, 28]}", "closes: 3, numbers: [15, 27]}", "visit rt_week", "number 27"),
    # Anchors.
    ("anchor: induction_day1\n      not_before", "anchor: surgery\n      not_before", "visit baseline", "“surgery”"),
    ("not_before: consent", "not_before: surgery", "visit baseline", "“surgery”"),
    ("numbers: [5, 10, 15, 20, 25, 28]", "numbers: [5, 29]", "visit rt_week", "rt_fraction 29 does not exist"),
    (
        "anchor: rt_end\n      windows",
        "anchor: rt_end\n      numbers: [1]\n      windows",
        "visit rt_end",
        "is not numbered",
    ),
    ("1: {anchor: induction_day1}", "41: {anchor: induction_day1}", "anchor pd1_dose", "pd1_dose 41 does not exist"),
    ("1: {anchor: induction_day1}", "1: {anchor: death}", "anchor pd1_dose", "” must come before it"),
    ("1: {anchor: induction_day1}", "1: {anchor: consent, number: 2}", "anchor pd1_dose", "consent is not numbered"),
    ("progression: {after: [consent]}", "progression: {after: [surgery]}", "anchor progression", "“surgery”"),
    (
        "progression: {after: [consent]}",
        "progression: {after: [consent], projection: {every: 7}}",
        "anchor progression",
        "cannot be projected",
    ),
    # Recurrences.
    (
        "{first: 7, every: 7, last: 56}",
        "{first: 7, every: 4, last: 56}",
        "visit after_rt_week",
        "would open again before it closes",
    ),
    (
        "{first: 7, every: 7, last: 56}",
        "{first: 57, every: 7, last: 56}",
        "visit after_rt_week",
        ", before it starts on day",
    ),
    ("{first: 7, every: 7, last: 56}", "{first: 7, every: 0, last: 56}", "visit_schedule.visits", "greater than 0"),
    ("but_not: [70, 84]", "but_not: [71]", "visit maintenance_week", "there is no recurrence on day 71"),
    ("since: maintenance_cycle", "since: surgery", "visit maintenance_week", "“surgery”"),
    (
        "until: {anchor: rt_fraction, number: 1}",
        "until: {anchor: rt_fraction}",
        "visit induction_week",
        "rt_fraction 0",
    ),
    ("series: {first: 182,", "numbers: [1]\n      series: {first: 182,", "visit follow_up", "is not numbered"),
    # Stops, periods, names.
    ("not_during: [ulcer]", "not_during: [fever]", "visit rt_week", "“fever” is not a period"),
    (
        "continues_after: [withdrawal]",
        "continues_after: [progression]",
        "visit withdrawal",
        "” is not in participation_end, so continues_after is not needed",
    ),
    (
        "participation_end: [death, withdrawal]",
        "participation_end: [moving]",
        "visit_schedule.participation_end",
        "“moving”",
    ),
    ("ends: [ulcer_cleared]", "ends: [ulcer_suspected]", "period ulcer", "Start and end cannot be the same anchor"),
    ("ulcer: {starts", "death: {starts", "period death", "same name"),
    ("id: before_rt", "id: baseline", "visit baseline", "Two visits have this id"),
    ("apart: {qlq_c30: 7}", "apart: {sf_36: 7}", "visit_schedule.apart", "“sf_36”"),
    ("number: 11}", "number: 30}", "visit_schedule.risk", "rt_fraction 30 does not exist"),
    ("holidays: CN", "holidays: XX", "visit_schedule.holidays", "“XX”"),
    # Messages.
    ("hours: [0, 24, 48]", "hours: [0, 48, 24]", "visit_schedule.reminders", "Reminders must be in ascending order"),
    ("hours: [0, 24, 48]", "hours: [0, 24, 80]", "visit decision_50gy", "after 80 hours would be sent after"),
    ("reminders_hours: [0, 4]", "reminders_hours: [0, 24]", "visit ulcer_daily", "has closed"),
    (
        'quiet_until: "8:00"',
        'quiet_until: "21:00"',
        "visit_schedule.reminders",
        "The start and end of the quiet hours must differ",
    ),
    ('due: "20:00", closes: "23:59"', 'due: "20:00", closes: "19:00"', "visit_schedule.times", "then close"),
    ("per_day: 3", "per_day: 0", "visit_schedule.reminders.per_day", "greater than 0"),
]


@pytest.mark.parametrize(("old", "new", "where", "part"), IMPOSSIBLE)
def test_an_impossible_calendar_is_refused(tmp_path, old, new, where, part):
    path = copied(tmp_path, old, new)
    with pytest.raises(CatalogueError) as refused:
        read_plan(path, KNOWN)
    assert refused.value.file == str(path)
    assert refused.value.where.startswith(where)
    assert part in refused.value.sentence


def test_a_qlq_more_often_than_every_week_is_refused(tmp_path):
    path = copied(
        tmp_path,
        "      series: {first: 7, every: 7, last: 56}\n      windows:\n        npc_checkin: {opens: -2, closes: 2}",
        "      series: {first: 7, every: 6, last: 56}\n      windows:\n        qlq_c30: {opens: -2, closes: 2}",
    )
    with pytest.raises(CatalogueError, match="at most every 7 days, not every 6 days"):
        read_plan(path, KNOWN)


def test_a_plan_may_have_no_calendar_and_then_its_words_name_no_visit(tmp_path):
    path = tmp_path / FILE.name
    # The stopping rule counts days of the visit schedule and is removed with it.
    path.write_text(FILE.read_text(encoding="utf-8").partition("\nstopping_rule:")[0], encoding="utf-8")
    plan = read_plan(path, KNOWN)
    assert plan.visit_schedule is None
    with pytest.raises(CatalogueError, match="nothing with this name"):
        read_plan_words(ROOT / "translations/en/plans/npc_reirradiation.yaml", plan)


def test_hours_are_read_as_times_of_the_day():
    visit_schedule = read_plan(FILE, KNOWN).visit_schedule
    assert visit_schedule is not None
    assert (visit_schedule.reminder_rules.minutes, visit_schedule.reminder_rules.stale_minutes) == (
        (0, 1440, 2880),
        720,
    )
    assert visit_schedule.visit("ulcer_daily").reminders == (0, 240)
    assert visit_schedule.anchors["rt_end"].defaults == ((0, AnchorPoint("rt_fraction", 28)),)
    with pytest.raises(KeyError):
        visit_schedule.visit("tea")


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize(
    ("old", "new", "where", "part"),
    [
        ("  month_3:", "  month_4:", "visits.month_3", "wording is missing"),
        ("  death:", "  birth:", "anchors.death", "wording is missing"),
        ("  death:", "  birth: x\n  death:", "anchors.birth", "nothing with this name"),
        ("{number}", "", "visits.induction_week", "put {number}"),
    ],
)
def test_every_visit_and_anchor_has_a_name(tmp_path, language, old, new, where, part):
    source = ROOT / f"translations/{language}/plans/npc_reirradiation.yaml"
    head, mark, tail = source.read_text(encoding="utf-8").rpartition("\nvisits:")
    assert old in tail
    path = tmp_path / source.name
    path.write_text(head + mark + tail.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_plan_words(path, read_plan(FILE, KNOWN))
    assert refused.value.where == where
    assert part in refused.value.sentence


# --- working days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-02-13", True),
        ("2026-02-14", True),  # Saturday, make-up day of Spring Festival
        ("2026-02-16", False),
        ("2026-02-23", False),
        ("2026-02-24", True),
        ("2026-02-28", True),  # Saturday, make-up day
        ("2026-03-07", False),
        ("2026-10-07", False),
        ("2027-02-05", False),  # New Year's Eve
        ("2027-02-10", False),
        ("2027-02-11", True),
        ("2028-02-29", True),
    ],
)
def test_working_days_of_china(day, works):
    assert working_days("CN").has(date.fromisoformat(day)) is works


def test_how_far_make_up_days_are_known():
    until = announced_until("CN")
    assert until is not None
    assert until >= date(2026, 12, 31)
    assert announced_until("DE") is None
    assert "CN" in countries()


def test_other_weekends_are_known_too():
    assert working_days("").has(date(2027, 2, 5))
    assert not working_days("EG").has(date(2027, 3, 5))
    assert working_days("EG").has(date(2027, 3, 7))


def test_a_site_s_days_win(tmp_path):
    path = tmp_path / "days.yaml"
    path.write_text("off: [2027-02-11/2027-02-12, 2026-02-14]\nworking: [2027-02-05]\n", encoding="utf-8")
    days = read_working_days("CN", path)
    off = [date(2027, 2, 11), date(2027, 2, 12), date(2026, 2, 14)]
    assert not any(days.has(day) for day in off)
    assert days.has(date(2027, 2, 5))
    assert days.has(date(2027, 2, 15))


@pytest.mark.parametrize(
    ("text", "where", "part"),
    [
        ("off: [2027-02-30]", "off", "is not a date"),
        ("off: [2027-02-12/2027-02-11]", "off", "run forward"),
        ("off: [2027-02-12/2028-02-11]", "off", "run forward"),
        ("off: [2027-02-12]\nworking: [2027-02-11/2027-02-13]", "working", "both lists"),
        ("closed: [2027-02-12]", "closed", "Extra"),
        ("off: [Monday]", "off.0", "pattern"),
    ],
)
def test_a_dubious_file_of_days_is_refused(tmp_path, text, where, part):
    path = tmp_path / "days.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_working_days("CN", path)
    assert refused.value.where == where
    assert part in refused.value.sentence
